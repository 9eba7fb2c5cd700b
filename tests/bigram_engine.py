"""An engine for tests: a bigram model over words. It is small, but it does generate.

The model is a folder with ``corpus.txt``; what word follows which is counted there and in the
prompt. A word is drawn with the request's seed and the temperature, a full stop ends the text. So a
unit depends on model, prompt, seed and sampling, and on nothing else; requests share a batch in
which the shorter texts finish first.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from ttspm.engines import Completion, Finished, Request, Settings

CORPUS = r"""
let us see . so the sum is \boxed{3} . no wait the sum is \boxed{4} . I think it is 5 so \boxed{5} .
the answer is \boxed{4} because two and two is four . let me see the answer again . it is so .
"""


def write_model(folder: Path, corpus: str = CORPUS) -> Path:
    """A model: a folder with what an engine needs, here a text."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "corpus.txt").write_text(corpus)
    return folder


def sample(corpus: str, request: Request, temperature: float, max_tokens: int) -> Completion:
    """The completion of one request."""
    rng = np.random.default_rng(request.seed)
    prompt = request.prompt.split()
    following: dict[str, Counter[str]] = defaultdict(Counter)
    for words in (corpus.split(), prompt):
        for before, after in pairwise(words):
            following[before][after] += 1
    everything = Counter(corpus.split())
    text: list[str] = []
    logprobs: list[float] = []
    while len(text) < max_tokens and (not text or text[-1] != "."):
        counts = following.get(text[-1] if text else prompt[-1]) or everything
        weights = np.array(list(counts.values()), dtype=float) ** (1 / temperature)
        chosen = int(rng.choice(len(weights), p=weights / weights.sum()))
        text.append(list(counts)[chosen])
        logprobs.append(float(np.log(weights[chosen] / weights.sum())))
    reason = "stop" if text[-1] == "." else "length"
    return Completion(" ".join(text), reason, len(prompt), len(text), float(np.mean(logprobs)))


def run(
    model: Path, settings: Settings, requests: Iterable[Request], finished: Finished
) -> dict[str, Any]:
    """Generate; see `ttspm.engines` for the contract."""
    corpus = (model / "corpus.txt").read_text()
    waiting = list(requests)
    running: list[tuple[Request, Completion, Iterator[int]]] = []
    while waiting or running:
        while waiting and len(running) < settings.batch:
            request = waiting.pop(0)
            made = sample(corpus, request, settings.temperature, settings.max_tokens)
            running.append((request, made, iter(range(made.completion_tokens))))
        still: list[tuple[Request, Completion, Iterator[int]]] = []
        for request, made, words in running:  # each gets one word further
            if next(words, None) is not None:
                still.append((request, made, words))
            elif (more := finished(request, made)) is not None:
                waiting.append(more)
        running = still
    return {"engine": "bigram 1"}
