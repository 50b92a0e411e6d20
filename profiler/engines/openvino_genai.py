"""OpenVINO GenAI as its users run it: `LLMPipeline.generate`, one call for a whole text, of a GGUF file."""

import os
import random
import sys
import time
from typing import Any, Callable, Dict, List, Optional

from profiler.engines import openvino_log, placement
from profiler.engines.protocol import EngineFailure, Job
from profiler.engines.versions import versions

PROVIDER = "OpenVINO"
CPU, NPU = "CPU", "NPU"
AUTO, SDPA = "auto", "sdpa"
READABLE = "its GGUF reader takes F16, Q8_0, Q4_0 and Q4_1 weights of llama, qwen2 and qwen3"

_DISTRIBUTIONS = ("openvino-genai", "openvino", "openvino-tokenizers", "numpy")
_TELEMETRY = "openvino_telemetry"
_KINDS = ("cpu", "gpu", "npu")
_SYSTEM = (
    openvino_log.MODEL,
    "INFERENCE_PRECISION_HINT",
    "KEY_CACHE_PRECISION",
    "VALUE_CACHE_PRECISION",
    "DYNAMIC_QUANTIZATION_GROUP_SIZE",
    "ENABLE_CPU_PINNING",
    "RUNTIME_REQUIREMENTS",
)
_MOST_BATCHED_TOKENS = 2**31

numpy: Any = None
openvino: Any = None
genai: Any = None
stamps_class: Any = None


def import_library() -> None:
    """Import OpenVINO GenAI, without the package by which each import of OpenVINO reports itself to its makers."""
    global numpy, openvino, genai, stamps_class
    sys.modules[_TELEMETRY] = None  # type: ignore[assignment]
    os.environ.setdefault(openvino_log.VARIABLE, openvino_log.LEVEL)
    try:
        import numpy as numpy_library
        import openvino as runtime
        import openvino_genai as pipelines
    except (ImportError, OSError, RuntimeError) as error:
        raise EngineFailure("missing_library", f"OpenVINO GenAI cannot be loaded: {error}") from None
    numpy, openvino, genai = numpy_library, runtime, pipelines
    stamps_class = _stamps_class()


def devices(_plugin: Optional[str] = None) -> List[Dict[str, str]]:
    """What OpenVINO lists here: `provider`, `kind` (cpu, gpu or npu), `name` in its maker's words, `id`."""
    core = openvino.Core()
    kinds = {name: name.split(".")[0].lower() for name in core.available_devices}
    return [
        {
            "provider": PROVIDER,
            "kind": kind,
            "name": str(core.get_property(name, "FULL_DEVICE_NAME")),
            "id": name,
        }
        for name, kind in kinds.items()
        if kind in _KINDS
    ]


def load(job: Job) -> "OpenVino":
    """Read the file and compile it, or say why not in the library's words."""
    return OpenVino(job)


def inspect(job: Job) -> Dict[str, Any]:
    """The weights as they lie in the file: OpenVINO plans neither its copy of them, nor its cache and buffers."""
    _device(job)
    return {"weights_bytes": job["build"]["weights_bytes"], "kv_bytes": None, "compute_bytes": None}


