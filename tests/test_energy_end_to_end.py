"""Energy from a sensor to the report: runs beside constructed boards that take 10 watts."""

from __future__ import annotations

import contextlib
import csv
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from profiler.runfile import read
from tests.board_trees import RAPL, agx_orin, metered_laptop, orin_nano, raspberry_pi_5, rock_5b
from tests.conftest import Command, Script
from tests.host_trees import plant

ZONE = f"{RAPL}:0"
WRAPS_UJ = 50_000_000
WATTS = 10.0

ELSEWHERE = """
import sys
from pathlib import Path
import msgspec
from profiler.measure import metering, start
from profiler.telemetry import pi_pmic, reading
tree = Path(sys.argv.pop(1))
pi_pmic.SENSOR = msgspec.structs.replace(pi_pmic.SENSOR, period_s=0.2)
metering.Metering.__init__.__defaults__ = (1.0, None)
start.found_meters = lambda: reading.found_meters(tree)
from profiler.cli.app import main
main()
"""
"""The command line, with the sensors of another tree, whose outputs of vcgencmd are read more often than once a second:
nothing is started for them. Reading may cost what it likes: on slow machines it would be read too seldom here."""

SLOW: dict[str, Any] = {"prefill_ms_per_token": 5, "token_ms": 15}
SHORT = ("-p", "100", "-n", "65", "--processes", "2", "--passes", "2", "--settle", "0s", "-f", "json")
LONG_PROMPT = ("-p", "250", "-n", "65", "--processes", "2", "--passes", "2", "--settle", "0s", "-f", "json")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    return plant(
        root,
        {
            f"{ZONE}/name": "package-0\n",
            f"{ZONE}/max_energy_range_uj": f"{WRAPS_UJ}\n",
            f"{ZONE}/energy_uj": "49000000\n",
        },
    )


@contextlib.contextmanager
def going_on(step: Callable[[float], None], every_s: float) -> Iterator[None]:
    """`step` is called with the seconds since the beginning, until the end."""
    over, began = threading.Event(), time.monotonic()

    def go() -> None:
        while not over.wait(every_s):
            step(time.monotonic() - began)

    thread = threading.Thread(target=go)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def counting(root: Path, watts: float = WATTS, zone: str = ZONE) -> Callable[[float], None]:
    """A counter that begins one joule before its end, and starts again from 0: at 10 W every 5 seconds."""
    file, new = root / zone / "energy_uj", root / zone / "energy_uj.new"

    def step(elapsed_s: float) -> None:
        new.write_text(f"{round(49e6 + watts * 1e6 * elapsed_s) % WRAPS_UJ}\n")
        new.replace(file)

    return step


def run_beside(
    tree: Path,
    script: Path,
    file: Path,
    env: dict[str, str],
    *,
    moving: contextlib.AbstractContextManager[None] | None = None,
    short: Sequence[str] = LONG_PROMPT,
) -> dict[str, Any]:
    words = [sys.executable, "-c", ELSEWHERE, str(tree), "run", str(script), *short, "-o", str(file)]
    with moving or contextlib.nullcontext():
        done = subprocess.run(
            words, env=env, cwd=file.parent, capture_output=True, text=True, timeout=120, check=True
        )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_joules_of_prompt_and_answer(
    tree: Path, script: Script, tmp_path: Path, own_folders: dict[str, str]
) -> None:
    """10 W: a prompt token of 5 ms takes 0.05 J, a generated one of 15 ms takes 0.15 J, whatever the machine does."""
    file = tmp_path / "run.jsonl"
    [row] = run_beside(
        tree, script(**SLOW), file, own_folders, moving=going_on(counting(tree), 0.005), short=SHORT
    )["rows"]
    figures = {name: cell["value"] for name, cell in row["metrics"].items()}
    for name in ("power_w", "prompt_power_w", "idle_power_w"):
        assert figures[name] == pytest.approx(WATTS, rel=0.05), name
    assert figures["energy_j_per_token"] == pytest.approx(WATTS * figures["tpot_ms"] / 1000, rel=0.05)
    assert figures["energy_j_per_prompt_token"] == pytest.approx(WATTS / figures["prefill_tps"], rel=0.1)
    assert (row["energy"]["source"], row["energy"]["scope"]) == ("rapl", "package")
    assert row["energy"]["generation_updates"] >= 10
    recorded = read(file)
    assert [one.when for one in recorded.idle] == ["before", "after"]
    assert [sensor.name for sensor in recorded.header.sensors] == ["package-0"]
    assert all(worker.metering_share is not None for worker in recorded.workers)


