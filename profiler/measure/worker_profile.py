"""In a worker: passes with the engine's nodes watched, and as many without, in turn. None of them is a measurement."""

import functools
import gc
from typing import Any, Callable, Dict, List, Optional, Tuple

from profiler.engines.protocol import Engine, Job, Watch
from profiler.measure.worker_prompt import prompt_ids

PASSES, LONGEST_S = 5, 30.0
"""Counted passes of each kind; after so many seconds none begins, but for the first."""

TOKENS = 8
"""Decoded in each pass."""

Timed = Tuple[str, int, int, int, int]
"""An evaluation: phase, number of the pass (0 is the warm-up), tokens, start and end on the engine's clock."""


def profile(job: Job, module: Any, emit: Callable[..., None]) -> None:
    """Tell each evaluation: those without a watch at once, those with one when all are done."""
    watch: Watch = module.watch(job)
    emit("loaded", ms=0.0, facts={})
    gc.collect()
    gc.disable()
    plain, watched = (
        _Passes(job, watch.plain, watch.piece),
        _Passes(job, watch.watched, watch.piece, watch.evaluated),
    )
    clock = watch.plain.clock
    began = clock()
    for number in range(PASSES + 1):
        if number > 1 and clock() - began > LONGEST_S * 1e9:
            break
        for timed in plain.one(number):
            emit("evaluated", **_fields(timed), watched=False)
        watched.one(number)
    done = watched.done
    del plain, watched  # an engine ends its profile when nothing holds it any more
    for evaluation, graph in zip(done, watch.finish()):  # noqa: B905
        if evaluation is not None:
            emit("evaluated", **_fields(evaluation), watched=True, graph_ns=graph.ns, nodes=graph.nodes)


def _fields(timed: Timed) -> Dict[str, Any]:
    phase, number, tokens, start, end = timed
    return {"phase": phase, "number": number, "tokens": tokens, "start_ns": start, "ns": end - start}


class _Passes:
    """Passes of one engine. `done` has an entry for each evaluation; None for those that only lead to the depth."""

    def __init__(
        self,
        job: Job,
        engine: Engine,
        piece: Optional[int],
        evaluated: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._engine, self._piece, self._evaluated = engine, piece, evaluated
        self._workload, self._seed = job["workload"], job["seed"]
        self._raw = self._workload["method"] == "raw"
        self._ids = prompt_ids(engine, self._workload, self._seed)
        self._depth_state: Optional[object] = None
        self._at = 0
        self.done: List[Optional[Timed]] = []

    def one(self, number: int) -> List[Timed]:
        """A prompt and some tokens, each evaluation timed."""
        self._go_to_depth()
        first = len(self.done)
        for part in self._pieces(self._ids):
            self._time("prefill", number, len(part), functools.partial(self._engine.prefill, part))
        for step in self._steps():
            self._time("decode", number, 1, step)
        return [timed for timed in self.done[first:] if timed is not None]

    def _go_to_depth(self) -> None:
        depth = self._workload["depth"]
        if self._depth_state is not None:
            self._engine.restore(self._depth_state)
            self._at = depth
            return
        self._engine.reset()
        self._at = 0
        if depth:
            for part in self._pieces(self._engine.random_ids(depth, self._seed + 1)):
                self._engine.prefill(part)
                self._note(None, len(part))
            self._depth_state = self._engine.save()

    def _pieces(self, ids: List[int]) -> List[List[int]]:
        step = self._piece or max(1, len(ids))
        return [ids[at : at + step] for at in range(0, len(ids), step)]

    def _steps(self) -> List[Callable[[], Any]]:
        """What evaluates one token, so many times. A first token of text is only chosen: its prompt is evaluated."""
        asked = self._workload["output_tokens"]
        if self._raw:
            fed = self._engine.random_ids(min(asked, TOKENS), self._seed + 2)
            return [functools.partial(self._engine.feed, token) for token in fed]
        if asked:
            self._engine.next_token()
        return [self._engine.next_token] * min(max(0, asked - 1), TOKENS)

    def _time(self, phase: str, number: int, tokens: int, act: Callable[[], Any]) -> None:
        clock = self._engine.clock
        start = clock()
        act()
        self._note((phase, number, tokens, start, clock()), tokens)

    def _note(self, timed: Optional[Timed], tokens: int) -> None:
        self.done.append(timed)
        self._evaluated(self._at)
        self._at += tokens
