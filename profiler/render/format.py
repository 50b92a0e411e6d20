"""Numbers and names as people read them."""

from __future__ import annotations

from profiler.analyse.amounts import number as number
from profiler.analyse.amounts import percent as percent
from profiler.analyse.amounts import size as size
from profiler.analyse.estimate import Estimate


def plain(text: str) -> str:
    """A name from elsewhere without what cannot be seen: control, direction and zero-width characters."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)


def short(text: str, most: int) -> str:
    """At most so many characters, the last of them dots where some are left out."""
    return text if len(text) <= most else f"{text[: most - 3].rstrip()}..."


def limited(count: float, by: str | None) -> str:
    """A limit of memory and what keeps it: limited to 4.0 GiB by cgroup v1."""
    return f"limited to {size(count)}" + (f" by {plain(by)}" if by else "")


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


def ratio(value: float | None) -> str:
    """x1.043; a dash where there is none."""
    if value is None:
        return "-"
    return f"x{value:.3f}" if 0.1 <= value < 100 else f"x{value:.3g}"


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
    """The interval as ±x%; with a tilde while it is provisional; empty without one."""
    width = half_width(estimate) if estimate else None
    if width is None or estimate is None:
        return ""
    return ("~" if estimate.provisional else "") + "±" + percent(width)


def bits(estimate: Estimate | None) -> str:
    """Bits per weight: 4.50; a dash where they are not known."""
    return "-" if estimate is None or estimate.value is None else f"{estimate.value:.2f}"


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