def test_an_answer_too_short_for_ten_updates_is_refused(
    tree: Path, script: Script, tmp_path: Path, own_folders: dict[str, str]
) -> None:
    words: dict[str, Any] = {"prefill_ms_per_token": 0.01, "token_ms": 0.5}
    [row] = run_beside(
        tree,
        script(**words),
        tmp_path / "run.jsonl",
        own_folders,
        moving=going_on(counting(tree), 0.005),
        short=SHORT,
    )["rows"]
    cell = row["metrics"]["energy_j_per_token"]
    assert cell["value"] is None
    assert "10" in cell["reason"]


@pytest.mark.parametrize(
    ("build", "source", "sensors"),
    [
        (orin_nano, "ina3221", ["VDD_IN"]),
        (agx_orin, "ina3221", ["VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0"]),
    ],
)
def test_the_inputs_of_a_jetson_and_not_what_lies_behind_them(
    build: Callable[[Path], Path],
    source: str,
    sensors: list[str],
    script: Script,
    tmp_path: Path,
    own_folders: dict[str, str],
) -> None:
    """One input of 10 W, or three of 6, 1 and 3 W; the parts of the first one would make it 16.5 W."""
    tree = build(tmp_path / "board")
    [row] = run_beside(tree, script(**SLOW), tmp_path / "run.jsonl", own_folders)["rows"]
    assert (row["energy"]["source"], row["energy"]["scope"]) == (source, "board")
    assert row["energy"]["sensors"] == sensors
    assert row["energy"]["period_s"] == 0.009
    for name in ("power_w", "prompt_power_w", "idle_power_w"):
        assert row["metrics"][name]["value"] == pytest.approx(WATTS), (
            name,
            row["metrics"][name],
            row["energy"],
        )


def test_the_platform_of_a_laptop_and_not_its_processor_too(
    script: Script, tmp_path: Path, own_folders: dict[str, str]
) -> None:
    """The platform takes 10 W, the package 6 of them, its cores 4, the memory 1."""
    tree = metered_laptop(tmp_path / "laptop")
    domains = {"1": WATTS, "0": 6, "0:0": 4, "0:1": 1}
    counters = [counting(tree, watts, f"{RAPL}:{zone}") for zone, watts in domains.items()]

    def step(elapsed_s: float) -> None:
        for count in counters:
            count(elapsed_s)

    moving = going_on(step, 0.02)
    [row] = run_beside(tree, script(**SLOW), tmp_path / "run.jsonl", own_folders, moving=moving)["rows"]
    assert row["energy"]["sensors"] == ["platform energy (psys)"]
    assert row["metrics"]["power_w"]["value"] == pytest.approx(WATTS, rel=0.05)


def test_a_raspberry_pi_5_tells_a_part_of_it(
    script: Script, tmp_path: Path, own_folders: dict[str, str]
) -> None:
    """Rails of 6 and 4 W; the inputs of the board have no current."""
    tree = raspberry_pi_5(tmp_path / "board")
    [row] = run_beside(tree, script(**SLOW), tmp_path / "run.jsonl", own_folders)["rows"]
    assert (row["energy"]["source"], row["energy"]["scope"]) == ("pi_pmic", "partial")
    assert "without USB, HATs" in row["energy"]["note"]
    assert row["metrics"]["power_w"]["value"] == pytest.approx(WATTS)


def test_a_board_with_nothing_but_a_phantom(
    script: Script, tmp_path: Path, own_folders: dict[str, str]
) -> None:
    tree = rock_5b(tmp_path / "board")
    [row] = run_beside(tree, script(), tmp_path / "run.jsonl", own_folders)["rows"]
    assert row["energy"] is None
    cell = row["metrics"]["power_w"]
    assert cell["value"] is None
    assert "no sensor of power or energy is readable" in cell["reason"]
    assert "hwmon_power: chips that tell power: not offered here" in cell["reason"]


def test_the_log_of_an_external_meter(edgeprof: Command, script: Script, tmp_path: Path) -> None:
    """A plug that writes 7 W into a file, ten times a second, on a clock that is an hour and two seconds ahead."""
    log = tmp_path / "plug.csv"
    with log.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["time", "power (W)"])

        def step(_: float) -> None:
            moment = datetime.fromtimestamp(time.time() + 3602, UTC)
            writer.writerow([moment.strftime("%Y-%m-%d %H:%M:%S.%f"), "7.0"])
            file.flush()

        with going_on(step, 0.1):
            done = edgeprof(
                "run", script(**SLOW), *SHORT[:-2], "--power-log", log, "--power-zone", "+01:00", "--power-offset", "2",
                "-o", tmp_path / "run.jsonl", "-f", "json",
            )  # fmt: skip
    assert done.code == 0, done.err
    [row] = json.loads(done.out)["rows"]
    assert row["energy"]["scope"] == "device"
    assert row["metrics"]["power_w"]["value"] == pytest.approx(7.0)
    assert row["metrics"]["idle_power_w"]["value"] == pytest.approx(7.0)
