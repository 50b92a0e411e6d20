"""Load of a Rockchip NPU: the forms of its one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from profiler.host.kernel_files import UnreadableError
from profiler.telemetry.rknpu import FILE, loads
from tests.host_trees import plant

ROCK = {"proc/device-tree/compatible": "radxa,rock-5b\0rockchip,rk3588\0"}


def rock(root: Path, line: str) -> Path:
    return plant(root, ROCK | {FILE: f"{line}\n"})


@pytest.mark.parametrize(
    ("line", "shares"),
    [
        ("NPU load:  Core0:  0%, Core1: 12%, Core2:100%,", {"core0": 0.0, "core1": 0.12, "core2": 1.0}),
        ("NPU load:  Core0:  7%, Core1:  0%", {"core0": 0.07, "core1": 0.0}),
        ("NPU load:  Core0:   %, Core1: 35%,", {"core0": 0.0, "core1": 0.35}),
        ("NPU load:  42%", {"core0": 0.42}),
        ("NPU load:   %", {"core0": 0.0}),
        ("NPU load: 3%,", {"core0": 0.03}),
    ],
)
def test_forms(tmp_path: Path, line: str, shares: dict[str, float]) -> None:
    assert loads(rock(tmp_path, line)) == shares


@pytest.mark.parametrize(
    "line",
    [
        "NPU load:", "load 7%", "<unknown>", "NPU load: -7%", "NPU load: 7", "NPU load: \u0667%", "Core0: 7%",
        "NPU load: Core0: 7%, and more", "NPU load: 99999%", "NPU load: \x1b[2J7%",
    ],
)  # fmt: skip
def test_what_is_no_load(tmp_path: Path, line: str) -> None:
    with pytest.raises(UnreadableError, match=f"{FILE}: does not tell a load"):
        loads(rock(tmp_path, line))


def test_more_than_all_of_it(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match=f"{FILE}: tells more than 100%"):
        loads(rock(tmp_path, "NPU load:  Core0: 101%,"))


def test_root_alone_may_read_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = rock(tmp_path, "NPU load: 3%")
    opened = Path.open

    def refuse(path: Path, mode: str = "r") -> object:
        if path.name == "load":
            raise PermissionError(13, "Permission denied")
        return opened(path, mode)

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UnreadableError, match=f"^{FILE}: needs more rights$"):
        loads(root)


def test_some_kernels_show_it_to_everybody(tmp_path: Path) -> None:
    line = "NPU load:  Core0: 11%, Core1:  0%, Core2:  4%,\n"
    assert loads(plant(tmp_path, ROCK | {"proc/rknpu/load": line})) == {
        "core0": 0.11,
        "core1": 0,
        "core2": 0.04,
    }
    with pytest.raises(UnreadableError, match=r"^proc/rknpu/load: does not tell a load$"):
        loads(plant(tmp_path, {"proc/rknpu/load": "busy\n"}))


def test_elsewhere_no_rights_are_asked_for(tmp_path: Path) -> None:
    """Debugfs is closed to users on every machine: only on Rockchip's boards is that the reason."""
    with pytest.raises(UnreadableError, match=r"^Rockchip NPU: not offered here$"):
        loads(plant(tmp_path, {FILE: "NPU load: 3%\n"}))


def test_a_kernel_without_the_driver(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match=f"^{FILE}: not offered here$"):
        loads(plant(tmp_path, ROCK))
