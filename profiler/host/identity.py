"""What this machine says of itself, to find the device profiles it looks like."""

from __future__ import annotations

from functools import reduce
from pathlib import Path

from profiler.catalogue.matching import Identity
from profiler.host.cpus import read_cpus
from profiler.host.elsewhere import told
from profiler.host.kernel_files import HERE, word_or_none
from profiler.host.readings import compatible
from profiler.host.told import Told

DMI = "sys/class/dmi/id"
DMI_NAMES = ("product_name", "product_version", "product_family", "board_name")
"""Some makers write the name that people know into version or family. No serial number is among them."""


def identity(root: Path = HERE) -> Identity:
    """From the kernel's files below `root`, or told by macOS or Windows. Never fails: it may be empty."""
    cpus = read_cpus(root)
    known = told(root) or Told()
    dmi = [word_or_none(root, f"{DMI}/{name}") for name in DMI_NAMES]
    names = [cpu.name for cpu in cpus]
    flags = [frozenset(cpu.isa) for cpu in cpus] or [frozenset((*known.isa, *known.implied))]
    return Identity(
        compatible=compatible(root),
        dmi=_distinct([*dmi, known.board, None if known.mac else known.product]),
        cpu=_distinct([*names, known.cpu]),
        mac=known.mac,
        flags=reduce(frozenset.intersection, flags),
    )


def _distinct(names: list[str | None]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in names if name))
