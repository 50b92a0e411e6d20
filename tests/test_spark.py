"""A course of values as block characters."""

from __future__ import annotations

import pytest

from profiler.render.spark import spark


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ([], ""),
        ([0, 0], "▁▁"),
        ([7, 0, 3.5], "█▁▅"),
        ([1, 2, 3, 4, 5, 6, 7], "▂▃▄▅▆▇█"),
        ([-1, 7], "▁█"),
    ],
)
def test_blocks_from_zero_to_the_largest(values: list[float], line: str) -> None:
    assert spark(values) == line


def test_only_the_last_values_are_shown_and_the_floor_may_be_raised() -> None:
    assert spark([100, 7, 0], most=2) == "█▁"
    assert spark([10, 17], least=10) == "▁█"
