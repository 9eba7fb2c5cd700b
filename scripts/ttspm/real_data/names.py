"""Names of runs, benchmarks and methods as readers know them."""

from __future__ import annotations

import re

BENCHMARK_TITLES = {
    "gpqa_diamond": "GPQA-Diamond",
    "otis_mock_aime_2024_2025": "OTIS Mock AIME",
    "AIME24": "AIME 2024",
    "AIME25": "AIME 2025",
    "AMC23": "AMC 2023",
    "MATH500": "MATH-500",
}
METHOD_TITLES = {
    "mr_thinking": "sequential: accuracy of round N",
    "maj_vote": "parallel: majority vote of N",
    "best_of_n_prm": "best of N by a reward model",
}

_DEVELOPER = re.compile(r"^(sagemaker-)?(openai|anthropic|google|microsoft|Qwen)-")
_DATE = re.compile(r"-20\d\d-?\d\d-?\d\d")


def run_title(model: str) -> str:
    """A model's name without its developer and date; reasoning effort and limits stay.

    Examples
    --------
    >>> run_title("openai-o3-mini-2025-01-31-reasoning_effort-high")
    'o3-mini, reasoning_effort high'
    """
    short = _DATE.sub("", _DEVELOPER.sub("", model))
    return re.sub(r"-(reasoning_effort|max_tokens)-", r", \1 ", short)
