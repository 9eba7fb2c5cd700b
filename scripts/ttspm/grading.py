"""Units into records: the answer of each, its equivalence class, and whether it is correct.

One equality decides both: the gold answer is the first representative of its problem, so an answer
is correct exactly if it falls into the class of the gold answer, and a majority vote over classes
can never split what the grading takes for equal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from ttspm.answers import EXTRACTIONS, Extraction, extract
from ttspm.equality import (
    DEFAULT_TIMEOUT_SECONDS,
    EqualityPool,
    Verdict,
    canonical_text,
    compare_without_math,
)
from ttspm.errors import UserError
from ttspm.tables import RECORDS

EQUALITIES = ("math-verify", "string")


def grade(
    units: pd.DataFrame,
    benchmark: pd.DataFrame,
    *,
    thinking: bool,
    equality: str = "math-verify",
    extraction: str = "last_boxed",
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    workers: int = 1,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    r"""Grade units against their benchmark.

    Parameters
    ----------
    units : DataFrame
        Columns of `ttspm.tables.UNITS`, rows in any order.
    benchmark : DataFrame
        Columns of `ttspm.tables.BENCHMARK`.
    thinking : bool
        Whether the chat template opened ``<think>``, so that texts start inside it.
    equality : {"math-verify", "string"}
        ``string`` compares answers as written, without surrounding blanks: the naive grading, kept
        to measure how much it loses.
    extraction : {"last_boxed", "first_boxed"}
        See `ttspm.answers.final_answer`.
    timeout_seconds : float
        CPU time that one comparison may take; past it the two answers count as unequal.
    workers : int
        Processes that compare; the records do not depend on their number.

    Returns
    -------
    records : DataFrame
        Columns of `ttspm.tables.RECORDS`, sorted by problem (in the benchmark's order) and unit.
        ``answer`` is the text of the representative of the class: the gold answer, or the first
        answer of its class. ``answer_class`` counts from 0 in order of first appearance.
    counts : dict
        What belongs beside the records, not in them: ``units``, ``unanswered``, ``truncated``,
        ``boxed`` and ``boxed_share``, ``rules`` (units by the rule that found their answer),
        ``comparisons``, ``timeouts`` and ``failures`` of the workers.

    Raises
    ------
    UserError
        If a unit's problem is not in the benchmark, a unit comes twice, a setting is unknown, or
        a worker cannot start.
    """
    if equality not in EQUALITIES:
        raise UserError(f"equality '{equality}' is unknown; it is one of {', '.join(EQUALITIES)}")
    if extraction not in EXTRACTIONS:
        raise UserError(
            f"extraction '{extraction}' is unknown; it is one of {', '.join(EXTRACTIONS)}"
        )
    units = _in_benchmark_order(units, benchmark)

    problems = {
        row["problem_id"]: ProblemAnswers(
            kind=row["kind"],
            choices=None if row["choices"] is None else list(row["choices"]),
            gold=answer_key(row["gold"], row["kind"], equality),
            literal=row["kind"] == "choice" or equality == "string",
        )
        for row in benchmark.to_dict("records")
    }
    extractions: list[Extraction] = []
    keys: list[str | None] = []
    for problem_id, text in zip(units["problem_id"], units["text"], strict=True):
        problem = problems[problem_id]
        found = extract(
            text,
            problem.kind,
            thinking=thinking,
            choices=problem.choices,
            extraction=extraction,
        )
        key = None if found.answer is None else answer_key(found.answer, problem.kind, equality)
        if key is not None:
            problem.see(key)
        extractions.append(found)
        keys.append(key)

    with EqualityPool(workers, timeout_seconds) as pool:
        find_classes(problems.values(), pool)

    graded = [
        (None, -1, False) if key is None else problems[problem_id].grade(key)
        for problem_id, key in zip(units["problem_id"], keys, strict=True)
    ]
    truncated = units["finish_reason"] == "length"
    records = pd.DataFrame(
        {
            "problem_id": units["problem_id"],
            "unit": units["unit"].astype("int32"),
            "answer": pd.Series([answer for answer, _, _ in graded], dtype=object),
            "answer_class": pd.Series([number for _, number, _ in graded], dtype="int32"),
            "correct": pd.Series([correct for _, _, correct in graded], dtype=bool),
            "truncated": truncated,
            "completion_tokens": units["completion_tokens"].astype("int32"),
        }
    )[RECORDS.names]

    rules = Counter(found.rule for found in extractions)
    counts = {
        "units": len(records),
        "unanswered": keys.count(None),
        "truncated": int(truncated.sum()),
        "boxed": rules["boxed"],
        "boxed_share": rules["boxed"] / len(records) if len(records) else 0.0,
        "rules": dict(sorted(rules.items())),
        "comparisons": pool.comparisons,
        "timeouts": pool.timeouts,
        "failures": pool.failures,
    }
    return records, counts


def _in_benchmark_order(units: pd.DataFrame, benchmark: pd.DataFrame) -> pd.DataFrame:
    """Units sorted by problem, in the benchmark's order, and unit."""
    position = {problem: at for at, problem in enumerate(benchmark["problem_id"])}
    for problem in units["problem_id"]:
        if problem not in position:
            raise UserError(
                f"units: problem '{problem}' is not in the benchmark; "
                "grade units with the benchmark they were generated from"
            )
    twice = units[units.duplicated(["problem_id", "unit"])]
    if len(twice):
        first = twice.iloc[0]
        raise UserError(
            f"units: problem '{first['problem_id']}' has unit {first['unit']} twice; "
            "a unit comes once"
        )
    order = pd.DataFrame({"at": units["problem_id"].map(position), "unit": units["unit"]})
    return units.loc[order.sort_values(["at", "unit"]).index].reset_index(drop=True)


def answer_key(answer: str, kind: str, equality: str) -> str:
    """Text under which an answer is compared and recorded.

    Parameters
    ----------
    answer : str
        As it was extracted.
    kind : {"math", "choice"}
        Kind of the problem.
    equality : {"math-verify", "string"}
        Of `grade`.
    """
    if kind == "choice":
        return answer.strip(" ().").upper()
    return canonical_text(answer) if equality == "math-verify" else answer.strip()


# ---- equivalence classes -------------------------------------------------------------------------


@dataclass
class ProblemAnswers:
    """Answers to one problem and the classes they fall into.

    Classes are counted from 0, the gold answer's, in the order in which they were opened.
    """

    kind: str
    choices: list[str] | None
    gold: str
    literal: bool  # answers are equal only where their texts are
    representatives: list[str] = field(default_factory=list)
    class_of: dict[str, int] = field(default_factory=dict)  # by text of the answer
    waiting: list[str] = field(default_factory=list)  # texts without a class, in order of units
    newest: int = 0  # class that the waiting are compared with next
    numbers: dict[int, int] = field(default_factory=dict)  # class -> number in order of units

    def __post_init__(self) -> None:
        self.open_class(self.gold)

    def see(self, answer: str) -> None:
        """Take in an answer; equal texts are one answer."""
        if answer in self.class_of or answer in self.waiting:
            return
        if self.literal:
            self.open_class(answer)
        else:
            self.waiting.append(answer)

    def open_class(self, answer: str) -> int:
        """Make `answer` the representative of a class of its own."""
        self.class_of[answer] = len(self.representatives)
        self.representatives.append(answer)
        return self.class_of[answer]

    def grade(self, answer: str) -> tuple[str, int, bool]:
        """Canonical text, number and correctness of an answer; call in the order of units."""
        index = self.class_of[answer]
        number = self.numbers.setdefault(index, len(self.numbers))
        return self.representatives[index], number, index == 0


def find_classes(problems: Iterable[ProblemAnswers], pool: EqualityPool) -> None:
    """Give every answer its class: the first opened whose representative it equals.

    Equality is not transitive (0.333333 equals both 1/3 and 333333/1000000, which differ), so the
    classes depend on the order of comparisons. It is fixed: the gold answer first, then the answers
    in order of their units. An answer's class is thus settled by the units up to it, and a larger
    budget never changes the classes of a smaller one.

    Comparisons of one round are independent of each other, over all problems, so that they can run
    on any number of workers: each answer still without a class is compared with the class opened
    last; what equals it joins, and the first that does not opens the next.
    """
    unsettled = [problem for problem in problems if problem.waiting]
    while unsettled:
        verdicts = _compare_round(unsettled, pool)
        for problem, outcomes in zip(unsettled, verdicts, strict=True):
            left = []
            for answer, verdict in zip(problem.waiting, outcomes, strict=True):
                if verdict is Verdict.EQUAL:
                    problem.class_of[answer] = problem.newest
                elif verdict is Verdict.UNEQUAL or problem.newest > 0:
                    left.append(answer)
                else:
                    # What cannot even be compared with the gold answer would use up the time limit
                    # with every other answer as well: it stays alone.
                    problem.open_class(answer)
            problem.waiting = left[1:]
            if left:
                problem.newest = problem.open_class(left[0])
        unsettled = [problem for problem in unsettled if problem.waiting]


def _compare_round(problems: list[ProblemAnswers], pool: EqualityPool) -> list[list[Verdict]]:
    """Verdicts of the waiting answers of each problem with its newest class."""
    known: dict[tuple[str, str], Verdict] = {}
    hard: dict[tuple[str, str], None] = {}  # ordered, and each pair once
    for problem in problems:
        representative = problem.representatives[problem.newest]
        for answer in problem.waiting:
            pair = (representative, answer)
            plain = compare_without_math(*pair)
            if plain is None:
                hard[pair] = None
            else:
                known[pair] = Verdict.EQUAL if plain else Verdict.UNEQUAL
    known.update(zip(hard, pool.compare(list(hard)), strict=True))
    return [
        [known[problem.representatives[problem.newest], answer] for answer in problem.waiting]
        for problem in problems
    ]
