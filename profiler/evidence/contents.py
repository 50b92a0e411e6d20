"""What lies in a bundle beside its manifest: the files as they are, and everything that follows from them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import msgspec

from profiler.analyse.shipping import verdicts
from profiler.analyse.source import Source, named_apart
from profiler.documents.limit_text import limit as limit_of_text
from profiler.documents.limits import Limits
from profiler.errors import UserError
from profiler.evidence.archive import safe_stem
from profiler.evidence.manifest import Origin
from profiler.render import formats, json, verdict_formats

Read = Callable[[str, bytes], Source]
"""A file's name and content as a source; the command line knows how. Raises `UserError`."""

SUFFIXES = {"terminal": "txt", "markdown": "md", "csv": "csv", "json": "json"}
LIMITS = "limits.json"
COMBINED, VERDICT = RESERVED = ("all", "verdict")
"""Stems in reports/ that belong to no single file."""


class Input(msgspec.Struct, frozen=True, kw_only=True):
    """One file to bundle: the stem of its members' names, its own name, its bytes, and what they say."""

    stem: str
    content: bytes
    source: Source

    @property
    def path(self) -> str:
        """Its suffix is the file's own, where that is a plain one."""
        suffix = re.search(r"\.[a-z]{1,5}\Z", self.source.name)
        return f"runs/{self.stem}{suffix[0] if suffix else '.jsonl'}"


class Pages(msgspec.Struct, frozen=True):
    """Pages with charts by their path, and why others could not be drawn."""

    contents: dict[str, bytes]
    missing: dict[str, str]


def inputs(files: Sequence[tuple[str, bytes]], read: Read) -> list[Input]:
    """Names and contents, read. Files of the same name get different stems."""
    found: list[Input] = []
    for name, content in files:
        stem = safe_stem(name, [*RESERVED, *(known.stem for known in found)])
        found.append(Input(stem=stem, content=content, source=read(name, content)))
    return found


def origin(given: Input) -> Origin:
    """What the manifest says of an input."""
    run = given.source.run
    builds = sorted(build.id for build in run.header.plan.builds) if run else []
    return Origin(
        path=given.path,
        name=given.source.name,
        edgeprof=run.header.edgeprof if run else None,
        builds={build: run.sha256.get(build) for build in builds} if run else {},
    )


def written(given: Sequence[Input], limits: Limits | None) -> dict[str, bytes]:
    """Files, plans, limits and every report that is text: the same on every machine."""
    found = {one.path: one.content for one in given}
    for one in given:
        if one.source.run is not None:
            found[f"plan/{one.stem}.json"] = json.encoded(one.source.run.header).encode()
    for stem, sources in _groups(given).items():
        for name, suffix in SUFFIXES.items():
            found[f"reports/{stem}.{suffix}"] = formats.render_sources(sources, name).encode()
    if limits is not None:
        found[LIMITS] = json.encoded(limits).encode()
        judged = verdicts(_sources(given), limits)
        for name, render in verdict_formats.RENDERERS.items():
            found[f"reports/{VERDICT}.{SUFFIXES[name]}"] = render(judged).encode()
    return found


def drawn(given: Sequence[Input], limits: Limits | None) -> Pages:
    """The pages with charts, which depend on the fonts and packages of the machine that draws them."""
    found = Pages({}, {})
    judged = verdicts(_sources(given), limits) if limits else None
    for stem, sources in _groups(given).items():
        try:
            found.contents[page(stem)] = formats.render_sources(sources, "html", judged).encode()
        except UserError as error:
            found.missing[page(stem)] = str(error)
    return found


def pages(given: Sequence[Input]) -> list[str]:
    """Paths of the pages that a bundle of these inputs may hold."""
    return [page(stem) for stem in _groups(given)]


def page(stem: str) -> str:
    """Path of a page."""
    return f"reports/{stem}.html"


def read_limits(content: bytes) -> Limits:
    """The limits of a bundle, each of which has to mean what its text says. Raises `UserError`."""
    try:
        limits = msgspec.json.decode(content, type=Limits)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(f"{LIMITS} holds no limits: {error}") from None
    for one in (limit for use in limits.uses for limit in use.limits):
        if msgspec.structs.replace(one, why=None) != limit_of_text(one.text, one.key):
            raise UserError(f"{LIMITS} means something else than {one.text[:60]!r}, which it says")
    return limits


def _groups(given: Sequence[Input]) -> dict[str, list[Source]]:
    """What is reported on: each file, and all of them together where there are several."""
    single = {one.stem: [one.source] for one in given}
    return single | ({COMBINED: _sources(given)} if len(given) > 1 else {})


def _sources(given: Sequence[Input]) -> list[Source]:
    return named_apart([one.source for one in given])
