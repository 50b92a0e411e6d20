"""The machine that workers run on: this one, or a board elsewhere (`boards/there.py`)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import msgspec

from profiler.host.chosen_cores import chosen
from profiler.host.counters import QuietStart, wait_until_quiet
from profiler.host.cpus import read_cpus
from profiler.host.kernel_files import HERE
from profiler.measure.around import Around, Watched
from profiler.measure.launch import Progress, Seen, now, run_worker
from profiler.measure.memory_limit import Way, limited_place
from profiler.measure.metering import Costs, idle
from profiler.measure.page_cache import Eviction, cached_share, evict
from profiler.measure.sustaining import wait_until_cool
from profiler.runfile import Anchor, Plan, Samples, Workload
from profiler.telemetry.protocol import Meter


class Ground(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker starts from: how long was waited for it, and what the page cache holds of its build."""

    cooled_s: float | None
    quiet: QuietStart | None
    eviction: Eviction | None
    cached_share: float | None


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    """One worker: what it saw, and what was read around it.

    `moment` stands for a start or an end that it did not tell.
    """

    seen: Seen
    watched: Watched
    moment: Anchor

    @property
    def started(self) -> Anchor:
        """When it started."""
        return self.seen.started or self.moment

    @property
    def ended(self) -> Anchor:
        """When it ended."""
        return self.seen.ended or self.moment


class Machine(Protocol):
    """Where a run is measured."""

    def now(self) -> Anchor:
        """This moment on both clocks of the machine."""

    def idle(self) -> dict[str, Samples] | None:
        """What its sensors say while nothing runs; None where there is nothing to read."""

    def cpus(self, word: str | None) -> list[int] | None:
        """The CPUs that this word for cores stands for; all that workers may use without one."""

    def settle(self, plan: Plan) -> QuietStart | None:
        """Wait until it is quiet, as long as the plan says."""

    def ground(self, plan: Plan, build: Path, cool_to: float | None) -> Ground:
        """Wait until it is cool and quiet, and send the build out of the page cache, as the plan says."""

    def visit(
        self, build: Path, order: dict[str, Any], workload: Workload, stall_s: float, on_progress: Progress
    ) -> Visit:
        """One worker from start to end. Ctrl-C is noted in what it saw."""

    def aside(self, order: dict[str, Any], workload: Workload, stall_s: float) -> Seen:
        """A worker that measures nothing. It has a folder for what it must write, which goes even if it is ended."""


class Here:
    """This machine. `meters` are read around every worker, `way` limits the memory of workers."""

    def __init__(
        self, meters: Sequence[Meter] = (), *, external_meter: bool = False, way: Way | None = None
    ) -> None:
        self._meters, self._external, self._way = meters, external_meter, way
        self._costs: Costs = {}

    def now(self) -> Anchor:
        """This moment."""
        return now()

    def idle(self) -> dict[str, Samples] | None:
        """An external meter's log needs the moments alone."""
        return idle(self._meters, external=self._external) if self._meters or self._external else None

    def cpus(self, word: str | None) -> list[int] | None:
        """Those of this process; None where the system binds nothing."""
        if not hasattr(os, "sched_getaffinity"):
            return None
        allowed = os.sched_getaffinity(0)
        return sorted(allowed) if word is None else chosen(word, read_cpus(HERE), allowed)

    def settle(self, plan: Plan) -> QuietStart | None:
        """By the kernel's counters."""
        return wait_until_quiet(give_up_s=plan.settle_s) if plan.settle_s else None

    def ground(self, plan: Plan, build: Path, cool_to: float | None) -> Ground:
        """Pages that lie in the cache already would not count against a limit of memory."""
        cooled_s = None if cool_to is None else wait_until_cool(cool_to)
        quiet = self.settle(plan)
        eviction = evict(build) if plan.cold or plan.memory_limit_bytes else None
        return Ground(cooled_s=cooled_s, quiet=quiet, eviction=eviction, cached_share=cached_share(build))

    def visit(
        self, build: Path, order: dict[str, Any], workload: Workload, stall_s: float, on_progress: Progress
    ) -> Visit:
        """Readings go on from before its start until after its end."""
        around, seen = Around(build, self._meters, self._costs), Seen()
        try:
            with closing(around), limited_place(self._way) as place:
                progress, last_phase = place.looking(on_progress), place.looking(around.at_last_phase)
                seen = run_worker(order, workload, stall_s, progress, last_phase, place.before)
                seen.limit = place.counted()
        except KeyboardInterrupt:
            seen.interrupted = True
        return Visit(seen=seen, watched=around.watched(), moment=now())

    def aside(self, order: dict[str, Any], workload: Workload, stall_s: float) -> Seen:
        """In the same limit of memory."""
        with TemporaryDirectory(prefix="edgeprof-") as scratch, limited_place(self._way) as place:
            return run_worker(order | {"scratch": scratch}, workload, stall_s, before=place.before)
