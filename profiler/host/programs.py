"""What the system's own programs say of this machine: started here, or kept in a captured tree."""

from __future__ import annotations

import os
import platform
import shutil
import signal
import subprocess
import threading
from pathlib import Path
from typing import IO

import msgspec

from profiler.host.kernel_files import HERE, LONGEST_FILE, UnreadableError, printable, read_text

FOLDER = "outputs"
"""Where a captured tree keeps them, a text file for each."""


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """A program that prints and changes nothing. `system` is the only one it is started on.

    One that never ends by itself is stopped after its first line. None runs longer than `limit_s`.
    """

    name: str
    command: tuple[str, ...]
    system: str = "Linux"
    first_line_only: bool = False
    limit_s: float = 5.0


NVPMODEL = Program(name="nvpmodel", command=("nvpmodel", "-q"))
"""NVIDIA's power mode of a Jetson board."""


def output(root: Path, program: Program) -> str:
    """What `program` prints. Raises `UnreadableError` where it is not there, fails or says nothing."""
    if root != HERE:
        return read_text(root, f"{FOLDER}/{program.name}.txt")
    path = shutil.which(program.command[0]) if platform.system() == program.system else None
    if path is None:
        raise UnreadableError(f"{program.command[0]}: not offered here")
    try:
        text = _first_output(program, path)
    except OSError as error:
        raise UnreadableError(f"{program.command[0]}: {error.strerror}") from None
    if not text.strip():
        raise UnreadableError(f"{program.command[0]}: says nothing")
    return text


def _first_output(program: Program, path: str) -> str:
    with subprocess.Popen(
        [path, *program.command[1:]],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"LC_ALL": "C"},
        start_new_session=True,
    ) as process:
        timer = threading.Timer(program.limit_s, _stop, (process,))
        timer.start()
        try:
            return printable(_read(process.stdout, program)) if process.stdout else ""
        finally:
            timer.cancel()
            timer.join()
            _stop(process)


def _read(stream: IO[bytes], program: Program) -> bytes:
    return stream.readline(LONGEST_FILE) if program.first_line_only else stream.read(LONGEST_FILE)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ends the program and what it started: one of them could hold the pipe open for ever."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except OSError:
        process.kill()
