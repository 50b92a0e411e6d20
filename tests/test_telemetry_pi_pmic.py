"""The power chip of a Raspberry Pi 5, from constructed answers: all values are our own."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.host.kernel_files import UnreadableError
from profiler.telemetry.pi_pmic import SENSOR, meters, rails_sum
from tests.machines import plant

SAID = "outputs/vcgencmd-pmic_read_adc.txt"

ANSWER = """\
 3V7_WL_SW_A current(0)=0.10000000A
   1V1_SYS_A current(5)=0.20000000A
  VDD_CORE_A current(7)=2.50000000A
  DDR_VDDQ_A current(4)=0.00000000A
 3V7_WL_SW_V volt(8)=3.70000000V
   1V1_SYS_V volt(13)=1.10000000V
  VDD_CORE_V volt(15)=0.80000000V
  DDR_VDDQ_V volt(12)=0.60000000V
     EXT5V_V volt(24)=5.10000000V
      BATT_V volt(25)=0.02000000V
"""


def test_volts_times_amperes_of_the_rails_that_have_both(tmp_path: Path) -> None:
    """0.37 + 0.22 + 2.0 + 0 W. The two inputs have no current, and nothing is added for what is not seen."""
    [meter] = meters(plant(tmp_path, {SAID: ANSWER}))
    assert meter.read() == pytest.approx(2.59)
    assert meter.sensor == SENSOR
    meter.close()


def test_it_is_called_what_it_is() -> None:
    assert SENSOR.scope == "partial"
    assert (SENSOR.quantity, SENSOR.source) == ("power", "pi_pmic")
    assert SENSOR.note is not None
    assert all(unseen in SENSOR.note for unseen in ("USB", "HATs", "loses"))


def test_the_digit_in_the_name_of_a_rail_is_not_its_value() -> None:
    assert rails_sum("EXT5V_V volt(24)=4.0V\nEXT5V_A current(26)=2.0A\n") == 8.0


def test_the_order_of_lines_does_not_matter() -> None:
    assert rails_sum("\n".join(reversed(ANSWER.split("\n")))) == pytest.approx(2.59)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ('error=1 error_msg="Command not registered"', "vcgencmd pmic_read_adc: Command not registered"),
        ("EXT5V_V volt(24)=5.1V", "vcgencmd pmic_read_adc: no rail has both voltage and current"),
        ("A_A current(0)=1V", "vcgencmd pmic_read_adc: a line is neither a current nor a voltage"),
        ("A_V current(0)=1A", "vcgencmd pmic_read_adc: a line is neither a current nor a voltage"),
        ("A_A current(0)=nanA", "vcgencmd pmic_read_adc: a line is neither a current nor a voltage"),
        ("A_A current(0)=1e9A", "vcgencmd pmic_read_adc: a line is neither a current nor a voltage"),
    ],
)
def test_what_is_no_answer_is_a_reason(tmp_path: Path, said: str, reason: str) -> None:
    with pytest.raises(UnreadableError) as caught:
        meters(plant(tmp_path, {SAID: said}))
    assert str(caught.value) == reason


def test_another_board(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match="not offered here"):
        meters(tmp_path)


def test_a_reading_that_fails_later_is_none(tmp_path: Path) -> None:
    [meter] = meters(plant(tmp_path, {SAID: ANSWER}))
    (tmp_path / SAID).write_text("error=2\n")
    assert meter.read() is None


@given(
    st.text() | st.from_regex(r"( [A-Z0-9]{1,5}_[AV] (current|volt)\(\d\)=-?\d{1,5}(\.\d{1,3})?[AV]\n){1,4}")
)
def test_whatever_is_said_is_read_or_refused(said: str) -> None:
    with suppress(UnreadableError):
        assert abs(rails_sum(said)) < 1e10
