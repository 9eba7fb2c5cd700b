"""A copy of this checkout in an empty folder, in which tests run Snakemake as a person would."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("Snakefile", "config.yaml", "rules", "scripts", "schemas", "resources", "envs", "configs",
         "slurm", "docs")  # fmt: skip

# The default run made small: one problem a level, few and short units.
SMALL = {
    "grid": {"budgets": [1, 2, 4]},
    "generation": {"max_tokens": 32},
    "benchmarks": {"arithmetic": {"source": {"type": "arithmetic", "problems_per_level": 1}}},
    "analysis": {"resamples": 200},
}


class Checkout:
    """A copy of the package and what its user types in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        for part in PARTS:
            source = ROOT / part
            if source.is_dir():
                ignore = shutil.ignore_patterns("__pycache__")
                shutil.copytree(source, folder / part, ignore=ignore)
            elif source.exists():
                shutil.copy2(source, folder / part)
        self.results = folder / "results"

    def configure(self, settings: dict[str, object], name: str = "small.yaml") -> str:
        """Write a configuration to be put over the default one."""
        (self.folder / name).write_text(yaml.safe_dump(settings))
        return name

    def command(self, *arguments: str) -> list[str]:
        """``snakemake`` with arguments, in this interpreter's environment."""
        return [sys.executable, "-m", "snakemake", *arguments]

    def start(self, *arguments: str, log: Path) -> subprocess.Popen[bytes]:
        """Start Snakemake in a process group of its own, its output in a file."""
        with open(log, "wb") as output:
            return subprocess.Popen(
                self.command(*arguments),
                cwd=self.folder,
                env=self.environment(),
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def environment(self) -> dict[str, str]:
        """As a person has it after activating the environment."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return {**os.environ, "PATH": path}

    def run(self, *arguments: str, succeeds: bool = True) -> str:
        """Run Snakemake to its end and return what it printed."""
        done = subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=1500,
        )
        assert (done.returncode == 0) == succeeds, done.stdout[-8000:]
        return done.stdout

    def scheduled(self, *arguments: str) -> set[str]:
        """Rules that a dry run would run."""
        lines = self.run("-n", *arguments).splitlines()
        return {
            line.split()[1].rstrip(":")
            for line in lines
            if line.startswith(("rule ", "localrule ", "checkpoint "))
        }

    def names(self) -> dict[str, str]:
        """Every name under results/ with the digest it stands for."""
        found = {}
        for path in sorted(self.results.rglob("*")):
            relative = path.relative_to(self.results)
            if path.is_symlink() and relative.parts[0] != "objects":
                target = path.resolve()
                found[relative.as_posix()] = target.parent.name + target.name
        return found


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """``kill -9`` on a process and everything it started."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wait_for(condition: object, seconds: float, what: str) -> None:
    """Wait until a condition holds, and fail where it does not in time."""
    assert callable(condition)
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.2)
