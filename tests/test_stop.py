"""When a run is over: planned before it starts."""

from __future__ import annotations

import msgspec
import pytest

from profiler.measure.stop import fewest_rounds, next_look, planned_rounds, stop_reason
from tests.run_builder import case, run

OPEN = msgspec.structs.replace(run([case("r1")], planned=None).header.plan, within=0.02, max_time_s=120.0)
FIXED = msgspec.structs.replace(OPEN, rounds=10)


@pytest.mark.parametrize(
    ("rounds", "elapsed_s", "half_width", "reason"),
    [
        (0, 0, None, None),
        (7, 60, 0.001, None),
        (8, 60, 0.021, None),
        (8, 60, 0.02, "within"),
        (8, 60, None, None),
        (9, 60, 0.001, None),
        (12, 60, 0.001, "within"),
        (2, 500, None, None),
        (3, 119, None, None),
        (3, 120, None, "max_time"),
        (8, 500, 0.02, "within"),
        (30, 60, 0.5, "rounds"),
        (30, 500, 0.001, "within"),
    ],
)
def test_open_run_ends_at_a_checkpoint_at_the_time_limit_or_after_30_rounds(
    rounds: int, elapsed_s: float, half_width: float | None, reason: str | None
) -> None:
    assert stop_reason(OPEN, rounds, elapsed_s, half_width=half_width, decided=None) == reason


@pytest.mark.parametrize(
    ("rounds", "decided", "reason"),
    [(7, True, None), (8, True, "decided"), (8, False, None), (9, True, None)],
)
def test_run_ends_at_a_checkpoint_where_every_comparison_is_decided(
    rounds: int, decided: bool, reason: str | None
) -> None:
    assert stop_reason(OPEN, rounds, 60, half_width=0.001, decided=decided) == reason


def test_run_that_compares_does_not_end_for_precision() -> None:
    assert stop_reason(OPEN, 8, 60, half_width=0.0001, decided=False) is None


def test_next_look_is_the_next_checkpoint_or_the_end() -> None:
    assert [next_look(OPEN, n) for n in (0, 8, 11, 12, 29)] == [8, 12, 12, 20, 30]
    assert next_look(FIXED, 3) == 10


@pytest.mark.parametrize(
    ("rounds", "elapsed_s", "reason"),
    [(8, 60, None), (9, 119, None), (9, 120, "max_time"), (10, 0, "rounds")],
)
def test_run_of_fixed_rounds_never_ends_for_precision(
    rounds: int, elapsed_s: float, reason: str | None
) -> None:
    assert stop_reason(FIXED, rounds, elapsed_s, half_width=0.001, decided=True) == reason


def test_three_rounds_are_made_however_long_they_take() -> None:
    assert fewest_rounds(OPEN) == 3
    assert fewest_rounds(FIXED) == 3
    assert fewest_rounds(msgspec.structs.replace(FIXED, rounds=1)) == 1


def test_most_rounds() -> None:
    assert (planned_rounds(OPEN), planned_rounds(FIXED)) == (30, 10)
