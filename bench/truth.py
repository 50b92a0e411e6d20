"""Which passes the hogs truly disturbed, by their own account, beside which passes edgeprof marked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from bench.hogs import Slice
from profiler.analyse.intrusion import FOREIGN_CPU, foreign_share, intruded
from profiler.analyse.study import cores
from profiler.runfile import Pass, Run, Worker, counted

LONG_S = 0.5
"""Every disturbed pass that is longer must be marked."""


class Truth(msgspec.Struct, frozen=True, kw_only=True):
    """One finished pass: its length, the hogs' share of all cores in it, what the kernel's counters say, the mark."""

    build: str
    round: int
    number: int
    took_s: float
    hogs_share: float
    foreign_share: float | None
    marked: bool

    @property
    def long(self) -> bool:
        """Whether it is so long that a disturbance must be marked."""
        return self.took_s > LONG_S

    @property
    def disturbed(self) -> bool:
        """Whether the hogs took more than others may."""
        return self.hogs_share > FOREIGN_CPU.limit


def span(worker: Worker, done: Pass) -> tuple[int, int]:
    """From when to when a pass ran, in nanoseconds on the wall clock."""
    last_ns = done.token_ns[-1] if done.token_ns else done.evaluated_ns or 0
    began_ns = worker.started.wall_ns + done.start_ns - worker.started.mono_ns
    return began_ns, began_ns + last_ns


def cpu_inside(slices: Iterable[Slice], began_ns: int, ended_ns: int) -> float:
    """The CPU time of the slices between two moments, each spread evenly over its length."""
    return sum(
        one.cpu_ns * overlap / (one.ended_ns - one.began_ns)
        for one in slices
        if (overlap := min(ended_ns, one.ended_ns) - max(began_ns, one.began_ns)) > 0
    )


def truths(run: Run, slices: Sequence[Slice]) -> list[Truth]:
    """Every finished pass of a run, counted or excluded, the warm-ups left out."""
    available = cores(run.header)
    builds = {case.id: case.build for case in run.header.plan.cases}
    return [
        _truth(builds[worker.case], worker, done, slices, available)
        for worker in run.workers
        for done in counted(worker.passes)
    ]


def _truth(build: str, worker: Worker, done: Pass, slices: Sequence[Slice], cores: int) -> Truth:
    began_ns, ended_ns = span(worker, done)
    return Truth(
        build=build,
        round=worker.round,
        number=done.number,
        took_s=(ended_ns - began_ns) / 1e9,
        hogs_share=cpu_inside(slices, began_ns, ended_ns) / (cores * (ended_ns - began_ns)),
        foreign_share=foreign_share(done.counters, cores),
        marked=intruded(done, cores),
    )
