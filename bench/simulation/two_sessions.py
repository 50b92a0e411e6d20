"""Equal builds measured in two sessions between which the whole machine moved: what an anchor is worth there."""

from __future__ import annotations

import math

import msgspec

from bench.simulation.machines import Machine
from bench.simulation.sessions import BASE, TG, planned, simulated
from profiler.analyse.across import Row, common_anchor, compare_runs
from profiler.analyse.comparison import Comparison, Terms
from profiler.analyse.contrasts import terms
from profiler.analyse.metrics import METRICS
from profiler.analyse.statistics import welch_interval
from profiler.analyse.verdict import Verdict

ROUNDS, SHIFT = 12, 1.03
"""As in section 8 of the noise study: everything takes 3% longer in the second session."""

ANCHOR = "anchor"
FAR_SEEDS = 1 << 19
METRIC = METRICS["tg_tps"]


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """Whether equal builds are called different: through the anchor, without one, and by Welch's interval alone.

    `half_width` is that of the interval without an anchor, as a log.
    """

    anchored: bool
    unanchored: bool
    plain: bool
    half_width: float


def judged_on(machine: Machine, seed: int) -> Judged:
    """Two sessions of one build and its anchor on this machine."""
    base, candidate = _session(machine, seed, 1.0), _session(machine, seed + FAR_SEEDS, SHIFT)
    anchors = common_anchor(base[0], candidate[0], TG)
    agreed = terms([base[0], candidate[0]], 1)
    bare = compare_runs(METRIC, base, candidate, None, agreed, [])
    assert anchors is not None
    assert bare.low is not None
    assert bare.high is not None
    return Judged(
        anchored=_is_alarm(compare_runs(METRIC, base, candidate, anchors, agreed, [])),
        unanchored=_is_alarm(bare),
        plain=_excludes_zero(base, candidate, agreed),
        half_width=math.log(bare.high / bare.low) / 2,
    )


def _session(machine: Machine, seed: int, shift: float) -> Row:
    plan = planned(TG, seed, rounds=ROUNDS, names=[BASE], anchors=[ANCHOR])
    study = simulated(machine, plan, 1.0, seed, shift=shift).study()
    return study, study.plan.cases[0]


def _is_alarm(found: Comparison) -> bool:
    return found.verdict in (Verdict.BETTER, Verdict.WORSE)


def _excludes_zero(base: Row, candidate: Row, agreed: Terms) -> bool:
    ours, theirs = (list(study.logs(METRIC, case).values()) for study, case in (base, candidate))
    bounds = welch_interval(ours, theirs, agreed.level)
    return bounds is not None and not bounds.low <= 0 <= bounds.high
