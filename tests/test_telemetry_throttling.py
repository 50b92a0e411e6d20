"""How often the processor was slowed down, and whether it is now."""

from __future__ import annotations

from pathlib import Path

import pytest

from profiler.host.kernel_files import UnreadableError
from profiler.telemetry.throttling import throttle_counts, throttled_now, throttled_since_boot
from tests.board_trees import CPU, chip, cooling, files, laptop, orin_nano, rock_5b
from tests.host_trees import plant


def intel(number: int, core: object, package: object, socket: int = 0) -> dict[str, str]:
    counts = {"core_throttle_count": core, "package_throttle_count": package}
    own = files(f"{CPU}/cpu{number}/thermal_throttle", **counts)
    return own | files(f"{CPU}/cpu{number}/topology", physical_package_id=socket)


class TestCounts:
    def test_cores_add_up_and_a_package_counts_once(self, tmp_path: Path) -> None:
        root = laptop(tmp_path)
        assert throttle_counts(root) == {"cores": 0 + 1 + 2 + 3, "package 0": 3}
        assert throttled_since_boot(root) == {"cores": "6 times", "package 0": "3 times"}

    def test_two_packages(self, tmp_path: Path) -> None:
        root = plant(tmp_path, intel(0, 0, 2, 0) | intel(1, 0, 2, 0) | intel(2, 1, 5, 1))
        assert throttle_counts(root) == {"cores": 1, "package 0": 2, "package 1": 5}

    def test_never(self, tmp_path: Path) -> None:
        root = plant(tmp_path, intel(0, 0, 0))
        assert throttled_since_boot(root) == {"cores": "no", "package 0": "no"}

    def test_every_change_of_a_cooling_devices_step(self, tmp_path: Path) -> None:
        """A fan is none that slows the processor down."""
        moved = cooling(0, "thermal-cpufreq-0", 0, 5, stats__total_trans=4)
        still = cooling(1, "pwm-fan", 2, 4, stats__total_trans=99)
        assert throttle_counts(plant(tmp_path, moved | still)) == {"thermal-cpufreq-0": 4}

    def test_over_current_of_an_orin(self, tmp_path: Path) -> None:
        counts = {"under-voltage": 0, "average over-current": 0, "instantaneous over-current": 27}
        assert throttle_counts(orin_nano(tmp_path)) == counts

    def test_another_chips_counters_are_none(self, tmp_path: Path) -> None:
        with pytest.raises(UnreadableError, match="counters of throttling: not offered here"):
            throttle_counts(plant(tmp_path, chip(0, "ina3221", oc1_event_cnt=3)))

    @pytest.mark.parametrize("said", ["<unknown>", "", "-1", "9999999999999999999", "\x00\xff"])
    def test_a_count_that_is_none(self, tmp_path: Path, said: str) -> None:
        assert throttle_counts(plant(tmp_path, intel(0, said, 2))) == {"package 0": 2}

    def test_counts_that_together_are_more_than_a_run_file_holds(self, tmp_path: Path) -> None:
        root = plant(tmp_path, intel(0, 2**63 - 1, 2) | intel(1, 1, 2))
        assert throttle_counts(root) == {"package 0": 2}

    def test_nothing_counts(self, tmp_path: Path) -> None:
        with pytest.raises(UnreadableError, match="counters of throttling: not offered here"):
            throttle_counts(rock_5b(tmp_path))


class TestNow:
    @pytest.mark.parametrize(
        ("kind", "step", "said"),
        [
            ("thermal-cpufreq-0", 0, "no"),
            ("thermal-cpufreq-0", 2, "2 of 5"),
            ("cpufreq-cpu0", 5, "5 of 5"),
            ("intel_powerclamp", -1, "no"),
            ("cpu-throttle-alert", 1, "1 of 5"),
        ],
    )
    def test_a_cooling_device_of_the_processor(self, tmp_path: Path, kind: str, step: int, said: str) -> None:
        assert throttled_now(plant(tmp_path, cooling(0, kind, step, 5))) == {kind: said}

    def test_of_many_of_one_kind_the_hardest_driven(self, tmp_path: Path) -> None:
        devices = (
            cooling(0, "Processor", 0, 10) | cooling(1, "Processor", 3, 10) | cooling(2, "Processor", 1, 10)
        )
        assert throttled_now(plant(tmp_path, devices)) == {"Processor": "3 of 10"}

    @pytest.mark.parametrize("kind", ["pwm-fan", "thermal-devfreq-0", "iwlwifi", "LCD", "<unknown>", ""])
    def test_devices_of_something_else(self, tmp_path: Path, kind: str) -> None:
        with pytest.raises(UnreadableError, match="cooling devices of the processor: not offered here"):
            throttled_now(plant(tmp_path, cooling(0, kind, 1, 5)))

    @pytest.mark.parametrize("step", ["6", "-2", "<unknown>", "", "9" * 19])
    def test_a_step_that_is_none(self, tmp_path: Path, step: str) -> None:
        with pytest.raises(UnreadableError, match="cooling_device0/cur_state"):
            throttled_now(plant(tmp_path, cooling(0, "thermal-cpufreq-0", step, 5)))
