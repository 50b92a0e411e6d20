"""A formula with the numbers put in, and numbers with the digits that a check by hand needs."""

from __future__ import annotations

import re
from collections.abc import Mapping

from profiler.analyse.symbols import Symbol
from profiler.render import format as fmt

MOST_LISTED = 4
"""A symbol of more values than this is told by their number and range."""


def worked(formula: str, symbols: Mapping[str, Symbol]) -> str:
    """The formula with a number for each symbol that has one."""
    return re.sub(
        r"[A-Za-z_]\w*", lambda word: _put(symbols[word[0]]) if word[0] in symbols else word[0], formula
    )


def _put(symbol: Symbol) -> str:
    if not isinstance(symbol, dict):
        return _stamp(symbol)
    values = list(symbol.values())
    if len(values) <= MOST_LISTED:
        return ", ".join(map(_stamp, values))
    return f"{len(values)} values, {_stamp(min(values))} to {_stamp(max(values))}"


def _stamp(value: float) -> str:
    """Milliseconds to the microsecond; counts and bytes as they are."""
    return f"{value:.0f}" if value == round(value) else f"{value:.3f}"


def precise(value: float) -> str:
    """Five significant digits; whole numbers from 10,000 on, without an exponent while that can be read."""
    if value == 0 or 1e4 <= abs(value) < 1e15:
        return f"{value:.0f}"
    return f"{value:#.5g}"


def quantity(value: float, unit: str) -> str:
    """A value with its unit; bytes exactly and in binary units."""
    if unit == "B":
        return f"{value:.0f} B ({fmt.size(value)})"
    return f"{precise(value)} {unit}".strip()
