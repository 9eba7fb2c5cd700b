"""The page docs/real_data.md, every number of which comes from the tables beside it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import pandas as pd

from ttspm.real_data.curves import SEQUENTIAL, SHOWN
from ttspm.real_data.names import BENCHMARK_TITLES, METHOD_TITLES, run_title

Tables = Mapping[str, pd.DataFrame]

PROTOCOLS = ("paper", "held-out", "null-order", "null-pooled")


def to_markdown(tables: Tables) -> str:
    """Write the page.

    Parameters
    ----------
    tables : mapping of str to pandas.DataFrame
        ``sources``, ``runs``, ``metrics``, ``fit``, ``curves`` and ``trends``, as committed in
        docs/real_data.

    Returns
    -------
    str
        Markdown; a function of the tables alone.
    """
    sections = [_introduction, _runs, _counts, _correlations, _rethinking]
    return "\n\n".join(section(tables) for section in sections) + "\n"


def _introduction(tables: Tables) -> str:
    sources = _table(
        ["table", "file", "rows", "what it is", "from", "sha256"],
        "llllll",
        [
            [row["tables"], f"`{row['file']}`", f"{row['rows']}", row["what"], row["origin"],
             f"`{row['sha256'][:16]}`"]
            for row in tables["sources"].to_dict("records")
        ],
    )  # fmt: skip
    return f"""\
<!-- Made by: python scripts/real_data_page.py DATA_DIR -->

# On real data

What the package says of samples that others drew from real models. Nothing was generated for this
page, and every number on it is in a table of [`real_data/`](real_data), computed by

    python scripts/real_data_page.py DATA_DIR

where `DATA_DIR` holds the files below. It runs the workflow with
[`configs/real_data.yaml`](../configs/real_data.yaml) in a scratch folder, and writes tables,
figures and this page. The files are not part of the package, and no question or answer is on this
page.

{sources}"""


def _runs(tables: Tables) -> str:
    runs, metrics = tables["runs"], tables["metrics"]
    parts = []
    for benchmark, of_benchmark in runs.groupby("benchmark", sort=True):
        largest = int(of_benchmark["units"].max())
        budgets = [n for n in (1, 8, 16) if n <= largest]
        rows = []
        for run in of_benchmark.to_dict("records"):
            mine = metrics[(metrics["model"] == run["model"]) & (metrics["benchmark"] == benchmark)]
            rows.append(
                [
                    run_title(run["model"]),
                    *(_estimate(mine, "acc", n) for n in budgets),
                    *(_estimate(mine, "hit", n) for n in budgets[1:]),
                    f"{100 * run['no_answer']:.1f}",
                    "" if pd.isna(run["tokens"]) else f"{run['tokens']:,.0f}",
                    f"{run['contradicted']}",
                    f"{run['regraded']}",
                    _percent(run["recorded_accuracy"]),
                ]
            )
        head = ["run", *(f"acc@{n}" for n in budgets), *(f"hit@{n}" for n in budgets[1:])]
        head += ["no answer", "tokens", "contradicted", "regraded", "recorded acc@1"]
        first = of_benchmark.iloc[0]
        title = BENCHMARK_TITLES.get(str(benchmark), str(benchmark))
        parts += [
            f"### {title}: {first['n_problems']} problems",
            _table(head, "l", rows),
        ]
    by_benchmark = "\n\n".join(parts)
    gains = _gains(metrics, "acc", runs)
    hits = _gains(metrics, "hit", runs)
    contradictory = runs[runs["contradicted"] > 0]
    untouched = runs[runs["contradicted"] == 0]
    return f"""\
## {len(runs)} runs: acc@N and hit@N

Percent, exact expectations over all subsets of N of a problem's samples, with 95 % intervals by
bootstrap over problems. acc is the majority vote, ties sharing the credit; `tokens` are per
sample, where they were recorded.

**Grades.** {len(contradictory)} of the {len(runs)} runs hold one answer to one problem graded both
right and wrong (`contradicted`: in how many problems), which the package refuses. So all runs are
graded anew by the recorded gold answer, with `equality: math-verify`. `regraded` counts the
samples whose grade that changes: {contradictory["regraded"].sum()} in the contradictory runs,
{untouched["regraded"].sum()} in the others. What was extracted need not be all that the first
grader saw, so neither grade is beyond doubt. `recorded acc@1` is by the file's grades.

**Truncation** was not recorded, so a share of truncated samples cannot be given; `no answer` is
the share, in percent, for which none was extracted. These count as wrong.

{by_benchmark}

From one sample to all of them the vote gains {_span(gains)} points (median {gains.median():.1f}),
hit@N {_span(hits)} (median {hits.median():.1f}). What hit@N promises, a vote does not deliver: it
would take a judge that recognises the right answer. On four choices hit@8 includes guessing, which
alone gives {100 * (1 - 0.75**8):.1f} %."""


def _counts(tables: Tables) -> str:
    metrics = tables["metrics"]
    of_counts = metrics[~metrics["model"].isin(tables["runs"]["model"])]
    budgets = sorted(of_counts["n"].unique())
    row = [_estimate(of_counts, "hit", n) for n in budgets]
    return f"""\
