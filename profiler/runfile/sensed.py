"""What stands beside the workers: meters and their readings, the state of the board, limits of memory."""

from __future__ import annotations

from typing import Literal

import msgspec

from profiler.runfile.fields import Finite, Name, Natural, Positive, Quantity, Record, Scope, Whole


class Anchor(Record, frozen=True, kw_only=True):
    """One moment on the wall clock and on the clock of the stamps."""

    wall_ns: Whole
    mono_ns: Whole


class Sensor(Record, frozen=True, kw_only=True):
    """A sensor of power or energy. `quantity` is "energy" (joules that add up) or "power" (watts now).

    `scope` is what it covers: "device" all that the plug or the battery gives, "board" the input of the board,
    "package" the processor package, "partial" some rails with others unseen, "gpu", "npu"; "part" is a piece of
    another sensor's scope and never added to anything. Sensors of one source and scope add up. An energy counter
    starts again from 0 after `wraps_at_j` joules. `period_s` is how often the sensor itself has something new.
    """

    id: Name
    source: Name
    name: str
    scope: Scope
    quantity: Quantity
    wraps_at_j: Positive | None = None
    period_s: Positive | None = None
    note: str | None = None


class Samples(Record, frozen=True, kw_only=True):
    """Readings of one sensor in time: nanoseconds on the clock of the stamps, and joules or watts.

    Readings that failed are left out, so both lists are equally long.
    """

    at_ns: list[Whole] = msgspec.field(default_factory=list)
    values: list[Finite] = msgspec.field(default_factory=list)


class Board(Record, frozen=True, kw_only=True):
    """The state of the board at one moment: by topic (`telemetry.protocol.TOPICS`) and part; else why not readable."""

    at: Anchor
    readings: dict[str, dict[str, int | float | str]] = msgspec.field(default_factory=dict)
    unreadable: dict[str, str] = msgspec.field(default_factory=dict)


class MemoryLimit(Record, frozen=True, kw_only=True):
    """The limit that one worker ran under: `by` what ("cgroup v2", ...), and what the kernel counted there.

    `peak_bytes` are the most that its processes and their file cache took, `oom_kills` how many it ended.
    """

    bytes: Natural
    by: str
    peak_bytes: Natural | None = None
    oom_kills: Natural | None = None


class Idle(Record, frozen=True, kw_only=True):
    """Readings of the sensors while nothing runs: `when` is "before" the first worker or "after" the last one.

    The anchors of its start and end tie an external meter's log to it.
    """

    type: Literal["idle"] = "idle"
    when: str
    meters: dict[str, Samples]
    started: Anchor | None = None
    ended: Anchor | None = None


class PowerLog(Record, frozen=True, kw_only=True):
    """Readings of an external meter: wall clock (nanoseconds since 1970, UTC) and watts of the whole device.

    `name` is that of the file it was read from, `offset_s` how far its clock was ahead of this machine's (already
    taken out of `wall_ns`).
    """

    type: Literal["power_log"] = "power_log"
    name: str
    wall_ns: list[Whole]
    watts: list[Finite]
    offset_s: float = 0.0
