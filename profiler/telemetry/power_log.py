"""The log of an external meter: a CSV file of a wall plug or a USB meter, whatever its columns are called."""

from __future__ import annotations

import csv
import re
import stat
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, tzinfo
from io import TextIOWrapper
from itertools import groupby, islice
from pathlib import Path
from statistics import fmean
from typing import BinaryIO

from profiler.errors import UserError
from profiler.runfile import PowerLog
from profiler.telemetry.log_columns import Columns, columns
from profiler.telemetry.log_times import SECOND, moment, settled

MOST_BYTES = 64 * 1024 * 1024
MOST_ROWS = 2_000_000
MOST_WATTS = 100_000.0
MOST_BAD = 0.01
"""Of the rows: more that cannot be read are a sign that the file is read wrongly."""

MOST_DIRECT_VOLTS = 60.0
"""Above it is alternating current, whose volts times amperes are not its power."""

HEADER_WITHIN = 20
"""Lines: what some meters write above their header is passed over."""

_NUMBER = re.compile(r"[+-]?[0-9]{1,9}(?:[.,][0-9]{1,12})?(?:[eE][+-]?[0-9]{1,2})?")
DELIMITERS = (";", "\t", ",")
HEADER = "a column of times (time, timestamp, date, ...) and one of power (W or mW), or of volts and amperes"


def read(path: Path, zone: tzinfo | None, offset_s: float) -> PowerLog:
    """The readings of a log, by the clock of this machine. Raises `UserError` for a file that is none.

    Times without a zone of their own are in `zone`, or in that of this machine; `offset_s` is how far the clock of
    the meter was ahead. Readings of the same moment become their mean.
    """
    name = shown(path)
    with _opened(path) as file:
        try:
            rows = _rows(file, name, zone)
        except csv.Error as error:
            raise UserError(f"{name} is no CSV file: {error}") from None
    offset_ns = round(offset_s * SECOND)
    merged = [(at, fmean(w for _, w in same)) for at, same in groupby(rows.readings(), key=lambda r: r[0])]
    if len(merged) < 2:
        raise UserError(f"{name} has {len(merged)} readings: at least two at different times are needed")
    return PowerLog(
        name=name,
        wall_ns=[at - offset_ns for at, _ in merged],
        watts=[round(watts, 6) for _, watts in merged],
        offset_s=offset_s,
    )


def shown(path: Path) -> str:
    """The file's name without its folders, short and printable."""
    name = "".join(c if c.isprintable() else "?" for c in path.name or str(path))
    return name[:80].encode("utf-8", "replace").decode()


@contextmanager
def _opened(path: Path) -> Iterator[TextIOWrapper]:
    """UTF-8, or UTF-16 where its mark says so; what is neither cannot stand in a column that is read."""
    try:
        if path.exists() and not stat.S_ISREG(path.stat().st_mode):
            raise UserError(f"{shown(path)} is a folder or a device: give the CSV file of the meter")
        with path.open("rb") as file:
            _refuse_size(file, path)
            wide = file.read(2) in (b"\xff\xfe", b"\xfe\xff")
            file.seek(0)
            yield TextIOWrapper(file, "utf-16" if wide else "utf-8-sig", errors="replace", newline="")
    except OSError as error:
        raise UserError(f"{shown(path)} cannot be read: {error.strerror}") from None


def _refuse_size(file: BinaryIO, path: Path) -> None:
    if file.seek(0, 2) > MOST_BYTES:
        raise UserError(f"{shown(path)} is larger than {MOST_BYTES >> 20} MiB: cut out the time of the run")
    file.seek(0)


class _Rows:
    """The readings so far: when, how much later if that time of day came twice, watts, and on which line."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._at, self._later, self._lines = array("q"), array("q"), array("q")
        self._watts = array("d")
        self._bad = 0
        self._first_bad = ""

    def add(self, line: int, at: int, later: int, watts: float) -> None:
        if not 0 <= watts <= MOST_WATTS:
            raise UserError(f"{self._name} line {line} says {watts:g} W: 0 to {MOST_WATTS:g} W are accepted")
        self._at.append(at)
        self._later.append(later)
        self._lines.append(line)
        self._watts.append(watts)
        if len(self._at) > MOST_ROWS:
            raise UserError(f"{self._name} has more than {MOST_ROWS} rows: cut out the time of the run")

    def skip(self, line: int, reason: str) -> None:
        """A row that cannot be read."""
        self._bad += 1
        self._first_bad = self._first_bad or f"line {line}: {reason}"

    def readings(self) -> Iterator[tuple[int, float]]:
        """In order of time. Raises `UserError` if too many rows were bad, or if time runs backwards."""
        total = len(self._at) + self._bad
        if self._bad > total * MOST_BAD:
            raise UserError(
                f"{self._name}: {self._bad} of {total} rows cannot be read, first {self._first_bad}; "
                "take them out if the others are sound"
            )
        times = settled(self._at, self._later)
        back = next((n for n in range(1, len(times)) if times[n] < times[n - 1]), None)
        if back is not None:
            raise UserError(
                f"{self._name} line {self._lines[back]}: its time is before that of the row above; "
                "sort the rows by time, or cut out those before the meter's clock was set"
            )
        return zip(times, self._watts, strict=True)


def _rows(file: TextIOWrapper, name: str, zone: tzinfo | None) -> _Rows:
    above, delimiter, found = _header(file, name)
    zone = zone or (UTC if found.utc else None)
    rows = _Rows(name)
    reader = csv.reader(_whole(file), delimiter=delimiter, skipinitialspace=True)
    for row in reader:
        if not any(field.strip() for field in row):
            continue
        line = above + reader.line_num
        try:
            at, later = moment(found.time_in(row), zone)
            watts = _watts(row, found, decimal_comma=delimiter != ",")
        except IndexError:
            rows.skip(line, "it has too few columns")
        except ValueError as reason:
            rows.skip(line, str(reason))
        else:
            rows.add(line, at, later, watts)
    return rows


def _header(file: TextIOWrapper, name: str) -> tuple[int, str, Columns]:
    """The number of the header's line, what stands between its fields, and which columns it names."""
    for number, line in enumerate(islice(file, HEADER_WITHIN), start=1):
        for delimiter in DELIMITERS:
            found = columns(next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), []))
            if found:
                return number, delimiter, found
    raise UserError(f"{name} is no power log: none of its first {HEADER_WITHIN} lines names {HEADER}")


def _whole(lines: Iterable[str]) -> Iterator[str]:
    """A last line without its end may be cut in the middle of a number."""
    return (line for line in lines if line.endswith(("\n", "\r")))


def _watts(row: Sequence[str], found: Columns, *, decimal_comma: bool) -> float:
    numbers = [_number(row[column.index].strip(), decimal_comma) * column.scale for column in found.power]
    if len(numbers) == 1:
        return numbers[0]
    volts, amperes = numbers
    if volts > MOST_DIRECT_VOLTS:
        raise ValueError(
            f"{volts:g} V are alternating current, whose volts times amperes are not its power: "
            "a column of power in W is needed"
        )
    return volts * amperes


def _number(text: str, decimal_comma: bool) -> float:
    if not _NUMBER.fullmatch(text) or ("," in text and not decimal_comma):
        raise ValueError(f"{text[:40]!r} is no number")
    return float(text.replace(",", "."))
