"""From a source's rows to the benchmark table: columns named, choices shuffled once, checked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ttspm.errors import UserError
from ttspm.seeds import generator

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def prepare_benchmark(
    rows: list[dict[str, Any]], name: str, description: dict[str, Any], seed: int
) -> list[dict[str, object]]:
    """Rows of the benchmark table (`ttspm.tables.BENCHMARK`), in the source's order.

    Parameters
    ----------
    rows : list of dict
        As the source has them.
    name : str
        The benchmark's name, for messages and for the seed of each shuffle.
    description : dict
        ``columns``, ``kind`` and ``gold_after`` of the configuration.
    seed : int
        The run's seed. A problem's choices are shuffled by a seed of its own, once, here; letters
        never change between generation and grading.

    Raises
    ------
    UserError
        No rows, a missing column, an empty question, no gold answer, an id used twice.
    """
    columns = description["columns"]
    if not rows:
        raise UserError(f"benchmark {name}: it has no problems")
    if columns["distractors"] and description["kind"] != "choice":
        raise UserError(f"benchmark {name}: columns.distractors are choices: set kind: choice")
    seen: dict[str, int] = {}
    prepared = []
    for number, row in enumerate(rows, start=1):
        where = f"benchmark {name}: row {number}"
        problem_id = _problem_id(row, columns["problem_id"], number, where)
        if problem_id in seen:
            raise UserError(
                f"{where}: problem_id '{problem_id}' stands in row {seen[problem_id]} already;"
                " each problem needs an id of its own"
            )
        seen[problem_id] = number
        question = _cell(row, columns["question"], where, "question")
        gold = _gold(_cell(row, columns["gold"], where, "gold answer"), description, where)
        choices = None
        if columns["distractors"]:
            wrong = [_cell(row, column, where, "choice") for column in columns["distractors"]]
            choices, gold = _shuffle(
                gold, wrong, generator(seed, "choices", name, problem_id), where
            )
        elif description["kind"] == "choice":
            choices, gold = _given_choices(row, gold, where)
        prepared.append(
            {
                "problem_id": problem_id,
                "question": question,
                "gold": gold,
                "kind": description["kind"],
                "choices": choices,
            }
        )
    return prepared


def _problem_id(row: dict[str, Any], column: str | None, number: int, where: str) -> str:
    # Without a named column, one called problem_id serves; without that, rows are numbered.
    if column is None:
        column = "problem_id" if "problem_id" in row else None
    return _cell(row, column, where, "problem_id") if column else str(number)


def _cell(row: dict[str, Any], column: str, where: str, what: str) -> str:
    if column not in row:
        raise UserError(
            f"{where}: no column '{column}' for the {what}; there are: {', '.join(map(str, row))}"
        )
    value = row[column]
    # 70.0 in a JSON file is the answer 70, and a grader should not have to guess it.
    if isinstance(value, float | np.floating) and value.is_integer():
        value = int(value)
    # pandas has several ways to say that there is nothing.
    nothing = pd.api.types.is_scalar(value) and pd.isna(value)
    text = "" if nothing else str(value).strip()
    if not text:
        raise UserError(f"{where}: column '{column}' has no {what}")
    return text


def _gold(text: str, description: dict[str, Any], where: str) -> str:
    marker = description["gold_after"]
    if marker is None:
        return text
    if marker not in text:
        raise UserError(f"{where}: no gold answer: '{marker}' does not stand in its column")
    gold = text.rsplit(marker, 1)[1].strip()
    if not gold:
        raise UserError(f"{where}: no gold answer after '{marker}'")
    return gold


def _shuffle(gold: str, wrong: list[str], rng: Any, where: str) -> tuple[list[str], str]:
    options = [gold, *wrong]
    _check_choices(options, gold, where)
    order = rng.permutation(len(options))
    return [options[index] for index in order], LETTERS[int(list(order).index(0))]


def _check_choices(texts: list[str], gold: str, where: str) -> None:
    # Two equal wrong choices do no harm, and GPQA-Diamond has such a row.
    if texts.count(gold) > 1:
        raise UserError(f"{where}: the text of the gold answer stands twice among the choices")
    if len(texts) > len(LETTERS):
        raise UserError(f"{where}: {len(texts)} choices are more than there are letters")


def _given_choices(row: dict[str, Any], gold: str, where: str) -> tuple[list[str] | None, str]:
    """Choices that the source has in a list, with the gold as a letter or as a choice's text."""
    choices = row.get("choices")
    if choices is None:
        raise UserError(
            f"{where}: kind 'choice' needs columns.distractors, or a column 'choices' with a list"
        )
    if not isinstance(choices, list | tuple | np.ndarray):
        raise UserError(f"{where}: column 'choices' must be a list of texts")
    texts = [str(choice).strip() for choice in choices]
    letters = LETTERS[: len(texts)]
    if gold not in texts and len(gold) == 1 and gold.upper() in letters:
        gold = texts[letters.index(gold.upper())]
    _check_choices(texts, gold, where)
    if gold in texts:
        return texts, letters[texts.index(gold)]
    raise UserError(f"{where}: the gold answer '{gold}' is neither a letter nor one of the choices")
