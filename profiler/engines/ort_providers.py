"""ONNX Runtime's execution providers: what they reach here, and a session on one of them.

The devices of a plug-in bear the name that it is registered under, so that name is the provider's own, always. Any
option is accepted; what `accelerators.OPTIONS` does not list is refused before a worker is started.
"""

import importlib
import importlib.util
import os
import time
from functools import lru_cache
from typing import Any, Callable, Dict, List, Optional

from profiler.engines import ort_log, ort_shares, placement
from profiler.engines.accelerators import CPU, EMULATED, OWN, PLUGINS
from profiler.engines.ort_library import cause, failure, onnxruntime, session_options, tells
from profiler.engines.protocol import EngineFailure, Job

IMITATED = {
    "QNNExecutionProvider": "Qualcomm's emulation of its HTP on this CPU",
    "WebGpuExecutionProvider": "a Vulkan device in software on this CPU",
}
"""What a provider runs on where the device it offers is a CPU."""

KINDS = {"NPU": "npu", "GPU": "gpu", "CPU": "cpu"}
_REFUSED = ("fallback to CPU EP has been explicitly disabled",)
COMPILE = ("QNNExecutionProvider",)
"""Providers that keep a compiled graph in a file (EPContext)."""

LEAVE_LENGTHS = (
    *("CUDAExecutionProvider", "TensorrtExecutionProvider", "NvTensorRTRTXExecutionProvider"),
    *("WebGpuExecutionProvider", "DmlExecutionProvider", "MIGraphXExecutionProvider"),
)
"""Providers for GPUs, on which no graph of varying lengths would run wholly."""

LENGTHS = frozenset({"Shape", "Gather", "ReduceSum", "Sub", "Add", "Cast", "Concat", "Unsqueeze", "Squeeze"})
"""Operators that a graph of varying lengths computes those with: integers of a few bytes, which stay on the CPU."""

SMALLEST = (
    b'\x08\x08:8\n\x11\n\x01x\n\x01x\x12\x01y\x1a\x01a"\x03Mul\x12\x01gZ\x0f\n\x01x\x12\n\n\x08\x08\x01'
    b"\x12\x04\n\x02\x08\x04b\x0f\n\x01y\x12\n\n\x08\x08\x01\x12\x04\n\x02\x08\x04B\x04\n\x00\x10\r"
)
"""A graph of one product, as the `onnx` package writes it."""

NO_FALL_BACK = "session.disable_cpu_ep_fallback"
SOFTWARE_ADAPTER = "ORT_WEBGPU_EP_ALLOW_SOFTWARE_ADAPTER"


def of_wheel() -> List[Dict[str, Any]]:
    """What the providers of this wheel reach: provider, kind of device, its name.

    A provider that is there and reaches nothing is told too, with the reason.
    """
    inside = set(onnxruntime().get_available_providers())
    return [one for name in OWN if name in inside for one in _of_wheel(name)]


def _of_wheel(provider: str) -> List[Dict[str, Any]]:
    """A provider of the wheel offers no list of devices: whether it reaches one shows when it takes a graph."""
    reason = _refusal({"provider": provider, "options": {}})
    if reason is not None:
        return [{"provider": provider, "kind": None, "name": None, "reason": reason}]
    return [{"provider": provider, "kind": kind, "name": provider} for kind in OWN[provider]]


def of_plugin(provider: str) -> List[Dict[str, Any]]:
    """The same of a plug-in, with what imitates the device; nothing of one that is not installed."""
    if _module(provider) is None:
        return []
    try:
        offered = _registered(provider)
    except EngineFailure as refused:
        return [{"provider": provider, "kind": None, "name": None, "reason": refused.message}]
    if not offered:
        return [{"provider": provider, "kind": None, "name": None, "reason": "it sees no device of its own"}]
    return [_tried(_told(provider, one)) for one in offered]


def _tried(told: Dict[str, Any]) -> Dict[str, Any]:
    """The same; of an imitated device only if it takes a graph: WebGPU offers one where there is no driver, too."""
    if told["simulated"] is None:
        return told
    options = EMULATED.get(told["provider"], {})
    reason = _refusal({"provider": told["provider"], "options": options})
    return told if reason is None else {**told, "kind": None, "name": None, "reason": reason}


