"""Workloads: what is asked of a model, by id and version."""

from __future__ import annotations

import hashlib
import re
import tomllib
from functools import cache
from pathlib import Path

import msgspec

from profiler.errors import UserError, nearest
from profiler.runfile import Workload

FOLDER = Path(__file__).parent / "workloads"
LONGEST = 1_048_576
_RAW = re.compile(r"(pp|tg)(\d{1,7})(?:@d(\d{1,7}))?")


class TextWorkload(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A workload of real text, as its data file describes it."""

    id: str
    version: int
    prompt_tokens: int
    output_tokens: int
    text: str
    meaning: str

    @property
    def name(self) -> str:
        """Id and version: `chat@1`."""
        return f"{self.id}@{self.version}"


@cache
def text_workloads() -> dict[str, TextWorkload]:
    """Every workload of real text that ships, by id and version."""
    data = tomllib.loads((FOLDER / "workloads.toml").read_text("utf-8"))
    found = msgspec.convert(data["workload"], list[TextWorkload])
    return {workload.name: workload for workload in found}


def text_of(workload_id: str) -> str:
    """The text whose first tokens are the prompt of a text workload."""
    return (FOLDER / text_workloads()[workload_id].text).read_text("utf-8")


def parse(word: str, prompt: int | None = None, output: int | None = None) -> Workload:
    """The workload that a user named: `chat`, `chat@1`, `pp512`, `tg128`, `tg128@d512`.

    `prompt` and `output` override the lengths of a text workload.
    """
    raw = _RAW.fullmatch(word)
    if raw is None:
        return _text_workload(word, prompt, output)
    if prompt is not None or output is not None:
        raise UserError(f"workload {word} names its own length: leave -p and -n away, or use a text workload")
    return _raw_workload(word, raw[1], int(raw[2]), int(raw[3] or 0))


def _raw_workload(word: str, kind: str, tokens: int, depth: int) -> Workload:
    if not 1 <= tokens <= LONGEST or depth > LONGEST:
        raise UserError(f"workload {word}: lengths from 1 to {LONGEST} tokens are accepted")
    return Workload(
        id=word,
        method="raw",
        prompt_tokens=tokens if kind == "pp" else 0,
        output_tokens=tokens if kind == "tg" else 0,
        depth=depth,
    )


def _text_workload(word: str, prompt: int | None, output: int | None) -> Workload:
    known = text_workloads()
    newest = {workload.id: workload for workload in known.values()}
    found = known.get(word) or newest.get(word)
    if found is None:
        names = [*newest, *known, "pp512", "tg128", "tg128@d512"]
        raise UserError(f"there is no workload {word!r}: {nearest(word, names)}")
    return Workload(
        id=found.name,
        method="text",
        prompt_tokens=_length("-p", prompt, found.prompt_tokens, least=1),
        output_tokens=_length("-n", output, found.output_tokens, least=1),
        text_sha256=hashlib.sha256(text_of(found.name).encode()).hexdigest(),
    )


def _length(flag: str, given: int | None, default: int, least: int) -> int:
    if given is None:
        return default
    if not least <= given <= LONGEST:
        raise UserError(f"{flag} {given}: lengths from {least} to {LONGEST} tokens are accepted")
    return given
