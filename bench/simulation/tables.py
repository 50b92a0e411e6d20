"""The figures of the simulation as Markdown; what lies outside of what edgeprof promises is bold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import product
from multiprocessing.pool import Pool
from statistics import fmean, median
from typing import TypeVar

from bench.simulation import recorded
from bench.simulation.figures import BLOCK, Cell, Looked, Outcome, first_seed, looked_on, one
from bench.simulation.machines import MACHINES, Machine
from bench.simulation.sessions import CHAT, TG
from bench.simulation.two_sessions import ROUNDS, SHIFT, judged_on
from profiler.measure.planning import CHECKPOINTS

T = TypeVar("T")

MOST_ALARMS = 0.06
COVERAGE = (0.93, 0.97)
LEAST_FOUND = 0.90
MAY_FIND_5 = ("calm", "fit", "storm", "laptop")
"""Machines on which the noise study finds a true 5% in at least 90% of sessions with one comparison."""

WORKLOADS = ((TG, "tg: one comparison"), (CHAT, "chat: two"))
DIFFERENCES = (1.03, 1.05)
FIXED_ROUNDS = (12, 20)
SHORTER_S = 300.0
CHUNK = 25


def each(pool: Pool, work: Callable[[int], T], sessions: int, *words: object) -> list[T]:
    """So many sessions, each with its own seed."""
    first = first_seed(*words)
    return pool.map(work, range(first, first + sessions), chunksize=CHUNK)


def outcomes(pool: Pool, cell: Cell, sessions: int) -> list[Outcome]:
    """So many sessions of one kind."""
    words = (cell.machine.name, cell.workload.id, cell.effect, cell.rounds, cell.max_time_s)
    return each(pool, partial(one, cell), sessions, *words)


def equal_builds(pool: Pool, sessions: int) -> str:
    """What is said of two builds that are the same."""
    head = [
        *("machine", "workload", "alarms", "says same", "ratio covered", "alone covered"),
        *("half-width", "rounds", "seconds"),
    ]
    rows = []
    for machine, (workload, name) in product(MACHINES, WORKLOADS):
        found = outcomes(pool, Cell(machine=machine, workload=workload), sessions)
        alone = share((held for o in found for held in o.alone), *COVERAGE)
        rows.append([machine.name, name, *_of_equal(found), alone, *_length(found)])
    return _section(f"Equal builds, {sessions} sessions each", head, rows)


def _of_equal(found: Sequence[Outcome]) -> list[str]:
    return [
        share((o.wrong for o in found), most=MOST_ALARMS),
        share(o.same for o in found),
        share((o.covered for o in found), *COVERAGE),
    ]


def _length(found: Sequence[Outcome]) -> list[str]:
    half_width = f"{100 * median(o.half_width for o in found):.1f}%"
    return [half_width, f"{fmean(o.rounds for o in found):.1f}", f"{fmean(o.seconds for o in found):.0f}"]


def true_differences(pool: Pool, sessions: int) -> str:
    """What is said of a build that takes 3% or 5% longer than the other, at defaults and in half the time."""
    head = [
        *("machine", "workload", "true", "found", "on all metrics", "wrong sign", "ratio covered"),
        *("half-width", "rounds", "seconds", "found in 5 minutes", "on all metrics", "seconds"),
    ]
    rows = []
    for machine, (workload, name), effect in product(MACHINES, WORKLOADS, DIFFERENCES):
        least = LEAST_FOUND if effect == max(DIFFERENCES) and machine.name in MAY_FIND_5 else 0.0
        cell = Cell(machine=machine, workload=workload, effect=effect)
        shorter = Cell(machine=machine, workload=workload, effect=effect, max_time_s=SHORTER_S)
        found, earlier = outcomes(pool, cell, sessions), outcomes(pool, shorter, sessions)
        wrong, covered = share((o.wrong for o in found), most=MOST_ALARMS), _of_equal(found)[-1]
        told = [*_found(found, least), wrong, covered, *_length(found), *_found(earlier)]
        rows.append([machine.name, name, f"{100 * effect - 100:.0f}%", *told, _length(earlier)[-1]])
    return _section(f"A true difference, {sessions} sessions each", head, rows)


def _found(found: Sequence[Outcome], least: float = 0.0) -> list[str]:
    return [share((o.right > 0 for o in found), least=least), share(o.right == 1 for o in found)]


def fixed_rounds(pool: Pool, sessions: int) -> str:
    """How often the plain 95% interval holds, where the number of rounds was fixed before."""
    head = ["machine", *(f"{n} rounds: {what}" for n in FIXED_ROUNDS for what in ("ratio", "alone"))]
    rows = []
    for machine in MACHINES:
        row = [machine.name]
        for n in FIXED_ROUNDS:
            found = outcomes(pool, Cell(machine=machine, workload=TG, effect=1.05, rounds=n), sessions)
            row.append(share((o.covered for o in found), *COVERAGE))
            row.append(share((held for o in found for held in o.alone), *COVERAGE))
        rows.append(row)
    return _section(f"Coverage with `--processes`: one look at 95%, {sessions} sessions each", head, rows)


def all_looks(pool: Pool, sessions: int) -> str:
    """How often the intervals of all looks hold, and what other rules do on the same sessions."""

    def of(machine: Machine) -> list[Looked]:
        return each(pool, partial(looked_on, machine, TG), sessions, machine.name, "looks")

    rows = [[machine.name, *_looks(of(machine))] for machine in MACHINES]
    title = f"All looks of one session, and false alarms of other rules, {sessions} sessions each"
    return _section(title, ["machine", *_LOOKS], rows)


_LOOKS = (
    *(f"covered at {n}" for n in CHECKPOINTS),
    *(
        "at all at once",
        "95% at every round",
        "two processes by their passes",
        f"{BLOCK} of A, then {BLOCK} of B",
    ),
)


def _looks(found: Sequence[Looked]) -> list[str]:
    return [
        *(share(o.covered[k] for o in found) for k in range(len(CHECKPOINTS))),
        share((all(o.covered) for o in found), *COVERAGE),
        *(share(getattr(o, rule) for o in found) for rule in ("every_round", "by_passes", "in_blocks")),
    ]


def real_run(pool: Pool, sessions: int) -> str:
    """The archived run of one build under two names, resampled."""
    found = each(pool, recorded.one, sessions, "recorded")
    looks = each(pool, recorded.looked_in_record, sessions, "recorded")
    head = ["alarms", "says same", "ratio covered", "half-width", "rounds", "seconds", *_LOOKS]
    rows = [[*_of_equal(found), *_length(found), *_looks(looks)]]
    return _section(
        f"One real run of equal builds (chat: two comparisons), resampled {sessions} times", head, rows
    )


def two_sessions(pool: Pool, sessions: int) -> str:
    """How often equal builds of two sessions are called different, with an anchor and without."""
    head = [
        "machine",
        "alarms with an anchor",
        "without one",
        "half-width without one",
        "plain Welch interval",
    ]
    rows = []
    for machine in MACHINES:
        found = each(pool, partial(judged_on, machine), sessions, machine.name, "two sessions")
        with_anchor = share((o.anchored for o in found), most=MOST_ALARMS)
        without = share((o.unanchored for o in found), most=MOST_ALARMS)
        half_width = f"{100 * median(o.half_width for o in found):.0f}%"
        rows.append([machine.name, with_anchor, without, half_width, share(o.plain for o in found)])
    title = f"Equal builds in two sessions of {ROUNDS} rounds, the second {100 * SHIFT - 100:.0f}% slower"
    return _section(f"{title}, {sessions} pairs each", head, rows)


def share(values: Iterable[bool], least: float = 0.0, most: float = 1.0) -> str:
    """A share in percent; bold where it lies outside of what is promised."""
    known = list(values)
    value = sum(known) / len(known)
    text = f"{100 * value:.1f}%"
    return text if least <= value <= most else f"**{text}**"


def _section(title: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return f"### {title}\n\n" + "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def document(pool: Pool, pairs: int, others: int) -> str:
    """All tables: `pairs` sessions of equal builds for each machine, `others` of every other kind."""
    tables = (true_differences, fixed_rounds, all_looks, two_sessions, real_run)
    return "\n\n".join([equal_builds(pool, pairs), *(table(pool, others) for table in tables)])
