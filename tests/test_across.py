"""Rows of two runs: what an anchor cancels, and what the verdict allows for without one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random
from statistics import NormalDist, fmean, stdev
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.analyse.across import SESSION_SD, anchored, common_anchor, compare_runs, unanchored
from profiler.analyse.comparison import Comparison
from profiler.analyse.contrasts import terms
from profiler.analyse.distributions import t_quantile
from profiler.analyse.metrics import METRICS
from profiler.analyse.rounds_needed import rounds_needed
from profiler.analyse.statistics import welch_interval
from profiler.analyse.study import Study
from profiler.analyse.verdict import Verdict
from profiler.runfile import Case, Run
from tests.run_builder import BOARD, MIB, build, case, memory, rounds, run

NOISE = [0.00, 0.01, -0.02, 0.03, -0.01, 0.02, -0.03, 0.00]
DRIFT = [10, 11, 13, 17, 14, 12, 20, 15]
LOGS = st.lists(st.floats(-5, 5), min_size=2, max_size=8)


def times(values: Sequence[float], factor: float) -> list[float]:
    return [value * factor for value in values]


class TestWelch:
    def test_it_is_the_interval_of_two_means(self) -> None:
        """Equal spreads and numbers: as many degrees of freedom as Student's."""
        base, candidate = [0.0, 0.2, 0.4], [1.0, 1.2, 1.4]
        found = welch_interval(base, candidate, 0.95)
        assert found is not None
        half = t_quantile(4, 0.95) * math.sqrt(2 * 0.04 / 3)
        assert (found.centre, found.low, found.high) == pytest.approx((1.0, 1 - half, 1 + half))

    def test_the_fewer_and_wilder_set_sets_the_degrees_of_freedom(self) -> None:
        """One set without spread: what is left is the other's t interval."""
        found = welch_interval([0.0] * 8, [1.0, 1.3, 0.7], 0.95)
        assert found is not None
        half = t_quantile(2, 0.95) * 0.3 / math.sqrt(3)
        assert (found.low, found.high) == pytest.approx((1 - half, 1 + half))

    def test_values_all_equal_have_an_interval_of_no_width(self) -> None:
        found = welch_interval([1.0, 1.0], [2.0, 2.0], 0.95)
        assert found is not None
        assert (found.low, found.high) == (1.0, 1.0)

    @pytest.mark.parametrize(("base", "candidate"), [([], [1.0, 2.0]), ([1.0], [1.0, 2.0]), ([1.0, 2.0], [])])
    def test_one_value_has_no_spread(self, base: list[float], candidate: list[float]) -> None:
        assert welch_interval(base, candidate, 0.95) is None

    @pytest.mark.parametrize(("count", "provisional"), [(5, True), (6, False)])
    def test_below_six_values_it_is_provisional(self, count: int, provisional: bool) -> None:
        found = welch_interval(NOISE[:count], NOISE, 0.95)
        assert found is not None
        assert found.provisional is provisional

    @given(LOGS, LOGS)
    def test_turned_round_it_is_its_mirror_image(self, base: list[float], candidate: list[float]) -> None:
        one, other = welch_interval(base, candidate, 0.95), welch_interval(candidate, base, 0.95)
        assert one is not None
        assert other is not None
        assert (one.low, one.high) == pytest.approx((-other.high, -other.low), abs=1e-9)


class TestIntervals:
    def test_without_an_anchor_the_session_is_allowed_for(self) -> None:
        """Equal values on both sides: what is left is the spread of a difference of two sessions."""
        found = unanchored([0.0] * 8, [0.0] * 8, 0.95)
        assert found is not None
        edge = NormalDist().inv_cdf(0.975) * math.sqrt(2) * SESSION_SD
        assert (found.low, found.high) == pytest.approx((-edge, edge))
        assert math.exp(edge) == pytest.approx(1.49, abs=0.005)

    def test_it_holds_for_two_sessions_that_each_move_by_what_a_session_moves(self) -> None:
        """4,000 pairs of sessions without any other noise: 95%, give or take three times 0.34."""
        draw = Random(1)
        moved = [draw.gauss(0, SESSION_SD) - draw.gauss(0, SESSION_SD) for _ in range(4000)]
        found = unanchored([0.0] * 8, [0.0] * 8, 0.95)
        assert found is not None
        assert sum(found.low <= one <= found.high for one in moved) / 4000 == pytest.approx(0.95, abs=0.011)

    def test_the_allowance_adds_to_the_squares(self) -> None:
        bare, allowed = welch_interval(NOISE, NOISE, 0.9), unanchored(NOISE, NOISE, 0.9)
        assert bare is not None
        assert allowed is not None
        squared = bare.high**2 + 2 * (NormalDist().inv_cdf(0.95) * SESSION_SD) ** 2
        assert allowed.high == pytest.approx(math.sqrt(squared))

    def test_of_one_process_there_is_none(self) -> None:
        assert unanchored([0.0], NOISE, 0.95) is None
        assert anchored([0.0], NOISE, 0.95) is None

    def test_log_ratios_to_an_anchor_need_no_allowance(self) -> None:
        assert anchored(NOISE, NOISE, 0.95) == welch_interval(NOISE, NOISE, 0.95)


