"""llama.cpp through its low-level API, with its own sampler."""

import array
import ctypes
import os
import random
import time
from typing import Any, Dict, List, Optional, Tuple

from profiler.engines import llama_devices, llama_log, placement
from profiler.engines.llama_profile import LlamaWatch, Stamps
from profiler.engines.protocol import Anonymous, EngineFailure, Job

_KV_TYPES = {"f32": 0, "f16": 1, "q4_0": 2, "q5_1": 7, "q8_0": 8, "bf16": 30}
_FLASH = {"auto": -1, "off": 0, "on": 1}
_LOAD_MODE = {(False, False): 0, (True, False): 1, (False, True): 2, (True, True): 3}
_LOG_INFO, _LOG_ERROR, _LOG_CONTINUED = 2, 4, 5
_ASSIGNED = llama_log.ASSIGNED.encode()

lib: Any = None
_log: List[Tuple[int, str]] = []
_keep_alive: List[Any] = []


def import_library() -> None:
    """Import the bindings and send llama.cpp's log to a list instead of the terminal."""
    global lib
    try:
        import llama_cpp.llama_cpp as bindings
    except (ImportError, OSError, RuntimeError) as error:
        raise EngineFailure("missing_library", f"llama-cpp-python cannot be loaded: {error}") from None
    lib = bindings
    callback = lib.llama_log_callback(_remember)
    _keep_alive.append(callback)
    lib.llama_log_set(callback, ctypes.c_void_p(0))
    llama_devices.load_back_ends(library, os.path.dirname(lib._lib._name))
    lib.llama_backend_init()


def _remember(level: int, text: bytes, _: Any) -> None:
    if level == _LOG_CONTINUED and _log:
        level, before = _log.pop()
        _log.append((level, before + text.decode("utf-8", "replace")))
    elif level >= _LOG_INFO or text.startswith(_ASSIGNED):
        _log.append((level, text.decode("utf-8", "replace")))


def log_lines() -> List[str]:
    """What llama.cpp has logged since it was last forgotten."""
    return [line for _, text in _log for line in text.splitlines()]


def forget_log() -> None:
    """What is logged from now on is of another model or context."""
    _log.clear()


def cause(otherwise: str) -> str:
    """The first error that llama.cpp has logged, or this sentence."""
    errors = [text.strip() for level, text in _log if level == _LOG_ERROR]
    return errors[0] if errors else otherwise


def load(job: Job) -> "LlamaCpp":
    """Load the file of `job` and make a context, or say why not in the engine's own words."""
    return LlamaCpp(job, allocate=True)


def inspect(job: Job) -> Dict[str, Any]:
    """Exact memory of the job from llama.cpp itself, which plans its buffers without allocating them."""
    planned = LlamaCpp(job, allocate=False)
    facts = planned.facts()
    planned.close()
    return facts


def account(job: Job, anonymous: Anonymous) -> Dict[str, Any]:
    """What vocabulary, metadata and graph take: anonymous memory of a model that is planned without its buffers."""
    before = anonymous()
    planned = LlamaCpp(job, allocate=False)
    after = anonymous()
    planned.close()
    return {"bookkeeping_bytes": None if before is None or after is None else after - before}


def devices(_plugin: Optional[str]) -> List[Dict[str, Any]]:
    """What llama.cpp reaches beside the CPU."""
    return [
        {name: value for name, value in one.items() if name != "pointer"}
        for one in llama_devices.devices(library)
    ]


def watch(job: Job) -> LlamaWatch:
    """The file of `job` with two contexts, one of which has its nodes watched."""
    plain, stamps = LlamaCpp(job, allocate=True), Stamps()
    watched = WatchedLlamaCpp(job, plain, stamps)
    settings = job["settings"]
    device = None if settings["gpu_layers"] else "CPU"
    piece = min(settings["batch"], settings["ubatch"])
    return LlamaWatch(plain, watched, stamps, library("ggml-base"), piece, device)


def model_params(chosen: Dict[str, Any], allocate: bool, route: Optional[Dict[str, Any]] = None) -> Any:
    """How llama.cpp is to load a model with these settings, on the device of the route if there is one.

    Without `allocate` it only plans.
    """
    params = lib.llama_model_default_params()
    params.n_gpu_layers = chosen["gpu_layers"]
    params.use_extra_bufts = chosen["repack"]
    params.load_mode = _LOAD_MODE[chosen["mmap"], chosen["mlock"]] if allocate else 0
    params.no_alloc = not allocate
    if chosen["gpu_layers"] == 0 or route is not None:
        params.devices = _only(route)
    return params


def _only(route: Optional[Dict[str, Any]]) -> Any:
    """A list with the device of this route and no other, or with none."""
    wanted = [] if route is None else [llama_devices.pointer(library, route["provider"], route.get("device"))]
    listed = (ctypes.c_void_p * (len(wanted) + 1))(*wanted, None)
    _keep_alive.append(listed)
    return ctypes.cast(listed, ctypes.c_void_p)


