"""What a failed run says last."""

from __future__ import annotations

import os
from pathlib import Path

from ttspm.logs import errors_in_logs


def test_each_error_of_this_run_is_told_once_and_in_order(tmp_path: Path) -> None:
    for name, text, time in [
        ("old", "error: of another run\n", 50),
        ("b/second", "2 units\nerror: second\nerror: first\n", 200),
        ("a/first", "error: first\nTraceback (most recent call last):\n", 100),
    ]:
        path = tmp_path / f"{name}.log"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        os.utime(path, (time, time))
    assert errors_in_logs(tmp_path, since=100) == ["error: first", "error: second"]
    assert errors_in_logs(tmp_path / "none", since=0) == []
