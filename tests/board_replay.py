"""A board whose kernel files are a tree, while its agent and its workers run on this machine.

As a script it stands before both: `board_replay.py agent ROOT` reads the agent as a board's Python does, and
`board_replay.py worker ROOT WORKER` is a worker. Both take the CPUs, the kernel files, the printed outputs and the
start of the clock from the tree.
"""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import re
import sys
import time
from pathlib import Path
from typing import Any

BOOT_ID = "proc/sys/kernel/random/boot_id"
STARTED = "replay/started_ns"
"""What this machine's clock showed when the board started; without it, the clocks are the same."""

BOUND = "replay/bound"
"""A line for each worker: the CPUs that it was bound to."""

MACHINE = "aarch64"


def cpus_of(root: Path) -> set[int]:
    """As its kernel allows them to every process."""
    status = (root / "proc/self/status").read_text()
    said = re.search(r"Cpus_allowed_list:\s*(\d+)-(\d+)", status)
    assert said, status
    return set(range(int(said[1]), int(said[2]) + 1))


def stand_in(root: Path) -> None:
    """This process is on that board: its CPUs, and its clock."""
    allowed, clock = cpus_of(root), time.perf_counter_ns
    started = root / STARTED
    zero = int(started.read_text()) if started.is_file() else 0

    def bind(_process: int, cpus: list[int]) -> None:
        nonlocal allowed
        allowed = set(cpus)
        with (root / BOUND).open("a") as file:
            file.write(json.dumps(sorted(cpus)) + "\n")

    vars(os).update(sched_getaffinity=lambda _: allowed, sched_setaffinity=bind)
    vars(time).update(perf_counter_ns=lambda: clock() - zero)
    vars(platform).update(machine=lambda: MACHINE)


def redirected(asked: dict[str, Any], root: Path) -> dict[str, Any]:
    """A request as it would be answered on that board: what programs print lies in the tree."""
    if asked["do"] == "texts":
        return asked | {
            "root": str(root),
            "patterns": [*asked["patterns"], *asked["programs"]],
            "programs": {},
        }
    if asked["do"] == "sample":
        return asked | {"root": str(root), "files": [*asked["files"], *asked["programs"]], "programs": {}}
    if asked["do"] == "work":
        return asked | {"command": [*asked["command"], __file__, "worker", str(root)]}
    return asked


def agent(root: Path) -> None:
    """Its source comes first, as on every board."""
    source = sys.stdin.buffer.read(int(sys.stdin.buffer.readline()))
    exec(compile(source, "agent", "exec"), {"__name__": "agent"})
    module = vars(sys.modules["profiler.boards.remote.agent"])
    answer = module["Agent"].answer
    module["Agent"].answer = lambda self, asked: answer(self, redirected(asked, root))
    vars(sys.modules["profiler.boards.remote.greeting"])["BOOT_ID"] = str(root / BOOT_ID)
    module["main"]()


def worker(root: Path, path: str) -> None:
    """Its processor is that of the tree."""
    spec = importlib.util.spec_from_file_location("worker", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.Processor.__init__.__defaults__ = (None, str(root))
    module.main()


if __name__ == "__main__":
    tree = Path(sys.argv[2])
    stand_in(tree)
    agent(tree) if sys.argv[1] == "agent" else worker(tree, sys.argv[3])
