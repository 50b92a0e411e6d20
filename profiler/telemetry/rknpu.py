"""Load of a Rockchip NPU, which only root may read, except where the kernel shows it in /proc too."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from profiler.host.kernel_files import UnreadableError, is_there, word
from profiler.host.readings import compatible
from profiler.telemetry.protocol import Reader, Readings

FILE, OPEN_FILE = "sys/kernel/debug/rknpu/load", "proc/rknpu/load"

_LINE = re.compile(r"NPU load: *((?:Core\d{1,2}: *\d{0,3} *%,? *)+|\d{0,3} *%),?", re.ASCII)
_CORE = re.compile(r"(?:Core(\d{1,2}): *)?(\d{0,3}) *%", re.ASCII)


def loads(root: Path) -> Readings:
    """Share of the time that each core was busy: "NPU load:  Core0:  7%, Core1:  0%,", or "NPU load:  7%" of a single
    core. The driver prints a blank for 0 at times."""
    if not any(name.startswith("rockchip,") for name in compatible(root)):
        raise UnreadableError("Rockchip NPU: not offered here")
    file = OPEN_FILE if is_there(root, OPEN_FILE) else FILE
    line = _LINE.fullmatch(word(root, file))
    if not line:
        raise UnreadableError(f"{file}: does not tell a load")
    found = {f"core{number or 0}": int(percent or 0) / 100 for number, percent in _CORE.findall(line[1])}
    if max(found.values()) > 1:
        raise UnreadableError(f"{file}: tells more than 100%")
    return found


STATE: Mapping[str, Reader] = {"npu_load": loads}
