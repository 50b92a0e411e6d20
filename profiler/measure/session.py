"""A run: a fresh worker for each visit, appended to the run file as soon as it has ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from io import FileIO
from pathlib import Path
from typing import Any, Protocol

import msgspec

from profiler.errors import UserError
from profiler.measure import profiling
from profiler.measure.course import Course, Judges
from profiler.measure.endings import printable
from profiler.measure.events import Evaluated
from profiler.measure.last_seen import at_the_limit
from profiler.measure.launch import Seen, job
from profiler.measure.machine import Ground, Machine, Visit
from profiler.measure.passes import passes_for
from profiler.measure.proving import compiled_of
from profiler.measure.sustaining import most_passes
from profiler.measure.variants import CORES
from profiler.runfile import Account, Case, Event, Failure, Idle, Plan, Profile, Worker, append
from profiler.runfile.fields import LONGEST_SENTENCE


class Listener(Protocol):
    """Someone who watches the run."""

    def visiting(self, case: Case, round_number: int, attempt: int) -> None:
        """A worker is about to start."""

    def progress(self, pass_number: int, tokens: int) -> None:
        """The worker is this far."""

    def visited(self, worker: Worker) -> None:
        """A worker has ended and is on the disk."""

    def profiling(self, case: Case) -> None:
        """All rounds are over, and a case is about to be profiled."""


Traced = Callable[[Case, Sequence[Evaluated]], None]
"""Called with what a profile saw of a case, node by node."""


def _untraced(_case: Case, _evaluated: Sequence[Evaluated]) -> None:
    """Nobody wants all nodes."""


class Session:
    """One run in progress, on `machine`.

    `workers` starts with what a resumed run file holds, which has cases `profiled` already.
    """

    def __init__(
        self,
        plan: Plan,
        paths: dict[str, Path],
        file: FileIO,
        judges: Judges,
        listener: Listener,
        machine: Machine,
        workers: Sequence[Worker] = (),
        compiled: Path | None = None,
        profiled: Collection[str] = (),
        traced: Traced = _untraced,
    ) -> None:
        self._plan, self._paths, self._file = plan, paths, file
        self._judges, self._listener = judges, listener
        self._machine = machine
        self._compiled = compiled
        self._profiled, self._traced = profiled, traced
        self._builds = {build.id: build for build in plan.builds}
        self.workers = list(workers)
        self._earlier_s = sum(w.ended.mono_ns - w.started.mono_ns for w in self.workers) / 1e9

    def refuse(self, case: Case, failure: Failure) -> None:
        """Record that a case will not be measured at all."""
        moment = self._machine.now()
        self._keep(
            Worker(
                case=case.id,
                round=0,
                attempt=0,
                position=0,
                started=moment,
                ended=moment,
                failure=failure,
            )
        )

    def go(self) -> str:
        """Measure until the run is over. Returns the reason, which the file has too."""
        self._idle("before")
        began = time.monotonic()
        course = Course(
            self._plan,
            self._judges,
            self._visit,
            lambda: self._earlier_s + time.monotonic() - began,
            self.workers,
        )
        reason = course.go()
        for case in self._to_profile():
            append(self._file, self._profile(case))
        append(self._file, Event(name="end", at=self._machine.now(), reason=reason))
        self._idle("after")
        return reason

    def _idle(self, when: str) -> None:
        started = self._machine.now()
        samples = self._machine.idle()
        if samples is not None:
            append(self._file, Idle(when=when, meters=samples, started=started, ended=self._machine.now()))

    def _visit(self, case: Case, round_number: int, attempt: int, position: int) -> Worker:
        self._listener.visiting(case, round_number, attempt)
        path, machine = self._paths[case.build], self._machine
        ground = machine.ground(self._plan, path, self._coolest())
        order = self._order(case, round_number)
        visit = machine.visit(path, order, case.workload, self._plan.stall_s, self._listener.progress)
        seen = visit.seen
        try:
            self._account(case, order, seen)
        except KeyboardInterrupt:
            seen.interrupted = True
        worker = _worker(case, (round_number, attempt, position), visit, ground)
        if seen.interrupted:
            if any(done.number > 0 and done.counters for done in seen.passes):
                self._keep(worker)
            raise KeyboardInterrupt
        return self._keep(worker)

    def _to_profile(self) -> list[Case]:
        """What the plan wants profiled: cases that were measured, each once."""
        measured = {worker.case for worker in self.workers if worker.failure is None}
        wanted = measured.difference(self._plan.anchors, self._profiled)
        return [case for case in self._plan.cases if case.id in wanted] if self._plan.profile else []

    def _profile(self, case: Case) -> Profile:
        """Where the time of this case goes, seen in a process of its own."""
        self._listener.profiling(case)
        self._machine.settle(self._plan)
        try:
            seen = self._aside(case, self._order(case, 0), "profile")
        except (UserError, OSError) as error:
            return Profile(case=case.id, reason=printable(str(error)))
        if seen.interrupted:
            raise KeyboardInterrupt
        if seen.failure is not None:
            return Profile(case=case.id, reason=seen.failure.message[:LONGEST_SENTENCE])
        self._traced(case, seen.evaluated)
        return profiling.profile(case.id, seen.evaluated)

    def _order(self, case: Case, round_number: int) -> dict[str, Any]:
        long = self._plan.sustained_s
        return (
            job(
                case,
                self._builds[case.build],
                self._paths[case.build],
                mode="measure",
                round_number=round_number,
                passes=most_passes(case.workload)
                if long
                else passes_for(self._plan, case, round_number, self.workers),
                seed=self._plan.seed,
                sustained_s=long,
                strict=self._plan.strict,
            )
            | {"cpus": self._machine.cpus(_cores(case))}
            | self._place_of_compiled(case)
        )

    def _place_of_compiled(self, case: Case) -> dict[str, Any]:
        if case.route is None or self._compiled is None:
            return {}
        return {"compiled": str(compiled_of(case, self._compiled))}

    def _account(self, case: Case, order: dict[str, Any], seen: Seen) -> None:
        """After the first worker of a case: have its engine account for its memory, in a process of its own.

        Where that cannot be done, what the worker measured stands.
        """
        known = any(w.account for w in self.workers if w.case == case.id)
        if known or seen.failure is not None or seen.interrupted:
            return
        try:
            told = self._aside(case, order, "account")
        except (UserError, OSError) as error:
            seen.account = Account(reason=printable(str(error)))
            return
        failed = Account(reason=told.failure.message) if told.failure else None
        seen.account, seen.interrupted = told.account or failed, told.interrupted

    def _aside(self, case: Case, order: dict[str, Any], mode: str) -> Seen:
        """A worker that measures nothing."""
        return self._machine.aside(order | {"mode": mode}, case.workload, self._plan.stall_s)

    def _coolest(self) -> float | None:
        """In a sustained run, before every case but the first: the temperature that its worker read at its start."""
        first = next((w.conditions for w in self.workers if w.conditions), None)
        return first.temperature_c if first and self._plan.sustained_s else None

    def _keep(self, worker: Worker) -> Worker:
        append(self._file, worker)
        self.workers.append(worker)
        self._listener.visited(worker)
        return worker


def _cores(case: Case) -> str | None:
    word = case.settings.get(CORES)
    return word if isinstance(word, str) else None


def _worker(case: Case, place: tuple[int, int, int], visit: Visit, ground: Ground) -> Worker:
    round_number, attempt, position = place
    seen, quiet, eviction = visit.seen, ground.quiet, ground.eviction
    return Worker(
        case=case.id,
        round=round_number,
        attempt=attempt,
        position=position,
        started=visit.started,
        ended=visit.ended,
        quiet_wait_s=quiet.waited_s if quiet else None,
        foreign_share_before=quiet.foreign_share if quiet else None,
        cooled_s=ground.cooled_s,
        cached_share=ground.cached_share,
        evicted=eviction.evicted if eviction else None,
        not_evicted=eviction.reason if eviction else None,
        conditions=seen.conditions,
        import_ms=seen.import_ms,
        load_ms=seen.load_ms,
        facts=seen.facts,
        account=seen.account,
        **msgspec.structs.asdict(visit.watched),
        phases=seen.phases,
        passes=seen.passes,
        limit=seen.limit,
        failure=at_the_limit(seen),
    )
