"""What the device does by itself is told and never left out: throttling, clock, heat, its own paging."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from profiler.analyse.report import Row, report
from profiler.runfile import Conditions, Pass
from tests.run_builder import BOARD, build, case, counters, run, text_pass, warm_up, worker

GHZ = 1_000_000_000


def a_pass(
    number: int, *, gap_ms: float = 10, ghz: float | None = 2.0, degrees: float | None = 50, **moved: int
) -> Pass:
    return text_pass(
        number,
        gap_ms=gap_ms,
        counters=msgspec.structs.replace(counters(), **moved),
        conditions=Conditions(clock_hz=None if ghz is None else round(ghz * GHZ), temperature_c=degrees),
    )


def row(last: Pass, limit_c: float | None = None) -> Row:
    """Eight rounds of three passes, of which the last pass of each is this one; the others take 10 ms a token."""
    seen = [worker("r1", n, warm_up(), a_pass(1), a_pass(2), last) for n in range(8)]
    device = msgspec.structs.replace(BOARD, throttle_celsius=limit_c)
    return report(run([case("r1")], seen, device=device)).rows[0]


def codes(found: Row) -> list[str]:
    return [notice.code for notice in found.notices]


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ({"throttle_events": 2}, "throttled"),
        ({"ghz": 1.5, "degrees": 85}, "throttled"),
        ({"ghz": 1.5}, "clock_dropped"),
        ({"degrees": 85}, "hot"),
        ({"major_faults": 5000}, "paging"),
    ],
)
def test_passes_with_behaviour_stay_in_the_headline(state: dict[str, Any], code: str) -> None:
    """Of three passes the third takes 40 ms a token: the median pass is the second, and moves if one is left out."""
    found = row(a_pass(3, gap_ms=40, **state))
    assert code in codes(found)
    figure = found.metrics["tpot_ms"]
    assert (figure.processes, figure.passes, figure.excluded) == (8, 24, 0)

    two_slow = [
        worker("r1", n, a_pass(1), a_pass(2, gap_ms=40), a_pass(3, gap_ms=40, **state)) for n in range(8)
    ]
    assert report(run([case("r1")], two_slow)).rows[0].metrics["tpot_ms"].value == pytest.approx(40)


class TestThrottled:
    def test_by_counters_whatever_clock_and_heat_say(self) -> None:
        [notice] = row(a_pass(3, throttle_events=2, ghz=None, degrees=None)).notices
        assert notice.code == "throttled"
        assert notice.seen == "the processor slowed itself down 16 times during the passes"

    def test_by_the_clock_of_a_hot_processor(self) -> None:
        found = row(a_pass(3, ghz=1.5, degrees=85))
        assert codes(found) == ["throttled", "hot"]
        assert found.notices[0].seen == "the clock fell from 2.00 to 1.50 GHz, by 25%, at 85 degrees"

    def test_by_the_clock_where_the_temperature_is_not_readable(self) -> None:
        [notice] = row(a_pass(3, ghz=1.5, degrees=None)).notices
        assert notice.code == "throttled"
        assert notice.seen.endswith("by 25%, where the temperature is not readable")

    def test_a_clock_that_falls_on_a_cool_processor_has_another_cause(self) -> None:
        [notice] = row(a_pass(3, ghz=1.5, degrees=50)).notices
        assert notice.code == "clock_dropped"
        assert notice.seen == "the clock fell from 2.00 to 1.50 GHz, by 25%, at 50 degrees, which is not hot"

    @pytest.mark.parametrize(("ghz", "told"), [(1.81, False), (1.79, True)])
    def test_from_ten_per_cent_on(self, ghz: float, told: bool) -> None:
        assert bool(codes(row(a_pass(3, ghz=ghz)))) is told

    @pytest.mark.parametrize("moved", [0, -3])
    def test_counters_that_did_not_move(self, moved: int) -> None:
        assert codes(row(a_pass(3, throttle_events=moved))) == []


class TestHot:
    @pytest.mark.parametrize(
        ("degrees", "limit_c", "told"),
        [(79.9, None, False), (80, None, True), (89, 95, False), (90, 95, True), (65, 70, True)],
    )
    def test_near_the_limit_of_the_profile_or_from_80_on(
        self, degrees: float, limit_c: float | None, told: bool
    ) -> None:
        assert ("hot" in codes(row(a_pass(3, degrees=degrees), limit_c))) is told

    def test_nothing_is_said_where_nothing_is_readable(self) -> None:
        seen = [worker("r1", n, *(text_pass(k) for k in (1, 2, 3))) for n in range(8)]
        assert report(run([case("r1")], seen, builds=[build("tiny-Q4_0")])).rows[0].notices == []
