"""Which sensors speak for a row: the widest scope first, and those that belong together as one."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from profiler.analyse.power_log import LOG, log_sensor
from profiler.runfile import Case, PowerLog, Sensor

WHOLE, PROCESSOR, ACCELERATOR = ("device", "board"), ("package", "partial"), ("gpu", "npu")
"""Scopes, widest first: all that is consumed, the processor's share of it, an accelerator's."""


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Sensors of one source and scope: their figures add up."""

    source: str
    scope: str
    sensors: list[Sensor]

    @property
    def name(self) -> str:
        """How a reader is told of it."""
        return "the power log" if self.source == LOG else f"{self.source} ({self.scope})"


def groups(sensors: Sequence[Sensor], log: PowerLog | None, case: Case) -> list[Group]:
    """The groups that may speak for this case, in the order in which they are asked. A part of another never does.

    What an accelerator takes says nothing of a row that does not use it, and more than the processor's package of one
    that does.
    """
    known = [*([log_sensor(log)] if log else []), *(sensor for sensor in sensors if sensor.source != LOG)]
    order = (*WHOLE, *ACCELERATOR, *PROCESSOR) if _uses_accelerator(case) else (*WHOLE, *PROCESSOR)
    found: dict[tuple[str, str], list[Sensor]] = {}
    for scope in order:
        for sensor in known:
            if sensor.scope == scope:
                found.setdefault((sensor.source, scope), []).append(sensor)
    return [Group(source=source, scope=scope, sensors=mine) for (source, scope), mine in found.items()]


def _uses_accelerator(case: Case) -> bool:
    return case.target != "cpu" or bool(case.settings.get("gpu_layers"))
