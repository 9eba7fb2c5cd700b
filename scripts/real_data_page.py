"""Make docs/real_data.md from samples that others recorded.

python scripts/real_data_page.py DATA_DIR
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd

from ttspm.cell import Cell
from ttspm.errors import UserError
from ttspm.figures.real_data import draw_correlations, draw_curves
from ttspm.figures.style import save
from ttspm.real_data.curves import read_curves, shown_points, trends
from ttspm.real_data.page import Tables, to_markdown
from ttspm.real_data.runs import describe_runs, read_samples, shown_metrics
from ttspm.store import file_digest
from ttspm.tables import RECORDS, read_parquet, write_csv

ROOT = Path(__file__).resolve().parents[1]
RUNS = "epoch_reasoning_runs.jsonl.gz"
COUNTS = "math500_qwen2.5_7b_n128_counts.csv"
CURVES = "optscale_r1_distill_qwen7b_curves.csv"
# file -> tables made of it, what it is, where it is from
SOURCES = {
    RUNS: (
        "runs, metrics, fit",
        "12 runs on GPQA-Diamond (198 problems, 8 samples) and OTIS Mock AIME"
        " (45, 8 or 16): extracted answer, grade, tokens where logged",
        "Epoch AI, evaluation logs of its Benchmarking Hub",
    ),
    COUNTS: (
        "metrics",
        "Qwen2.5-7B base on MATH-500, T = 0.6, top-p 0.95: correct among 128 samples",
        "a reproduction of limit-of-RLVR",
    ),
    CURVES: (
        "curves, trends",
        "DeepSeek-R1-Distill-Qwen-7B, five benchmarks: accuracy and mean tokens, N = 1 to 64",
        "OptScale, github.com/Albertwyk/OptScale",
    ),
}


def run_workflow(data: Path, folder: Path) -> None:
    """Run the package on the recorded samples, as a person would, in an empty folder."""
    (folder / "data").symlink_to(data.resolve())
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "--quiet", "all"]
    command += ["--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)]
    command += ["--configfile", str(ROOT / "configs/real_data.yaml")]
    targets = ["results/tables/metrics.csv", "results/tables/fit.csv"]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run([*command, "--", *targets], env={**os.environ, "PATH": path}, check=True)


def make_tables(data: Path, folder: Path) -> dict[str, pd.DataFrame]:
    """Every table of docs/real_data, from the files and what the workflow made of them."""
    samples, curves = read_samples(data / RUNS), read_curves(data / CURVES)
    results = folder / "results"
    cells = [
        Cell(model, benchmark, "parallel")
        for model, benchmark in sorted(
            set(zip(samples["model"], samples["benchmark"], strict=True))
        )
    ]
    records = {
        cell: read_parquet(results / "imported" / f"{'/'.join(cell)}.parquet", RECORDS)
        for cell in cells
    }
    metrics = shown_metrics(pd.read_csv(results / "tables/metrics.csv"))
    from_runs = metrics["model"].isin(samples["model"])
    fit = pd.read_csv(results / "tables/fit.csv")
    return {
        "sources": _sources(data),
        "runs": describe_runs(samples, records).assign(source=RUNS),
        "metrics": metrics.assign(source=from_runs.map({True: RUNS, False: COUNTS})),
        "fit": fit.assign(source=RUNS),
        "curves": shown_points(curves).assign(source=CURVES),
        "trends": trends(curves).assign(source=CURVES),
    }


def read_tables(folder: Path) -> Tables:
    """The tables as they were written, numbers with an empty cell where undefined."""
    return {
        path.stem: pd.read_csv(path, keep_default_na=False, na_values=[""])
        for path in sorted(folder.glob("*.csv"))
    }


def _sources(data: Path) -> pd.DataFrame:
    rows = []
    for name, (tables, what, origin) in SOURCES.items():
        compressed = name.endswith(".gz")
        lines = len(
            pd.read_json(data / name, lines=True) if compressed else pd.read_csv(data / name)
        )
        rows.append({"file": name, "rows": lines, "tables": tables, "what": what, "origin": origin,
                     "sha256": file_digest(data / name)})  # fmt: skip
    return pd.DataFrame(rows)


def main(arguments: list[str] | None = None) -> None:
    """Write docs/real_data/*.csv and *.png, then docs/real_data.md from the tables."""
    parser = argparse.ArgumentParser(description="Make docs/real_data.md from recorded samples.")
    parser.add_argument(
        "data", type=Path, metavar="DATA_DIR", help=f"folder with {', '.join(SOURCES)}"
    )
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="folder to write to")
    settings = parser.parse_args(arguments)
    for name in SOURCES:
        if not (settings.data / name).is_file():
            raise UserError(f"{settings.data}: there is no {name}; needed are {', '.join(SOURCES)}")
    folder = settings.docs / "real_data"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        run_workflow(settings.data, Path(scratch))
        for name, table in make_tables(settings.data, Path(scratch)).items():
            write_csv(table, folder / f"{name}.csv")
        tables = read_tables(folder)
        figures = {
            "correlations": draw_correlations(tables["fit"]),
            "curves": draw_curves(read_curves(settings.data / CURVES)),
        }
        for name, figure in figures.items():
            save(figure, Path(scratch) / f"{name}.pdf", folder / f"{name}.png")
    (settings.docs / "real_data.md").write_text(to_markdown(tables))


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"error: {error}")