class OpenVino:
    """One pipeline. It generates whole texts and keeps no context between them."""

    clock = staticmethod(time.perf_counter_ns)

    def __init__(self, job: Job) -> None:
        self._job = job
        self._device = _device(job)
        self._asked = _properties(self._device, job)
        self._pipeline, log = openvino_log.printed_by(self._compiled)
        self._told = openvino_log.compiled(log)
        self._tokenizer = self._pipeline.get_tokenizer()

    def _compiled(self) -> Any:
        path, more = self._job["path"], _scheduling(self._device, self._job)
        try:
            return genai.LLMPipeline(path, self._device, **more, **self._asked)
        except MemoryError:
            raise EngineFailure("out_of_memory", "OpenVINO GenAI could not allocate memory") from None
        except Exception as error:  # what its C++ throws: RuntimeError, IndexError, ...
            words = _cause(error).replace(path, os.path.basename(path))
            raise EngineFailure("load_failed", f"OpenVINO GenAI says: {words} ({READABLE})") from None

    def tokenize(self, text: bytes) -> List[int]:
        encoded = self._tokenizer.encode(text.decode("utf-8", "replace"))
        return [int(token) for token in encoded.input_ids.data[0]]

    def text_of(self, ids: List[int]) -> bytes:
        return bytes(self._tokenizer.decode(ids, skip_special_tokens=False).encode("utf-8"))

    def random_ids(self, count: int, seed: int) -> List[int]:
        draw = random.Random(seed)  # noqa: S311
        size = len(self._tokenizer.get_vocab_vector())
        return [draw.randrange(size) for _ in range(count)]

    def reset(self) -> None:
        """Nothing is kept."""

    def generate(self, ids: List[int], count: int, stamp: Callable[[int], None]) -> List[int]:
        """`count` greedy tokens after `ids`; `stamp(k)` is called when token k is on the host.

        Raises `EngineFailure` if the library made or told of another number of tokens.
        """
        config = genai.GenerationConfig(do_sample=False, ignore_eos=True, max_new_tokens=count)
        stamps = stamps_class(stamp)
        result = self._pipeline.generate(openvino.Tensor(numpy.array([ids])), config, stamps)
        output = [int(token) for token in result.tokens[0]]
        if not len(output) == stamps.seen == count:
            told = f"{len(output)} tokens and told of {stamps.seen}"
            raise EngineFailure("crashed", f"OpenVINO GenAI was asked for {count} tokens, made {told}")
        return output

    def facts(self) -> Dict[str, Any]:
        """Its copy of the weights, its cache and its buffers have no figures: a pipeline does not tell them."""
        told = self._told
        return {
            "versions": versions(_DISTRIBUTIONS),
            "system": " | ".join(f"{name} = {told[name]}" for name in _SYSTEM if name in told) or None,
            "devices": {device["id"]: device["name"] for device in devices()},
            "assigned": {told.get("EXECUTION_DEVICES", self._device): None},
            "fell_back": placement.of_openvino(self._device, self._asked, told),
            "weights_bytes": self._job["build"]["weights_bytes"],
            "kv_type": told.get("KV_CACHE_PRECISION"),
            "kv_bytes": None,
            "kv_in_place": False,
            "compute_bytes": None,
        }

    def close(self) -> None:
        del self._pipeline


def _device(job: Job) -> str:
    """The device to compile for. Raises `EngineFailure` for one that OpenVINO does not list."""
    route = job.get("route")
    if route is None:
        return CPU
    asked, known = str(route["options"]["device"]), [device["id"] for device in devices()]
    if asked not in known and f"{asked}.0" not in known:
        raise EngineFailure(
            "load_failed", f"OpenVINO lists no device {asked} here; it lists {', '.join(known) or 'none'}"
        )
    return asked


def _properties(device: str, job: Job) -> Dict[str, Any]:
    """OpenVINO's own properties from our settings. An NPU is compiled for fixed lengths."""
    settings, workload = job["settings"], job["workload"]
    chosen = {
        "KV_CACHE_PRECISION": settings["kv"],
        "INFERENCE_PRECISION_HINT": settings["precision"],
    }
    found: Dict[str, Any] = {name: value for name, value in chosen.items() if value != AUTO}
    if device == CPU:
        found["INFERENCE_NUM_THREADS"] = settings["threads"]
    if device.startswith(NPU):
        found["MAX_PROMPT_LEN"] = workload["prompt_tokens"]
        found["MIN_RESPONSE_LEN"] = workload["output_tokens"]
    return found


def _scheduling(device: str, job: Job) -> Dict[str, Any]:
    """How prompts are evaluated: as by default, in one batch, but never from the cache of a pass before."""
    if device.startswith(NPU):
        return {}
    if job["settings"]["attention"] == SDPA:
        return {"ATTENTION_BACKEND": "SDPA"}
    scheduler = genai.SchedulerConfig()
    scheduler.enable_prefix_caching = False
    scheduler.max_num_batched_tokens = _MOST_BATCHED_TOKENS
    return {"scheduler_config": scheduler}


def _cause(error: BaseException) -> str:
    """The last line of what the library raised: those before it name places in its source."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def _stamps_class() -> Any:
    """A streamer that gets the id of each token, or a list of ids, once they are on the host."""
    running = genai.StreamingStatus.RUNNING

    class Stamps(genai.StreamerBase):  # type: ignore[misc]
        def __init__(self, stamp: Callable[[int], None]) -> None:
            super().__init__()
            self._stamp = stamp
            self.seen = 0

        def write(self, tokens: Any) -> Any:
            for _ in tokens if isinstance(tokens, list) else (tokens,):
                self._stamp(self.seen)
                self.seen += 1
            return running

        def end(self) -> None:
            pass

    return Stamps
