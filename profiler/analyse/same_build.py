"""Which builds of several reports are one build: by their content where it was hashed, else by name and size."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from profiler.analyse.source import Source
from profiler.runfile import Build

HASH_SHOWN = 12
"""So many digits of a hash tell two builds of one name apart."""


class KnownBuild(msgspec.Struct, frozen=True, kw_only=True):
    """A build by the name of the report that has it first. `content` tells it from others of that name, else None.

    `size_bytes` is None where a report cannot know the size of the file.
    """

    build: str
    quantization: str | None
    graph: str | None
    sha256: str | None
    size_bytes: int | None
    content: str | None = None


def known_builds(sources: Sequence[Source]) -> list[dict[str, KnownBuild]]:
    """For each source the builds of its report by id; the same build is the same value in all of them."""
    known: list[KnownBuild] = []
    where: defaultdict[object, list[int]] = defaultdict(list)
    numbers = [
        {build.id: _number(_known(source, build), known, where) for build in source.report.builds}
        for source in sources
    ]
    told = _told(known)
    return [{build: told[number] for build, number in mine.items()} for mine in numbers]


def _known(source: Source, build: Build) -> KnownBuild:
    return KnownBuild(
        build=build.id,
        quantization=build.quantization,
        graph=build.graph,
        sha256=source.report.sha256.get(build.id),
        size_bytes=build.size_bytes if source.run is not None else None,
    )


def _number(one: KnownBuild, known: list[KnownBuild], where: defaultdict[object, list[int]]) -> int:
    """Where this build stands among the known ones; `where` has their numbers by hash and by name."""
    by_hash, by_name = (one.sha256, one.graph), (one.build, one.quantization, one.graph)
    candidates = [*(where[by_hash] if one.sha256 else []), *where[by_name]]
    for number in candidates:
        if _same(one, known[number]):
            known[number] = replace(known[number], sha256=known[number].sha256 or one.sha256)
            return number
    known.append(one)
    for key in (by_hash, by_name):
        where[key].append(len(known) - 1)
    return len(known) - 1


def _same(one: KnownBuild, other: KnownBuild) -> bool:
    if one.sha256 is not None and other.sha256 is not None:
        return (one.sha256, one.graph) == (other.sha256, other.graph)
    if (one.build, one.quantization, one.graph) != (other.build, other.quantization, other.graph):
        return False
    return one.size_bytes is None or other.size_bytes is None or one.size_bytes == other.size_bytes


def _told(known: Sequence[KnownBuild]) -> list[KnownBuild]:
    """With the content beside those that share their name."""
    often = Counter((one.build, one.quantization) for one in known)
    return [
        replace(one, content=_content(one)) if often[one.build, one.quantization] > 1 else one
        for one in known
    ]


def _content(one: KnownBuild) -> str:
    if one.sha256 is not None:
        return f"sha256 {one.sha256[:HASH_SHOWN]}"
    return "size not known" if one.size_bytes is None else f"{one.size_bytes} bytes"
