"""The archived real run of one build under two names, resampled: its machine in the place of a simulated one.

A session takes consecutive rounds from anywhere in the record, going on at its start after its end, and follows
edgeprof's own order: which of the two processes of a round carries which name is a fresh coin flip. A round that
is measured again takes the next one of the record.

What it shows: with a fresh coin in each round, alarms follow from the design rather than from this machine. Of the
machine speak the widths, how often it ends "same", and what other rules make of the same processes; and all of that of
one virtual machine in ten minutes, from which a thousand windows are no thousand runs.
"""

from __future__ import annotations

import random
from functools import cache

from msgspec.structs import replace

from bench.simulation.archive import recorded
from bench.simulation.figures import BLOCK, Looked, Outcome, looked, outcome
from bench.simulation.sessions import MAX_TIME_S, NO_LIMIT_S, OUT_OF_REACH, WITHIN, Session, gone
from profiler.runfile import Case, Plan, Worker

Pair = tuple[Worker, Worker]


@cache
def pairs() -> tuple[Pair, ...]:
    """The two processes of each round as they followed each other, rounds measured again included."""
    places: dict[tuple[int, int], list[Worker]] = {}
    for worker in recorded().workers:
        places.setdefault((worker.round, worker.attempt), []).append(worker)
    return tuple((first, second) for first, second in places.values())


class Replay:
    """The record as a machine that is visited: one pair after the other, and the time they took."""

    def __init__(self, start: int) -> None:
        self._pairs, self._next = pairs(), start
        self.now_s = 0.0

    def visit(self, case: Case, round_number: int, attempt: int, position: int) -> Worker:
        """The process that ran at this position, under the name of `case`."""
        if position == 0:
            self._next += 1
        seen = self._pairs[self._next % len(self._pairs)][position]
        self.now_s += (seen.quiet_wait_s or 0.0) + (seen.ended.mono_ns - seen.started.mono_ns) / 1e9
        return replace(seen, case=case.id, round=round_number, attempt=attempt, position=position)


def resampled(seed: int, *, to_the_end: bool = False) -> Session:
    """One session at edgeprof's defaults, or through all looks."""
    replay = Replay(start_of(seed))
    header = recorded().header
    return gone(replace(header, plan=_plan(header.plan, seed, to_the_end)), replay.visit, replay)


def start_of(seed: int) -> int:
    """Where in the record a session starts."""
    return random.Random(f"start/{seed}").randrange(len(pairs()))


def _plan(plan: Plan, seed: int, to_the_end: bool) -> Plan:
    return replace(
        plan,
        seed=seed,
        rounds=None,
        within=OUT_OF_REACH if to_the_end else WITHIN,
        max_time_s=NO_LIMIT_S if to_the_end else MAX_TIME_S,
        until_decided=not to_the_end,
    )


def one(seed: int) -> Outcome:
    """What one session says of two names of the same build."""
    return outcome(resampled(seed), 1.0)


def looked_in_record(seed: int) -> Looked:
    """One session through all looks, and what other rules say of the processes from the same place on."""
    found, start = pairs(), start_of(seed)
    processes = [w for k in range(BLOCK) for w in found[(start + k) % len(found)]]
    blocks = processes[:BLOCK], processes[BLOCK:]
    return looked(resampled(seed, to_the_end=True), processes[:2], blocks)
