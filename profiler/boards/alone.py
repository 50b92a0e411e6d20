"""Measuring alone on a board: its agent holds a lock for as long as the link lasts."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from profiler.boards.deploy import FOLDER
from profiler.boards.link import Link
from profiler.errors import UserError
from profiler.measure.endings import printable
from profiler.runfile.fields import Seconds


class BusyBoardError(UserError):
    """Another edgeprof measures there."""


def hold(link: Link, word: str) -> None:
    """From now on nobody else measures there. `word` is the run's own: what is left of it from a broken link gives way.

    Raises `BusyBoardError` while another measures.
    """
    held_s = msgspec.convert(link.ask("hold", folder=FOLDER, word=word), Seconds | None)
    if held_s is not None:
        since = datetime.now() - timedelta(seconds=held_s)
        raise BusyBoardError(
            f"board {printable(link.host, 80)} is measuring for another edgeprof since {since:%H:%M}: wait until it "
            "has ended, or stop it"
        )
