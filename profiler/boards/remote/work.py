"""One worker on a board."""

import hashlib
import json
import os
import shutil
import signal
import struct
import subprocess
import tempfile
import threading
import time
from typing import Any, Callable, Dict, List, Optional

from profiler.boards.remote.moment import anchor

LAST_WORDS = 4096
MEMORY_DISK = "/dev/shm"  # noqa: S108


def prefix() -> str:
    """Of what a worker needs while it works, in folders that others share: this account's own."""
    home = os.path.expanduser("~").encode("utf-8", "surrogateescape")
    return "edgeprof-board-" + hashlib.sha256(home).hexdigest()[:12] + "-"


def _zeros(folder: Optional[str], size: int) -> str:
    """A new file, written in full: that its disk is full shows here, and not as a bus error in the worker."""
    handle, path = tempfile.mkstemp(prefix=prefix(), dir=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(bytes(size))
    except OSError as error:
        os.unlink(path)
        raise OSError(error.errno, error.strerror, os.path.dirname(path)) from None
    return path


def _expanded(word: str) -> str:
    """As the shell that started us read it."""
    return os.path.expandvars(os.path.expanduser(word))


class Work:
    """One worker, from its order to its end. What it says is handed on at once, and its stamps now and then."""

    def __init__(self, asked: Dict[str, Any], tell: Callable[[Any], None]) -> None:
        self._tell, self._look_s = tell, asked["look_s"]
        folder = MEMORY_DISK if os.access(MEMORY_DISK, os.W_OK) else None
        self._errors = tempfile.TemporaryFile()
        self._stamps = _zeros(folder, 8 * asked["words"])
        self._scratch = tempfile.mkdtemp(prefix=prefix())
        order = dict(asked["order"], stamps=self._stamps, scratch=self._scratch)
        self._process = subprocess.Popen(
            [*map(_expanded, asked["command"]), asked["worker"]],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=dict(
                {name: os.environ[name] for name in asked["kept"] if name in os.environ},
                PYTHONUTF8="1",  # as we have it: names of builds
                **asked["environment"],
            ),
            start_new_session=True,
        )
        self._give(json.dumps(order).encode("ascii"))
        threading.Thread(target=self._look_on, daemon=True).start()

    def _give(self, order: bytes) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(order)
            self._process.stdin.close()
        except BrokenPipeError:
            pass

    def _look_on(self) -> None:
        """Stamps while it works: the laptop's watchdog and its live view need them."""
        while self._process.poll() is None:
            time.sleep(self._look_s)
            self._tell({"words": self._words()})

    def _words(self) -> List[int]:
        try:
            with open(self._stamps, "rb") as file:
                content = file.read()
        except OSError:
            return []
        return list(struct.unpack("=%dq" % (len(content) // 8), content))

    def follow(self) -> Dict[str, Any]:
        """Hand on its lines until it has ended, and tell how it did. Nothing of it stays, told or not."""
        assert self._process.stdout is not None
        try:
            for line in self._process.stdout:
                self._tell({"line": line.decode("utf-8", "replace")})
            status = self._process.wait()
            self._errors.seek(max(0, self._errors.seek(0, os.SEEK_END) - LAST_WORDS))
            said = self._errors.read().decode("utf-8", "replace")
            return {"status": status, "words": self._words(), "said": said, "anchor": anchor()}
        finally:
            if self._process.poll() is None:
                self.stop()
            os.unlink(self._stamps)
            shutil.rmtree(self._scratch, ignore_errors=True)

    @property
    def pid(self) -> int:
        """Of the worker."""
        return self._process.pid

    def stop(self) -> None:
        """End it and whatever it has started."""
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except OSError:
            pass
