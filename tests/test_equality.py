from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ttspm import equality, equality_worker
from ttspm.equality import EqualityPool, Verdict, canonical_text, compare_without_math
from ttspm.errors import UserError

HUNG = "9^{9^{9^{9}}}"
SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"


@pytest.fixture(scope="module")
def pool() -> Iterator[EqualityPool]:
    with EqualityPool(workers=2, timeout_seconds=1.0) as pool:
        yield pool


@pytest.mark.parametrize(
    ("first", "second", "equal"),
    [
        ("0.5", r"\frac12", True),
        ("1/3", "0.333333", True),
        ("333333/1000000", "0.333333", True),
        ("1/3", "333333/1000000", False),
        (r"\frac{1}{\sqrt 2}", r"\sqrt{2}/2", True),
        ("x^2 - 1", "(x-1)(x+1)", True),
        ("11 * 7 = 77", "77", True),
        ("11 * 7 = 78", "77", False),
        ("x = 5", "5", True),
        # intervals, sets, tuples
        ("[1,2]", "[1,2]", True),
        ("[1,2]", "(1,2)", False),
        (r"(-\infty, 2) \cup (3, \infty)", r"(3,\infty) \cup (-\infty,2)", True),
        (r"x \in [-2, 7]", "[-2,7]", True),
        (r"-2 \le x \le 7", "[-2,7]", True),
        ("1,-2", r"\{-2, 1\}", True),
        ("(3,5)", "(5,3)", False),
        (r"1 \pm \sqrt{19}", r"1 + \sqrt{19}, 1 - \sqrt{19}", True),
        # percent, money, units, degrees
        (r"50\%", "0.5", True),
        (r"50\%", "50", True),
        (r"5.4 \text{ cents}", "5.4", True),
        (r"864 \mbox{ inches}^2", "864", True),
        ("90^\\circ", "90", True),
        (r"\$18.90", "18.9", True),
        (
            r"\begin{pmatrix} 1/5 \\ -18/5 \end{pmatrix}",
            r"\begin{pmatrix}0.2\\-3.6\end{pmatrix}",
            True,
        ),
        (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", r"\begin{pmatrix} 2 \\ 1 \end{pmatrix}", False),
        ("2x + 1", "2y + 1", False),
        ("{", "}", False),
    ],
)
def test_equality_both_ways(pool: EqualityPool, first: str, second: str, equal: bool) -> None:
    expected = Verdict.EQUAL if equal else Verdict.UNEQUAL
    assert pool.compare([(first, second), (second, first)]) == [expected, expected]


def test_a_hung_comparison_is_killed_while_the_others_finish() -> None:
    with EqualityPool(workers=2, timeout_seconds=0.5) as pool:
        pool.compare([("1/2", "0.5"), ("1/2", "0.6")])  # imports are not what is timed here
        started = time.monotonic()
        pairs = [(HUNG, "1"), *[(f"{i}/2", f"{i / 2}") for i in range(1, 9)], (HUNG, "2")]
        verdicts = pool.compare([*pairs, ("1/2", "0.5")])
        elapsed = time.monotonic() - started
    hung = [Verdict.TIMEOUT]
    assert verdicts == [*hung, *[Verdict.EQUAL] * 8, *hung, Verdict.EQUAL]
    assert (pool.comparisons, pool.timeouts, pool.failures) == (13, 2, 0)
    # Two limits by the wall clock, and two more starts, even where one core does everything.
    assert elapsed < 2 * 0.5 * equality.WALL_CLOCK_FACTOR + 10


def test_what_waits_without_computing_meets_the_wall_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sleeper = tmp_path / "sleeper.py"
    sleeper.write_text(
        'import time\nprint("{\\"ready\\": true}", flush=True)\ninput()\ntime.sleep(60)\n'
    )
    monkeypatch.setattr(equality_worker, "__file__", str(sleeper))
    started = time.monotonic()
    with EqualityPool(timeout_seconds=0.1) as pool:
        assert pool.compare([("a", "b"), ("c", "d")]) == [Verdict.TIMEOUT] * 2
    assert time.monotonic() - started < 20


@pytest.mark.parametrize(
    ("megabytes_taken", "verdict", "process_stays"),
    [(1, Verdict.EQUAL, True), (400, Verdict.EQUAL, False), (1500, Verdict.FAILED, False)],
)
def test_memory_is_bounded(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    megabytes_taken: int,
    verdict: Verdict,
    process_stays: bool,
) -> None:
    # The worker as it is, but for a comparison that takes memory.
    hungry = tmp_path / "hungry.py"
    hungry.write_text(
        "import runpy, sys\n"
        f"worker = runpy.run_path({equality_worker.__file__!r})\n"
        f"take = lambda first, second: first == '1' or bool(b'x' * ({megabytes_taken} << 20))\n"
        "worker['main'].__globals__['equal'] = take\n"
        "worker['main'](float(sys.argv[1]), int(sys.argv[2]))\n"
    )
    monkeypatch.setattr(equality_worker, "__file__", str(hungry))
    with EqualityPool(timeout_seconds=20, memory_bytes=1 << 30) as pool:
        assert pool.compare([("a", "b")]) == [verdict]
        assert (pool._workers[0]._process is not None) == process_stays
        assert pool.compare([("a", "b")]) == [verdict]


def test_a_worker_that_dies_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dying = tmp_path / "dying.py"
    dying.write_text('print("{\\"ready\\": true}", flush=True)\ninput()\nraise SystemExit(1)\n')
    with EqualityPool(timeout_seconds=1.0) as pool:
        with monkeypatch.context() as patch:
            patch.setattr(equality_worker, "__file__", str(dying))
            assert pool.compare([("1/2", "0.5")]) == [Verdict.FAILED]
        assert pool.compare([("1/2", "0.5")]) == [Verdict.EQUAL]
        assert pool.failures == 1


def test_no_process_is_left(pool: EqualityPool) -> None:
    with EqualityPool(workers=2) as other:
        other.compare([("1/2", "0.5"), ("1/3", "0.5")])
        processes = [worker._process for worker in other._workers if worker._process]
        assert processes
    assert all(process.poll() is not None for process in processes)


def test_comparing_in_a_thread(pool: EqualityPool) -> None:
    verdicts: list[Verdict] = []
    thread = threading.Thread(target=lambda: verdicts.extend(pool.compare([("1/2", "0.5")])))
    thread.start()
    thread.join()
    assert verdicts == [Verdict.EQUAL]


def test_a_script_without_a_main_guard_may_use_it() -> None:
    code = (
        "from ttspm.equality import EqualityPool\n"
        "with EqualityPool() as pool:\n"
        "    print(pool.compare([('1/2', '0.5')])[0].value)\n"
    )
    done = subprocess.run(
        [sys.executable, "-"], input=code, capture_output=True, text=True, cwd=SCRIPTS,
        env={"PYTHONPATH": str(SCRIPTS)}, timeout=120,
    )  # fmt: skip
    assert (done.stdout, done.returncode) == ("equal\n", 0), done.stderr


def test_a_worker_that_cannot_start_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def message() -> str:
        with EqualityPool() as pool, pytest.raises(UserError) as error:
            pool.compare([("1/2", "0.5")])
        assert "\n" not in str(error.value)
        return str(error.value)

    broken = tmp_path / "broken.py"
    broken.write_text("raise SystemExit(3)\n")
    with monkeypatch.context() as patch:
        patch.setattr(equality_worker, "__file__", str(broken))
        assert "exit code 3" in message()
    # An interpreter without the site packages has no math-verify.
    isolated = tmp_path / "isolated.py"
    worker = Path(equality_worker.__file__)
    isolated.write_text(
        f"import sys\nsys.path = [p for p in sys.path if 'site-packages' not in p]\n"
        f"exec(compile(open({str(worker)!r}).read(), 'worker', 'exec'))\n"
    )
    with monkeypatch.context() as patch:
        patch.setattr(equality_worker, "__file__", str(isolated))
        assert "No module named 'math_verify'" in message()
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    assert "no-python" in message()


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(UserError, match="at least 1"):
        EqualityPool(workers=0)
    with pytest.raises(UserError, match="above 0"):
        EqualityPool(timeout_seconds=0)


@pytest.mark.parametrize(
    ("answer", "canonical"),
    [
        (" $5$ ", "5"),
        (r"\( \dfrac{1}{2} \)", r"\frac{1}{2}"),
        (r"\text{Evelyn}", "Evelyn"),
        (r"\text{(C)}", "C"),
        ("**42**", "42"),
        ("2**3", "2**3"),
        (r"10,\!080", "10080"),
        ("58,500", "58500"),
        ("(1,234)", "(1,234)"),
        (r"11,\! 111,\! 111,\! 100", "11111111100"),
        (r"\left( 3, \frac{\pi}{2} \right)", r"( 3, \frac{\pi}{2} )"),
        (r"\leftarrow", r"\leftarrow"),
        (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}"),
        (r"\$18.90", r"\$18.90"),
        ("5.", "5"),
        (r"\,", r"\,"),
    ],
)
def test_canonical_text(answer: str, canonical: str) -> None:
    assert canonical_text(answer) == canonical


def test_plain_comparisons_need_no_worker() -> None:
    assert compare_without_math("007", "+7") is True
    assert compare_without_math("7", "8") is False
    assert compare_without_math("Evelyn", "evelyn") is True
    assert compare_without_math("east", "seat") is False
    assert compare_without_math("x", "X") is None
    assert compare_without_math("xy", "yx") is None
    assert compare_without_math("0.5", "1/2") is None


@settings(derandomize=True, deadline=None)
@given(st.text(alphabet="ab1,.$*\\!()[]{}~ ;:-", min_size=1, max_size=20).filter(str.strip))
def test_canonical_text_is_never_empty(answer: str) -> None:
    assert canonical_text(answer)
