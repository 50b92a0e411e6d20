"""A local store as people and programs read it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.text import Text

from profiler.cli.model_details import engines_of
from profiler.cli.model_list import Wanted, row_of_found, table
from profiler.render.format import plain

if TYPE_CHECKING:
    from rich.console import RenderableType

    from profiler.builds.identify import Found
    from profiler.builds.local import Shelf


def parts_of_shelf(shelf: Shelf, wanted: Wanted) -> list[RenderableType]:
    """A heading, the models that are asked for, and a line for each entry that is none."""
    rows = [row for row in map(row_of_found, shelf.models) if wanted.takes(row)]
    return [
        Text(plain(f"{shelf.store}: {shelf.folder}"), style="bold"),
        table(rows) if rows else Text("no model is like that" if shelf.models else "no model"),
        *(Text(plain(f"not listed: {entry.name}: {entry.problem}")) for entry in shelf.problems),
    ]


def json_of_shelf(shelf: Shelf, wanted: Wanted) -> dict[str, Any]:
    """The same with paths, which are for this machine only."""
    return {
        "store": shelf.store,
        "folder": _text(shelf.folder),
        "models": [_json(model) for model in shelf.models if wanted.takes(row_of_found(model))],
        "problems": [{"name": entry.name, "problem": entry.problem} for entry in shelf.problems],
    }


def _json(model: Found) -> dict[str, Any]:
    return {
        "path": _text(model.path),
        "licence": model.words.licence if model.words else None,
        "engines": engines_of(model.build),
        "build": model.build,
    }


def _text(path: Path) -> str:
    """A path that is no valid Unicode, as text that can be written."""
    return os.fsencode(path).decode("utf-8", "replace")
