"""What can be limited: every figure of a row, and whether a limit on it makes sense."""

from __future__ import annotations

from enum import Enum

from profiler.analyse.metrics import (
    ENERGY_METRICS,
    FROM_FILE,
    IDLE_POWER,
    MEMORY_METRICS,
    MEMORY_PARTS,
    METRICS,
)
from profiler.analyse.percentiles import FIRST_TOKENS, GAPS
from profiler.documents.limits import Limit, Limits, Relation
from profiler.errors import UserError, nearest

LIMITABLE = METRICS | FROM_FILE | {metric.name: metric for metric in (*FIRST_TOKENS, *GAPS, IDLE_POWER)}
"""By name."""

FIRST_TOKEN_PERCENTILES = {metric.name: p for metric, p in FIRST_TOKENS.items()}
GAP_PERCENTILES = {metric.name: p for metric, p in GAPS.items()}
METERED = {metric.name for metric in ENERGY_METRICS} | {IDLE_POWER.name}

_LARGEST = {metric.name for metric in (*MEMORY_METRICS, *MEMORY_PARTS)}
_EXACT = {"read_bytes_per_token", "bits_read_per_weight"}


class Kind(Enum):
    """How a figure tells what it is sure of."""

    INTERVAL = "an interval over processes"
    FIRST_TOKENS = "order statistics of one first token of each process"
    LARGEST = "the largest value seen, without an interval"
    EXACT = "a fact of the file"


BYTES = "B"
FEWEST_BARE_BYTES = 2**20
"""A number of bytes below it, without a unit, was surely meant in another one."""


def kind(metric: str) -> Kind:
    """How this figure is judged."""
    if metric in FIRST_TOKEN_PERCENTILES:
        return Kind.FIRST_TOKENS
    if metric in _LARGEST:
        return Kind.LARGEST
    return Kind.EXACT if metric in _EXACT else Kind.INTERVAL


def check(limits: Limits) -> None:
    """Raises `UserError` for a limit on a metric that there is not, against its direction, or in another unit."""
    for use in limits.uses:
        for limit in use.limits:
            _check(limit, f"{limits.name}: {limit.key} is {limit.text!r}")


def _check(limit: Limit, where: str) -> None:
    metric = LIMITABLE.get(limit.metric)
    if metric is None:
        raise UserError(f"{where}: there is no metric {limit.metric!r}: {nearest(limit.metric, LIMITABLE)}")
    if (limit.relation is Relation.AT_LEAST) != metric.higher_is_better:
        better, accepted = ("more", ">=") if metric.higher_is_better else ("less", "<=")
        raise UserError(
            f"{where}: of {metric.name} {better} is better, so a limit on it is written with {accepted}"
        )
    if limit.unit is None and metric.unit == BYTES and 0 < limit.value < FEWEST_BARE_BYTES:
        raise UserError(
            f"{where}: that is {limit.value:g} bytes; write the unit too, as in '4 GiB' or '500 MB'"
        )
    if limit.unit not in (None, metric.unit):
        raise UserError(
            f"{where}: {metric.name} is no amount of {limit.unit}; give it in {metric.unit or 'a bare number'}"
        )
