"""Values as people type them on the command line: `2%`, `120s`, `2,4`, `key=value`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from profiler.errors import UserError
from profiler.runfile import MOST_SECONDS

if TYPE_CHECKING:
    from profiler.analyse.gate import Condition

MOST_SHIFT_S = 4e9
"""More than a century: a clock may never have been set."""

_TIME = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|min|h)?")
_SECONDS = {None: 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_COUNT = re.compile(r"(\d+(?:\.\d+)?)\s*([kmbt]?)", re.IGNORECASE)
_THOUSANDS = {"": 1.0, "K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}
_MEMORY = re.compile(r"(\d{1,15}(?:\.\d{1,3})?)\s*(?:([kmgt])(?:i?b)?)?", re.IGNORECASE)
_SHIFT = re.compile(r"([+-]?[0-9]{1,10}(?:\.[0-9]{1,9})?)\s*s?")
_CONDITION = re.compile(r"\s*([A-Za-z0-9_.]+)\s*(<=|>=|<|>)\s*([+-]?\d{1,6}(?:\.\d{1,6})?)\s*%\s*")
_SHARE = re.compile(r"(\d+(?:\.\d+)?)\s*%")


def seconds(flag: str, text: str) -> float:
    """A duration: `90`, `90s`, `5m`, `1.5h`."""
    found = _TIME.fullmatch(text.strip())
    duration = float(found[1]) * _SECONDS[found[2]] if found else None
    if duration is None or duration > MOST_SECONDS:
        raise UserError(
            f"{flag} {text[:20]!r}: a duration such as 90s, 5m or 1h is accepted, up to {MOST_SECONDS // 86400} days"
        )
    return duration


def shift(flag: str, text: str) -> float:
    """Seconds forward, or back with a minus sign: `3`, `-7200`, `0.5s`."""
    found = _SHIFT.fullmatch(text.strip())
    if found is None or abs(float(found[1])) > MOST_SHIFT_S:
        raise UserError(f"{flag} {text[:20]!r}: seconds are accepted, such as 2.5 or -7200")
    return float(found[1])


def share(flag: str, text: str) -> float:
    """A percentage as a share: `2%` is 0.02."""
    found = _SHARE.fullmatch(text.strip())
    if found is None or not 0 < float(found[1]) <= 100:
        raise UserError(f"{flag} {text!r}: a percentage such as 2% is accepted")
    return float(found[1]) / 100


def several(flag: str, text: str) -> list[str]:
    """A comma list."""
    words = [word.strip() for word in text.split(",")]
    if not all(words):
        raise UserError(f"{flag} {text!r}: a comma list such as 2,4 is accepted")
    return words


def assignments(flag: str, texts: Sequence[str]) -> dict[str, list[str]]:
    """`key=value[,value]`, repeated."""
    found: dict[str, list[str]] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise UserError(f"{flag} {text!r}: key=value is accepted, such as ubatch=256")
        found[key.strip()] = several(flag, value)
    return found


def options(flag: str, texts: Sequence[str]) -> dict[str, str]:
    """`key=value`, repeated, one value each."""
    found = assignments(flag, texts)
    several_of = next((key for key, values in found.items() if len(values) > 1), None)
    if several_of is not None:
        raise UserError(f"{flag} {several_of}: one value is accepted")
    return {key: values[0] for key, values in found.items()}


def count(flag: str, text: str) -> float:
    """A number of things: `500M`, `8B`, `1.5b`, `1000000`."""
    found = _COUNT.fullmatch(text.strip())
    if found is None:
        raise UserError(f"{flag} {text[:20]!r}: a number such as 500M, 8B or 1.5B is accepted")
    return float(found[1]) * _THOUSANDS[found[2].upper()]


def memory(flag: str, text: str) -> int:
    """Bytes of memory, which come in powers of two: `4G`, `4GiB`, `1.5g`, `512M`, `4000000000`."""
    found = _MEMORY.fullmatch(text.strip())
    if found is None:
        raise UserError(
            f"{flag} {text[:20]!r}: a size such as 4G, 4GiB, 512M or 4000000000 (bytes) is accepted"
        )
    return int(float(found[1]) * 1024 ** " kmgt".index((found[2] or " ").lower()))


def condition(text: str) -> Condition:
    """A condition of a gate: `decode_tps < -3%`, `peak_rss_bytes > 5%`."""
    from profiler.analyse import gate

    found = _CONDITION.fullmatch(text)
    if found is None:
        raise UserError(
            f"--fail-if {text[:60]!r}: a metric, one of < <= > >= and a percentage are accepted, "
            "as in 'decode_tps < -3%'"
        )
    return gate.condition(found[1], gate.Relation(found[2]), float(found[3]) / 100, text.strip())
