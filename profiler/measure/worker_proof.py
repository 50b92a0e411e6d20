"""Does a device answer as the CPU does? The worker's part: the same tokens fed to both, and their logits compared.

A first worker, on the CPU, goes on greedily from a prompt and keeps its logits in a file. A second, on the device, is
fed the same tokens and compares: what it would have said, the cosine and the largest difference at each position.
Of an engine that generates whole texts only, the tokens alone can be compared.
"""

import array
import math
import time
from typing import Any, Callable, Dict, List, Optional, Sequence

from profiler.engines.protocol import EngineFailure, Job
from profiler.measure.worker_prompt import prompt_ids

_NOT_COMPARED: Dict[str, Optional[float]] = {"cosine": None, "largest": None}
Rows = List[Sequence[float]]
Emit = Callable[..., None]


def prove(job: Job, module: Any, emit: Emit) -> None:
    """Load, evaluate the prompt and some tokens, and keep the logits or compare them with those kept."""
    started = time.perf_counter_ns()
    engine = module.load(job)
    load_ms = (time.perf_counter_ns() - started) / 1e6
    wanted, fed = job["tokens"], job.get("fed")
    prompt = prompt_ids(engine, job["workload"], job["seed"])
    if hasattr(engine, "logits"):
        rows, said = _answers(engine, prompt, wanted, fed)
        compared = _compared(rows, job["reference"]) if fed is not None else _kept(rows, job["output"])
    elif hasattr(engine, "generate"):
        said, compared = engine.generate(prompt, wanted, _unstamped), _NOT_COMPARED
    else:
        raise EngineFailure("fell_back", "this engine gives no logits, so its answers cannot be compared")
    facts = dict(engine.facts(), shares=engine.shares() if hasattr(engine, "shares") else None)
    engine.close()
    loaded_ms = load_ms - (facts.get("compile_ms") or 0.0)
    emit("proved", tokens=said, load_ms=loaded_ms, facts=facts, **compared)


def _answers(engine: Any, prompt: List[int], wanted: int, fed: Any) -> Any:
    """The logits after the prompt and after each token but the last, and the token that each makes most likely."""
    engine.reset()
    engine.prefill(prompt)
    rows: Rows = [_row(engine)]
    said = [rows[0].index(max(rows[0]))]
    while len(rows) < wanted:
        engine.feed(said[-1] if fed is None else fed[len(rows) - 1])
        rows.append(_row(engine))
        said.append(rows[-1].index(max(rows[-1])))
    return rows, said


def _row(engine: Any) -> Sequence[float]:
    """The logits of the last position. Raises EngineFailure where one is no number."""
    row = array.array("f", engine.logits())
    if not all(map(math.isfinite, row)):
        raise EngineFailure("wrong_answers", "it answers with logits that are no numbers")
    return row


def _kept(rows: Rows, path: str) -> Dict[str, Optional[float]]:
    with open(path, "wb") as file:
        for row in rows:
            file.write(array.array("f", row).tobytes())
    return _NOT_COMPARED


def _compared(rows: Rows, path: str) -> Dict[str, Optional[float]]:
    """The least cosine of any position and the largest difference of any logit."""
    cosines, differences = [], []
    with open(path, "rb") as file:
        for row in rows:
            other = array.array("f")
            other.frombytes(file.read(4 * len(row)))
            if len(other) != len(row):
                raise EngineFailure("fell_back", "the device gives another number of logits than the CPU")
            cosines.append(_cosine(row, other))
            differences.append(max(abs(a - b) for a, b in zip(row, other)))  # noqa: B905
    return {"cosine": min(cosines), "largest": max(differences)}


def _unstamped(_: int) -> None:
    """Nothing is timed here."""


def _cosine(row: Sequence[float], other: Sequence[float]) -> float:
    """Of logits about their mean: what is added to all of them changes no answer."""
    a, b = math.fsum(row) / len(row), math.fsum(other) / len(other)
    dot = own = theirs = 0.0
    for x, y in zip(row, other):  # noqa: B905
        dot, own, theirs = dot + (x - a) * (y - b), own + (x - a) ** 2, theirs + (y - b) ** 2
    return dot / math.sqrt(own * theirs) if own and theirs else float(own == theirs)
