"""The parts of a topic: what is left out, what they are called, and which reason is given where none is left."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from profiler.host.kernel_files import UnreadableError
from profiler.telemetry.parts import MOST_PARTS, readable
from profiler.telemetry.protocol import Value


def says(value: Value) -> Callable[[], Value]:
    return lambda: value


def fails(reason: str) -> Callable[[], Value]:
    def read() -> Value:
        raise UnreadableError(reason)

    return read


def test_what_cannot_be_read_is_left_out() -> None:
    parts = [("a", says(1)), ("b", fails("b: needs more rights")), ("c", says("no"))]
    assert readable(parts, none="nothing") == {"a": 1, "c": "no"}


def test_parts_of_one_name_are_numbered_whether_or_not_they_can_be_read() -> None:
    """So a sensor that fails once does not give its name to another."""
    parts = [("acpitz", says(1)), ("acpitz", fails("x")), ("acpitz 2", says(3)), ("acpitz", says(4))]
    assert readable(parts, none="nothing") == {"acpitz": 1, "acpitz 2 2": 3, "acpitz 3": 4}


@pytest.mark.parametrize(
    ("reasons", "given"),
    [
        ([], "nothing there"),
        (["a: not offered here", "b: not offered here"], "nothing there"),
        (["a: not offered here", "b: needs more rights", "c: empty"], "b: needs more rights"),
    ],
)
def test_the_reason_where_nothing_can_be_read(reasons: list[str], given: str) -> None:
    with pytest.raises(UnreadableError, match=f"^{given}$"):
        readable(((reason, fails(reason)) for reason in reasons), none="nothing there")


@pytest.mark.parametrize(
    "name",
    ["hid-52:54:00:ab:cd:ef-battery", "hid_52_54_00_AB_CD_EF_battery temp1", "52-54-00-ab-cd-ef"],
)
def test_a_hardware_address_is_never_part_of_a_name(name: str) -> None:
    assert readable([(name, says(1)), ("a", says(2))], none="nothing") == {"a": 2}


def test_an_address_in_memory_is_none_of_hardware() -> None:
    assert readable([("fb000000.gpu", says(1))], none="nothing") == {"fb000000.gpu": 1}


def test_there_are_at_most_so_many_parts_and_names_are_short() -> None:
    found = readable((("x" * 500, says(n)) for n in range(1000)), none="nothing")
    assert len(found) == MOST_PARTS
    assert max(map(len, found)) <= 123


@pytest.mark.parametrize("value", [2**63, -(2**64), float("inf")])
def test_a_number_that_no_run_file_holds_is_none(value: Value) -> None:
    with pytest.raises(UnreadableError, match="a: a number too large"):
        readable([("a", says(value))], none="nothing")
