"""The thin scripts from checked inputs to the figures, on records computed here."""

from __future__ import annotations

import importlib
import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from stand_in import job_of

import draw_figure
from ttspm.action import Job
from ttspm.saturation import saturation_point
from ttspm.store import Store
from ttspm.tables import RECORDS, UNITS, write_parquet

PAPER = Path(__file__).resolve().parents[1] / "resources" / "paper_table1.csv"
CELLS = [["tiny", "sums", "parallel"], ["tiny", "sums", "sequential"]]
PROBLEMS, UNITS_EACH, BUDGETS = 20, 4, [1, 2, 4]
ANALYSIS = {"validation_share": 0.8, "resamples": 200, "confidence": 0.95}


def make_records(seed: int) -> pd.DataFrame:
    """Records of one cell: class 0 is correct, -1 is no answer."""
    rng = np.random.default_rng(seed)
    p = rng.beta(0.7, 0.7, PROBLEMS)
    rows = []
    for problem in range(PROBLEMS):
        for unit in range(1, UNITS_EACH + 1):
            right = rng.random() < p[problem]
            answer_class = 0 if right else int(rng.integers(-1, 3)) or 1
            rows.append(
                {
                    "problem_id": f"p{problem:02d}",
                    "unit": unit,
                    "answer": None if answer_class < 0 else str(answer_class),
                    "answer_class": answer_class,
                    "correct": bool(right),
                    "truncated": answer_class < 0,
                    "completion_tokens": int(rng.integers(5, 60)),
                }
            )
    return pd.DataFrame(rows)


FRAMES = [make_records(seed) for seed in (1, 2)]


def run(script: str, *arguments: object, **settings: object) -> Job:
    job = job_of(*arguments, **settings)
    importlib.import_module(script).main(job)
    return job


@pytest.fixture(scope="module")
def records(tmp_path_factory) -> list[Path]:
    folder = tmp_path_factory.mktemp("records")
    for cell, frame in zip(CELLS, FRAMES, strict=True):
        write_parquet(frame, folder / f"{cell[2]}.parquet", RECORDS)
    return [folder / f"{cell[2]}.parquet" for cell in CELLS]


def analyse(folder: Path, records: list[Path], cells: list[list[str]] = CELLS) -> dict[str, Path]:
    """Run metrics and fit; the paths of their tables."""
    params = {
        "cells": cells, "counts_only": [], "budgets": BUDGETS, "budget": 4, "analysis": ANALYSIS,
        "seed": 7,
    }  # fmt: skip
    folder.mkdir()
    metrics = run(
        "estimate_metrics", folder, {"records": records},
        {"metrics": "metrics.csv", "differences": "differences.csv"}, params,
    )  # fmt: skip
    fit = run(
        "fit_saturation", folder, {"records": records},
        {"fit": "fit.csv", "saturation": "saturation.csv"}, params,
    )  # fmt: skip
    return {**vars(metrics.output), **vars(fit.output)}


@pytest.fixture(scope="module")
def tables(tmp_path_factory, records) -> dict[str, Path]:
    return analyse(tmp_path_factory.mktemp("tables") / "a", records)


# -- inputs and units ------------------------------------------------------------------------------


def test_the_summary_of_inputs_has_every_digest(tmp_path):
    store = Store(tmp_path / "results")
    inputs: dict[str, list[Path]] = {"models": [], "benchmarks": []}
    for kind, names in (("models", ["m", "n"]), ("benchmarks", ["b"])):
        for name in names:
            with store.workspace() as scratch:
                (scratch / name).write_text(f"{kind} {name}")
                store.link(store.root / kind / name, store.put(scratch / name))
            inputs[kind].append(store.root / kind / name)
    params = {"models": ["m", "n"], "benchmarks": ["b"]}
    job = run("check_inputs", tmp_path, inputs, {"summary": "inputs.json"}, params)
    assert json.loads(job.output.summary.read_text()) == {
        "models": {"m": store.digest_of(store.root / "models" / "m"),
                   "n": store.digest_of(store.root / "models" / "n")},
        "benchmarks": {"b": store.digest_of(store.root / "benchmarks" / "b")},
    }  # fmt: skip


