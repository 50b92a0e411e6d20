"""Reading the sensors while a worker runs: by a thread of this process, slowly, and at a cost that it keeps to."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from profiler.runfile import Samples
from profiler.telemetry.protocol import Meter

SHARE = 0.002
"""Of one core: what reading all sensors may take while a worker runs. The dearer a reading, the rarer it is."""

IDLE_SHARE = 0.02
"""The same while nothing else runs."""

OF_A_PART = 0.1
"""What a sensor of a part may cost, in shares of another one: no row rests on a part."""

SHORTEST_S, LONGEST_S = 0.05, 10.0
"""How often a sensor is read at most, and at least."""

ENOUGH = 12
"""Readings of an idle machine: more than the ten updates that a figure takes."""

SHORTEST_IDLE_S, LONGEST_IDLE_S = 3.0, 30.0
EXTERNAL_S = 1.0


class _Reading:
    """One meter and its readings so far."""

    def __init__(self, meter: Meter, share: float) -> None:
        self.meter, self._share = meter, share
        self.at_ns: list[int] = []
        self.values: list[float] = []
        self.due_ns, self.spent_ns, self._cost_ns, self._times = 0, 0, 0, 0

    def take(self) -> None:
        """Read once; the time of the reading is the middle of the call. The next one is due when this one is paid."""
        began = time.perf_counter_ns()
        value = self.meter.read()
        ended = time.perf_counter_ns()
        self._times += 1
        self.spent_ns += ended - began
        self._cost_ns = min(self._cost_ns or ended - began, ended - began)
        if value is not None:
            self.at_ns.append((began + ended) // 2)
            self.values.append(value)
        self.due_ns = began + int(self.interval_s * 1e9)

    @property
    def interval_s(self) -> float:
        """From one reading to the next: no sensor is read twice within its own period.

        The first reading is always dear, since nothing is in any cache: what they cost is known from the second one on.
        """
        paid_s = self._cost_ns / 1e9 / self._share if self._times > 1 else 0.0
        return min(LONGEST_S, max(SHORTEST_S, self.meter.sensor.period_s or 0.0, paid_s))


def shares(meters: Sequence[Meter], share: float) -> list[float]:
    """What each may cost of what all may cost."""
    weights = [OF_A_PART if meter.sensor.scope == "part" else 1.0 for meter in meters]
    return [share * weight / sum(weights) for weight in weights]


class Metering:
    """All meters of this machine, read from `start` to `stop`. `share` of one core is what they may cost."""

    def __init__(self, meters: Sequence[Meter], share: float = SHARE) -> None:
        own = shares(meters, share)
        self._readings = [_Reading(meter, part) for meter, part in zip(meters, own, strict=True)]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._read_on, daemon=True)
        self._began_ns = 0

    def start(self) -> None:
        """Begin to read; nothing is started where there are no meters."""
        self._began_ns = time.perf_counter_ns()
        if self._readings:
            self._thread.start()

    def stop(self) -> tuple[dict[str, Samples], float | None]:
        """The readings by the id of their sensor, and the share of one core that taking them took; None of none."""
        if not self._readings:
            return {}, None
        self._over.set()
        self._thread.join()
        for reading in self._readings:
            reading.take()
        elapsed_ns = time.perf_counter_ns() - self._began_ns
        spent_ns = sum(reading.spent_ns for reading in self._readings)
        samples = {r.meter.sensor.id: Samples(at_ns=r.at_ns, values=r.values) for r in self._readings}
        return samples, spent_ns / max(1, elapsed_ns)

    def _read_on(self) -> None:
        while not self._over.is_set():
            now_ns = time.perf_counter_ns()
            for reading in self._readings:
                if reading.due_ns <= now_ns:
                    reading.take()
            next_ns = min(reading.due_ns for reading in self._readings)
            self._over.wait(max(0, next_ns - time.perf_counter_ns()) / 1e9)


def idle(
    meters: Sequence[Meter], *, external: bool = False, sleep: Callable[[float], None] = time.sleep
) -> dict[str, Samples]:
    """Readings while nothing runs, long enough for `ENOUGH` of the slowest sensor within half a minute.

    With `external` there is a meter that keeps a log of its own, which usually has a line a second.
    """
    metering = Metering(meters, IDLE_SHARE)
    periods = [meter.sensor.period_s or SHORTEST_S for meter in meters] + [EXTERNAL_S] * external
    metering.start()
    sleep(min(LONGEST_IDLE_S, max([SHORTEST_IDLE_S, *(ENOUGH * period for period in periods)])))
    return metering.stop()[0]
