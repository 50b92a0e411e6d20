"""The run file: one header, then one line per worker, appended and synced. Every figure is derived from it.

Nothing in it names a host, a user, a serial number or an absolute path. Times are nanoseconds; an `Anchor`
ties the clock of the stamps to the wall clock. `None` means "not read", never zero.
"""

from profiler.runfile.fields import (
    FAILURE_KINDS,
    LARGEST_READING,
    MOST_CASES,
    MOST_PASSES,
    MOST_ROUNDS,
    MOST_SECONDS,
    SCHEMA,
    THIS,
    Record,
    Settings,
)
from profiler.runfile.lines import append, decode, is_run, read
from profiler.runfile.lock import hold
from profiler.runfile.passes import counted, start_in_passes
from profiler.runfile.planned import (
    Agreement,
    Build,
    Case,
    Closeness,
    Device,
    Plan,
    RandomWeights,
    Workload,
    varying,
)
from profiler.runfile.records import (
    Account,
    Conditions,
    Counters,
    Event,
    Failure,
    Hashes,
    Header,
    Memory,
    Pass,
    Phase,
    Run,
    Worker,
)
from profiler.runfile.sensed import Anchor, Board, Idle, MemoryLimit, PowerLog, Samples, Sensor

__all__ = [
    "FAILURE_KINDS",
    "LARGEST_READING",
    "MOST_CASES",
    "MOST_PASSES",
    "MOST_ROUNDS",
    "MOST_SECONDS",
    "SCHEMA",
    "THIS",
    "Account",
    "Agreement",
    "Anchor",
    "Board",
    "Build",
    "Case",
    "Closeness",
    "Conditions",
    "Counters",
    "Device",
    "Event",
    "Failure",
    "Hashes",
    "Header",
    "Idle",
    "Memory",
    "MemoryLimit",
    "Pass",
    "Phase",
    "Plan",
    "PowerLog",
    "RandomWeights",
    "Record",
    "Run",
    "Samples",
    "Sensor",
    "Settings",
    "Worker",
    "Workload",
    "append",
    "counted",
    "decode",
    "hold",
    "is_run",
    "read",
    "start_in_passes",
    "varying",
]
