"""Plain ONNX Runtime with IO binding. Where the graph allows, past and present are one buffer.

GroupQueryAttention writes new keys and values in place behind the past ones. Other graphs (Optimum's and
Transformers.js's exports) return a longer cache at each step, which becomes the next step's past.
"""

import os
import re
import time
from typing import Any, Dict, List, Optional

from profiler.engines import ort_account, ort_profile, ort_providers, ort_shares, ort_static
from profiler.engines.accelerators import CPU, OWN_MEMORY
from profiler.engines.onnx_tokenizer import OnnxTokenizer
from profiler.engines.ort_library import (
    assigned,
    failure,
    graph_of,
    has_operator,
    is_static,
    onnxruntime,
    planned,
    room,
    tells,
    tokens_needed,
)
from profiler.engines.ort_providers import session
from profiler.engines.protocol import Anonymous, Engine, EngineFailure, Job

_PAST = re.compile(r"past_key_values\.(\d+)\.(key|value)$")
_TYPES = {"tensor(float)": ("f32", "float32"), "tensor(float16)": ("f16", "float16")}
_KNOWN_INPUTS = ("input_ids", "attention_mask", "position_ids")

np: Any = None
ort: Any = None


def import_library() -> None:
    """Import ONNX Runtime and NumPy, which it needs."""
    global np, ort
    ort = onnxruntime()
    import numpy

    np = numpy


def load(job: Job) -> Engine:
    """Load the graph of `job`, or say why not in ONNX Runtime's own words."""
    if is_static(job):
        return ort_static.load(job)
    return Ort(job, session(os.path.join(job["path"], graph_of(job)), job))


def devices(plugin: Optional[str]) -> List[Dict[str, Any]]:
    """What a plug-in of ONNX Runtime reaches beside the CPU, or what the providers of its wheel do."""
    return ort_providers.of_wheel() if plugin is None else ort_providers.of_plugin(plugin)


def inspect(job: Job) -> Dict[str, Any]:
    """Memory by arithmetic: ONNX Runtime can only load a model whole."""
    return ort_static.inspect(job) if is_static(job) else planned(job)


def account(job: Job, anonymous: Anonymous) -> Dict[str, Any]:
    """What ONNX Runtime holds, from a profile of its own."""
    return ort_account.account(job, load, anonymous)


def watch(job: Job) -> ort_profile.OrtWatch:
    """Two sessions of `job`, one of which writes a profile."""
    return ort_profile.OrtWatch(job, load)


class SharedCache:
    """One buffer for each key and value, bound as past and present: nothing moves from step to step."""

    in_place = True

    def __init__(self, binding: Any, past: Dict[str, Any], head: int, context: int) -> None:
        self.bytes = 0
        self._buffers = []
        for name, item in past.items():
            value = room((1, item.shape[1], context, head), _TYPES[item.type][1])
            binding.bind_ortvalue_input(name, value)
            binding.bind_ortvalue_output(name.replace("past_key_values", "present"), value)
            self.bytes += value.tensor_size_in_bytes()
            self._buffers.append(value)

    def before(self) -> None:
        """The buffers stay bound."""

    def after(self) -> None:
        """The new rows are where they belong."""

    def save(self) -> object:
        """Later rows are written over, so a depth is nothing but its length."""
        return None

    def restore(self, _: object) -> None:
        """The rows up to the depth are still there."""


