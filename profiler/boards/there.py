"""A board as the machine of a run: workers run there, on its own clock, and what they say comes here line by line."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec
from msgspec.structs import replace

from profiler.boards import engines
from profiler.boards.alone import BusyBoardError
from profiler.boards.deploy import Board
from profiler.boards.gauges import Gauges
from profiler.boards.link import STRANGE, Link, LinkLost, Refused, understood
from profiler.boards.mirror import Mirror
from profiler.boards.places import Places
from profiler.errors import UserError
from profiler.host.chosen_cores import chosen
from profiler.host.counters import CpuTimes, QuietStart, cpu_times, wait_until_quiet
from profiler.host.cpus import read_cpus
from profiler.measure.around import Watched, news
from profiler.measure.endings import oom_kill_count
from profiler.measure.launch import LAST_PHASE, Progress, Seen, conclude, salvage, take
from profiler.measure.machine import Ground, Visit
from profiler.measure.page_cache import Eviction
from profiler.measure.stamps import progress
from profiler.measure.sustaining import wait_until_cool
from profiler.measure.watchdog import Watchdog
from profiler.measure.worker import FIRST
from profiler.measure.worker_environment import SET, SYSTEM
from profiler.runfile import Anchor, Failure, Plan, Samples, Workload
from profiler.runfile import Board as State
from profiler.runfile.fields import Name
from profiler.telemetry.reading import board as state

LOOK_S = 2.0
"""How often a board tells its stamps while a worker runs: each time wakes its network."""

SILENCE_S = 30.0
"""Of a worker that computes, its stamps at least are heard of."""

AGAIN_S, PAUSE_S = 300.0, 5.0
"""How long a board that has gone is waited for, and how often it is asked."""

LATEST_CLOCK_S = 2.0
"""How far a board's wall clock may be off where the log of a meter, which has a line a second, is joined by it."""

IDLE_S = 6.0
"""Readings while nothing runs, before and after."""

GO_ON = "what was measured is kept: go on with --resume"
STARTED_ANEW = (
    "the board started anew while it worked, mostly for too little voltage: look at its power supply, its cable and "
    "its cooling; its passes are kept"
)

T = TypeVar("T")


