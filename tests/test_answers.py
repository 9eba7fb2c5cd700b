from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ttspm.answers import boxed, extract, final_answer

CHOICES = ["10 m/s", "20 m/s", "30 m/s", "40 m/s"]


def documented_examples() -> list[tuple[str, str, str, str]]:
    """(kind, rule, example, answer) of every row of the tables in docs/grading.md."""
    page = (Path(__file__).resolve().parents[1] / "docs" / "grading.md").read_text()
    math_part, choice_part = page.split("For problems of kind `choice`")
    rows = []
    for kind, part in (("math", math_part), ("choice", choice_part)):
        for rule, example, answer in re.findall(
            r"^\| `(\w+)` \|[^\n]*\| `([^\n]+?)` \| `([^\n]+?)` \|$", part, re.MULTILINE
        ):
            rows.append((kind, rule, example, answer))
    return rows


def test_the_documentation_has_examples_of_every_rule() -> None:
    from ttspm.answers import MATH_FALLBACKS
    from ttspm.choice_letters import CHOICE_FALLBACKS

    documented = [(kind, rule) for kind, rule, _, _ in documented_examples()]
    assert list(dict.fromkeys(documented)) == [
        *(("math", rule) for rule in ["boxed", *MATH_FALLBACKS]),
        *(("choice", rule) for rule in ["boxed", *CHOICE_FALLBACKS]),
    ]


@pytest.mark.parametrize(("kind", "rule", "example", "answer"), documented_examples())
def test_documented_example(kind: str, rule: str, example: str, answer: str) -> None:
    assert extract(example, kind) == (answer, rule)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"\boxed 5", "5"),
        (r"\fbox{3}", "3"),
        (r"first \boxed{1}, then \boxed{2}", "2"),
        (r"\boxed{\boxed{7}}", "7"),
        (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
        (r"\boxed{\begin{pmatrix} 1 \\ 2 \end{pmatrix}}", r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}"),
        (r"The answer is \boxed{}, that is \boxed{...}. 3 + 4 = 7", "7"),
        (r"So, the answer is \boxed{}12.", "12"),
        (r"6 + 1 = 7. The answer is \boxed{", "7"),
        (r"6 + 1 = 7. The answer is \boxed{8", "7"),
        (r"\boxed{}: 2 + 4 = 6", "6"),
    ],
)
def test_boxes(text: str, answer: str) -> None:
    assert final_answer(text, "math") == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Your answer is correct. 11 * 7 = 78", "78"),
        ("11 * 7 = 78\n\nYour answer is correct and within the format.", "78"),
        ("The answer is:\n\\[ \\frac{3}{4} \\]", r"\frac{3}{4}"),
        ("the answer is (1, 2].", "(1, 2]"),
        ("(the answer is 5)", "5"),
        ("**Answer: 1,234 dollars**", "1,234"),
        ("The answer is $18 and not $20", "18"),
        ("The answer is $x = 3$.", "x = 3"),
        ("Answer: x^2 + 2x - 1.", "x^2 + 2x - 1"),
        (r"the answer is \textbf{13}.", r"\textbf{13}"),
        ("The answer is 5 a day", "5"),
        ("The answer is -3.5%.", "-3.5%"),
        ("The answer is 6 * 9", "9"),  # the question again: no phrase, so the last number
        ("8 - 5 = 2. So 2 = 1 + 1, you see", "2"),
        (r"5 + 7 &= 15\\ 15 &= 17 \end{align*}", "17"),
        ("#### 8\nTom has some apples.\n####", "8"),
        ("11", "11"),
        ("11.", "11"),
        ("It is 12.\n\n2. Then", "12"),
        ("It has 12 legs\n\n3.", "12"),
        ("This is a classic math problem.", None),
        ("", None),
    ],
)
def test_fallbacks(text: str, answer: str | None) -> None:
    assert final_answer(text, "math") == answer


