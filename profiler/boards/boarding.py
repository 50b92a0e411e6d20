"""A board made ready for a run: reached, known, given the worker and the builds."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from profiler.boards import deploy, engines
from profiler.boards.alone import hold
from profiler.boards.deploy import Board, Tell
from profiler.boards.gauges import Gauges
from profiler.boards.link import Link, answering
from profiler.boards.looking import Look, look
from profiler.boards.mirror import Mirror
from profiler.boards.there import There
from profiler.catalogue.devices import DeviceProfile, load_device, load_devices
from profiler.catalogue.matching import matching
from profiler.errors import UserError
from profiler.host.environment import environment
from profiler.host.identity import identity
from profiler.host.machine import available_memory, physical_cores, this_machine
from profiler.measure.metering import speaking
from profiler.measure.site import Site, usable
from profiler.runfile import THIS
from profiler.telemetry.protocol import Meter
from profiler.telemetry.reading import found_meters

OURS = ("compilers", "edgeprof_version")
"""Facts of the process that asks, which is not there."""


class Boarded:
    """One board, reached. It is a site for a plan at once, and a machine once it has the builds.

    `clock_ahead_s` is by how much its wall clock is ahead of ours.
    """

    def __init__(self, host: str, python: str, folder: Path) -> None:
        """Raises `UserError` where it cannot be reached, or no worker runs on it."""
        self.host, self._python = host, python
        self._word = secrets.token_hex(8)
        self._link = Link(host, python)
        with answering(host):
            self.board = deploy.greeted(self._link)
            self.clock_ahead_s = self.board.clock_ahead_s()
            self._mirror = Mirror(self._link, folder)

    def _again(self) -> tuple[Link, Board]:
        """The same board by a new link, measuring for this run alone. Raises `UserError` while it cannot be had."""
        link = Link(self.host, self._python)
        try:
            with answering(self.host):
                hold(link, self._word)
                board = deploy.greeted(link)
        except UserError:
            link.close()
            raise
        self._link = link
        return link, board

    def close(self) -> None:
        """Others may measure there."""
        self._link.close()

    def site(self, device: str) -> Site:
        """What a plan must know of it. `device` names a profile, or leaves that to what the board says of itself."""
        root = self._mirror.root
        allowed = set(self.board.cpus)
        return Site(
            profile=_profile(root, device),
            threads=physical_cores(root, allowed),
            cpus=usable(root, allowed),
            available_bytes=available_memory(root).available_bytes,
            environment=_environment(root, self.board),
        )

    def look(self) -> Look:
        """What can be measured there, and what would disturb it now."""
        with answering(self.host):
            surroundings = _environment(self._mirror.root, self.board)
            return look(self._link, self.board, self._mirror, surroundings, self.host)

    def set_up(self, library: Path | None, tell: Tell) -> str:
        """llama.cpp is there, in a folder of its own; its version."""
        with answering(self.host):
            hold(self._link, self._word)
            return engines.llama_cpp(self._link, self.board, library, tell)

    def clean(self) -> bool:
        """Everything that edgeprof put there has gone; whether there was anything."""
        with answering(self.host):
            hold(self._link, self._word)
            return bool(self._link.ask("remove", folder=deploy.FOLDER))

    def meters(self) -> tuple[list[Meter], dict[str, str]]:
        """Those that may speak for a row, and why the other sources have none."""
        found, reasons = found_meters(self._mirror.root)
        return speaking(found), reasons

    def machine(
        self, builds: Mapping[str, Path], meters: Sequence[Meter], tell: Tell, *, external_meter: bool
    ) -> There:
        """The worker and these builds are there, and it can begin.

        Raises `UserError` where they do not fit, or another measures there.
        """
        with answering(self.host):
            hold(self._link, self._word)
            worker = deploy.code(self._link, self.board)
            places = {path: deploy.build(self._link, self.board, path, tell) for path in builds.values()}
        return There(
            self._link,
            self._again,
            self.board,
            self._mirror,
            worker,
            {path.resolve(): place for path, place in places.items()},
            {"PYTHONPATH": f"{self.board.folder}/{engines.FOLDER}"},
            Gauges(meters, self._mirror),
            external_meter=external_meter,
        )


def _profile(root: Path, device: str) -> DeviceProfile:
    """The one that the user named, or the first device that it looks like, or what its own kernel tells."""
    if device != THIS:
        return load_device(device)
    known = {id: one for id, one in load_devices().items() if one.kind != "generic"}
    fitting = matching(identity(root), known.values())
    return known[fitting[0]] if fitting else this_machine(root)


def _environment(root: Path, board: Board) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(environment(root))
    found |= dict.fromkeys(OURS) | {"python_version": f"CPython {board.python}", "libc": board.libc or None}
    return found | {"architecture": board.machine}


@contextmanager
def boarded(host: str, python: str) -> Iterator[Boarded]:
    """A board for as long as a run lasts."""
    with TemporaryDirectory(prefix="edgeprof-board-") as folder:
        reached = Boarded(host, python, Path(folder))
        try:
            yield reached
        finally:
            reached.close()
