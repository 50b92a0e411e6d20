"""What macOS or Windows tells of the machine, where no kernel files do."""

from __future__ import annotations

import re

import msgspec

MOST_LINES = 4096
LONGEST_VALUE = 2000

X86_64 = ("cmov", "cx8", "fpu", "fxsr", "lm", "mmx", "sse", "sse2", "syscall")
"""The feature words of /proc/cpuinfo that every 64-bit x86 has (psABI, level x86-64-v1)."""

ARM64 = ("fp", "asimd")
"""Those that every 64-bit Arm under macOS and Windows has."""

KINDS = ("performance cores", "efficiency cores", "low-power efficiency cores")
"""Classes of cores where a system only ranks them, the fastest first."""


class CoreClass(msgspec.Struct, frozen=True, kw_only=True):
    """Cores of one speed: how many, and the threads they run together. `kind` is None where all are alike."""

    cores: int
    threads: int
    kind: str | None = None


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """The machine as its system describes it. None is what it did not tell.

    `cores` has the fastest first, `isa` feature words in the spelling of /proc/cpuinfo. `implied` are words
    that the system cannot tell, but that no CPU with the others lacks. `mac` is the model identifier, as in
    `Mac14,2`.
    """

    product: str | None = None
    board: str | None = None
    mac: str | None = None
    cpu: str | None = None
    architecture: str | None = None
    cores: tuple[CoreClass, ...] = ()
    isa: tuple[str, ...] = ()
    implied: tuple[str, ...] = ()
    memory_bytes: int | None = None
    page_bytes: int | None = None
    virtual: bool | None = None


def table(text: str) -> dict[str, str]:
    """The `key: value` lines of a text; of a key that comes twice, the first."""
    found: dict[str, str] = {}
    for line in text.split("\n")[:MOST_LINES]:
        key, colon, value = line.partition(":")
        if colon and value.strip():
            found.setdefault(key.strip(), value.strip()[:LONGEST_VALUE])
    return found


def whole(values: dict[str, str], key: str) -> int | None:
    """The whole number under `key`; None for anything else, and for 0, which is no count of anything here."""
    text = values.get(key, "")
    return (int(text) or None) if re.fullmatch(r"\d{1,18}", text) else None
