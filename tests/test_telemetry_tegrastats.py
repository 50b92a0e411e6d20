"""Lines of tegrastats of every JetPack, constructed: all values are our own."""

from __future__ import annotations

import os
import shutil
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.host import vendors
from profiler.host.kernel_files import HERE, UnreadableError
from profiler.telemetry import ina3221, tegrastats
from profiler.telemetry.jetson_rails import NOT_KNOWN
from profiler.telemetry.tegrastats import (
    dram_clock,
    engine,
    gpu_clock,
    gpu_load,
    meters,
    rails,
    temperature,
    temperatures,
    words_of,
)
from tests.machines import plant

JETPACK_4 = (
    "RAM 2000/15692MB (lfb 300x4MB) SWAP 0/7846MB (cached 0MB) CPU [9%@1190,off,2%@1190,off] EMC_FREQ 0% "
    "GR3D_FREQ 11% AO@34C GPU@35.5C Tdiode@36.25C PMIC@100C AUX@33C CPU@36.5C thermal@35.1C Tboard@35C "
    "GPU 310/300 CPU 622/600 SOC 932/930 CV 0/0 VDDRQ 155/150 SYS5V 1537/1530"
)
JETPACK_5 = (
    "02-03-2026 08:09:10 RAM 4000/62800MB (lfb 13x4MB) SWAP 0/31400MB (cached 0MB) CPU [5%@729,off,off,0%@729] "
    "EMC_FREQ 1%@2133 GR3D_FREQ 9%@[305,306] VIC_FREQ 729 APE 174 CV0@-256C CPU@45.1C Tboard@34C SOC2@41.5C "
    "GPU@-256C tj@45.1C VDD_GPU_SOC 2400mW/2300mW VDD_CPU_CV 800mW/790mW VIN_SYS_5V0 3002mW/3000mW NC 0mW/0mW "
    "VDDQ_VDD2_1V8AO 403mW/400mW NC 0mW/0mW"
)
JETPACK_6 = (
    "02-03-2026 08:09:10 RAM 2100/7620MB (lfb 5x4MB) SWAP 12/3810MB (cached 1MB) "
    "CPU [7%@1510,0%@1510,off,3%@1510,off,100%@1510] EMC_FREQ 4%@2133 GR3D_FREQ 37%@[611] NVDEC off NVJPG off "
    "VIC off OFA off APE 200 cpu@51.25C soc2@50.5C cv0@-256C gpu@52C tj@52C "
    "VDD_IN 8123mW/7950mW VDD_CPU_GPU_CV 3011mW/2900mW VDD_SOC 1602mW/1590mW"
)
JETPACK_6_OF_A_USER = JETPACK_6.replace("EMC_FREQ 4%@2133 ", "").replace("37%@[611]", "37%")
JETPACK_7 = (
    "02-03-2026 08:09:10 RAM 9000/62840MB (lfb 20x4MB) SWAP 0/31420MB (cached 0MB) "
    "CPU [1%@729,2%@729,off,off] EMC_FREQ 5%@3199 GR3D_FREQ 21%@[1201,1198] NVENC0 off NVENC1 off "
    "cpu@47.5C/47.5C tboard@38.25C/38.25C soc0@46C/46C gpu@-256C/-256C tj@47.5C/47.5C "
    "VDD_GPU_SOC 6011mW/5900mW/7100mW VDD_CPU_CV 2400mW/2300mW/3000mW VIN_SYS_5V0 4505mW/4400mW/4600mW "
    "NC 0mW/0mW/0mW"
)
THOR = "RAM 9/9MB CPU [0%@972] GR3D_FREQ @[1575,1575,1001] VDD_GPU 3mW/3mW/3mW VIN 25100mW/25000mW/25200mW"
XAVIER = (
    "RAM 3000/7772MB (lfb 2x2MB) SWAP 0/3886MB (cached 0MB) CPU [12%@1190,off,off,9%@1190] EMC_FREQ 1%@1600 "
    "GR3D_FREQ 0%@114 APE 150 MTS fg 0% bg 2% AO@36.5C GPU@37C PMIC@100C AUX@36C CPU@38.25C thermal@37.1C "
    "VDD_IN 4012/3950 VDD_CPU_GPU_CV 611/600 VDD_SOC 1010/1002"
)
NANO = (
    "RAM 1400/3956MB (lfb 100x4MB) IRAM 0/252kB(lfb 252kB) CPU [20%@1479,15%@1479,off,off] EMC_FREQ 2%@1600 "
    "GR3D_FREQ 5%@76 APE 25 PLL@29C CPU@31.5C PMIC@100C GPU@30C AO@35C thermal@30.75C "
    "POM_5V_IN 2512/2498 POM_5V_GPU 40/41 POM_5V_CPU 611/602"
)
LINES = (JETPACK_4, JETPACK_5, JETPACK_6, JETPACK_6_OF_A_USER, JETPACK_7, THOR, XAVIER, NANO)

