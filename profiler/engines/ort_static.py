"""Plain ONNX Runtime on a static build: one graph for a chunk of a prompt, one for a token, over one cache.

Every length is fixed. A graph reads the whole cache and gives the rows of its new tokens, which are copied behind
the rows there are; what lies behind those is masked out, as are the tokens that fill up the last chunk of a prompt.
"""

import os
import time
from typing import Any, Dict, List, Optional

from profiler.engines import ort_providers, ort_shares
from profiler.engines.onnx_tokenizer import OnnxTokenizer
from profiler.engines.ort_library import (
    DECODE,
    PREFILL,
    assigned,
    failure,
    onnxruntime,
    planned,
    room,
    tokens_needed,
)
from profiler.engines.ort_providers import session
from profiler.engines.protocol import EngineFailure, Job

PAST, PRESENT = "past_key_values", "present"
MASKED = -1e4
"""Added to the score of what is not attended to: far below any score, and within float16, in which NPUs compute."""

_TYPES = {"tensor(float)": "float32", "tensor(int32)": "int32"}
_HOST = ("input_ids", "position_ids", "last_position", "mask")


def load(job: Job) -> "OrtStatic":
    """Load both graphs of `job`. Raises EngineFailure, also for a workload that the lengths have no room for."""
    _refuse(job)
    return OrtStatic(job)


def inspect(job: Job) -> Dict[str, Any]:
    """Memory by arithmetic. The cache is as long as it was built, whatever the workload takes."""
    _refuse(job)
    return planned(dict(job, settings=dict(job["settings"], context=_context(job) - 1)))


def _context(job: Job) -> int:
    return int(job["build"]["context_length"])


def _refuse(job: Job) -> None:
    needed, most = tokens_needed(job), _context(job)
    if needed > most:
        raise EngineFailure(
            "load_failed",
            f"its context is {most} tokens, fixed, and {needed} are asked for: make a longer one with edgeprof build "
            f"onnx FILE.gguf --static --past {needed - 1}, or ask for fewer",
        )
    if job["settings"].get("accuracy", "built") != "built":
        raise EngineFailure(
            "load_failed", "a static build has one accuracy: leave the setting accuracy at built"
        )


class StaticGraph:
    """One graph, with every input and output bound once to memory that stays where it is."""

    def __init__(self, job: Job, name: str, cache: Dict[str, Any]) -> None:
        self.name = name
        self.session = session(os.path.join(job["path"], name), _with_profile(job, name))
        self._binding = self.session.io_binding()
        inputs = {item.name: self._bound(item, cache) for item in self.session.get_inputs()}
        outputs = {item.name: room(item.shape, _type(item, name)) for item in self.session.get_outputs()}
        for output, value in outputs.items():
            self._binding.bind_ortvalue_output(output, value)
        if not set(_HOST) <= set(inputs) or "logits" not in outputs:
            raise EngineFailure("bad_file", f"{name} is no graph of a static build: build the folder again")
        self._outputs = {key: value.numpy() for key, value in outputs.items()}
        self._ids, self._positions, self._last, self._mask = (inputs[key].numpy() for key in _HOST)
        self.logits = self._outputs["logits"]
        self.tokens = self._ids.shape[-1]
        self._past = self._mask.shape[-1] - self.tokens
        self._attend_to_new()

    def _bound(self, item: Any, cache: Dict[str, Any]) -> Any:
        """The memory of an input: a key or value is shared by both graphs."""
        value = cache.get(item.name) or room(item.shape, _type(item, item.name))
        if item.name.startswith(PAST):
            cache[item.name] = value
        self._binding.bind_ortvalue_input(item.name, value)
        return value

    def _attend_to_new(self) -> None:
        """Each new token sees itself and those before it."""
        self._mask[...] = MASKED
        for row in range(self.tokens):
            self._mask[0, 0, row, self._past : self._past + row + 1] = 0

    def run(self, ids: List[int], depth: int, cache: Dict[str, Any]) -> None:
        """Evaluate `ids`, at most `tokens`, behind `depth` rows of the cache, and keep their rows."""
        count = len(ids)
        self._ids[0, :count] = ids
        self._positions[:] = [min(depth + row, self._past) for row in range(self.tokens)]
        self._last[0] = count - 1
        self._mask[..., :depth] = 0
        self._mask[..., depth : self._past] = MASKED
        try:
            self.session.run_with_iobinding(self._binding)
        except Exception as error:  # as when it is loaded
            raise failure("crashed", "ONNX Runtime", error) from None
        kept = min(count, self._past - depth)
        for name, rows in cache.items():
            rows[:, :, depth : depth + kept] = self._outputs[name][:, :, :kept]