## MATH-500 from counts: hit@N up to 128

Qwen2.5-7B (base), {int(of_counts["n_problems"].iloc[0])} problems of which only the number of
correct samples among 128 is known: hit@N is exact, and there is no vote, no order and no first
hit.

{_table([f"hit@{n}" for n in budgets], "", [row])}

The base model comes to {row[-1].split()[0]} % with 128 samples, from {row[0].split()[0]} % with
one."""


def _correlations(tables: Tables) -> str:
    fit = tables["fit"]
    rows = []
    numbers: dict[str, list[float]] = {protocol: [] for protocol in PROTOCOLS}
    informative = 0
    ordered = fit.sort_values("benchmark", kind="stable")
    for (benchmark, model), of_run in ordered.groupby(["benchmark", "model"], sort=False):
        found = {row["protocol"]: row for row in of_run.to_dict("records")}
        cells = []
        for protocol in PROTOCOLS:
            row = found[protocol]
            r = pd.to_numeric(row["pearson_r"], errors="coerce")
            cells.append(_correlation(row))
            if pd.notna(r):
                numbers[protocol].append(float(r))
        held_out_low = found["held-out"]["r_low"]
        informative += bool(pd.notna(held_out_low) and held_out_low > 0)
        p_value = found["null-pooled"]["p_value"]
        rows.append(
            [
                BENCHMARK_TITLES.get(str(benchmark), str(benchmark)),
                run_title(str(model)),
                f"{int(found['paper']['n_test'])}",
                *cells,
                "" if pd.isna(p_value) else f"{p_value:.3f}",
            ]
        )
    medians = {protocol: pd.Series(r).median() for protocol, r in numbers.items()}
    undefined = len(rows) - len(numbers["held-out"])
    head = ["benchmark", "run", "test problems", *PROTOCOLS, "p (pooled)"]
    return f"""\
## Fig. 4 on real samples: what r is

`paper` is the published procedure: p_x and first hit from the same samples, epsilon/F_max fitted
on 80 % of the problems, Pearson's r on the rest. `held-out` takes them from different halves of
the samples. `null-order` puts the samples of each problem in random order; `null-pooled` deals all
samples of a run anew, so that there is nothing to predict: median and 95 % of 200 draws, and the
share of draws that reach the `paper` r. [saturation.md](saturation.md) says what each can show.

![r by protocol and run](real_data/correlations.png)

*Lines are 95 % intervals, of the null 95 % of its draws; no mark where r is undefined.*

{_table(head, "ll", rows)}

* The published procedure gives an r in {len(numbers["paper"])} of {len(rows)} runs, with a median
  of {medians["paper"]:.2f}: values like the paper's 0.743 and 0.802 are ordinary, for models and
  benchmarks that have little else in common.
* Held out, the median is {medians["held-out"]:.2f} in the {len(numbers["held-out"])} runs that
  have an r (in {undefined} one side is constant), and the interval is above 0 in {informative}.
  What the first half of the samples says of the second half's first hit is little here: most first
  hits are 1, and 8 or 16 samples cut in halves leave few values.
* Random order gives a median of {medians["null-order"]:.2f}: the counts alone make the published
  r. With nothing to predict at all it is still {medians["null-pooled"]:.2f}.
* With {int(fit["n_test"].min())} test problems (OTIS Mock AIME) no r should be computed; the
  intervals say so."""


def _rethinking(tables: Tables) -> str:
    curves, trends = tables["curves"], tables["trends"]
    chains = trends[trends["method"] == SEQUENTIAL]
    rows = [
        [
            BENCHMARK_TITLES.get(row["benchmark"], row["benchmark"]),
            f"{row['n_problems']}",
            _percent(row["first"]),
            _percent(row["later"]),
            f"{_percent(row['lowest'])} to {_percent(row['highest'])}",
            _percent(row["spread"]),
            _percent(row["binomial_error"]),
            f"{row['rank_correlation']:.2f}",
            f"{row['neighbours']:.2f}",
        ]
        for row in chains.to_dict("records")
    ]
    head = ["benchmark", "problems", "round 1", "mean of rounds 2 to 64", "range", "spread",
            "error of one run", "rank correlation", "neighbours"]  # fmt: skip
    limit = chains["chance_limit"].iloc[0]
    n_later = int(chains["n_max"].max()) - 1
    beyond = int((chains["rank_correlation"].abs() > limit).sum())
    rises = 100 * (chains["later"] - chains["first"])
    ratio = rises / (100 * chains["binomial_error"])
    steps = []
    for benchmark, of_benchmark in curves.groupby("benchmark", sort=False):
        for method in METHOD_TITLES:
            of_method = of_benchmark[of_benchmark["method"] == method]
            mine = {row["n"]: row for row in of_method.to_dict("records")}
            steps.append(
                [
                    BENCHMARK_TITLES.get(str(benchmark), str(benchmark)),
                    METHOD_TITLES[method],
                    *(_percent(mine[n]["accuracy"]) for n in SHOWN),
                    f"{mine[SHOWN[-1]]['tokens']:,.0f}",
                ]
            )
    votes = trends[trends["method"] == "maj_vote"].set_index("benchmark")["later"]
    ahead = int((votes > chains.set_index("benchmark")["later"]).sum())
    dearer = curves[curves["n"] == SHOWN[-1]].pivot(
        index="benchmark", columns="method", values="tokens"
    )
    cost = dearer[SEQUENTIAL] / dearer["maj_vote"]
    return f"""\
