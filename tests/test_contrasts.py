"""Which row is compared with which, and which is the best of its column."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from profiler.analyse.comparison import Comparison
from profiler.analyse.contrasts import best_rows, comparisons
from profiler.analyse.study import Study
from profiler.analyse.verdict import Verdict
from profiler.errors import UserError
from profiler.runfile import Run, Worker
from tests.run_builder import case, failed, raw_pass, rounds, run, text, tg, worker

DRIFT = [10, 11, 13, 17, 14, 12, 20, 15]
"""A machine that is up to twice as slow from one round to the next."""
NOISE = [0.00, 0.01, -0.02, 0.03, -0.01, 0.02, -0.03, 0.00]


def times(gaps: Sequence[float], factor: float) -> list[float]:
    return [gap * factor for gap in gaps]


def two(
    base: list[Worker], candidate: list[Worker], planned: int | None = 8, ended: str | None = "rounds"
) -> Run:
    return run([case("r1", threads=2), case("r2", threads=4)], base, candidate, planned=planned, ended=ended)


def of(found: Sequence[Comparison], metric: str) -> Comparison:
    return next(item for item in found if item.metric == metric)


def decode(seen: Run) -> Comparison:
    return of(comparisons(Study(seen), None), "decode_tps")


class TestBase:
    THREE = (case("r1", threads=1), case("r2", threads=2), case("r3", threads=4))

    def pairs(self, seen: Run, base: str | None = None) -> set[tuple[str, str]]:
        return {(item.base, item.candidate) for item in comparisons(Study(seen), base)}

    def test_it_is_the_first_row_unless_named(self) -> None:
        seen = run(self.THREE, *(rounds(c.id, DRIFT) for c in self.THREE))
        assert self.pairs(seen) == {("r1", "r2"), ("r1", "r3")}
        assert self.pairs(seen, "r3") == {("r3", "r1"), ("r3", "r2")}

    def test_a_first_row_that_failed_leaves_it_to_the_next(self) -> None:
        seen = run(
            self.THREE, [failed("r1", 0, "crashed", "signal 11")], rounds("r2", DRIFT), rounds("r3", DRIFT)
        )
        assert self.pairs(seen) == {("r2", "r3")}

    def test_each_workload_has_its_own(self) -> None:
        cases = [
            case(f"r{n}", workload=asked, threads=n) for n, asked in enumerate((text(), tg(4), text(), tg(4)))
        ]
        raw = [
            worker(c, n, raw_pass(1, evaluated_ms=0, token_ms=[10, 20, 30, 40]))
            for c in ("r1", "r3")
            for n in range(8)
        ]
        seen = run(cases, rounds("r0", DRIFT), raw, rounds("r2", DRIFT))
        assert self.pairs(seen) == {("r0", "r2"), ("r1", "r3")}

    def test_an_unknown_one_is_refused(self) -> None:
        with pytest.raises(UserError, match="no row 'r33' in this run: its rows are r1, r2, r3"):
            comparisons(Study(run(self.THREE)), "r33")

    def test_one_without_figures_is_refused(self) -> None:
        seen = run(self.THREE, [failed("r1", 0, "crashed", "signal 11")], rounds("r2", DRIFT))
        with pytest.raises(UserError, match="row r1 has no figures to compare with: rows that have are r2"):
            comparisons(Study(seen), "r1")


class TestBest:
    def marked(self, *gaps: Sequence[float], ended: str | None = "rounds") -> list[tuple[str, str]]:
        cases = [case(f"r{n}", threads=n) for n in range(1, len(gaps) + 1)]
        workers = [rounds(c.id, g) for c, g in zip(cases, gaps, strict=True)]
        return best_rows(Study(run(cases, *workers, ended=ended)))

    def test_the_row_that_is_faster_than_every_other_one(self) -> None:
        assert self.marked(DRIFT, times(DRIFT, 0.8), times(DRIFT, 0.9)) == [("decode_tps", "r2")]

    def test_none_where_one_other_is_as_good(self) -> None:
        assert self.marked(DRIFT, times(DRIFT, 0.8), times(DRIFT, 0.8)) == []

    def test_none_where_the_interval_does_not_allow_it(self) -> None:
        noisy = [10 * math.exp(-0.005 + 3 * noise) for noise in NOISE]
        assert self.marked([10] * 8, noisy) == []

    def test_none_on_few_rounds(self) -> None:
        assert self.marked(DRIFT[:3], times(DRIFT[:3], 0.5)) == []

    def test_none_before_the_planned_stop(self) -> None:
        assert self.marked(DRIFT, times(DRIFT, 0.8), ended=None) == []

    def test_a_row_alone_is_not_the_best(self) -> None:
        assert self.marked(DRIFT) == []

    def test_none_where_the_comparisons_of_all_workloads_leave_no_level_to_8_rounds(self) -> None:
        """Fifteen comparisons at once are decided from 10 rounds on: until then no row is the best either."""
        cases = [case(f"r{n}", workload=tg(16 + n // 6), threads=1 + n % 6) for n in range(18)]
        gaps = [times(DRIFT, 0.5 if n % 6 == 5 else 1) for n in range(18)]
        passes = [
            [
                worker(c.id, number, raw_pass(evaluated_ms=1, token_ms=[gap * (k + 1) for k in range(16)]))
                for number, gap in enumerate(mine)
            ]
            for c, mine in zip(cases, gaps, strict=True)
        ]
        seen = Study(run(cases, *passes))
        assert {found.verdict for found in comparisons(seen, None)} == {Verdict.UNDECIDED}
        assert best_rows(seen) == []
