"""A report as JSON, schema edgeprof.report/1, and any other value that is shown so."""

from __future__ import annotations

import msgspec

from profiler.analyse.report import Report

DELETE = "\x7f"
"""The one character of ASCII that cannot be seen and that JSON does not escape."""


def render(report: Report) -> str:
    """Every figure with its interval, in the order of the rows."""
    return encoded(report)


def encoded(value: msgspec.Struct) -> str:
    """A value as indented JSON. Characters that cannot be seen are escaped."""
    text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"
    if text.isascii() and DELETE not in text:
        return text
    return text.translate({ord(c): _escape(c) for c in set(text) - {"\n"} if not c.isprintable()})


def _escape(character: str) -> str:
    units = character.encode("utf-16-be").hex()
    return "".join(f"\\u{units[n : n + 4]}" for n in range(0, len(units), 4))
