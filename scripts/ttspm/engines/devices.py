"""GPUs of a job: are there enough, and what is known of them."""

from __future__ import annotations

import subprocess
from typing import Any

from ttspm.engines import Settings
from ttspm.errors import UserError


def require_gpus(settings: Settings, seen: int) -> None:
    """Refuse a job that sees fewer GPUs than its model is to be spread over.

    One GPU is the default and needs none: without a GPU, the CPU generates.

    Raises
    ------
    UserError
        Naming both numbers.
    """
    if settings.gpus > max(seen, 1):
        raise UserError(
            f"models.{settings.name}.gpus: {settings.gpus}, but the job sees {seen}: ask for as"
            " many where it is scheduled (CUDA_VISIBLE_DEVICES says which it may use), or lower it"
        )


def gpu_facts(gpus: int) -> dict[str, Any]:
    """Number of GPUs and version of their driver, for the action record; nothing without a GPU."""
    if not gpus:
        return {}
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
        driver = told.stdout.split()[0]
    except (OSError, subprocess.SubprocessError, IndexError):
        driver = "unknown"  # a fact is missing; the generation is not
    return {"gpus": gpus, "driver": driver}
