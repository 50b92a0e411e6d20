"""Progress of something that takes seconds: a bar on a terminal, nothing in a pipe."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichProgress


class Progress:
    """One line that says what is being done and how far it is."""

    def __init__(self, bar: RichProgress, task: TaskID) -> None:
        self._bar, self._task = bar, task

    def say(self, what: str) -> None:
        """A step of unknown length."""
        self._bar.update(self._task, description=what, total=None)

    def bytes(self, what: str, done: int, total: int) -> None:
        """`done` of `total` bytes of a step."""
        self._bar.update(self._task, description=what, completed=done, total=total)

    def keep(self, text: str) -> None:
        """A line that stays, in a pipe too."""
        self._bar.console.print(text, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def progress() -> Iterator[Progress]:
    """A line on a terminal's standard error that is gone when the work is done, below what was to stay."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with RichProgress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        yield Progress(bar, bar.add_task("", total=None))
