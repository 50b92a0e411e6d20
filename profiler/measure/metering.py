"""Reading the sensors while a worker runs: by a thread of this process, slowly, and at a cost that it keeps to."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from statistics import median

from profiler.runfile import LARGEST_READING, Samples
from profiler.telemetry.protocol import Meter

SHARE = 0.001
"""Of one core: what reading all sensors may take while a worker runs. The dearer a reading, the rarer it is."""

IDLE_SHARE = 0.02
"""The same while nothing else runs."""

TRIED, REMEMBERED = 3, 101
"""Readings of a sensor before their cost counts, and of how many last ones the median is its usual cost."""

SHORTEST_S, LONGEST_S = 0.05, 60.0
"""How often a sensor is read at most, and at least."""

TOGETHER_NS = 25_000_000
"""Sensors that are due within this time are read at once: to wake up costs as much as a reading."""

PATIENCE_S = 6.0
"""For a last reading of all sensors: a program that tells one is ended after 5."""

MOST_READINGS = 400_000
"""Of all sensors beside one worker: a quarter of the longest line that is read back from a run file."""

ENOUGH = 6
"""Readings of an idle machine, before and after a run: together more than the ten updates that a figure takes."""

SHORTEST_IDLE_S, LONGEST_IDLE_S = 3.0, 30.0
EXTERNAL_S = 1.0


Costs = dict[str, deque[int]]
"""What the last readings of each sensor took, in nanoseconds by its id: known from one worker to the next."""


class _Reading:
    """One meter and its readings so far, `most` of them: then every second one goes, and they come half as often."""

    def __init__(self, meter: Meter, share: float, most: int, costs_ns: deque[int]) -> None:
        self.meter, self._share, self._most = meter, share, most
        self.taken: list[tuple[int, float]] = []
        self.due_ns, self._rarer = 0, 1
        self._tries, self._costs_ns = 0, costs_ns

    def take(self) -> None:
        """Read once; the time of the reading is the middle of the call. The next one is due when this one is paid."""
        began = time.perf_counter_ns()
        value = _value(self.meter)
        ended = time.perf_counter_ns()
        self._tries += 1
        self._costs_ns.append(ended - began)
        if value is not None:
            self._keep((began + ended) // 2, value)
        self.due_ns = began + int(self.interval_s * 1e9)

    def _keep(self, at_ns: int, value: float) -> None:
        self.taken.append((at_ns, value))
        if len(self.taken) > self._most:
            self.taken = self.taken[::2]
            self._rarer *= 2

    @property
    def spent_ns(self) -> float:
        """What all readings took, each as long as usual: a longer one waited for a core while others computed."""
        return self._tries * median(self._costs_ns) if self._tries else 0.0

    @property
    def interval_s(self) -> float:
        """From one reading to the next: no sensor is read twice within its own period."""
        paid_s = median(self._costs_ns) / 1e9 / self._share if len(self._costs_ns) >= TRIED else 0.0
        wanted = max(SHORTEST_S, self.meter.sensor.period_s or 0.0, paid_s)
        return min(LONGEST_S, wanted * self._rarer)


def _value(meter: Meter) -> float | None:
    """A reading that a run file can hold; None if it failed, in whatever way: no sensor ends a run."""
    try:
        value = meter.read()
    except Exception:  # the library of a driver may raise anything
        return None
    return value if value is not None and abs(value) <= LARGEST_READING else None


class Metering:
    """All meters of this machine, read from `start` to `stop`. `share` of one core is what they may cost.

    `costs` is kept by who calls: what is learnt about a sensor beside one worker holds for the next.
    """

    def __init__(self, meters: Sequence[Meter], share: float = SHARE, costs: Costs | None = None) -> None:
        known: Costs = {} if costs is None else costs
        self._readings = [
            _Reading(
                meter,
                share / len(meters),
                MOST_READINGS // len(meters),
                known.setdefault(meter.sensor.id, deque(maxlen=REMEMBERED)),
            )
            for meter in meters
        ]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._read_on, daemon=True)
        self._began_ns, self._ended_ns = 0, 0

    def start(self) -> None:
        """Begin to read; nothing is started where there are no meters."""
        self._began_ns = time.perf_counter_ns()
        if self._readings:
            self._thread.start()

    def stop(self) -> tuple[dict[str, Samples], float | None]:
        """Read once more, and no further. Returns what `told` does. A sensor that hangs is not waited for."""
        self._over.set()
        if self._readings:
            self._thread.join(PATIENCE_S)
        self._ended_ns = time.perf_counter_ns()
        return self.told()

    def told(self) -> tuple[dict[str, Samples], float | None]:
        """The readings so far by the id of their sensor, and the share of one core that they took; None of none."""
        samples = {reading.meter.sensor.id: _samples(reading.taken) for reading in self._readings}
        elapsed_ns = (self._ended_ns or time.perf_counter_ns()) - self._began_ns
        spent_ns = sum(reading.spent_ns for reading in self._readings)
        return samples, spent_ns / max(1, elapsed_ns) if self._readings else None

    def _read_on(self) -> None:
        while not self._over.is_set():
            now_ns = time.perf_counter_ns()
            for reading in self._readings:
                if reading.due_ns <= now_ns + TOGETHER_NS:
                    reading.take()
            next_ns = min(reading.due_ns for reading in self._readings)
            self._over.wait(max(0, next_ns - time.perf_counter_ns()) / 1e9)
        for reading in self._readings:
            reading.take()


def _samples(taken: Sequence[tuple[int, float]]) -> Samples:
    return Samples(at_ns=[at_ns for at_ns, _ in taken], values=[value for _, value in taken])


def speaking(meters: Sequence[Meter]) -> list[Meter]:
    """Those that may speak for a row. A sensor of a part never does, so none is read: every reading has its cost."""
    return [meter for meter in meters if meter.sensor.scope != "part"]


def idle(
    meters: Sequence[Meter], *, external: bool = False, sleep: Callable[[float], None] = time.sleep
) -> dict[str, Samples]:
    """Readings while nothing runs, long enough for `ENOUGH` of the slowest sensor within half a minute.

    With `external` there is a meter that keeps a log of its own, which usually has a line a second.
    """
    metering = Metering(meters, IDLE_SHARE)
    periods = [meter.sensor.period_s or SHORTEST_S for meter in meters] + [EXTERNAL_S] * external
    metering.start()
    try:
        sleep(min(LONGEST_IDLE_S, max([SHORTEST_IDLE_S, *(ENOUGH * period for period in periods)])))
    finally:
        samples, _ = metering.stop()
    return samples
