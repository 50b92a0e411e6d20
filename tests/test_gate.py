"""Conditions on a change: shown, excluded or undecided, by the whole interval."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.analyse.comparison import NO_ROUNDS_HELP, Comparison, Terms
from profiler.analyse.gate import Outcome, Result, outcome, overall
from profiler.analyse.rounds_needed import rounds_needed
from profiler.analyse.verdict import Verdict
from profiler.cli.values import condition
from profiler.errors import UserError

ENDED = Terms(level=0.95, fresh_level=0.95, at_planned_stop=True)


def compared(low: float | None, high: float | None, **facts: Any) -> Comparison:
    """The interval of a ratio."""
    known = {
        "ratio": None if low is None or high is None else math.sqrt(low * high),
        "provisional": low is None,
        "verdict": Verdict.UNDECIDED,
    }
    return Comparison(metric="decode_tps", base="r1", candidate="r2", low=low, high=high, pairs=8,
                      differs=[], **known | facts)  # fmt: skip


def result(text: str, low: float | None, high: float | None, **facts: Any) -> Result:
    return outcome(condition(text), compared(low, high, **facts), ENDED).result


class TestOutcome:
    @pytest.mark.parametrize(
        ("text", "low", "high", "expected"),
        [
            ("decode_tps < -3%", 0.90, 0.96, Result.FAILED),
            ("decode_tps < -3%", 0.96, 0.98, Result.UNDECIDED),
            ("decode_tps < -3%", 0.98, 1.20, Result.PASSED),
            ("ttft_ms > 5%", 1.06, 1.08, Result.FAILED),
            ("ttft_ms > 5%", 1.04, 1.06, Result.UNDECIDED),
            ("ttft_ms > 5%", 0.90, 1.04, Result.PASSED),
            ("ttft_ms > -10%", 0.95, 0.99, Result.FAILED),
        ],
    )
    def test_the_whole_interval_decides(self, text: str, low: float, high: float, expected: Result) -> None:
        assert result(text, low, high) is expected

    @pytest.mark.parametrize(
        ("text", "change", "expected"),
        [
            ("peak_rss_bytes > 3%", 1.03, Result.PASSED),
            ("peak_rss_bytes >= 3%", 1.03, Result.FAILED),
            ("decode_tps < -3%", 0.97, Result.PASSED),
            ("decode_tps <= -3%", 0.97, Result.FAILED),
            ("peak_rss_bytes > 0%", 1.0, Result.PASSED),
            ("peak_rss_bytes > 0%", 1.001, Result.FAILED),
        ],
    )
    def test_an_interval_of_no_width_lies_on_one_side(
        self, text: str, change: float, expected: Result
    ) -> None:
        """The limit itself, and a ratio that went through logarithms, are one."""
        assert result(text, change, change) is expected
        gone_through = math.exp(math.log(change * 7) - math.log(7))
        assert result(text, gone_through, gone_through) is expected

    def test_a_provisional_interval_decides_nothing(self) -> None:
        found = outcome(condition("decode_tps < -3%"), compared(0.5, 0.6, provisional=True), ENDED)
        assert found.result is Result.UNDECIDED
        assert found.seen == "change -45.2%, interval -50% to -40%, too few rounds for a verdict"

    def test_nothing_is_decided_before_the_planned_stop(self) -> None:
        found = outcome(
            condition("decode_tps < -3%"),
            compared(0.5, 0.6),
            msgspec.structs.replace(ENDED, at_planned_stop=False),
        )
        assert found.result is Result.UNDECIDED
        assert found.seen.endswith("; the run did not reach its planned stop")

    def test_without_an_interval_there_is_no_verdict(self) -> None:
        found = outcome(condition("decode_tps < -3%"), compared(None, None, ratio=0.5), ENDED)
        assert (found.result, found.seen) == (Result.UNDECIDED, "change -50%, too few rounds for an interval")

    @given(st.floats(0.1, 10), st.floats(0.1, 10), st.integers(-90, 900))
    def test_a_condition_and_its_opposite_never_agree(self, one: float, other: float, limit: int) -> None:
        low, high = sorted((one, other))
        results = {result(f"decode_tps {relation} {limit}%", low, high) for relation in ("<", ">=")}
        assert results in ({Result.FAILED, Result.PASSED}, {Result.UNDECIDED})


class TestRounds:
    """How many rounds would decide a condition: it depends on how far the change lies from the limit."""

    def need(self, text: str, ratio: float, **facts: Any) -> tuple[int | None, str | None]:
        found = compared(ratio * 0.9, ratio * 1.1, **{"ratio": ratio, "spread": 0.1} | facts)
        told = outcome(condition(text), found, ENDED)
        assert told.result is Result.UNDECIDED
        return told.rounds_needed, told.rounds_reason

    @pytest.mark.parametrize("ratio", [1.0, 0.93])
    def test_by_the_distance_from_the_limit(self, ratio: float) -> None:
        away = math.log(ratio) - math.log1p(-0.05)
        rounds = rounds_needed(away, 0.1, 0.95, same_zone=0.0).rounds
        assert rounds is not None
        assert self.need("decode_tps < -5%", ratio) == (rounds, None)

    def test_a_change_at_the_limit_is_never_decided(self) -> None:
        rounds, reason = self.need("decode_tps < -5%", 0.95)
        assert rounds is None
        assert reason is not None
        assert reason.startswith("no run of up to 200 rounds would decide it")

    def test_where_the_spread_is_not_known_the_comparison_says_why(self) -> None:
        assert self.need("decode_tps < -5%", 1.0, spread=None, rounds_reason="why") == (None, "why")

    def test_also_where_the_comparison_has_its_verdict_and_the_condition_has_not(self) -> None:
        """As between two runs without an anchor: worse, but by how much is not known."""
        assert self.need("decode_tps < -5%", 0.96, spread=None, verdict=Verdict.WORSE) == (
            None,
            NO_ROUNDS_HELP,
        )

    def test_none_for_what_is_decided(self) -> None:
        found = outcome(condition("decode_tps < -5%"), compared(0.8, 0.9, spread=0.1), ENDED)
        assert (found.rounds_needed, found.rounds_reason) == (None, None)


class TestOverall:
    def of(self, *results: Result) -> Result:
        return overall(
            Outcome(condition="", base="", candidate="", result=found, seen="") for found in results
        )

    def test_any_failure_wins_over_what_is_undecided(self) -> None:
        assert self.of(Result.PASSED, Result.UNDECIDED, Result.FAILED) is Result.FAILED

    def test_anything_undecided_wins_over_what_passed(self) -> None:
        assert self.of(Result.PASSED, Result.UNDECIDED) is Result.UNDECIDED
        assert self.of(Result.PASSED, Result.PASSED) is Result.PASSED

    def test_nothing_judged_is_not_passed(self) -> None:
        assert self.of() is Result.UNDECIDED


class TestCondition:
    def test_as_typed(self) -> None:
        found = condition("  decode_tps<-3.5 % ")
        assert (found.metric, found.relation, found.text) == ("decode_tps", "<", "decode_tps<-3.5 %")
        assert found.limit == pytest.approx(-0.035)

    @pytest.mark.parametrize("metric", ["load_ms", "first_ttft_ms", "peak_rss_bytes", "tg_tps", "tpot_ms"])
    def test_every_metric_with_one_value_for_each_worker(self, metric: str) -> None:
        assert condition(f"{metric} > 5%").metric == metric

    def test_an_unknown_metric_is_refused_with_the_nearest(self) -> None:
        with pytest.raises(UserError, match=r"there is no metric 'decode_tsp': did you mean decode_tps"):
            condition("decode_tsp < -3%")

    @pytest.mark.parametrize(
        "text",
        ["", "decode_tps", "decode_tps < -3", "decode_tps = 3%", "decode_tps < x%", "< -3%", "a b < 3%"],
    )
    def test_what_is_no_condition_is_refused(self, text: str) -> None:
        with pytest.raises(UserError, match="a metric, one of < <= > >= and a percentage are accepted"):
            condition(text)

    def test_a_fall_to_nothing_is_no_limit(self) -> None:
        with pytest.raises(UserError, match="a change is above -100%"):
            condition("decode_tps < -100%")
