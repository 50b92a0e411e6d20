"""Run files that somebody edited or made up: refused in one sentence, or shown without harm, in bounded space."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from profiler.analyse.report import report
from profiler.cli.app import LONGEST_SENTENCE, bearable
from profiler.errors import UserError
from profiler.render import formats
from profiler.render.html import surroundings
from profiler.render.terminal import LONGEST_TEXT
from profiler.runfile import Run, decode
from tests.bundles import content
from tests.run_builder import board, case, failed, metered, rounds, run, sensor

LONG = 5_000_000
UNSEEN = "".join(chr(0xE000 + n % 6400) for n in range(300_000))
"""Every private character of the first plane, many times: escaping one kind after the other takes minutes."""


def told(text: str) -> Run:
    """A run that says this text wherever a text is free."""
    return run(
        [case("r1"), case("r2")],
        rounds("r1", [10.0, 11.0], passes=1, facts={"versions": {"ggml": text}, "system": text}),
        [failed("r2", 0, "crashed", text)],
        environment={"governors": [text], "hypervisor": text},
        no_sensor={"rapl": text},
    )


def edited(changes: dict[tuple[str | int, ...], Any], line: int = 0) -> bytes:
    """The run file with other values at these places of one line."""
    lines = [json.loads(part) for part in content(told("x")).splitlines()]
    for place, value in changes.items():
        part = lines[line]
        for key in place[:-1]:
            part = part[key]
        part[place[-1]] = value
    return b"".join(json.dumps(part).encode() + b"\n" for part in lines)


REPEATED: list[tuple[str | int, ...]] = [
    ("device", "name"), ("device", "id"), ("plan", "builds", 0, "id"), ("plan", "builds", 0, "name"),
    ("plan", "builds", 0, "quantization"), ("plan", "cases", 0, "id"), ("plan", "cases", 0, "engine"),
    ("plan", "cases", 0, "target"), ("plan", "cases", 0, "settings", "threads"), ("plan", "cases", 0, "workload", "id"),
]  # fmt: skip


@pytest.mark.parametrize("place", REPEATED, ids=lambda place: place[-1])
def test_a_name_that_every_line_repeats_has_a_limit(place: tuple[str | int, ...]) -> None:
    """A name of 5 MB would make a CSV of hundreds of megabytes."""
    decode("run.jsonl", edited({place: "x" * 1000}))
    with pytest.raises(UserError) as raised:
        decode("run.jsonl", edited({place: "x" * LONG}))
    assert str(raised.value).startswith(
        "run.jsonl line 1 is not part of a run file: Expected `str` of length <= 1000 - at `$."
    )


def test_megabytes_that_are_told_once_are_cut_on_the_screen_and_whole_elsewhere() -> None:
    found = report(told("x" * LONG))
    screen = formats.render(found, "terminal")
    assert len(screen) < 20 * LONGEST_TEXT
    assert f"and {LONG + len('r2: ') - LONGEST_TEXT} more characters" in " ".join(screen.split())
    assert "x" * LONG in json.loads(formats.render(found, "json"))["rows"][1]["failure"]["message"]


@pytest.mark.parametrize("name", sorted(formats.MODULES))
def test_many_kinds_of_unseen_characters_take_no_longer_than_one(name: str) -> None:
    shown = formats.render(report(told(UNSEEN)), name)
    assert "".join(shown.split("\n")).isprintable()


@pytest.mark.parametrize("more", [b',"type":"event"', b',"\\u0074ype":"idle"'])
def test_a_record_that_says_twice_what_it_is_is_refused(more: bytes) -> None:
    """Other programs would take the last word for its type, and so read another run than we do."""
    header, worker, *rest = content(told("x")).splitlines()
    with pytest.raises(UserError, match=r"^run\.jsonl line 2 is not part of a run file: Invalid enum value"):
        decode("run.jsonl", b"\n".join([header, worker[:-1] + more + b"}", *rest, b""]))


def nested(levels: int) -> Any:
    return {"a": [nested(levels - 1)]} if levels else "x"


def test_an_environment_in_hundreds_of_levels_or_facts_is_cut_on_a_page() -> None:
    many = {f"fact {n}": n for n in range(1000)}
    seen = run([case("r1")], [failed("r1", 0, "crashed", "x")], environment={"deep": nested(200), **many})
    *_, environment = surroundings.blocks(report(seen))
    assert environment.facts[0] == ("deep", "a a a a a ...")
    assert len(environment.facts) == surroundings.MOST_FACTS


def test_names_of_a_thousand_characters_are_whole_in_csv_and_cut_in_tables() -> None:
    seen = run([case("r1", kv="x" * 1000), case("r2", kv="y" * 1000)], rounds("r1", [10.0, 11.0], passes=1))
    found = report(seen)
    assert "x" * 1000 in formats.render(found, "csv")
    screen = "".join(formats.render(found, "terminal").split())
    assert "x" * 117 + "..." in screen
    assert "x" * 118 not in screen


def test_a_sentence_about_megabytes_keeps_its_ends() -> None:
    shown = bearable("run.jsonl has " + "x" * LONG + ": delete it")
    assert shown.startswith("run.jsonl has x")
    assert shown.endswith("x: delete it")
    assert len(shown) == LONGEST_SENTENCE + len(" ... ")


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (b'{"build_commit":"b1","n_prompt":512,"avg_ts":33.1}\n', "missing required field `type`"),
        (b'{"type":"header","schema":"other.tool/7"}\n', "has schema 'other.tool/7'; this version reads"),
        (b'{"type":"header","schema":"edgeprof.run/2","new":[]}\n', "has schema 'edgeprof.run/2'"),
        (b"model,size,params,t/s\n", "JSON is malformed"),
        (b"PK\x03\x04\x14\0\n", "JSON is malformed"),
        (b"\xef\xbb\xbf{}\n", "JSON is malformed"),
        ("{}\n".encode("utf-16"), "JSON is malformed"),
    ],
)
def test_files_of_other_tools_are_one_sentence(line: bytes, found: str) -> None:
    with pytest.raises(UserError, match=r"^run\.jsonl ") as raised:
        decode("run.jsonl", line)
    assert found in str(raised.value)
    assert len(str(raised.value)) < 200


def numbers(value: Any, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The place of every number, with its first three of each list."""
    match value:
        case dict():
            yield from (place for key, part in value.items() for place in numbers(part, (*at, key)))
        case list():
            yield from (place for n, part in enumerate(value[:3]) for place in numbers(part, (*at, n)))
        case int() | float() if not isinstance(value, bool):
            yield at


