"""The state of the whole board: every topic is read, or has a reason; whatever the files hold, it can be stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from profiler.host.capture import capture, save, unpack
from profiler.host.kernel_files import HERE, UnreadableError
from profiler.runfile import Anchor, Board
from profiler.telemetry.protocol import TOPICS, Reader, Readings
from profiler.telemetry.reading import NOT_OFFERED, board, found_meters
from profiler.telemetry.sources import METER_SOURCES, STATE_SOURCES
from tests.board_trees import BOARDS, laptop
from tests.host_trees import SECRETS

NOW = Anchor(wall_ns=1_700_000_000_000_000_000, mono_ns=5)


def complete(found: Board) -> Board:
    """Every topic has readings or a reason, never both, and a run file gives back what was put in."""
    assert set(found.readings) | set(found.unreadable) == set(TOPICS)
    assert not set(found.readings) & set(found.unreadable)
    assert all(found.readings.values())
    assert all(reason.isprintable() and reason for reason in found.unreadable.values())
    assert msgspec.json.decode(msgspec.json.encode(found), type=Board) == found
    return found


class TestEveryTopic:
    @pytest.mark.parametrize("build", BOARDS.values(), ids=BOARDS)
    def test_of_constructed_boards(self, tmp_path: Path, build: Callable[[Path], Path]) -> None:
        found = complete(board(NOW, build(tmp_path)))
        assert not [secret for secret in SECRETS if secret in repr(found)]

    def test_of_this_machine(self) -> None:
        found = complete(board(NOW, HERE))
        assert str(Path.home()) not in repr(found)

    def test_of_an_empty_tree(self, tmp_path: Path) -> None:
        """The size of a page is the one thing that this process knows by itself."""
        assert set(complete(board(NOW, tmp_path)).readings) == {"huge_pages"}

    def test_without_any_source(self, tmp_path: Path) -> None:
        assert set(complete(board(NOW, tmp_path, {})).unreadable.values()) == {NOT_OFFERED}


@pytest.mark.parametrize("build", BOARDS.values(), ids=BOARDS)
def test_a_captured_board_says_the_same(tmp_path: Path, build: Callable[[Path], Path]) -> None:
    root = build(tmp_path / "original")
    save(capture(root), tmp_path / "board.tar.gz")
    copy = unpack(tmp_path / "board.tar.gz", tmp_path / "copy")
    assert board(NOW, copy) == board(NOW, root)


def test_requested_and_measured_side_by_side(tmp_path: Path) -> None:
    """In mode 25W the GPU may have 624 MHz only, and has half of that."""
    found = board(NOW, BOARDS["orin-nano"](tmp_path)).readings
    assert found["power_mode"] == {"nvpmodel": "25W (mode 1)"}
    assert (found["gpu_clock"], found["gpu_clock_asked"]) == (
        {"17000000.gpu": 306_000_000},
        {"17000000.gpu": 624_750_000},
    )


def test_sources_only_read_what_is_asked_of_every_board() -> None:
    read = {topic for source in STATE_SOURCES.values() for topic in source.STATE}
    assert read <= set(TOPICS)


@pytest.mark.parametrize("name", [*STATE_SOURCES, *METER_SOURCES])
def test_a_source_is_called_like_its_module(name: str) -> None:
    source = {**STATE_SOURCES, **METER_SOURCES}[name]
    assert getattr(source, "__name__") == f"profiler.telemetry.{name}"  # noqa: B009


class Source:
    """A source that says of one topic what it is told to say."""

    def __init__(self, said: Readings | str) -> None:
        self._said = said
        self.STATE: Mapping[str, Reader] = {"fan": self._read}

    def _read(self, _root: Path) -> Readings:
        if isinstance(self._said, str):
            raise UnreadableError(self._said)
        return self._said


class TestSeveralSources:
    def fan(self, *said: Readings | str) -> Readings | str:
        sources = {str(n): Source(one) for n, one in enumerate(said)}
        found = board(NOW, HERE, sources)
        return found.readings.get("fan") or found.unreadable["fan"]

    def test_their_parts_come_together_and_the_later_one_counts(self) -> None:
        assert self.fan({"a": 1, "b": 2}, {"b": 3}) == {"a": 1, "b": 3}

    def test_one_that_fails_hides_none(self) -> None:
        assert self.fan("fan1: needs more rights", {"a": 1}) == {"a": 1}

    def test_the_telling_reasons_are_given_once_each(self) -> None:
        reasons = ("x: not offered here", "y: needs more rights", "z: empty", "y: needs more rights")
        assert self.fan(*reasons) == "y: needs more rights; z: empty"

    def test_that_nothing_is_there_is_said_if_there_is_no_other_reason(self) -> None:
        assert self.fan("x: not offered here") == "x: not offered here"


class Broken:
    """A source whose library raises what it likes."""

    def __init__(self, error: Exception) -> None:
        self._error = error
        self.STATE: Mapping[str, Reader] = {"fan": self.meters}

    def meters(self, _root: Path) -> Any:
        raise self._error


@pytest.mark.parametrize(
    "error", [AttributeError("nvmlDeviceGetClock"), OSError("/home/ann"), ValueError("\x1b")]
)
def test_a_source_that_breaks_is_a_reason_and_ends_nothing(error: Exception) -> None:
    sources: dict[str, Any] = {"broken": Broken(error), "sound": Source({"a": 1})}
    assert board(NOW, HERE, sources).readings["fan"] == {"a": 1}
    reason = f"broken: its reader failed ({type(error).__name__})"
    assert complete(board(NOW, HERE, {"broken": sources["broken"]})).unreadable["fan"] == reason
    assert found_meters(HERE, {"broken": sources["broken"]}) == ([], {"broken": reason})


GARBAGE = {
    "empty": b"",
    "zeros": b"\0" * 4096,
    "binary": bytes(range(256)) * 20,
    "unknown": b"<unknown>\n",
    "too large": b"9" * 19 + b"\n",
    "far too large": b"9" * 100_000,
    "negative": b"-9223372036854775808\n",
    "exponent": b"1e400\n",
    "not a number": b"nan\n",
    "other digits": "٣٣٣\n".encode(),
    "control characters": b"\x1b[2J\x07\r\n",
    "long": b"a b:c=d,e/f " * 100_000,
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
@pytest.mark.parametrize("build", BOARDS.values(), ids=BOARDS)
def test_whatever_the_files_hold(tmp_path: Path, build: Callable[[Path], Path], garbage: bytes) -> None:
    root = build(tmp_path)
    for path in [path for path in root.rglob("*") if path.is_file()]:
        path.write_bytes(garbage)
    found = complete(board(NOW, root))
    words = [value for said in found.readings.values() for value in said.values() if isinstance(value, str)]
    assert all(word.isprintable() and len(word) < 200 for word in words)


def test_folders_where_files_should_be(tmp_path: Path) -> None:
    root = laptop(tmp_path)
    for path in [path for path in root.rglob("*") if path.is_file()]:
        path.unlink()
        path.mkdir()
    assert set(complete(board(NOW, root)).readings) <= {"huge_pages", "zram"}


def test_links_that_lead_nowhere_or_round_in_a_circle(tmp_path: Path) -> None:
    root = laptop(tmp_path)
    for number, path in enumerate([path for path in root.rglob("*") if path.is_file()]):
        path.unlink()
        path.symlink_to(path if number % 2 else "nowhere")
    complete(board(NOW, root))
