"""What the system's own programs say of this machine: started here, or kept in a captured tree."""

from __future__ import annotations

import os
import platform
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import IO

import msgspec

from profiler.host.kernel_files import HERE, LONGEST_FILE, UnreadableError, is_there, printable, read_text

FOLDER = "outputs"
"""Where a captured tree keeps them, a text file for each."""

LATELY_S = 0.2


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """A program that prints and changes nothing. `system` is the only one it is started on.

    One that never ends by itself is stopped after its first line. None runs longer than `limit_s`.
    """

    name: str
    command: tuple[str, ...]
    system: str = "Linux"
    first_line_only: bool = False
    limit_s: float = 5.0


def is_offered(root: Path, program: Program) -> bool:
    """Whether it is installed here, or a captured tree has what it printed."""
    return bool(shutil.which(program.command[0])) if root == HERE else is_there(root, _kept(program))


def output(root: Path, program: Program) -> str:
    """What `program` prints. Raises `UnreadableError` where it is not there, fails or says nothing."""
    if root != HERE:
        return read_text(root, _kept(program))
    text = _first_output(program)
    if not text.strip():
        raise UnreadableError(f"{program.command[0]}: says nothing")
    return text


def _kept(program: Program) -> str:
    return f"{FOLDER}/{program.name}.txt"


_lately: dict[Program, tuple[float, str | UnreadableError]] = {}


def output_lately(root: Path, program: Program) -> str:
    """The same for readers of several facts in one output: a start, or a failure, serves a fifth of a second."""
    if root != HERE:
        return output(root, program)
    ended, said = _lately.get(program, (float("-inf"), ""))
    if time.monotonic() - ended > LATELY_S:
        try:
            said = output(root, program)
        except UnreadableError as reason:
            said = reason
        _lately[program] = (time.monotonic(), said)
    if isinstance(said, UnreadableError):
        raise UnreadableError(str(said))
    return said


def start(program: Program) -> subprocess.Popen[bytes]:
    """Starts it in a session of its own; what it prints comes through a pipe, and `stop` ends it.

    Raises `UnreadableError` where it is not there or cannot be started.
    """
    path = shutil.which(program.command[0]) if platform.system() == program.system else None
    if path is None:
        raise UnreadableError(f"{program.command[0]}: not offered here")
    try:
        return subprocess.Popen(
            [path, *program.command[1:]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"LC_ALL": "C"},
            start_new_session=True,
        )
    except OSError as error:
        raise UnreadableError(f"{program.command[0]}: {error.strerror}") from None


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ends the program and what it started: one of them could hold the pipe open for ever."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except OSError:
        process.kill()


def _first_output(program: Program) -> str:
    with start(program) as process:
        timer = threading.Timer(program.limit_s, stop, (process,))
        timer.start()
        try:
            return printable(_read(process.stdout, program)) if process.stdout else ""
        finally:
            timer.cancel()
            timer.join()
            stop(process)


def _read(stream: IO[bytes], program: Program) -> bytes:
    return stream.readline(LONGEST_FILE) if program.first_line_only else stream.read(LONGEST_FILE)
