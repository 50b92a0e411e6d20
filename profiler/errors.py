"""Errors that end a command with one sentence, and the exit code each carries."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from enum import IntEnum

MOST_NAMED = 12
"""Names in a sentence."""

MOST_BEGINNING = 3
"""Names that a word may be the beginning of."""


class ExitCode(IntEnum):
    """What the process returns. People's scripts rely on these numbers."""

    DONE = 0
    GATE_FAILED = 1
    BAD_INPUT = 2
    NOTHING_MEASURED = 3
    UNDECIDED = 4
    INTERRUPTED = 130


class UserError(Exception):
    """What the user gave cannot be used: one sentence saying what, where, what is accepted, what to do."""

    exit_code = ExitCode.BAD_INPUT


def nearest(found: str, accepted: Iterable[str], most: int = MOST_NAMED) -> str:
    """A clause naming the accepted spellings nearest to `found`, or that begin so; without any the first `most`."""
    names = sorted(accepted)
    begun = [name for name in names if found and name.startswith(found)]
    close = difflib.get_close_matches(found, names, n=2, cutoff=0.6) or begun[:MOST_BEGINNING]
    if close:
        return "did you mean " + " or ".join(close) + "?"
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return "accepted: " + ", ".join(names[:most]) + more
