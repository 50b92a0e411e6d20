"""Limits that a use sets: what a model must reach on a device, as a person writes them in a TOML file."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Relation(StrEnum):
    """How a figure must stand to its limit."""

    AT_MOST = "<="
    AT_LEAST = ">="


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """One figure and its limit, in the metric's own unit (bytes, ms, tokens per second). `text` is as it was written.

    `unit` is that of the value where one was written, `key` its place in the file, `why` the reason given for it.
    """

    metric: str
    relation: Relation
    value: float
    text: str
    unit: str | None = None
    key: str = ""
    why: str | None = None


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of the rows of one workload (its id, version or not; None: any) on one device (None: any)."""

    workload: str | None
    device: str | None
    limits: list[Limit]


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """A file of limits: `name` is that of the file or of the ready set, `question` what it answers."""

    name: str
    title: str
    question: str
    uses: list[Use]


def read_limits(word: str) -> Limits:
    """The limits of a file, or of a ready set by its name. Raises `UserError` in one sentence."""
    from profiler.documents.limits_file import read

    return read(word)
