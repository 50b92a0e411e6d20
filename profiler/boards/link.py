"""The agent on one board, over OpenSSH as its user has configured it: one question, one answer.

Nothing has to be on the board but Python: the agent's source is the first thing that its interpreter reads.
"""

from __future__ import annotations

import json
import queue
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import msgspec

from profiler.boards import sent
from profiler.errors import UserError
from profiler.measure.endings import printable

SSH = (
    *("ssh", "-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=15"),
    *("-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3"),
    *("-o", "RemoteCommand=none", "-o", "ClearAllForwardings=yes"),
)
"""As its user has configured it, but for what is of a terminal: no question is asked in a run, and a key that wants a
passphrase belongs into an agent."""

TOO_OLD = "workers need 3.9 or later, install it there or name one with --board-python"
BEGIN = (
    f"import sys;sys.version_info<(3,9)and sys.exit('it has Python '+sys.version.split()[0]+': {TOO_OLD}');"
    "n=int(sys.stdin.buffer.readline());exec(compile(sys.stdin.buffer.read(n),'agent','exec'))"
)
"""Any Python understands it, and a shell of any kind that it is one word."""

ANSWER_S = 60.0
BEAT_S = 20.0
"""How often an agent hears that somebody is here: it ends after two minutes of silence."""

LONGEST_LINE = 64 << 20

REFUSALS = (
    ("identification has changed", "its host key is not the known one: compare it, then ssh-keygen -R {host}"),
    ("host key verification failed", "its host key is not known here: connect once by ssh {host}, and compare it"),
    ("could not resolve hostname", "no machine has this name: look at the name, or at ~/.ssh/config"),
    ("connection refused", "nothing there accepts SSH: sudo systemctl enable --now ssh on the board"),
    ("permission denied (", "it does not accept your key: ssh-copy-id {host}, and ssh-add for a key with a passphrase"),
    ("timed out", "it does not answer: is it on, and in this network?"),
    ("no route to host", "it does not answer: is it on, and in this network?"),
    ("unreachable", "it does not answer: is it on, and in this network?"),
    ("not found", "it has no {python}: install Python 3.9 or later there, or name one with --board-python"),
    ("no such file", "it has no {python}: install Python 3.9 or later there, or name one with --board-python"),
)  # fmt: skip
"""What ssh or the shell there says, and what that means for a reader."""

NOT_WRITTEN = {
    "No space left": "the disk of {board} is full: free some there, and run it again; what has arrived is kept",
    "Disk quota exceeded": "the disk of {board} is full: free some there, and run it again; what has arrived is kept",
    "Read-only file system": "{board} has a read-only disk at ~/.cache/edgeprof-board: make it one that takes files",
    "Permission denied": "{board} lets nothing be written in ~/.cache/edgeprof-board: give it to the user of --on",
}
"""What an agent cannot do where a disk takes nothing, by the words of its system."""

STRANGE = (KeyError, TypeError, ValueError, AttributeError, msgspec.MsgspecError)
"""What an answer leads to that is none of our agent's."""


class LinkLost(Exception):
    """The board does not answer any more. The text says how that showed."""


class Refused(Exception):
    """The agent could not do what was asked; its own words."""


@contextmanager
def understood(host: str) -> Iterator[None]:
    """A board that cannot do what it is asked, or answers something else, ends the command in one sentence."""
    board = f"board {printable(host, 80)}"
    try:
        yield
    except Refused as refused:
        meanings = (meaning for words, meaning in NOT_WRITTEN.items() if words in str(refused))
        meaning = next(meanings, "{board} could not do it: {refused}")
        raise UserError(meaning.format(board=board, refused=refused)) from None
    except STRANGE as error:
        raise UserError(
            f"{board} answers what no agent of ours does ({type(error).__name__}): is the right machine there?"
        ) from None


@contextmanager
def answering(host: str) -> Iterator[None]:
    """The same, and so does one that is lost before a run."""
    try:
        with understood(host):
            yield
    except LinkLost as lost:
        raise UserError(
            f"board {printable(host, 80)} was lost: {lost}; run it again once it is there"
        ) from None


