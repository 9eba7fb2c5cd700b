"""What a failed run says last: the one line that each failed job left in its log."""

from __future__ import annotations

from pathlib import Path


def errors_in_logs(folder: Path, since: float) -> list[str]:
    """Lines ``error: ...`` in the logs written since a time, each once, oldest log first.

    Parameters
    ----------
    folder : path
        Where the rules' logs are.
    since : float
        Seconds since the epoch.
    """
    recent = [(path.stat().st_mtime, path) for path in folder.rglob("*.log")]
    lines = (
        line
        for time, path in sorted(recent)
        if time >= since
        for line in path.read_text(errors="replace").splitlines()
        if line.startswith("error: ")
    )
    return list(dict.fromkeys(lines))