class There:
    """One board. `places` are those of builds and of what is compiled of them.

    `connect` makes a new link, and says what is behind it.
    """

    def __init__(
        self,
        link: Link,
        connect: Callable[[], tuple[Link, Board]],
        board: Board,
        mirror: Mirror,
        worker: str,
        places: Places,
        environment: Mapping[str, str],
        gauges: Gauges,
        *,
        external_meter: bool = False,
    ) -> None:
        self.link, self._connect, self._board, self._mirror = link, connect, board, mirror
        self._worker, self._places = worker, places
        self._code = worker.removesuffix("/profiler/measure/worker.py")
        self._environment = dict(SET) | dict(environment)
        self._command = [*shlex.split(link.python), *(["-P"] if board.python_is_at_least(3, 11) else [])]
        self._gauges, self._external = gauges, external_meter
        self._moment, self._is_gone = board.anchor, False
        self._starts = 0

    def now(self) -> Anchor:
        """On the board's clocks."""
        self._moment = self._again(lambda link: msgspec.convert(link.ask("anchor"), Anchor))
        return self._moment

    def idle(self) -> dict[str, Samples] | None:
        """As long as on this machine."""
        if not self._gauges.meters:
            return {} if self._external else None
        self._again(partial(self._gauges.begin, idle=True))
        time.sleep(IDLE_S)
        return self._again(self._gauges.end)[0]

    def cpus(self, word: str | None) -> list[int] | None:
        """Of its own."""
        allowed = self._board.cpus
        return allowed or None if word is None else chosen(word, read_cpus(self._mirror.root), allowed)

    def settle(self, plan: Plan) -> QuietStart | None:
        """By its own counters. One that starts anew meanwhile is waited for anew."""
        if not plan.settle_s:
            return None
        starts = self._starts
        quiet = wait_until_quiet(give_up_s=plan.settle_s, window_s=1.0, read=self._cpu_times)
        return quiet if starts == self._starts else self.settle(plan)

    def ground(self, plan: Plan, build: Path, cool_to: float | None) -> Ground:
        """As on this machine."""
        cooled_s = None if cool_to is None else wait_until_cool(cool_to, read=self._temperature)
        quiet, place = self.settle(plan), self._places.of(build)
        eviction = Eviction(*self._asked("evict", path=place, code=self._code)) if plan.cold else None
        share = self._asked("cached", path=place, code=self._code)
        return Ground(cooled_s=cooled_s, quiet=quiet, eviction=eviction, cached_share=share)

    def visit(
        self, build: Path, order: dict[str, Any], workload: Workload, stall_s: float, on_progress: Progress
    ) -> Visit:
        """One worker, and the state of the board before and after it.

        What it saw is kept, even if the board stays away or Ctrl-C cuts the reading short.
        """
        del build
        before, starts = self._state(), self._starts
        self._again(self._gauges.begin)
        seen, mappers = self._worked(order, workload, stall_s, on_progress)
        samples: dict[str, Samples] = {}
        share, after = None, None
        try:
            if not seen.interrupted and starts == self._starts:
                samples, share = self._again(self._gauges.end)
                after = self._state()
        except KeyboardInterrupt:
            seen.interrupted = True
        except UserError:
            pass  # whoever asks next is told that it stays away
        watched = Watched(
            board_before=before,
            board_after=news(before, after) if after else None,
            meters=samples,
            metering_share=share,
            other_mappers=mappers,
        )
        return Visit(seen=seen, watched=watched, moment=self._moment)

    def aside(self, order: dict[str, Any], workload: Workload, stall_s: float) -> Seen:
        """The agent gives every worker a folder."""
        return self._worked(order, workload, stall_s, lambda _pass, _tokens: None)[0]

    def _state(self) -> State:
        root = self._again(self._mirror.read)
        return state(self.now(), root)

    def _worked(
        self, order: dict[str, Any], workload: Workload, stall_s: float, on_progress: Progress
    ) -> tuple[Seen, list[str] | None]:
        """What a worker saw, and who else mapped its build."""
        for folder in self._places.folders(order):
            self._asked("folder", path=folder)
        kills = self._again(self._kills)
        began = _Began(anchor=self.now(), at_s=time.monotonic(), starts=self._starts)
        seen = Seen(started=began.anchor)
        asked = self._asking(order, workload)
        look = partial(self.link.ask, "mappers", path=asked["order"]["path"], code=self._code)
        following = _Following(self.link, seen, Watchdog(stall_s, ()), on_progress, look)
        self._follow(following, asked, seen, kills, stall_s)
        salvage(seen, following.words)
        lasted_ns = round(1e9 * (time.monotonic() - began.at_s))
        with suppress(UserError, KeyboardInterrupt):
            seen.ended = seen.ended or (
                seen.started if seen.interrupted else self._end(seen, began, lasted_ns)
            )
        return seen, following.mappers

    def _follow(
        self, following: _Following, asked: dict[str, Any], seen: Seen, kills: int, stall_s: float
    ) -> None:
        """To the worker's end, or that of the link. `kills` were there before."""
        try:
            ended = following.to_the_end(asked)
            oom_kills = self._kills(self.link) - kills
            status = ended["status"] if type(ended["status"]) is int else None
            conclude(seen, status, stall_s if following.stalled else None, oom_kills, str(ended["said"]))
        except LinkLost as lost:
            said = f"the board was lost while it worked: {lost}; its passes are kept"
            seen.failure = None if seen.in_good_order else Failure(kind="link_lost", message=said)
        except Refused as refused:
            seen.failure = Failure(kind="crashed", message=f"the board could not start a worker: {refused}")
        except STRANGE as error:
            said = f"the board answers what no agent of ours does ({type(error).__name__})"
            seen.failure = Failure(kind="crashed", message=said)
        except KeyboardInterrupt:
            seen.interrupted = True
        if seen.failure is not None and seen.failure.kind == "missing_library":
            seen.failure = replace(seen.failure, message=f"{seen.failure.message}{remedy(asked['order'])}")

    def _end(self, seen: Seen, began: _Began, lasted_ns: int) -> Anchor:
        """When a worker ended that did not say so: on the clock that it started with, which ends with a new start."""
        moment = self.now()
        if self._starts == began.starts:
            return moment
        if seen.failure is not None and seen.failure.kind == "link_lost":
            seen.failure = Failure(kind="rebooted", message=STARTED_ANEW)
        return Anchor(wall_ns=began.anchor.wall_ns + lasted_ns, mono_ns=began.anchor.mono_ns + lasted_ns)

    def _asking(self, order: dict[str, Any], workload: Workload) -> dict[str, Any]:
        return {
            "order": self._places.ordered(order),
            "words": FIRST + workload.output_tokens,
            "worker": self._worker,
            "command": self._command,
            "environment": self._environment,
            "kept": list(SYSTEM),
            "look_s": LOOK_S,
        }

    def _kills(self, link: Link) -> int:
        return oom_kill_count(self._mirror.some(link, "proc/vmstat", "proc/self/cgroup"))

    def _cpu_times(self) -> CpuTimes | None:
        return cpu_times(self._again(lambda link: self._mirror.some(link, "proc/stat")))

    def _temperature(self) -> float | None:
        """The hottest that the board tells."""
        told = self._state().readings.get("temperature", {}).values()
        return max((float(value) for value in told if isinstance(value, int | float)), default=None)

    def _asked(self, do: str, **fields: Any) -> Any:
        return self._again(lambda link: link.ask(do, **fields))

    def _again(self, ask: Callable[[Link], T]) -> T:
        """Ask; a board that has gone is waited for, once. Raises `UserError` if it stays away."""
        until = time.monotonic() + (0 if self._is_gone else AGAIN_S)
        while True:
            try:
                with understood(self.link.host):
                    return ask(self.link)
            except LinkLost as lost:
                self._reconnect(until, lost)

    def _reconnect(self, until: float, lost: LinkLost) -> None:
        self.link.close()
        try:
            waited_for(lambda: self._take(*self._connect()), until)
        except UserError as error:
            self._is_gone = True
            raise self._stays_away(error, lost) from None

    def _take(self, link: Link, board: Board) -> None:
        """The new link. Without a network a board's clock starts anywhere: a log is joined when it has been set."""
        anew = _started_anew(self._board, board)
        if anew and self._external and abs(board.clock_ahead_s()) > LATEST_CLOCK_S:
            link.close()
            raise UserError("its clock has not been set since it started anew")
        self.link, self._board, self._is_gone = link, board, False
        self._starts += anew

    def _stays_away(self, error: UserError, lost: LinkLost) -> UserError:
        if isinstance(error, BusyBoardError):
            return UserError(f"{error}; {GO_ON}")
        return UserError(f"board {self.link.host} has not come back ({lost}); {GO_ON} once it is there")


