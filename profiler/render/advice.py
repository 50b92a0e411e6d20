"""What it would take to decide what is undecided, one line for each number of rounds or reason."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from profiler.analyse.comparison import Comparison
from profiler.analyse.gate import Outcome, Result
from profiler.analyse.metrics import METRICS
from profiler.analyse.plural import plural
from profiler.analyse.rounds_needed import CHANCE
from profiler.analyse.verdict import Verdict
from profiler.render import format as fmt

MOST_LINES = 8
MOST_NAMED = 8
"""A line about more comparisons than this counts them instead of naming them."""


def of_comparisons(found: Iterable[Comparison]) -> list[str]:
    """Plain text on the comparisons without a verdict, those that need the same together; at most a screenful."""
    return _lines(
        (f"{item.candidate} {METRICS[item.metric].label}", item.rounds_needed, item.rounds_reason)
        for item in found
        if item.verdict is Verdict.UNDECIDED and item.metric is not None
    )


def of_conditions(found: Iterable[Outcome]) -> list[str]:
    """The same on the conditions that are neither shown nor excluded."""
    return _lines(
        (f"{item.condition} of {item.candidate}", item.rounds_needed, item.rounds_reason)
        for item in found
        if item.result is Result.UNDECIDED and (item.rounds_needed or item.rounds_reason)
    )


def _lines(found: Iterable[tuple[str, int | None, str | None]]) -> list[str]:
    groups: dict[str, list[str]] = {}
    for name, rounds, reason in found:
        groups.setdefault(_advice(rounds, reason), []).append(name)
    shown = [fmt.plain(f"{_names(names)}: {text}") for text, names in groups.items()]
    more = len(shown) - MOST_LINES
    return shown if more <= 0 else [*shown[:MOST_LINES], f"and {more} more such lines"]


def _advice(rounds: int | None, reason: str | None) -> str:
    if rounds is None:
        return reason or "nothing is known"
    return (
        f"a fresh run with --processes {rounds} would decide it with {100 * CHANCE:.0f}% chance, "
        "if the difference is what it now seems"
    )


def _names(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= MOST_NAMED else plural(len(names), "comparison")
