"""Where the data files that come with the program lie."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def data_folder(name: str) -> Path:
    """The folder of shipped data called `name` ("device_profiles" or "models").

    An installed wheel carries it in `_data` inside the package; a checkout has it beside the package.
    """
    packed = _PACKAGE / "_data"
    return (packed if packed.is_dir() else _PACKAGE.parent) / name
