"""What a Raspberry Pi's firmware says, from constructed trees: all values are our own."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profiler.host.kernel_files import UnreadableError
from profiler.telemetry import pi_pmic, raspberry_pi
from profiler.telemetry.raspberry_pi import STATE, firmware_clock, throttled_now, throttled_since_boot
from tests.machines import plant

ASKED = "outputs/vcgencmd-get_throttled.txt"
CLOCK = "outputs/vcgencmd-measure_clock-arm.txt"
OF_PI_4 = "sys/devices/platform/soc/soc:firmware/get_throttled"
OF_PI_5 = "sys/devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled"
HWMON = "sys/class/hwmon"

ALL = "under-voltage, clock capped, throttled, soft temperature limit"


def alarm(number: int, value: str) -> dict[str, str]:
    folder = f"{HWMON}/hwmon{number}"
    return {f"{folder}/name": "rpi_volt", f"{folder}/in0_lcrit_alarm": value}


class TestThrottling:
    @pytest.mark.parametrize(
        ("word", "now", "since_boot"),
        [
            ("0x0", "no", "no"),
            ("0x1", "under-voltage", "no"),
            ("0x2", "clock capped", "no"),
            ("0x4", "throttled", "no"),
            ("0x8", "soft temperature limit", "no"),
            ("0x10000", "no", "under-voltage"),
            ("0x20000", "no", "clock capped"),
            ("0x40000", "no", "throttled"),
            ("0x80000", "no", "soft temperature limit"),
            ("0x60006", "clock capped, throttled", "clock capped, throttled"),
            ("0xf000F", ALL, ALL),
            ("0xFFF00000", "no", "no"),
        ],
    )
    def test_bits_by_the_table_of_the_documentation(
        self, tmp_path: Path, word: str, now: str, since_boot: str
    ) -> None:
        plant(tmp_path, {ASKED: f"throttled={word}"})
        assert throttled_now(tmp_path) == {"vcgencmd": now}
        assert throttled_since_boot(tmp_path) == {"vcgencmd": since_boot}

    @pytest.mark.parametrize("place", [OF_PI_4, OF_PI_5])
    def test_the_kernel_writes_hexadecimal_digits_without_0x(self, tmp_path: Path, place: str) -> None:
        """50000 would be 0xc350 if it were decimal: no bit that means anything."""
        plant(tmp_path, {place: "50000"})
        assert throttled_since_boot(tmp_path) == {"sysfs": "under-voltage, throttled"}
        assert throttled_now(tmp_path) == {"sysfs": "no"}

    def test_each_source_speaks_for_itself(self, tmp_path: Path) -> None:
        """The kernel's word is old: the firmware has throttled since."""
        plant(tmp_path, {OF_PI_4: "0", ASKED: "throttled=0x40004"} | alarm(2, "0"))
        assert throttled_now(tmp_path) == {"rpi_volt": "no", "sysfs": "no", "vcgencmd": "throttled"}
        assert throttled_since_boot(tmp_path) == {"sysfs": "no", "vcgencmd": "throttled"}

    def test_the_voltage_sensor_is_known_by_its_name(self, tmp_path: Path) -> None:
        other = {f"{HWMON}/hwmon0/name": "rp1_adc", f"{HWMON}/hwmon0/in0_lcrit_alarm": "0"}
        plant(tmp_path, other | alarm(3, "1"))
        assert throttled_now(tmp_path) == {"rpi_volt": "under-voltage"}
        assert throttled_since_boot(tmp_path) == {"rpi_volt": "under-voltage"}

    def test_no_alarm_now_says_nothing_of_before(self, tmp_path: Path) -> None:
        plant(tmp_path, alarm(0, "0"))
        assert throttled_now(tmp_path) == {"rpi_volt": "no"}
        with pytest.raises(UnreadableError, match=r"^outputs/vcgencmd-get_throttled.txt: not offered here$"):
            throttled_since_boot(tmp_path)

    def test_a_machine_that_is_no_raspberry_pi(self, tmp_path: Path) -> None:
        with pytest.raises(UnreadableError, match=r"not offered here$"):
            throttled_now(tmp_path)

    @pytest.mark.parametrize(
        ("said", "reason"),
        [
            ('error=1 error_msg="Command not registered"', "vcgencmd get_throttled: Command not registered"),
            ("error=2", "vcgencmd get_throttled: refused"),
            ("throttled=50000", "vcgencmd get_throttled: tells no word"),
            ("throttled=0x123456789", "vcgencmd get_throttled: tells no word"),
            ("VCHI initialization failed", "vcgencmd get_throttled: tells no word"),
        ],
    )
    def test_what_is_no_answer_is_a_reason(self, tmp_path: Path, said: str, reason: str) -> None:
        plant(tmp_path, {ASKED: said})
        with pytest.raises(UnreadableError) as caught:
            throttled_now(tmp_path)
        assert str(caught.value) == reason

    def test_who_may_not_ask_is_told_what_to_type(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """vcgencmd itself says nothing then."""
        plant(tmp_path, {"dev/vcio": "", OF_PI_4: "0"})
        monkeypatch.setattr(raspberry_pi, "HERE", tmp_path)
        monkeypatch.setattr(os, "access", lambda _path, _mode: False)
        for read in (firmware_clock, pi_pmic.meters):
            with pytest.raises(UnreadableError) as caught:
                read(tmp_path)
            assert str(caught.value) == (
                "dev/vcio: needs more rights: vcgencmd is for the group video: "
                "sudo usermod -aG video $USER, and log in again"
            )
        assert throttled_now(tmp_path) == {"sysfs": "no"}

    def test_the_kernel_wrote_something_else(self, tmp_path: Path) -> None:
        plant(tmp_path, {OF_PI_4: "none", ASKED: "throttled=0x0"})
        assert throttled_now(tmp_path) == {"vcgencmd": "no"}


class TestClock:
    @pytest.mark.parametrize("index", [0, 45, 48])
    def test_the_firmware_measures_it(self, tmp_path: Path, index: int) -> None:
        plant(tmp_path, {CLOCK: f"frequency({index})=1500398592"})
        assert firmware_clock(tmp_path) == {"firmware": 1_500_398_592}

    @pytest.mark.parametrize("said", ["frequency(0)=0", "frequency()=5", "frequency(48)=1.5e9", "1500000000"])
    def test_no_clock(self, tmp_path: Path, said: str) -> None:
        plant(tmp_path, {CLOCK: said})
        with pytest.raises(UnreadableError, match="tells no clock"):
            firmware_clock(tmp_path)


@settings(deadline=None)
@given(said=st.text(max_size=80) | st.from_regex(r"(throttled=0x|error=|frequency\(48\)=).{0,20}"))
def test_whatever_is_said_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, said: str) -> None:
    root = tmp_path_factory.mktemp("pi")
    for name in (ASKED, CLOCK, OF_PI_5):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(said.encode("utf-8", "surrogatepass"))
    for read in STATE.values():
        with suppress(UnreadableError):
            assert all(read(root).values())
