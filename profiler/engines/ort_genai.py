"""ONNX Runtime GenAI: its generator, with greedy search, driven by token ids.

Its prefill happens in `append_tokens`; the first `generate_next_token` after it only samples, and each later
one evaluates the token before it. Its own tokenizer is not used: it differs from the builds' own.
"""

import json
import os
import time
from typing import Any, Dict, List

from profiler.engines import ort_account, ort_profile, placement
from profiler.engines.accelerators import CPU
from profiler.engines.onnx_tokenizer import OnnxTokenizer
from profiler.engines.ort_library import (
    ERRORS_ONLY,
    GRAPH_LEVELS,
    SPINNING,
    failure,
    graph_of,
    kv_bytes,
    onnxruntime,
    planned,
    tokens_needed,
)
from profiler.engines.protocol import Anonymous, EngineFailure, Job

LIBRARY = "ONNX Runtime GenAI"
DEVICE = "CPU"
"""The kind of device that is asked for; GenAI does not tell which nodes run on it."""

NO_PAD = -1
"""GenAI passes over positions that hold the pad id, and a prompt may end in it: so no id is it."""

og: Any = None


def import_library() -> None:
    """Import ONNX Runtime first, so that its telemetry is off, and GenAI on top of it."""
    global og
    onnxruntime()
    try:
        import onnxruntime_genai as library
    except (ImportError, OSError) as error:
        raise EngineFailure("missing_library", f"onnxruntime-genai cannot be loaded: {error}") from None
    og = library


def load(job: Job) -> "OrtGenai":
    """Load the folder of `job` and make a generator, or say why not in the library's own words."""
    try:
        return OrtGenai(job)
    except (RuntimeError, MemoryError) as error:
        raise failure("load_failed", LIBRARY, error) from None


def inspect(job: Job) -> Dict[str, Any]:
    """Memory by arithmetic: GenAI can only load a model whole."""
    options = _configured(job["path"])["decoder"].get("session_options") or {}
    named = {name for provider in options.get("provider_options") or [] for name in provider}
    foreign = sorted(named - {"cpu", "CPU"})
    if foreign:
        raise EngineFailure(
            "bad_file",
            f"genai_config.json asks for the provider {foreign[0]}; accepted: cpu; build it for the CPU",
        )
    return planned(job)


def account(job: Job, anonymous: Anonymous) -> Dict[str, Any]:
    """What ONNX Runtime holds, from a profile of its own."""
    return ort_account.account(job, load, anonymous)


def watch(job: Job) -> ort_profile.OrtWatch:
    """Two sessions of `job`, one of which writes a profile."""
    return ort_profile.OrtWatch(job, load)


class OrtGenai:
    """One model and one generator, whose KV cache has the whole context from the start."""

    clock = staticmethod(time.perf_counter_ns)

    def __init__(self, job: Job) -> None:
        self._job = job
        self._context = tokens_needed(job)
        config = og.Config(job["path"])
        config.overlay(json.dumps({"model": {"decoder": _decoder(job), "pad_token_id": NO_PAD}}))
        self.model = og.Model(config)
        params = og.GeneratorParams(self.model)
        params.set_search_options(max_length=self._context, min_length=self._context, do_sample=False)
        self._generator = og.Generator(self.model, params)
        self._tokenizer = OnnxTokenizer(job["path"])
        self._vocabulary = int(_configured(job["path"])["vocab_size"])

    def tokenize(self, text: bytes) -> List[int]:
        return self._tokenizer.tokenize(text)

    def text_of(self, ids: List[int]) -> bytes:
        return self._tokenizer.text_of(ids)

    def random_ids(self, count: int, seed: int) -> List[int]:
        return self._tokenizer.random_ids(self._vocabulary, count, seed)

    def reset(self) -> None:
        self._generator.rewind_to(0)

    def prefill(self, ids: List[int]) -> None:
        try:
            self._generator.append_tokens(ids)
        except (RuntimeError, MemoryError) as error:
            raise failure("crashed", LIBRARY, error) from None

    def next_token(self) -> int:
        self._generator.generate_next_token()
        return int(self._generator.get_next_tokens()[0])

    def feed(self, token: int) -> None:
        self._generator.append_tokens([token])

    def save(self) -> object:
        return self._generator.token_count()

    def restore(self, state: object) -> None:
        self._generator.rewind_to(state)

    def facts(self) -> Dict[str, Any]:
        library = onnxruntime()
        return {
            "versions": {"onnxruntime-genai": og.__version__, "onnxruntime": library.__version__},
            "system": library.get_build_info(),
            "context": self._context,
            "vocabulary": self._vocabulary,
            "weights_bytes": self._job["build"].get("weights_bytes"),
            "kv_bytes": kv_bytes(self._job),
            "compute_bytes": None,
            "kv_type": self._job["build"].get("kv_type"),
            "kv_in_place": True,
            "device_type": self.model.device_type,
            "assigned": {CPU: None} if self.model.device_type == DEVICE else {},
            "fell_back": placement.of_device(DEVICE, self.model.device_type),
        }

    def close(self) -> None:
        del self._generator, self.model


def _decoder(job: Job) -> Dict[str, Any]:
    settings = job["settings"]
    options = {
        "intra_op_num_threads": settings["threads"],
        "enable_cpu_mem_arena": settings["arena"],
        "graph_optimization_level": GRAPH_LEVELS[settings["graph"]],
        "log_severity_level": ERRORS_ONLY,
        SPINNING: "1" if settings["spinning"] else "0",
    }
    if "profile" in settings:
        options["enable_profiling"] = settings["profile"]
    return {"session_options": options, "filename": graph_of(job)}


def _configured(folder: str) -> Dict[str, Any]:
    """What the folder says of its model."""
    with open(os.path.join(folder, "genai_config.json"), encoding="utf-8") as file:
        return dict(json.load(file)["model"])
