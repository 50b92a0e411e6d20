"""A run in a process of its own, seen from outside: its workers, their buffers, and what is left when it has gone."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import psutil
import pytest

from profiler.runfile import Run, read
from tests.conftest import LIMIT_S, Outcome

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="this is what Linux does")
T = TypeVar("T")
BUFFERS = "/dev/shm/edgeprof-"


def until(found: Callable[[], T], limit_s: float = 30) -> T:
    """Wait for what is found to be true, or something at all, and return it; else fail."""
    end = time.monotonic() + limit_s
    while not (seen := found()):
        if time.monotonic() > end:
            pytest.fail("waited in vain")
        time.sleep(0.01)
    return seen


class RunInProcess:
    """`edgeprof run WORDS -o FILE`, started and not waited for."""

    def __init__(
        self,
        words: list[str | Path],
        file: Path,
        env: Mapping[str, str],
        *,
        before: Callable[[], None] | None = None,
        within: tuple[str, ...] = (),
    ) -> None:
        self.file = file
        command = [*within, sys.executable, "-m", "profiler", "run", *map(str, words), "--settle", "0s"]
        self.process = subprocess.Popen(
            command, env=env, cwd=file.parent, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, preexec_fn=before,  # noqa: PLW1509
        )  # fmt: skip
        self.parent = psutil.Process(self.process.pid)

    def lines(self) -> int:
        """Whole lines of the run file."""
        return self.file.read_bytes().count(b"\n") if self.file.exists() else 0

    def until_lines(self, count: int) -> None:
        """Wait for so many lines: the header is the first."""
        until(lambda: self.lines() >= count or self.process.poll() is not None)
        assert self.lines() >= count

    def worker(self, after: int = 1) -> psutil.Process:
        """The worker that measures once the file has `after` lines, when its stamps are mapped."""
        self.until_lines(after)
        return until(self._measuring)[0]

    def _measuring(self) -> list[psutil.Process]:
        return [child for child in self.parent.children() if is_worker(child) and buffers(child)]

    def tree(self) -> list[psutil.Process]:
        """The command and all its descendants."""
        return [self.parent, *self.parent.children(recursive=True)]

    def ending(self) -> Outcome:
        out, err = self.process.communicate(timeout=LIMIT_S)
        assert "Traceback" not in out + err
        return Outcome(self.process.returncode, out, err)

    def end(self) -> None:
        """Whatever a test left running."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate(timeout=LIMIT_S)


def is_worker(process: psutil.Process) -> bool:
    try:
        return process.cmdline()[-1].endswith("worker.py")
    except (psutil.Error, IndexError):
        return False


def buffers(process: psutil.Process) -> list[Path]:
    """The buffers of stamps that a worker has mapped."""
    try:
        lines = Path(f"/proc/{process.pid}/maps").read_text().splitlines()
    except OSError:
        return []
    return [Path(line.split(None, 5)[5]) for line in lines if BUFFERS in line]


def gone(process: psutil.Process) -> bool:
    """A zombie waits for whoever started it: it runs no more."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def all_gone(processes: list[psutil.Process]) -> None:
    """Wait until none of them runs."""
    until(lambda: all(map(gone, processes)))


def places(run: Run) -> list[tuple[int, int, str]]:
    """Where in the plan each worker stands."""
    return [(worker.round, worker.attempt, worker.case) for worker in run.workers]


def failures(run: Run) -> dict[tuple[int, str], str]:
    """Kind of failure by round and case."""
    return {(w.round, w.case): w.failure.kind for w in run.workers if w.failure is not None}


def complete(file: Path, before: bytes, cases: int, rounds: int) -> Run:
    """The run has gone on behind `before`: its plan is carried out, and nothing in it stands twice."""
    assert file.read_bytes().startswith(before)
    run = read(file)
    assert run.ended is not None
    assert run.ended.reason == "rounds"
    assert not run.torn
    assert len(set(places(run))) == len(run.workers)
    assert {(w.round, w.case) for w in run.workers} == {
        (n, f"r{k}") for n in range(rounds) for k in range(1, cases + 1)
    }
    assert run.sha256.keys() == {build.id for build in run.header.plan.builds}
    return run


def make_old(path: Path) -> None:
    """As if it had been written two minutes ago."""
    moment = time.time() - 120
    os.utime(path, (moment, moment))