def context_params(chosen: Dict[str, Any], workload: Dict[str, Any]) -> Any:
    """How llama.cpp is to make a context with these settings."""
    params = lib.llama_context_default_params()
    params.n_ctx = chosen["context"] or _tokens_needed(workload)
    params.n_batch = chosen["batch"]
    params.n_ubatch = chosen["ubatch"]
    params.n_threads = params.n_threads_batch = chosen["threads"]
    params.flash_attn_type = _FLASH[chosen["flash"]]
    params.type_k = params.type_v = _KV_TYPES[chosen["kv"]]
    params.op_offload = chosen["gpu_layers"] != 0
    params.swa_full = False
    return params


class LlamaCpp:
    """One model and one context."""

    clock = staticmethod(time.perf_counter_ns)

    def __init__(self, job: Job, allocate: bool) -> None:
        self._settings = job["settings"]
        self._route = job.get("route")
        self.model = self._load_model(job["path"], allocate)
        self.vocabulary = lib.llama_model_get_vocab(self.model)
        self.context = self._make_context(job["workload"])
        self._memory = lib.llama_get_memory(self.context)
        self._attach_threads()
        self._sampler = lib.llama_sampler_chain_init(lib.llama_sampler_chain_default_params())
        lib.llama_sampler_chain_add(self._sampler, lib.llama_sampler_init_greedy())
        self._one = (lib.llama_token * 1)()
        self._one_batch = lib.llama_batch_get_one(self._one, 1)
        self._evaluated = True

    def _load_model(self, path: str, allocate: bool) -> Any:
        model = lib.llama_model_load_from_file(
            os.fsencode(path), model_params(self._settings, allocate, self._route)
        )
        if not model:
            raise EngineFailure("load_failed", cause("llama.cpp could not load the file"))
        return model

    def _make_context(self, workload: Dict[str, Any]) -> Any:
        context = lib.llama_init_from_model(self.model, self._context_params(workload))
        if not context:
            raise EngineFailure(
                "load_failed", cause("llama.cpp could not make a context with these settings")
            )
        return context

    def _context_params(self, workload: Dict[str, Any]) -> Any:
        return context_params(self._settings, workload)

    def _attach_threads(self) -> None:
        """One pool for the life of the context, as llama-bench has; else a build without OpenMP starts
        its threads anew for every graph."""
        try:
            defaults = library("ggml-base").ggml_threadpool_params_default
            new_pool = library("ggml-cpu").ggml_threadpool_new
            attach = library("llama").llama_attach_threadpool
        except (OSError, AttributeError):
            return
        defaults.restype, new_pool.restype = _ThreadpoolParams, ctypes.c_void_p
        wanted = defaults(ctypes.c_int(self._settings["threads"]))
        pool = new_pool(ctypes.byref(wanted))
        if pool:
            attach(ctypes.c_void_p(self.context), ctypes.c_void_p(pool), None)

    def tokenize(self, text: bytes) -> List[int]:
        room = len(text) + 16
        ids = (lib.llama_token * room)()
        count = lib.llama_tokenize(self.vocabulary, text, len(text), ids, room, True, False)
        if count < 0:
            raise EngineFailure("bad_file", f"its tokenizer gives {-count} tokens for {len(text)} bytes")
        return list(ids[:count])

    def text_of(self, ids: List[int]) -> bytes:
        tokens = (lib.llama_token * len(ids))(*ids)
        room = ctypes.create_string_buffer(16 * len(ids) + 64)
        size = lib.llama_detokenize(self.vocabulary, tokens, len(ids), room, len(room), True, True)
        if size < 0:
            room = ctypes.create_string_buffer(-size)
            size = lib.llama_detokenize(self.vocabulary, tokens, len(ids), room, len(room), True, True)
        return room.raw[: max(size, 0)]

    def random_ids(self, count: int, seed: int) -> List[int]:
        draw = random.Random(seed)  # noqa: S311
        size = lib.llama_vocab_n_tokens(self.vocabulary)
        ids = [draw.randrange(size) for _ in range(count)]
        if ids and lib.llama_vocab_get_add_bos(self.vocabulary):
            ids[0] = lib.llama_vocab_bos(self.vocabulary)
        return ids

    def reset(self) -> None:
        lib.llama_memory_clear(self._memory, False)
        self._evaluated = True

    def prefill(self, ids: List[int]) -> None:
        step = self._settings["batch"]
        for start in range(0, len(ids), step):
            part = ids[start : start + step]
            tokens = (lib.llama_token * len(part))(*part)
            self._decode(lib.llama_batch_get_one(tokens, len(part)))
        lib.llama_synchronize(self.context)
        self._evaluated = True

    def next_token(self) -> int:
        if not self._evaluated:
            self._decode(self._one_batch)
        token = lib.llama_sampler_sample(self._sampler, self.context, -1)
        self._one[0] = token
        self._evaluated = False
        return int(token)

    def feed(self, token: int) -> None:
        self._one[0] = token
        self._decode(self._one_batch)
        lib.llama_synchronize(self.context)

    def logits(self) -> Any:
        """The logits of the last position."""
        found = lib.llama_get_logits_ith(self.context, -1)
        count = lib.llama_vocab_n_tokens(self.vocabulary)
        return array.array("f", ctypes.string_at(found, 4 * count))

    def _decode(self, batch: Any) -> None:
        status = lib.llama_decode(self.context, batch)
        if status != 0:
            raise EngineFailure("crashed", cause(f"llama_decode returned {status}"))

    def save(self) -> object:
        size = lib.llama_state_seq_get_size(self.context, 0)
        state = (ctypes.c_uint8 * size)()
        lib.llama_state_seq_get_data(self.context, state, size, 0)
        return state

    def restore(self, state: object) -> None:
        self.reset()
        if not lib.llama_state_seq_set_data(self.context, state, len(state), 0):  # type: ignore[arg-type]
            raise EngineFailure("crashed", "llama.cpp refused a context state that it had saved itself")

    def facts(self) -> Dict[str, Any]:
        log = llama_log.read(log_lines())
        return {
            "versions": {
                "llama-cpp-python": _bindings_version(),
                "ggml": _version("ggml_version"),
                "commit": _version("ggml_commit"),
            },
            "system": lib.llama_print_system_info().decode("utf-8", "replace").strip(),
            "context": lib.llama_n_ctx(self.context),
            "vocabulary": lib.llama_vocab_n_tokens(self.vocabulary),
            "weights_bytes": lib.llama_model_size(self.model),
            "kv_bytes": log["kv_bytes"],
            "compute_bytes": llama_log.bytes_of(log, "compute", "output"),
            "held_weights_bytes": llama_log.held_weights_bytes(log),
            "device_bytes": llama_log.device_bytes(log),
            "device_kv_bytes": llama_log.device_bytes(log, "kv"),
            "log": log,
            "fell_back": placement.of_llama_cpp(self._settings, log),
        }

    def shares(self) -> Dict[str, Any]:
        """Layers, and the shares of arithmetic (by layers) and of weights, by device."""
        return placement.shares(llama_log.read(log_lines()))

    def close(self) -> None:
        lib.llama_sampler_free(self._sampler)
        lib.llama_free(self.context)
        lib.llama_model_free(self.model)


