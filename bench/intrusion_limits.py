"""What each counter tells of slow passes, from run files: its shares, and what a limit on it would find and flag.

No pass is ever judged by its time. But to choose a limit one must know which counters move when passes are slow.
A pass is slow by its time over the median time of the passes around it (15 s, itself included), each over the
median of its case. What a limit flags among the other passes is its price.
"""

from __future__ import annotations

import argparse
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median

import msgspec

from profiler import runfile
from profiler.analyse.intrusion import FOREIGN_CPU, foreign_share
from profiler.analyse.study import cores
from profiler.runfile import Counters, Run, counted

AROUND_S = 15.0
SLOW = (1.2, 1.5, 2.0)
FOREIGN = "others' CPU"

Share = Callable[[Counters, int], float | None]


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One pass: how slow it was against those around it, and the share of each counter."""

    slowness: float
    shares: Mapping[str, float | None]


def _of_cores(name: str) -> Share:
    """The share of all cores' time."""
    read = operator.attrgetter(name)
    return lambda moved, cores: None if read(moved) is None else read(moved) / (cores * moved.wall_ns)


def _of_time(name: str) -> Share:
    """The share of the pass."""
    read = operator.attrgetter(name)
    return lambda moved, _: None if read(moved) is None else read(moved) / moved.wall_ns


def _count(name: str) -> Share:
    read = operator.attrgetter(name)
    return lambda moved, _: None if read(moved) is None else float(read(moved))


class Tried(msgspec.Struct, frozen=True):
    """What is read of a counter, the limits tried on it (a limit flags what exceeds it), and how both are shown."""

    share: Share
    limits: tuple[float, ...]
    form: str = "{:.1%}"


TRIED: dict[str, Tried] = {
    FOREIGN: Tried(foreign_share, (0.02, 0.03, 0.05, 0.08, 0.10)),
    "steal": Tried(_of_cores("steal_ns"), (0.0, 0.01, 0.02, 0.03, 0.05, 0.10)),
    "CPU pressure": Tried(_of_time("cpu_pressure_ns"), (0.05, 0.10, 0.20, 0.30, 0.50)),
    "memory pressure": Tried(_of_time("memory_pressure_ns"), (0.0, 0.01, 0.05, 0.10)),
    "I/O pressure": Tried(_of_time("io_pressure_ns"), (0.0, 0.01, 0.05, 0.10, 0.20)),
    "pages swapped in": Tried(_count("swapped_in_pages"), (0, 10, 100, 1000), "{:.0f}"),
    "pages swapped out": Tried(_count("swapped_out_pages"), (0, 10, 100, 1000), "{:.0f}"),
    "major faults": Tried(_count("major_faults"), (0, 10, 100), "{:.0f}"),
    "involuntary switches": Tried(_count("involuntary_switches"), (10, 30, 100, 300, 1000), "{:.0f}"),
}


def seen(run: Run) -> list[Seen]:
    """All finished passes of a run, in order of time."""
    available = cores(run.header)
    moments, moved = [], []
    for times in _by_case(run).values():
        usual = median(one.wall_ns for _, one in times)
        moments += [(at_s, one.wall_ns / usual) for at_s, one in times]
        moved += [one for _, one in times]
    return [
        Seen(slowness=slow, shares={name: tried.share(one, available) for name, tried in TRIED.items()})
        for slow, one in zip(slowness(moments), moved, strict=True)
    ]


def _by_case(run: Run) -> dict[str, list[tuple[float, Counters]]]:
    """When each pass of a case began on the stamps' clock, and how its counters moved."""
    found: dict[str, list[tuple[float, Counters]]] = {}
    for worker in run.workers:
        for done in counted(worker.passes):
            assert done.counters is not None
            found.setdefault(worker.case, []).append((done.start_ns / 1e9, done.counters))
    return found


def slowness(moments: Sequence[tuple[float, float]]) -> list[float]:
    """Of passes given as (second of the start, time) each time over the median of those around it."""
    return [
        took / median(other for at_s, other in moments if abs(at_s - began_s) <= AROUND_S / 2)
        for began_s, took in moments
    ]


def distribution(passes: Sequence[Seen]) -> list[str]:
    """Of each counter the middle and the upper end, on passes that are not slow and on those that are."""
    groups: dict[str, list[Seen]] = {f"not above {SLOW[0]}x": [p for p in passes if p.slowness <= SLOW[0]]}
    groups |= {f"above {least}x": [p for p in passes if p.slowness > least] for least in SLOW}
    lines = [
        "| Counter | Passes | n | median | p90 | p99 | largest |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name in TRIED:
        for group, members in groups.items():
            known = _known(members, name)
            lines.append(f"| {name} | {group} | {len(known)} | {' | '.join(_upper(name, known))} |")
    return lines


def _known(passes: Iterable[Seen], name: str) -> list[float]:
    return sorted(share for one in passes if (share := one.shares[name]) is not None)


def _upper(name: str, ordered: Sequence[float]) -> list[str]:
    """The middle, two upper percentiles and the largest."""
    if not ordered:
        return ["-"] * 4
    places = [min(len(ordered) - 1, int(q * len(ordered))) for q in (0.5, 0.9, 0.99, 1)]
    return [TRIED[name].form.format(ordered[place]) for place in places]


def limits(passes: Sequence[Seen]) -> list[str]:
    """Of each limit the slow passes it finds and the others it flags, alone and beside the limit on others' CPU."""
    heads = [f"finds >{least}x" for least in SLOW]
    heads.append("flags others")
    besides = [f"{head} besides" for head in heads]
    lines = [f"| Limit | {' | '.join(heads + besides)} |", "| --- |" + " ---: |" * 2 * len(heads)]
    left = [p for p in passes if not (p.shares[FOREIGN] or 0) > FOREIGN_CPU.limit]
    for name, tried in TRIED.items():
        for limit in tried.limits:
            cells = [*_found(passes, name, limit), *_found(left, name, limit)]
            lines.append(f"| {name} > {tried.form.format(limit)} | {' | '.join(cells)} |")
    return lines


def _found(passes: Sequence[Seen], name: str, limit: float) -> list[str]:
    groups = [[p for p in passes if p.slowness > least] for least in SLOW]
    groups.append([p for p in passes if p.slowness <= SLOW[0]])
    return [f"{sum((p.shares[name] or 0) > limit for p in group)} of {len(group)}" for group in groups]


def main() -> None:
    """Print both tables over all run files given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    passes = [one for path in parser.parse_args().runs for one in seen(runfile.read(path))]
    slow = ", ".join(f"{sum(p.slowness > least for p in passes)} above {least}x" for least in SLOW)
    print(f"{len(passes)} passes; of the passes within {AROUND_S:.0f} s around: {slow}\n")
    print("\n".join([*distribution(passes), "", *limits(passes)]))


if __name__ == "__main__":
    main()
