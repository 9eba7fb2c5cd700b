"""Seeds: every random stream of a run is named, and its seed is a hash of its name."""

from __future__ import annotations

import hashlib
import json

import numpy as np


def unit_seed(
    run_seed: int, model: str, benchmark: str, strategy: str, problem_id: str, unit: int
) -> int:
    """Seed of one unit: a 63-bit hash of all that names it (DESIGN, section 7).

    It depends on neither batch, shard nor order, so a larger budget extends a smaller one, and no
    two units share a stream.

    Returns
    -------
    int
        In [0, 2**63), so that it fits a signed 64-bit column.
    """
    return _hash(["unit", run_seed, model, benchmark, strategy, problem_id, unit]) >> 1


def generator(run_seed: int, *name: str | int) -> np.random.Generator:
    """A generator of its own for each named use: a split, a bootstrap, a set of problems."""
    return np.random.default_rng(_hash(["generator", run_seed, *name]))


def _hash(name: list[str | int]) -> int:
    text = json.dumps(name, ensure_ascii=False)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
