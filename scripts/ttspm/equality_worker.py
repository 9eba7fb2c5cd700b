r"""Decides whether two answers are equal, by math-verify, in a process that may be killed.

Started by `ttspm.equality.EqualityPool`, which speaks to it in lines of JSON: out comes ``{"ready":
true}``, or ``{"error": "..."}``, when it has started; then ``[first, second]`` goes in and
``{"equal": true, "retire": false}`` comes out. It imports nothing of the package, so that it can be
run as a file in a fresh interpreter.

math-verify's own time limits stay off: they rest on SIGALRM, which works in a main thread only, and
which code in C (a power tower) never gets to see. The clock here counts this process's CPU time
and its signal ends the process, whatever it is doing.
"""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import os
import resource
import signal
import sys
from typing import Any


@functools.lru_cache(maxsize=2048)
def parsed(answer: str) -> list[Any]:
    r"""Math-verify's reading of ``\boxed{answer}``: an expression, and its text besides."""
    from math_verify import parse

    expressions: list[Any] = parse(rf"\boxed{{{answer}}}", parsing_timeout=None)
    return expressions


def equal(first: str, second: str) -> bool:
    """Whether math-verify takes either answer for the other.

    ``verify`` treats its two arguments differently (it shortens ``11 * 7 = 77`` to ``77`` in the
    answer, never in the gold); classes of answers need a relation that does not depend on which
    came first, so both ways are tried.
    """
    from math_verify import verify

    one, other = parsed(first), parsed(second)
    return bool(
        verify(one, other, timeout_seconds=None) or verify(other, one, timeout_seconds=None)
    )


def peak_memory() -> int:
    """Most memory this process has had, in bytes."""
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) * 1024
    except (OSError, StopIteration):  # not Linux
        # On Linux this one outlives exec, so it would be that of whoever started the worker.
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main(cpu_seconds: float, memory_bytes: int) -> None:
    """Answer questions on standard input until it closes.

    Parameters
    ----------
    cpu_seconds : float
        CPU time that one comparison may take; the process dies by SIGPROF beyond it.
    memory_bytes : int
        Address space of the process; beyond it an allocation fails.
    """
    # Whatever a parser prints must not end up between the answers.
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    logging.disable(logging.CRITICAL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then ends us
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    with contextlib.suppress(ValueError, OSError):  # a platform without this limit
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))

    def reply(message: dict[str, object]) -> None:
        replies.write(json.dumps(message) + "\n")
        replies.flush()

    try:
        equal("1", "2")  # imports math-verify before any clock runs
    except Exception as error:  # whatever it is, the parent is the one to tell it
        reply({"error": f"{type(error).__name__}: {error}"})
        return
    reply({"ready": True})

    for line in sys.stdin:
        first, second = json.loads(line)
        signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
        try:
            answer = equal(first, second)
        except MemoryError:
            os._exit(1)  # a fresh process, rather than one whose memory is nearly full
        except Exception:  # math-verify cannot compare them; RecursionError, for one
            answer = False
        signal.setitimer(signal.ITIMER_PROF, 0)
        # Caches keep what they have seen: a process that has grown is replaced, so that the memory
        # left to a comparison hardly depends on those before it.
        grown = peak_memory() > memory_bytes / 4
        reply({"equal": answer, "retire": grown})


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]))