SAID = "outputs/tegrastats.txt"


def on(root: Path, line: str) -> Path:
    return plant(root, {SAID: line})


class TestForms:
    @pytest.mark.parametrize(
        ("line", "load", "clocks"),
        [
            (JETPACK_4, 0.11, ()),
            (JETPACK_5, 0.09, (305_000_000, 306_000_000)),
            (JETPACK_6, 0.37, (611_000_000,)),
            (JETPACK_6_OF_A_USER, 0.37, ()),
            (JETPACK_7, 0.21, (1_201_000_000, 1_198_000_000)),
            (THOR, None, (1_575_000_000, 1_575_000_000, 1_001_000_000)),
            (XAVIER, 0.0, (114_000_000,)),
            (NANO, 0.05, (76_000_000,)),
        ],
        ids=[
            "jetpack 4",
            "jetpack 5",
            "jetpack 6",
            "jetpack 6 of a user",
            "jetpack 7",
            "thor",
            "xavier",
            "nano",
        ],
    )
    def test_load_and_clocks_of_the_gpu(self, line: str, load: float | None, clocks: tuple[int, ...]) -> None:
        assert engine(words_of(line), "GR3D_FREQ") == (load, clocks)

    @pytest.mark.parametrize(
        ("line", "watts"),
        [
            (
                JETPACK_4,
                {"GPU": 0.31, "CPU": 0.622, "SOC": 0.932, "CV": 0.0, "VDDRQ": 0.155, "SYS5V": 1.537},
            ),
            (
                JETPACK_5,
                {"VDD_GPU_SOC": 2.4, "VDD_CPU_CV": 0.8, "VIN_SYS_5V0": 3.002, "VDDQ_VDD2_1V8AO": 0.403},
            ),
            (JETPACK_6, {"VDD_IN": 8.123, "VDD_CPU_GPU_CV": 3.011, "VDD_SOC": 1.602}),
            (JETPACK_7, {"VDD_GPU_SOC": 6.011, "VDD_CPU_CV": 2.4, "VIN_SYS_5V0": 4.505}),
            (THOR, {"VDD_GPU": 0.003, "VIN": 25.1}),
            (XAVIER, {"VDD_IN": 4.012, "VDD_CPU_GPU_CV": 0.611, "VDD_SOC": 1.01}),
            (NANO, {"POM_5V_IN": 2.512, "POM_5V_GPU": 0.04, "POM_5V_CPU": 0.611}),
        ],
        ids=["jetpack 4", "jetpack 5", "jetpack 6", "jetpack 7", "thor", "xavier", "nano"],
    )
    def test_of_each_rail_the_first_number(self, line: str, watts: dict[str, float]) -> None:
        """Memory has two numbers as well, and an NC rail is none."""
        assert rails(words_of(line)) == watts

    @pytest.mark.parametrize(
        ("line", "degrees"),
        [
            (
                JETPACK_4,
                {
                    "AO": 34,
                    "GPU": 35.5,
                    "Tdiode": 36.25,
                    "AUX": 33,
                    "CPU": 36.5,
                    "thermal": 35.1,
                    "Tboard": 35,
                },
            ),
            (JETPACK_5, {"CPU": 45.1, "Tboard": 34, "SOC2": 41.5, "tj": 45.1}),
            (JETPACK_6, {"cpu": 51.25, "soc2": 50.5, "gpu": 52.0, "tj": 52.0}),
            (JETPACK_7, {"cpu": 47.5, "tboard": 38.25, "soc0": 46.0, "tj": 47.5}),
            (THOR, {}),
            (XAVIER, {"AO": 36.5, "GPU": 37.0, "AUX": 36.0, "CPU": 38.25, "thermal": 37.1}),
            (NANO, {"PLL": 29.0, "CPU": 31.5, "GPU": 30.0, "AO": 35.0, "thermal": 30.75}),
        ],
        ids=["jetpack 4", "jetpack 5", "jetpack 6", "jetpack 7", "thor", "xavier", "nano"],
    )
    def test_temperatures_without_absent_sensors_and_placeholders(
        self, line: str, degrees: dict[str, float]
    ) -> None:
        assert temperatures(words_of(line)) == degrees

    @pytest.mark.parametrize("word", ["101%", "5%@", "5%@[", "5%@[1,]", "%", "@[]", "5 %", "1300", "5%@1e3"])
    def test_a_form_that_is_not_known_is_refused(self, word: str) -> None:
        with pytest.raises(UnreadableError, match="GR3D_FREQ has an unknown form"):
            engine(words_of(f"RAM 1/2MB GR3D_FREQ {word}"), "GR3D_FREQ")

    @pytest.mark.parametrize("word", ["5mW", "5mW/5", "5/5mW", "mW/mW", "5/5/5/5", "5W/5W", "1.5/1.5"])
    def test_a_power_in_a_form_that_is_not_known_is_none(self, word: str) -> None:
        assert rails(words_of(f"RAM 1/2MB VDD_IN {word}")) == {}

    @pytest.mark.parametrize(
        "text", ["", "VDD_IN 5/5", "RAM", "RAM 5MB", "Error: run this as root", "IRAM 0/2kB"]
    )
    def test_another_text_is_not_a_line(self, text: str) -> None:
        with pytest.raises(UnreadableError, match="not a line of it"):
            words_of(text)

    @given(st.text() | st.lists(st.sampled_from(" ".join(LINES).split()) | st.text(max_size=9)).map(" ".join))
    def test_whatever_is_printed_is_read_or_refused(self, text: str) -> None:
        with suppress(UnreadableError):
            words = words_of(text)
            rails(words), temperatures(words), engine(words, "GR3D_FREQ"), engine(words, "EMC_FREQ")


