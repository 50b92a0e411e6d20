"""Who is asked about engines and devices before a run: workers of this machine, or of a board."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import msgspec

from profiler.engines.table import ENGINES, default_engine
from profiler.environments.environments import python_of
from profiler.measure.launch import Seen, run_worker
from profiler.runfile import THIS, Workload

RunWorker = Callable[[dict[str, Any], Workload, float], Seen]
"""Runs a worker to its end: its order, its workload, and after how many seconds without progress it is given up."""


class Asking(msgspec.Struct, frozen=True, kw_only=True):
    """Where workers run that measure nothing. `board` is how OpenSSH reaches one, `platform` is as in `sys.platform`.

    `engine_for` tells the engine of a format of builds where the user names none, `lists` what to type for all targets.
    """

    run: RunWorker
    board: str | None = None
    platform: str = sys.platform
    engine_for: Callable[[str], str] = default_engine
    lists: str = "edgeprof devices this --targets lists all"

    def called(self, device: str) -> str:
        """For a sentence: the device, and the board that it is."""
        if self.board is None:
            return device
        return f"board {self.board}" + ("" if device == THIS else f" ({device})")


THIS_MACHINE = Asking(run=run_worker)


def is_here(engine: str) -> bool:
    """Whether this machine has an engine: its packages, or the environment that it runs in."""
    entry = ENGINES[engine]
    if entry.environment is not None:
        return python_of(entry.environment) is not None
    return all(find_spec(name) is not None for name in entry.libraries)
