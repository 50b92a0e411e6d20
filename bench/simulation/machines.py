"""Six machines of the noise study (section 1), and how slow each is from moment to moment.

Slowness is a factor on time, kept as a log: what the process drew at its start, drift, heat, and the jitter of one
piece of work add up. A burst of other programs multiplies the time of whatever it falls on. Where the study gives
no number, the one used here is told in the field's description.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import msgspec
import numpy as np

FALSE_FLAGS = 0.003
_SLOWED_BY = [1.1, 1.2, 1.3, 1.5, 2.0]
_SEEN = [0.29, 0.53, 0.73, 0.75, 1.0]
"""How often a pass slowed by so much is seen in the CPU time of others (noise study, section 6: 301 processes)."""

DRAWN_AT_ONCE = 1024


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """A slow wandering of the log of slowness (Ornstein-Uhlenbeck): its sd, and the time in which it forgets."""

    sd: float
    time_s: float


class Bursts(msgspec.Struct, frozen=True, kw_only=True):
    """Other programs at work: the mean time from one burst to the next, how long each lasts and how hard it hits.

    Set so that the study's share of the passes of a session is hit, which was counted after quiet starts: the wait for
    one does not make it smaller here. Both times are exponential. Only the 30 s of "storm" are the study's; the others
    last 2 s here.
    """

    every_s: float
    slowdown: float
    length_s: float = 2.0


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """One noise model. Standard deviations are of the log of time.

    `process_freedom` gives the process effect the tails of Student's t with so many degrees. A share `slow_share`
    of the processes is slower by `slow_by`. While the machine warms up, it loses the share `heat_loss` of its
    speed, 95% of that within `heat_s`.
    """

    name: str
    process_sd: float
    pass_sd: float
    drifts: tuple[Drift, ...]
    bursts: Bursts
    process_freedom: int | None = None
    slow_share: float = 0.0
    slow_by: float = 0.0
    heat_loss: float = 0.0
    heat_s: float = 40.0

    @property
    def usual_process(self) -> float:
        """The mean of the process effect."""
        return self.slow_share * self.slow_by


RARE = Bursts(every_s=600.0, slowdown=5.0)
FIT_DRIFTS = (Drift(sd=0.07, time_s=40.0), Drift(sd=0.043, time_s=2.0))
CALM_DRIFT = (Drift(sd=0.005, time_s=120.0),)

MACHINES = (
    Machine(name="calm", process_sd=0.01, pass_sd=0.008, drifts=CALM_DRIFT, bursts=RARE),
    Machine(
        name="fit",
        process_sd=0.008,
        pass_sd=0.022,
        drifts=FIT_DRIFTS,
        bursts=Bursts(every_s=57.0, slowdown=5.0),
    ),
    Machine(
        name="storm",
        process_sd=0.008,
        pass_sd=0.022,
        drifts=FIT_DRIFTS,
        bursts=Bursts(every_s=120.0, slowdown=7.0, length_s=30.0),
    ),
    Machine(
        name="heavy",
        process_sd=0.055,
        process_freedom=4,
        pass_sd=0.03,
        drifts=(Drift(sd=0.05, time_s=40.0),),
        bursts=Bursts(every_s=22.5, slowdown=3.0),
    ),
    Machine(
        name="laptop",
        process_sd=0.04,
        pass_sd=0.02,
        drifts=(Drift(sd=0.02, time_s=60.0),),
        bursts=RARE,
        heat_loss=0.28,
    ),
    Machine(
        name="bimodal",
        process_sd=0.025,
        pass_sd=0.008,
        drifts=CALM_DRIFT,
        bursts=RARE,
        slow_share=0.25,
        slow_by=0.10,
    ),
)
"""The sd of bimodal's processes is 5%: 4.3% from the two modes, 2.5% inside each. Its other noise is that of calm.
heavy's bursts slow by 3, which gives the study's seconds for a round; those of laptop and bimodal are calm's."""


