"""The scenarios of the simulation study, as data: to add one, add an entry to `SCENARIOS`.

Nothing heavy is imported: Snakemake reads the names from here. What a scenario means as a random
process is in `ttspm.simulation.population`; its exact truth is in `ttspm.simulation.truth`.
"""

from __future__ import annotations

from dataclasses import dataclass

UNITS = 32  # the paper's largest budget
BUDGETS = (1, 4, 8, 16, 32)
SIZES = (30, 198, 500)  # problems: AIME, GPQA-Diamond, MATH-500


@dataclass(frozen=True)
class Point:
    """A share `weight` of the problems has exactly this chance `p` of success in a unit."""

    weight: float
    p: float


@dataclass(frozen=True)
class Beta:
    """A share `weight` of the problems has p drawn from a beta distribution."""

    weight: float
    a: float
    b: float


@dataclass(frozen=True)
class Scenario:
    """How problems, units and answers come about.

    Attributes
    ----------
    title : str
        For tables and figures.
    strategy : str
        ``parallel`` or ``sequential``.
    problems : tuple of Point or Beta
        The population that a benchmark's problems are drawn from; weights add to 1.
    wrong : tuple of float
        Shares of the wrong answers among the wrong units. What is missing to 1 has no answer.
    copies : float
        Parallel: chance that a unit gives the answer that the problem's units share, instead of
        one of its own. The units stay exchangeable; two of them correlate by ``copies ** 2``.
    repeats : float
        Sequential: chance that a round repeats the round before it.
    keeps : bool
        Sequential: a correct answer is never given up, as in the paper's Markov process (Eq. 5).
    """

    title: str
    strategy: str
    problems: tuple[Point | Beta, ...]
    wrong: tuple[float, ...] = (0.05,) * 20
    copies: float = 0.0
    repeats: float = 0.0
    keeps: bool = False


EQUAL = (Point(1.0, 0.5),)
# Mean 0.8 and most of the mass at the ends, as a strong small model has on MATH-500.
MATH = (Beta(1.0, 0.8, 0.2),)
# A third is out of reach whatever is spent; the mean is that of a small model on AIME, near 0.3.
HARD = (Point(0.3, 0.0), Beta(0.7, 0.5, 0.7))

ONE_DISTRACTOR = (0.8, *(0.02,) * 10)
FOUR_CHOICES = (1 / 3,) * 3
SOME_SILENT = (0.04,) * 20  # a fifth of the wrong units has no answer

SCENARIOS: dict[str, Scenario] = {
    "equal": Scenario("all p = 0.5", "parallel", EQUAL),
    "easy-hard": Scenario(
        "p = 0.15 or 0.9", "parallel", (Point(0.5, 0.15), Point(0.5, 0.9)), ONE_DISTRACTOR
    ),
    "uniform": Scenario("uniform p", "parallel", (Beta(1.0, 1.0, 1.0),)),
    "math": Scenario("MATH-like", "parallel", MATH),
    "math-distractor": Scenario("MATH-like, one distractor", "parallel", MATH, ONE_DISTRACTOR),
    "math-copies": Scenario("MATH-like, correlated units", "parallel", MATH, copies=0.5),
    "choices": Scenario(
        "four choices, 70 % guessed",
        "parallel",
        (Point(0.7, 0.25), Beta(0.3, 2.0, 1.0)),
        FOUR_CHOICES,
    ),
    "unsolvable": Scenario("30 % unsolvable", "parallel", HARD, SOME_SILENT),
    "chain-equal": Scenario("all p = 0.5", "sequential", EQUAL),
    "chain-keeps": Scenario("MATH-like, correct answers kept", "sequential", MATH, keeps=True),
    "chain-repeats": Scenario("MATH-like, rounds repeat", "sequential", MATH, repeats=0.7),
    "chain-unsolvable": Scenario("30 % unsolvable, rounds repeat", "sequential", HARD, repeats=0.7),
}
