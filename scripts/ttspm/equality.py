r"""Equality of answers: math-verify in worker processes that a hung comparison cannot block.

A comparison such as ``9^{9^{9^9}}`` against ``1`` runs for ever and takes what memory it can get.
It runs here in a process with a limit on CPU time, on wall-clock time and on memory; when it meets
one of them the process is killed, the comparison counts as unequal, and a new process takes over.

Are time limits deterministic? Nearly. Most comparisons take milliseconds, the others never end;
between the two lie few. The limit that decides is on the worker's own CPU time, which does not
grow when the machine is busy with something else; the wall clock stands a few times further out
and catches what waits without computing. A comparison of about the limit's length can still fall
on either side on another machine: every timeout is counted, so that a run without timeouts is known
to be reproducible, and a longer limit settles the others.
"""

from __future__ import annotations

import contextlib
import enum
import json
import os
import queue
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any

from ttspm import equality_worker
from ttspm.errors import UserError

DEFAULT_TIMEOUT_SECONDS = 5.0
DEFAULT_MEMORY_BYTES = 2 << 30
WALL_CLOCK_FACTOR = 4.0  # wall-clock limit in units of the limit on CPU time
START_SECONDS = 120.0  # importing sympy from a cold network disk is slow


class Verdict(enum.Enum):
    """Outcome of one comparison; only `EQUAL` makes two answers equal."""

    EQUAL = "equal"
    UNEQUAL = "unequal"
    TIMEOUT = "timeout"
    FAILED = "failed"  # the process died, mostly of its limit on memory


# ---- canonical text ---------------------------------------------------------------------------

# "\\" starts a new row of a matrix; what follows it is not a command's name.
_WRAPPER = re.compile(r"\\(?:text|textbf|textrm|mathrm|mathbf|mbox)\s*\{([^{}]*)\}")
_JOINING = re.compile(r"(?<!\\)\\[,!]\s*|(?<!\\)\\(?:left|right|displaystyle)(?![A-Za-z])")
_SPACING = re.compile(r"(?<!\\)\\(?:[;:> ]|q?quad(?![A-Za-z]))|~")
_DELIMITER = re.compile(r"(?<!\\)(?:\$|\\[()\[\]])")
_BOLD = re.compile(r"\*\*([^*]+)\*\*")
_THOUSANDS = re.compile(r"[-+]?\d{1,3}(?:,\d{3})+")
_INTEGER = re.compile(r"[-+]?\d{1,400}")
_WORDS = re.compile(r"[A-Za-z]{4,}(?: [A-Za-z]+)*")  # shorter ones may be products of variables


def canonical_text(answer: str) -> str:
    r"""Answer without what never changes its meaning.

    Removes dollars and other math delimiters, spacing commands, ``\left`` and ``\right``,
    emphasis, a final full stop, a ``\text{}`` around the whole, the brackets of a lone letter, and
    the commas of an integer in groups of three; writes ``\dfrac`` and ``\tfrac`` as ``\frac``.

    Parameters
    ----------
    answer : str
        Answer as it was extracted.

    Returns
    -------
    str
        Text that equal answers often share; the answer itself where nothing would be left.
    """
    text = _SPACING.sub(" ", _JOINING.sub("", _DELIMITER.sub("", answer)))
    text = re.sub(r"\\[dt]frac(?![A-Za-z])", r"\\frac", text)
    text = " ".join(text.split()).removesuffix(".").strip()
    wrapper = _WRAPPER.fullmatch(text) or _BOLD.fullmatch(text)
    if wrapper:
        text = wrapper.group(1).strip()
    if re.fullmatch(r"\([A-Za-z]\)", text):
        text = text[1]
    if _THOUSANDS.fullmatch(text):
        text = text.replace(",", "")
    return text or answer.strip()


def compare_without_math(first: str, second: str) -> bool | None:
    """Equality of two canonical texts where it is plain; None where it takes mathematics.

    Equal texts are equal, integers are compared as such, and words as words whatever their case:
    math-verify would read them as products of variables, and "east" as equal to "seat".
    """
    if first == second:
        return True
    if _INTEGER.fullmatch(first) and _INTEGER.fullmatch(second):
        return int(first) == int(second)
    if _WORDS.fullmatch(first) and _WORDS.fullmatch(second):
        return first.lower() == second.lower()
    return None


# ---- workers -----------------------------------------------------------------------------------


