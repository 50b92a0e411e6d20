"""Governor and clocks of constructed machines, by policy."""

from __future__ import annotations

from pathlib import Path

import pytest

from profiler.host.kernel_files import UnreadableError
from profiler.telemetry.cpufreq import clocks, clocks_asked, governors
from tests.board_trees import CPU, laptop, policy
from tests.host_trees import plant

NO_CPUFREQ = r"the kernel does not tell the clock \(no cpufreq\)"


def test_two_kinds_of_cores(tmp_path: Path) -> None:
    little = policy(0, scaling_governor="ondemand", scaling_cur_freq=408_000, scaling_max_freq=1_800_000)
    big = policy(4, scaling_governor="performance", scaling_cur_freq=2_256_000, scaling_max_freq=2_400_000)
    root = plant(tmp_path, little | big)
    assert governors(root) == {"policy0": "ondemand", "policy4": "performance"}
    assert clocks(root) == {"policy0": 408_000_000, "policy4": 2_256_000_000}
    assert clocks_asked(root) == {"policy0": 1_800_000_000, "policy4": 2_400_000_000}


def test_a_laptop_whose_clock_is_capped(tmp_path: Path) -> None:
    root = laptop(tmp_path)
    assert clocks(root) == {f"policy{n}": 1_200_000_000 + n * 100_000_000 for n in range(4)}
    assert set(clocks_asked(root).values()) == {2_800_000_000}


class TestMeasured:
    def test_the_hardwares_own_word_where_it_may_be_read(self, tmp_path: Path) -> None:
        """The wish is 2.4 GHz; what comes of it is less (RK3588, PVTM)."""
        root = plant(tmp_path, policy(4, scaling_cur_freq=2_400_000, cpuinfo_cur_freq=2_256_000))
        assert clocks(root) == {"policy4": 2_256_000_000}

    def test_acpi_only_repeats_what_was_asked_for(self, tmp_path: Path) -> None:
        """The state is 3.6 GHz; the counters of the processor say 4.4."""
        values = {"scaling_cur_freq": 4_400_000, "cpuinfo_cur_freq": 3_600_000}
        root = plant(tmp_path, policy(0, scaling_driver="acpi-cpufreq", **values))
        assert clocks(root) == {"policy0": 4_400_000_000}

    @pytest.mark.parametrize("said", ["<unknown>", "0", "-1", "", "2e6", "9999999999999999999"])
    def test_what_is_no_clock_leaves_the_other_file(self, tmp_path: Path, said: str) -> None:
        root = plant(tmp_path, policy(0, scaling_cur_freq=1_500_000, cpuinfo_cur_freq=said))
        assert clocks(root) == {"policy0": 1_500_000_000}


class TestAsked:
    def test_the_clock_that_a_user_has_set(self, tmp_path: Path) -> None:
        values = {"scaling_setspeed": 1_200_000, "scaling_max_freq": 2_400_000}
        root = plant(tmp_path, policy(0, scaling_governor="userspace", **values))
        assert clocks_asked(root) == {"policy0": 1_200_000_000}

    def test_no_clock_is_set_where_the_file_says_unsupported(self, tmp_path: Path) -> None:
        values = {"scaling_setspeed": "<unsupported>", "scaling_max_freq": 2_400_000}
        root = plant(tmp_path, policy(0, scaling_governor="schedutil", **values))
        assert clocks_asked(root) == {"policy0": 2_400_000_000}

    @pytest.mark.parametrize(
        ("driver", "hertz"),
        [("cpufreq-dt", 600_000_000), ("intel_pstate", 1_800_000_000), ("amd-pstate-epp", 1_800_000_000)],
    )
    def test_powersave_is_the_lowest_clock_unless_the_processor_chooses(
        self, tmp_path: Path, driver: str, hertz: int
    ) -> None:
        values = {"scaling_min_freq": 600_000, "scaling_max_freq": 1_800_000, "scaling_driver": driver}
        root = plant(tmp_path, policy(0, scaling_governor="powersave", **values))
        assert clocks_asked(root) == {"policy0": hertz}


class TestWhatIsNotThere:
    def test_cores_that_are_off_are_left_out(self, tmp_path: Path) -> None:
        """The folder of their policy stays, and its files cannot be read."""
        root = plant(tmp_path, policy(0, scaling_governor="schedutil", scaling_cur_freq=1_510_000))
        for name in ("scaling_governor", "scaling_cur_freq", "scaling_max_freq"):
            (root / CPU / "cpufreq/policy4" / name).mkdir(parents=True)
        assert governors(root) == {"policy0": "schedutil"}
        assert clocks(root) == {"policy0": 1_510_000_000}

    @pytest.mark.parametrize("read", [governors, clocks, clocks_asked])
    def test_no_cpufreq_at_all(self, tmp_path: Path, read: type) -> None:
        with pytest.raises(UnreadableError, match=NO_CPUFREQ):
            read(tmp_path)

    def test_all_cores_off(self, tmp_path: Path) -> None:
        (tmp_path / CPU / "cpufreq/policy0").mkdir(parents=True)
        with pytest.raises(UnreadableError, match="no policy of cpufreq tells anything"):
            clocks(tmp_path)

    def test_names_that_no_kernel_gives_are_passed_over(self, tmp_path: Path) -> None:
        root = plant(tmp_path, policy(0, scaling_governor="schedutil"))
        odd = root / CPU / "cpufreq" / "policy1\x1b[31m"
        odd.mkdir()
        (odd / "scaling_governor").write_text("evil\n")
        assert governors(root) == {"policy0": "schedutil"}

    def test_a_governor_with_control_characters(self, tmp_path: Path) -> None:
        root = plant(tmp_path, policy(0, scaling_governor="on\x1b[2Jdemand\0"))
        assert governors(root) == {"policy0": "on [2Jdemand"}
