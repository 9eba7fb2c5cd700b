"""The package's tables for models that do not exist, computed from seeded draws.

Each problem has a chance p to be solved by one unit and a preferred wrong answer; units are drawn
from that, and every number in the tables is computed from the units.
"""

from __future__ import annotations

from itertools import product
from math import comb
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import pearsonr

PAPER = pd.read_csv(Path(__file__).resolve().parents[1] / "resources" / "paper_table1.csv")

SMALL = {
    "models": {"smollm2-135m-instruct": (0.5, 1.0)},
    "benchmarks": {"graded-arithmetic": 36},
    "budgets": (1, 4, 8, 16),
}
LARGE = {
    "models": {
        "deepseek-r1-distill-qwen-1.5b": (0.5, 1.0),
        "deepseek-r1-distill-qwen-7b": (0.9, 1.0),
    },
    "benchmarks": {"aime24": 30, "aime25": 30, "math500": 500, "gpqa_diamond": 198},
    "budgets": (1, 4, 8, 16, 32),
}
EASE = {"aime25": 0.6, "math500": 4.0}  # factors on the first parameter of the distribution of p


def draw_answers(grid: dict, model: str, benchmark: str, rng: np.random.Generator) -> np.ndarray:
    """Answer classes (problems, units): 0 is correct, 1 to 3 are wrong."""
    n_problems, n_units = grid["benchmarks"][benchmark], max(grid["budgets"])
    alpha, beta = grid["models"][model]
    p = rng.beta(alpha * EASE.get(benchmark, 1.0), beta, size=n_problems)
    wrong = 1 + rng.choice(3, p=[0.6, 0.3, 0.1], size=(n_problems, n_units))
    return np.where(rng.random((n_problems, n_units)) < p[:, None], 0, wrong)


def voted(answers: np.ndarray) -> np.ndarray:
    """Share of credit of the vote for each problem; ties share it."""
    votes = np.stack([(answers == k).sum(axis=1) for k in range(4)], axis=1)
    first = votes == votes.max(axis=1, keepdims=True)
    return first[:, 0] / first.sum(axis=1)


def exact_hit(answers: np.ndarray, n: int) -> np.ndarray:
    total = answers.shape[1]
    correct = (answers == 0).sum(axis=1)
    return np.array([1 - comb(total - int(c), n) / comb(total, n) for c in correct])


def mean_with_interval(per_problem: np.ndarray, rng: np.random.Generator) -> dict[str, float]:
    index = rng.integers(len(per_problem), size=(400, len(per_problem)))
    low, high = np.quantile(per_problem[index].mean(axis=1), [0.025, 0.975])
    return {"value": per_problem.mean(), "ci_low": low, "ci_high": high}


def make_metrics(grid: dict, seed: int = 0) -> pd.DataFrame:
    """``metrics.csv`` for a grid such as `SMALL`."""
    rng = np.random.default_rng(seed)
    rows = []
    for model, benchmark, strategy in product(
        grid["models"], grid["benchmarks"], ("parallel", "sequential")
    ):
        size = grid["benchmarks"][benchmark]
        answers = draw_answers(grid, model, benchmark, rng)
        for n in grid["budgets"]:
            first = answers[:, :n]
            values = {("hit", "prefix"): (first == 0).any(axis=1).astype(float)}
            if strategy == "parallel":
                shuffled = [rng.permuted(answers, axis=1)[:, :n] for _ in range(20)]
                values["acc", "prefix"] = voted(first)
                values["hit", "exact"] = exact_hit(answers, n)
                values["acc", "exact"] = np.mean([voted(a) for a in shuffled], axis=0)
            else:
                values["acc", "prefix"] = (first[:, -1] == 0).astype(float)
            for (metric, estimator), per_problem in values.items():
                rows.append(
                    {
                        "model": model,
                        "benchmark": benchmark,
                        "strategy": strategy,
                        "n": n,
                        "metric": metric,
                        "estimator": estimator,
                        **mean_with_interval(per_problem, rng),
                        "n_problems": size,
                    }
                )
    return pd.DataFrame(rows)


def saturation_point(p: float, ratio: float) -> int:
    """Smallest N >= 1 with p (1-p)^N < epsilon/F_max, by counting up."""
    n = 1
    while p * (1 - p) ** n >= ratio:
        n += 1
    return n


def correlate(predicted: np.ndarray, observed: np.ndarray) -> dict[str, object]:
    """The cells of ``fit.csv`` about r, with the reason where r is undefined."""
    for side, values in (("predicted N*", predicted), ("first hit", observed)):
        if np.ptp(values) == 0:
            cells = dict.fromkeys(["pearson_r", "r_low", "r_high", "p_value"], np.nan)
            return cells | {"pearson_r": f"undefined ({side} is constant)"}
    result = pearsonr(predicted, observed)
    interval = result.confidence_interval()
    return {
        "pearson_r": result.statistic,
        "r_low": interval.low,
        "r_high": interval.high,
        "p_value": result.pvalue,
    }


def make_saturation(
    grid: dict, seed: int = 0, ratio: float = 0.01
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """``saturation.csv`` and ``fit.csv`` for a grid such as `SMALL`."""
    rng = np.random.default_rng(seed)
    rows, fits = [], []
    for model, benchmark, strategy in product(
        grid["models"], grid["benchmarks"], ("parallel", "sequential")
    ):
        size, n_units = grid["benchmarks"][benchmark], max(grid["budgets"])
        correct = draw_answers(grid, model, benchmark, rng) == 0
        first_hit = np.where(correct.any(axis=1), correct.argmax(axis=1) + 1, 1)
        is_test = rng.permutation(size) >= round(0.8 * size)
        if strategy == "parallel":
            estimates = {"c/n": correct.mean(axis=1)}
        else:
            solved = correct.any(axis=1)
            estimates = {
                "k/n": np.where(solved, first_hit / n_units, 1e-5),
                "1/k": np.where(solved, 1 / first_hit, 1e-5),
            }
        for estimator, p_hat in estimates.items():
            n_star = np.array([saturation_point(p, ratio) for p in p_hat])
            for i in range(size):
                rows.append(
                    {
                        "model": model,
                        "benchmark": benchmark,
                        "strategy": strategy,
                        "problem_id": f"{benchmark}-{i:03d}",
                        "split": "test" if is_test[i] else "validation",
                        "p_hat": p_hat[i],
                        "estimator": estimator,
                        "n_star": n_star[i],
                        "first_hit": first_hit[i],
                    }
                )
            correlation = correlate(n_star[is_test], first_hit[is_test])
            fits.append(
                {
                    "model": model,
                    "benchmark": benchmark,
                    "strategy": strategy,
                    "protocol": "paper" if estimator != "1/k" else "paper-mle",
                    "estimator": estimator,
                    "epsilon_over_fmax": ratio,
                    **correlation,
                    "mae": np.abs(n_star - first_hit)[is_test].mean(),
                    "n_test": int(is_test.sum()),
                }
            )
    return pd.DataFrame(rows), pd.DataFrame(fits)
