"""The course of a run: rounds over all cases in seeded order, until the stop rule says that it is over.

It knows no clock, file or process: who calls it gives the visits and the time, so that a simulated machine goes
through the very same rounds, repeats and looks as a real one.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Sequence

import msgspec

from profiler.measure.order import order
from profiler.measure.stop import is_look, stop_reason
from profiler.runfile import Case, Plan, Worker, is_simulated

MOST_REPEATS = 5
"""Rounds that others disturbed are measured again, at least this often in a run if need be."""

FINAL = frozenset(
    {"missing_library", "bad_file", "load_failed", "out_of_memory", "fell_back", "wrong_answers"}
)
"""Failures that the next round would only repeat."""

MOST_CRASHES = 2

Visit = Callable[[Case, int, int, int], Worker]
"""Measures one case: (case, round, attempt, position in the round) -> what its worker saw."""


class Judges(msgspec.Struct, frozen=True, kw_only=True):
    """What the course asks of the analysis, which it does not import."""

    half_width: Callable[[Sequence[Worker]], float | None]
    decided: Callable[[Sequence[Worker]], bool | None]
    spoiled: Callable[[Worker], bool]


class Course:
    """The rounds of one run. `workers` starts with what a resumed run file holds.

    `elapsed_s` tells how long the run has taken so far, the time before it was resumed included.
    """

    def __init__(
        self,
        plan: Plan,
        judges: Judges,
        visit: Visit,
        elapsed_s: Callable[[], float],
        workers: Sequence[Worker] = (),
    ) -> None:
        self._plan, self._judges = plan, judges
        self._visit, self._elapsed_s = visit, elapsed_s
        self._cases = {case.id: case for case in plan.cases if not is_simulated(case)}
        self.workers = list(workers)

    def go(self) -> str:
        """Visit until the run is over, and return why it is.

        That is "within", "decided", "rounds", "max_time", "all_failed", or "simulated" where nothing is to be timed.
        """
        for round_number in itertools.count():
            reason = self._reason(round_number)
            if reason is not None:
                return reason
            self._round(round_number)
        raise AssertionError("a plan always ends")

    def _reason(self, rounds: int) -> str | None:
        """Why the run is over after so many rounds. A look sees them alone: a resumed run holds later ones already."""
        if not set(self._alive()).difference(self._plan.anchors):
            return "all_failed" if self._cases else "simulated"
        look = is_look(self._plan, rounds)
        seen = [worker for worker in self.workers if worker.round < rounds] if look else []
        return stop_reason(
            self._plan,
            rounds,
            self._elapsed_s(),
            half_width=self._judges.half_width(seen) if look else None,
            decided=self._judges.decided(seen) if look and self._plan.until_decided else None,
        )

    def _alive(self) -> list[str]:
        """The cases still worth visiting. A link that breaks is no fault of theirs, a board that starts anew may be."""
        failures = [(w.case, w.failure.kind) for w in self.workers if w.failure is not None]
        final = {case for case, kind in failures if kind in FINAL}
        crashes = Counter(case for case, kind in failures if kind != "link_lost")
        return [c for c in self._cases if c not in final and crashes[c] < MOST_CRASHES]

    def _round(self, round_number: int) -> None:
        """Visit every case once; again from the start while others disturbed it."""
        attempt = max((w.attempt for w in self.workers if w.round == round_number), default=0)
        while any(map(self._judges.spoiled, self._attempt(round_number, attempt))):
            if not self._may_repeat(round_number):
                return
            attempt += 1

    def _may_repeat(self, round_number: int) -> bool:
        """As often as there are rounds, while there is time; a run cannot wait for a quiet machine for ever."""
        repeats = len({(w.round, w.attempt) for w in self.workers if w.attempt > 0})
        return repeats < max(MOST_REPEATS, round_number) and self._elapsed_s() < self._plan.max_time_s

    def _attempt(self, round_number: int, attempt: int) -> list[Worker]:
        here = (round_number, attempt)
        done = {w.case: w for w in self.workers if (w.round, w.attempt) == here}
        for position, case_id in enumerate(order(list(self._cases), self._plan.seed, *here)):
            if case_id not in done and case_id in self._alive():
                done[case_id] = self._visit(self._cases[case_id], round_number, attempt, position)
                self.workers.append(done[case_id])
        return list(done.values())
