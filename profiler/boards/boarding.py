"""A board made ready for a run: reached, known, given the worker and the builds."""

from __future__ import annotations

import secrets
import shlex
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import msgspec

from profiler.boards import deploy, engines, there
from profiler.boards.alone import hold
from profiler.boards.deploy import Board, Tell
from profiler.boards.engines import Wanted
from profiler.boards.gauges import Gauges
from profiler.boards.link import Link, LinkLost, Refused, answering
from profiler.boards.looking import Look, accelerators, look
from profiler.boards.mirror import Mirror
from profiler.boards.places import Places
from profiler.boards.there import There, remedy
from profiler.boards.wheels import Say
from profiler.catalogue.devices import DeviceProfile, load_device, load_devices
from profiler.catalogue.matching import matching
from profiler.engines.table import ENGINES, default_engine
from profiler.errors import UserError
from profiler.host.environment import environment
from profiler.host.finding import Finding
from profiler.host.identity import identity
from profiler.host.machine import available_memory, physical_cores, this_machine
from profiler.measure.asking import Asking
from profiler.measure.endings import printable
from profiler.measure.launch import Seen
from profiler.measure.layer_counts import Room, room_of
from profiler.measure.metering import speaking
from profiler.measure.site import Site, usable
from profiler.runfile import THIS, Failure, Workload
from profiler.telemetry.protocol import Meter
from profiler.telemetry.reading import found_meters

T = TypeVar("T")

MOST_LOSSES = 20
"""Of the link, while one thing is copied: more than that, and it does not last long enough."""

SCRATCH = "scratch"
PYTHON = "python3"
"""What a board is asked for where no other one is named."""

OURS = ("compilers", "edgeprof_version")
"""Facts of the process that asks, which is not there."""


