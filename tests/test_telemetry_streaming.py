"""A program that is kept running, tried with real little ones that print, stop, hang, die and flood."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from profiler.host.kernel_files import UnreadableError
from profiler.host.programs import Program
from profiler.telemetry.streaming import LONGEST_LINE, MOST_LINES, Stream

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no program is kept running there")

PATIENCE_S = 30.0

OPENED: list[Stream] = []


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    while OPENED:
        OPENED.pop().close()


def stream(code: str, begins: str = "", ends: str = "") -> Stream:
    program = Program(
        name="script", command=(sys.executable, "-u", "-c", f"import time\n{code}"), system=platform.system()
    )
    OPENED.append(Stream(program, begins, ends))
    return OPENED[-1]


def said(stream: Stream) -> str | None:
    try:
        return stream.newest(PATIENCE_S)
    except UnreadableError:
        return None


def becomes_true(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE_S
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


def over(stream: Stream) -> bool:
    """Its pipe has ended, and it was told to."""
    return not stream._thread.is_alive()


def is_running(pid: int) -> bool:
    """A process that ended and was not yet waited for is a zombie, which runs no more."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_each_line_is_a_message_and_the_newest_counts() -> None:
    printing = stream("for n in range(5): print(n); time.sleep(0.01)\ntime.sleep(60)")
    assert becomes_true(lambda: said(printing) == "4\n")


def test_a_message_may_have_several_lines() -> None:
    """What stands before the first line, or between a last line and the next first one, is left out."""
    code = "print('noise\\nbegin\\na 1\\nend 1\\nrest\\nbegin\\na 2\\nend 2\\nbegin\\na 3', flush=True)\ntime.sleep(60)"
    printing = stream(code, begins="begin", ends="end")
    assert becomes_true(lambda: said(printing) == "begin\na 2\nend 2\n")


def test_a_program_that_says_nothing() -> None:
    hanging = stream("time.sleep(60)")
    with pytest.raises(UnreadableError, match=r"says nothing now$"):
        hanging.newest(PATIENCE_S)


def test_an_old_message_is_none() -> None:
    printing = stream("print(1)\ntime.sleep(60)")
    assert becomes_true(lambda: said(printing) == "1\n")
    time.sleep(0.02)
    with pytest.raises(UnreadableError, match=r"says nothing now$"):
        printing.newest(0.01)


def test_a_program_that_dies() -> None:
    dying = stream("print('last words'); raise SystemExit(3)")
    assert becomes_true(lambda: over(dying) and said(dying) == "last words\n")


def test_half_a_line_is_no_message() -> None:
    torn = stream("print('whole'); print('VDD_IN 47', end='')")
    assert becomes_true(lambda: over(torn))
    torn.close()
    assert said(torn) == "whole\n"


def test_garbage_is_made_printable() -> None:
    garbage = stream(
        "import sys; sys.stdout.buffer.write(b'\\xff\\x00\\x1b[2J\\n'); sys.stdout.flush(); time.sleep(60)"
    )
    assert becomes_true(lambda: said(garbage) is not None)
    assert (said(garbage) or "").rstrip("\n").isprintable()


def test_a_line_without_end_ends_the_program() -> None:
    flooding = stream(f"while True: print('x' * {LONGEST_LINE}, end='')")
    assert becomes_true(lambda: over(flooding))
    assert said(flooding) is None


def test_a_message_without_end_is_dropped() -> None:
    lines = MOST_LINES + 3
    flooding = stream(
        f"print('x\\n' * {lines} + 'end', flush=True)\ntime.sleep(60)", begins="begin", ends="end"
    )
    assert becomes_true(lambda: said(flooding) is not None)
    assert said(flooding) == "x\n" * 3 + "end\n"


def test_closing_ends_the_program_and_what_it_started() -> None:
    code = "import subprocess; print(subprocess.Popen(['sleep', '600']).pid)\nwhile True: time.sleep(1)"
    printing = stream(code)
    assert becomes_true(lambda: said(printing) is not None)
    child = int(said(printing) or "0")
    printing.close()
    printing.close()
    assert over(printing)
    assert printing._process.returncode is not None
    assert becomes_true(lambda: not is_running(child))


def test_a_program_that_is_not_there() -> None:
    with pytest.raises(UnreadableError, match=r"^no-such-program: not offered here$"):
        Stream(Program(name="none", command=("no-such-program",), system=platform.system()))


PARENT = """
import platform, sys, time
from profiler.host.programs import Program
from profiler.telemetry.streaming import Stream
code = "import os, time\\nwhile True: print(os.getpid()); time.sleep(0.05)"
stream = Stream(Program(name="s", command=(sys.executable, "-u", "-c", code), system=platform.system()))
while True:
    try:
        print(stream.newest(30.0), flush=True)
        break
    except Exception:
        time.sleep(0.01)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("kill", [False, True], ids=["ends", "is killed"])
def test_the_program_does_not_outlive_us(kill: bool) -> None:
    code = PARENT + ("time.sleep(60)" if kill else "")
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        if kill:
            os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
    assert becomes_true(lambda: not is_running(child))
