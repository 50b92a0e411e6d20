"""The lines over layers from which a figure of a full model is extrapolated, as text."""

from __future__ import annotations

from profiler.analyse.explanation import Explanation, ExtrapolationSteps
from profiler.analyse.extrapolated_lines import RoundLine
from profiler.analyse.plural import plural
from profiler.render import format as fmt
from profiler.render.worked import precise

MOST_ROUNDS = 8

_INVERTED = {"tok/s": "s/tok"}
"""The unit of the time that a rate is the inverse of."""


def unit(found: Explanation) -> str:
    """The unit of the times that the lines go through."""
    lined = found.extrapolation
    return _INVERTED.get(found.cell.unit, "") if lined and lined.inverted else found.cell.unit


def lines(found: Explanation, every: bool) -> list[str]:
    """The shapes, and for each round their times, the line through them and its value at all layers."""
    lined = found.extrapolation
    if lined is None:
        return []
    counts = zip(lined.rows, lined.builds, lined.lines.layers, strict=True)
    of = f"1 / {found.metric}, {unit(found)}" if lined.inverted else f"{found.metric}, {unit(found)}"
    rounds = [_round(line, lined) for line in lined.lines.rounds]
    if len(rounds) > MOST_ROUNDS and not every:
        more = f"... {plural(len(rounds) - MOST_ROUNDS + 1, 'round')} more: --all shows them"
        rounds = [*rounds[: MOST_ROUNDS - 2], more, rounds[-1]]
    return [
        f"time(L) = a + b x L, the least squares line through the shapes of each round; L = {lined.lines.full_layers}",
        *(f"  {row}\t{layers} layers, {fmt.plain(build)}" for row, build, layers in counts),
        f"{of}, of one process of each shape (edgeprof explain shows theirs by their rows)",
        *rounds,
    ]


def _round(line: RoundLine, lined: ExtrapolationSteps) -> str:
    times = ", ".join(
        f"{layers}: {precise(time)}" for layers, time in zip(lined.lines.layers, line.times, strict=True)
    )
    worked = f"{precise(line.a)} + {precise(line.b)} x {lined.lines.full_layers} = {precise(line.full)}"
    return f"round {line.round}\t{times}; a + b x L = {worked}"


def basis(found: Explanation) -> list[str]:
    """Nothing of a measured figure."""
    if found.extrapolation is None:
        return []
    return ["extrapolated, as if the model fitted in memory; a process of each shape in every round"]


def widening(found: Explanation) -> list[str]:
    """By how much the bounds are moved apart, why, and what becomes of a time that a rate is the inverse of."""
    lined = found.extrapolation
    if lined is None or found.cell.value is None:
        return []
    share = fmt.percent(lined.widened_by)
    why = (
        "how far the two largest shapes alone lead elsewhere"
        if lined.lines.error_is == "lack_of_fit"
        else "an allowance for what a line may be wrong by"
    )
    told = (
        []
        if lined.lines.on_log_scale
        else ["on the times themselves: a round lies below zero and has no log"]
    )
    told.append(f"bounds of the time / and x {1 + lined.widened_by:.4g} ({share}): {why}")
    return [*told, "the figure is the inverse of the time"] if lined.inverted else told
