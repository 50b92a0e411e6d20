"""`--trace FILE.json`: every node of the profiled passes, written when the run is over."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from profiler.analyse.profile_kinds import kind_of
from profiler.errors import UserError
from profiler.measure import trace
from profiler.measure.events import Evaluated
from profiler.runfile import Case


class TraceFile:
    """A trace that grows by a process for each case. Without a path nothing is kept."""

    def __init__(self, path: Path | None) -> None:
        """Raises `UserError` where a file is already, or cannot be."""
        self._path, self._events, self._cases = path, list[dict[str, Any]](), 0
        if path is not None and (path.exists() or not path.parent.is_dir()):
            why = "exists" if path.exists() else "lies in no folder that is there"
            raise UserError(f"--trace {path} {why}: choose another name")

    def check(self, *, profiled: bool) -> None:
        """Raises `UserError` for a trace of a run without profiles."""
        if self._path is not None and not profiled:
            raise UserError("--trace writes what --profile sees, and this run has no --profile")

    def add(self, case: Case, evaluated: Sequence[Evaluated]) -> None:
        """The last watched pass of a case."""
        if self._path is not None:
            self._cases += 1
            name = f"{case.id} {case.build}"
            self._events += trace.events(self._cases, name, evaluated, lambda op, part: kind_of(op, part)[0])

    def write(self) -> str | None:
        """Write the file. What to say of it: nothing without one, or why it could not be written."""
        if self._path is None or not self._events:
            return None
        try:
            with self._path.open("x", encoding="ascii") as file:
                file.write(trace.document(self._events))
        except OSError as error:
            return f"The trace {self._path} could not be written: {error.strerror}"
        return f"Trace: {self._path} (open it in Perfetto, or in chrome://tracing)"
