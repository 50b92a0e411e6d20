"""The parts of one topic: those that can be read, each under a name of its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from itertools import chain, count, islice

from profiler.host.kernel_files import LONGEST_WORD, UnreadableError
from profiler.telemetry.protocol import Value

NOT_OFFERED = "not offered here"

MOST_PARTS = 64
"""Of more parts the first ones are read: a board's state is part of every line of a run file."""

MOST = 2**63 - 1
"""The largest number that a run file holds."""

_ADDRESS = re.compile(r"(?<![0-9a-f])([0-9a-f]{2}[:_-]){5}[0-9a-f]{2}(?![0-9a-f])", re.IGNORECASE)
"""A hardware address, by which batteries of mice and the like are called."""


def readable(parts: Iterable[tuple[str, Callable[[], Value]]], none: str) -> dict[str, Value]:
    """The value of each part that can be read, by name; the second of one name is called "NAME 2".

    A part whose name holds a hardware address is left out. Raises `UnreadableError` where no part can be read: with
    the first reason that says more than that a file is not there, else with `none`.
    """
    names: set[str] = set()
    found: dict[str, Value] = {}
    reasons: list[str] = []
    for name, read in islice((part for part in parts if not _ADDRESS.search(part[0])), MOST_PARTS):
        own = _own_name(name[:LONGEST_WORD], names)
        names.add(own)
        try:
            found[own] = _bounded(own, read())
        except UnreadableError as reason:
            reasons.append(str(reason))
    if not found:
        raise UnreadableError(next((reason for reason in reasons if not reason.endswith(NOT_OFFERED)), none))
    return found


def _own_name(name: str, taken: Collection[str]) -> str:
    return next(own for own in chain([name], (f"{name} {n}" for n in count(2))) if own not in taken)


def _bounded(name: str, value: Value) -> Value:
    if not isinstance(value, str) and abs(value) > MOST:
        raise UnreadableError(f"{name}: a number too large to mean anything")
    return value
