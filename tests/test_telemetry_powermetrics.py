"""Samples of macOS's powermetrics, constructed: all values are our own."""

from __future__ import annotations

import os
import platform
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.host.capture import capture
from profiler.host.kernel_files import HERE, UnreadableError
from profiler.telemetry.powermetrics import Sample, cpu_clock, meters, parse, throttled_now
from tests.machines import plant

SAID = "outputs/powermetrics.txt"

APPLE = """\
Machine model: Mac15,0
*** Sampled system activity (Tue Feb  3 08:09:10 2026 +0000) (1001.50ms elapsed) ***

**** Processor usage ****

E-Cluster Online: 100%
E-Cluster HW active frequency: 1111 MHz
E-Cluster HW active residency:  61.05% (600 MHz:   0% 1111 MHz:  61%)
P0-Cluster HW active frequency: 3204 MHz
P0-Cluster HW active residency: 100.00% (600 MHz:   0% 3204 MHz: 100%)
P1-Cluster HW active frequency: 0 MHz
CPU 0 frequency: 1100 MHz
CPU Power: 5210 mW
GPU Power: 40 mW
ANE Power: 0 mW
Combined Power (CPU + GPU + ANE): 5250 mW

**** GPU usage ****

GPU HW active frequency: 389 MHz
GPU Power: 44 mW

**** Thermal pressure ****

Current pressure level: Heavy
"""

INTEL = """\
*** Sampled system activity (Tue Feb  3 08:09:10 2026 +0000) (1000.11ms elapsed) ***

**** Processor usage ****

Intel energy model derived package power (CPUs+GT+SA): 31.07W
"""


def test_a_sample_of_apples_chips() -> None:
    """Of the two powers of the GPU the first one; a cluster that did not run has no clock."""
    assert parse(APPLE) == Sample(
        clusters_hz={"E-Cluster": 1_111_000_000, "P0-Cluster": 3_204_000_000},
        pressure="Heavy",
        watts={"CPU": 5.21, "GPU": 0.04, "ANE": 0.0, "CPU + GPU + ANE": 5.25},
    )


def test_a_sample_of_intel() -> None:
    assert parse(INTEL) == Sample(watts={"package": 31.07})


def test_of_several_samples_the_first_counts() -> None:
    assert parse(
        APPLE + APPLE.replace("5250", "9999").replace("1111", "2222").replace("Heavy", "x")
    ) == parse(APPLE)


def test_clocks_of_the_clusters(tmp_path: Path) -> None:
    plant(tmp_path, {SAID: APPLE})
    assert cpu_clock(tmp_path) == {"E-Cluster": 1_111_000_000, "P0-Cluster": 3_204_000_000}


@pytest.mark.parametrize(("level", "said"), [("Nominal", "no"), ("Heavy", "Heavy"), ("Moderate", "Moderate")])
def test_thermal_pressure(tmp_path: Path, level: str, said: str) -> None:
    plant(tmp_path, {SAID: APPLE.replace("Heavy", level)})
    assert throttled_now(tmp_path) == {"powermetrics": said}


def test_meters_of_apples_chips(tmp_path: Path) -> None:
    found = meters(plant(tmp_path, {SAID: APPLE}))
    assert {meter.sensor.name: (meter.sensor.scope, meter.read()) for meter in found} == {
        "CPU + GPU + ANE": ("package", 5.25),
        "CPU": ("part", 5.21),
        "GPU": ("part", 0.04),
        "ANE": ("part", 0.0),
    }
    assert {meter.sensor.period_s for meter in found} == {1.0}


def test_meters_of_intel(tmp_path: Path) -> None:
    [meter] = meters(plant(tmp_path, {SAID: INTEL}))
    assert (meter.sensor.scope, meter.read()) == ("package", 31.07)


def test_a_capture_keeps_what_is_read_and_nothing_of_the_machine(tmp_path: Path) -> None:
    taken = capture(plant(tmp_path, {SAID: APPLE})).files[SAID]
    assert parse(taken) == parse(APPLE)
    assert "Machine model" not in taken


def test_what_is_not_told_has_a_reason(tmp_path: Path) -> None:
    plant(tmp_path, {SAID: "CPU Power: 5 mW\n"})
    with pytest.raises(UnreadableError, match="no power of the whole chip"):
        meters(tmp_path)
    with pytest.raises(UnreadableError, match="no clock of a cluster"):
        cpu_clock(tmp_path)
    with pytest.raises(UnreadableError, match="no thermal pressure"):
        throttled_now(tmp_path)


def test_a_user_is_told_that_root_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(os, "geteuid", lambda: 501, raising=False)
    for read in (meters, cpu_clock, throttled_now):
        with pytest.raises(UnreadableError, match=r"^powermetrics: needs root \(sudo edgeprof run \.\.\.\)$"):
            read(HERE)


@pytest.mark.skipif(sys.platform == "win32", reason="a script stands for it")
def test_one_program_runs_until_the_meters_are_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root on macOS: one sample shows what there is, then samples come without end."""
    (tmp_path / "sample").write_text(APPLE)
    script = tmp_path / "powermetrics"
    script.write_text(
        f'#!/bin/sh\ncase "$*" in *"-n 1"*) cat {tmp_path}/sample; exit;; esac\n'
        f'while true; do sed "s/: 52/: 62/; s/44 mW/99 mW/" {tmp_path}/sample; sleep 0.05; done\n'
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    found = {meter.sensor.name: meter for meter in meters(HERE)}
    deadline = time.monotonic() + 20
    while found["CPU + GPU + ANE"].read() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert {name: meter.read() for name, meter in found.items()} == {
        "CPU + GPU + ANE": 6.25,
        "CPU": 6.21,
        "GPU": 0.04,
        "ANE": 0.0,
    }
    for meter in found.values():
        meter.close()


@pytest.mark.skipif(platform.system() == "Darwin", reason="there it is")
def test_another_system() -> None:
    with pytest.raises(UnreadableError, match=r"^powermetrics: not offered here$"):
        meters(HERE)


@given(st.text() | st.lists(st.sampled_from(APPLE.split("\n")) | st.text(max_size=30)).map("\n".join))
def test_whatever_is_printed_is_read(text: str) -> None:
    assert all(hz > 0 for hz in parse(text).clusters_hz.values())
