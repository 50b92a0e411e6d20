"""How long a worker has made no progress, as far as anyone was there to see it."""

from __future__ import annotations

import time

LATEST_LOOK_S = 1.0
"""A look that comes later was late because this process was stopped or the machine slept: it counts as this much."""


class Watchdog:
    """Told of each look at the stamps and of each event. It never blames a worker for time in which nobody looked."""

    def __init__(self, stall_s: float, stamps: tuple[int, ...]) -> None:
        self._stall_s, self._stamps = stall_s, stamps
        self.spoke()

    def spoke(self) -> None:
        """The worker has sent an event."""
        self._still_s, self._looked = 0.0, time.monotonic()

    def stalled(self, stamps: tuple[int, ...]) -> bool:
        """Whether, at this look, nothing has changed for longer than the worker was given."""
        moment = time.monotonic()
        since, self._looked = moment - self._looked, moment
        self._still_s = self._still_s + min(since, LATEST_LOOK_S) if stamps == self._stamps else 0.0
        self._stamps = stamps
        return self._still_s > self._stall_s
