"""What llama.cpp would take for several settings of one build, asked of it without allocating anything.

It is a module of the worker, as an engine is, but only answers inspections. The model is planned once, and a context
for each settings. Two things are asked that no log tells: how much of a compute buffer a prompt touches, and which
weights this host's CPU back end would rewrite for itself.
"""

import os
from typing import Any, Dict, Optional

from profiler.engines import llama_cpp, llama_log
from profiler.engines.ggml_buffers import rewritten
from profiler.engines.protocol import EngineFailure, Job


def import_library() -> None:
    """As the engine does."""
    llama_cpp.import_library()


def inspect(job: Job) -> Dict[str, Any]:
    """A plan, or a failure, for each settings in `job["asked"]`; and where each of `job["weights"]` would lie.

    `process_bytes` is what this process takes with model and context planned: what a worker takes beside the buffers.
    """
    model = _model(job)
    plans = [_planned(model, settings, job["prompt"]) for settings in job["asked"]]
    found = {
        "plans": plans,
        "weights_bytes": llama_cpp.lib.llama_model_size(model),
        "process_bytes": _proportional(),
        "system": llama_cpp.lib.llama_print_system_info().decode("utf-8", "replace").strip(),
        "rewritten": [rewritten(llama_cpp.library, weights) for weights in job["weights"]],
    }
    llama_cpp.lib.llama_model_free(model)
    return found


def _model(job: Job) -> Any:
    params = llama_cpp.model_params(job["asked"][0], allocate=False)
    model = llama_cpp.lib.llama_model_load_from_file(os.fsencode(job["path"]), params)
    if not model:
        raise EngineFailure("load_failed", llama_cpp.cause("llama.cpp could not load the file"))
    return model


def _planned(model: Any, settings: Dict[str, Any], prompt: int) -> Dict[str, Any]:
    """The buffers of one context in bytes, and what of them a prompt of so many tokens touches."""
    params = llama_cpp.context_params(settings, {})
    told = _log_of(model, params)
    if told is None:
        return {"failure": llama_cpp.cause("llama.cpp could not make a context with these settings")}
    params.n_ubatch = max(1, min(params.n_ubatch, prompt))
    if hasattr(params, "n_outputs_max"):
        params.n_outputs_max = 1
    touched = _log_of(model, params) or told
    return {
        "kv_bytes": told["kv_bytes"],
        "compute_bytes": llama_log.bytes_of(told, "compute", "output"),
        "touched_bytes": llama_log.bytes_of(touched, "compute", "output"),
        "device_bytes": llama_log.device_bytes(told, "compute"),
    }


def _log_of(model: Any, params: Any) -> Optional[Dict[str, Any]]:
    """What the log tells of a context with these parameters; None if llama.cpp refuses it."""
    llama_cpp.forget_log()
    context = llama_cpp.lib.llama_init_from_model(model, params)
    if not context:
        return None
    told = llama_log.read(llama_cpp.log_lines())
    llama_cpp.lib.llama_free(context)
    return told


def _proportional() -> Optional[int]:
    """The proportional set size of this process in bytes; None where the system does not tell."""
    try:
        with open("/proc/self/smaps_rollup", encoding="ascii", errors="replace") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("Pss:"))
    except (OSError, StopIteration, ValueError):
        return None
