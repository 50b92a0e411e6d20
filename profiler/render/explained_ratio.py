"""The steps to one ratio and its verdict as text."""

from __future__ import annotations

from rich.console import RenderableType

from profiler.analyse.plural import plural
from profiler.analyse.ratio_explanation import PairSteps, RatioExplanation
from profiler.analyse.verdict import SAME_ZONE, Verdict
from profiler.render import format as fmt
from profiler.render.explained import document, interval
from profiler.render.worked import precise

MOST_PAIRS = 12


def renderable(found: RatioExplanation, every: bool) -> RenderableType:
    """Pairs, interval, ratio and verdict."""
    item = found.comparison
    low, high = (fmt.ratio(bound) for bound in (item.low, item.high))
    differs = [f"what differs: {', '.join(item.differs)}"] if item.differs else []
    sections = [
        (
            "Meaning",
            [f"{found.metric} of {found.row} over that of {found.base}, formed inside each round", *differs],
        ),
        ("Formula", ["log(candidate) - log(base), of the one value that each process has in this round"]),
        ("Pairs", _pairs(found, every)),
        ("Interval", interval(found.interval, "") if found.interval else []),
        ("Allowance", _allowance(found)),
        ("Cell", [f"{fmt.ratio(item.ratio)}   {low[1:]} to {high[1:]}   {item.verdict.value}"]),
        ("Verdict", [_why(found)]),
    ]
    return document(f"{found.metric}: {found.row} compared with {found.base}", sections)


def _allowance(found: RatioExplanation) -> list[str]:
    if found.widened_by is None:
        return []
    return [f"bounds / and x {1 + found.widened_by:.4g}, for what the extrapolated figures may be wrong by"]


def _pairs(found: RatioExplanation, every: bool) -> list[str]:
    pairs = found.pairs
    if every or len(pairs) <= MOST_PAIRS:
        return [_pair(pair, found.unit) for pair in pairs]
    half = MOST_PAIRS // 2
    skipped = f"... {plural(len(pairs) - 2 * half, 'pair')} more: --all shows them"
    first, last = ([_pair(pair, found.unit) for pair in part] for part in (pairs[:half], pairs[-half:]))
    return [*first, skipped, *last]


def _pair(pair: PairSteps, unit: str) -> str:
    ratio = fmt.ratio(pair.candidate / pair.base)
    return f"round {pair.round}\t{precise(pair.candidate)} / {precise(pair.base)} {unit} = {ratio}, log {pair.log:+.5f}"


def _why(found: RatioExplanation) -> str:
    item = found.comparison
    better = "more is better" if found.higher_is_better else "less is better"
    if not found.ended:
        return "undecided: the run did not reach its planned stop"
    if item.provisional or item.low is None or item.high is None:
        return "undecided: too few rounds for an interval that carries a verdict"
    if item.verdict in (Verdict.BETTER, Verdict.WORSE):
        side = "above" if item.low > 1 else "below"
        return f"{item.verdict.value}: the whole interval lies {side} 1, and {better}"
    zone = f"{fmt.ratio(1 / (1 + SAME_ZONE))} to {fmt.ratio(1 + SAME_ZONE)}"
    if item.verdict is Verdict.SAME:
        return f"same: the interval holds 1 and lies within {zone}"
    return f"{item.verdict.value}: the interval holds 1 and reaches beyond {zone}"
