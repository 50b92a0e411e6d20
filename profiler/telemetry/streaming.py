"""A program that prints what its sensors say, again and again: kept running, with its newest message at hand."""

from __future__ import annotations

import atexit
import re
import threading
import time
from typing import IO

from profiler.host.kernel_files import UnreadableError, printable
from profiler.host.programs import Program, start, stop

LONGEST_LINE = 64 * 1024
MOST_LINES = 1000
"""Of one message: a longer one is dropped. A program that prints a longer line is not the one we know: it is ended."""

ENDING_S = 2.0


class Stream:
    """The newest message of a program that never ends by itself. It is ended by `close`, or at exit.

    A message is the lines from one that `begins` matches to one that `ends` matches: each line, if nothing is said.
    A parent that is killed takes the program with it too, at its next line: nobody holds the other end of its pipe.
    """

    def __init__(self, program: Program, begins: str = "", ends: str = "") -> None:
        """Starts it. Raises `UnreadableError` where it is not there."""
        self._begins, self._ends = re.compile(begins), re.compile(ends)
        self._name = program.command[0]
        self._newest: tuple[float, str] | None = None
        self._process = start(program)
        assert self._process.stdout, "it was started with a pipe"
        self._thread = threading.Thread(target=self._listen, args=(self._process.stdout,), daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def newest(self, within_s: float) -> str:
        """Raises `UnreadableError` if the program has said nothing whole in the last `within_s` seconds."""
        if self._newest is None or time.monotonic() - self._newest[0] > within_s:
            raise UnreadableError(f"{self._name}: says nothing now")
        return self._newest[1]

    def close(self) -> None:
        """End the program. What it said last stays at hand until it is too old."""
        atexit.unregister(self.close)
        self._end()
        self._thread.join(ENDING_S)
        self._process.wait()
        if self._process.stdout and not self._thread.is_alive():
            self._process.stdout.close()

    def _listen(self, pipe: IO[bytes]) -> None:
        lines: list[str] = []
        while (raw := pipe.readline(LONGEST_LINE)).endswith(b"\n"):
            line = printable(raw)
            if self._begins.match(line) or len(lines) >= MOST_LINES:
                lines = []
            lines.append(line)
            if self._ends.match(line):
                self._newest = time.monotonic(), "".join(lines)
                lines = []
        self._end()

    def _end(self) -> None:
        """Once it was waited for, its number may be another's."""
        if self._process.returncode is None:
            stop(self._process)