class GrowingCache:
    """Keys and values that each step returns anew, one row longer, in this kind of memory."""

    in_place = False

    def __init__(
        self, binding: Any, past: Dict[str, Any], head: int, context: int, memory: str = "cpu"
    ) -> None:
        self._memory = memory
        self.bytes = sum(
            context * item.shape[1] * head * np.dtype(_TYPES[item.type][1]).itemsize for item in past.values()
        )
        self._binding = binding
        self._names = list(past)
        self._empty = [
            ort.OrtValue.ortvalue_from_numpy(np.zeros((1, item.shape[1], 0, head), _TYPES[item.type][1]))
            for item in past.values()
        ]
        self._values = self._empty

    def before(self) -> None:
        """Bind what the step before returned, and let this one allocate its own."""
        for name, value in zip(self._names, self._values):  # noqa: B905
            self._binding.bind_ortvalue_input(name, value)
            self._binding.bind_output(name.replace("past_key_values", "present"), self._memory)

    def after(self) -> None:
        """Keep what the step returned: outputs stand in the order of their first binding."""
        self._values = self._binding.get_outputs()[: len(self._names)]

    def save(self) -> object:
        return self._values

    def restore(self, state: Optional[object]) -> None:
        self._values = self._empty if state is None else state  # type: ignore[assignment]


class Ort:
    """One session, its cache and its buffers."""

    clock = staticmethod(time.perf_counter_ns)

    def __init__(self, job: Job, session: Any) -> None:
        self._job, self._session = job, session
        self._inputs = {item.name: item for item in session.get_inputs()}
        past = {name: item for name, item in self._inputs.items() if _PAST.match(name)}
        _refuse(session, self._inputs, past)
        self._binding = session.io_binding()
        self._context = tokens_needed(job)
        self._graph = os.path.join(job["path"], graph_of(job))
        self._cache = self._made_cache(session, past)
        self._kv_type = _TYPES[next(iter(past.values())).type][0]
        self._tokenizer = OnnxTokenizer(job["path"])
        logits = next(item for item in session.get_outputs() if item.name == "logits")
        self._logits_shape, self._logits_type = logits.shape, _TYPES[logits.type][1]
        self._vocabulary = self._logits_shape[-1]
        rows = {"attention_mask": np.ones(self._context), "position_ids": np.arange(self._context)}
        self._rows = {
            name: row.astype(np.int64).reshape(1, -1) for name, row in rows.items() if name in self._inputs
        }
        self._parts: Dict[Any, Any] = {}
        self._one = np.zeros((1, 1), np.int64)
        self._one_value = _value(self._one)
        self._depth, self._pending = 0, False
        self._rooms: Dict[int, Any] = {}
        self._positions = 0
        self._logits: Any = None

    def _made_cache(self, session: Any, past: Dict[str, Any]) -> Any:
        """One buffer of ours where the CPU writes in place. Elsewhere it would be taken for a full cache."""
        job, memory = self._job, OWN_MEMORY.get(ort_providers.provider(self._job), "cpu")
        sizes = (self._binding, past, _head(job, past), self._context)
        in_place = job.get("route") is None and has_operator(session, "GroupQueryAttention", self._graph)
        return SharedCache(*sizes) if in_place else GrowingCache(*sizes, memory)

    def tokenize(self, text: bytes) -> List[int]:
        return self._tokenizer.tokenize(text)

    def text_of(self, ids: List[int]) -> bytes:
        return self._tokenizer.text_of(ids)

    def random_ids(self, count: int, seed: int) -> List[int]:
        return self._tokenizer.random_ids(self._vocabulary, count, seed)

    def reset(self) -> None:
        self._depth, self._pending = 0, False
        self._cache.restore(None)

    def prefill(self, ids: List[int]) -> None:
        self._run(_value(np.array([ids], np.int64)), len(ids))
        self._pending = False

    def logits(self) -> Any:
        """The logits of the last position."""
        return self._logits[0, -1]

    def next_token(self) -> int:
        if self._pending:
            self._run(self._one_value, 1)
        token = int(self._logits[0, -1].argmax())
        self._one[0, 0] = token
        self._pending = True
        return token

    def feed(self, token: int) -> None:
        self._one[0, 0] = token
        self._run(self._one_value, 1)

    def _run(self, ids: Any, count: int) -> None:
        total = self._depth + count
        self._cache.before()
        self._binding.bind_ortvalue_input("input_ids", ids)
        for name in self._rows:
            begin = self._depth if name == "position_ids" else 0
            self._binding.bind_ortvalue_input(name, self._part(name, begin, total))
        self._take_logits(count)
        try:
            self._session.run_with_iobinding(self._binding)
        except Exception as error:  # as when it is loaded
            raise failure("crashed", "ONNX Runtime", error) from None
        self._cache.after()
        self._depth = total

    def _part(self, name: str, begin: int, end: int) -> Any:
        """A stretch of the mask or of the positions: to make its value costs more than to bind it."""
        key = name, begin, end
        if key not in self._parts:
            self._parts[key] = _value(self._rows[name][:, begin:end])
        return self._parts[key]

    def _take_logits(self, count: int) -> None:
        """Bind room for the logits of `count` positions, or of the last one where the graph gives no more.

        It is made once for each length: a prompt's logits are tens of megabytes, whose making takes time.
        """
        positions = 1 if self._logits_shape[1] == 1 else count
        if positions not in self._rooms:
            self._rooms[positions] = room((1, positions, self._vocabulary), self._logits_type)
        if positions != self._positions:
            self._binding.bind_ortvalue_output("logits", self._rooms[positions])
            self._positions, self._logits = positions, self._rooms[positions].numpy()

    def save(self) -> object:
        return self._depth, self._cache.save()

    def restore(self, state: Any) -> None:
        self._depth = state[0]
        self._cache.restore(state[1])
        self._pending = False

    def facts(self) -> Dict[str, Any]:
        return {
            "versions": {"onnxruntime": ort.__version__},
            "system": ort.get_build_info(),
            "context": self._context,
            "vocabulary": self._vocabulary,
            "weights_bytes": self._job["build"].get("weights_bytes"),
            "kv_bytes": self._cache.bytes,
            "compute_bytes": None,
            "kv_type": self._kv_type,
            "kv_in_place": self._cache.in_place,
            "assigned": assigned(self._session) if tells(self._session) else {CPU: None},
            "fell_back": ort_providers.fell_back(self._session, self._job),
        }

    def shares(self) -> Optional[Dict[str, Any]]:
        """Nodes, and shares of products and of weights, by provider."""
        return ort_shares.shares([ort_providers.amounts(self._graph, self._session, self._job)])

    def close(self) -> None:
        del self._binding, self._session