@pytest.mark.parametrize("shards", [1, 2, 3, 7])
def test_gathered_units_do_not_depend_on_the_number_of_shards(tmp_path, shards):
    order = ["c", "a", "b", "d"]
    pq.write_table(pa.table({"problem_id": order, "question": order}), tmp_path / "problems")
    rows = [
        {"problem_id": problem, "unit": unit, "seed": unit, "text": f"{problem} {unit}",
         "finish_reason": "stop", "prompt_tokens": 3, "completion_tokens": 2,
         "mean_logprob": -0.1}
        for problem in order for unit in (1, 2, 3)
    ]  # fmt: skip
    write_parquet(rows, tmp_path / "expected", UNITS)
    parts = []
    for shard in range(shards):
        mine = [row for row in rows if row["problem_id"] in order[shard::shards]]
        parts.append(tmp_path / f"{shard}")
        write_parquet(mine[::-1], parts[-1], UNITS)
    inputs = {"problems": tmp_path / "problems", "shards": parts}
    job = run("gather_units", tmp_path, inputs, {"units": "units"}, {})
    assert job.output.units.read_bytes() == (tmp_path / "expected").read_bytes()


# -- analysis --------------------------------------------------------------------------------------


def solved(frame: pd.DataFrame) -> np.ndarray:
    """Whether each unit is correct, problems by units."""
    return frame.sort_values(["problem_id", "unit"])["correct"].to_numpy().reshape(PROBLEMS, -1)


@pytest.mark.parametrize("index", [0, 1])
def test_p_x_is_that_of_the_units(tmp_path, records, index):
    strategy = CELLS[index][2]
    job = run(
        "estimate_p_x", tmp_path, {"records": records[index]}, {"p_x": "p_x.csv"},
        {"budget": 4, "counts_only": False}, wildcards={"strategy": strategy},
    )  # fmt: skip
    table = pd.read_csv(job.output.p_x)
    correct = solved(FRAMES[index])
    first = np.where(correct.any(axis=1), correct.argmax(axis=1) + 1, 1)
    for _, rows in table.groupby("estimator"):
        np.testing.assert_array_equal(rows["first_hit"], first)
    if strategy == "parallel":
        assert list(table["estimator"].unique()) == ["c/n"]
        np.testing.assert_allclose(table["p_hat"], correct.mean(axis=1))
    else:
        assert table["estimator"].nunique() == 2


def test_a_smaller_budget_uses_the_first_units_alone(tmp_path, records):
    job = run(
        "estimate_p_x", tmp_path, {"records": records[0]}, {"p_x": "p_x.csv"},
        {"budget": 2, "counts_only": False}, wildcards={"strategy": "parallel"},
    )  # fmt: skip
    table = pd.read_csv(job.output.p_x)
    np.testing.assert_array_equal(table["correct"], solved(FRAMES[0])[:, :2].sum(axis=1))
    assert set(table["units"]) == {2}


def test_metrics_are_those_of_the_records(tables):
    table = pd.read_csv(tables["metrics"])
    index = ["strategy", "metric", "estimator", "n"]
    value = table.set_index(index)["value"]
    assert value.index.is_unique
    for (_, _, strategy), frame in zip(CELLS, FRAMES, strict=True):
        correct = solved(frame)
        for n in BUDGETS:
            hits = correct[:, :n].any(axis=1).mean()
            assert value[strategy, "hit", "prefix", n] == pytest.approx(hits)
    parallel = solved(FRAMES[0])
    for n in BUDGETS:  # by enumeration of every subset
        subsets = [parallel[:, list(units)] for units in combinations(range(UNITS_EACH), n)]
        exact = np.mean([subset.any(axis=1).mean() for subset in subsets])
        assert value["parallel", "hit", "exact", n] == pytest.approx(exact)
    last = solved(FRAMES[1])
    for n in BUDGETS:
        assert value["sequential", "acc", "prefix", n] == pytest.approx(last[:, n - 1].mean())
    assert (table["ci_low"] <= table["value"]).all()
    assert (table["value"] <= table["ci_high"]).all()
    assert set(table["n_problems"]) == {PROBLEMS}


