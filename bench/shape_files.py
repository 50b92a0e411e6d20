"""Shapes of models of the catalogue, as files that benches measure."""

from __future__ import annotations

import os
from pathlib import Path

from profiler.builds.shapes.planning import ShapeFile, of_catalogue
from profiler.builds.shapes.write import write_random
from profiler.catalogue.models import load_model


def shape_file(model: str, mix: str, folder: Path, layers: int | None = None) -> Path:
    """The shape of `layers` layers, or of all, in `folder`."""
    return written(
        of_catalogue(load_model(model).shape, model, mix, layers, None), folder / f"{model}-{mix}.gguf"
    )


def written(planned: ShapeFile, path: Path) -> Path:
    """The file, with random weights, all of it on the disk: nothing is written while it is measured."""
    write_random(path, planned.metadata, planned.tensors, planned.known, lambda _what, _done, _total: None)
    with path.open("rb+") as file:
        os.fsync(file.fileno())
    return path