def _refusal(route: Dict[str, Any]) -> Optional[str]:
    """Why the smallest graph does not run on a route; None if it does."""
    try:
        session(SMALLEST, {"settings": {"threads": 1}, "route": route})
    except EngineFailure as refused:
        return refused.message
    return None


def _told(provider: str, offered: Any) -> Dict[str, Any]:
    kind, imitated = KINDS.get(offered.device.type.name), IMITATED.get(provider)
    simulated = imitated if kind == "cpu" and imitated else None
    if simulated is not None:
        kind = PLUGINS[provider].kind
    description = offered.device.metadata.get("Description") or offered.device.vendor
    return {
        "provider": provider,
        "kind": kind,
        "name": simulated or f"{description} {offered.device.type.name}",
        "simulated": simulated,
    }


def _module(provider: str) -> Optional[str]:
    """The module that brings a plug-in, if it is installed."""
    name = PLUGINS[provider].module
    return name if importlib.util.find_spec(name) is not None else None


def _registered(provider: str) -> List[Any]:
    """The devices of a plug-in, registered under its exact name. Raises EngineFailure if it cannot be loaded."""
    _register(provider)
    return [one for one in onnxruntime().get_ep_devices() if one.ep_name == provider]


@lru_cache(maxsize=None)
def _register(provider: str) -> None:
    """Once for each process: WebGPU's library ends it when it is registered again."""
    library, module = onnxruntime(), _module(provider)
    if module is None:
        raise EngineFailure(
            "missing_library", f"{provider} is not installed: pip install {PLUGINS[provider].package}"
        )
    os.environ[SOFTWARE_ADAPTER] = "1"
    try:
        place = importlib.import_module(module).get_library_path()
        library.register_execution_provider_library(provider, place)
    except Exception as error:  # a plug-in that is there may lack libraries, or its own file
        raise EngineFailure("missing_library", f"{provider} cannot be loaded: {cause(error)}") from None


def provider(job: Job) -> str:
    """The provider that all nodes of the job's graph are to run on."""
    return str(job["route"]["provider"]) if job.get("route") else CPU


def session(graph: Any, job: Job) -> Any:
    """A session on the graph (a path, or bytes), on the CPU or where the route of the job leads, and nowhere else.

    A provider that leaves the arithmetic of lengths to the CPU may do so, and nothing else. Raises EngineFailure with
    the cause that the engine's log names.
    """
    library, options = onnxruntime(), session_options(job["settings"])
    route = job.get("route")
    if route is None:
        return _opened(library, graph, options, [CPU])
    if route["provider"] in LEAVE_LENGTHS:
        begin = ort_log.mark()
        return _but_lengths(route["provider"], _with(route, library, graph, options), begin)
    options.add_session_config_entry(NO_FALL_BACK, "1")
    if route["provider"] in COMPILE and job.get("compiled"):
        path = _compiled(graph, job, lambda: _with(route, library, graph, options), options)
        again = session_options(job["settings"])
        again.add_session_config_entry(NO_FALL_BACK, "1")
        return _with(route, library, path, again)
    return _with(route, library, graph, options)


def _compiled(graph: str, job: Job, open_it: Callable[[], Any], options: Any) -> str:
    """The graph in the device's own form, in the job's folder for such; made there the first time, which is timed."""
    path = os.path.join(job["compiled"], os.path.basename(graph))
    if not os.path.exists(path):
        for name, value in (("enable", "1"), ("file_path", path), ("embed_mode", "0")):
            options.add_session_config_entry(f"ep.context_{name}", value)
        started = time.perf_counter_ns()
        opened = open_it()
        job["compile_ms"] = job.get("compile_ms", 0.0) + (time.perf_counter_ns() - started) / 1e6
        job.setdefault("amounts", {})[graph] = ort_shares.amounts(graph, opened)
    return path


