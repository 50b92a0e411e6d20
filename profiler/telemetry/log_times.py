"""Times as meters write them: seconds since 1970, or a date and a time of day in some zone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from profiler.errors import UserError, nearest

SECOND = 1_000_000_000
LATEST_NS = 2**62
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ACCEPTED = "2026-11-25 10:00:00, 25.11.2026 10:00:00, or seconds or milliseconds since 1970"

_NUMBER = re.compile(r"([0-9]{1,19})(?:[.,]([0-9]{1,9}))?")
_UNITS = ((10**11, SECOND), (10**14, 10**6), (10**17, 10**3), (10**19, 1))
"""Up to which number the times of our age count in which unit: seconds, milli-, micro-, nanoseconds."""

_DATE = re.compile(
    r"(?:(?P<y>[0-9]{4})([-/])(?P<m>[0-9]{1,2})\2(?P<d>[0-9]{1,2})"
    r"|(?P<dd>[0-9]{1,2})\.(?P<mm>[0-9]{1,2})\.(?P<yy>[0-9]{4}))"
    r"[T ,]+(?P<H>[0-9]{1,2}):(?P<M>[0-9]{2}):(?P<S>[0-9]{2})(?:[.,](?P<f>[0-9]{1,9}))?"
    r" ?(?P<zone>Z|UTC|GMT|[+-][0-9]{2}:?[0-9]{2})?",
    re.IGNORECASE,
)
_SHIFT = re.compile(r"(?:UTC|GMT)?([+-])([0-9]{1,2})(?::?([0-9]{2}))?", re.IGNORECASE)

Moment = tuple[int, int]
"""Nanoseconds since 1970 (UTC), and how much later it is if the time of day that was written came twice that day."""


def zone(word: str) -> tzinfo:
    """`utc`, `+02:00`, or a name such as Europe/Berlin. Raises `UserError` for any other word."""
    text = word.strip()
    if text.lower() in ("utc", "gmt", "z"):
        return UTC
    if found := _SHIFT.fullmatch(text):
        try:
            return _shift(found)
        except ValueError as reason:
            raise UserError(f"--power-zone {reason}") from None
    try:
        return ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        known = available_timezones()
    if not known:
        raise UserError(
            f"--power-zone {text[:40]!r}: this system names no time zones; give the shift, such as +02:00"
        )
    raise UserError(
        f"--power-zone {text[:40]!r} is no time zone: utc, a shift such as +02:00, or a name such as "
        f"Europe/Berlin is accepted; {nearest(text[:40], known)}"
    )


def _shift(found: re.Match[str]) -> timezone:
    minutes = int(found[2]) * 60 + int(found[3] or 0)
    if minutes > 14 * 60 or int(found[3] or 0) > 59:
        raise ValueError(f"{found[0]!r}: shifts from -14:00 to +14:00 are accepted")
    return timezone(timedelta(minutes=-minutes if found[1] == "-" else minutes))


def moment(text: str, zone: tzinfo | None) -> Moment:
    """The moment that `text` names; without a zone of its own it is in `zone`, or in that of this machine.

    Raises `ValueError` for what is no time, and `UserError` for a time of day that the zone leaps over.
    """
    if number := _NUMBER.fullmatch(text):
        return _since_1970(number), 0
    if date := _DATE.fullmatch(text):
        return _of_date(date, zone)
    raise ValueError(f"{text[:40]!r} is no time: {ACCEPTED} are accepted")


def _since_1970(found: re.Match[str]) -> int:
    whole = int(found[1])
    unit = next(unit for most, unit in _UNITS if whole < most)
    at = whole * unit + int((found[2] or "").ljust(9, "0")) * unit // SECOND
    if at > LATEST_NS:
        raise ValueError(f"{found[0]!r} is a time after the year 2116")
    return at


def _of_date(found: re.Match[str], zone: tzinfo | None) -> Moment:
    part = found.groupdict()
    year, month, day = (int(part[a] or part[b]) for a, b in (("y", "yy"), ("m", "mm"), ("d", "dd")))
    minute = datetime(year, month, day, int(part["H"]), int(part["M"]))
    seconds = int(part["S"])
    if not 1970 < year < 2116 or seconds > 59:
        raise ValueError(f"{found[0]!r}: years after 1970 and seconds up to 59 are accepted")
    at, later = _minute(minute, _own_zone(part["zone"]) or zone)
    return at + seconds * SECOND + int((part["f"] or "").ljust(9, "0")), later


def _own_zone(word: str | None) -> tzinfo | None:
    if word is None:
        return None
    found = _SHIFT.fullmatch(word)
    return _shift(found) if found else UTC


@lru_cache(maxsize=8)
def _minute(minute: datetime, zone: tzinfo | None) -> Moment:
    """Clocks are set forward and back at full minutes, so that one answer holds for all rows of a minute."""
    first, second = (_utc(minute.replace(fold=fold), zone) for fold in (0, 1))
    if second < first:
        raise UserError(
            f"the power log has a reading at {minute}, which the clocks of its zone leap over: "
            "give the zone that the meter's clock had with --power-zone, such as +01:00"
        )
    at = (first - EPOCH) // timedelta(seconds=1)
    return at * SECOND, (second - first) // timedelta(seconds=1) * SECOND


def _utc(local: datetime, zone: tzinfo | None) -> datetime:
    return (local if zone is None else local.replace(tzinfo=zone)).astimezone(UTC)


def settled(at: Sequence[int], later: Sequence[int]) -> list[int]:
    """The times with those that may be meant twice, when clocks were set back, settled by their order.

    Within a stretch of them the first step back begins the second hour. Where there is none, the stretch belongs to
    the neighbour that it follows, or is followed by, within the hour. Raises `UserError` where neither can be told.
    """
    times = list(at)
    start = 0
    while start < len(times):
        end = start + 1
        if later[start]:
            while end < len(times) and later[end]:
                end += 1
            for n in range(_second_hour(at, later, start, end), end):
                times[n] += later[n]
        start = end
    return times


def _second_hour(at: Sequence[int], later: Sequence[int], start: int, end: int) -> int:
    """From which row of the stretch on the clock had been set back."""
    back = next((n for n in range(start + 1, end) if at[n] < at[n - 1]), None)
    if back is not None:
        return back
    hour = later[start]
    before = at[start] - at[start - 1] if start > 0 else hour
    after = at[end] - at[end - 1] - hour if end < len(at) else hour
    if before == after or min(before, after) >= hour:
        raise UserError(
            "the power log lies in the hour that came twice when clocks were set back, and its rows do not tell "
            "in which of the two: give the shift of the meter's clock with --power-zone, such as +01:00"
        )
    return end if before < after else start
