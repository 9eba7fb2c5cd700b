"""Planning of units: what is used again, what is asked for, in which order.

The text comes from the bigram model of ``bigram_engine.py``, so that chains hand on real answers.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from bigram_engine import CORPUS, sample
from hypothesis import given, settings
from hypothesis import strategies as st

from ttspm.answers import final_answer
from ttspm.engines import Request
from ttspm.generation import CellDescription, KnownUnits, Plan, prompt_digest
from ttspm.journal import Unit
from ttspm.prompts import rethink_prompt
from ttspm.seeds import unit_seed

TEMPLATE = "{question} Put it into a box . so"
STRATEGIES = ("parallel", "sequential")


def cell_of(strategy: str, seed: int = 1) -> CellDescription:
    names = {"model": "bigram", "benchmark": "sums", "strategy": strategy}
    sampling = {"temperature": 1.0, "top_p": 1.0, "max_tokens": 12, "context": None}
    return CellDescription(names, seed, "0" * 64, "bigram", "float32", sampling)


def problems_of(count: int) -> list[dict]:
    return [
        {"problem_id": f"p/{n}", "question": f"what is 2 and {n}", "kind": "math", "choices": None}
        for n in range(count)
    ]


def plan_of(strategy, count, budget, known=None, template=TEMPLATE) -> tuple[Plan, list[Unit]]:
    """A plan, and the list in which it keeps what is finished."""
    kept: list[Unit] = []
    plan = Plan(
        problems_of(count), template, cell_of(strategy), budget, False, known or {}, kept.append
    )
    return plan, kept


def work_off(plan: Plan, order: int = 0) -> None:
    """Generate all that a plan asks for; `order` decides which request is done next."""
    waiting = plan.requests()
    while waiting:
        request = waiting.pop(order % len(waiting))
        following = plan.finished(request, sample(CORPUS, request, 1.0, 12))
        waiting += [following] if following else []


def by_key(units) -> KnownUnits:
    return {(unit.problem_id, unit.unit, unit.prompt_digest): unit for unit in units}


def finished_plan(strategy: str, count: int, budget: int) -> Plan:
    plan, _ = plan_of(strategy, count, budget)
    work_off(plan)
    return plan


def test_chains_of_the_model_do_hand_on_different_answers():
    """Else the tests below would say little about chains."""
    plan = finished_plan("sequential", 4, 8)
    assert any(len(digests) > 3 for digests in plan.prompts().values())


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_unit_is_asked_for_once_with_its_own_seed(strategy):
    plan, kept = plan_of(strategy, 3, 5)
    work_off(plan)
    assert sorted((unit.problem_id, unit.unit) for unit in kept) == [
        (f"p/{n}", unit) for n in range(3) for unit in range(1, 6)
    ]
    for unit in kept:
        name = ("bigram", "sums", strategy, unit.problem_id, unit.unit)
        assert unit.seed == unit_seed(1, *name)
    assert [(row["problem_id"], row["unit"]) for row in plan.rows()] == [
        (f"p/{n}", unit) for n in range(3) for unit in range(1, 6)
    ]


def test_samples_are_asked_for_unit_by_unit():
    plan, _ = plan_of("parallel", 3, 2)
    assert [(request.problem_id, request.unit) for request in plan.requests()] == [
        *((f"p/{n}", 1) for n in range(3)),
        *((f"p/{n}", 2) for n in range(3)),
    ]


def test_a_round_is_asked_with_the_answer_of_the_round_before():
    plan = finished_plan("sequential", 3, 6)
    first = {row["problem_id"]: TEMPLATE.format(**row) for row in problems_of(3)}
    for (problem_id, number), unit in plan.units.items():
        prompt = first[problem_id]
        if number > 1:
            before = plan.units[problem_id, number - 1].text
            prompt = rethink_prompt(prompt, final_answer(before, "math"))
        assert unit.prompt_digest == prompt_digest(prompt)


def usable(strategy: str, full: Plan, known: KnownUnits) -> set[tuple[str, int]]:
    """What can be used again, by its definition: with the right words, and of a chain no gap."""
    right = {key for key, unit in full.units.items() if known.get((*key, unit.prompt_digest))}
    if strategy == "parallel":
        return right
    return {
        (problem_id, unit)
        for problem_id, unit in right
        if all((problem_id, before) in right for before in range(1, unit))
    }


FULL = {strategy: finished_plan(strategy, 3, 5) for strategy in STRATEGIES}


@settings(max_examples=100, deadline=None, derandomize=True)
@given(data=st.data(), strategy=st.sampled_from(STRATEGIES), order=st.integers(0, 7))
def test_what_fits_is_used_again_and_only_the_rest_is_asked_for(data, strategy, order):
    full = FULL[strategy]
    state = st.sampled_from(["known", "unknown", "asked in other words", "known in both"])
    known: KnownUnits = {}
    for key, unit in full.units.items():
        chosen = data.draw(state, label=f"{key}")
        other = replace(unit, prompt_digest="another", text="another text")
        if chosen in ("known", "known in both"):
            known |= by_key([unit])
        if chosen in ("asked in other words", "known in both"):
            known |= by_key([other])
    expected = usable(strategy, full, known)

    plan, kept = plan_of(strategy, 3, 5, known)
    assert set(plan.units) == expected
    assert plan.reused == len(expected)
    asked = [(request.problem_id, request.unit) for request in plan.requests()]
    if strategy == "sequential":  # the first gap of each chain
        done = {p: sum(problem == p for problem, _ in expected) for p in plan.problems}
        assert sorted(asked) == sorted((p, n + 1) for p, n in done.items() if n < 5)
    work_off(plan, order)
    assert {(unit.problem_id, unit.unit) for unit in kept} == set(full.units) - expected
    assert len(kept) == plan.size - len(expected)
    assert plan.units == full.units
    assert plan.rows() == full.rows()
    assert plan.prompts() == full.prompts()


@settings(max_examples=40, deadline=None, derandomize=True)
@given(strategy=st.sampled_from(STRATEGIES), small=st.integers(1, 5), more=st.integers(0, 4))
def test_a_larger_budget_asks_only_for_the_new_units(strategy, small, more):
    first = finished_plan(strategy, 2, small)
    plan, kept = plan_of(strategy, 2, small + more, by_key(first.units.values()))
    work_off(plan)
    assert sorted((unit.problem_id, unit.unit) for unit in kept) == [
        (f"p/{n}", unit) for n in range(2) for unit in range(small + 1, small + more + 1)
    ]
    assert first.units.items() <= plan.units.items()
    assert plan.rows() == finished_plan(strategy, 2, small + more).rows()


def test_a_chain_is_used_up_to_the_round_whose_question_has_changed():
    """With another answer in round 2, round 3 answers a question that was never asked."""
    full = finished_plan("sequential", 1, 5)
    changed = replace(full.units["p/0", 2], text=r"it is \boxed{1234567} .")
    known = by_key([*full.units.values(), changed])
    plan, kept = plan_of("sequential", 1, 5, known)
    assert sorted(unit for _, unit in plan.units) == [1, 2]
    (request,) = plan.requests()
    assert request.unit == 3
    assert "<answer> 1234567 </answer>" in request.prompt
    work_off(plan)
    assert [unit.unit for unit in kept] == [3, 4, 5]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_units_for_the_old_words_are_kept_beside_those_for_the_new(strategy):
    first = finished_plan(strategy, 2, 3)
    other, kept = plan_of(strategy, 2, 3, by_key(first.units.values()), "{question} now")
    assert other.reused == 0
    work_off(other)
    again, _ = plan_of(strategy, 2, 3, by_key([*first.units.values(), *kept]))
    assert again.requests() == []
    assert again.units == first.units


def test_a_cells_digest_changes_with_whatever_changes_its_text():
    cell = cell_of("parallel")
    same = CellDescription(**dict(reversed(cell.__dict__.items())))
    assert same.digest() == cell.digest()
    changed = [
        replace(cell, seed=2),
        replace(cell, model_digest="1" * 64),
        replace(cell, engine="another"),
        replace(cell, dtype="bfloat16"),
        replace(cell, names=cell.names | {"strategy": "sequential"}),
        *(replace(cell, sampling=cell.sampling | {key: 7}) for key in cell.sampling),
    ]
    assert len({cell.digest(), *(other.digest() for other in changed)}) == 1 + len(changed)


def test_a_problem_with_choices_is_asked_with_them_in_their_stored_order():
    problem = {"problem_id": "c", "question": "which ?", "kind": "choice", "choices": ["x", "y"]}
    plan = Plan([problem], "{question} so", cell_of("parallel"), 1, False, {}, lambda unit: None)
    (request,) = plan.requests()
    assert isinstance(request, Request)
    assert request.prompt == "which ?\n\nA) x\nB) y so"
