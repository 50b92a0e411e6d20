"""How each figure of a page is defined: meaning, formula, what its symbols are, how intervals come about."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from profiler.analyse import symbols
from profiler.analyse.intrusion import LIMITS, Limit
from profiler.analyse.metrics import FROM_FILE, IDLE_POWER, METRICS, Metric
from profiler.analyse.percentiles import FIRST_TOKENS, GAPS
from profiler.analyse.report import Report
from profiler.render import format as fmt
from profiler.render.columns import HEADLINES
from profiler.render.html.parts import Block, Cell, Definition, Grid, Head

KNOWN: dict[str, Metric] = (
    METRICS | {metric.name: metric for metric in (*FIRST_TOKENS, *GAPS, IDLE_POWER)} | FROM_FILE
)
FIRST = {name for columns in HEADLINES.values() for name, _, _ in columns}

STATISTICS = (
    ("one value", "the passes of one process make one value, their median: only processes count as samples"),
    ("centre", "Hodges-Lehmann estimate of the logs of these values"),
    ("interval", "95%, from signed ranks (paired t, marked ~, below six rounds), widened for every look at the run"),
    ("ratio", "formed inside rounds, where drift is the same for both; widened for the number of comparisons too"),
    ("best", "better than each other row of its workload beyond doubt; otherwise no row is marked"),
    ("same", "the whole interval of the ratio lies within 3% of 1"),
)  # fmt: skip


def blocks(reports: Sequence[Report]) -> list[Block]:
    """Headline figures, how they are estimated, then all others with their symbols, folded."""
    shown = _shown(reports)
    first = [metric for metric in shown if metric.name in FIRST]
    others = [metric for metric in shown if metric.name not in FIRST]
    named = dict.fromkeys(name for metric in shown for name in symbols.named_in(metric.formula))
    letters = [(name, meaning) for name, meaning in symbols.MEANINGS.items() if name in named]
    found = [
        Block(definitions=_definitions(first)),
        Block(heading="Values, intervals and words", facts=STATISTICS),
        Block(heading=f"{len(others)} more figures", definitions=_definitions(others), folded=True)
        if others
        else None,
        Block(heading="Symbols of the formulas", facts=letters, folded=True) if letters else None,
        Block(heading="What counts as an intrusion", grid=_limits(), folded=True),
    ]
    return [block for block in found if block is not None]


def _shown(reports: Sequence[Report]) -> list[Metric]:
    """The metrics that have a value in any row, in our order."""
    rows = [row for report in reports for row in report.rows]
    valued = {name for row in rows for name, figure in row.metrics.items() if figure.value is not None}
    return [metric for name, metric in KNOWN.items() if name in valued]


def _definitions(metrics: Iterable[Metric]) -> list[Definition]:
    return [
        Definition(
            name=metric.name,
            label=metric.label,
            unit={"B": "bytes"}.get(metric.unit, metric.unit),
            direction="higher is better" if metric.higher_is_better else "lower is better",
            meaning=metric.meaning,
            formula=metric.formula,
        )
        for metric in metrics
    ]


def _limits() -> Grid:
    return Grid(
        caption="A pass beyond one of these limits is left out of every headline, and kept in the run file",
        heads=[Head("limit"), Head("of", number=True), Head("read from")],
        rows=[[Cell(one.name, kind="name"), Cell(_limit(one)), Cell(one.read)] for one in LIMITS],
    )


def _limit(one: Limit) -> str:
    return fmt.percent(one.limit) if one.unit == "%" else f"{fmt.number(one.limit)} {one.unit}"
