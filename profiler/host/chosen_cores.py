"""Cores by what a user calls them: the big ones, the little ones, all, or numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from profiler.errors import UserError
from profiler.host.cpus import Cpu, fastest

ALL, BIG, LITTLE = "all", "big", "little"
ACCEPTED = "big, little, all, or numbers such as 4-7 or 0+2 are accepted"
_NUMBERS = re.compile(r"\d{1,4}(-\d{1,4})?(\+\d{1,4}(-\d{1,4})?)*")


def chosen(word: str, cpus: Sequence[Cpu], allowed: Iterable[int]) -> list[int]:
    """The logical CPUs that a word stands for, of those `allowed`. Raises `UserError` where there are none."""
    usable = [cpu for cpu in cpus if cpu.number in set(allowed)]
    if word == ALL:
        return sorted(allowed)
    big = {cpu.number for cpu in fastest(usable)} if usable else set()
    if word == BIG and big:
        return sorted(big)
    if word == LITTLE:
        return _little(usable, big)
    return _numbered(word, set(allowed))


def threads_on(words: Iterable[str], cpus: Sequence[Cpu]) -> dict[str, int]:
    """Each of these words with the number of cores that it stands for: the usual number of threads on them.

    Raises `UserError` for a word of none, and on systems that bind no process to cores.
    """
    allowed = [cpu.number for cpu in cpus]
    found = {}
    for word in words:
        if not cpus:
            raise UserError("--cores binds processes as Linux does, and this system does not: leave it out")
        found[word] = cores_among(chosen(word, cpus, allowed), cpus)
    return found


def cores_among(numbers: Iterable[int], cpus: Sequence[Cpu]) -> int:
    """How many cores these logical CPUs are."""
    wanted = set(numbers)
    return len({cpu.core for cpu in cpus if cpu.number in wanted}) or len(wanted)


def _little(usable: Sequence[Cpu], big: set[int]) -> list[int]:
    found = sorted(cpu.number for cpu in usable if cpu.number not in big)
    if not found:
        raise UserError("--cores little: all cores here are of one class; leave --cores out, or name numbers")
    return found


def _numbered(word: str, allowed: set[int]) -> list[int]:
    if not _NUMBERS.fullmatch(word):
        raise UserError(f"--cores {word[:40]!r}: {ACCEPTED}")
    found: set[int] = set()
    for part in word.split("+"):
        first, _, last = part.partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    if not found or not found <= allowed:
        there = ", ".join(map(str, sorted(allowed)[:64]))
        raise UserError(f"--cores {word[:40]!r}: a worker may use {there}")
    return sorted(found)
