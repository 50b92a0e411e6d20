"""What it would take to decide what is undecided, one line for each number of rounds or reason."""

from __future__ import annotations

from collections.abc import Sequence

from profiler.analyse.comparison import Comparison
from profiler.analyse.metrics import METRICS
from profiler.analyse.plural import plural
from profiler.analyse.rounds_needed import CHANCE
from profiler.analyse.verdict import Verdict
from profiler.render import format as fmt

MOST_LINES = 8
MOST_NAMED = 8
"""A line about more comparisons than this counts them instead of naming them."""


def lines(found: Sequence[Comparison]) -> list[str]:
    """Plain text, those that need the same together; at most a screenful."""
    groups: dict[str, list[str]] = {}
    for item in found:
        if item.verdict is Verdict.UNDECIDED and item.metric is not None:
            groups.setdefault(_advice(item), []).append(f"{item.candidate} {METRICS[item.metric].label}")
    shown = [fmt.plain(f"{_names(names)}: {text}") for text, names in groups.items()]
    more = len(shown) - MOST_LINES
    return shown if more <= 0 else [*shown[:MOST_LINES], f"and {more} more such lines"]


def _advice(item: Comparison) -> str:
    if item.rounds_needed is None:
        return item.rounds_reason or "nothing is known"
    return (
        f"a fresh run with --processes {item.rounds_needed} would decide it with {100 * CHANCE:.0f}% chance, "
        "if the difference is what it now seems"
    )


def _names(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= MOST_NAMED else plural(len(names), "comparison")
