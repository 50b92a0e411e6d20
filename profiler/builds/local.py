"""The models in local stores, each described from its header or its configuration files."""

from __future__ import annotations

from pathlib import Path

import msgspec

from profiler.builds.identify import Found, glance
from profiler.builds.model_file import shown_name
from profiler.builds.stores import Here, find
from profiler.builds.walk import Entry
from profiler.errors import UserError


class Shelf(msgspec.Struct, frozen=True, kw_only=True):
    """One store: the models in it under its own names, and the entries that are none, with the reason."""

    store: str
    folder: Path
    models: tuple[Found, ...]
    problems: tuple[Entry, ...]


def shelves(here: Here | None = None) -> list[Shelf]:
    """Every store on this machine. Nothing in one ends the command."""
    found = []
    for store in find(here):
        looked_at = [_look_at(entry) for entry in store.entries]
        found.append(
            Shelf(
                store=store.name,
                folder=store.folder,
                models=tuple(one for one in looked_at if isinstance(one, Found)),
                problems=tuple(one for one in looked_at if isinstance(one, Entry)),
            )
        )
    return found


def _look_at(entry: Entry) -> Found | Entry:
    """The model of this entry, or the entry with what is wrong."""
    if entry.path is None:
        return entry
    try:
        found = glance(entry.path)
    except UserError as error:
        problem = str(error).removeprefix(f"{shown_name(entry.path)}: ")
    except (OSError, ValueError) as error:
        problem = f"cannot be read ({error})"
    else:
        build = msgspec.structs.replace(found.build, id=entry.name, name=entry.name)
        return msgspec.structs.replace(found, build=build)
    return Entry(name=entry.name, problem=problem.rstrip("."))
