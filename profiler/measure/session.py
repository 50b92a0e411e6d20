"""The run: rounds of fresh workers, each appended to the run file as soon as it has ended."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Callable, Sequence
from io import FileIO
from pathlib import Path
from typing import Protocol

import msgspec

from profiler.host.counters import QuietStart, wait_until_quiet
from profiler.measure.launch import Seen, job, now, run_worker
from profiler.measure.order import order
from profiler.measure.stop import stop_reason
from profiler.runfile import Case, Event, Failure, Plan, Worker, append

MOST_REPEATS = 5
"""A round that others disturbed is measured again, at most this often in a run."""

FINAL = frozenset({"missing_library", "bad_file", "load_failed", "out_of_memory", "fell_back"})
"""Failures that the next round would only repeat."""

MOST_CRASHES = 2


class Listener(Protocol):
    """Someone who watches the run."""

    def visiting(self, case: Case, round_number: int, attempt: int) -> None:
        """A worker is about to start."""

    def progress(self, pass_number: int, tokens: int) -> None:
        """The worker is this far."""

    def visited(self, worker: Worker) -> None:
        """A worker has ended and is on the disk."""


class Judges(msgspec.Struct, frozen=True, kw_only=True):
    """What the session asks of the analysis, which it does not import."""

    half_width: Callable[[Sequence[Worker]], float | None]
    spoiled: Callable[[Worker], bool]


class Session:
    """One run in progress. `workers` starts with what a resumed run file holds."""

    def __init__(
        self,
        plan: Plan,
        paths: dict[str, Path],
        file: FileIO,
        judges: Judges,
        listener: Listener,
        workers: Sequence[Worker] = (),
    ) -> None:
        self._plan, self._paths, self._file = plan, paths, file
        self._judges, self._listener = judges, listener
        self._cases = {case.id: case for case in plan.cases}
        self._builds = {build.id: build for build in plan.builds}
        self.workers = list(workers)
        self._earlier_s = sum(w.ended.mono_ns - w.started.mono_ns for w in self.workers) / 1e9

    def refuse(self, case: Case, failure: Failure) -> None:
        """Record that a case will not be measured at all."""
        moment = now()
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
        """Measure until the run is over. Returns the reason, which is also the last line of the file."""
        began = time.monotonic()
        for round_number in itertools.count():
            elapsed = self._earlier_s + time.monotonic() - began
            reason = self._reason(round_number, elapsed)
            if reason is not None:
                append(self._file, Event(name="end", at=now(), reason=reason))
                return reason
            self._round(round_number)
        raise AssertionError("a plan always ends")

    def _reason(self, rounds: int, elapsed: float) -> str | None:
        if not set(self._alive()).difference(self._plan.anchors):
            return "all_failed"
        half_width = self._judges.half_width(self.workers) if rounds in self._plan.checkpoints else None
        return stop_reason(self._plan, rounds, elapsed, half_width)

    def _alive(self) -> list[str]:
        """The cases still worth visiting."""
        failures = [(w.case, w.failure.kind) for w in self.workers if w.failure is not None]
        final = {case for case, kind in failures if kind in FINAL}
        crashes = Counter(case for case, _ in failures)
        return [c for c in self._cases if c not in final and crashes[c] < MOST_CRASHES]

    def _round(self, round_number: int) -> None:
        """Visit every case once; once more from the start if others disturbed it."""
        attempt = max((w.attempt for w in self.workers if w.round == round_number), default=0)
        while any(map(self._judges.spoiled, self._attempt(round_number, attempt))):
            if self._repeats() >= MOST_REPEATS:
                return
            attempt += 1

    def _repeats(self) -> int:
        return len({(w.round, w.attempt) for w in self.workers if w.attempt > 0})

    def _attempt(self, round_number: int, attempt: int) -> list[Worker]:
        here = (round_number, attempt)
        done = {w.case: w for w in self.workers if (w.round, w.attempt) == here}
        for position, case_id in enumerate(order(list(self._cases), self._plan.seed, *here)):
            if case_id not in done and case_id in self._alive():
                done[case_id] = self._visit(self._cases[case_id], round_number, attempt, position)
        return list(done.values())

    def _visit(self, case: Case, round_number: int, attempt: int, position: int) -> Worker:
        self._listener.visiting(case, round_number, attempt)
        settle_s = self._plan.settle_s
        quiet = wait_until_quiet(give_up_s=settle_s) if settle_s else None
        worker_job = job(
            case,
            self._builds[case.build],
            self._paths[case.build],
            mode="measure",
            round_number=round_number,
            passes=self._plan.passes,
            seed=self._plan.seed,
        )
        seen = run_worker(worker_job, case.workload, self._plan.stall_s, self._listener.progress)
        worker = _worker(case, (round_number, attempt, position), seen, quiet)
        if seen.interrupted:
            if any(done.number > 0 and done.counters for done in seen.passes):
                self._keep(worker)
            raise KeyboardInterrupt
        return self._keep(worker)

    def _keep(self, worker: Worker) -> Worker:
        append(self._file, worker)
        self.workers.append(worker)
        self._listener.visited(worker)
        return worker


def _worker(case: Case, place: tuple[int, int, int], seen: Seen, quiet: QuietStart | None) -> Worker:
    round_number, attempt, position = place
    moment = now()
    return Worker(
        case=case.id,
        round=round_number,
        attempt=attempt,
        position=position,
        started=seen.started or moment,
        ended=seen.ended or moment,
        quiet_wait_s=quiet.waited_s if quiet else None,
        foreign_share_before=quiet.foreign_share if quiet else None,
        import_ms=seen.import_ms,
        load_ms=seen.load_ms,
        facts=seen.facts,
        phases=seen.phases,
        passes=seen.passes,
        failure=seen.failure,
    )
