"""Windows by its registry, its table of cores, its list of CPU features and its memory."""

from __future__ import annotations

import platform
import struct
import sys
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from profiler.host.kernel_files import HERE, UnreadableError, printable, read_text
from profiler.host.programs import FOLDER
from profiler.host.told import ARM64, KINDS, X86_64, CoreClass, Told, table, whole

PROCESSOR = r"HARDWARE\DESCRIPTION\System\CentralProcessor\0"
BIOS = r"HARDWARE\DESCRIPTION\System\BIOS"
NAMES = {
    "ProcessorNameString": PROCESSOR,
    "Identifier": PROCESSOR,
    "SystemProductName": BIOS,
    "BaseBoardProduct": BIOS,
}
"""The registry values that are read, by name, and the key each lies under. None is a serial number."""

FEATURES = {
    36: "ssse3",
    37: "sse4_1",
    38: "sse4_2",
    39: "avx",
    40: "avx2",
    41: "avx512f",
    43: "asimddp",
    44: "jscvt",
    45: "lrcpc",
    46: "sve",
    47: "sve2",
    66: "i8mm",
    67: "asimdhp",
    68: "bf16",
}
"""What IsProcessorFeaturePresent is asked (winnt.h, PF_*), and the word Linux has for it."""

_IMPLIED = {
    "avx2": (
        *(
            "abm",
            "bmi1",
            "bmi2",
            "cx16",
            "f16c",
            "fma",
            "lahf_lm",
            "movbe",
            "pni",
            "popcnt",
            "sse4_1",
            "sse4_2",
        ),
        *("ssse3", "xsave"),
    ),
    "avx512f": ("avx512bw", "avx512cd", "avx512dq", "avx512vl"),
}
"""What Windows cannot tell, by a word that it can: the rest of the level (psABI, x86-64-v3 and -v4)."""

FILE = f"{FOLDER}/windows.txt"

_CORE_RECORD = 0
_RECORD = struct.Struct("<IIBB20xH")
_GROUP = struct.Struct("<Q8x")


class System(Protocol):
    """What is asked of Windows. Each answers with nothing rather than fail."""

    def registry(self, key: str, name: str) -> str | None:
        """A text below HKEY_LOCAL_MACHINE."""

    def cores(self) -> bytes:
        """The records of GetLogicalProcessorInformationEx(RelationProcessorCore)."""

    def has(self, feature: int) -> bool:
        """IsProcessorFeaturePresent."""

    def memory_bytes(self) -> int | None:
        """Main memory as Windows counts it."""


def text(root: Path) -> str:
    """What Windows tells, as `key: value` lines; of a captured tree, what it told there."""
    if root != HERE:
        return read_text(root, FILE)
    if platform.system() != "Windows":
        raise UnreadableError("the registry: not offered here")
    return describe(Here())


def describe(system: System) -> str:
    """The answers of `system` as `key: value` lines; a line is left out where there is no answer."""
    lines = {name: system.registry(key, name) for name, key in NAMES.items()}
    for efficiency, (cores, threads) in sorted(core_classes(system.cores()).items()):
        lines |= {f"Class{efficiency}.Cores": str(cores), f"Class{efficiency}.Threads": str(threads)}
    lines["Features"] = " ".join(word for number, word in FEATURES.items() if system.has(number))
    memory = system.memory_bytes()
    lines["MemoryBytes"] = str(memory) if memory else None
    shown = {name: " ".join(printable(value.encode()).split()) for name, value in lines.items() if value}
    return "".join(f"{name}: {value}\n" for name, value in shown.items())


def core_classes(records: bytes) -> dict[int, tuple[int, int]]:
    """Cores and threads by efficiency class; a higher class is faster.

    A record of a core, as 64-bit Windows lays it out: relation and size (4 bytes each), flags, class, 20
    reserved bytes, the number of groups (2 bytes), and for each group a mask of its threads (8 bytes) and 8
    bytes more.
    """
    found: dict[int, tuple[int, int]] = {}
    while len(records) >= _RECORD.size:
        relation, size, _flags, efficiency, groups = _RECORD.unpack_from(records)
        if not _RECORD.size <= size <= len(records):
            break
        if relation == _CORE_RECORD:
            whole_groups = min(groups, (size - _RECORD.size) // _GROUP.size)
            places = (_RECORD.size + place * _GROUP.size for place in range(whole_groups))
            threads = sum(_GROUP.unpack_from(records, place)[0].bit_count() for place in places)
            cores, threads_before = found.get(efficiency, (0, 0))
            found[efficiency] = (cores + 1, threads_before + threads)
        records = records[size:]
    return found


def told_by(lines: str) -> Told:
    """The machine that the lines of `describe` describe."""
    values = table(lines)
    arm = values.get("Identifier", "").startswith("ARMv8")
    base = (ARM64 if arm else X86_64) if "Identifier" in values else ()
    features = values.get("Features", "").split()
    return Told(
        product=values.get("SystemProductName"),
        board=values.get("BaseBoardProduct"),
        cpu=values.get("ProcessorNameString"),
        architecture=("ARM64" if arm else "AMD64") if "Identifier" in values else None,
        cores=_cores(values),
        isa=(*base, *features),
        implied=tuple(word for feature in features for word in _IMPLIED.get(feature, ())),
        memory_bytes=whole(values, "MemoryBytes"),
    )


def _cores(values: dict[str, str]) -> tuple[CoreClass, ...]:
    ranks = [rank for rank in range(255, -1, -1) if whole(values, f"Class{rank}.Cores")]
    kinds = (*KINDS, *(KINDS[-1:] * len(ranks))) if len(ranks) > 1 else (None,)
    return tuple(
        CoreClass(
            cores=whole(values, f"Class{rank}.Cores") or 1,
            threads=whole(values, f"Class{rank}.Threads") or whole(values, f"Class{rank}.Cores") or 1,
            kind=kind,
        )
        for rank, kind in zip(ranks, kinds, strict=False)
    )


class Here:
    """This Windows. On any other system it has no answers."""

    def registry(self, key: str, name: str) -> str | None:
        if sys.platform == "win32":
            import winreg

            with suppress(OSError), winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, key) as opened:
                value, _ = winreg.QueryValueEx(opened, name)
                return value if isinstance(value, str) else None
        return None

    def cores(self) -> bytes:
        if sys.platform == "win32":
            import ctypes

            ask = ctypes.windll.kernel32.GetLogicalProcessorInformationEx
            length = ctypes.c_ulong(0)
            ask(_CORE_RECORD, None, ctypes.byref(length))
            buffer = ctypes.create_string_buffer(length.value)
            return buffer.raw if ask(_CORE_RECORD, buffer, ctypes.byref(length)) else b""
        return b""

    def has(self, feature: int) -> bool:
        if sys.platform == "win32":
            import ctypes

            return bool(ctypes.windll.kernel32.IsProcessorFeaturePresent(feature))
        return False

    def memory_bytes(self) -> int | None:
        import psutil

        try:
            return int(psutil.virtual_memory().total)
        except (OSError, RuntimeError, psutil.Error):
            return None
