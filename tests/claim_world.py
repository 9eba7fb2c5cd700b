"""A run in which every sentence of the paper holds, to be changed where one should fail."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product

import pandas as pd
from synthetic_frames import LARGE

from ttspm.claims.evidence import COLUMNS, PAPER_R, PROBLEMS, Evidence
from ttspm.claims.measured import fisher

SMALL_MODEL, LARGE_MODEL = LARGE["models"]
SHAPE = {1: 0.0, 4: 0.6, 8: 0.8, 32: 1.0}  # of a gain that shrinks with every unit


@dataclass
class World:
    """Values from which the tables of a run are made; each sentence is broken by changing one."""

    vanilla: dict = field(default_factory=dict)
    accuracy_gain: dict = field(default_factory=dict)
    hit_gain: dict = field(default_factory=dict)
    override: dict = field(default_factory=dict)
    at_once: dict = field(default_factory=dict)
    late: dict = field(default_factory=lambda: {"parallel": 2, "sequential": 3})
    r: dict = field(default_factory=lambda: dict(PAPER_R))
    held_out: float = 0.4
    p_value: float = 1e-9
    p_null: float = 0.005

    def metrics(self) -> pd.DataFrame:
        rows = []
        for (model, benchmark), base in self.vanilla.items():
            for strategy, n, metric in product(("parallel", "sequential"), SHAPE, ("acc", "hit")):
                gains = self.accuracy_gain if metric == "acc" else self.hit_gain
                percent = base + gains[model, benchmark, strategy] * SHAPE[n]
                percent = self.override.get((model, benchmark, strategy, n, metric), percent)
                rows.append(
                    {
                        "model": model,
                        "benchmark": benchmark,
                        "strategy": strategy,
                        "n": n,
                        "metric": metric,
                        "estimator": "prefix",
                        "value": percent / 100,
                        "ci_low": percent / 100 - 1e-5,
                        "ci_high": percent / 100 + 1e-5,
                        "n_problems": PROBLEMS[benchmark],
                    }
                )
        return pd.DataFrame(rows)

    def saturation(self) -> pd.DataFrame:
        rows = []
        for (model, benchmark, strategy), share in self.at_once.items():
            n_problems = PROBLEMS[benchmark]
            for i in range(n_problems):
                hit = 1 if i < share * n_problems else self.late[strategy]
                for _ in range(2 if strategy == "sequential" else 1):  # a row an estimator
                    rows.append((model, benchmark, strategy, f"p{i}", hit))
        return pd.DataFrame(rows, columns=COLUMNS["saturation"].split())

    def fit(self) -> pd.DataFrame:
        rows = []
        for (model, strategy), r in self.r.items():
            estimator = "c/n" if strategy == "parallel" else "k/n"
            for protocol, value, p in (
                ("paper", r, self.p_value),
                ("null-pooled", 0.1, self.p_null),
                ("held-out", self.held_out, 0.1),
            ):
                names, interval = (model, "math500", strategy, protocol), fisher(value, 100)
                rows.append((*names, estimator, value, interval.low, interval.high, p, 100))
            other = "1/k"  # must never be taken for the published estimator
            rows.append((model, "math500", strategy, "paper", other, -0.9, -1.0, -0.8, 0.9, 100))
        return pd.DataFrame(rows, columns=COLUMNS["fit"].split())

    def evidence(self) -> Evidence:
        differences = pd.DataFrame(columns=COLUMNS["differences"].split())
        return Evidence(self.metrics(), self.fit(), self.saturation(), differences)


def good_world() -> World:
    world = World()
    # vanilla, gain of accuracy by parallel and by sequential scaling, gain of hit by parallel
    numbers = {
        (SMALL_MODEL, "aime24"): (30.0, 23.3, 1.0, 30.0),
        (SMALL_MODEL, "aime25"): (23.3, 10.0, 2.0, 20.0),
        (SMALL_MODEL, "math500"): (74.2, 9.4, 5.0, 17.0),
        (SMALL_MODEL, "gpqa_diamond"): (21.3, 18.1, 10.0, 60.0),
        (LARGE_MODEL, "aime24"): (56.7, 20.0, 5.0, 25.0),
        (LARGE_MODEL, "aime25"): (40.0, 15.0, 5.0, 20.0),
        (LARGE_MODEL, "math500"): (82.0, 4.8, 3.0, 10.0),
        (LARGE_MODEL, "gpqa_diamond"): (41.9, 14.7, 10.0, 45.0),
    }
    shares = {"aime24": 0.8, "aime25": 0.7, "math500": 0.6, "gpqa_diamond": 0.4}
    for (model, benchmark), (vanilla, parallel, sequential, hit) in numbers.items():
        world.vanilla[model, benchmark] = vanilla
        world.accuracy_gain[model, benchmark, "parallel"] = parallel
        world.accuracy_gain[model, benchmark, "sequential"] = sequential
        world.hit_gain[model, benchmark, "parallel"] = hit
        world.hit_gain[model, benchmark, "sequential"] = sequential  # no answer is lost
        for strategy in ("parallel", "sequential"):
            world.at_once[model, benchmark, strategy] = shares[benchmark]
    world.at_once[SMALL_MODEL, "gpqa_diamond", "sequential"] = 0.2
    return world