MEASURED = content(
    run(
        [case("r1"), case("r2")],
        [metered("r1", n, board_before=board(temperature={"cpu": 50.0})) for n in range(2)],
        rounds("r2", [10, 11, 12], passes=1),
        sensors=[sensor("rapl")],
    )
).splitlines()


@pytest.mark.parametrize("value", [0, -1, -(2**63), 2**63 - 1, 1e308, 5e-324])
def test_a_number_at_the_edge_is_refused_or_shown(value: float) -> None:
    """No figure becomes NaN or infinite, which JSON does not have."""
    shown = 0
    for line in (0, 1, 3):
        for place in [*numbers(json.loads(MEASURED[line]))][::3]:
            with contextlib.suppress(UserError):
                found = report(decode("run.jsonl", with_number(line, place, value)))
                texts = {name: formats.render(found, name) for name in formats.MODULES}
                json.loads(texts["json"], parse_constant=pytest.fail)
                shown += 1
    assert shown > 0


def with_number(line: int, place: tuple[str | int, ...], value: float) -> bytes:
    """The run file with another number at this place of a line."""
    record = json.loads(MEASURED[line])
    part = record
    for key in place[:-1]:
        part = part[key]
    part[place[-1]] = value
    lines = [*MEASURED[:line], msgspec.json.encode(record), *MEASURED[line + 1 :]]
    return b"\n".join(lines) + b"\n"
