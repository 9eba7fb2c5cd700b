"""Samples of other tools, on small files of the shape that those tools write."""

from __future__ import annotations

import json
import struct
import zipfile
import zlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ttspm.errors import UserError
from ttspm.metrics import cell_values
from ttspm.records.groups import Group, GroupName, load_groups
from ttspm.records.importers import IMPORTERS, format_of, importer_of
from ttspm.records.samples import Choice

DATA = Path(__file__).parent / "data" / "records"
LM_EVAL = sorted((DATA / "lm-eval" / "org__small").glob("*.jsonl"))
NEMO = sorted((DATA / "nemo-skills" / "sums").glob("*.jsonl"))
EVALSCOPE = DATA / "evalscope" / "reviews" / "small" / "sums_main.jsonl"
INSPECT = DATA / "inspect" / "sums.json"


def only(*paths, **options) -> Group:
    (group,) = load_groups(paths, **options)
    return group


def of(group: Group, problem: str, column: str) -> list:
    values = group.records[group.records["problem_id"] == problem][column]
    return [None if value != value or value is None else value for value in values]


def changed(path: Path, folder: Path, change, name: str | None = None) -> Path:
    """A copy of a JSON-lines file, its rows passed through `change`."""
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    copy = folder / (name or path.name)
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_text("".join(json.dumps(change(row)) + "\n" for row in rows))
    return copy


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


def strict_only(row: dict) -> dict:
    return row | {"filter": "none"}


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


# ---- lighteval -----------------------------------------------------------------------------------


def details(folder: Path, problems, metric: str, date: str = "2025-11-05T14-43-47.148527") -> Path:
    """A details file; of each problem the texts and the metric's value."""
    rows = [
        {
            "doc": {
                "query": "What is it?",
                "choices": ["7"],
                "gold_index": [0],
                "id": str(number),
                "task_name": "sums|0",
                "specific": {"extracted_predictions": texts[-1:], "extracted_golds": ["7"]},
                "num_samples": len(texts),
            },
            "metric": {metric: value},
            "model_response": {
                "input": "What is it?",
                "text": texts,
                "output_tokens": [[5] * (number + 3) for _ in texts],
                "truncated_tokens_count": 0,
            },
        }
        for number, (texts, value) in enumerate(problems)
    ]
    path = folder / "details" / "org" / "small" / date / f"details_sums|0_{date}.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def test_lighteval_single_samples_of_several_runs(tmp_path):
    first = details(tmp_path, [(["7"], 1.0), (["8"], 0.0)], "extractive_match")
    second = details(
        tmp_path, [(["8"], 0.0), (["7"], 1.0)], "extractive_match", "2025-11-06T00-00-00"
    )
    group = only(first, second)
    assert group.name == GroupName("org/small", "sums|0", "parallel")
    assert of(group, "0", "answer") == ["7", "8"]
    assert of(group, "1", "correct") == [False, True]
    assert of(group, "1", "completion_tokens") == [4, 4]
    assert not group.counts_only
    assert only(first, second, equality="math-verify").warnings == ()


@pytest.mark.parametrize(
    "metric", ["avg@n:n=4", "pass@k:k=1&n=4", "math_pass@1:4_samples", "gpqa_pass@k:k=1"]
)
def test_lighteval_means_are_counts(tmp_path, metric):
    path = details(tmp_path, [(["a", "b", "c", "d"], 0.75), (["a", "b", "c", "d"], 0.0)], metric)
    group = only(path)
    assert group.counts_only
    assert group.records.groupby("problem_id")["correct"].agg(
        ["size", "sum"]
    ).to_numpy().tolist() == [
        [4, 3],
        [4, 0],
    ]
    cell = cell_values(group.records, "parallel", [2], counts_only=True)
    assert cell.values["hit", "exact", 2].tolist() == [1.0, 0.0]


