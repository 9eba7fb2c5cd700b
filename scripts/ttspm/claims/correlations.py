"""The correlations of Fig. 4 and the sentences of Sec. 4.4 about them."""

from __future__ import annotations

from functools import partial
from itertools import product

from ttspm.claims.claim import Claim
from ttspm.claims.decision import DIFFERS, Decision, below, hold, same_number
from ttspm.claims.evidence import N_TEST, PAPER_R, STRATEGIES, Evidence
from ttspm.claims.measured import difference, exactly, fisher
from ttspm.paper_table import MODELS, model_title
from ttspm.table1 import METHODS

SMALL, LARGE = MODELS
STRONG = 0.5  # Cohen's "large" correlation; the paper does not say what is strong
PRINTED_AS_ZERO = 0.0005  # below it, three decimals print as 0.000
SIGNIFICANT = 0.05


def same_correlation(evidence: Evidence, model: str, strategy: str) -> Decision:
    """Our in-sample r and the paper's, on 100 test problems, are as far apart as by chance."""
    reason = evidence.undefined(model, strategy)
    if reason:
        return Decision(DIFFERS, note=f"ours: {reason}")
    theirs = fisher(PAPER_R[model, strategy], N_TEST)
    return same_number(evidence.correlation(model, strategy), theirs)


def all_strong(evidence: Evidence) -> Decision:
    """Every in-sample r is 0.5 or more."""
    parts = {_series(m, s): evidence.correlation(m, s) for m, s in product(MODELS, STRATEGIES)}
    return hold(parts, above=STRONG, strict=False, decimals=3)


def stronger_in_parallel(evidence: Evidence) -> Decision:
    """For both models r is higher for parallel than for sequential scaling."""
    return hold(
        {
            model_title(m): difference(
                evidence.correlation(m, "parallel"), evidence.correlation(m, "sequential")
            )
            for m in MODELS
        },
        decimals=3,
    )


def highest_for_large_parallel(evidence: Evidence) -> Decision:
    """The r of 7B with parallel scaling is above the other three."""
    here = evidence.correlation(LARGE, "parallel")
    return hold(
        {
            _series(m, s): difference(here, evidence.correlation(m, s))
            for m, s in product(MODELS, STRATEGIES)
            if (m, s) != (LARGE, "parallel")
        },
        decimals=3,
    )


def predicts_unseen(evidence: Evidence) -> Decision:
    """With p_x and first hit from different samples, r is above 0 for both models."""
    return hold(
        {model_title(m): evidence.correlation(m, "parallel", "held-out") for m in MODELS},
        decimals=3,
    )


def small_p_values(evidence: Evidence, protocol: str, level: float) -> Decision:
    """The p-values of a protocol are below a level in all four panels."""
    parts = {}
    for model, strategy in product(MODELS, STRATEGIES):
        p = evidence.p_value(model, strategy, protocol)
        parts[_series(model, strategy)] = None if p is None else exactly(p)
    return below(parts, level)


def _series(model: str, strategy: str) -> str:
    return f"{model_title(model)} {METHODS[strategy]}"


FIGURE_4 = [
    *(
        Claim(
            f"{model_title(model)}, {strategy} scaling, MATH-500: Pearson's r of predicted and "
            "observed saturation points",
            "Fig. 4",
            partial(same_correlation, model=model, strategy=strategy),
            r,
        )
        for (model, strategy), r in PAPER_R.items()
    ),
    Claim(
        '"p=0.000" in all four panels: the largest p-value is below 0.0005',
        "Fig. 4",
        partial(small_p_values, protocol="paper", level=PRINTED_AS_ZERO),
    ),
]

VERIFICATION = [
    Claim(
        '"strong positive correlations observed in all different models and scaling strategies": '
        f"the smallest r is {STRONG} or more",
        "Sec. 4.4",
        all_strong,
    ),
    Claim(
        '"stronger correlation observed for parallel scaling": r of parallel minus sequential is '
        "above 0 for both models",
        "Sec. 4.4",
        stronger_in_parallel,
    ),
    Claim(
        '"the 7B model with parallel scaling shows the highest correlation": its r minus any other '
        "is above 0",
        "Sec. 4.4",
        highest_for_large_parallel,
    ),
    Claim(
        '"evidence for the predictive power": r is beyond what the procedure yields when all '
        "problems are alike (null-pooled), p below 0.05 in all four panels",
        "Sec. 4.4",
        partial(small_p_values, protocol="null-pooled", level=SIGNIFICANT),
    ),
    Claim(
        '"our theoretical model can effectively predict": parallel, with p_x and first hit from '
        "different samples (held-out), r is above 0 for both models",
        "Sec. 4.4",
        predicts_unseen,
    ),
]
