"""Which columns of a meter's log are its time and its power, by the names in its header."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import msgspec

from profiler.errors import UserError

WHOLE_TIMES = (
    *(
        "timestamp",
        "time stamp",
        "datetime",
        "date time",
        "date and time",
        "epoch",
        "epoch time",
        "ts",
        "utc",
    ),
    *("unix", "unix time", "unixtime", "unix timestamp", "zeitstempel", "datum zeit"),
)
TIMES, DATES = ("time", "zeit", "uhrzeit"), ("date", "datum")
BESIDE_TIMES = frozenset({"s", "sec", "seconds", "ms", "milliseconds", "utc", "gmt", "local", "iso"})

_MICRO = ("u", "\N{MICRO SIGN}", "\N{GREEK SMALL LETTER MU}")


def _units(letter: str, *words: str) -> dict[str, float]:
    """How many of the unit one of each is: {"w": 1, "mw": 0.001, ...}."""
    small = {f"{prefix}{letter}": 1e-6 for prefix in _MICRO} | {f"m{letter}": 1e-3, f"k{letter}": 1e3}
    full = {f"milli{word}": 1e-3 for word in words} | dict.fromkeys(words, 1.0)
    return {letter: 1.0} | small | full


class _Quantity(msgspec.Struct, frozen=True):
    """What a column may be called, and what units its name may end with."""

    names: frozenset[str]
    units: Mapping[str, float]

    def scale(self, words: Sequence[str]) -> float | None:
        """The unit of a column with this name, or None if it is another quantity."""
        if " ".join(words) in self.names:
            return 1.0
        if not words or words[-1] not in self.units:
            return None
        return self.units[words[-1]] if not words[:-1] or " ".join(words[:-1]) in self.names else None


POWER = _Quantity(
    frozenset({"power", "p", "apower", "active power", "real power", "input power", "leistung"}),
    _units("w", "watt", "watts"),
)
VOLTAGE = _Quantity(frozenset({"voltage", "u", "vbus", "spannung"}), _units("v", "volt", "volts"))
CURRENT = _Quantity(frozenset({"current", "i", "ibus", "strom"}), _units("a", "amp", "amps", "ampere"))


class Column(msgspec.Struct, frozen=True):
    """Where a number stands, and what to multiply it with to have watts, volts or amperes."""

    index: int
    scale: float


class Columns(msgspec.Struct, frozen=True):
    """Where the time stands, in one column or as date and time in two; power in one, or volts and amperes.

    `width` is how many columns there are; `utc` says that the header itself calls its times UTC.
    """

    width: int
    time: tuple[int, ...]
    power: tuple[Column, ...]
    utc: bool = False

    def time_in(self, row: Sequence[str]) -> str:
        """The time as it is written. Raises `IndexError` for a row that is too short, `ValueError` if it is too long.

        A row is too long where a decimal comma stands between commas.
        """
        if any(row[self.width :]):
            raise ValueError("it has more columns than the header")
        return " ".join(row[index].strip() for index in self.time)


def columns(header: Sequence[str]) -> Columns | None:
    """What these fields say of the rows below, or None if they are no header of a power log."""
    names = [_words(field) for field in header]
    time, power = _time(names), _power(header, names)
    if not time or not power:
        return None
    return Columns(len(header), time, power, any({"utc", "gmt"} & set(names[index]) for index in time))


def _words(field: str) -> list[str]:
    """The words of a name: "Power (mW)" and "power_mw" are power, mw."""
    return re.findall(r"[^\W\d_]+", field[:100].lower())


def _time(names: Sequence[Sequence[str]]) -> tuple[int, ...]:
    plain = [
        " ".join(word for word in words if word not in BESIDE_TIMES) or " ".join(words) for words in names
    ]
    whole, time, date = (
        next((n for n, name in enumerate(plain) if name in accepted), None)
        for accepted in (WHOLE_TIMES, TIMES, DATES)
    )
    if whole is not None:
        return (whole,)
    return tuple(index for index in (date, time) if index is not None)


def _power(header: Sequence[str], names: Sequence[Sequence[str]]) -> tuple[Column, ...]:
    power = _only(header, names, POWER)
    if power is not None:
        return (power,)
    volts, amperes = _only(header, names, VOLTAGE), _only(header, names, CURRENT)
    return (volts, amperes) if volts and amperes else ()


def _only(header: Sequence[str], names: Sequence[Sequence[str]], quantity: _Quantity) -> Column | None:
    found = [
        Column(n, scale) for n, words in enumerate(names) if (scale := quantity.scale(words)) is not None
    ]
    if len(found) > 1:
        one, two = (header[column.index].strip()[:40] for column in found[:2])
        raise UserError(f"the power log has both {one!r} and {two!r}: leave the column that counts")
    return found[0] if found else None