class EqualityPool:
    """Workers that compare answers by math-verify; used as a context manager.

    Plain subprocesses rather than a multiprocessing pool: a fresh interpreter inherits neither the
    caller's threads nor its accelerator context (as with ``spawn``), never imports the caller's
    main script again, and its hash seed can be fixed, so that SymPy orders terms alike in each.

    Parameters
    ----------
    workers : int
        Number of processes; they start when the first comparison needs them.
    timeout_seconds : float
        CPU time that one comparison may take; `WALL_CLOCK_FACTOR` times as much by the wall clock.
    memory_bytes : int
        Address space of one worker.

    Attributes
    ----------
    comparisons, timeouts, failures : int
        Comparisons given to workers so far, and how many of them ran out of time, or ended with
        the worker's death.
    """

    def __init__(
        self,
        workers: int = 1,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
        memory_bytes: int = DEFAULT_MEMORY_BYTES,
    ) -> None:
        if workers < 1:
            raise UserError(f"workers of the grading must be at least 1, not {workers}")
        if not timeout_seconds > 0:
            raise UserError(
                f"timeout_seconds of the grading must be above 0, not {timeout_seconds}"
            )
        self.comparisons = 0
        self.timeouts = 0
        self.failures = 0
        self._workers = [_Worker(timeout_seconds, memory_bytes) for _ in range(workers)]
        self._free: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
        for worker in self._workers:
            self._free.put(worker)

    def __enter__(self) -> EqualityPool:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for worker in self._workers:
            worker.kill()

    def compare(self, pairs: Sequence[tuple[str, str]]) -> list[Verdict]:
        """Compare pairs of answers.

        Parameters
        ----------
        pairs : sequence of (str, str)
            Answers, canonical or not.

        Returns
        -------
        list of Verdict
            One for each pair, in order; it depends neither on the number of workers nor on the
            order of the two answers in a pair.

        Raises
        ------
        UserError
            If a worker cannot start.
        """
        # The threads only wait for their processes; nothing is compared in them.
        with ThreadPoolExecutor(len(self._workers)) as threads:
            try:
                verdicts = list(threads.map(self._compare_one, pairs))
            except BaseException:
                # Ctrl-C, say: end the workers, or leaving would wait for all that is queued.
                threads.shutdown(wait=False, cancel_futures=True)
                for worker in self._workers:
                    worker.kill()
                raise
        self.comparisons += len(verdicts)
        self.timeouts += verdicts.count(Verdict.TIMEOUT)
        self.failures += verdicts.count(Verdict.FAILED)
        return verdicts

    def _compare_one(self, pair: tuple[str, str]) -> Verdict:
        worker = self._free.get()
        try:
            return worker.compare(*sorted(pair))
        finally:
            self._free.put(worker)


class _Worker:
    """One process, started when it is needed and again after it was killed."""

    def __init__(self, cpu_seconds: float, memory_bytes: int) -> None:
        self._cpu_seconds = cpu_seconds
        self._memory_bytes = memory_bytes
        self._process: subprocess.Popen[bytes] | None = None

    def compare(self, first: str, second: str) -> Verdict:
        process = self._process or self._start()
        try:
            reply = _ask(process, [first, second], WALL_CLOCK_FACTOR * self._cpu_seconds)
        except TimeoutError:
            self.kill()
            return Verdict.TIMEOUT
        except EOFError:
            out_of_time = process.wait() == -signal.SIGPROF
            self.kill()
            return Verdict.TIMEOUT if out_of_time else Verdict.FAILED
        if reply["retire"]:
            self.kill()
        return Verdict.EQUAL if reply["equal"] else Verdict.UNEQUAL

    def kill(self) -> None:
        """End the process, if there is one."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                # What was not yet written to a dead process raises on closing.
                with contextlib.suppress(OSError):
                    pipe.close()

    def _start(self) -> subprocess.Popen[bytes]:
        limits = [str(self._cpu_seconds), str(self._memory_bytes)]
        try:
            process = self._process = subprocess.Popen(
                # -P: the folder of the worker's file holds modules that are none of its business.
                [sys.executable, "-P", equality_worker.__file__, *limits],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "PYTHONHASHSEED": "0"},
            )
            reply = _read_line(process, START_SECONDS)
            problem = reply.get("error")
        except TimeoutError:
            problem = f"no sign of life within {START_SECONDS:.0f} s"
        except EOFError:
            problem = f"it ended at once with exit code {process.wait()}"
        except OSError as error:
            problem = str(error)
        if problem is not None:
            self.kill()
            raise UserError(f"the worker that compares answers cannot start: {problem}")
        return process


def _ask(process: subprocess.Popen[bytes], question: list[str], seconds: float) -> dict[str, Any]:
    """Put one question to a worker; EOFError if it dies over it, TimeoutError past `seconds`."""
    assert process.stdin is not None
    try:
        process.stdin.write(json.dumps(question).encode() + b"\n")
        process.stdin.flush()
    except BrokenPipeError:
        raise EOFError from None
    return _read_line(process, seconds)


def _read_line(process: subprocess.Popen[bytes], seconds: float) -> dict[str, Any]:
    assert process.stdout is not None
    deadline = time.monotonic() + seconds
    line = b""
    while not line.endswith(b"\n"):
        left = max(0.0, deadline - time.monotonic())
        if not select.select([process.stdout], [], [], left)[0]:
            raise TimeoutError
        # Past the buffer of the file object, of which select() knows nothing.
        received = os.read(process.stdout.fileno(), 65536)
        if not received:
            raise EOFError
        line += received
    message: dict[str, Any] = json.loads(line)
    return message
