"""An engine that plays a script: tokens, delays and failures from a JSON file. It is what tests run.

A script is a JSON object: `edgeprof_script` 1, and any of `vocabulary`, `load_ms`, `prefill_ms_per_token`,
`token_ms` (a number, or one per round), `growth_ms` (added per position), `memory` (weights_bytes,
kv_bytes, compute_bytes), `fell_back` (the sentence of a fall-back, which an inspection tells too if it is
`foreseen`), `virtual_clock` (time passes by the script alone, so figures are exact),
`slow_after_s` and `slow_factor` (that long after the start of loading, tokens begin to take so many times as
long), and
`fail`: {"at": "load" | "prefill" | "token", "how": see `_FAILURES`, "rounds": [...],
"kind": ..., "message": ..., "after": tokens}.
"""

import atexit
import json
import os
import random
import signal
import subprocess
import sys
import time
from typing import Any, Dict, List

from profiler.engines.protocol import EngineFailure, Job


def import_library() -> None:
    """There is nothing to import."""


def load(job: Job) -> "Scripted":
    """Play the script of `job["path"]`."""
    script = _read(job["path"])
    engine = Scripted(script, job)
    engine.fail_if_told("load")
    engine.pass_time(script.get("load_ms", 0))
    return engine


def inspect(job: Job) -> Dict[str, Any]:
    """The memory that the script claims, and the fall-back that it foresees."""
    script = _read(job["path"])
    return dict(_memory(script), **({"fell_back": script["fell_back"]} if script.get("foreseen") else {}))


def _memory(script: Dict[str, Any]) -> Dict[str, Any]:
    return dict({"weights_bytes": 0, "kv_bytes": 0, "compute_bytes": 0}, **script.get("memory", {}))


def _read(path: str) -> Dict[str, Any]:
    with open(path, encoding="utf-8") as file:
        script = json.load(file)
    if not isinstance(script, dict) or script.get("edgeprof_script") != 1:
        raise EngineFailure("bad_file", "not an edgeprof script")
    return script


class Scripted:
    """Plays one script in one round."""

    def __init__(self, script: Dict[str, Any], job: Job) -> None:
        self._script = script
        self._round = job["round"]
        self._depth = 0
        self._tokens = 0
        self._now = 1_000_000_000
        self._virtual = bool(script.get("virtual_clock"))
        self._slow_from = self.clock() + script.get("slow_after_s", 0) * 1e9

    def clock(self) -> int:
        return self._now if self._virtual else time.perf_counter_ns()

    def pass_time(self, milliseconds: float) -> None:
        """Let this much time go by on the engine's clock."""
        if self._virtual:
            self._now += round(milliseconds * 1e6)
        elif milliseconds:
            time.sleep(milliseconds / 1000)

    def fail_if_told(self, moment: str) -> None:
        """Carry out the script's failure, if it is set for this moment and round."""
        fail = self._script.get("fail")
        if not fail or fail["at"] != moment or self._round not in fail.get("rounds", [self._round]):
            return
        if moment == "token" and self._tokens < fail.get("after", 0):
            return
        _FAILURES[fail["how"]](fail)

    def tokenize(self, text: bytes) -> List[int]:
        return list(text)

    def text_of(self, ids: List[int]) -> bytes:
        return bytes(i % 256 for i in ids)

    def random_ids(self, count: int, seed: int) -> List[int]:
        draw = random.Random(seed)  # noqa: S311
        return [draw.randrange(256) for _ in range(count)]

    def reset(self) -> None:
        self._depth = 0

    def prefill(self, ids: List[int]) -> None:
        self.fail_if_told("prefill")
        self.pass_time(len(ids) * self._script.get("prefill_ms_per_token", 0.01))
        self._depth += len(ids)

    def next_token(self) -> int:
        self.fail_if_told("token")
        self.pass_time(self._token_ms())
        self._depth += 1
        self._tokens += 1
        return (self._depth * 7) % 256

    def _token_ms(self) -> float:
        per_token = self._script.get("token_ms", 0.1)
        if isinstance(per_token, list):
            per_token = per_token[self._round % len(per_token)]
        slower = self._script.get("slow_factor", 1) if self.clock() >= self._slow_from else 1
        return float(per_token + self._depth * self._script.get("growth_ms", 0)) * slower

    def feed(self, token: int) -> None:
        self.next_token()

    def save(self) -> object:
        return self._depth

    def restore(self, state: object) -> None:
        self._depth = int(state)  # type: ignore[call-overload]

    def facts(self) -> Dict[str, Any]:
        told = {"versions": {"script": "1"}, "system": None, "fell_back": self._script.get("fell_back")}
        return dict(told, **_memory(self._script))

    def close(self) -> None:
        pass


def _signal(number: int) -> Any:
    return lambda fail: os.kill(os.getpid(), number)


def _report(fail: Dict[str, Any]) -> None:
    raise EngineFailure(fail.get("kind", "load_failed"), fail.get("message", "the script says so"))


def _raise(fail: Dict[str, Any]) -> None:
    raise RuntimeError(fail.get("message", "an engine's own exception"))


def _print_noise(fail: Dict[str, Any]) -> None:
    os.write(1, b'{"event": "done"}\nnoise on standard output\n')


def _eat(fail: Dict[str, Any]) -> None:
    """Take memory and touch it until the kernel ends this process, at most `most_mib`."""
    taken = [b"\1" * 2**24 for _ in range(fail.get("most_mib", 1024) // 16)]
    raise RuntimeError(f"nobody ended it after {16 * len(taken)} MiB")


_FAILURES: Dict[str, Any] = {
    "report": _report,
    "raise": _raise,
    "noise": _print_noise,
    "eat": _eat,
    "spawn": lambda fail: subprocess.Popen(["sleep", "60"]),
    "hang": lambda fail: time.sleep(3600),
    "hang_at_exit": lambda fail: atexit.register(time.sleep, 3600),
    "crash_at_exit": lambda fail: atexit.register(os.abort),
    "exit": lambda fail: os._exit(fail.get("status", 7)),
    "system_exit": lambda fail: sys.exit(0),
    "abort": _signal(signal.SIGABRT),
    "kill": _signal(getattr(signal, "SIGKILL", signal.SIGTERM)),
    "segfault": _signal(signal.SIGSEGV),
    "illegal": _signal(signal.SIGILL),
    "bus": _signal(getattr(signal, "SIGBUS", signal.SIGTERM)),
}
