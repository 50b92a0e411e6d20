"""How many rounds and passes a run takes so that its limits can be decided."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from profiler.analyse.deciding import FOR_AN_INTERVAL
from profiler.analyse.judged import processes_for
from profiler.analyse.limit_metrics import FIRST_TOKEN_PERCENTILES, GAP_PERCENTILES, LIMITABLE, Kind, kind
from profiler.analyse.metrics import COLD_METRICS, IDLE_POWER, Metric
from profiler.analyse.plural import plural
from profiler.documents.limits import Limit
from profiler.errors import UserError
from profiler.runfile import MOST_PASSES, MOST_ROUNDS, Workload

FOR_THE_LARGEST = 3

RESERVE = 2
"""Rounds beyond the fewest for a percentile's bound: one process that others disturbed would leave it open."""


class Demand(msgspec.Struct, frozen=True, kw_only=True):
    """Rounds and passes at least, each with the limit that takes the most of them."""

    rounds: int
    rounds_for: str
    passes: int = 0
    passes_for: str = ""


def demand(limits: Sequence[Limit], workload: Workload, *, cold: bool = False) -> Demand:
    """What these limits take, of a run with cold starts or not. Raises `UserError` for one that it cannot decide."""
    for limit in limits:
        if never := _never(limit, workload, cold=cold):
            raise UserError(f"{limit.key} is {limit.text!r}: {never}")
    rounds = max((_rounds(limit) for limit in limits), key=lambda found: found[0])
    passes = max((_passes(limit, workload) for limit in limits), key=lambda found: found[0])
    return Demand(rounds=rounds[0], rounds_for=rounds[1], passes=passes[0], passes_for=passes[1])


def _never(limit: Limit, workload: Workload, *, cold: bool) -> str | None:
    """Why such a run has no figure, or no interval, for this limit."""
    metric = LIMITABLE[limit.metric]
    if not _measures(workload, metric):
        return f"{workload.id} does not measure it; name the workload of this limit in its [[use]]"
    if metric == IDLE_POWER:
        return "it is one figure of a whole run, without an interval that could decide it; limit power_w"
    if metric in COLD_METRICS and not cold:
        return "no process starts cold in this run; add --cold"
    return None


def _measures(workload: Workload, metric: Metric) -> bool:
    """Of pp and tg a workload of llama-bench's method measures one."""
    tokens = {"pp_tps": workload.prompt_tokens, "tg_tps": workload.output_tokens}
    return workload.method in metric.methods and tokens.get(metric.name, 1) > 0


def together(demands: Sequence[Demand]) -> Demand:
    """The most of several workloads."""
    rounds = max(demands, key=lambda one: one.rounds)
    passes = max(demands, key=lambda one: one.passes)
    return Demand(
        rounds=rounds.rounds,
        rounds_for=rounds.rounds_for,
        passes=passes.passes,
        passes_for=passes.passes_for,
    )


def _rounds(limit: Limit) -> tuple[int, str]:
    match kind(limit.metric):
        case Kind.FIRST_TOKENS:
            needed = _for_bound(limit)
            why = f"{limit.text} needs {needed} first tokens for a closed bound, {RESERVE} more in case some are lost"
            return needed + RESERVE, why
        case Kind.INTERVAL:
            return FOR_AN_INTERVAL, f"{limit.text} needs an interval that outlasts one ruined round"
        case Kind.LARGEST | Kind.EXACT:
            return FOR_THE_LARGEST, f"{limit.text} is judged on the largest value seen"


def _for_bound(limit: Limit) -> int:
    needed = processes_for(FIRST_TOKEN_PERCENTILES[limit.metric])
    if needed <= MOST_ROUNDS:
        return needed
    highest = max(p for p in FIRST_TOKEN_PERCENTILES.values() if processes_for(p) <= MOST_ROUNDS)
    raise UserError(
        f"{limit.key} is {limit.text!r}: it needs {needed} processes for a closed bound, and a run has {MOST_ROUNDS} "
        f"at most; ask for ttft_ms.p{highest} ({processes_for(highest)} processes) or a lower one"
    )


def _passes(limit: Limit, workload: Workload) -> tuple[int, str]:
    """Passes whose gaps together carry the percentile in every process."""
    p, each = GAP_PERCENTILES.get(limit.metric), workload.output_tokens - 1
    if p is None:
        return 0, ""
    gaps = -(-100 // min(p, 100 - p))
    passes = -(-gaps // each) if each > 0 else MOST_PASSES + 1
    if passes > MOST_PASSES:
        raise UserError(
            f"{limit.key} is {limit.text!r}: it needs {gaps} gaps in each process, and {MOST_PASSES} passes of "
            f"{plural(workload.output_tokens, 'token')} have fewer; ask for longer answers with -n"
        )
    return passes, f"{limit.text} needs {gaps} gaps in each process"
