"""Does a device answer as the CPU does? The worker's part: the same tokens fed to both, and their logits compared.

A first worker, on the CPU, goes on greedily from a prompt and keeps its logits in a file. A second, on the device, is
fed the same tokens and compares: what it would have said, the cosine and the largest difference at each position.
"""

import array
import math
import time
from typing import Any, Callable, Dict, List, Sequence

from profiler.engines.protocol import EngineFailure, Job

Rows = List[Sequence[float]]
Emit = Callable[..., None]


def prove(job: Job, module: Any, emit: Emit, ids: Callable[[Any], List[int]]) -> None:
    """Load, evaluate the prompt and some tokens, and keep the logits or compare them with those kept."""
    started = time.perf_counter_ns()
    engine = module.load(job)
    load_ms = (time.perf_counter_ns() - started) / 1e6
    if not hasattr(engine, "logits"):
        raise EngineFailure(
            "fell_back", "this engine does not give its logits, so its answers cannot be compared"
        )
    prompt = ids(engine)
    wanted, fed = job["tokens"], job.get("fed")
    rows, said = _answers(engine, prompt, wanted, fed)
    facts = dict(engine.facts(), shares=engine.shares() if hasattr(engine, "shares") else None)
    engine.close()
    compared = _compared(rows, job["reference"]) if fed is not None else _kept(rows, job["output"])
    loaded_ms = load_ms - (facts.get("compile_ms") or 0.0)
    emit("proved", tokens=said, load_ms=loaded_ms, facts=facts, **compared)


def _answers(engine: Any, prompt: List[int], wanted: int, fed: Any) -> Any:
    """The logits after the prompt and after each token but the last, and the token that each makes most likely."""
    engine.reset()
    engine.prefill(prompt)
    rows: Rows = [array.array("f", engine.logits())]
    said = [_most_likely(rows[0])]
    while len(rows) < wanted:
        engine.feed(said[-1] if fed is None else fed[len(rows) - 1])
        rows.append(array.array("f", engine.logits()))
        said.append(_most_likely(rows[-1]))
    return rows, said


def _most_likely(row: Sequence[float]) -> int:
    largest = max(row)
    return list(row).index(largest) if largest == largest else -1


def _kept(rows: Rows, path: str) -> Dict[str, Any]:
    with open(path, "wb") as file:
        for row in rows:
            file.write(array.array("f", row).tobytes())
    return {"cosine": None, "largest": None}


def _compared(rows: Rows, path: str) -> Dict[str, Any]:
    """The least cosine of any position and the largest difference of any logit; None where a logit is no number."""
    cosines, differences = [], []
    with open(path, "rb") as file:
        for row in rows:
            other = array.array("f")
            other.frombytes(file.read(4 * len(row)))
            if len(other) != len(row):
                raise EngineFailure("fell_back", "the device gives another number of logits than the CPU")
            cosines.append(_cosine(row, other))
            differences.append(max(abs(a - b) for a, b in zip(row, other)))  # noqa: B905
    sound = all(math.isfinite(value) for value in cosines + differences)
    return {"cosine": min(cosines) if sound else None, "largest": max(differences) if sound else None}


def _cosine(row: Sequence[float], other: Sequence[float]) -> float:
    """Of logits about their mean: what is added to all of them changes no answer."""
    a, b = math.fsum(row) / len(row), math.fsum(other) / len(other)
    dot = own = theirs = 0.0
    for x, y in zip(row, other):  # noqa: B905
        dot, own, theirs = dot + (x - a) * (y - b), own + (x - a) ** 2, theirs + (y - b) ** 2
    return dot / math.sqrt(own * theirs) if own and theirs else float(own == theirs)
