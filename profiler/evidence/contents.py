"""What lies in a bundle beside its manifest: the files as they are, and everything that follows from them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import msgspec

from profiler.analyse.shipping import Verdicts, verdicts
from profiler.analyse.source import Source
from profiler.documents.limits import Limits
from profiler.errors import UserError
from profiler.evidence.archive import safe_stem
from profiler.evidence.manifest import Origin
from profiler.render import formats, json

Read = Callable[[str, bytes], Source]
"""A file's name and content as a source; the command line knows how. Raises `UserError`."""

SUFFIXES = {"terminal": "txt", "markdown": "md", "csv": "csv", "json": "json"}
LIMITS, VERDICT = "limits.json", "reports/verdict.json"
COMBINED = "all"
RESERVED = (COMBINED, "verdict")
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


class Rendered(msgspec.Struct, frozen=True):
    """Members by their path, and why others are not there."""

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


def written(given: Sequence[Input], limits: Limits | None) -> Rendered:
    """Files, plans, limits and every report that is text: the same on every machine."""
    found = Rendered({one.path: one.content for one in given}, {})
    for one in given:
        if one.source.run is not None:
            found.contents[f"plan/{one.stem}.json"] = json.encoded(one.source.run.header).encode()
    for stem, sources in _groups(given).items():
        for name, suffix in SUFFIXES.items():
            _add(found, f"reports/{stem}.{suffix}", sources, name)
    if limits is not None:
        found.contents[LIMITS] = json.encoded(limits).encode()
        found.contents[VERDICT] = json.encoded(_judged(given, limits)).encode()
    return found


def drawn(given: Sequence[Input], limits: Limits | None) -> Rendered:
    """The pages with charts, which depend on the fonts and packages of the machine that draws them."""
    found = Rendered({}, {})
    judged = _judged(given, limits) if limits else None
    for stem, sources in _groups(given).items():
        _add(found, page(stem), sources, "html", judged)
    return found


def pages(given: Sequence[Input]) -> list[str]:
    """Paths of the pages that a bundle of these inputs may hold."""
    return [page(stem) for stem in _groups(given)]


def page(stem: str) -> str:
    return f"reports/{stem}.html"


def _groups(given: Sequence[Input]) -> dict[str, list[Source]]:
    """What is reported on: each file, and all of them together where there are several."""
    single = {one.stem: [one.source] for one in given}
    return single | ({COMBINED: [one.source for one in given]} if len(given) > 1 else {})


def _judged(given: Sequence[Input], limits: Limits) -> Verdicts:
    return verdicts([one.source for one in given], limits)


def _add(
    found: Rendered, path: str, sources: Sequence[Source], name: str, judged: Verdicts | None = None
) -> None:
    try:
        found.contents[path] = formats.render_sources(sources, name, judged).encode()
    except (NotImplementedError, ModuleNotFoundError) as error:
        found.missing[path] = _why_not(error)
    except UserError as error:
        if name not in formats.DRAWN:
            raise
        found.missing[path] = str(error)


def _why_not(error: NotImplementedError | ModuleNotFoundError) -> str:
    package = error.name or "" if isinstance(error, ModuleNotFoundError) else "profiler"
    if package.split(".")[0] == "profiler":
        return "this version does not render it"
    return f"{package} is not installed: pip install 'edgeprof[charts]'"
