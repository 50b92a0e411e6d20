"""What `edgeprof report --side-by-side` does: a review read, its uses judged, the catalogue asked, a page written."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from profiler.analyse.known import Known, KnownDevice, KnownModel
from profiler.analyse.shipping import Verdicts, verdicts
from profiler.analyse.side_by_side import side_by_side
from profiler.analyse.source import Source
from profiler.cli.show import write
from profiler.documents.limits import read_limits
from profiler.documents.review import Review
from profiler.documents.review_file import read_review
from profiler.render import side_by_side as renderers


def show_side_by_side(
    sources: Sequence[Source], review_file: Path | None, name: str, output: Path | None
) -> None:
    """Read the review, and write the page in the format of this name."""
    review = read_review(review_file) if review_file else None
    found = side_by_side(
        sources,
        known(),
        review,
        review_file.name if review_file else None,
        _judged(sources, review, review_file) if review and review_file else {},
    )
    text = renderers.render(found, name)
    if output is not None:
        write(output, text)
    else:
        sys.stdout.write(text)


def known() -> Known:
    """What the catalogue has, the user's own files included."""
    from profiler.catalogue.devices import load_devices
    from profiler.catalogue.models import load_models

    models = [
        KnownModel(
            id=model.id,
            name=model.name,
            parameters=model.shape.parameters,
            active_parameters=model.shape.active_parameters,
            licence=model.licence.value if model.licence else None,
            licence_source=model.licence.source if model.licence else None,
            hashes=tuple(build.sha256 for build in model.builds),
        )
        for model in load_models().values()
    ]
    devices = [
        KnownDevice(
            id=device.id,
            name=device.name,
            memory_bytes=fact.value,
            source=f"{fact.source} ({fact.confidence})",
        )
        for device in load_devices().values()
        if (fact := device.memory.bytes) is not None
    ]
    return Known(models=tuple(models), devices=tuple(devices))


def _judged(sources: Sequence[Source], review: Review, review_file: Path) -> dict[str, Verdicts]:
    """The verdicts of each use. A file of limits lies beside the review."""
    found = {}
    for use in review.uses:
        beside = review_file.parent / use.limits
        found[use.name] = verdicts(sources, read_limits(str(beside) if beside.is_file() else use.limits))
    return found
