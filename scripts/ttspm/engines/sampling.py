"""Choosing the next token: temperature, then top-p, each row by a number of its own.

Rows do not see each other, so what a unit draws depends on its own seed and its own logits.
"""

from __future__ import annotations

import torch


def choose_tokens(
    logits: torch.Tensor, temperature: float, top_p: float, draws: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Sample one token for each row by inverting its distribution function.

    The function runs over the vocabulary in the order of token ids rather than of probabilities:
    two tokens that are all but equally likely then keep their places whatever the last bits say.

    Parameters
    ----------
    logits : Tensor, shape (rows, vocabulary)
        Of the model; taken to float32.
    temperature : float
        0 takes the most likely token.
    top_p : float
        See `nucleus`.
    draws : Tensor of float64, shape (rows,)
        Uniform in [0, 1), one for each row.

    Returns
    -------
    tokens : Tensor of int64, shape (rows,)
    logprobs : Tensor of float32, shape (rows,)
        Of these tokens under the model itself, before temperature and top-p, in nats.
    """
    logits = logits.float()
    if temperature == 0:
        tokens = logits.argmax(-1)
    else:
        probabilities = (logits / temperature).softmax(-1)
        kept = probabilities.masked_fill(~nucleus(probabilities, top_p), 0)
        cumulative = kept.double().cumsum(-1)
        total = cumulative[:, -1]
        # The first token at which the function exceeds the draw; never one with probability 0,
        # not even where the product rounds up to the total.
        reached = torch.minimum(draws * total, total.nextafter(torch.zeros_like(total)))
        tokens = torch.searchsorted(cumulative, reached[:, None], right=True)[:, 0]
    logprobs = logits.log_softmax(-1).gather(-1, tokens[:, None])[:, 0]
    return tokens, logprobs


def nucleus(probabilities: torch.Tensor, top_p: float) -> torch.Tensor:
    """The smallest set of most likely tokens whose probabilities sum to at least `top_p` [1]_.

    Parameters
    ----------
    probabilities : Tensor, shape (rows, vocabulary)
        Each row sums to 1.
    top_p : float
        In (0, 1]; 1 keeps every token.

    Returns
    -------
    Tensor of bool, shape (rows, vocabulary)
        True for the tokens kept; of equally likely ones, the lower ids first.

    References
    ----------
    .. [1] Holtzman et al., The Curious Case of Neural Text Degeneration, ICLR 2020, Sec. 3.1.
    """
    if top_p >= 1:
        return torch.ones_like(probabilities, dtype=torch.bool)
    ordered, order = probabilities.sort(dim=-1, descending=True, stable=True)
    ordered = ordered.double()
    before = ordered.cumsum(-1) - ordered
    return torch.zeros_like(probabilities, dtype=torch.bool).scatter(-1, order, before < top_p)
