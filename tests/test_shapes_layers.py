"""Which layers a short shape keeps: whole periods, in the ratio of their kinds."""

from __future__ import annotations

import pytest

from profiler.builds.shapes.header import Tensor
from profiler.builds.shapes.layers import Kept, kept_layers
from profiler.errors import UserError


def model(types: str) -> list[Tensor]:
    """One tensor for each layer: Q6_K where `types` has H, Q4_K where it has L."""
    kinds = {"H": "Q6_K", "L": "Q4_K"}
    return [
        Tensor(name=f"blk.{n}.ffn_down.weight", shape=(256, 256), type_name=kinds[letter])
        for n, letter in enumerate(types)
    ]


def kept(types: str, wanted: int | None, period: int = 1, leading: int = 0) -> Kept:
    return kept_layers(model(types), wanted, period=period, leading=leading, architecture="llama")


@pytest.mark.parametrize("wanted", [2, 4, 6])
def test_kinds_stand_in_the_ratio_of_the_model(wanted: int) -> None:
    types = "HHHHLLHLLHLLHHHL"
    types += "".join({"H": "L", "L": "H"}[letter] for letter in types)
    found = kept(types, wanted)
    assert [types[n] for n in found.layers].count("H") == wanted // 2
    assert found.bytes_off == 0


def test_all_layers_are_kept_without_a_number() -> None:
    assert kept("HLH", None) == kept("HLH", 3) == Kept(layers=(0, 1, 2), of_layers=3, bytes_off=0.0)


def test_the_error_of_bytes_is_told() -> None:
    found = kept("HLLL", 1)
    assert found.layers[0] in (1, 2, 3)
    assert found.bytes_off == pytest.approx(144 / ((210 + 3 * 144) / 4) - 1)


def test_whole_periods_are_kept_in_order() -> None:
    found = kept("HL" * 6 + "L", 4, period=2)
    assert all(a + 1 == b and a % 2 == 0 for a, b in zip(found.layers[::2], found.layers[1::2], strict=True))


def test_leading_layers_stay() -> None:
    assert kept("HHH" + "L" * 10, 5, leading=3).layers[:3] == (0, 1, 2)


@pytest.mark.parametrize("wanted", range(1, 14))
def test_any_number_gives_that_many_layers(wanted: int) -> None:
    found = kept("HHLLHLLHLLHHH", wanted).layers
    assert len(found) == wanted == len(set(found))
    assert list(found) == sorted(found)


@pytest.mark.parametrize(
    ("wanted", "period", "leading", "said"),
    [
        (5, 2, 0, r"accepted are 2, 4, 6, 8, 10, 12, 13 \(whole periods of 2 layers\)"),
        (3, 1, 3, r"accepted are 4 to 13 \(3 leading dense layers stay\)"),
        (14, 1, 0, r"accepted are 1 to 13;"),
    ],
)
def test_another_number_is_told_what_is_accepted(wanted: int, period: int, leading: int, said: str) -> None:
    with pytest.raises(UserError, match=said):
        kept("L" * 13, wanted, period, leading)


def test_a_depth_that_the_engine_takes_for_another_model_is_refused() -> None:
    with pytest.raises(UserError, match="accepted are 4 to 61, but not 26 and 27"):
        kept_layers(model("L" * 61), 26, period=1, leading=3, architecture="deepseek2")
