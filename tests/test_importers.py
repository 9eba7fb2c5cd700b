"""Samples of other tools, on small files of the shape that those tools write."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from recorded_samples import DATA, changed, of, only, row, written

from ttspm.errors import UserError
from ttspm.metrics import cell_values
from ttspm.records.groups import GroupName, load_groups
from ttspm.records.importers import IMPORTERS, format_of, importer_of
from ttspm.records.samples import Choice

LM_EVAL = sorted((DATA / "lm-eval" / "org__small").glob("*.jsonl"))
NEMO = sorted((DATA / "nemo-skills" / "sums").glob("*.jsonl"))
EVALSCOPE = DATA / "evalscope" / "reviews" / "small" / "sums_main.jsonl"


# ---- lm-evaluation-harness -----------------------------------------------------------------------


def test_lm_eval_runs_are_units():
    group = only(*LM_EVAL, choice=Choice(filter="flexible-extract"))
    assert group.name == GroupName("org/small", "sums_cot", "parallel")
    assert of(group, "0", "answer") == ["7", "7"]
    assert of(group, "1", "answer") == ["12", "24"]
    assert of(group, "1", "correct") == [True, False]
    assert of(group, "2", "answer") == ["5", None]  # "[invalid]" is no answer
    assert of(group, "2", "answer_class") == [0, -1]
    assert group.records["completion_tokens"].isna().all()
    assert (
        only(*LM_EVAL, choice=Choice(filter="flexible-extract"), equality="math-verify").warnings
        == ()
    )


def test_lm_eval_asks_which_filter_is_meant():
    with pytest.raises(UserError, match="are recorded, strict-match, flexible-extract; say which"):
        load_groups(LM_EVAL)
    with pytest.raises(
        UserError, match="there is no filter 'strict'; recorded are: strict-match, "
    ):
        load_groups(LM_EVAL, choice=Choice(filter="strict"))


def test_lm_eval_asks_which_metric_is_meant(tmp_path):
    two = {"metrics": ["exact_match", "math_verify"], "math_verify": 1}
    path = changed(LM_EVAL[0], tmp_path, lambda row: row | two)
    with pytest.raises(UserError, match="line 1: several are recorded, exact_match, math_verify"):
        load_groups([path], model="m", choice=Choice(filter="strict-match"))
    chosen = Choice(filter="strict-match", metric="math_verify")
    assert only(path, model="m", choice=chosen).records["correct"].all()


def test_lm_eval_of_before_metrics_were_listed(tmp_path):
    def older(row):
        return {key: value for key, value in row.items() if key not in ("metrics", "filter")}

    path = changed(LM_EVAL[0], tmp_path, older)
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:3]))
    assert only(path, model="m").records["correct"].tolist() == [True, False, False]


def test_lm_eval_takes_the_models_name_from_the_results_beside(tmp_path):
    path = changed(LM_EVAL[0], tmp_path / "anywhere", lambda row: row)
    chosen = Choice(filter="strict-match")
    with pytest.raises(UserError, match="line 1: which model this is, is not said; set 'model: <n"):
        load_groups([path], choice=chosen)
    results = path.with_name("results_2025-03-01T10-00-00.123456.json")
    results.write_text(json.dumps({"results": {}, "model_name": "org/named"}))
    assert only(path, choice=chosen).name.model == "org/named"


def test_lm_eval_repeats_need_a_grade_each(tmp_path):
    def repeated(row):
        return row | {"resps": [["a 7", "b 8"]], "filtered_resps": [["7", "8"]]}

    chosen = Choice(filter="strict-match")
    path = changed(LM_EVAL[0], tmp_path, repeated)
    with pytest.raises(
        UserError, match="line 1: 2 repeats and one grade in 'exact_match', so which"
    ):
        load_groups([path], model="m", choice=chosen)
    path = changed(LM_EVAL[0], tmp_path, lambda row: repeated(row) | {"exact_match": [1, 0]})
    group = only(path, model="m", choice=chosen)
    assert of(group, "0", "answer") == ["7", "8"]
    assert of(group, "0", "correct") == [True, False]
    path = changed(LM_EVAL[0], tmp_path, lambda row: repeated(row) | {"exact_match": [1, 0, 1]})
    with pytest.raises(UserError, match="line 1: 3 grades in 'exact_match' for 2 answers"):
        load_groups([path], model="m", choice=chosen)


def test_lm_eval_whole_responses_are_no_answers(tmp_path):
    def unfiltered(row):
        text = f"{row['resps'][0][0]} {'So it goes on. ' * 10}"
        return row | {"resps": [[text]], "filtered_resps": [text]}

    path = changed(LM_EVAL[0], tmp_path, unfiltered)
    group = only(path, model="m", choice=Choice(filter="strict-match"))
    assert group.records["answer"].isna().all()
    assert group.records["correct"].any()
    cell = cell_values(group.records, "parallel", [1])
    assert set(cell.values.columns.get_level_values("metric")) == {"hit"}


def test_lm_eval_refuses_what_it_cannot_use(tmp_path):
    chosen = Choice(filter="strict-match")
    path = changed(LM_EVAL[0], tmp_path, lambda row: row | {"doc_id": 0})
    with pytest.raises(UserError, match=r"line 2: problem '0' is there twice, first in .*line 1"):
        load_groups([path], model="m", choice=chosen)
    path = changed(LM_EVAL[0], tmp_path, lambda row: row | {"exact_match": 0.25})
    with pytest.raises(
        UserError, match=r"line 1: 'exact_match' is 0\.25; it must be true or false"
    ):
        load_groups([path], model="m", choice=chosen)
    path = changed(LM_EVAL[0], tmp_path, lambda row: {"doc_id": row["doc_id"]})
    with pytest.raises(UserError, match="line 1: 'resps' is missing; a line of lm-evaluation-harn"):
        load_groups([path], "lm-eval", model="m", choice=chosen)


# ---- NeMo-Skills ---------------------------------------------------------------------------------


def test_nemo_skills_seeds_are_units():
    group = only(*NEMO, model="org/small")
    assert group.name == GroupName("org/small", "sums", "parallel")
    assert group.warnings == ()  # seeds 0, 2 and 10 are units 1, 2 and 3
    assert of(group, "sums-0", "answer") == ["7", "7", "8"]
    assert of(group, "sums-1", "correct") == [True, False, True]
    assert of(group, "sums-2", "answer") == [None, "4.5", "4.5"]
    assert of(group, "sums-2", "truncated") == [True, False, False]
    assert of(group, "sums-2", "completion_tokens") == [102, 122, 202]
    with pytest.raises(UserError, match="line 1: which model this is, is not said"):
        load_groups(NEMO)


def test_nemo_skills_lines_without_id_go_by_their_number(tmp_path):
    def nameless(row):
        return {key: value for key, value in row.items() if key != "id"}

    paths = [changed(path, tmp_path / "sums", nameless) for path in NEMO]
    group = only(*paths, model="m")
    assert group.records["problem_id"].unique().tolist() == ["line 1", "line 2", "line 3"]
    assert of(group, "line 3", "correct") == [False, True, True]


def test_nemo_skills_judgements(tmp_path):
    said = iter(["Judgement: Yes", "First. Judgement: no.", "I cannot say"] * 2)
    path = changed(NEMO[0], tmp_path, lambda row: row | {"judgement": next(said)})
    with pytest.raises(
        UserError, match="several are recorded, symbolic_correct, judge_correct; say"
    ):
        load_groups([path], model="m")
    group = only(path, model="m", choice=Choice(metric="judge_correct"))
    assert group.records["correct"].tolist() == [True, False]
    assert "1 of 3 samples are not graded and left out" in group.warnings[0]


# ---- evalscope -----------------------------------------------------------------------------------


def test_evalscope_repeats_are_units():
    group = only(EVALSCOPE)
    assert group.name == GroupName("small", "sums_main", "parallel")
    assert of(group, "0", "answer") == ["7", "8"]
    assert of(group, "1", "correct") == [True, True]
    assert of(group, "2", "correct") == [False, True]
    assert only(EVALSCOPE, equality="math-verify").warnings == ()


def test_evalscope_subsets_become_one_benchmark(tmp_path):
    paths = [
        changed(EVALSCOPE, tmp_path, lambda row: row, f"reviews/m/math_500_Level {level}.jsonl")
        for level in (1, 2)
    ]
    assert len(load_groups(paths)) == 2
    group = only(*paths, benchmark="math500")
    assert group.records["problem_id"].nunique() == 6
    assert of(group, "math_500_Level 2/0", "answer") == ["7", "8"]


def test_evalscope_scores_that_failed_are_not_wrong(tmp_path):
    def failed(row):
        if row["index"] == 1:
            row["sample_score"]["score"] |= {"status": "transport_error", "value": {}}
        return row

    group = only(changed(EVALSCOPE, tmp_path, failed))
    assert of(group, "0", "correct") == [True]
    assert "1 of 6 samples are not graded and left out" in group.warnings[0]


def test_evalscope_takes_the_main_score(tmp_path):
    def several(main):
        def change(row):
            row["sample_score"]["score"] |= {"value": {"f1": 0, "em": 1}, "main_score_name": main}
            return row

        return change

    assert not only(changed(EVALSCOPE, tmp_path, several(None))).records["correct"].any()
    path = changed(EVALSCOPE, tmp_path, several("em"))
    assert only(path).records["correct"].all()
    assert not only(path, choice=Choice(metric="f1")).records["correct"].any()
    with pytest.raises(UserError, match="there is no metric 'acc'; recorded are: f1, em"):
        load_groups([path], choice=Choice(metric="acc"))


# ---- formats -------------------------------------------------------------------------------------


def test_formats_are_told_by_names_and_keys():
    assert format_of(DATA / "native.jsonl") == "native"
    assert format_of(DATA / "counts.csv") == "native"
    assert {format_of(path) for path in LM_EVAL} == {"lm-eval"}
    assert {format_of(path) for path in NEMO} == {"nemo-skills"}
    assert format_of(EVALSCOPE) == "evalscope"


def test_a_file_in_the_own_format_may_have_any_name(tmp_path):
    assert format_of(written(tmp_path, [row()], "output-rs0.jsonl")) == "native"


def test_files_of_several_formats_are_refused():
    with pytest.raises(UserError, match=r"several formats together: .*native.*evalscope"):
        importer_of([DATA / "native.jsonl", EVALSCOPE], "auto")
    with pytest.raises(UserError, match="format 'lmeval' is unknown"):
        importer_of([EVALSCOPE], "lmeval")


def test_the_schema_names_every_format():
    import yaml

    schema = yaml.safe_load((Path(__file__).parents[1] / "schemas/config.schema.yaml").read_text())
    assert set(schema["$defs"]["recorded"]["properties"]["format"]["enum"]) == {"auto", *IMPORTERS}