## Does sequential rethinking have a trend? DeepSeek-R1-Distill-Qwen-7B to 64 rounds

OptScale recorded Multi-round Thinking, the method that the paper's sequential strategy is like,
for the paper's 7B model: the accuracy of each round alone, beside majority votes and best-of-N by
a process reward model. Only these accuracies and mean tokens are known, not the samples.

![accuracy against tokens](real_data/curves.png)

*Every round, and every N, from 1 to 64.*

Rounds of rethinking, in percent. `spread` is the standard deviation over rounds 2 to 64; `error of
one run` the standard error of a single round as a sample of problems; `rank correlation`
Spearman's, of accuracy with the round, from round 2; `neighbours` the correlation of a round's
accuracy with the next.

{_table(head, "l", rows)}

* **No trend after round 1.** In random order, {n_later} rounds have a rank correlation beyond
  ±{limit:.2f} in 5 % of the cases; {beyond} of the {len(chains)} benchmarks are beyond it, and the
  largest is {chains["rank_correlation"].abs().max():.2f}. Neighbouring rounds are not quite
  independent, so the true limit is a little wider.
* **The bouncing is large** where problems are few: {_bounce(chains, "AIME24")} on AIME 2024,
  {_bounce(chains, "AIME25")} on AIME 2025. Whoever reports one N of such a curve reports chance.
* **Round 1 is below the later rounds** on {int((rises > 0).sum())} of {len(chains)} benchmarks, by
  {rises.min():.1f} to {rises.max():.1f} points, which is {ratio.min():.1f} to {ratio.max():.1f}
  errors of one run. Rethinking once may help by so much; rethinking more adds nothing that is
  visible here.
* **At equal N, so at about equal tokens** ({cost.min():.2f} to {cost.max():.2f} times those of the
  vote at N = {SHOWN[-1]}), the majority vote is ahead on average over N >= 2 on {ahead} of
  {len(chains)} benchmarks, as the paper says.

Accuracy in percent at N, and mean tokens per problem at N = {SHOWN[-1]}:

{_table(["benchmark", "method", *(f"N={n}" for n in SHOWN), f"tokens at {SHOWN[-1]}"], "ll", steps)}

**What such aggregates cannot say.** Without the samples there is no interval over problems and no
pairing: whether the step after round 1 is real on any one benchmark, whether the same problems are
lost and won, hit@N of the chain, p_rethink and N\\* all need one row a unit. A vote's N-th value
holds all samples of the one before, so its smooth curve is one draw, not {SHOWN[-1]}
confirmations, and its rank correlations (in [`trends.csv`](real_data/trends.csv)) are no test. It
is one run of one model."""


def _bounce(chains: pd.DataFrame, benchmark: str) -> str:
    (row,) = chains[chains["benchmark"] == benchmark].to_dict("records")
    return f"{_percent(row['lowest'])} to {_percent(row['highest'])}"


def _gains(metrics: pd.DataFrame, metric: str, runs: pd.DataFrame) -> pd.Series:
    """Points from N = 1 to the largest N, one for each run."""
    mine = metrics[(metrics["metric"] == metric) & metrics["model"].isin(runs["model"])]
    by_run = mine.sort_values("n").groupby(["model", "benchmark"])["value"]
    return 100 * (by_run.last() - by_run.first())


def _span(values: pd.Series) -> str:
    return f"{values.min():.1f} to {values.max():.1f}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _estimate(metrics: pd.DataFrame, metric: str, n: int) -> str:
    found = metrics[(metrics["metric"] == metric) & (metrics["n"] == n)]
    if found.empty:
        return ""
    row = found.iloc[0]
    return f"{_percent(row['value'])} [{_percent(row['ci_low'])}, {_percent(row['ci_high'])}]"


def _correlation(row: Mapping[Hashable, Any]) -> str:
    r = pd.to_numeric(row["pearson_r"], errors="coerce")
    if pd.isna(r):
        return str(row["pearson_r"]).removeprefix("undefined (").removesuffix(")")
    if pd.isna(row["r_low"]):
        return f"{r:.2f}"
    return f"{r:.2f} [{row['r_low']:.2f}, {row['r_high']:.2f}]"


def _table(head: Sequence[str], left: str, rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; the first ``len(left)`` columns are aligned left."""
    rule = ["---"] * len(left) + ["---:"] * (len(head) - len(left))
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [head, rule, *rows])
