"""GPUs of a job: are there enough, and what is known of them."""

from __future__ import annotations

import ctypes
import fcntl
import os
import subprocess
import tempfile
from pathlib import Path
from typing import IO, Any

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


def require_numa_library(library: str = "libnuma.so.1") -> None:
    """Refuse to generate where vLLM's CPU build would load without its kernels, and fail later.

    Raises
    ------
    UserError
        Saying what to install.
    """
    try:
        ctypes.CDLL(library)
    except OSError as error:
        raise UserError(
            f"vLLM on the CPU needs the library {library}, which this machine lacks; on Debian:"
            " sudo apt-get install libnuma1"
        ) from error


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


def visible_gpus() -> list[str]:
    """GPUs that this process may use, as CUDA names them."""
    told = os.environ.get("CUDA_VISIBLE_DEVICES")
    if told is not None:
        return [name for name in told.split(",") if name.strip()]
    try:
        listed = subprocess.run(
            ["nvidia-smi", "-L"], capture_output=True, text=True, timeout=60, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return []
    count = sum(line.startswith("GPU ") for line in listed.stdout.splitlines())
    return [str(index) for index in range(count)]


def claim_gpus(name: str, wanted: int) -> list[IO[str]]:
    """Take GPUs that no other job on this machine has, and hide the others from this process.

    A cluster shows a job its own GPUs alone; on one machine all jobs see all of them.

    Parameters
    ----------
    name : str
        The model's name in the configuration, for messages.
    wanted : int
        GPUs over which the model is spread.

    Returns
    -------
    list of file
        Locks, to be held while the GPUs are used; the operating system frees them with the process.

    Raises
    ------
    UserError
        If the job sees too few GPUs, or other jobs have them.
    """
    seen = visible_gpus()
    if len(seen) < wanted:
        raise UserError(
            f"models.{name}.gpus: {wanted}, but the job sees {len(seen)}: with resources.device:"
            " cuda a job needs that many; take cpu to generate without a GPU"
        )
    locks: dict[str, IO[str]] = {}
    for gpu in seen:
        if len(locks) < wanted and (lock := _lock(gpu)):
            locks[gpu] = lock
    if len(locks) < wanted:
        raise UserError(
            f"models.{name}.gpus: {wanted}, but other jobs have {len(seen) - len(locks)} of this"
            f" machine's {len(seen)} GPUs: wait for them, or set CUDA_VISIBLE_DEVICES"
        )
    os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(locks)
    return list(locks.values())


def _lock(gpu: str) -> IO[str] | None:
    job = os.environ.get("SLURM_JOB_ID", "here")  # each job of a cluster counts its GPUs from 0
    path = Path(tempfile.gettempdir()) / f"ttspm-gpu-{os.getuid()}-{job}-{gpu.replace('/', '_')}"
    handle = open(path, "w")  # noqa: SIM115 - held until the process ends
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.close()
        return None
    return handle
