"""A real SLURM cluster of several nodes on loopback, for one test: no systemd, no accounting.

Each node is a `slurmd` of its own name and port, with one GPU (a character device that is none).
Nothing outside the folder given is written, the system's own munge and SLURM are left alone, and
only processes started here are ended.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from checkout import wait_for

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel", "sinfo")

CONFIGURATION = """\
ClusterName=ttspm
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={port}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=0
SlurmdParameters=config_overrides
PropagateResourceLimits=NONE
ReturnToService=2
SlurmdTimeout=8
KillWait=2
MinJobAge=3600
GresTypes=gpu
NodeName={nodes} NodeHostname=localhost NodeAddr=127.0.0.1 Port={ports} CPUs=8 RealMemory=64000 \
Gres=gpu:1 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=1-00:00:00 State=UP
"""


def why_not() -> str | None:
    """Why no cluster can be started here, or None."""
    missing = [program for program in PROGRAMS if shutil.which(program, path=_path()) is None]
    if missing:
        return (
            f"SLURM is not installed ({', '.join(missing)} missing); on Debian: apt-get install"
            " slurmctld slurmd slurm-client munge"
        )
    return None if os.getuid() == 0 else "only root can start a SLURM cluster"


class Cluster:
    """Nodes n1, n2, ...; as a context, up while it lasts."""

    def __init__(self, folder: Path, nodes: int = 2) -> None:
        self.folder = folder
        self.nodes = [f"n{number}" for number in range(1, nodes + 1)]

    def __enter__(self) -> Cluster:
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def environment(self) -> dict[str, str]:
        """What a shell on the cluster has set."""
        return {"SLURM_CONF": str(self.folder / "slurm.conf"), "PATH": f"{self.folder}:{_path()}"}

    def ask(self, *command: str) -> str:
        """Output of a SLURM command; empty where it fails."""
        done = subprocess.run(
            command,
            env={**os.environ, **self.environment()},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        return done.stdout if done.returncode == 0 else ""

    def jobs(self) -> list[dict[str, str]]:
        """Every job there ever was, oldest first: number, state, node, what it is and asked for."""
        keys = {"JobID": 12, "State": 12, "NodeList": 12, "tres-per-job": 20, "MinMemory": 12,
                "Comment": 200}  # fmt: skip
        width = ",".join(f"{key}:{size}" for key, size in keys.items())
        jobs = []
        for line in self.ask("squeue", "-h", "--states=all", "--sort=i", "-O", width).splitlines():
            job, start = {}, 0
            for key, size in keys.items():
                job[key] = line[start : start + size].strip()
                start += size
            jobs.append(job)
        return jobs

    def lose(self, node: str) -> None:
        """A node dies: its daemon, its jobs and their steps, at once and without a word."""
        running = {
            job["JobID"]
            for job in self.jobs()
            if job["NodeList"] == node and job["State"] == "RUNNING"
        }
        self._kill(f"slurmd.{node}", signal.SIGKILL)
        for belongs in (self._serves, self._works_for):  # who would report the end dies first
            for process in Path("/proc").iterdir():
                if process.name.isdigit() and belongs(process, running):
                    with suppress(ProcessLookupError):
                        os.kill(int(process.name), signal.SIGKILL)

    def bring_back(self, node: str) -> None:
        """The node starts again."""
        self._run("slurmd", "-N", node, "-c")

    def _start(self) -> None:
        self.folder.mkdir(mode=0o755)
        (self.folder / "state").mkdir()
        key = self.folder / "munge.key"
        key.write_bytes(secrets.token_bytes(1024))
        key.chmod(0o400)
        first = _free_ports(len(self.nodes) + 1)
        (self.folder / "slurm.conf").write_text(
            CONFIGURATION.format(
                folder=self.folder,
                port=first,
                nodes=f"n[1-{len(self.nodes)}]",
                ports=f"[{first + 1}-{first + len(self.nodes)}]",
            )
        )
        (self.folder / "cgroup.conf").write_text("CgroupAutomount=no\n")
        for index, node in enumerate(self.nodes):
            (self.folder / f"spool.{node}").mkdir()
            # SLURM sets CUDA_VISIBLE_DEVICES for character devices only: this one is /dev/null's.
            os.mknod(self.folder / f"nvidia{index}", 0o600 | 0o020000, os.makedev(1, 3))
        (self.folder / "gres.conf").write_text(
            "".join(
                f"NodeName={node} Name=gpu File={self.folder}/nvidia{index}\n"
                for index, node in enumerate(self.nodes)
            )
        )
        # Snakemake's step drops every SLURM_ variable, so that this srun must find the cluster.
        srun = self.folder / "srun"
        srun.write_text(
            f"#!/bin/sh\nexport SLURM_CONF={self.folder}/slurm.conf\n"
            f'exec {shutil.which("srun", path=_path())} "$@"\n'
        )
        srun.chmod(0o755)
        self._run("munged", "--force", f"--key-file={key}", f"--socket={self.folder}/munge.sock",
                  f"--pid-file={self.folder}/munged.pid", f"--log-file={self.folder}/munged.log",
                  f"--seed-file={self.folder}/munge.seed", "--num-threads=2")  # fmt: skip
        self._run("slurmctld", "-c")
        for node in self.nodes:
            self._run("slurmd", "-N", node, "-c")
        wait_for(self._all_idle, 60, f"the nodes; see {self.folder}/*.log")

    def _all_idle(self) -> bool:
        return self.ask("sinfo", "-h", "-N", "-t", "idle", "-o", "%N").split() == self.nodes

    def _stop(self) -> None:
        self.ask("scancel", "--full", "--signal=KILL", "--user=root")
        time.sleep(1)
        for name in (*(f"slurmd.{node}" for node in self.nodes), "slurmctld", "munged"):
            self._kill(name, signal.SIGTERM)

    def _run(self, *command: str) -> None:
        subprocess.run(
            command, env={**os.environ, **self.environment()}, check=True, timeout=60,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def _kill(self, name: str, how: int) -> None:
        """End a daemon, by the number it wrote down, and wait for it."""
        file = self.folder / f"{name}.pid"
        try:
            pid = int(file.read_text())
            os.kill(pid, how)
        except (FileNotFoundError, ValueError, ProcessLookupError):
            return
        wait_for(lambda: not _alive(pid), 20, f"the end of {name}")
        file.unlink(missing_ok=True)

    def _serves(self, process: Path, jobs: set[str]) -> bool:
        """Whether a process is SLURM's own beside a step of one of these jobs."""
        try:
            title = (process / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            return False
        found = re.match(r"slurmstepd: \[(\d+)\.", title)
        return bool(found and found[1] in jobs and self._mine(process))

    def _works_for(self, process: Path, jobs: set[str]) -> bool:
        """Whether a process is part of one of these jobs."""
        return self._mine(process) and any(
            f"SLURM_JOB_ID={job}".encode() in _environment(process) for job in jobs
        )

    def _mine(self, process: Path) -> bool:
        return f"SLURM_CONF={self.folder}/slurm.conf".encode() in _environment(process)


def _environment(process: Path) -> list[bytes]:
    try:
        return (process / "environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def _free_ports(count: int) -> int:
    """The first of so many neighbouring ports that nothing listens on."""
    for first in range(26817, 30000, count):
        try:
            for port in range(first, first + count):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return first
    raise AssertionError("no free ports")


def _path() -> str:
    return f"{os.environ['PATH']}{os.pathsep}/usr/sbin{os.pathsep}/sbin"