@pytest.mark.parametrize(
    ("text", "thinking", "expected"),
    [
        (r"I try \boxed{1}.</think> So \boxed{2}.", True, ("2", "boxed")),
        (r"<think>\boxed{1}</think> \boxed{2}", False, ("2", "boxed")),
        (r"\boxed{1}</think> It is 2.", True, ("2", "last_number")),
        (r"I try \boxed{1}, and then", True, (None, "unfinished_thinking")),
        (r"<think> I try \boxed{1}, and then", False, (None, "unfinished_thinking")),
        (r"a</think> \boxed{1} <think> again", True, (None, "unfinished_thinking")),
        (r"a</think> \boxed{1} </think> \boxed{2}", True, ("2", "boxed")),
        (r"no thinking at all: \boxed{1}", False, ("1", "boxed")),
        ("It is 3.</think>", True, (None, "none")),
    ],
)
def test_thinking(text: str, thinking: bool, expected: tuple[str | None, str]) -> None:
    assert extract(text, "math", thinking=thinking) == expected


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        (r"\boxed{B}", "B"),
        (r"\boxed{b}", "B"),
        (r"\boxed{\mathrm{(D)}}", "D"),
        (r"\boxed{C) 30 m/s}", "C"),
        (r"\boxed{10\ \text{m/s}}", None),  # not written as the choice is
        (r"\boxed{\text{20 m/s}}", "B"),
        (r"\boxed{12}, so the answer is C", "C"),
        (r"\boxed{A, C}", None),
        (r"\boxed{B = 5 T}", None),
        (r"\boxed{E}", None),
        ("(B)", "B"),
        ("B)", "B"),
        ("**B**", "B"),
        ("B", "B"),
        ("40 m/s", "D"),
        ("The answer is 30 m/s.", "C"),
        ("**Answer: (C)**", "C"),
        ("Final answer:\n\n**D) 40 m/s**", "D"),
        ("Answer: A. Not B.", "A"),
        ("The correct option is $\\mathbf{C}$.", "C"),
        ("The answer is a combination of things", None),
        ("(A) is wrong and the speed must be (D).", "D"),
        ("The speed is 20.\nI choose B.", "B"),
        ("**B)** is what I take, for reasons of momentum.", "B"),
        ("A car needs a vitamin", None),
    ],
)
def test_choices(text: str, letter: str | None) -> None:
    assert final_answer(text, "choice", choices=CHOICES) == letter


def test_letters_are_those_of_the_choices() -> None:
    assert final_answer(r"\boxed{D}", "choice", choices=CHOICES[:3]) is None
    assert final_answer(r"\boxed{F}", "choice", choices=[str(i) for i in range(6)]) == "F"
    assert final_answer(r"\boxed{3}", "choice", choices=["3", "3", "4"]) is None


def test_first_boxed_has_no_fallbacks_and_reads_the_thinking() -> None:
    def first(text: str, kind: str = "math") -> str | None:
        return final_answer(text, kind, thinking=True, extraction="first_boxed")

    assert first(r"\boxed{1}</think> \boxed{2}") == "1"
    assert first(r"thinking \boxed{1} for ever") == "1"
    assert first("a</think> The answer is 5") is None
    assert first(r"a</think> \boxed{} \boxed{5}") is None
    assert first("a</think> The answer is B", "choice") is None


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ValueError, match="kind"):
        final_answer("5", "essay")
    with pytest.raises(ValueError, match="extraction"):
        final_answer("5", "math", extraction="middle")


balanced = st.recursive(
    st.text(alphabet="ax+1, ", min_size=1, max_size=4),
    lambda inner: st.lists(inner, min_size=1, max_size=3).map(
        lambda parts: "".join(r"\frac{" + part + "}" for part in parts)
    ),
    max_leaves=8,
)
prose = st.text(alphabet="ab {}\n.", max_size=12).filter(lambda text: "}" not in text)


@settings(derandomize=True, deadline=None)
@given(before=prose, contents=st.lists(balanced, min_size=1, max_size=4), after=prose)
def test_boxes_are_cut_at_their_own_brace(before: str, contents: list[str], after: str) -> None:
    text = (
        before.replace("{", "") + "".join(rf" \boxed{{{content}}}" for content in contents) + after
    )
    assert boxed(text) == [content.strip() for content in contents]


@settings(derandomize=True, deadline=None)
@given(
    text=st.text(alphabet="ab1.=-+ \n\\{}$*#(),%", max_size=60),
    kind=st.sampled_from(["math", "choice"]),
)
def test_any_text_is_read(text: str, kind: str) -> None:
    answer, rule = extract(text + r" answer is \frac", kind)
    assert (answer is None) == (rule in ("none", "unfinished_thinking"))
    assert answer is None or answer.strip()


@pytest.mark.parametrize("loop", [r"\boxed{", "the answer is (", "x = **(A) ", "answer: $ ", "1,"])
@pytest.mark.parametrize("kind", ["math", "choice"])
def test_a_model_caught_in_a_loop_is_read_in_good_time(loop: str, kind: str) -> None:
    started = time.process_time()
    extract(loop * (100_000 // len(loop)), kind)
    assert time.process_time() - started < 5