def waited_for(connect: Callable[[], T], until: float) -> T:
    """A board that has gone, once it is back. Raises the `UserError` of the last try when it is too late."""
    while True:
        try:
            return connect()
        except UserError:
            if time.monotonic() > until:
                raise
            time.sleep(PAUSE_S)


class _Began(NamedTuple):
    """When a worker began: on the board, here, and after how many starts of the board."""

    anchor: Anchor
    at_s: float
    starts: int


def _started_anew(before: Board, now: Board) -> bool:
    return None not in (before.boot_id, now.boot_id) and before.boot_id != now.boot_id


def remedy(order: Mapping[str, Any], host: str = "USER@BOARD") -> str:
    """What puts the engine of an order on a board; nothing where `board setup` does not put there what it needs."""
    leads_elsewhere = order.get("route") or order.get("plugin")
    if leads_elsewhere or order["engine"] not in engines.KNOWN:
        return ""
    return f"; {engines.command(host, order['engine'])} puts it there"


class _Following:
    """What one worker says, noted in `seen`. `words` are its stamps as they were last told.

    `look` tells who else maps its build, and is asked at its last phase: `mappers`.
    """

    def __init__(
        self,
        link: Link,
        seen: Seen,
        watchdog: Watchdog,
        on_progress: Progress,
        look: Callable[[], Any],
    ) -> None:
        self._link, self._seen, self._watchdog, self._on_progress = link, seen, watchdog, on_progress
        self._look = look
        self.mappers: list[str] | None = None
        self.words: tuple[int, ...] = (0,) * (FIRST + 1)
        self.stalled = False

    def to_the_end(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Its end, as the agent tells it."""
        try:
            for found in self._link.follow("work", SILENCE_S, **asked):
                if "ok" in found:
                    self.words = self._stamps(found["ok"]["words"])
                    ended: dict[str, Any] = found["ok"]
                    return ended
                self._note(found["event"])
        except KeyboardInterrupt:
            with suppress(LinkLost, Refused):
                self._link.ask("stop")
            raise
        raise LinkLost("it said nothing of its end")

    def _note(self, event: Mapping[str, Any]) -> None:
        if "line" in event:
            self._watchdog.spoke()
            known = len(self._seen.phases)
            take(str(event["line"]).encode(), self._seen)
            if len(self._seen.phases) > known and self._seen.phases[-1].name == LAST_PHASE:
                with suppress(Refused):
                    self.mappers = msgspec.convert(self._look(), list[Name] | None)
            return
        self.words = self._stamps(event.get("words", ()))
        self._on_progress(*progress(self.words))
        if self._watchdog.stalled(self.words) and not self.stalled:
            self.stalled = True
            self._link.ask("stop")

    def _stamps(self, told: Iterable[Any]) -> tuple[int, ...]:
        """Whole numbers, or what was known before."""
        found = tuple(told)
        whole = len(found) > FIRST and all(type(word) is int for word in found)
        return found if whole else self.words
