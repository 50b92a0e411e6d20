"""What sensors say, again and again while a worker works."""

import os
import threading
import time
from typing import Any, Dict, List, Optional

from profiler.boards.remote.texts import printed, text

LONGEST_PAUSE_S = 60.0


class Sampling:
    """Texts of files and programs, read again and again in a thread of its own until they are asked for.

    Readings take `share` of a core: the dearer they are, the rarer.
    """

    def __init__(self, asked: Dict[str, Any]) -> None:
        root, self._programs = asked["root"], asked["programs"]
        self._paths = {name: os.path.join(root, name) for name in asked["files"]}
        self._every_s, self._share, self._most = asked["every_s"], asked["share"], asked["most"]
        self._at: List[int] = []
        self._texts: List[Dict[str, Optional[str]]] = []
        self._spent_ns = 0
        self._over = threading.Event()
        self._began_ns = time.perf_counter_ns()
        self._thread = threading.Thread(target=self._go, daemon=True)
        self._thread.start()

    def _go(self) -> None:
        while True:
            began = time.perf_counter_ns()
            found = {name: text(path) for name, path in self._paths.items()}
            found.update((name, printed(program)) for name, program in self._programs.items())
            ended = time.perf_counter_ns()
            self._spent_ns += ended - began
            self._at.append((began + ended) // 2)
            self._texts.append(found)
            if len(self._at) > self._most:
                self._at, self._texts, self._every_s = self._at[::2], self._texts[::2], 2 * self._every_s
            paid_s = self._spent_ns / 1e9 / (len(self._at) or 1) / self._share
            if self._over.wait(min(LONGEST_PAUSE_S, max(self._every_s, paid_s))):
                return

    def end(self) -> Dict[str, Any]:
        """The readings, and the share of a core that they took."""
        self._over.set()
        self._thread.join()
        elapsed = max(1, time.perf_counter_ns() - self._began_ns)
        return {"at_ns": self._at, "texts": self._texts, "share": self._spent_ns / elapsed}
