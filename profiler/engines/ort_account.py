"""What ONNX Runtime holds in memory, from its own profile: each node's event tells the bytes of its arena.

Between prompts the arena holds the weights that were copied and repacked; a prompt makes it grow, and it keeps
what it grew to. A session with a profile is slower, so this is done in a process of its own that measures nothing.
"""

import gc
import glob
import json
import os
from typing import Any, Callable, Dict, List, Optional

from profiler.engines.onnx_tokenizer import OnnxTokenizer
from profiler.engines.ort_library import graphs_of, is_static
from profiler.engines.ort_providers import session
from profiler.engines.protocol import Anonymous, Job

TOKENS = 4
IN_USE, HELD = "mem_bytes_in_use", "mem_arena_held"
NO_ARENA = "ONNX Runtime accounts for its memory only with its arena"


def account(job: Job, load: Callable[[Job], Any], anonymous: Anonymous) -> Dict[str, Any]:
    """Bytes of tokenizer and graph, those held for weights beside the mapped file, and what computing sets aside.

    The profile is that of one prompt and a few tokens, written into the folder `scratch` of the job.
    """
    tokenizer = OnnxTokenizer(job["path"])
    parts = [
        _grown(lambda: tokenizer.tokenize(job["workload"].get("text", "").encode()), anonymous),
        _grown(lambda: [_graph(job, name) for name in graphs_of(job)], anonymous),
    ]
    known = [part for part in parts if part is not None]
    found = _profiled(job, load)
    return dict(found, bookkeeping_bytes=sum(known) if len(known) == len(parts) else None)


def _grown(make: Callable[[], Any], anonymous: Anonymous) -> Optional[int]:
    """How many bytes there are more while what is made is still there."""
    before = anonymous()
    made = make()
    after = anonymous()
    del made
    return None if before is None or after is None else after - before


def _graph(job: Job, name: str) -> Any:
    """A session that leaves its weights where they are mapped: all it takes is graph, kernels and folded constants."""
    path = os.path.join(job["path"], name)
    return session(path, dict(job, settings=dict(job["settings"], prepack=False)))


def _profiled(job: Job, load: Callable[[Job], Any]) -> Dict[str, Any]:
    prefix = os.path.join(job["scratch"], "profile")
    engine = load(dict(job, settings=dict(job["settings"], profile=prefix)))
    _prompt(engine, job)
    engine.close()
    del engine
    gc.collect()
    return _together([held(_events(path)) for path in glob.glob(glob.escape(prefix) + "*")])


def _prompt(engine: Any, job: Job) -> None:
    workload = job["workload"]
    count = workload["depth"] + workload["prompt_tokens"]
    if is_static(job):
        count = min(count, job["build"]["context_length"] - TOKENS)
    ids = engine.random_ids(max(1, count), job["seed"])
    if hasattr(engine, "generate"):
        engine.generate(ids, TOKENS, lambda _: None)
        return
    engine.reset()
    engine.prefill(ids)
    for _ in range(TOKENS):
        engine.next_token()


def _together(accounts: List[Dict[str, Any]]) -> Dict[str, Any]:
    """What several sessions hold: each has an arena of its own."""
    if not accounts or any("reason" in found for found in accounts):
        return {"reason": NO_ARENA}
    return {name: sum(found[name] for found in accounts) for name in accounts[0]}


def _events(path: str) -> List[Dict[str, Any]]:
    with open(path, encoding="utf-8") as file:
        return list(json.load(file))


def held(events: List[Dict[str, Any]]) -> Dict[str, Any]:
    """The account from the events of a profile: the least that is in use at any node is there between prompts."""
    told = [event["args"] for event in events if IN_USE in event.get("args", {})]
    if not told:
        return {"reason": NO_ARENA}
    weights = min(int(args[IN_USE]) for args in told)
    most = max(int(args[HELD]) for args in told)
    return {"held_weights_bytes": weights, "held_compute_bytes": most - weights}
