"""Counts in words."""

from __future__ import annotations


def plural(count: int, noun: str) -> str:
    """1 round, 2 rounds, 3 passes."""
    if count == 1:
        return f"1 {noun}"
    return f"{count} {noun}{'es' if noun.endswith('s') else 's'}"