def test_saturation_follows_from_the_fit(tables):
    fit = pd.read_csv(tables["fit"])
    points = pd.read_csv(tables["saturation"])
    for (strategy, _), rows in points.groupby(["strategy", "estimator"]):
        assert rows["split"].value_counts().to_dict() == {"validation": 16, "test": 4}
        thresholds = fit[(fit["strategy"] == strategy) & fit["protocol"].str.startswith("paper")]
        by_threshold = [
            [saturation_point(p, threshold) for p in rows["p_hat"]]
            for threshold in thresholds["epsilon_over_fmax"].dropna().unique()
        ]
        assert rows["n_star"].tolist() in by_threshold


def test_cells_of_a_benchmark_share_their_test_problems(tables):
    points = pd.read_csv(tables["saturation"])
    test = points[points["split"] == "test"]
    sets = test.groupby(["strategy", "estimator"])["problem_id"].agg(frozenset)
    assert sets.nunique() == 1


def test_equal_records_give_equal_bytes(tmp_path, tables, records):
    again = analyse(tmp_path / "again", records)
    for name, path in tables.items():
        assert again[name].read_bytes() == path.read_bytes(), name


def test_a_cells_rows_do_not_depend_on_the_other_cells(tmp_path, tables, records):
    alone = analyse(tmp_path / "alone", records[1:], CELLS[1:])
    for name in ("metrics", "fit", "saturation"):
        whole = pd.read_csv(tables[name], dtype=str)
        part = whole[whole["strategy"] == "sequential"].reset_index(drop=True)
        pd.testing.assert_frame_equal(pd.read_csv(alone[name], dtype=str), part)


# -- presentation ----------------------------------------------------------------------------------


def test_table1_has_our_numbers_in_three_forms(tmp_path, tables):
    job = run(
        "write_table1", tmp_path, {"metrics": tables["metrics"], "paper": PAPER},
        {"csv": "t.csv", "markdown": "t.md", "latex": "t.tex"}, {"budgets": BUDGETS},
    )  # fmt: skip
    table = pd.read_csv(job.output.csv).set_index("method")
    expected = 100 * solved(FRAMES[0])[:, :4].any(axis=1).mean()
    assert table.loc["Par. (N=4)", "sums_hit"] == pytest.approx(expected, abs=0.05)
    shown = f"{expected:.1f}"
    assert shown in job.output.markdown.read_text()
    assert shown in job.output.latex.read_text()


@pytest.mark.parametrize("figure", draw_figure.FIGURES)
def test_every_figure_is_drawn_with_equal_bytes(tmp_path, tables, figure):
    points = [tables["fit"], tables["saturation"]]
    inputs = {"metrics": tables["metrics"], "points": points, "paper": PAPER}
    made = []
    for copy in ("one", "two"):
        outputs = {"pdf": f"{copy}.pdf", "png": f"{copy}.png"}
        params, names = {"budgets": BUDGETS}, {"figure": figure}
        made.append(run("draw_figure", tmp_path, inputs, outputs, params, wildcards=names).output)
    assert made[0].pdf.read_bytes().startswith(b"%PDF")
    assert made[0].png.read_bytes().startswith(b"\x89PNG")
    assert made[0].pdf.read_bytes() == made[1].pdf.read_bytes()
    assert made[0].png.read_bytes() == made[1].png.read_bytes()
