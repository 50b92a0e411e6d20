"""Numbers and names as people read them."""

from __future__ import annotations

import re

from profiler.analyse.estimate import Estimate

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
_BINARY = ("B", "KiB", "MiB", "GiB", "TiB")


def plain(text: str) -> str:
    """A name from elsewhere without control and direction characters, so that it cannot move the cursor."""
    return _CONTROL.sub("?", text)


def number(value: float) -> str:
    """Three significant digits, more for whole numbers: 0.0123, 4.56, 78.9, 1234."""
    if value == 0:
        return "0"
    for limit, digits in ((100, 0), (10, 1), (1, 2), (0.1, 3)):
        if abs(value) >= limit:
            return f"{value:.{digits}f}"
    return f"{value:.3g}"


def size(count: float) -> str:
    """Bytes in binary units: 162 MiB."""
    sign, rest = ("-" if count < 0 else ""), abs(float(count))
    for unit in _BINARY:
        if rest < 1024 or unit == _BINARY[-1]:
            return f"{sign}{rest:.0f} {unit}" if rest >= 100 or unit == "B" else f"{sign}{rest:.1f} {unit}"
        rest /= 1024
    raise AssertionError("the last unit takes everything")


def duration(seconds: float) -> str:
    """45 s, 3 min 20 s, 2 h 5 min."""
    whole = round(seconds)
    if whole < 90:
        return f"{whole} s"
    minutes, left = divmod(whole, 60)
    if minutes < 90:
        return f"{minutes} min {left} s" if left else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def percent(share: float) -> str:
    """A share as per cent with two digits: 0.038 is 3.8%."""
    value = 100 * share
    return f"{value:.0f}%" if value >= 10 else f"{value:.1f}%"


def half_width(estimate: Estimate) -> float | None:
    """The larger distance from the value to a bound, as a share of the value."""
    if not estimate.value or estimate.low is None or estimate.high is None:
        return None
    return max(estimate.value - estimate.low, estimate.high - estimate.value) / estimate.value


def figure(estimate: Estimate | None) -> str:
    """The value alone, or a dash."""
    if estimate is None or estimate.value is None:
        return "-"
    return size(estimate.value) if estimate.unit == "B" else number(estimate.value)


def spread(estimate: Estimate | None) -> str:
    """The interval as +-x%; with a tilde while it is provisional; empty without one."""
    width = half_width(estimate) if estimate else None
    if width is None or estimate is None:
        return ""
    if width > 9.99:
        return "±>999%"
    return ("~" if estimate.provisional else "") + f"±{percent(width)}"


def setting(value: int | str | bool | None) -> str:
    """A setting's value in the words a user types."""
    match value:
        case True:
            return "on"
        case False:
            return "off"
        case None:
            return "auto"
        case _:
            return plain(str(value))
