"""On a board: answers what the laptop asks, one JSON line for each. Standard library alone, Python 3.9 and later.

Requests come on standard input, `{"id": 1, "do": "hello", ...}`; answers go to standard output, `{"id": 1, "ok": ...}`
or `{"id": 1, "error": "..."}`, and what a worker says on its way as `{"id": 1, "event": ...}`. When the laptop is gone,
standard input ends or falls silent, and so do the agent and its worker.
"""

import json
import os
import signal
import sys
import threading
import time
from typing import Any, Callable, Dict, Optional, TextIO

from profiler.boards.remote.alone import Lock
from profiler.boards.remote.cleaning import remove
from profiler.boards.remote.copied import cached, evict, mappers
from profiler.boards.remote.files import discard, folder, forget, link, put, rename, sha256, sizes, unpack
from profiler.boards.remote.greeting import hello, modules
from profiler.boards.remote.moment import anchor
from profiler.boards.remote.sampling import Sampling
from profiler.boards.remote.texts import texts
from profiler.boards.remote.work import Work

LONGEST_SILENCE_S = 120.0
"""A laptop says something every 20 seconds. One that sleeps, or has left its network, ends no connection."""

ENDING_S = 5.0
"""For what was told to end."""


class Agent:
    """Answers in turn; a worker is followed in a thread, so that it can be stopped and the board be read meanwhile."""

    def __init__(self, results: TextIO) -> None:
        self._results, self._lock = results, threading.Lock()
        self._sampling: Optional[Sampling] = None
        self._work: Optional[Work] = None
        self._following: Optional[threading.Thread] = None
        self._waits_since: Optional[float] = None
        self._answers: Dict[str, Callable[[Dict[str, Any]], Any]] = {
            "hello": hello,
            "texts": texts,
            "modules": modules,
            "sha256": sha256,
            "sizes": sizes,
            "cached": cached,
            "evict": evict,
            "put": put,
            "folder": folder,
            "rename": rename,
            "unpack": unpack,
            "forget": forget,
            "link": link,
            "discard": discard,
            "remove": remove,
            "anchor": lambda _: anchor(),
            "beat": lambda _: True,
            "hold": Lock().take,
            "mappers": self._mappers,
            "sample": self._sample,
            "sampled": self._sampled,
            "stop": self._stop,
        }

    def say(self, **fields: Any) -> None:
        """One line to the laptop."""
        with self._lock:
            self._results.write(json.dumps(fields) + "\n")
            self._results.flush()

    def answer(self, asked: Dict[str, Any]) -> None:
        """One request. An error of any kind is its answer."""
        if asked["do"] == "work":
            self._following = threading.Thread(target=self._works, args=(asked,), daemon=True)
            self._following.start()
            return
        try:
            self.say(id=asked["id"], ok=self._answers[asked["do"]](asked))
        except Exception as error:  # whatever went wrong there is told here
            self.say(id=asked["id"], error=f"{type(error).__name__}: {error}")

    def _works(self, asked: Dict[str, Any]) -> None:
        try:
            self._work = Work(asked, lambda event: self.say(id=asked["id"], event=event))
            self.say(id=asked["id"], ok=self._work.follow())
        except Exception as error:  # the same
            self.say(id=asked["id"], error=f"{type(error).__name__}: {error}")
        finally:
            self._work = None

    def _sample(self, asked: Dict[str, Any]) -> bool:
        self._sampled(asked)
        self._sampling = Sampling(asked)
        return True

    def _sampled(self, _: Dict[str, Any]) -> Any:
        found, self._sampling = self._sampling, None
        return found.end() if found is not None else None

    def _stop(self, _: Dict[str, Any]) -> bool:
        if self._work is not None:
            self._work.stop()
        return self._work is not None

    def _mappers(self, asked: Dict[str, Any]) -> Any:
        """Who else maps a build's files, beside us and the worker."""
        work, ours = self._work, {os.getpid()}
        if work is not None:
            ours.add(work.pid)
        return mappers(asked, ours)

    def listen(self, lines: TextIO) -> None:
        """Answer until they end, or nothing is asked for too long."""
        self._results.write("\n")  # a login script may have greeted without an end of its line
        threading.Thread(target=self._watch, daemon=True).start()
        self._waits_since = time.monotonic()
        for line in lines:
            self._waits_since = None
            self.answer(json.loads(line))
            self._waits_since = time.monotonic()

    def _watch(self) -> None:
        while True:
            time.sleep(ENDING_S)
            since = self._waits_since
            if since is not None and time.monotonic() - since > LONGEST_SILENCE_S:
                os.kill(os.getpid(), signal.SIGTERM)

    def close(self) -> None:
        """The laptop is gone: nothing goes on without it."""
        if self._work is not None:
            self._work.stop()
        if self._following is not None:
            self._following.join(ENDING_S)


def main() -> None:
    """Answer until standard input ends."""
    results = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    signal.signal(signal.SIGTERM, _leave)
    agent = Agent(results)
    try:
        agent.listen(sys.stdin)
    except BrokenPipeError:
        pass
    finally:
        agent.close()
        os._exit(0)  # what is left unsaid could wait for ever in a pipe that nobody reads


def _leave(_signal: int, _frame: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit()
