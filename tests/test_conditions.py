"""What a worker reads of its processor, from constructed /sys trees of several machines."""

from __future__ import annotations

from pathlib import Path

import pytest

from profiler.measure.worker_conditions import Processor
from tests.host_trees import laptop, plant

CPU = "sys/devices/system/cpu"
THERMAL = "sys/class/thermal"
HWMON = "sys/class/hwmon"
WORD = "sys/devices/platform/soc/soc:firmware/get_throttled"


def processor(root: Path, files: dict[str, str], cpus: int = 4, threads: int | None = None) -> Processor:
    return Processor(range(cpus), threads, str(plant(root, files)))


def clocks(*khz: int) -> dict[str, str]:
    return {f"{CPU}/cpu{n}/cpufreq/scaling_cur_freq": f"{value}\n" for n, value in enumerate(khz)}


def zone(number: int, kind: str, millidegrees: int) -> dict[str, str]:
    folder = f"{THERMAL}/thermal_zone{number}"
    return {f"{folder}/type": f"{kind}\n", f"{folder}/temp": f"{millidegrees}\n"}


def chip(number: int, name: str, *millidegrees: int, labels: tuple[str, ...] = ()) -> dict[str, str]:
    folder = f"{HWMON}/hwmon{number}"
    files = {f"{folder}/name": f"{name}\n"}
    files |= {f"{folder}/temp{n}_input": f"{value}\n" for n, value in enumerate(millidegrees, 1)}
    return files | {f"{folder}/temp{n}_label": f"{label}\n" for n, label in enumerate(labels, 1)}


class TestClock:
    def test_mean_of_the_cpus_that_may_be_used(self, tmp_path: Path) -> None:
        files = clocks(1_000_000, 2_000_000, 9_000_000)
        assert processor(tmp_path, files, cpus=2).conditions()["clock_hz"] == 1_500_000_000

    def test_as_many_of_the_fastest_as_there_are_threads(self, tmp_path: Path) -> None:
        """Two threads on the big cores; the little ones idle, and their clock tells nothing."""
        files = clocks(408_000, 408_000, 2_208_000, 2_400_000)
        assert processor(tmp_path, files, threads=2).conditions()["clock_hz"] == 2_304_000_000

    def test_cores_that_share_a_clock_count_each(self, tmp_path: Path) -> None:
        """Three cores on one policy at 1 GHz, one on another at 2 GHz: the mean is 1.25 GHz."""
        policies = {f"{CPU}/cpufreq/policy0": 1_000_000, f"{CPU}/cpufreq/policy3": 2_000_000}
        plant(tmp_path, {f"{name}/scaling_cur_freq": f"{khz}\n" for name, khz in policies.items()})
        for number, policy in enumerate([0, 0, 0, 3]):
            folder = tmp_path / CPU / f"cpu{number}"
            folder.mkdir(parents=True)
            (folder / "cpufreq").symlink_to(tmp_path / CPU / f"cpufreq/policy{policy}")
        assert Processor(range(4), None, str(tmp_path)).conditions()["clock_hz"] == 1_250_000_000

    @pytest.mark.parametrize("text", ["", "<unknown>\n", "-1e9\n", "0\n"])
    def test_a_file_without_a_clock(self, tmp_path: Path, text: str) -> None:
        files = {f"{CPU}/cpu0/cpufreq/scaling_cur_freq": text}
        assert processor(tmp_path, files).conditions()["clock_hz"] is None

    def test_cpuinfo_is_not_asked(self, tmp_path: Path) -> None:
        files = {"proc/cpuinfo": "processor\t: 0\ncpu MHz\t\t: 2649.998\n"}
        assert processor(tmp_path, files).conditions() == {"clock_hz": None, "temperature_c": None}


