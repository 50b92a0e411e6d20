"""Where on a board lies what has a path here: builds that were copied, and what its workers leave for each other."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

LEFT = ("compiled", "output", "reference")
"""Parts of an order that are paths below the scratch folder: what a compiler made, and logits."""


class Places:
    """By their places here. The folder `scratch` here stands for the board's folder `there`."""

    def __init__(self, scratch: Path, there: str) -> None:
        self.scratch, self.there = scratch.resolve(), there
        self._builds: dict[Path, str] = {}

    def put(self, build: Path, place: str) -> None:
        """A build has been copied."""
        self._builds[build.resolve()] = place

    def known(self, build: Path) -> str | None:
        """Where a build lies; None for one that was not copied."""
        return self._builds.get(build.resolve())

    def of(self, build: Path) -> str:
        """Where a build lies that was copied."""
        return self._builds[build.resolve()]

    def ordered(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """The same order with the board's paths."""
        left = {name: self._left(order[name]) for name in LEFT if name in order}
        path = order["path"]
        return {**order, **left, "path": None if path is None else self.of(Path(path))}

    def folders(self, order: Mapping[str, Any]) -> list[str]:
        """What must be there before a worker gets this order."""
        if not any(name in order for name in LEFT):
            return []
        return [self._left(order["compiled"]) if "compiled" in order else self.there]

    def _left(self, here: str) -> str:
        return f"{self.there}/{Path(here).resolve().relative_to(self.scratch).as_posix()}"
