"""The four formats of llama-bench that programs read, each as tests of named values, in its own words.

Whatever the format, a value is the text that llama-bench itself makes of it: "0" and "1" for a flag. What stands in a
file of SQL is taken apart by the very form in which it is printed, and never executed.
Source: llama.cpp, tools/llama-bench/llama-bench.cpp: json_printer, jsonl_printer, csv_printer, sql_printer.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence

from profiler.errors import UserError
from profiler.importing.reading import decoded_json, short

Test = dict[str, str]
MOST_TESTS = 1000
REPETITIONS = "repetitions"
"""The name given to how many samples a test has; only JSON tells them."""

_INSERT = re.compile(r"INSERT INTO (?:llama_bench|test) \(([a-z0-9_, ]+)\) VALUES \('(.*)'\);")
_TABLE = re.compile(r"CREATE TABLE IF NOT EXISTS (?:llama_bench|test) \($")
_COLUMN = re.compile(r"  [a-z0-9_]+ (?:TEXT|INTEGER|REAL),?$")


def read_tests(text: str, name: str) -> list[Test]:
    """Every test in a file called `name`. Raises `UserError` for what llama-bench does not write."""
    start = text.lstrip()
    if start.startswith("["):
        found = _json(text, name)
    elif start.startswith("{"):
        found = [_test(item, name) for item in _json_lines(text, name)]
    elif start.startswith(("CREATE TABLE", "INSERT INTO")):
        found = _sql(text, name)
    elif start.startswith("build_commit,"):
        found = _csv(text, name)
    else:
        raise UserError(
            f"{name} is no output of llama-bench that programs can read: make one with -o json, jsonl, csv or sql"
        )
    if not 1 <= len(found) <= MOST_TESTS:
        raise UserError(f"{name} holds {len(found)} tests; from 1 to {MOST_TESTS} are accepted")
    return found


def _json(text: str, name: str) -> list[Test]:
    items = decoded_json(text, name)
    if not isinstance(items, list):
        raise UserError(f"{name} is no output of llama-bench: a list of tests is accepted")
    return [_test(item, name) for item in items]


def _json_lines(text: str, name: str) -> list[object]:
    return [decoded_json(line, name) for line in text.splitlines() if line.strip()]


def _test(item: object, name: str) -> Test:
    """The scalars of one test; of its samples only how many there are."""
    if not isinstance(item, dict):
        raise UserError(f"{name} is no output of llama-bench: {short(repr(item)[:200])} is no test")
    samples = item.get("samples_ns")
    repetitions = {REPETITIONS: str(len(samples))} if isinstance(samples, list) else {}
    return {key: _word(value) for key, value in item.items() if _is_scalar(value)} | repetitions


def _is_scalar(value: object) -> bool:
    return isinstance(value, str | int | float)


def _word(value: object) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)


def _csv(text: str, name: str) -> list[Test]:
    try:
        header, *lines = csv.reader(io.StringIO(text), strict=True)
    except (csv.Error, ValueError) as error:
        raise UserError(f"{name} is no whole CSV: {error}") from None
    rows = [line for line in lines if line and line != header]
    return [_named(header, line, name) for line in rows]


def _sql(text: str, name: str) -> list[Test]:
    """Line by line, each of which must be one that llama-bench prints."""
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        inserted = _INSERT.fullmatch(line)
        if inserted:
            found.append(_named(inserted[1].split(", "), inserted[2].split("', '"), name))
        elif line not in ("", ");") and not _TABLE.match(line) and not _COLUMN.match(line):
            raise UserError(f"{name} line {number} is no SQL of llama-bench: {short(line[:200])!r}")
    return found


def _named(fields: Sequence[str], values: Sequence[str], name: str) -> Test:
    if len(fields) != len(values):
        raise UserError(
            f"{name} has a test of {len(values)} values for {len(fields)} fields: it is cut off, or a quote in a name "
            "broke it; make it anew with -o json"
        )
    return dict(zip(fields, values, strict=True))
