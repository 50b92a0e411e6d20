"""Which limits concern which row: of several uses the one that says more of it."""

from __future__ import annotations

from collections.abc import Sequence

from profiler.analyse.report import Row
from profiler.documents.limits import Limit, Limits, Use

MOST_NAMED = 8
"""Uses in a sentence."""


def limits_of(row: Row, limits: Limits) -> list[Limit]:
    """The limits on this row, one for each metric."""
    return limits_for(row.workload, row.device, limits)


def limits_for(workload: str, device: str, limits: Limits) -> list[Limit]:
    """The limits on a workload and device, one for each metric.

    A use that names the device goes before one that does not, then one that names the workload: its limit takes the
    place of the other's on the same metric.
    """
    concerned = sorted((use for use in limits.uses if concerns(use, workload, device)), key=_says)
    return list({limit.metric: limit for use in concerned for limit in use.limits}.values())


def concerns(use: Use, workload: str, device: str) -> bool:
    """Whether a use speaks of a workload (`chat` of `chat@1` too) on a device."""
    return use.device in (None, device) and asks(use, workload)


def asks(use: Use, workload: str) -> bool:
    """Whether a use speaks of this workload, by its id with or without version."""
    name, _, version = workload.rpartition("@")
    return use.workload in (None, workload) or (version.isdigit() and use.workload == name)


def unmet(limits: Limits, rows: Sequence[Row]) -> list[str]:
    """The uses that no row met, in words."""
    seen = ", ".join(dict.fromkeys(f"{row.workload} on device {row.device}" for row in rows)) or "none"
    return [
        f"no row is of {_asked(use)}; the rows are of {seen}"
        for use in limits.uses
        if not any(concerns(use, row.workload, row.device) for row in rows)
    ]


def named(limits: Limits) -> str:
    """What the uses speak of, in words; the first few of many."""
    asked = list(dict.fromkeys(map(_asked, limits.uses)))
    return ", ".join([*asked[:MOST_NAMED], *(["..."] if len(asked) > MOST_NAMED else [])])


def _says(use: Use) -> tuple[bool, bool]:
    return use.device is not None, use.workload is not None


def _asked(use: Use) -> str:
    device = f"device {use.device}" if use.device else "any device"
    return f"{use.workload or 'any workload'} on {device}"
