"""Which reports were made on machines of one kind, and what those machines are called beside each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from profiler.analyse.differences import same_memory
from profiler.runfile import Device


def machine_of(device: Device, known: list[Device]) -> int:
    """The number of this machine among the known ones; a new one is added to them."""
    for number, other in enumerate(known):
        if same_machine(device, other):
            return number
    known.append(device)
    return len(known) - 1


def machines_of(devices: Sequence[Device]) -> list[str]:
    """What a reader calls the machine of each, where those of one kind have one name and others have not."""
    known: list[Device] = []
    numbers = [machine_of(device, known) for device in devices]
    called = labels(known)
    return [called[number] for number in numbers]


def same_machine(one: Device, other: Device) -> bool:
    """Whether two are of one kind and name: two boards of a kind are told apart by what their user calls them."""
    alike = (one.id, one.board, one.cpu, one.cores) == (other.id, other.board, other.cpu, other.cores)
    return alike and same_memory(one.memory_bytes, other.memory_bytes)


def labels(devices: Sequence[Device]) -> list[str]:
    """What a reader calls each: its profile's name or its processor, numbered where two are called the same."""
    names = [device.label for device in devices]
    often, seen = Counter(names), Counter[str]()
    found = []
    for name in names:
        seen[name] += 1
        found.append(f"{name} #{seen[name]}" if often[name] > 1 else name)
    return found
