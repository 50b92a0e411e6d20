"""What the firmware of a Raspberry Pi says: throttling, and the clock that it really set.

The parts are named by where they come from. "vcgencmd" asks the firmware. "sysfs" is a word that the kernel keeps and
renews only when something else asks the firmware, so it may be old; the kernel calls it deprecated, and a Pi 5 may
not have it. "rpi_volt" is the alarm of the kernel's voltage sensor: under-voltage and nothing else, as it found
it when it last asked (every two seconds, each time clearing what the firmware had remembered for it).

Bits of the word: Raspberry Pi documentation, vcgencmd get_throttled.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from profiler.host.kernel_files import HERE, UnreadableError, entries, is_there, number, word, word_or_none
from profiler.host.programs import output
from profiler.host.vendors import vcgencmd
from profiler.telemetry.protocol import Reader

WORDS = ("under-voltage", "clock capped", "throttled", "soft temperature limit")
"""What bits 0 to 3 mean of now, and bits 16 to 19 of the time since the start."""

SINCE_BOOT = 16

PLATFORM = "sys/devices/platform"

DEVICE = "dev/vcio"
FOR_GROUP_ONLY = "vcgencmd is for the group video: sudo usermod -aG video $USER, and log in again"


def answer(root: Path, *words: str) -> str:
    """What the firmware answers. Raises `UnreadableError` with its own reason where it refuses."""
    _allowed(root)
    text = output(root, vcgencmd(*words)).strip()
    refused = re.match(r'error=-?[0-9]+(?: error_msg="([^"\n]{1,80}))?', text)
    if refused:
        raise UnreadableError(f"vcgencmd {' '.join(words)}: {refused[1] or 'refused'}")
    return text


def _allowed(root: Path) -> None:
    if root == HERE and is_there(root, DEVICE) and not os.access(root / DEVICE, os.R_OK | os.W_OK):
        raise UnreadableError(f"{DEVICE}: needs more rights: {FOR_GROUP_ONLY}")


def throttled_now(root: Path) -> dict[str, str]:
    alarm = _alarm(root)
    told = {} if alarm is None else {"rpi_volt": _named(int(alarm))}
    return told | {source: _named(bits) for source, bits in _throttled(root, needed=not told).items()}


def throttled_since_boot(root: Path) -> dict[str, str]:
    """An alarm of now was one since the start too; no alarm now says nothing of before."""
    alarmed = {"rpi_volt": _named(1)} if _alarm(root) else {}
    known = _throttled(root, needed=not alarmed)
    return alarmed | {source: _named(bits >> SINCE_BOOT) for source, bits in known.items()}


def firmware_clock(root: Path) -> dict[str, int]:
    """Hertz of the Arm cores, as measured; what cpufreq shows here may be a wish."""
    found = re.fullmatch(r"frequency\([0-9]{1,4}\)=([0-9]{1,12})", answer(root, "measure_clock", "arm"))
    if not found or int(found[1]) == 0:
        raise UnreadableError("vcgencmd measure_clock arm: tells no clock")
    return {"firmware": int(found[1])}


def _named(bits: int) -> str:
    return ", ".join(name for place, name in enumerate(WORDS) if bits >> place & 1) or "no"


def _throttled(root: Path, needed: bool) -> dict[str, int]:
    """The word of each source that tells it. Raises `UnreadableError` if one is needed and there is none."""
    told: dict[str, int] = {}
    reason = None
    for source, read in (("sysfs", _kept_by_kernel), ("vcgencmd", _asked)):
        try:
            told[source] = read(root)
        except UnreadableError as unreadable:
            reason = unreadable
    if reason and needed and not told:
        raise reason
    return told


def _asked(root: Path) -> int:
    found = re.fullmatch(r"throttled=0x([0-9a-fA-F]{1,8})", answer(root, "get_throttled"))
    if not found:
        raise UnreadableError("vcgencmd get_throttled: tells no word")
    return int(found[1], 16)


def _kept_by_kernel(root: Path) -> int:
    """Hexadecimal digits without 0x, which look like a decimal number."""
    name = _kept_at(root)
    digits = word(root, name)
    if not re.fullmatch(r"[0-9a-fA-F]{1,8}", digits):
        raise UnreadableError(f"{name}: not hexadecimal digits")
    return int(digits, 16)


def _kept_at(root: Path) -> str:
    """On a Pi 4 and before, or on a Pi 5, whose nodes carry an address."""
    nodes = [f"{PLATFORM}/soc/soc:firmware"]
    for soc in entries(root, PLATFORM, "soc@*"):
        nodes += entries(root, soc, "soc@*:firmware")
    return next(
        (f"{node}/get_throttled" for node in nodes if is_there(root, f"{node}/get_throttled")),
        f"{nodes[0]}/get_throttled",
    )


def _alarm(root: Path) -> bool | None:
    """None where there is no such sensor. Numbers of hwmon move, so it is known by its name."""
    for chip in entries(root, "sys/class/hwmon", "hwmon*"):
        if word_or_none(root, f"{chip}/name") == "rpi_volt":
            with suppress(UnreadableError):
                return number(root, f"{chip}/in0_lcrit_alarm") == 1
    return None


STATE: Mapping[str, Reader] = {
    "throttled_now": throttled_now,
    "throttled_since_boot": throttled_since_boot,
    "cpu_clock": firmware_clock,
}
