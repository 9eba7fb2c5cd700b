"""Records in a configuration, and real records."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from recorded_samples import DATA, only, row, written

from ttspm.config import cells, check_config, load_schema
from ttspm.errors import UserError
from ttspm.metrics import cell_values
from ttspm.records.entries import files_of, path_name, records_cells
from ttspm.records.groups import GroupName, load_groups

REPOSITORY = Path(__file__).parents[1]
SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "records"

needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="shared data folder is absent")


# ---- configuration -------------------------------------------------------------------------------


def configured(records, models=(), benchmarks=()):
    described = {
        "models": {name: {"source": {"type": "folder", "path": "x"}} for name in models or ["any"]},
        "benchmarks": {name: {"source": {"type": "arithmetic"}} for name in benchmarks or ["any"]},
        "grid": {"models": list(models), "benchmarks": list(benchmarks)},
        "records": records,
    }
    return check_config(described, load_schema(REPOSITORY / "schemas/config.schema.yaml"))


def test_the_cells_of_a_configuration():
    config = configured(
        {
            "runs": {"path": str(DATA / "native.jsonl")},
            "counts": {"path": [str(DATA / "counts.csv")], "benchmark": "sums"},
        }
    )
    assert cells(config) == []
    found = records_cells(config)
    assert [(cell.model, cell.benchmark, cell.strategy) for cell in found] == [
        ("org-large", "arithmetic", "parallel"),
        ("org-small-t-0.6", "arithmetic", "parallel"),
        ("org-base", "sums", "parallel"),
    ]
    assert [cell.counts_only for cell in found] == [False, False, True]
    assert found[1].group == GroupName("org/small [t=0.6]", "arithmetic", "parallel")


def test_the_example_configuration_works(monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    layers = [load_schema(name) for name in ("config.yaml", "configs/records.yaml")]
    config = check_config(
        layers[0] | layers[1] | {"grid": layers[0]["grid"] | layers[1]["grid"]},
        load_schema("schemas/config.schema.yaml"),
    )
    assert cells(config) == []
    assert records_cells(config)


def test_names_of_groups_are_kept_until_a_file_changes(tmp_path):
    path, cache = written(tmp_path, [row()]), tmp_path / "kept" / "groups.json"
    config = configured({"runs": {"path": str(path)}})
    first = records_cells(config, cache)
    assert records_cells(config, cache) == first
    kept = json.loads(cache.read_text())
    cache.write_text(json.dumps({key: [["kept", "b", "parallel", False]] for key in kept}))
    assert records_cells(config, cache)[0].model == "kept"  # the file was not read again
    written(tmp_path, [row(model="another")])
    assert records_cells(config, cache)[0].model == "another"
    cache.write_text("no JSON")
    assert records_cells(config, cache)[0].model == "another"


@pytest.mark.parametrize(
    ("records", "grid", "message"),
    [
        ({"a": {"path": "none/*.jsonl"}}, (), r"records.a.path: there is no file none/\*.jsonl"),
        ({"a": {}}, (), "records.a: the key 'path' is missing"),
        (
            {"a": {"path": "x", "modle": "m"}},
            (),
            "records.a.modle: unknown key; did you mean 'model",
        ),
        ({"a": {"path": "x", "format": "lmeval"}}, (), "records.a.format: 'lmeval' is not known"),
        (
            {"a": {"path": "{native}", "model": "m"}},
            (),
            "records.a: .*'model: m' is given for several models: org/small",
        ),
        (
            {"a": {"path": "{native}"}, "b": {"path": "{native}"}},
            (),
            "records.b: parallel samples of 'org/large' on 'arithmetic' are in records.a as well",
        ),
        (
            {"a": {"path": "{counts}", "model": "tiny"}},
            ("tiny", "arithmetic"),
            "records.a: parallel samples of 'tiny' on 'arithmetic' are in the grid as well",
        ),
        (
            {"a": {"path": "{counts}", "model": "tiny/base"}},
            ("tiny-base", "other"),
            "records.a: the models 'tiny-base' and 'tiny/base' would both be called 'tiny-base'",
        ),
        ({"a": {"path": "{counts}", "model": "§§"}}, (), "the name '§§' has no letter or digit"),
        ({"a": {"path": "{counts}", "metric": "acc"}}, (), "metric and filter are for other tools"),
    ],
)
def test_wrong_entries_get_one_line(records, grid, message):
    files = {"{native}": str(DATA / "native.jsonl"), "{counts}": str(DATA / "counts.csv")}
    for entry in records.values():
        if "path" in entry:
            entry["path"] = files.get(entry["path"], entry["path"])
    with pytest.raises(UserError, match=message) as caught:
        records_cells(configured(records, grid[:1], grid[1:]))
    assert "\n" not in str(caught.value)


def test_files_come_in_the_order_of_their_numbers(tmp_path):
    for name in ("rs10.jsonl", "rs2.jsonl", "a [b].jsonl"):
        written(tmp_path, [row()], name)
    entry = {"path": [str(tmp_path / "rs*.jsonl"), str(tmp_path / "rs2.jsonl")]}
    assert [file.name for file in files_of("a", entry)] == ["rs2.jsonl", "rs10.jsonl"]
    assert len(files_of("a", {"path": str(tmp_path / "a [b].jsonl")})) == 1


def test_names_for_paths():
    assert path_name("openai/gpt-5-nano [high]") == "openai-gpt-5-nano-high"
    assert path_name("..hidden--") == "hidden"
    assert path_name("Qwen2.5_7B-x") == "Qwen2.5_7B-x"


# ---- real records --------------------------------------------------------------------------------


@needs_shared
def test_real_counts():
    group = only(SHARED / "math500_qwen2.5_7b_n128_counts.csv")
    assert group.name == GroupName("Qwen2.5-7B (base)", "MATH-500", "parallel")
    counts = pd.read_csv(SHARED / "math500_qwen2.5_7b_n128_counts.csv")
    cell = cell_values(group.records, "parallel", [1, 128], counts_only=group.counts_only)
    assert cell.values.shape == (500, 2)
    means = cell.values.mean()
    assert means["hit", "exact", 1] == pytest.approx((counts.n_correct / counts.n_samples).mean())
    assert means["hit", "exact", 128] == pytest.approx((counts.n_correct > 0).mean())


@needs_shared
def test_real_runs_hold_answers_that_are_both_right_and_wrong():
    path = SHARED / "epoch_reasoning_runs.jsonl.gz"
    with pytest.raises(
        UserError, match=r"line 1602: problem .* is correct here and wrong in .*1601"
    ):
        load_groups([path])


@needs_shared
def test_real_runs_graded_by_their_gold():
    path = SHARED / "epoch_reasoning_runs.jsonl.gz"
    with gzip.open(path, "rt") as lines:
        source = pd.DataFrame(map(json.loads, lines))
    recorded = source.groupby(["model", "benchmark"])["correct"].mean()
    groups = load_groups([path], equality="math-verify")
    assert len(groups) == 12
    assert len({group.name.model for group in groups}) == 10
    for group in groups:
        cell = cell_values(group.records, "parallel", [1, 4, 8])
        accuracy = cell.values["acc", "exact", 1].mean()
        # Ten grades of 720 at most are not those of the file.
        assert accuracy == pytest.approx(recorded[group.name[:2]], abs=10 / 720)
        assert np.all(cell.values["acc", "exact", 8] <= cell.values["hit", "exact", 8] + 1e-12)


@needs_shared
def test_real_runs_without_contradictions_keep_their_grades(tmp_path):
    with gzip.open(SHARED / "epoch_reasoning_runs.jsonl.gz", "rt") as lines:
        kept = [line for line in lines if '"gpqa_diamond"' in line]
    (tmp_path / "gpqa.jsonl").write_text("".join(kept))
    source = pd.DataFrame(map(json.loads, kept))
    groups = load_groups([tmp_path / "gpqa.jsonl"])
    assert len(groups) == 5
    for group in groups:
        of_model = source[source["model"] == group.name.model]
        assert group.warnings == ()
        assert len(group.records) == 198 * 8
        assert group.records["correct"].sum() == of_model["correct"].sum()
        cell = cell_values(group.records, "parallel", [1, 8])
        assert ("acc", "exact", 8) in cell.values.columns