class Boarded:
    """One board, reached. It is a site for a plan at once, and a machine once it has the builds.

    `name` is what its user calls it; `clock_ahead_s` is by how much its wall clock is ahead of ours.
    """

    def __init__(self, host: str, python: str, folder: Path, name: str | None = None) -> None:
        """Raises `UserError` where it cannot be reached, or no worker runs on it."""
        self.host, self.name, self._python = host, name, python
        self._word = secrets.token_hex(8)
        self._link = Link(host, python)
        try:
            with answering(host):
                self.board = deploy.greeted(self._link)
                self.clock_ahead_s = self.board.clock_ahead_s()
                self._mirror = Mirror(self._link, folder)
        except UserError:
            self._link.close()
            raise
        scratch = folder / SCRATCH
        scratch.mkdir()
        self._places = Places(scratch, f"{self.board.folder}/{SCRATCH}")
        self._has_proven = False

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
        self._link, self.board = link, board
        return link, board

    def close(self) -> None:
        """What workers left for each other goes, and others may measure there."""
        if self._has_proven:
            with suppress(LinkLost, Refused):
                self._forget_scratch()
        self._link.close()

    def _forget_scratch(self) -> None:
        self._link.ask("discard", path=self._places.there)

    @property
    def scratch(self) -> Path:
        """A folder here that stands for one there, in which its workers leave things for each other while it lasts."""
        return self._places.scratch

    def _lasting(self, do: Callable[[Link], T]) -> T:
        """Do it; where the link breaks meanwhile, do it again by a new one: what has arrived is not sent twice."""
        for _ in range(MOST_LOSSES):
            try:
                return do(self._link)
            except LinkLost as lost:
                self._link.close()
                self._returned(lost)
        return do(self._link)

    def _returned(self, lost: LinkLost) -> None:
        """A new link to a board that has gone, which is waited for. Raises `LinkLost` if it stays away."""
        try:
            there.waited_for(self._again, time.monotonic() + there.AGAIN_S)
        except UserError:
            raise lost from None

    def site(self, device: str, tell: Tell) -> Site:
        """What a plan must know of it. `device` names a profile, or leaves that to what the board says of itself.

        Where a question needs a build that is not there yet, it is copied, and `tell` hears of it.
        """
        root = self._mirror.root
        allowed = set(self.board.cpus)
        return Site(
            profile=_profile(root, device),
            threads=physical_cores(root, allowed),
            cpus=usable(root, allowed),
            available_bytes=available_memory(root).available_bytes,
            environment=_environment(root, self.board),
            board=self.name,
            asking=self._asking(tell),
        )

    def _asking(self, tell: Tell) -> Asking:
        """It as one whose engines are asked. Builds are copied where a question is about them."""
        python = "" if self._python == PYTHON else f" --board-python {shlex.quote(self._python)}"
        return Asking(
            run=partial(self._asked, tell=tell),
            board=printable(self.host, 80),
            platform="linux",
            engine_for=self._engine_for,
            lists=f"edgeprof doctor --on {shlex.quote(self.host)}{python} shows what it reaches",
        )

    def _asked(self, order: dict[str, Any], workload: Workload, stall_s: float, *, tell: Tell) -> Seen:
        """A worker there that measures nothing. Where the link breaks meanwhile, another one does it again."""
        if not self._has(order["engine"]):
            return _without(order, printable(self.host, 80))
        with answering(self.host):
            hold(self._link, self._word)
            if order["path"] is not None:
                self._copy(Path(order["path"]), tell)
            if order["mode"] == "prove" and not self._has_proven:
                self._forget_scratch()
                self._has_proven = True
            return self._lasting(partial(self._worker_aside, order, workload, stall_s))

    def _worker_aside(self, order: dict[str, Any], workload: Workload, stall_s: float, _: Link) -> Seen:
        own = order | {"cpus": self.board.cpus or None}
        seen = self._there(Gauges([], self._mirror)).aside(own, workload, stall_s)
        if seen.failure is not None and seen.failure.kind == "link_lost":
            raise LinkLost("the connection ended while a worker ran")
        return seen

    def _engine_for(self, build_format: str) -> str:
        """The first engine for such builds that it has; else the one that is to be put there."""
        fitting = [name for name, entry in ENGINES.items() if build_format in entry.formats]
        return next((name for name in fitting if self._has(name)), default_engine(build_format))

    def _has(self, engine: str) -> bool:
        names = list(ENGINES[engine].libraries)
        folder = f"{self.board.folder}/{deploy.ENGINES}"
        with answering(self.host):
            found = self._lasting(lambda link: link.ask("modules", names=names, folder=folder))
            return all(found[name] is not None for name in names)

    def _copy(self, path: Path, tell: Tell) -> None:
        """This build is there."""
        if self._places.known(path) is None:
            copying = partial(deploy.build, board=self.board, path=path, tell=tell)
            self._places.put(path, self._lasting(copying))

    def _there(self, gauges: Gauges, *, external_meter: bool = False) -> There:
        """It as a machine that has the worker."""
        worker = self._lasting(partial(deploy.code, board=self.board))
        return There(
            self._link,
            self._again,
            self.board,
            self._mirror,
            worker,
            self._places,
            {"PYTHONPATH": f"{self.board.folder}/{deploy.ENGINES}"},
            gauges,
            external_meter=external_meter,
        )

    def room(self) -> Room:
        """What it has for shapes of models."""
        return room_of(self._mirror.root, self.board.free_bytes - deploy.SPARE_BYTES)

    def called(self, device: str) -> str:
        """What it is called in a run file of several boards."""
        return self.name or _profile(self._mirror.root, device).id

    def look(self) -> Look:
        """What can be measured there, and what would disturb it now."""
        with answering(self.host):
            surroundings = _environment(self._mirror.root, self.board)
            return look(self._link, self.board, self._mirror, surroundings, self.host)

    def reaches(self) -> list[Finding]:
        """Its accelerators, by its engines. Where they cannot be asked now, that is what is told."""
        try:
            return accelerators(_profile(self._mirror.root, THIS), self._asking(lambda *_: None))
        except UserError as error:
            return [
                Finding(code="note.targets", status="info", seen=f"GPU and NPU are not asked for: {error}")
            ]

    def set_up(self, wanted: Wanted, tell: Tell, say: Say) -> list[str]:
        """These engines are there, in a folder of their own; what each is, with its version."""
        with answering(self.host):
            hold(self._link, self._word)
            return self._lasting(partial(engines.put, board=self.board, wanted=wanted, tell=tell, say=say))

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
            for path in builds.values():
                self._copy(path, tell)
            return self._there(Gauges(meters, self._mirror), external_meter=external_meter)

    def forget(self, builds: Sequence[Path]) -> None:
        """These builds go from it again; a board that is away keeps them until it is cleaned."""
        there = [place for path in builds if (place := self._places.known(path)) is not None]
        if not there:
            return
        with suppress(LinkLost, Refused, UserError):
            link = Link(self.host, self._python)
            for place in there:
                link.ask("forget", path=place)
            link.close()


def _without(order: Mapping[str, Any], host: str) -> Seen:
    """What a worker would see whose engine is not there: it reaches nothing."""
    if order["mode"] == "devices":
        return Seen(devices=[])
    said = f"it is not there{remedy(order, host)}"
    return Seen(failure=Failure(kind="missing_library", message=said))


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
def boarded(host: str, python: str, name: str | None = None) -> Iterator[Boarded]:
    """A board for as long as a run lasts."""
    with TemporaryDirectory(prefix="edgeprof-board-") as folder:
        reached = Boarded(host, python, Path(folder), name)
        try:
            yield reached
        finally:
            reached.close()
