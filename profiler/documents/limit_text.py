"""One limit as a person writes it: `ttft_ms.p90 <= 1 s`, `decode_tps >= 10`, `pss_bytes <= "4 GiB"`."""

from __future__ import annotations

import re

from profiler.documents.limits import Limit, Relation
from profiler.errors import UserError, nearest

UNITS = {
    "B": ("B", 1.0), "kB": ("B", 1e3), "KB": ("B", 1e3), "MB": ("B", 1e6), "GB": ("B", 1e9),
    "KiB": ("B", 2.0**10), "MiB": ("B", 2.0**20), "GiB": ("B", 2.0**30), "TiB": ("B", 2.0**40),
    "ms": ("ms", 1.0), "s": ("ms", 1e3), "min": ("ms", 6e4),
    "tok/s": ("tok/s", 1.0), "B/s": ("B/s", 1.0), "J": ("J", 1.0), "W": ("W", 1.0), "bit": ("bit", 1.0),
}  # fmt: skip
"""Each unit that may be written: the metrics' own unit behind it, and how many of those it is."""

GRAMMAR = "a metric, one of <= >= and a number with its unit are accepted, as in 'ttft_ms <= 1 s'"

_LIMIT = re.compile(r"\s*([A-Za-z0-9_.]{1,60})\s*(<=|>=)\s*(\"?)([^\"]{1,40})\3\s*")
_AMOUNT = re.compile(r"\s*(\d{1,15}(?:\.\d{1,9})?)\s*([A-Za-z/]{0,10})\s*")


def limit(text: str, key: str) -> Limit:
    """The limit in these words; `key` says where they stand. Raises `UserError` for words that are none."""
    found = _LIMIT.fullmatch(text)
    amount = _AMOUNT.fullmatch(found[4]) if found else None
    if found is None or amount is None:
        raise UserError(f"{key} is {text[:60]!r}: {GRAMMAR}")
    unit, size = _unit(amount[2], text, key)
    return Limit(
        metric=found[1],
        relation=Relation(found[2]),
        value=float(amount[1]) * size,
        text=f"{found[1]} {found[2]} {' '.join(filter(None, amount.groups()))}",
        unit=unit,
        key=key,
    )


def _unit(word: str, text: str, key: str) -> tuple[str | None, float]:
    if not word:
        return None, 1.0
    if word not in UNITS:
        raise UserError(
            f"{key} is {text[:60]!r}: there is no unit {word!r}: {nearest(word, UNITS, len(UNITS))}"
        )
    return UNITS[word]