class WatchedLlamaCpp(LlamaCpp):
    """One more context on the model of another, whose callback stamps each node.

    `decoded` are the stamps at begin and end of its last evaluation.
    """

    def __init__(self, job: Job, other: LlamaCpp, stamps: Stamps) -> None:
        self._stamps, self.model = stamps, other.model
        self.decoded = (0, 0)
        super().__init__(job, allocate=True)

    def _load_model(self, path: str, allocate: bool) -> Any:
        return self.model

    def _context_params(self, workload: Dict[str, Any]) -> Any:
        params = super()._context_params(workload)
        kind = dict(params._fields_)["cb_eval"]
        params.cb_eval = ctypes.cast(self._stamps.callback, kind)
        return params

    def _decode(self, batch: Any) -> None:
        begin = self.clock()
        super()._decode(batch)
        self.decoded = (begin, self.clock())

    def close(self) -> None:
        """The model belongs to the other."""
        lib.llama_sampler_free(self._sampler)
        lib.llama_free(self.context)


class _ThreadpoolParams(ctypes.Structure):
    """struct ggml_threadpool_params of ggml.h (GGML_MAX_N_THREADS = 512)."""

    _fields_ = [
        ("cpumask", ctypes.c_bool * 512),
        ("n_threads", ctypes.c_int),
        ("prio", ctypes.c_int),
        ("poll", ctypes.c_uint32),
        ("strict_cpu", ctypes.c_bool),
        ("paused", ctypes.c_bool),
    ]


def _tokens_needed(workload: Dict[str, Any]) -> int:
    return int(workload["prompt_tokens"] + workload["output_tokens"] + workload["depth"])


def library(name: str) -> ctypes.CDLL:
    """A library that the bindings loaded, by the name llama.cpp's build gives it."""
    folder, loaded = os.path.split(lib._lib._name)
    return ctypes.CDLL(os.path.join(folder, loaded.replace("llama", name)))


def _bindings_version() -> Optional[str]:
    import llama_cpp

    return getattr(llama_cpp, "__version__", None)


def _version(symbol: str) -> Optional[str]:
    try:
        function = getattr(library("ggml-base"), symbol)
    except (OSError, AttributeError):
        return None
    function.restype = ctypes.c_char_p
    return str(function().decode("utf-8", "replace"))
