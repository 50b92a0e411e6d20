"""Figures as people read them: in the sentences that the analysis makes, and in every renderer."""

from __future__ import annotations

_BINARY = ("B", "KiB", "MiB", "GiB", "TiB")


def amount(value: float, unit: str) -> str:
    """A figure with its unit: 1234 ms, 9.87 tok/s, 1.5 GiB."""
    return size(value) if unit == "B" else f"{number(value)} {unit}".rstrip()


def number(value: float) -> str:
    """Three significant digits, more for whole numbers: 0.0123, 4.56, 78.9, 1234, 1.2e+15."""
    if value == 0:
        return "0"
    for limit, digits in ((99.95, 0), (9.995, 1), (0.9995, 2), (0.09995, 3)):
        if limit <= abs(value) < 1e9:
            return f"{value:.{digits}f}"
    return f"{value:.3g}"


def size(count: float) -> str:
    """Bytes in binary units: 162 MiB."""
    sign, rest = ("-" if count < 0 else ""), abs(float(count))
    for unit in _BINARY:
        if round(rest) < 1024 or unit == _BINARY[-1]:
            shown = f"{rest:.0f}" if unit == "B" else f"{rest:.1f}" if rest < 99.95 else number(rest)
            return f"{sign}{shown} {unit}"
        rest /= 1024
    raise AssertionError("the last unit takes everything")


def percent(share: float) -> str:
    """A share as per cent with two digits: 0.038 is 3.8%, 0.0042 is 0.42%, and less than 0.01% is said so."""
    value = 100 * share
    if value > 999:
        return ">999%"
    if value < 0.005:
        return "<0.01%" if value else "0%"
    digits = 2 if value < 0.995 else 1 if value < 9.95 else 0
    return f"{value:.{digits}f}%"