class TestTemperature:
    @pytest.mark.parametrize(
        "kind",
        ["x86_pkg_temp", "cpu-thermal", "bcm2835_thermal", "soc_thermal", "bigcore0_thermal", "tj-thermal",
         "CPU-therm"],
    )  # fmt: skip
    def test_zones_of_a_processor(self, tmp_path: Path, kind: str) -> None:
        assert processor(tmp_path, zone(0, kind, 61_500)).conditions()["temperature_c"] == 61.5

    @pytest.mark.parametrize(
        "kind", ["battery", "soc", "PMIC-Die", "gpu-thermal", "iwlwifi_1", "acpitz", "INT3400 Thermal"]
    )
    def test_zones_of_something_else(self, tmp_path: Path, kind: str) -> None:
        assert processor(tmp_path, zone(0, kind, 61_500)).conditions()["temperature_c"] is None

    def test_the_highest_that_a_chip_can_have(self, tmp_path: Path) -> None:
        files = zone(0, "cpu-thermal", 50_000) | zone(1, "soc0-thermal", 58_000)
        files |= zone(2, "cpu1-thermal", -256_000) | zone(3, "cpu2-thermal", 220_000)
        assert processor(tmp_path, files).conditions()["temperature_c"] == 58

    def test_sensors_of_hwmon_by_name(self, tmp_path: Path) -> None:
        """A network chip at 95 degrees is none of ours."""
        files = chip(0, "eth0_phy", 95_700) | chip(1, "coretemp", 71_000, 68_000) | chip(2, "nvme", 80_000)
        assert processor(tmp_path, files).conditions()["temperature_c"] == 71

    @pytest.mark.parametrize(
        "name",
        ["stmmac_0_00", "eqos_phy", "aqr113c", "6810000_ethernet_0_00", "r8169_0_300:00", "mt7921_phy0"],
    )
    def test_a_network_chip_is_never_the_processor(self, tmp_path: Path, name: str) -> None:
        files = chip(0, name, 100_800) | zone(0, "tj-thermal", 52_000) | zone(1, "cpu-thermal", 51_000)
        assert processor(tmp_path, files).conditions()["temperature_c"] == 52
        assert processor(tmp_path / "alone", chip(0, name, 100_800)).conditions()["temperature_c"] is None

    def test_the_control_value_of_amd_has_an_offset(self, tmp_path: Path) -> None:
        files = chip(0, "k10temp", 95_000, 68_000, labels=("Tctl", "Tdie"))
        assert processor(tmp_path, files).conditions()["temperature_c"] == 68

    def test_the_control_value_is_taken_where_it_is_the_only_one(self, tmp_path: Path) -> None:
        files = chip(0, "k10temp", 66_000, labels=("Tctl",))
        assert processor(tmp_path, files).conditions()["temperature_c"] == 66

    def test_a_laptop_that_tells_of_its_board_alone(self, tmp_path: Path) -> None:
        assert Processor(range(4), 4, str(laptop(tmp_path))).conditions()["temperature_c"] is None


class TestThrottling:
    def counts(self, core: int, package: int) -> dict[str, str]:
        folder = f"{CPU}/cpu0/thermal_throttle"
        return {
            f"{folder}/core_throttle_count": f"{core}\n",
            f"{folder}/package_throttle_count": f"{package}\n",
        }

    def test_events_are_how_far_the_counters_moved(self, tmp_path: Path) -> None:
        found = processor(tmp_path, self.counts(3, 10))
        before = found.throttle_count()
        assert found.throttled_since(before) == 0
        plant(tmp_path, self.counts(4, 12))
        assert (before, found.throttled_since(before)) == (13, 3)

    def test_of_cpus_that_may_not_be_used_nothing_counts(self, tmp_path: Path) -> None:
        plant(tmp_path, self.counts(3, 10))
        assert Processor([1, 2], None, str(tmp_path)).throttle_count() is None

    def test_nothing_counts_them(self, tmp_path: Path) -> None:
        found = processor(tmp_path, {})
        assert (found.throttle_count(), found.throttled_since(None)) == (None, None)

    @pytest.mark.parametrize(
        ("word", "remembered", "now"),
        [
            ("0", 0, 0),
            ("50000", 1, 0),  # too little voltage, and throttled, at some time
            ("50005", 1, 1),  # and both now
            ("e0008", 3, 1),  # capped, throttled, soft limit at some time; soft limit now
            ("10001", 0, 0),  # too little voltage alone
            ("0x50005", 0, 0),  # not what the kernel writes
        ],
    )
    def test_a_raspberry_pi_keeps_no_counter(
        self, tmp_path: Path, word: str, remembered: int, now: int
    ) -> None:
        found = processor(tmp_path, {WORD: f"{word}\n"})
        assert found.throttle_count() == remembered
        assert found.throttled_since(remembered) == now

    def test_a_raspberry_pi_that_throttles_for_the_first_time(self, tmp_path: Path) -> None:
        found = processor(tmp_path, {WORD: "0\n"})
        before = found.throttle_count()
        plant(tmp_path, {WORD: "60006\n"})
        assert found.throttled_since(before) == 2

    def test_a_raspberry_pi_5_has_its_word_elsewhere(self, tmp_path: Path) -> None:
        word = "sys/devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled"
        assert processor(tmp_path, {word: "20000\n"}).throttle_count() == 1

    @pytest.mark.parametrize(
        ("kind", "events"), [("thermal-cpufreq-0", 1), ("Processor", 1), ("pwm-fan", None), ("gpu", None)]
    )
    def test_a_cooling_device_that_holds_the_clock_down(
        self, tmp_path: Path, kind: str, events: int | None
    ) -> None:
        device = f"{THERMAL}/cooling_device0"
        found = processor(tmp_path, {f"{device}/type": f"{kind}\n", f"{device}/cur_state": "2\n"})
        assert found.throttled_since(found.throttle_count()) == events
