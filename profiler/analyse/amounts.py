"""Figures with their units in the sentences that the analysis makes."""

from __future__ import annotations

_BINARY = {"KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30}


def amount(value: float, unit: str) -> str:
    """1234 ms, 9.87 tok/s, 1.5 GiB: three digits, more of whole numbers."""
    if unit == "B":
        return _bytes(value)
    shown = f"{value:.0f}" if 100 <= abs(value) < 1e9 else f"{value:.3g}"
    return f"{shown} {unit}".rstrip()


def share(value: float) -> str:
    """A share as per cent: 23%, 1.4%."""
    return f"{100 * value:.0f}%" if abs(value) >= 0.1 else f"{100 * value:.2g}%"


def _bytes(value: float) -> str:
    for unit, size in reversed(_BINARY.items()):
        if abs(value) >= size:
            return f"{value / size:.3g} {unit}" if value / size < 100 else f"{value / size:.0f} {unit}"
    return f"{value:.0f} B"
