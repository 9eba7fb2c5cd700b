"""What the model is asked."""

from __future__ import annotations

from ttspm.prompts import first_prompt, rethink_prompt

TEMPLATE = "{question}\nPut your final answer within \\boxed{}."


def test_the_question_stands_where_the_template_says():
    asked = first_prompt(TEMPLATE, "What is {0} in \\frac{1}{2}?", None)
    assert asked == "What is {0} in \\frac{1}{2}?\nPut your final answer within \\boxed{}."


def test_choices_are_listed_in_their_stored_order():
    asked = first_prompt("{question} Answer:", "Which?", ["z", "a", "m"])
    assert asked == "Which?\n\nA) z\nB) a\nC) m Answer:"


def test_no_choices_and_none_are_the_same():
    assert first_prompt("{question}", "Why?", []) == first_prompt("{question}", "Why?", None)


def test_rethinking_hands_back_the_last_answer_alone():
    """The words of Multi-round Thinking, arXiv 2503.19855."""
    assert rethink_prompt("What is 1+1?", "3") == (
        "What is 1+1?\nThe assistant's previous answer is: <answer> 3 </answer>,"
        " and please re-answer."
    )


def test_without_an_answer_the_question_is_asked_again():
    assert rethink_prompt("What is 1+1?", None) == "What is 1+1?"
