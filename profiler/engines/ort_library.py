"""What the engines on ONNX Runtime share: the library, its session options, memory by arithmetic."""

import mmap
import os
import re
from typing import Any, Dict, List, Optional

from profiler.engines.protocol import EngineFailure, Job

KV_BYTES = {"f32": 4, "f16": 2, "bf16": 2, "int8": 1}
GRAPH_LEVELS = {
    "all": "ORT_ENABLE_ALL",
    "extended": "ORT_ENABLE_EXTENDED",
    "basic": "ORT_ENABLE_BASIC",
    "off": "ORT_DISABLE_ALL",
}
SPINNING = "session.intra_op.allow_spinning"
SERVED, EXACT = "model.onnx", "model_level0.onnx"
"""The two graphs of a direct build: int8 activations, and float32 ones."""

STATIC, PREFILL, DECODE = "onnx-static", "prefill.onnx", "decode.onnx"
"""The format of a static build, and its graphs: of a chunk of a prompt, and of one token."""

TOKENIZER = "tokenizer.json"
ERRORS_ONLY = 3
_PLACE = re.compile(r"^/onnxruntime_src/\S+:\d+ .*?\) (?=[A-Z])")
"""Where in its source the library raised, which it says before what it raised."""

_OUT_OF_MEMORY = ("bad_alloc", "bad allocation", "Failed to allocate memory")
"""Words of the C++ library's and of ONNX Runtime's own arena's exceptions."""


def onnxruntime() -> Any:
    """The library with its telemetry off. Raises EngineFailure where it is missing."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    try:
        import onnxruntime as library
    except (ImportError, OSError) as error:
        raise EngineFailure("missing_library", f"onnxruntime cannot be loaded: {error}") from None
    library.disable_telemetry_events()
    library.set_default_logger_severity(ERRORS_ONLY)
    return library


def graph_of(job: Job) -> str:
    """The graph of the build that has the accuracy asked for. Raises EngineFailure if there is none."""
    asked, built = job["settings"].get("accuracy", "built"), job["build"].get("graph") or SERVED
    if asked == "built":
        return str(built)
    name = {"4": SERVED, "0": EXACT}[asked]
    if job["build"].get("via") != "direct" or not os.path.isfile(os.path.join(job["path"], name)):
        raise EngineFailure(
            "load_failed",
            f"accuracy {asked} needs a direct build, which has a graph for each level: edgeprof build onnx FILE.gguf",
        )
    return name


def is_static(job: Job) -> bool:
    """Whether the build is a pair of graphs of fixed lengths."""
    return bool(job["build"].get("format") == STATIC)


def graphs_of(job: Job) -> List[str]:
    """Every graph of the build that is loaded."""
    return [PREFILL, DECODE] if is_static(job) else [graph_of(job)]


def session_options(settings: Dict[str, Any]) -> Any:
    """ONNX Runtime's own options from our settings. Which provider gets which node is recorded.

    With `profile`, a path to begin with, it writes a profile of every node. With `prepack` False it leaves the weights
    where they are mapped, and copies none for its kernels.
    """
    library = onnxruntime()
    options = library.SessionOptions()
    options.intra_op_num_threads = settings["threads"]
    options.enable_cpu_mem_arena = settings.get("arena", True)
    options.graph_optimization_level = getattr(
        library.GraphOptimizationLevel, GRAPH_LEVELS[settings.get("graph", "all")]
    )
    options.log_severity_level = ERRORS_ONLY
    options.add_session_config_entry(SPINNING, "1" if settings.get("spinning", True) else "0")
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    if not settings.get("prepack", True):
        options.add_session_config_entry("session.disable_prepacking", "1")
    if "profile" in settings:
        options.enable_profiling, options.profile_file_prefix = True, settings["profile"]
    return options


def room(shape: Any, kind: str) -> Any:
    """Zeroed memory of ONNX Runtime's own, aligned as its kernels like it (NumPy's costs 2% of decode speed)."""
    import numpy

    value = onnxruntime().OrtValue.ortvalue_from_shape_and_type(shape, numpy.dtype(kind).type, "cpu")
    value.update_inplace(numpy.zeros(shape, kind))
    return value


def tokens_needed(job: Job) -> int:
    """The context: what the settings say, or what the workload takes."""
    workload = job["workload"]
    needed = workload["prompt_tokens"] + workload["output_tokens"] + workload["depth"]
    return int(job["settings"].get("context") or needed)


def kv_bytes(job: Job) -> Optional[int]:
    """Bytes of a KV cache of the whole context, by the build's own counts; None where they are not known."""
    elements, kind = job["build"].get("kv_elements_per_token"), job["build"].get("kv_type")
    if elements is None or kind not in KV_BYTES:
        return None
    return int(elements * KV_BYTES[kind] * tokens_needed(job))


def planned(job: Job) -> Dict[str, Any]:
    """What a job would take, by arithmetic. ONNX Runtime does not say what its compute buffers take."""
    graph = os.path.join(job["path"], graph_of(job))
    if not os.path.isfile(graph):
        raise EngineFailure("bad_file", f"the folder has no {os.path.basename(graph)}")
    if job["workload"].get("method") == "text" and not os.path.isfile(os.path.join(job["path"], TOKENIZER)):
        raise EngineFailure("bad_file", f"the folder has no {TOKENIZER}, which a workload of text needs")
    weights = job["build"].get("weights_bytes")
    return {"weights_bytes": weights, "kv_bytes": kv_bytes(job), "compute_bytes": None}


def assigned(session: Any) -> Dict[str, int]:
    """Nodes by the provider that really runs them, fused and optimised as they are."""
    found: Dict[str, int] = {}
    for part in session.get_provider_graph_assignment_info():
        found[part.ep_name] = found.get(part.ep_name, 0) + len(part.get_nodes())
    return found


def tells(session: Any) -> bool:
    """Whether this version says which provider has which node. Earlier ones, on boards, run on the CPU alone."""
    return hasattr(session, "get_provider_graph_assignment_info")


def has_operator(session: Any, name: str, graph: str) -> bool:
    """Whether nodes of this kind are in the graph as it runs; by earlier versions, as it is in its file."""
    if tells(session):
        parts = session.get_provider_graph_assignment_info()
        return any(node.op_type == name for part in parts for node in part.get_nodes())
    with open(graph, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content.find(name.encode()) >= 0


def failure(kind: str, library: str, error: BaseException) -> EngineFailure:
    """What `library` raised as a failure of this kind, or of memory where that ran out: it has no type for that."""
    if isinstance(error, MemoryError) or any(sign in str(error) for sign in _OUT_OF_MEMORY):
        return EngineFailure("out_of_memory", f"{library} could not allocate memory")
    return EngineFailure(kind, f"{library} says: {cause(error)}")


def cause(error: BaseException) -> str:
    """The first line of what a library raised, without the code it begins with."""
    first = (str(error).strip().splitlines() or [type(error).__name__])[0]
    told = _PLACE.sub("", first.rsplit(" : ", 1)[-1].rsplit(" was false. ", 1)[-1])
    return told.strip() or type(error).__name__
