"""The analysis as the course of a run asks it: the same for a real run and a simulated one."""

from __future__ import annotations

from collections.abc import Sequence

from profiler.analyse import stopping
from profiler.analyse.intrusion import spoiled
from profiler.analyse.study import cores
from profiler.measure.course import Judges
from profiler.runfile import Header, Run, Worker


def judges(header: Header) -> Judges:
    """What decides in a run with this header whether it is over and which rounds are measured again.

    A sustained worker is never measured again for others' sake: its disturbed windows are marked.
    """
    available = cores(header)
    return Judges(
        half_width=lambda workers: stopping.half_width(so_far(header, workers)),
        decided=lambda workers: stopping.decided(so_far(header, workers)),
        spoiled=lambda worker: not header.plan.sustained_s and spoiled(worker, available),
    )


def so_far(header: Header, workers: Sequence[Worker]) -> Run:
    """The run as its file would be read now."""
    return Run(header=header, workers=list(workers), events=[], sha256={})