def _head(job: Job, past: Dict[str, Any]) -> int:
    """The length of a key: from the graph, or from the build where the graph leaves it open."""
    length = next(iter(past.values())).shape[3]
    if isinstance(length, int):
        return length
    elements = int(job["build"]["kv_elements_per_token"])
    return elements // sum(int(item.shape[1]) for item in past.values())


def _value(array: Any) -> Any:
    """ONNX Runtime's view of an array in memory, without a copy."""
    return ort.OrtValue.ortvalue_from_numpy(array)


def _refuse(session: Any, inputs: Dict[str, Any], past: Dict[str, Any]) -> None:
    """A graph that is no decoder with a cache, or that wants what we do not have."""
    logits = [item for item in session.get_outputs() if item.name == "logits"]
    if "input_ids" not in inputs or not logits:
        raise EngineFailure("bad_file", "the graph has no input_ids or no logits: it is not a language model")
    if len(logits[0].shape) != 3 or not isinstance(logits[0].shape[-1], int) or logits[0].type not in _TYPES:
        raise EngineFailure("bad_file", "the graph does not say how many logits it has, or of which type")
    if not past:
        raise EngineFailure(
            "bad_file", "the graph has no cache inputs (past_key_values.N.key): export it with past"
        )
    unknown = [name for name in inputs if name not in _KNOWN_INPUTS and name not in past]
    if unknown:
        raise EngineFailure(
            "bad_file", f"the graph wants the input {unknown[0]}, which this version does not give"
        )
    for name, item in past.items():
        if item.type not in _TYPES or len(item.shape) != 4:
            raise EngineFailure(
                "bad_file", f"the cache input {name} is {item.type}; accepted: float and float16"
            )