class TestState:
    def test_one_line_tells_four_topics(self, tmp_path: Path) -> None:
        root = on(tmp_path, JETPACK_6)
        assert gpu_clock(root) == {"tegrastats": 611_000_000}
        assert gpu_load(root) == {"tegrastats": 0.37}
        assert dram_clock(root) == {"tegrastats": 2_133_000_000}
        assert temperature(root)["tegrastats cpu"] == 51.25

    def test_clusters_of_a_gpu_have_clocks_of_their_own(self, tmp_path: Path) -> None:
        assert gpu_clock(on(tmp_path, JETPACK_7)) == {
            "tegrastats GPC0": 1_201_000_000,
            "tegrastats GPC1": 1_198_000_000,
        }

    @pytest.mark.parametrize(
        ("clocks", "said"),
        [
            ("[0]", {"tegrastats": "off"}),
            ("[0,1198]", {"tegrastats GPC0": "off", "tegrastats GPC1": 1_198_000_000}),
        ],
    )
    def test_a_gpu_without_power_is_off(
        self, tmp_path: Path, clocks: str, said: dict[str, int | str]
    ) -> None:
        assert gpu_clock(on(tmp_path, JETPACK_6.replace("37%@[611]", f"0%@{clocks}"))) == said

    def test_no_memory_works_without_a_clock(self, tmp_path: Path) -> None:
        with pytest.raises(UnreadableError, match="no clock of the memory"):
            dram_clock(on(tmp_path, JETPACK_6.replace("4%@2133", "4%@0")))

    def test_what_is_not_told_has_a_reason(self, tmp_path: Path) -> None:
        root = on(tmp_path, JETPACK_6_OF_A_USER)
        with pytest.raises(UnreadableError, match="no clock of the GPU"):
            gpu_clock(root)
        with pytest.raises(UnreadableError, match=r"no clock of the memory .* only to root"):
            dram_clock(root)
        on(tmp_path, THOR)
        with pytest.raises(UnreadableError, match="no load of the GPU"):
            gpu_load(root)
        with pytest.raises(UnreadableError, match="no temperature"):
            temperature(root)

    def test_another_machine(self, tmp_path: Path) -> None:
        with pytest.raises(UnreadableError, match="not offered here"):
            gpu_clock(tmp_path)