def amounts(graph: str, opened: Any, job: Job) -> Optional[ort_shares.Amounts]:
    """Which provider has how much of the graph: a compiled one is one node, so that what was seen before counts."""
    known: Dict[str, Optional[ort_shares.Amounts]] = job.get("amounts", {})
    return known[graph] if graph in known else ort_shares.amounts(graph, opened)


def _with(route: Dict[str, Any], library: Any, graph: Any, options: Any) -> Any:
    provider, chosen, device = route["provider"], dict(route["options"]), route.get("device")
    if provider in PLUGINS:
        offered = _registered(provider)
        if not offered:
            raise EngineFailure("load_failed", f"{provider} sees no device of its own here")
        named = [one for one in offered if _told(provider, one)["name"] == device]
        options.add_provider_for_devices((named or offered)[:1], chosen)
        return _opened(library, graph, options, None)
    if provider not in library.get_available_providers():
        raise EngineFailure(
            "missing_library", f"this onnxruntime has no {provider}: it has {_inside(library)}"
        )
    return _opened(library, graph, options, [(provider, chosen)])


def _but_lengths(provider: str, opened: Any, begin: Optional[int]) -> Any:
    """The session, if no node but those of lengths is elsewhere. Where `begin` is, its log begins."""
    parts = opened.get_provider_graph_assignment_info()
    elsewhere = {node.op_type for part in parts if part.ep_name != provider for node in part.get_nodes()}
    beyond = sorted(elsewhere - LENGTHS)
    if not beyond:
        return opened
    logged = ort_log.cause(ort_log.since(begin))
    if logged is not None and logged.startswith(ort_log.NOT_LOADED):
        raise EngineFailure("missing_library", f"ONNX Runtime says: {logged}")
    why = f": {logged}" if logged else ""
    raise EngineFailure(
        "fell_back", f"{provider} leaves {', '.join(beyond[:4])} to the CPU, so nothing is run{why}"
    )


def fell_back(opened: Any, job: Job) -> Optional[str]:
    """Nodes that run elsewhere than they should, in one sentence."""
    if not tells(opened):
        return None
    asked, found = provider(job), {}
    for part in opened.get_provider_graph_assignment_info():
        kinds = [node.op_type for node in part.get_nodes()]
        left = asked in LEAVE_LENGTHS and part.ep_name != asked
        found[part.ep_name] = sum(1 for kind in kinds if not (left and kind in LENGTHS))
    return placement.of_nodes(asked, found)


def _inside(library: Any) -> str:
    return " and ".join(one for one in library.get_available_providers() if one != "AzureExecutionProvider")


def _opened(library: Any, graph: Any, options: Any, providers: Optional[List[Any]]) -> Any:
    begin = ort_log.mark()
    try:
        if providers is None:
            return library.InferenceSession(graph, options, enable_fallback=0)
        return library.InferenceSession(graph, options, providers=providers, enable_fallback=0)
    except Exception as error:  # the library has an exception for each status, and no base of its own
        raise _refused(library, graph, error, ort_log.cause(ort_log.since(begin))) from None


def _refused(library: Any, graph: Any, error: Exception, logged: Optional[str]) -> EngineFailure:
    """Why there is no session, with the cause that the log names where the exception names none."""
    if logged is not None and logged.startswith(ort_log.NOT_LOADED):
        return EngineFailure("missing_library", f"ONNX Runtime says: {logged}")
    if not any(word in str(error) for word in _REFUSED):
        return failure("load_failed", "ONNX Runtime", error)
    if logged is None or logged.startswith(ort_log.UNSUPPORTED):
        logged = _varying(library, graph) or logged or cause(error)
    return EngineFailure("fell_back", f"not all of the graph would run there, so nothing is run: {logged}")


def _varying(library: Any, graph: Any) -> Optional[str]:
    """Of inputs without a fixed shape, which no provider for NPUs takes, and none of them says so."""
    found = library.InferenceSession(graph, providers=[CPU]).get_inputs()
    open_ended = [one.name for one in found if not all(isinstance(length, int) for length in one.shape)]
    if not open_ended:
        return None
    return (
        f"lengths of its input {open_ended[0]} vary, and an NPU needs fixed ones: "
        "edgeprof build onnx FILE.gguf --static"
    )
