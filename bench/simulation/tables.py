"""The figures of the simulation as Markdown, and which of them lie outside what edgeprof promises."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from itertools import product
from multiprocessing.pool import Pool
from statistics import fmean, median

from bench.simulation.figures import BLOCK, Looked, Outcome, first_seed, looked_on, one
from bench.simulation.machines import MACHINES, Machine
from bench.simulation.sessions import CHAT, TG
from profiler.measure.start import CHECKPOINTS
from profiler.runfile import Workload

MOST_ALARMS = 0.06
COVERAGE = (0.93, 0.97)
LEAST_FOUND = 0.90
MAY_FIND_5 = ("calm", "fit", "storm", "laptop")
"""Machines on which the noise study finds a true 5% in at least 90% of sessions with one comparison."""

WORKLOADS = ((TG, "tg: one comparison"), (CHAT, "chat: two"))
DIFFERENCES = (1.03, 1.05)
FIXED_ROUNDS = (12, 20)
CHUNK = 25
Cell = tuple[Machine, Workload, float, int | None]


def outcomes(pool: Pool, cell: Cell, sessions: int) -> list[Outcome]:
    """So many sessions of one kind, each with its own seed."""
    machine, workload, effect, rounds = cell
    first = first_seed(machine.name, workload.id, effect, rounds)
    return pool.map(partial(one, *cell), range(first, first + sessions), chunksize=CHUNK)


def looks(pool: Pool, machine: Machine, sessions: int) -> list[Looked]:
    """So many sessions of equal builds, through all looks."""
    first = first_seed(machine.name, "looks")
    return pool.map(partial(looked_on, machine, TG), range(first, first + sessions), chunksize=CHUNK)


def equal_builds(pool: Pool, sessions: int) -> str:
    """What is said of two builds that are the same."""
    head = [
        *("machine", "workload", "alarms", "says same", "ratio covered", "alone covered"),
        *("half-width", "rounds", "seconds"),
    ]
    rows = []
    for machine, (workload, name) in product(MACHINES, WORKLOADS):
        found = outcomes(pool, (machine, workload, 1.0, None), sessions)
        figures = [
            share((o.wrong for o in found), most=MOST_ALARMS),
            share(o.same for o in found),
            share((o.covered for o in found), *COVERAGE),
            share((held for o in found for held in o.alone), *COVERAGE),
            f"{100 * median(o.half_width for o in found):.1f}%",
        ]
        rows.append([machine.name, name, *figures, *_length(found)])
    return f"### Equal builds, {sessions} sessions each\n\n{grid(head, rows)}"


def true_differences(pool: Pool, sessions: int) -> str:
    """What is said of a build that takes 3% or 5% longer than the other."""
    head = [
        *("machine", "workload", "true", "found", "on all metrics", "wrong sign", "ratio covered"),
        *("rounds", "seconds"),
    ]
    rows = []
    for machine, (workload, name), effect in product(MACHINES, WORKLOADS, DIFFERENCES):
        found = outcomes(pool, (machine, workload, effect, None), sessions)
        promised = effect == 1.05 and machine.name in MAY_FIND_5
        figures = [
            share((o.right > 0 for o in found), least=LEAST_FOUND if promised else 0.0),
            share(o.right == 1 for o in found),
            share((o.wrong for o in found), most=MOST_ALARMS),
            share((o.covered for o in found), *COVERAGE),
        ]
        rows.append([machine.name, name, f"{100 * effect - 100:.0f}%", *figures, *_length(found)])
    return f"### A true difference, {sessions} sessions each\n\n{grid(head, rows)}"


def _length(found: Sequence[Outcome]) -> list[str]:
    return [f"{fmean(o.rounds for o in found):.1f}", f"{fmean(o.seconds for o in found):.0f}"]


def fixed_rounds(pool: Pool, sessions: int) -> str:
    """How often the plain 95% interval holds, where the number of rounds was fixed before."""
    head = ["machine", *(f"{n} rounds: {what}" for n in FIXED_ROUNDS for what in ("ratio", "alone"))]
    rows = []
    for machine in MACHINES:
        row = [machine.name]
        for n in FIXED_ROUNDS:
            found = outcomes(pool, (machine, TG, 1.05, n), sessions)
            row.append(share((o.covered for o in found), *COVERAGE))
            row.append(share((held for o in found for held in o.alone), *COVERAGE))
        rows.append(row)
    return f"### Coverage with `--processes`: one look at 95%, {sessions} sessions each\n\n{grid(head, rows)}"


def all_looks(found: dict[str, list[Looked]], sessions: int) -> str:
    """How often the intervals of all looks hold, and what other rules do on the same sessions."""
    head = [
        *("machine", *(f"covered at {n}" for n in CHECKPOINTS), "at all at once"),
        *("95% at every round", "two processes by their passes", f"{BLOCK} of A, then {BLOCK} of B"),
    ]
    rows = [
        [
            name,
            *(share(o.covered[k] for o in of) for k in range(len(CHECKPOINTS))),
            share((all(o.covered) for o in of), *COVERAGE),
            *(share(getattr(o, rule) for o in of) for rule in ("every_round", "by_passes", "in_blocks")),
        ]
        for name, of in found.items()
    ]
    return (
        f"### All looks of one session, and false alarms of other rules, {sessions} sessions each\n\n"
        f"{grid(head, rows)}"
    )


def share(values: Iterable[bool], least: float = 0.0, most: float = 1.0) -> str:
    """A share in percent; bold where it lies outside of what is promised."""
    known = list(values)
    value = sum(known) / len(known)
    text = f"{100 * value:.1f}%"
    return text if least <= value <= most else f"**{text}**"


def grid(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def document(pool: Pool, pairs: int, others: int) -> str:
    """All tables: `pairs` sessions of equal builds for each machine, `others` of every other kind."""
    seen = {machine.name: looks(pool, machine, others) for machine in MACHINES}
    return "\n\n".join(
        [
            equal_builds(pool, pairs),
            true_differences(pool, others),
            fixed_rounds(pool, others),
            all_looks(seen, others),
        ]
    )
