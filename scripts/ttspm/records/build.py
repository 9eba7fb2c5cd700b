"""The records of one group: samples checked, put in order, and their answers in classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa

from ttspm.equality import DEFAULT_TIMEOUT_SECONDS, EqualityPool, canonical_text
from ttspm.errors import UserError
from ttspm.grading import ProblemAnswers, answer_key, find_classes
from ttspm.records.samples import Sample
from ttspm.tables import RECORDS

EQUALITIES = ("recorded", "math-verify")

Problems = dict[str, list[Sample]]  # by problem id, each in the order of its units
Answered = tuple[str | None, int, bool]  # canonical answer, its class, whether it is correct


def build_records(
    samples: Sequence[Sample],
    strategy: str,
    *,
    equality: str = "recorded",
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    workers: int = 1,
) -> tuple[pa.Table, list[str]]:
    """Records of the samples of one model on one benchmark with one strategy.

    Parameters
    ----------
    samples : sequence of Sample
        In any order.
    strategy : {"parallel", "sequential"}
        A missing unit is a gap that is closed (parallel) or an error (sequential).
    equality : {"recorded", "math-verify"}
        ``recorded`` takes the grades as they are; answers are equal where their texts are, after
        `ttspm.equality.canonical_text`, and their grades too. ``math-verify`` compares the answers
        with each other and with the recorded gold answer anew, as this package's grading does.
    timeout_seconds, workers
        Of `ttspm.equality.EqualityPool`.

    Returns
    -------
    records : pyarrow.Table
        Schema `ttspm.tables.RECORDS`, sorted by problem and unit: equal samples in another order
        give an equal table.
    warnings : list of str
        What was uneven or left out, one line each.

    Raises
    ------
    UserError
        One line with file and row: a unit that is there twice, a missing round, an answer that is
        both right and wrong, a gold answer that is missing or ambiguous.
    """
    if equality not in EQUALITIES:
        raise UserError(f"equality '{equality}' is unknown; it is one of {', '.join(EQUALITIES)}")
    warnings: list[str] = []
    problems = _in_order(_graded_ones(samples, warnings), strategy, warnings)
    if samples[0].counted and equality != "recorded":
        raise UserError(f"{samples[0].where}: counts have no answers; use 'equality: recorded'")
    if equality == "recorded":
        answered = {problem_id: _as_recorded(units) for problem_id, units in problems.items()}
    else:
        answered = _graded_anew(problems, timeout_seconds, workers, warnings)
    rows = [
        {
            "problem_id": problem_id,
            "unit": sample.unit,
            "answer": answer,
            "answer_class": number,
            "correct": correct,
            "truncated": sample.truncated,
            "completion_tokens": sample.tokens,
        }
        for problem_id, units in problems.items()
        for sample, (answer, number, correct) in zip(units, answered[problem_id], strict=True)
    ]
    return pa.Table.from_pylist(rows, schema=RECORDS), warnings


# ---- units ---------------------------------------------------------------------------------------


def _graded_ones(samples: Sequence[Sample], warnings: list[str]) -> list[Sample]:
    graded = [sample for sample in samples if sample.correct is not None]
    if not graded:
        raise UserError(f"{samples[0].where}: not one sample of this group is graded")
    if len(graded) < len(samples):
        first = next(sample for sample in samples if sample.correct is None)
        warnings.append(
            f"{len(samples) - len(graded)} of {len(samples)} samples are not graded and left out,"
            f" the first: {first.where}"
        )
    return graded


def _in_order(samples: Sequence[Sample], strategy: str, warnings: list[str]) -> Problems:
    """Problems by id and their units from 1 on, without gaps; what is uneven is said."""
    problems: Problems = {}
    for sample in sorted(samples, key=lambda sample: (sample.problem_id, sample.unit)):
        units = problems.setdefault(sample.problem_id, [])
        if units and units[-1].unit == sample.unit:
            raise UserError(
                f"{sample.where}: problem '{sample.problem_id}' has unit {sample.unit} twice, also"
                f" in {units[-1].where}; each unit may occur once"
            )
        units.append(sample)
    gaps = [
        (sample, number)
        for units in problems.values()
        for number, sample in enumerate(units, start=1)
        if sample.unit != number
    ]
    if gaps:
        sample, number = gaps[0]
        missing = f"{sample.where}: problem '{sample.problem_id}' has no unit {number}"
        if strategy == "sequential":
            raise UserError(f"{missing} before unit {sample.unit}; a chain needs every round")
        affected = len({sample.problem_id for sample, _ in gaps})
        warnings.append(
            f"{missing}: its samples are taken in their order ({affected} such problems)"
        )
        problems = {
            problem_id: [replace(sample, unit=n) for n, sample in enumerate(units, start=1)]
            for problem_id, units in problems.items()
        }
    fewest, most = (pick(problems.values(), key=len) for pick in (min, max))
    if len(fewest) < len(most):
        warnings.append(
            f"{fewest[0].file}: numbers of units per problem differ, {len(fewest)} (problem"
            f" '{fewest[0].problem_id}') to {len(most)}: budgets go up to {len(fewest)}, and no"
            " missing unit counts as wrong"
        )
    return problems


# ---- answers -------------------------------------------------------------------------------------


def _as_recorded(units: Sequence[Sample]) -> list[Answered]:
    """Classes of the answers to one problem, by their text and their grade.

    Texts that are equal as written must be graded alike. Those that are equal only in canonical
    form are one class where they are, and two where they are not: the tool that graded them may
    ask for one form of the answer.
    """
    first_of: dict[str, Sample] = {}
    classes: dict[tuple[str, bool], int] = {}
    answered: list[Answered] = []
    for sample in units:
        correct = bool(sample.correct)
        text = None if sample.answer is None else " ".join(sample.answer.split())
        if not text:
            answered.append((None, -1, correct))
            continue
        first = first_of.setdefault(text, sample)
        if first.correct != sample.correct:
            raise UserError(
                f"{sample.where}: problem '{sample.problem_id}', answer '{_short(text)}' is"
                f" {_word(sample)} here and {_word(first)} in {first.where}; equal answers must be"
                " graded alike: mend the file, or set 'equality: math-verify' to grade by the gold"
            )
        canonical = canonical_text(text)
        number = classes.setdefault((canonical, correct), len(classes))
        answered.append((canonical, number, correct))
    return answered


def _graded_anew(
    problems: Problems, timeout_seconds: float, workers: int, warnings: list[str]
) -> dict[str, list[Answered]]:
    """Answers compared with each other and the gold answer by one equality, as in the grading."""
    compared: dict[str, ProblemAnswers] = {}
    keys: dict[str, list[str | None]] = {}
    for problem_id, units in problems.items():
        gold, kind = _gold(units)
        compared[problem_id] = ProblemAnswers(
            kind=kind,
            choices=None,
            gold=answer_key(gold, kind, "math-verify"),
            literal=kind == "choice",
        )
        keys[problem_id] = [
            None if sample.answer is None else answer_key(sample.answer, kind, "math-verify")
            for sample in units
        ]
        for key in keys[problem_id]:
            if key is not None:
                compared[problem_id].see(key)
    with EqualityPool(workers, timeout_seconds) as pool:
        find_classes(compared.values(), pool)
    answered: dict[str, list[Answered]] = {
        problem_id: [
            (None, -1, False) if key is None else compared[problem_id].grade(key)
            for key in keys[problem_id]
        ]
        for problem_id in problems
    }
    changed = [
        sample
        for problem_id, units in problems.items()
        for sample, (_, _, correct) in zip(units, answered[problem_id], strict=True)
        if sample.correct != correct
    ]
    if changed:
        warnings.append(
            f"{len(changed)} of {sum(map(len, problems.values()))} samples are graded otherwise"
            f" than in the file, the first: {changed[0].where} ({_word(changed[0])} there)"
        )
    return answered


def _gold(units: Sequence[Sample]) -> tuple[str, str]:
    """Gold answer of a problem and its kind: one letter stands for a choice."""
    first = units[0]
    for sample in units:
        if sample.gold is None:
            raise UserError(
                f"{sample.where}: 'gold' is missing; 'equality: math-verify' grades by it, use"
                " 'equality: recorded' to keep the grades of the file"
            )
        if sample.gold != first.gold:
            raise UserError(
                f"{sample.where}: problem '{sample.problem_id}' has the gold answer"
                f" '{_short(sample.gold)}' here and '{_short(first.gold or '')}' in {first.where};"
                " a problem has one"
            )
    gold = first.gold or ""
    letter = gold.strip(" ().")
    return gold, "choice" if len(letter) == 1 and letter.isalpha() else "math"


def _word(sample: Sample) -> str:
    return "correct" if sample.correct else "wrong"


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."