class Link:
    """Questions to one agent, one at a time, but for a worker that is followed while others are asked."""

    def __init__(self, host: str, python: str = "python3") -> None:
        """Connects. Raises `UserError` where that cannot be done."""
        if shutil.which("ssh") is None:
            raise UserError("--on needs OpenSSH, and there is no ssh here: install it (openssh-client)")
        self.host, self.python = host, python
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the link
        self._process = subprocess.Popen(
            [*SSH, "--", host, f'exec env PYTHONUTF8=1 {python} -u -c "{BEGIN}"'],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            start_new_session=True,
        )
        self._answers: dict[int, queue.Queue[dict[str, Any] | None]] = {}
        self._number, self._lock = 0, threading.Lock()
        self._lost, self._closed = False, threading.Event()
        threading.Thread(target=self._listen, daemon=True).start()
        try:
            self._begin()
        except BaseException:
            self.close(0)
            raise
        threading.Thread(target=self._beat, daemon=True).start()

    def _begin(self) -> None:
        source = sent.source()
        with suppress(LinkLost):
            self._send(f"{len(source)}\n".encode() + source)
        try:
            self.ask("anchor")
        except (LinkLost, Refused) as error:
            raise UserError(f"board {printable(self.host, 80)}: {self._why(str(error))}") from None

    def _why(self, otherwise: str) -> str:
        said = self._said()
        for words, meaning in REFUSALS:
            if words in said.lower():
                return meaning.format(host=printable(self.host, 80), python=printable(self.python, 40))
        return printable(said.strip().splitlines()[-1]) if said.strip() else otherwise

    def _said(self) -> str:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(2)
        self._errors.seek(0)
        return self._errors.read(8192).decode("utf-8", "replace")

    def ask(self, do: str, timeout_s: float = ANSWER_S, **fields: Any) -> Any:
        """The answer. Raises `LinkLost` without one, `Refused` where the agent could not."""
        for found in self.follow(do, timeout_s, **fields):
            if "ok" in found:
                return found["ok"]
        raise LinkLost("it said nothing")

    def follow(self, do: str, timeout_s: float, **fields: Any) -> Iterator[dict[str, Any]]:
        """Events on the way, and the answer last. `timeout_s` is the longest silence."""
        with self._lock:
            self._number += 1
            number = self._number
            answers = self._answers[number] = queue.Queue()
        try:
            self._send(json.dumps({"id": number, "do": do, **fields}).encode("ascii") + b"\n")
            while True:
                found = self._next(answers, timeout_s)
                if "error" in found:
                    raise Refused(printable(str(found["error"])))
                yield found
                if "ok" in found:
                    return
        finally:
            del self._answers[number]

    def _next(self, answers: queue.Queue[dict[str, Any] | None], timeout_s: float) -> dict[str, Any]:
        try:
            found = None if self._lost and answers.empty() else answers.get(timeout=timeout_s)
        except queue.Empty:
            self.close()
            raise LinkLost(f"it said nothing for {timeout_s:g} s") from None
        if found is None:
            raise LinkLost("the connection ended")
        return found

    def _send(self, line: bytes) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line)
            self._process.stdin.flush()
        except (BrokenPipeError, ValueError):
            raise LinkLost("the connection ended") from None

    def _listen(self) -> None:
        assert self._process.stdout is not None
        while line := self._process.stdout.readline(LONGEST_LINE):
            try:
                found = json.loads(line)
                answers = self._answers.get(found["id"])
            except (ValueError, TypeError, KeyError, RecursionError):
                continue  # a login script may greet before the agent speaks
            if answers is not None:
                answers.put(found)
        self._lost = True
        for answers in list(self._answers.values()):
            answers.put(None)

    def _beat(self) -> None:
        """Heard while files are copied and while a worker computes; nobody waits for the answer."""
        with suppress(LinkLost):
            while not self._closed.wait(BEAT_S):
                self._send(b'{"id": 0, "do": "beat"}\n')

    def close(self, patience_s: float = 3) -> None:
        """The agent ends when nobody asks it any more, and its worker with it."""
        self._closed.set()
        with suppress(OSError, ValueError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        try:
            self._process.wait(patience_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