class TestMeters:
    def test_in_a_captured_tree_its_one_line_counts(self, tmp_path: Path) -> None:
        found = meters(on(tmp_path, XAVIER))
        assert [(m.sensor.id, m.sensor.scope, m.read(), m.sensor.period_s) for m in found] == [
            ("tegrastats/VDD_IN", "board", 4.012, 0.5),
            ("tegrastats/VDD_CPU_GPU_CV", "part", 0.611, 0.5),
            ("tegrastats/VDD_SOC", "part", 1.01, 0.5),
        ]

    def test_the_rails_of_agx_orin_add_up_here_too(self, tmp_path: Path) -> None:
        assert {meter.sensor.scope for meter in meters(on(tmp_path, JETPACK_7))} == {"board"}

    def test_a_set_of_rails_that_is_not_known_has_no_total(self, tmp_path: Path) -> None:
        found = meters(on(tmp_path, JETPACK_4))
        assert {(meter.sensor.scope, meter.sensor.note) for meter in found} == {("part", NOT_KNOWN)}

    def test_thor_has_an_input(self, tmp_path: Path) -> None:
        found = {meter.sensor.name: meter.sensor.scope for meter in meters(on(tmp_path, THOR))}
        assert found == {"VDD_GPU": "part", "VIN": "board"}

    def test_not_where_the_chips_can_be_read(self, tmp_path: Path) -> None:
        folder = "sys/class/hwmon/hwmon0"
        rail = {"name": "ina3221", "in1_label": "VDD_IN", "in1_input": "5000", "curr1_input": "800"}
        plant(on(tmp_path, JETPACK_6), {f"{folder}/{name}": text for name, text in rail.items()})
        assert len(ina3221.meters(tmp_path)) == 1
        with pytest.raises(UnreadableError, match=r"^ina3221 tells the same rails without a program$"):
            meters(tmp_path)

    def test_a_line_without_power(self, tmp_path: Path) -> None:
        with pytest.raises(UnreadableError, match="tells no power"):
            meters(on(tmp_path, "RAM 1/2MB CPU [off]"))

    @pytest.mark.skipif(sys.platform != "linux", reason="tegrastats runs on Linux")
    def test_one_program_runs_until_the_meters_are_closed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pids = tmp_path / "pids"
        script = tmp_path / "tegrastats"
        script.write_text(
            f"#!/bin/sh\necho $$ >> {pids}\nn=1\n"
            "while true; do echo RAM 1/2MB VDD_IN ${n}000/1000; n=$((n + 1)); sleep 0.05; done\n"
        )
        script.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.setattr(tegrastats, "_chips_are_readable", lambda root: False)
        assert shutil.which(vendors.TEGRASTATS.command[0]) == str(script)
        [meter] = meters(HERE)
        deadline = time.monotonic() + 20
        while (meter.read() or 0) < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert (meter.read() or 0) >= 3
        meter.close()
        meter.close()
        first, kept = pids.read_text().split()
        assert not Path(f"/proc/{first}").exists()
        assert not Path(f"/proc/{kept}").exists()