def session(gaps: Sequence[float], anchor: Sequence[float] | None = None, **facts: Any) -> Run:
    """A run of one row, and of an anchor if there is one."""
    cases = [case("r1", "base")] if anchor is None else [case("r1", "base"), case("r2", "old")]
    seen = [rounds("r1", gaps), *([] if anchor is None else [rounds("r2", anchor)])]
    return run(cases, *seen, anchors=[] if anchor is None else ["r2"], **facts)


def decode(base: Run, candidate: Run) -> Comparison:
    ours, theirs = Study(base), Study(candidate)
    anchors = common_anchor(ours, theirs, ours.plan.cases[0].workload)
    agreed = terms([ours, theirs], 1)
    return compare_runs(METRICS["decode_tps"], first_row(ours), first_row(theirs), anchors, agreed, ["d"])


def first_row(study: Study) -> tuple[Study, Case]:
    return study, study.plan.cases[0]


class TestUnanchored:
    @pytest.mark.parametrize(
        ("factor", "verdict"),
        [(2.0, Verdict.WORSE), (0.5, Verdict.BETTER), (1.2, Verdict.UNDECIDED), (1.0, Verdict.UNDECIDED)],
    )
    def test_only_what_is_larger_than_a_session_is_told(self, factor: float, verdict: Verdict) -> None:
        """Eight equal values each: never the same, however close."""
        found = decode(session([10] * 8), session([10 * factor] * 8))
        assert found.ratio == pytest.approx(1 / factor)
        assert found.verdict is verdict
        assert found.pairs == 0

    def test_rounds_do_not_help(self) -> None:
        found = decode(session([10] * 8), session([11] * 8))
        assert found.rounds_needed is None
        assert found.rounds_reason == (
            "rounds do not help runs that have no anchor in common; measure both in one run"
        )

    def test_one_process_gives_a_ratio_alone(self) -> None:
        found = decode(session([10]), session([20]))
        assert found.ratio == pytest.approx(0.5)
        assert (found.low, found.high) == (None, None)
        assert found.verdict is Verdict.UNDECIDED

    def test_memory_does_not_move_with_the_pace_of_the_machine(self) -> None:
        base, candidate = (
            run([case("r1")], rounds("r1", [10] * 8, phases=memory(peak))) for peak in (100, 103)
        )
        ours, theirs = Study(base), Study(candidate)
        agreed = terms([ours, theirs], 1)
        found = compare_runs(METRICS["peak_rss_bytes"], first_row(ours), first_row(theirs), None, agreed, [])
        assert found.pairs == 0
        assert (found.low, found.high) == pytest.approx((103 * MIB / (100 * MIB),) * 2)
        assert found.verdict is Verdict.WORSE