@pytest.mark.parametrize(
    ("metric", "value", "message"),
    [
        ("maj@n:n=4", 1.0, "row 1: 4 samples and one value of 'maj@n:n=4', which is not a mean"),
        ("pass@k:k=4&n=4", 1.0, "row 1: 4 samples and one value of 'pass@k:k=4&n=4', which"),
        ("avg@n:n=4", 0.3, "row 1: 'avg@n:n=4' is 0.3, not a mean of 4 grades"),
        ("avg@n:n=4", 1.25, "row 1: 'avg@n:n=4' is 1.25, not a mean of 4 grades"),
    ],
)
def test_lighteval_refuses_what_is_not_a_mean(tmp_path, metric, value, message):
    with pytest.raises(UserError, match=message):
        load_groups([details(tmp_path, [(["a", "b", "c", "d"], value)], metric)])


# ---- inspect -------------------------------------------------------------------------------------


def test_inspect_epochs_are_units():
    group = only(INSPECT)
    assert group.name == GroupName("vllm/org/small", "sums", "parallel")
    assert of(group, "a", "answer") == ["7", "8", "7"]
    assert of(group, "a", "correct") == [True, False, True]
    assert of(group, "a", "completion_tokens") == [10, 20, 30]  # the model's, not the judge's
    assert of(group, "b", "answer") == [None, "12"]
    assert of(group, "b", "truncated") == [True, False]
    assert len(group.warnings) == 2  # a sample that failed is left out, not wrong
    assert "1 of 6 samples are not graded and left out, the first:" in group.warnings[0]
    assert "differ, 2 (problem 'b') to 3" in group.warnings[1]


def zipped(folder: Path, log: dict, method: str = "deflate", header: str = "header.json") -> Path:
    """An .eval file of a log; one with zstd is put together by hand, as zipfile cannot."""
    path = folder / "sums.eval"
    samples = {
        f"samples/{sample['id']}_epoch_{sample['epoch']}.json": sample for sample in log["samples"]
    }
    members = {header: {key: value for key, value in log.items() if key != "samples"}} | samples
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, value in members.items():
            archive.writestr(name, json.dumps(value))
    if method == "zstd":
        path.write_bytes(zstandard_zip({name: json.dumps(v) for name, v in members.items()}))
    return path


def zstandard_zip(members: dict[str, str]) -> bytes:
    codec, body, directory = pa.Codec("zstd"), b"", b""
    for name, text in members.items():
        data = text.encode()
        # Two frames, as a writer makes that limits their length.
        packed = b"".join(
            codec.compress(part).to_pybytes() for part in (data[:100], data[100:]) if part
        )
        fixed = struct.pack(
            "<HHHHHIIIHH", 45, 0, 93, 0, 33, zlib.crc32(data), len(packed), len(data), len(name), 0
        )
        directory += b"PK\x01\x02" + struct.pack("<H", 45) + fixed
        directory += struct.pack("<HHHII", 0, 0, 0, 0, len(body)) + name.encode()
        body += b"PK\x03\x04" + fixed + name.encode() + packed
    end = struct.pack("<HHHHIIH", 0, 0, len(members), len(members), len(directory), len(body), 0)
    return body + directory + b"PK\x05\x06" + end


@pytest.mark.parametrize("method", ["deflate", "zstd"])
@pytest.mark.parametrize("header", ["header.json", "_journal/start.json"])
def test_inspect_archives_hold_the_same_as_json(tmp_path, method, header):
    path = zipped(tmp_path, json.loads(INSPECT.read_text()), method, header)
    found, expected = only(path), only(INSPECT)
    assert found.name == expected.name
    assert found.records.equals(expected.records)
    assert "samples/b_epoch_3.json" in found.warnings[0]


def test_inspect_asks_which_scorer_is_meant(tmp_path):
    log = json.loads(INSPECT.read_text())
    for sample in log["samples"]:
        sample["scores"] = {"match": {"value": "C"}, "judge": {"value": "I"}}
    path = zipped(tmp_path, log)
    with pytest.raises(UserError, match=r"a_epoch_1.json: several are recorded, match, judge; say"):
        load_groups([path])
    assert not only(path, choice=Choice(metric="judge")).records["correct"].any()


