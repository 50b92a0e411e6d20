"""What tokens cost on an owned device, and when that is less than a hosted model takes: sums that a reader can redo."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from profiler.analyse.break_even import BreakEven, Outcome, break_even
from profiler.analyse.cost import PowerFrom, Price, Spending, price, spending, terms
from profiler.analyse.estimate import Estimate
from profiler.analyse.report import Row, report
from profiler.documents.review import Costs, DeviceCost, Hosted
from tests.run_builder import case, idle, metered, rounds, run, sensor

YEAR_S = 31_557_600
HOSTED = Hosted(input_per_million=0.5, output_per_million=1.0)
WHOLE = Costs(device_price=315.576, lifetime_years=1, duty_cycle=0.1, price_per_kwh=0.36, power_w=10)
"""1e-4 for each second at work; 10 W are 1e-6 a second."""


def row(prompt: Estimate | float | None = 100.0, answer: Estimate | float | None = 50.0, **seen: Any) -> Row:
    """Speeds of prompt and answer in tokens per second."""
    plain = report(run([case("r1")], rounds("r1", [10.0] * 8))).rows[0]
    figures = {"prefill_tps": prompt, "decode_tps": answer}
    metrics = {
        name: figure if isinstance(figure, Estimate) else Estimate(value=figure, unit="tok/s")
        for name, figure in figures.items()
    }
    return msgspec.structs.replace(plain, metrics=metrics, **seen)


def between(low: float, value: float, high: float, unit: str = "tok/s") -> Estimate:
    return Estimate(value=value, low=low, high=high, level=0.95, unit=unit)


SURE = row(prompt=between(99.9, 100, 100.1), answer=between(49.9, 50, 50.1))


def cost(costs: Costs, of: Row | None = None) -> tuple[Spending, Price]:
    found = spending(of or row(), terms(costs, "board"))
    return found, price(found, found.answer_tps, found.answer_j)


def even(costs: Costs, of: Row | None = None, hosted: Hosted | None = HOSTED) -> BreakEven:
    """For as many tokens of prompt as of answer, 0.75 hosted for a million of the mix."""
    return break_even(spending(of or row(), terms(costs, "board")), (128, 128), hosted)


class TestCost:
    def test_a_million_tokens_take_their_seconds_of_device_and_power(self) -> None:
        """At 50 tokens per second a million takes 20,000 s: 2 for the device, 0.02 for 10 W."""
        found, told = cost(WHOLE)
        assert found.power_from is PowerFrom.ASSUMED
        assert told.device.value == pytest.approx(2.0)
        assert told.power.value == pytest.approx(0.02)
        assert told.total.value == pytest.approx(2.02)
        assert told.total.unit == "EUR per million tokens"

    def test_an_idle_second_is_paid_by_those_at_work(self) -> None:
        """Nine seconds of 2 W for each at work: 18 J, beside its own 10."""
        _, told = cost(msgspec.structs.replace(WHOLE, idle_power_w=2))
        assert told.power.value == pytest.approx(0.02 * 2.8)

    def test_without_a_duty_cycle_idle_power_is_left_out_and_said_to_be(self) -> None:
        found, told = cost(msgspec.structs.replace(WHOLE, idle_power_w=2, duty_cycle=None))
        assert found.idle_w is None
        assert told.power.value == pytest.approx(0.02)

    def test_the_interval_of_the_speed_is_carried_through(self) -> None:
        _, told = cost(WHOLE, row(answer=between(40, 50, 80)))
        assert told.total.low == pytest.approx(2.02 * 50 / 80)
        assert told.total.high == pytest.approx(2.02 * 50 / 40)
        assert told.total.level == 0.95

    def test_a_device_has_its_own_terms(self) -> None:
        costs = msgspec.structs.replace(WHOLE, devices={"board": DeviceCost(device_price=0, power_w=20)})
        _, told = cost(costs)
        assert told.device.value == 0
        assert told.power.value == pytest.approx(0.04)

    @pytest.mark.parametrize(
        ("leave_out", "reason"),
        [
            ({"lifetime_years": None}, "the review gives no lifetime_years"),
            ({"device_price": None, "duty_cycle": None}, "the review gives no device_price, duty_cycle"),
            ({"price_per_kwh": None}, "the review gives no price_per_kwh"),
            ({"power_w": None}, "no sensor metered it, and the review gives no power_w"),
        ],
    )
    def test_what_is_not_known_is_absent_with_its_reason(
        self, leave_out: dict[str, Any], reason: str
    ) -> None:
        _, told = cost(msgspec.structs.replace(WHOLE, **leave_out))
        assert (told.total.value, told.total.reason) == (None, reason)

    def test_a_speed_that_was_not_measured_costs_nothing_that_is_known(self) -> None:
        _, told = cost(WHOLE, row(answer=None))
        assert (told.total.value, told.total.reason) == (None, "the speed was not measured")


class TestMeasuredPower:
    def of_sensor(self, scope: str) -> Row:
        """8 W in the prompt of 100 ms, 5 W while ten gaps of 10 ms pass; 3 W idle."""
        seen = run(
            [case("r1")],
            [metered("r1", n) for n in range(8)],
            sensors=[sensor(scope=scope)],
            idle=[idle("before", 3, at_ms=-4000), idle("after", 3, at_ms=20_000)],
        )
        return report(seen).rows[0]

    def test_a_sensor_of_the_whole_board_goes_before_an_assumption(self) -> None:
        found, told = cost(WHOLE, self.of_sensor("board"))
        assert found.power_from is PowerFrom.MEASURED
        assert found.idle_w == pytest.approx(3)
        joules, idle_joules = 0.05 * 1e6, 9 * 3 * 0.01 * 1e6
        assert told.power.value == pytest.approx((joules + idle_joules) / 3.6e6 * 0.36)

    def test_what_adds_two_intervals_up_promises_less(self) -> None:
        _, told = cost(WHOLE, self.of_sensor("board"))
        assert told.total.level == 0.9

    def test_a_sensor_of_the_package_is_a_lower_bound_and_only_without_an_assumption(self) -> None:
        package = self.of_sensor("package")
        assert cost(WHOLE, package)[0].power_from is PowerFrom.ASSUMED
        found, told = cost(msgspec.structs.replace(WHOLE, power_w=None), package)
        assert found.power_from is PowerFrom.LOWER_BOUND
        assert found.idle_w is None
        assert told.power.value == pytest.approx(0.05 / 3.6 * 0.36)

    def test_a_lower_bound_never_shows_that_owning_pays(self) -> None:
        cheap = msgspec.structs.replace(WHOLE, power_w=None, device_price=0.001)
        assert even(cheap, self.of_sensor("package")).outcome is Outcome.OPEN
        assert even(cheap, self.of_sensor("board")).outcome is Outcome.PAYS


class TestBreakEven:
    def test_tokens_and_months_after_which_owning_is_cheaper(self) -> None:
        """A token of the mix takes 15 ms, so 0.015 for the power of a million, and 0.735 is saved."""
        found = even(WHOLE, SURE)
        assert found.hosted == 0.75
        assert found.power.value == pytest.approx(0.015)
        assert found.tokens.value == pytest.approx(315.576 / 0.735 * 1e6)
        assert found.months.value == pytest.approx(315.576 / 0.735 * 1e6 * 0.015 / (0.1 * YEAR_S / 12))
        assert found.outcome is Outcome.LATE

    def test_a_longer_life_pays(self) -> None:
        longer = msgspec.structs.replace(WHOLE, lifetime_years=5)
        assert even(longer, SURE).outcome is Outcome.PAYS

    def test_figures_without_an_interval_or_with_a_provisional_one_decide_nothing(self) -> None:
        longer = msgspec.structs.replace(WHOLE, lifetime_years=5)
        few = msgspec.structs.replace(between(49.9, 50, 50.1), provisional=True)
        assert even(longer).outcome is Outcome.OPEN
        assert even(longer, row(prompt=between(99.9, 100, 100.1), answer=few)).outcome is Outcome.OPEN

    def test_power_alone_may_cost_more_than_hosting(self) -> None:
        found = even(msgspec.structs.replace(WHOLE, price_per_kwh=36), SURE)
        assert found.outcome is Outcome.NEVER
        assert (found.tokens.value, found.months.value) == (None, None)

    def test_an_interval_that_reaches_beyond_the_lifetime_decides_nothing(self) -> None:
        wide = row(prompt=between(80, 100, 120), answer=between(30, 50, 120))
        found = even(msgspec.structs.replace(WHOLE, lifetime_years=2), wide)
        assert found.outcome is Outcome.OPEN
        assert found.months.low is not None
        assert found.months.high is not None
        assert found.months.low < 24 < found.months.high
        assert found.months.level == 0.9

    def test_a_saving_that_may_be_none_leaves_the_tokens_open_above(self) -> None:
        wide = row(prompt=between(90, 100, 110), answer=between(30, 50, 60))
        found = even(msgspec.structs.replace(WHOLE, price_per_kwh=13), wide)
        assert found.tokens.low is not None
        assert found.tokens.high is None

    @pytest.mark.parametrize(
        ("costs", "hosted", "reason"),
        [
            (WHOLE, None, "the review gives no hosted price"),
            (Costs(power_w=1, price_per_kwh=1, duty_cycle=1, device_price=1), HOSTED, "gives no lifetime_years"),
            (msgspec.structs.replace(WHOLE, power_w=None), HOSTED, "the review gives no power_w"),
        ],
    )  # fmt: skip
    def test_without_a_price_there_is_a_reason(
        self, costs: Costs, hosted: Hosted | None, reason: str
    ) -> None:
        found = even(costs, hosted=hosted)
        assert (found.outcome, found.tokens.value) == (Outcome.UNKNOWN, None)
        assert found.reason is not None
        assert found.reason.endswith(reason)
