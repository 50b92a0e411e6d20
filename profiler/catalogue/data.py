"""Where the data files lie: the user's own first, then those that come with the program."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

import platformdirs

from profiler.errors import UserError

VARIABLE = "EDGEPROF_CATALOGUE"
"""Names a folder that stands in for the user's configuration: `device_profiles` and `models` lie in it."""

_PACKAGE = Path(__file__).resolve().parent.parent


class HasId(Protocol):
    """What a data file describes."""

    @property
    def id(self) -> str:
        """Its name, which no other file may have."""


T = TypeVar("T", bound=HasId)


def data_folder(name: str) -> Path:
    """The folder of shipped data called `name` ("device_profiles" or "models").

    An installed wheel carries it in `_data` inside the package; a checkout has it beside the package.
    """
    packed = _PACKAGE / "_data"
    return (packed if packed.is_dir() else _PACKAGE.parent) / name


def folders(name: str, extra: Path | None = None) -> list[Path]:
    """The folders of data called `name`, the first to be searched first: `extra`, the user's own, the shipped one.

    Raises `UserError` if `extra` or the folder that the environment names is not there.
    """
    if extra is not None and not extra.is_dir():
        raise UserError(f"{extra}: no such folder; give a folder of {name.replace('_', ' ')} (*.toml)")
    own = _own_catalogue() / name
    if not own.is_dir() and any(os.path.lexists(place) and not place.is_dir() for place in (own, own.parent)):
        raise UserError(
            f"{own} is no folder: make it one that holds {name.replace('_', ' ')} (*.toml), or remove it"
        )
    found = [extra, own if own.is_dir() else None, data_folder(name)]
    return list({folder.resolve(): folder for folder in found if folder is not None}.values())


def read_all(name: str, read: Callable[[Path], T], extra: Path | None = None) -> dict[Path, T]:
    """What `read` makes of each data file called *.toml in these folders, in the order in which they are searched.

    Raises `UserError` if a file is wrong or two have the same id.
    """
    found: dict[Path, T] = {}
    files: dict[str, Path] = {}
    for path in [path for folder in folders(name, extra) for path in _files(folder)]:
        item = read(path)
        if item.id in files:
            raise UserError(f"{files[item.id]} and {path} both have the id {item.id}; rename one")
        files[item.id] = path
        found[path] = item
    return found


def _own_catalogue() -> Path:
    named = os.environ.get(VARIABLE)
    if not named:
        return platformdirs.user_config_path("edgeprof")
    if not Path(named).is_dir():
        raise UserError(
            f"{VARIABLE} is {named}: no such folder; name one that holds device_profiles or models, or unset it"
        )
    return Path(named)


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.suffix.lower() == ".toml")
    except OSError as error:
        raise UserError(f"{folder} cannot be read ({error.strerror}); check its permissions") from None
