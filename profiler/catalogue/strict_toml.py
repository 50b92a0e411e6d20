"""TOML files read into frozen structs, with one sentence for everything that can be wrong with them."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Iterable
from functools import cache, reduce
from operator import or_
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import msgspec

from profiler.errors import UserError, nearest

MAX_BYTES = 1_000_000
"""No data file is larger than this."""

LONGEST_LINE = 1000
"""No line of a data file is longer: tomllib takes minutes over one key of a hundred thousand dots."""

_INT64 = range(-(2**63), 2**63)
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+")
_ACCEPTED = {str: "text", int: "a whole number", float: "a number", bool: "true or false", dict: "a table"}

T = TypeVar("T")


def read_toml(path: Path, kind: type[T]) -> T:
    """The file at `path` as a `kind`: a msgspec struct, in which structs, dicts and lists may be nested.

    Raises `UserError` naming the file and the dotted key if the file cannot be read, is larger than
    `MAX_BYTES` or a line than `LONGEST_LINE`, is not UTF-8 or not TOML, or has an unknown, missing or wrong
    key or unprintable text.
    """
    tables = _parse(path)
    wrong = _fault(tables, kind, "")
    if wrong:
        raise UserError(f"{path}: {wrong}")
    try:
        return msgspec.convert(tables, kind)
    except msgspec.ValidationError as error:
        raise UserError(f"{path}: {error}; correct that value") from None


def _parse(path: Path) -> dict[str, Any]:
    try:
        text = _read(path).decode("utf-8")
        for place, line in enumerate(text.split("\n"), start=1):
            if len(line) > LONGEST_LINE:
                raise UserError(f"{path}: line {place} has over {LONGEST_LINE} characters; break it up")
        return tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8") from None
    except ValueError as error:
        raise UserError(f"{path}: not valid TOML: {error}; correct it there") from None
    except RecursionError:
        raise UserError(f"{path}: lists or tables are nested too deeply; write them flatter") from None


def _read(path: Path) -> bytes:
    try:
        if not path.is_file():
            what = "is no regular file" if path.exists() else "no such file"
            raise UserError(f"{path}: {what}; give the path of a TOML file")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); check its permissions") from None
    if len(content) > MAX_BYTES:
        raise UserError(f"{path}: larger than {MAX_BYTES} bytes, the most a data file may have; shorten it")
    return content


def _fault(value: object, kind: Any, key: str) -> str | None:
    """What is wrong with `value`, which should be a `kind`, or None."""
    kind = _without_none(kind)
    origin = get_origin(kind) or kind
    if isinstance(origin, type) and issubclass(origin, msgspec.Struct):
        return _table_fault(value, kind, key)
    if origin is dict and isinstance(value, dict):
        names, items = get_args(kind)
        return _first(
            _leaf_fault(name, names, f"the name of {_join(key, name)}")
            or _fault(item, items, _join(key, name))
            for name, item in value.items()
        )
    if origin in (tuple, list) and isinstance(value, list):
        element = get_args(kind)[0]
        return _first(_fault(item, element, f"{key}[{place}]") for place, item in enumerate(value))
    return _leaf_fault(value, kind, key)


def _table_fault(value: object, kind: Any, key: str) -> str | None:
    if not isinstance(value, dict):
        return f"{key} is {_shown(value)}, accepted: a table; write it as a table"
    fields = _fields(kind)
    for name in value:
        if name not in fields:
            return f"unknown key {_join(key, name)} ({nearest(name, fields)}); rename or remove it"
    for name, field in fields.items():
        if field.required and name not in value:
            return f"{_join(key, name)} is missing, accepted: {_accepted(field.type)}; add it"
    return _first(_fault(item, fields[name].type, _join(key, name)) for name, item in value.items())


@cache
def _fields(kind: Any) -> dict[str, msgspec.structs.FieldInfo]:
    """The fields of a struct by name; msgspec evaluates their types anew each time, which is half of all reading."""
    return {field.encode_name: field for field in msgspec.structs.fields(kind)}


def _leaf_fault(value: object, kind: Any, key: str) -> str | None:
    if isinstance(value, str) and not value.isprintable():
        return f"{key} holds control characters, accepted: printable text on one line; remove them"
    if isinstance(value, int) and value not in _INT64:
        return f"{key} is {_shown(value)}, accepted: a whole number of 64 bits; correct it"
    if isinstance(value, float) and not math.isfinite(value):
        return f"{key} is {value}, accepted: a finite number; leave the key out where the value is unknown"
    if get_origin(kind) is Literal and value not in get_args(kind):
        return f"{key} is {_shown(value)} ({nearest(str(value), map(str, get_args(kind)))}); correct it"
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        rule = str(error).removeprefix("Expected ").replace("`", "")
        accepted = _accepted(kind) if ", got " in rule else _described(kind) or rule
        return f"{key} is {_shown(value)}, accepted: {accepted}; correct it"
    return None


def _described(kind: Any) -> str | None:
    """What the description of an annotated type says is accepted."""
    rules = get_args(kind)[1:] if get_origin(kind) is Annotated else ()
    return next(
        (rule.description for rule in rules if isinstance(rule, msgspec.Meta) and rule.description), None
    )


def _without_none(kind: Any) -> Any:
    """`X` for `X | None`: TOML cannot say None."""
    if get_origin(kind) not in (Union, UnionType):
        return kind
    return reduce(or_, (one for one in get_args(kind) if one is not NoneType))


def _accepted(kind: Any) -> str:
    kind = _without_none(kind)
    if get_origin(kind) is Annotated:
        return _accepted(get_args(kind)[0])
    origin = get_origin(kind) or kind
    if isinstance(origin, type) and issubclass(origin, msgspec.Struct):
        return "a table"
    if origin in (tuple, list):
        return "a list"
    if origin is Literal:
        return " or ".join(map(str, get_args(kind)))
    return _ACCEPTED.get(origin, str(origin))


def _join(key: str, name: str) -> str:
    part = name if _PLAIN_KEY.fullmatch(name) else _shown(name)
    return f"{key}.{part}" if key else part


def _shown(value: object) -> str:
    """`value` short enough, and harmless enough, to print."""
    text = ascii(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _first(faults: Iterable[str | None]) -> str | None:
    return next((fault for fault in faults if fault), None)
