"""The engines there are: module, formats, install line, settings. Listing them imports none."""

from typing import Dict, FrozenSet, NamedTuple, Optional, Tuple, Union

from profiler.engines.accelerators import PLUGINS

Value = Union[int, str, bool, None]


class Setting(NamedTuple):
    """One thing that changes a number. `accepted` lists the words of a "word" setting."""

    kind: str  # "int", "flag" or "word"
    default: Value
    meaning: str
    accepted: Tuple[str, ...] = ()
    least: Optional[int] = None


class EngineEntry(NamedTuple):
    """What is known of an engine before it is imported. `environment` names the one it runs in, if not ours; `plugins`
    are libraries that it may load besides, each of which is asked in a process of its own.

    `unwatched` says why it cannot tell the time of each node; None where it can.
    """

    module: str
    formats: Tuple[str, ...]
    libraries: Tuple[str, ...]
    extra: Optional[str]
    methods: FrozenSet[str]
    settings: Dict[str, Setting]
    environment: Optional[str] = None
    unwatched: Optional[str] = None
    plugins: Tuple[str, ...] = ()

    @property
    def watched(self) -> bool:
        """Whether its module has `watch`."""
        return self.unwatched is None


THREADS = Setting("int", None, "threads (default: performance cores this process may use)", least=1)
CONTEXT = Setting("int", None, "context length in tokens (default: what the workload needs)", least=1)

LLAMA_CPP = EngineEntry(
    module="profiler.engines.llama_cpp",
    formats=("gguf",),
    libraries=("llama_cpp",),
    extra="gguf",
    methods=frozenset({"text", "raw"}),
    settings={
        "threads": THREADS,
        "context": CONTEXT,
        "kv": Setting("word", "f16", "type of the KV cache", ("f32", "f16", "bf16", "q8_0", "q5_1", "q4_0")),
        "flash": Setting("word", "auto", "flash attention", ("auto", "on", "off")),
        "batch": Setting("int", 2048, "tokens per decode call", least=1),
        "ubatch": Setting("int", 512, "tokens per compute batch", least=1),
        "mmap": Setting("flag", True, "map the file instead of reading it"),
        "mlock": Setting("flag", False, "keep the weights in memory"),
        "repack": Setting("flag", True, "let the engine rewrite weights for this CPU"),
        "gpu_layers": Setting(
            "int", 0, "layers on the GPU; -1 = all, 0 = none and nothing else either", least=-1
        ),
    },
)

ARENA = Setting("flag", True, "memory arena of ONNX Runtime")
SPINNING = Setting("flag", True, "threads spin while they wait for work (ONNX Runtime's default)")
GRAPH = Setting("word", "all", "graph optimisation level", ("all", "extended", "basic", "off"))
ONNX_SETTINGS = {
    "threads": THREADS,
    "context": CONTEXT,
    "accuracy": Setting("word", "built", "activations: 4 = int8, 0 = float32", ("built", "4", "0")),
    "spinning": SPINNING,
    "arena": ARENA,
    "graph": GRAPH,
}

ORT_GENAI = EngineEntry(
    module="profiler.engines.ort_genai",
    formats=("onnx-genai",),
    libraries=("onnxruntime_genai", "onnxruntime", "numpy", "tokenizers"),
    extra="onnx",
    methods=frozenset({"text", "raw"}),
    settings=ONNX_SETTINGS,
)

ORT = EngineEntry(
    module="profiler.engines.ort",
    formats=("onnx-genai", "onnx", "onnx-static"),
    libraries=("onnxruntime", "numpy", "tokenizers"),
    extra="onnx",
    methods=frozenset({"text", "raw"}),
    settings=ONNX_SETTINGS,
    plugins=tuple(PLUGINS),
)

OPTIMUM = EngineEntry(
    module="profiler.engines.optimum",
    formats=("onnx",),
    libraries=("optimum", "transformers", "onnxruntime", "torch", "numpy"),
    extra=None,
    methods=frozenset({"text"}),
    settings={"threads": THREADS, "context": CONTEXT, "spinning": SPINNING, "arena": ARENA, "graph": GRAPH},
    environment="optimum",
    unwatched="Optimum makes its sessions itself and generates whole texts only",
)

OPENVINO_GENAI = EngineEntry(
    module="profiler.engines.openvino_genai",
    formats=("gguf",),
    libraries=("openvino_genai", "openvino", "numpy"),
    extra=None,
    methods=frozenset({"text"}),
    settings={
        "threads": THREADS,
        "kv": Setting(
            "word",
            "auto",
            "type of the KV cache; auto = OpenVINO's choice",
            ("auto", "f32", "f16", "bf16", "u8"),
        ),
        "precision": Setting(
            "word", "auto", "type it computes in; auto = OpenVINO's choice", ("auto", "f32", "f16", "bf16")
        ),
        "attention": Setting("word", "paged", "paged (its default) or sdpa", ("paged", "sdpa")),
    },
    environment="openvino",
    unwatched="OpenVINO GenAI generates whole texts only",
)

SCRIPTED = EngineEntry(
    module="profiler.engines.scripted",
    formats=("scripted",),
    libraries=(),
    extra=None,
    methods=frozenset({"text", "raw"}),
    settings={
        "threads": THREADS,
        "context": CONTEXT,
        "kv": Setting("word", "f16", "type of the KV cache", ("f16", "q8_0")),
    },
    unwatched="a script has no graph",
)

ENGINES: Dict[str, EngineEntry] = {
    "llama-cpp": LLAMA_CPP,
    "ort-genai": ORT_GENAI,
    "ort": ORT,
    "optimum": OPTIMUM,
    "openvino-genai": OPENVINO_GENAI,
    "scripted": SCRIPTED,
}


def default_engine(build_format: str) -> str:
    """The engine used for a format when the user names none."""
    return next(name for name, entry in ENGINES.items() if build_format in entry.formats)