class OrtStatic:
    """Both graphs and the cache they share. `runs` are the graphs that were run, in order."""

    clock = staticmethod(time.perf_counter_ns)

    def __init__(self, job: Job) -> None:
        self._job, self._context = job, _context(job)
        cache: Dict[str, Any] = {}
        self._decode = StaticGraph(job, DECODE, cache)
        self._prefill = StaticGraph(job, PREFILL, cache)
        self._rows = {name.replace(PAST, PRESENT): value.numpy() for name, value in cache.items()}
        self._tokenizer = OnnxTokenizer(job["path"])
        self._logits: Any = self._decode.logits
        self._vocabulary = int(self._logits.shape[-1])
        self._depth, self._pending = 0, -1
        self.chunk = self._prefill.tokens
        self.runs: List[str] = []

    def tokenize(self, text: bytes) -> List[int]:
        return self._tokenizer.tokenize(text)

    def text_of(self, ids: List[int]) -> bytes:
        return self._tokenizer.text_of(ids)

    def random_ids(self, count: int, seed: int) -> List[int]:
        return self._tokenizer.random_ids(self._vocabulary, count, seed)

    def reset(self) -> None:
        self._depth, self._pending = 0, -1

    def prefill(self, ids: List[int]) -> None:
        chunk = self._prefill.tokens
        for start in range(0, len(ids), chunk):
            self._run(self._prefill, ids[start : start + chunk])
        self._pending = -1

    def logits(self) -> Any:
        """The logits of the last position."""
        return self._logits[0, -1]

    def next_token(self) -> int:
        if self._pending >= 0:
            self._run(self._decode, [self._pending])
        self._pending = int(self._logits.argmax())
        return self._pending

    def feed(self, token: int) -> None:
        self._run(self._decode, [token])

    def _run(self, graph: StaticGraph, ids: List[int]) -> None:
        if self._depth + len(ids) > self._context:
            raise EngineFailure("crashed", f"the context of {self._context} tokens is full")
        graph.run(ids, self._depth, self._rows)
        self.runs.append(graph.name)
        self._depth, self._logits = self._depth + len(ids), graph.logits

    def save(self) -> object:
        """Later rows are written over, so a depth is nothing but its length."""
        return self._depth

    def restore(self, state: Any) -> None:
        self._depth, self._pending = state, -1

    def facts(self) -> Dict[str, Any]:
        library, where = onnxruntime(), self._assigned()
        return {
            "versions": {"onnxruntime": library.__version__},
            "system": library.get_build_info(),
            "context": self._context,
            "vocabulary": self._vocabulary,
            "chunk": self._prefill.tokens,
            "weights_bytes": self._job["build"].get("weights_bytes"),
            "kv_bytes": sum(rows.nbytes for rows in self._rows.values()),
            "compute_bytes": None,
            "kv_type": "f32",
            "kv_in_place": True,
            "assigned": where,
            "fell_back": self._fell_back(),
            "compile_ms": self._job.get("compile_ms"),
        }

    def _fell_back(self) -> Optional[str]:
        told = [ort_providers.fell_back(graph.session, self._job) for graph in (self._prefill, self._decode)]
        return next((sentence for sentence in told if sentence), None)

    def shares(self) -> Optional[Dict[str, Any]]:
        """Nodes of both graphs, and shares of products and of weights, by provider."""
        sessions = {PREFILL: self._prefill.session, DECODE: self._decode.session}
        paths = {os.path.join(self._job["path"], name): one for name, one in sessions.items()}
        return ort_shares.shares([ort_providers.amounts(path, one, self._job) for path, one in paths.items()])

    def _assigned(self) -> Dict[str, int]:
        """Nodes of both graphs by provider."""
        both = [assigned(graph.session) for graph in (self._prefill, self._decode)]
        return {name: sum(part.get(name, 0) for part in both) for part in both for name in part}

    def close(self) -> None:
        del self._prefill, self._decode, self._rows, self._logits


def _type(item: Any, where: str) -> str:
    """The type of an input or output whose lengths are all fixed."""
    if item.type not in _TYPES or not all(isinstance(length, int) for length in item.shape):
        raise EngineFailure("bad_file", f"{where}: {item.name} is not of a fixed length and a known type")
    return _TYPES[item.type]


def _with_profile(job: Job, name: str) -> Job:
    """Profiles are named for their graphs, or the second would take the place of the first."""
    settings = job["settings"]
    if "profile" not in settings:
        return job
    return dict(job, settings=dict(settings, profile=f"{settings['profile']}-{name}"))
