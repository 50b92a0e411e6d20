"""The run file: one header, then one line per worker, appended and synced. Every figure is derived from it.

Nothing in it names a host, a user, a serial number or an absolute path. Times are nanoseconds; an `Anchor`
ties the clock of the stamps to the wall clock. `None` means "not read", never zero.
"""

from profiler.runfile.lines import append, read
from profiler.runfile.records import (
    FAILURE_KINDS,
    MOST_CASES,
    MOST_PASSES,
    MOST_ROUNDS,
    MOST_SECONDS,
    SCHEMA,
    Anchor,
    Build,
    Case,
    Counters,
    Device,
    Event,
    Failure,
    Hashes,
    Header,
    Memory,
    Pass,
    Phase,
    Plan,
    Record,
    Run,
    Settings,
    Worker,
    Workload,
    varying,
)

__all__ = [
    "FAILURE_KINDS",
    "MOST_CASES",
    "MOST_PASSES",
    "MOST_ROUNDS",
    "MOST_SECONDS",
    "SCHEMA",
    "Anchor",
    "Build",
    "Case",
    "Counters",
    "Device",
    "Event",
    "Failure",
    "Hashes",
    "Header",
    "Memory",
    "Pass",
    "Phase",
    "Plan",
    "Record",
    "Run",
    "Settings",
    "Worker",
    "Workload",
    "append",
    "read",
    "varying",
]
