"""ORTModelForCausalLM as its users run it: `model.generate`, one call for a whole text."""

import os
import random
import time
from typing import Any, Callable, Dict, List, Optional

from profiler.engines.protocol import EngineFailure, Job

_KV_TYPES = {"tensor(float)": "f32", "tensor(float16)": "f16", "tensor(bfloat16)": "bf16"}
_KV_ELEMENT_BYTES = {"f32": 4, "f16": 2, "bf16": 2}
_DISTRIBUTIONS = ("optimum", "optimum-onnx", "transformers", "onnxruntime", "torch", "tokenizers")
_SILENT = ("ORT_DISABLE_TELEMETRY", "HF_HUB_OFFLINE", "HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK")

ort: Any = None
torch: Any = None
model_class: Any = None
generation_config_class: Any = None
tokenizer_class: Any = None


def import_library() -> None:
    """Import Optimum and what it stands on, with everything off that would send or fetch."""
    global ort, torch, model_class, generation_config_class, tokenizer_class
    for name in _SILENT:
        os.environ[name] = "1"
    try:
        import onnxruntime
        import torch as torch_library
        from optimum.onnxruntime import ORTModelForCausalLM
        from tokenizers import Tokenizer
        from transformers import GenerationConfig
    except (ImportError, OSError, RuntimeError) as error:
        raise EngineFailure("missing_library", f"Optimum cannot be loaded: {error}") from None
    ort, torch, model_class = onnxruntime, torch_library, ORTModelForCausalLM
    generation_config_class, tokenizer_class = GenerationConfig, Tokenizer


def load(job: Job) -> "Optimum":
    """Load the graph and the tokenizer of the folder, or say why not in the library's words."""
    return Optimum(job)


def inspect(job: Job) -> Dict[str, Any]:
    """Memory by arithmetic from the build: Optimum plans none, and what it computes with is not known."""
    build = job["build"]
    return {
        "weights_bytes": build["weights_bytes"],
        "kv_bytes": _kv_bytes(job, build["kv_type"]),
        "compute_bytes": None,
    }


def _kv_bytes(job: Job, kv_type: Optional[str]) -> Optional[int]:
    """One copy of keys and values at full length. Each step makes a new one, so two live for a moment."""
    elements = job["build"]["kv_elements_per_token"]
    if elements is None or kv_type not in _KV_ELEMENT_BYTES:
        return None
    workload = job["workload"]
    tokens = workload["prompt_tokens"] + workload["output_tokens"]
    return int(elements * tokens * _KV_ELEMENT_BYTES[kv_type])


class Optimum:
    """One model and its tokenizer. It generates whole texts and keeps no context between them."""

    clock = staticmethod(time.perf_counter_ns)

    def __init__(self, job: Job) -> None:
        self._job = job
        torch.set_num_threads(job["settings"]["threads"])
        try:
            self._model = model_class.from_pretrained(
                job["path"],
                subfolder=os.path.dirname(job["build"]["graph"]),
                file_name=os.path.basename(job["build"]["graph"]),
                local_files_only=True,
                trust_remote_code=False,
                session_options=_session_options(job["settings"]),
            )
            self._tokenizer = tokenizer_class.from_file(os.path.join(job["path"], "tokenizer.json"))
        except Exception as error:  # the libraries raise whatever their parsers raise
            raise EngineFailure("load_failed", f"{type(error).__name__}: {error}") from None
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        # `generate` takes special tokens that it is not given from here: no end of text, no extras.
        self._model.generation_config = generation_config_class(pad_token_id=0)

    def tokenize(self, text: bytes) -> List[int]:
        return list(self._tokenizer.encode(text.decode("utf-8", "replace")).ids)

    def text_of(self, ids: List[int]) -> bytes:
        return bytes(self._tokenizer.decode(ids, skip_special_tokens=False).encode("utf-8"))

    def random_ids(self, count: int, seed: int) -> List[int]:
        draw = random.Random(seed)  # noqa: S311
        return [draw.randrange(self._model.config.vocab_size) for _ in range(count)]

    def reset(self) -> None:
        """Nothing is kept."""

    def generate(self, ids: List[int], count: int, stamp: Callable[[int], None]) -> List[int]:
        """`count` greedy tokens after `ids`; `stamp(k)` is called when token k is on the host."""
        prompt = torch.tensor([ids])
        with torch.no_grad():
            output = self._model.generate(
                prompt,
                attention_mask=torch.ones_like(prompt),
                do_sample=False,
                min_new_tokens=count,
                max_new_tokens=count,
                streamer=_Stamps(stamp),
            )
        return [int(token) for token in output[0, len(ids) :]]

    def facts(self) -> Dict[str, Any]:
        session = self._model.session
        kv_type = _kv_type(session)
        return {
            "versions": {name: _version(name) for name in _DISTRIBUTIONS},
            "system": None,
            "providers": _providers(session),
            "io_binding": bool(self._model.use_io_binding),
            "vocabulary": self._model.config.vocab_size,
            "weights_bytes": self._job["build"]["weights_bytes"],
            "kv_type": kv_type,
            "kv_bytes": _kv_bytes(self._job, kv_type),
            "compute_bytes": None,
        }

    def close(self) -> None:
        del self._model


class _Stamps:
    """A streamer of transformers: `put` gets the prompt first, then each token once it is on the host."""

    def __init__(self, stamp: Callable[[int], None]) -> None:
        self._stamp = stamp
        self._next = -1

    def put(self, value: Any) -> None:
        if self._next >= 0:
            self._stamp(self._next)
        self._next += 1

    def end(self) -> None:
        pass


def _session_options(settings: Dict[str, Any]) -> Any:
    levels = ort.GraphOptimizationLevel
    options = ort.SessionOptions()
    options.intra_op_num_threads = settings["threads"]
    options.graph_optimization_level = {
        "all": levels.ORT_ENABLE_ALL,
        "extended": levels.ORT_ENABLE_EXTENDED,
        "basic": levels.ORT_ENABLE_BASIC,
        "off": levels.ORT_DISABLE_ALL,
    }[settings["graph"]]
    options.add_session_config_entry("session.intra_op.allow_spinning", str(int(settings["spinning"])))
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    return options


def _providers(session: Any) -> List[str]:
    """The providers that nodes were assigned to, which need not be those asked for."""
    return sorted({part.ep_name for part in session.get_provider_graph_assignment_info()})


def _kv_type(session: Any) -> Optional[str]:
    """The type of the past keys and values that the graph takes."""
    types = {entry.type for entry in session.get_inputs() if entry.name.startswith("past_key_values")}
    return _KV_TYPES.get(types.pop()) if len(types) == 1 else None


def _version(distribution: str) -> Optional[str]:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
