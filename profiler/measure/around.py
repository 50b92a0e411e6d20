"""What is read around one worker by this process: the sensors, the state of the board, who else maps the build."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from profiler.measure.launch import now
from profiler.measure.mappers import other_mappers
from profiler.measure.metering import Costs, Metering
from profiler.runfile import Board, Samples
from profiler.telemetry.protocol import Meter
from profiler.telemetry.reading import board


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """Readings around one worker; fields as in the record `Worker`."""

    board_before: Board
    board_after: Board | None
    meters: dict[str, Samples]
    metering_share: float | None
    other_mappers: list[str] | None


def news(before: Board, after: Board) -> Board:
    """The later state without the reasons that the earlier one gave already."""
    told = before.unreadable.items()
    return msgspec.structs.replace(
        after, unreadable={t: why for t, why in after.unreadable.items() if (t, why) not in told}
    )


class Around:
    """Reads from its making to `close`; the board once more at the worker's last phase, while it is still warm."""

    def __init__(self, build: Path, meters: Sequence[Meter], costs: Costs) -> None:
        self._build = build
        self._before = board(now())
        self._after: Board | None = None
        self._mappers: list[str] | None = None
        self._metering = Metering(meters, costs=costs)
        self._metering.start()

    def at_last_phase(self, worker: int) -> None:
        """The worker, a process id, is through with its passes and has not gone yet."""
        self._after = board(now())
        self._mappers = other_mappers(self._build, {worker, os.getpid()})

    def close(self) -> None:
        """Stop reading. A worker that failed has no last phase: the board is read after its end."""
        self._metering.stop()
        self._after = self._after or board(now())

    def watched(self) -> Watched:
        """What has been read so far, even if Ctrl-C cut the reading short."""
        samples, share = self._metering.told()
        return Watched(
            board_before=self._before,
            board_after=news(self._before, self._after) if self._after else None,
            meters=samples,
            metering_share=share,
            other_mappers=self._mappers,
        )
