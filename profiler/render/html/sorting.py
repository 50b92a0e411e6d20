"""The number by which a cell is sorted, read from the text that people see."""

from __future__ import annotations

import re

_NUMBER = re.compile(r"[x<>~≤≥]?\s?(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)\s?(%|[KMGT]iB\b)?")
_TIMES = {"KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30, "TiB": 2.0**40, "%": 0.01}


def amount(text: str) -> float | None:
    """x1.043 is 1.043 and 1.5 GiB more than 900 MiB; None for what does not begin with a number."""
    found = _NUMBER.match(text)
    return float(found[1]) * _TIMES.get(found[2], 1.0) if found else None
