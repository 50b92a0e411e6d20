"""A report as JSON, schema edgeprof.report/1, and any other value that is shown so."""

from __future__ import annotations

import msgspec

from profiler.analyse.report import Report


def render(report: Report) -> str:
    """Every figure with its interval, in the order of the rows."""
    return encoded(report)


def encoded(value: msgspec.Struct) -> str:
    """A value as indented JSON. Characters that cannot be seen are escaped."""
    text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"
    unseen = {ord(c): _escape(c) for c in set(text) - {"\n"} if not c.isprintable()}
    return text.translate(unseen) if unseen else text


def _escape(character: str) -> str:
    units = character.encode("utf-16-be").hex()
    return "".join(f"\\u{units[n : n + 4]}" for n in range(0, len(units), 4))
