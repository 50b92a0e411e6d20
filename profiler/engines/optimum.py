"""ORTModelForCausalLM as its users run it: `model.generate`, one call for a whole text."""

import os
import time
from typing import Any, Callable, Dict, List

from profiler.engines import ort_account, placement
from profiler.engines.accelerators import CPU
from profiler.engines.onnx_tokenizer import OnnxTokenizer
from profiler.engines.ort_library import assigned, failure, kv_bytes, onnxruntime, planned, session_options
from profiler.engines.protocol import Anonymous, EngineFailure, Job
from profiler.engines.versions import versions

_DISTRIBUTIONS = ("optimum", "optimum-onnx", "transformers", "onnxruntime", "torch", "tokenizers")
_SILENT = ("HF_HUB_OFFLINE", "HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK")

torch: Any = None
model_class: Any = None
generation_config_class: Any = None


def import_library() -> None:
    """Import Optimum and what it stands on, with everything off that would send or fetch."""
    global torch, model_class, generation_config_class
    for name in _SILENT:
        os.environ[name] = "1"
    onnxruntime()
    try:
        import torch as torch_library
        from optimum.onnxruntime import ORTModelForCausalLM
        from transformers import GenerationConfig
    except (ImportError, OSError, RuntimeError) as error:
        raise EngineFailure("missing_library", f"Optimum cannot be loaded: {error}") from None
    torch, model_class, generation_config_class = torch_library, ORTModelForCausalLM, GenerationConfig


def load(job: Job) -> "Optimum":
    """Load the graph and the tokenizer of the folder, or say why not in the library's words."""
    return Optimum(job)


def inspect(job: Job) -> Dict[str, Any]:
    """Memory by arithmetic, with one copy of the cache: each step makes a new one, so two live for a moment."""
    return planned(job)


def account(job: Job, anonymous: Anonymous) -> Dict[str, Any]:
    """What ONNX Runtime holds, from a profile of its own."""
    return ort_account.account(job, load, anonymous)


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
                session_options=session_options(job["settings"]),
            )
        except Exception as error:  # the libraries raise whatever their parsers raise
            raise failure("load_failed", "Optimum", error) from None
        self._tokenizer = OnnxTokenizer(job["path"])
        # `generate` takes special tokens that it is not given from here: no end of text, no extras.
        self._model.generation_config = generation_config_class(pad_token_id=0)

    def tokenize(self, text: bytes) -> List[int]:
        return self._tokenizer.tokenize(text)

    def text_of(self, ids: List[int]) -> bytes:
        return self._tokenizer.text_of(ids)

    def random_ids(self, count: int, seed: int) -> List[int]:
        return self._tokenizer.random_ids(self._model.config.vocab_size, count, seed)

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
        where = assigned(self._model.session)
        return {
            "versions": versions(_DISTRIBUTIONS),
            "system": onnxruntime().get_build_info(),
            "assigned": where,
            "fell_back": placement.of_nodes(CPU, where),
            "io_binding": bool(self._model.use_io_binding),
            "vocabulary": self._model.config.vocab_size,
            "weights_bytes": self._job["build"]["weights_bytes"],
            "kv_type": self._job["build"]["kv_type"],
            "kv_bytes": kv_bytes(self._job),
            "kv_in_place": False,
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
