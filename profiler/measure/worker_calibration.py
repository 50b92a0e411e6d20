"""In a worker: single calls of an engine timed over and over, for the calibration of a machine."""

import gc
from typing import Any, Callable, Dict, List, Optional

from profiler.engines.protocol import Job

WARM_UP_TOKENS = 4


def calibrate(job: Job, module: Any, emit: Callable[..., None]) -> None:
    """Each task of the job, in turn, a prompt after `depth` tokens and then single tokens.

    There are `rounds` of them, fewer if `longest_s` seconds are over.
    """
    engine = module.load(job)
    emit("loaded", ms=0.0, facts=engine.facts())
    gc.collect()
    gc.disable()
    depths: Dict[int, object] = {}
    _timed(engine, {"depth": 0, "prompt": WARM_UP_TOKENS, "tokens": WARM_UP_TOKENS}, depths)
    started = engine.clock()
    for number in range(job["rounds"]):
        for index, task in enumerate(job["tasks"]):
            if number and engine.clock() - started > job["longest_s"] * 1e9:
                break
            prompt_ns, token_ns = _timed(engine, task, depths)
            emit("timed", task=index, round=number, prompt_ns=prompt_ns, token_ns=token_ns)
    engine.close()


def _timed(engine: Any, task: Dict[str, int], depths: Dict[int, object]) -> Any:
    """How long the prompt took, None without one, and each token after it, in nanoseconds."""
    _go_to(engine, task["depth"], depths)
    clock, ids = engine.clock, engine.random_ids(max(task["prompt"], task["tokens"]), 1)
    prompt_ns: Optional[int] = None
    if task["prompt"]:
        started = clock()
        engine.prefill(ids[: task["prompt"]])
        prompt_ns = clock() - started
    token_ns: List[int] = []
    for token in ids[: task["tokens"]]:
        started = clock()
        engine.feed(token)
        token_ns.append(clock() - started)
    return prompt_ns, token_ns


def _go_to(engine: Any, depth: int, depths: Dict[int, object]) -> None:
    if depth in depths:
        engine.restore(depths[depth])
        return
    engine.reset()
    if depth:
        engine.prefill(engine.random_ids(depth, 2))
        depths[depth] = engine.save()
