"""Numbers and names as people read them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.analyse.estimate import Estimate
from profiler.analyse.plural import plural
from profiler.render import format as fmt


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"),
        (1234.5, "1234"),
        (100, "100"),
        (99.96, "100"),
        (99.94, "99.9"),
        (10, "10.0"),
        (9.996, "10.0"),
        (4.56, "4.56"),
        (0.9996, "1.00"),
        (0.123, "0.123"),
        (0.0123, "0.0123"),
        (0.00000123, "1.23e-06"),
        (-4.56, "-4.56"),
        (1.23e15, "1.23e+15"),
        (1.8e308, "inf"),
    ],
)
def test_number(value: float, shown: str) -> None:
    assert fmt.number(value) == shown


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (102_399, "100 KiB"),
        (1024 * 1024 - 1, "1.0 MiB"),
        (162 * 1024**2, "162 MiB"),
        (1.5 * 1024**3, "1.5 GiB"),
        (5000 * 1024**4, "5000 TiB"),
        (-3 * 1024**2, "-3.0 MiB"),
    ],
)
def test_size(count: float, shown: str) -> None:
    assert fmt.size(count) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0 s"),
        (45.4, "45 s"),
        (89.4, "89 s"),
        (89.6, "1 min 30 s"),
        (120, "2 min"),
        (200, "3 min 20 s"),
        (5399, "89 min 59 s"),
        (5400, "1 h 30 min"),
        (7500, "2 h 5 min"),
    ],
)
def test_duration(seconds: float, shown: str) -> None:
    assert fmt.duration(seconds) == shown


@pytest.mark.parametrize(
    ("share", "shown"),
    [
        (0, "0%"),
        (1e-9, "<0.01%"),
        (0.00042, "0.04%"),
        (0.0042, "0.42%"),
        (0.00999, "1.0%"),
        (0.038, "3.8%"),
        (0.0999, "10%"),
        (0.38, "38%"),
        (9.99, "999%"),
        (10, ">999%"),
    ],
)
def test_percent(share: float, shown: str) -> None:
    assert fmt.percent(share) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "-"), (1, "x1.000"), (1.0434, "x1.043"), (1234, "x1.23e+03"), (0.0123, "x0.0123")],
)
def test_ratio(value: float | None, shown: str) -> None:
    assert fmt.ratio(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(True, "on"), (False, "off"), (None, "auto"), (4, "4"), ("q8_0", "q8_0"), ("a\nb", "a?b")],
)
def test_setting(value: int | str | bool | None, shown: str) -> None:
    assert fmt.setting(value) == shown


def test_plural() -> None:
    assert [plural(1, "pass"), plural(2, "pass"), plural(0, "round")] == ["1 pass", "2 passes", "0 rounds"]


def ms(
    value: float | None, low: float | None = None, high: float | None = None, provisional: bool = False
) -> Estimate:
    return Estimate(value=value, low=low, high=high, unit="ms", provisional=provisional)


class TestEstimate:
    def test_a_value_with_the_larger_half_of_its_interval(self) -> None:
        found = ms(100, 98, 103)
        assert (fmt.figure(found), fmt.spread(found)) == ("100", "±3.0%")

    def test_a_tilde_while_it_is_provisional(self) -> None:
        assert fmt.spread(ms(100, 98, 103, provisional=True)) == "~±3.0%"

    def test_bytes_in_their_unit(self) -> None:
        assert fmt.figure(Estimate(value=162 * 1024**2, unit="B")) == "162 MiB"

    @pytest.mark.parametrize("absent", [None, ms(None)])
    def test_absent_is_a_dash_and_never_a_zero(self, absent: Estimate | None) -> None:
        assert (fmt.figure(absent), fmt.spread(absent)) == ("-", "")

    def test_no_spread_without_both_bounds(self) -> None:
        assert fmt.spread(ms(100)) == fmt.spread(ms(100, 98)) == fmt.spread(ms(100, None, 103)) == ""

    def test_beyond_measure(self) -> None:
        assert fmt.spread(ms(1, 0, 1e300)) == "±>999%"


class TestPlain:
    @pytest.mark.parametrize(
        "character",
        list("\x00\x07\x1b\n\r\t\x7f\x85\x9b\xad\u061c\u200b\u200f\u202e\u2028\u2066\ufeff\U000e0041"),
    )
    def test_what_cannot_be_seen_becomes_a_question_mark(self, character: str) -> None:
        assert fmt.plain(f"a{character}b") == "a?b"

    @pytest.mark.parametrize("name", ["SmolLM2-135M-Q4_0", "Qwen 2.5", "模型", "Größe", "±"])
    def test_names_stay_as_they_are(self, name: str) -> None:
        assert fmt.plain(name) == name

    @given(st.text())
    def test_nothing_moves_the_cursor(self, text: str) -> None:
        assert fmt.plain(text).isprintable()
        assert len(fmt.plain(text)) == len(text)


FINITE = st.floats(allow_nan=False, allow_infinity=False)


@given(FINITE)
def test_every_number_is_short(value: float) -> None:
    assert len(fmt.number(value)) <= 10
    assert len(fmt.size(value)) <= 16


@given(st.floats(1e-300, 1e300))
def test_a_number_is_within_half_a_per_cent_of_what_is_shown(value: float) -> None:
    assert math.isclose(float(fmt.number(value)), value, rel_tol=0.00501)