@pytest.mark.parametrize(
    ("value", "correct"),
    [("C", True), ("I", False), ("N", False), (1, True), (0.0, False), (True, True)],
)
def test_inspect_grades(tmp_path, value, correct):
    log = json.loads(INSPECT.read_text())
    log["samples"] = [log["samples"][0] | {"scores": {"s": {"value": value}}}]
    assert only(zipped(tmp_path, log)).records["correct"].tolist() == [correct]


def test_inspect_partial_credit_is_no_grade(tmp_path):
    log = json.loads(INSPECT.read_text())
    log["samples"][0]["scores"] = {"match": {"value": "P"}}
    with pytest.raises(
        UserError, match=r"a_epoch_1\.json: 'match' is 'P'; it must be true or false"
    ):
        load_groups([zipped(tmp_path, log)])


def test_inspect_whole_responses_are_no_answers(tmp_path):
    log = json.loads(INSPECT.read_text())
    for sample in log["samples"]:
        text = f"It is {sample['epoch']}. " * 20
        content = [{"type": "reasoning", "reasoning": "hm"}, {"type": "text", "text": text}]
        sample["output"]["choices"] = [{"message": {"content": content}, "stop_reason": "stop"}]
        sample["scores"] = {"model_graded_qa": {"value": "C", "answer": text}}
    group = only(zipped(tmp_path, log))
    assert group.records["correct"].all()
    assert group.records["answer"].isna().all()


def test_inspect_damaged_logs_get_one_line(tmp_path):
    path = zipped(tmp_path, json.loads(INSPECT.read_text()))
    whole = path.read_bytes()
    path.write_bytes(whole[:-200])
    with pytest.raises(UserError, match=r"sums\.eval: the zip is cut off or damaged"):
        load_groups([path])
    for method in ("deflate", "zstd"):
        whole = zipped(tmp_path, json.loads(INSPECT.read_text()), method).read_bytes()
        middle = whole.index(b"samples/a_epoch_1.json") + 60
        path.write_bytes(whole[:middle] + b"\0\0\0\0" + whole[middle + 4 :])
        with pytest.raises(UserError, match=r"a_epoch_1\.json is cut off or damaged .*copy it"):
            load_groups([path])
    text = tmp_path / "cut.json"
    text.write_text(INSPECT.read_text()[:500])
    with pytest.raises(UserError, match=r"cut\.json: the log is not valid JSON"):
        load_groups([text])
    text.write_text(json.dumps({"samples": [{"id": 1}]}))
    with pytest.raises(UserError, match=r"cut\.json: not an inspect log; 'eval' is missing"):
        load_groups([text])


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


def test_every_format_is_told_by_its_files(tmp_path):
    assert format_of(DATA / "native.jsonl") == "native"
    assert format_of(DATA / "counts.csv") == "native"
    assert {format_of(path) for path in LM_EVAL} == {"lm-eval"}
    assert {format_of(path) for path in NEMO} == {"nemo-skills"}
    assert format_of(EVALSCOPE) == "evalscope"
    assert format_of(INSPECT) == "inspect"
    assert format_of(zipped(tmp_path, json.loads(INSPECT.read_text()))) == "inspect"
    assert format_of(details(tmp_path, [(["7"], 1.0)], "em")) == "lighteval"
    table = pa.table({"problem_id": ["p"], "unit": [1], "correct": [True]})
    pq.write_table(table, tmp_path / "own.parquet")
    assert format_of(tmp_path / "own.parquet") == "native"


def test_files_of_several_formats_are_refused():
    with pytest.raises(UserError, match=r"several formats together: .*native.*evalscope"):
        importer_of([DATA / "native.jsonl", EVALSCOPE], "auto")
    with pytest.raises(UserError, match="format 'lmeval' is unknown"):
        importer_of([EVALSCOPE], "lmeval")


def test_the_schema_names_every_format():
    import yaml

    schema = yaml.safe_load((Path(__file__).parents[1] / "schemas/config.schema.yaml").read_text())
    assert set(schema["$defs"]["recorded"]["properties"]["format"]["enum"]) == {"auto", *IMPORTERS}
