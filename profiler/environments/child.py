"""A program run to its end: its lines are handed on as they come, its last words kept."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import IO

import msgspec

OnLine = Callable[[str], None]

LONGEST_SHOWN = 300
_TAIL_BYTES = 8192


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """How a program ended: `status` as `subprocess` tells it, `errors` the last lines of its standard error."""

    status: int
    errors: tuple[str, ...]


def run(
    command: Sequence[str], on_line: OnLine, *, environment: Mapping[str, str], order: bytes = b""
) -> Ended:
    """Run `command` with `order` on its standard input; `on_line` gets each line of its standard output.

    The program is gone when this returns or raises. Raises `OSError` if it cannot be started.
    """
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, env=environment
        )
        try:
            _give(process, order)
            assert process.stdout is not None
            for line in process.stdout:
                on_line(printable(line))
            status = process.wait()
        finally:
            process.kill()
            process.wait()
        return Ended(status=status, errors=_last_lines(errors))


def last_error(ended: Ended) -> str:
    """The last error that pip or venv told, else the last line."""
    errors = [line.removeprefix("ERROR: ") for line in ended.errors if line.startswith("ERROR: ")]
    return [f"exit status {ended.status}", *ended.errors[-1:], *errors][-1]


def printable(line: bytes) -> str:
    """`line` as text, with nothing in it that a terminal would obey."""
    text = line.decode("utf-8", "replace").rstrip()
    return "".join(letter if letter.isprintable() else " " for letter in text)


def shortened(text: str) -> str:
    """`text`, cut where a sentence would become too long."""
    return text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 3] + "..."


def _give(process: subprocess.Popen[bytes], order: bytes) -> None:
    assert process.stdin is not None
    try:
        process.stdin.write(order)
        process.stdin.close()
    except BrokenPipeError:
        pass


def _last_lines(errors: IO[bytes]) -> tuple[str, ...]:
    errors.seek(max(0, errors.seek(0, 2) - _TAIL_BYTES))
    return tuple(line for line in map(printable, errors.read().splitlines()) if line.strip())
