"""A run that was cut short finds its builds again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec.structs import replace

from profiler.builds.identify import Found
from profiler.catalogue import workloads
from profiler.engines.table import ENGINES
from profiler.errors import UserError
from profiler.runfile import Build, Header, Workload


def matched(header: Header, found: Sequence[Found]) -> dict[str, Path]:
    """The paths of a resumed run's builds, matched by all that their headers say, and those alike in the order given.

    Raises `UserError` for a missing one. Their content is compared when the run has ended: hashing it before would
    warm the page cache.
    """
    given: dict[bytes, list[Path]] = {}
    for item in found:
        given.setdefault(_described(item.build), []).append(item.path)
    paths = {}
    for build in header.plan.builds:
        places = given.get(_described(build))
        if not places:
            anchor = any(c.build == build.id for c in header.plan.cases if c.id in header.plan.anchors)
            raise UserError(
                f"the run to resume measured {build.name} of {build.size_bytes} bytes, which is not among the "
                f"builds given: name the same files again{', its --anchor too' if anchor else ''}"
            )
        paths[build.id] = places.pop(0)
    for case in header.plan.cases:
        if case.engine not in ENGINES or not _as_it_was(case.workload):
            raise UserError(
                f"case {case.id} of the run to resume cannot be measured as it was by this version of edgeprof: "
                "start a new run"
            )
    return paths


def _described(build: Build) -> bytes:
    """What a build's header says; its id in a plan and the record of a check may change."""
    return msgspec.json.encode(replace(build, id="", agreement=None))


def _as_it_was(workload: Workload) -> bool:
    """Whether this version asks the same of a model under the same name."""
    if workload.method == "raw":
        return workloads.parse(workload.id) == workload
    return workloads.parse(workload.id, workload.prompt_tokens, workload.output_tokens) == workload
