"""What the model is asked: the first time, and when it is asked to think again."""

from __future__ import annotations

from collections.abc import Sequence

from ttspm.benchmarks.prepare import LETTERS


def first_prompt(template: str, question: str, choices: Sequence[str] | None) -> str:
    """The user's turn of a parallel sample, and of the first round of a sequential chain.

    Parameters
    ----------
    template : str
        The benchmark's ``prompt``, in which ``{question}`` stands for the problem.
    question : str
        The problem's text.
    choices : sequence of str or None
        Listed after the question as ``A) ...``, in the stored order.
    """
    if choices is not None and len(choices):
        listed = "\n".join(
            f"{letter}) {text}" for letter, text in zip(LETTERS, choices, strict=False)
        )
        question = f"{question}\n\n{listed}"
    return template.replace("{question}", question)


def rethink_prompt(prompt: str, last_answer: str | None) -> str:
    """The user's turn of round 2 and later, as in Multi-round Thinking (arXiv 2503.19855).

    Only the last final answer is handed back, neither its thinking nor its derivation.
    A round that gave no answer (cut off, or nothing to be found) leaves nothing to hand back: the
    question is asked again as it was.

    Parameters
    ----------
    prompt : str
        What `first_prompt` gave.
    last_answer : str or None
        The final answer of the round before.
    """
    if last_answer is None:
        return prompt
    return (
        f"{prompt}\nThe assistant's previous answer is: <answer> {last_answer} </answer>,"
        " and please re-answer."
    )