class TestAnchored:
    def test_what_the_machine_did_is_gone(self) -> None:
        """The second session is 1.4 times as slow as the first for everything; the build is 0.9 of the time."""
        slow = times(DRIFT, 1.4)
        found = decode(session(DRIFT, DRIFT), session(times(slow, 0.9), slow))
        assert (found.ratio, found.low, found.high) == pytest.approx((1 / 0.9,) * 3)
        assert found.verdict is Verdict.BETTER
        assert found.pairs == 8

    @pytest.mark.parametrize(
        ("factor", "verdict"), [(1.1, Verdict.WORSE), (0.9, Verdict.BETTER), (1.0, Verdict.SAME)]
    )
    def test_all_verdicts_are_possible(self, factor: float, verdict: Verdict) -> None:
        noisy = [10 * math.exp(noise / 3) for noise in NOISE]
        found = decode(session([10] * 8, noisy), session([10 * factor] * 8, noisy))
        assert found.verdict is verdict

    def test_the_interval_is_that_of_two_sets_of_log_ratios(self) -> None:
        found = decode(
            session([10 * math.exp(n) for n in NOISE], [10] * 8),
            session([10] * 8, [10 * math.exp(2 * n) for n in NOISE]),
        )
        expected = welch_interval([-n for n in NOISE], [2 * n for n in NOISE], 0.95)
        assert expected is not None
        assert found.low is not None
        assert math.log(found.low) == pytest.approx(expected.low)

    def test_one_run_of_both_needs_half_the_rounds(self) -> None:
        """Two noises stand in a ratio of one run, four in the difference of two anchored ones."""
        found = decode(
            session([10 * math.exp(n) for n in NOISE], [10] * 8),
            session([10.2 * math.exp(-n) for n in NOISE], [10] * 8),
        )
        assert found.verdict is Verdict.UNDECIDED
        assert found.rounds_needed == rounds_needed(-math.log(1.02), stdev(NOISE), 0.95).rounds
        assert fmean(NOISE) == 0

    def test_before_both_runs_reached_their_stop_nothing_is_judged(self) -> None:
        found = decode(session([10] * 8, [10] * 8), session([20] * 8, [10] * 8, ended=None))
        assert found.verdict is Verdict.UNDECIDED
        assert found.rounds_reason == "the run did not reach its planned stop"


class TestCommonAnchor:
    def anchors(self, base: Run, candidate: Run) -> bool:
        study = Study(base)
        return common_anchor(study, Study(candidate), study.plan.cases[0].workload) is not None

    def test_the_same_content_under_another_name(self) -> None:
        ours = session([10] * 8, [10] * 8, sha256={"old": "aa"})
        renamed = run(
            [case("r1", "base"), case("r2", "new")],
            rounds("r1", [10] * 8), rounds("r2", [10] * 8), anchors=["r2"], sha256={"new": "aa"},
        )  # fmt: skip
        assert self.anchors(ours, renamed)

    def test_the_same_name_with_other_content_is_another(self) -> None:
        ours, theirs = (session([10], [10], sha256={"old": sha256}) for sha256 in ("aa", "bb"))
        assert not self.anchors(ours, theirs)

    def test_name_and_size_stand_in_for_a_hash_that_is_missing(self) -> None:
        ours = session([10], [10], sha256={"old": "aa"})
        assert self.anchors(ours, session([10], [10]))
        assert not self.anchors(ours, session([10], [10], builds=[build("old", size_bytes=3)]))

    def test_one_that_was_not_measured_ties_nothing(self) -> None:
        assert not self.anchors(session([10], [10]), session([10], []))
        assert not self.anchors(session([10], [10]), session([10]))

    def test_of_another_device_it_ties_nothing(self) -> None:
        other = msgspec.structs.replace(BOARD, cpu="Cortex-A72")
        assert not self.anchors(session([10], [10]), session([10], [10], device=other))

    @pytest.mark.parametrize("changed", [{"engine": "ort"}, {"settings": {"threads": 1}}, {"target": "gpu"}])
    def test_engine_target_and_settings_are_the_same(self, changed: dict[str, object]) -> None:
        other = msgspec.structs.replace(case("r2", "old"), **changed)
        theirs = run([case("r1", "base"), other], rounds("r1", [10]), rounds("r2", [10]), anchors=["r2"])
        assert not self.anchors(session([10], [10]), theirs)


@given(st.sampled_from([0.4, 0.9, 1.0, 1.1, 3.0]), st.booleans(), st.permutations(NOISE))
def test_swapping_base_and_candidate_inverts_ratio_and_verdict(
    factor: float, tied: bool, noise: list[float]
) -> None:
    anchor = [10 * math.exp(n) for n in NOISE] if tied else None
    ours, theirs = session([10 * math.exp(n) for n in noise], anchor), session([10 * factor] * 8, anchor)
    one, other = decode(ours, theirs), decode(theirs, ours)
    assert one.ratio is not None
    assert other.ratio is not None
    assert one.ratio * other.ratio == pytest.approx(1)
    swapped = {Verdict.BETTER: Verdict.WORSE, Verdict.WORSE: Verdict.BETTER}
    assert other.verdict is swapped.get(one.verdict, one.verdict)
    assert one.rounds_needed == other.rounds_needed
