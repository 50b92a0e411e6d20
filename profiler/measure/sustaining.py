"""One long worker of each case: how long it may last, how many passes it may report, and the wait until it is cool."""

from __future__ import annotations

import time
from collections.abc import Callable

from profiler.measure.worker_conditions import Processor, allowed_cpus
from profiler.runfile import Workload

SHORTEST_S, LONGEST_S = 90.0, 2 * 3600.0
"""What may be asked for: more than the first minute, which the rest is compared with, and what one line can hold."""

MOST_PASSES, MOST_STAMPS = 20_000, 1_000_000
"""Of one worker. The parent holds them until it ends (some 40 bytes a stamp), and its line in the run file is then
half of the longest one that is read back."""

COOL_WITHIN_C = 3.0
"""How near the temperature at the start of a case must come to that at the start of the first one."""

LONGEST_COOLING_S = 300.0
LOOK_EVERY_S = 2.0


def most_passes(workload: Workload) -> int:
    """The passes after which a sustained worker ends, however much time is left."""
    return max(1, min(MOST_PASSES, MOST_STAMPS // max(1, workload.output_tokens)))


def processor_temperature() -> float | None:
    """Degrees Celsius now, as workers read them."""
    return Processor(allowed_cpus()).conditions()["temperature_c"]


def wait_until_cool(
    first_c: float | None,
    read: Callable[[], float | None] = processor_temperature,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> float | None:
    """Wait until the processor is as cool as at the first case's start, `first_c`, or five minutes.

    Returns the seconds waited; None where the temperature is not readable, and then it does not wait.
    """
    began = clock()
    while True:
        now_c = read()
        if first_c is None or now_c is None:
            return None
        waited_s = clock() - began
        if now_c <= first_c + COOL_WITHIN_C or waited_s >= LONGEST_COOLING_S:
            return waited_s
        sleep(LOOK_EVERY_S)
