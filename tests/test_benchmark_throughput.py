"""The command that measures the pipeline's cost, at its smallest."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "scripts/benchmark_throughput.py"


@pytest.mark.model
def test_both_sides_of_a_ratio_make_the_same_tokens(tmp_path):
    sizes = ["--problems", "3", "--units", "3", "--max-tokens", "24", "--repeats", "1"]
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *sizes],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    made = dict(re.findall(r"^ *(.+): (\d+) tokens in", done.stdout, re.MULTILINE))
    assert made.keys() == {"bare", "rule", "lock step", "chains"}
    assert made["bare"] == made["rule"]
    assert made["lock step"] == made["chains"]
    for ratio in ("rule / bare", "chains / lock step"):
        assert re.search(rf"^{ratio}: \d\.\d+ ", done.stdout, re.MULTILINE)
