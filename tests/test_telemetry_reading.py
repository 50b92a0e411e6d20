"""The state of the whole board: every topic is read, or has a reason; whatever the files hold, it can be stored."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from profiler.host.capture import capture, save, unpack
from profiler.host.kernel_files import HERE, UnreadableError
from profiler.runfile import Anchor, Board, Sensor
from profiler.telemetry.protocol import TOPICS, Reader, Readings
from profiler.telemetry.reading import NOT_OFFERED, board, found_meters
from profiler.telemetry.sources import METER_SOURCES, STATE_SOURCES
from tests.board_trees import BOARDS, laptop, rock_5b
from tests.host_trees import SECRETS
from tests.rights import closed, open_folder

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
    assert metered(copy) == metered(root)


@pytest.mark.parametrize("build", BOARDS.values(), ids=BOARDS)
def test_a_capture_has_every_file_that_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, build: Callable[[Path], Path]
) -> None:
    """But for control groups and devices whose names are replaced."""
    root, opened, really_open = build(tmp_path), set[str](), Path.open

    def noted(path: Path, mode: str = "r") -> object:
        opened.add(path.relative_to(root).as_posix())
        return really_open(path, mode)

    with monkeypatch.context() as noting:
        noting.setattr(Path, "open", noted)
        board(NOW, root), metered(root)
    renamed = ("sys/fs/cgroup/", "sys/class/power_supply/hid-")
    read = {name for name in opened if (root / name).is_file() and not name.startswith(renamed)}
    assert read
    assert read <= capture(root).files.keys()


def metered(root: Path) -> tuple[list[tuple[Sensor, float | None]], dict[str, str]]:
    """Every sensor with what it reads, and why the other sources have none."""
    meters, reasons = found_meters(root)
    return [(meter.sensor, meter.read()) for meter in meters], reasons


@pytest.mark.parametrize(
    ("name", "whole", "others"),
    [
        ("orin-nano", {"VDD_IN": 10.0}, {"VDD_CPU_GPU_CV": 4.5, "VDD_SOC": 2.0}),
        ("agx-orin", {"VDD_GPU_SOC": 6.0, "VDD_CPU_CV": 1.0, "VIN_SYS_5V0": 3.0}, {"VDDQ_VDD2_1V8AO": 0.6}),
        ("jetson-nano", {"POM_5V_IN": 2.512}, {"POM_5V_GPU": 0.04, "POM_5V_CPU": 0.611}),
        ("raspberry-pi-5", {}, {"rails of the power chip": 10.0}),
        ("rock-5b", {}, {}),
        ("laptop", {"BAT0": 4.83}, {}),
        (
            "metered-laptop",
            {"platform energy (psys)": 49.0},
            {"package-0": 49.0, "package-0 core": 7.0, "package-0 dram": 1.0},
        ),
        ("container", {}, {}),
    ],
)
def test_what_is_the_whole_board_and_what_is_a_part(
    tmp_path: Path, name: str, whole: dict[str, float], others: dict[str, float]
) -> None:
    """The sensors of the first kind add up to what the board takes, and no other is ever added to them."""
    found, _ = metered(BOARDS[name](tmp_path))
    read = {sensor.name: value for sensor, value in found if sensor.scope in ("device", "board")}
    assert read == pytest.approx(whole)
    assert {sensor.name: value for sensor, value in found if sensor.name not in read} == pytest.approx(others)


def test_a_port_that_is_listed_as_a_source_of_power_is_none(tmp_path: Path) -> None:
    found, reasons = metered(rock_5b(tmp_path))
    assert found == []
    assert reasons["hwmon_power"] == "chips that tell power: not offered here"
    assert "power_source" in board(NOW, tmp_path).unreadable


def test_sources_that_contradict_each_other_speak_for_themselves(tmp_path: Path) -> None:
    """A Raspberry Pi 5 whose kernel keeps an old word, and whose firmware holds the clock below the wish."""
    found = board(NOW, BOARDS["raspberry-pi-5"](tmp_path)).readings
    assert found["throttled_now"] == {"rpi_volt": "no", "sysfs": "no", "vcgencmd": "clock capped, throttled"}
    assert found["throttled_since_boot"] == {
        "sysfs": "clock capped",
        "vcgencmd": "clock capped, throttled, soft temperature limit",
    }
    assert found["cpu_clock"] == {"policy0": 1_500_000_000, "firmware": 1_200_009_600}
    assert found["huge_pages"]["page bytes"] == 16384


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
    assert all(value is None or value >= 0 for _, value in metered(root)[0])
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
    assert metered(root)[0] == []


@pytest.mark.skipif(sys.platform == "win32", reason="rights of POSIX")
@pytest.mark.parametrize("build", BOARDS.values(), ids=BOARDS)
def test_folders_that_are_closed_to_a_user(build: Callable[[Path], Path]) -> None:
    """Phones and sandboxes close much of /sys. Nothing fails, and no path of this machine gets into a reason."""
    with open_folder() as folder:
        root = build(folder)
        for path in [root, *(path for path in root.rglob("*") if path.is_dir())]:
            with closed(path):
                found, (_, reasons) = complete(board(NOW, root)), metered(root)
            assert folder.name not in repr((found.unreadable, reasons))


@pytest.mark.skipif(sys.platform == "win32", reason="rights of POSIX")
def test_files_that_are_closed_to_a_user_are_left_out_of_a_capture() -> None:
    with open_folder() as folder, closed(laptop(folder) / "sys"):
        taken = capture(folder)
    assert "proc/cpuinfo" in taken.files
    assert not [name for name in taken.files if name.startswith("sys/")]


@pytest.mark.parametrize("system", ["Windows", "Darwin", "FreeBSD"])
@pytest.mark.parametrize("here", [True, False])
def test_other_systems_have_none_of_these_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, system: str, here: bool
) -> None:
    """Nor the functions of POSIX, on Windows. No program that Linux has by the same name is started there."""
    monkeypatch.setattr(platform, "system", lambda: system)
    if system == "Windows":
        for name in ("geteuid", "killpg"):
            monkeypatch.delattr(os, name, raising=False)
    root = HERE if here else tmp_path
    _, reasons = metered(root)
    assert reasons["tegrastats"].endswith(
        "tegrastats.txt: not offered here" if not here else "not offered here"
    )
    assert "npu_load" in complete(board(NOW, root)).unreadable