def seen_share(slowed_by: float) -> float:
    """How often a pass that bursts made `slowed_by` times as long is seen to be disturbed."""
    if slowed_by < _SLOWED_BY[0]:
        return FALSE_FLAGS
    return float(np.interp(slowed_by, _SLOWED_BY, _SEEN))


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What one piece of work took, and what it would have taken without bursts, in seconds."""

    took_s: float
    undisturbed_s: float


class Moment:
    """A machine as time goes by: its clock, its drift, the next burst.

    `conditions` are the logs of slowness that each piece of work met, without bursts and the luck of its own
    process and pass: their mean is how slow the machine was during the session.
    """

    def __init__(self, machine: Machine, seed: int) -> None:
        self._machine = machine
        self._draw = np.random.default_rng(seed)
        self._normals = self._standard_normals()
        self._drift = [drift.sd * next(self._normals) for drift in machine.drifts]
        self._drifted_s = 0.0
        self._burst = (0.0, 0.0)
        self.now_s = 0.0
        self.conditions: list[float] = []

    def wait(self, seconds: float) -> None:
        """Time passes; nothing that depends on the machine's speed is done."""
        self.now_s += seconds

    def process(self) -> float:
        """The log of slowness that a new process draws."""
        machine = self._machine
        effect = machine.process_sd * next(self._normals)
        if machine.process_freedom is not None:
            effect *= math.sqrt((machine.process_freedom - 2) / self._draw.chisquare(machine.process_freedom))
        if machine.slow_share and self._draw.random() < machine.slow_share:
            effect += machine.slow_by
        return effect

    def work(self, seconds: float, slowness: float) -> Work:
        """Do what takes `seconds` on this machine at its usual speed, in a process of this (log) slowness."""
        common = self._common()
        self.conditions.append(common)
        jitter = self._machine.pass_sd * next(self._normals)
        undisturbed_s = seconds * math.exp(slowness + common + jitter)
        began_s = self.now_s
        self._advance(undisturbed_s)
        return Work(took_s=self.now_s - began_s, undisturbed_s=undisturbed_s)

    def seen(self, slowed_by: float) -> bool:
        """Whether the kernel's counters show a pass that bursts slowed by this factor."""
        return bool(self._draw.random() < seen_share(slowed_by))

    def _common(self) -> float:
        """Drift and heat of the moment, which all processes share."""
        passed_s, self._drifted_s = self.now_s - self._drifted_s, self.now_s
        for number, drift in enumerate(self._machine.drifts):
            kept = math.exp(-passed_s / drift.time_s)
            fresh = drift.sd * math.sqrt(1 - kept * kept) * next(self._normals)
            self._drift[number] = kept * self._drift[number] + fresh
        warmth = 1 - math.exp(-3 * self.now_s / self._machine.heat_s)
        return sum(self._drift) - math.log1p(-self._machine.heat_loss * warmth)

    def _advance(self, left_s: float) -> None:
        """Let this much undisturbed work be done, through as many bursts as come."""
        while left_s > 0:
            starts_s, ends_s = self._burst_to_come()
            slowed = self.now_s >= starts_s
            factor, until_s = (self._machine.bursts.slowdown, ends_s) if slowed else (1.0, starts_s)
            done_s = min(left_s, (until_s - self.now_s) / factor)
            left_s -= done_s
            self.now_s = until_s if left_s > 0 else self.now_s + done_s * factor

    def _burst_to_come(self) -> tuple[float, float]:
        """Start and end of the burst that is on, or else of the next one. The machine starts quiet."""
        bursts = self._machine.bursts
        while self._burst[1] <= self.now_s:
            starts_s = self._burst[1] + self._draw.exponential(bursts.every_s)
            self._burst = (starts_s, starts_s + self._draw.exponential(bursts.length_s))
        return self._burst

    def _standard_normals(self) -> Iterator[float]:
        while True:
            yield from self._draw.standard_normal(DRAWN_AT_ONCE).tolist()
