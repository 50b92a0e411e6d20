"""ONNX folders from anywhere: which graph in them is the model, and what it is."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from profiler.builds import manifest, onnx_config
from profiler.builds.model_file import BadModelFile, is_file, is_folder, shown, shown_name
from profiler.builds.onnx_child import PAST
from profiler.builds.onnx_reading import OnnxGraph, Value, read_graph
from profiler.builds.onnx_static.folder import is_static, read_lengths
from profiler.builds.onnx_static.lengths import DECODE, PREFILL, Lengths

OPSETS = range(7, 27)
KV_TYPES = {1: "f32", 10: "f16", 16: "bf16", 3: "int8", 2: "int8"}
KV_BYTES = {"f32": 4, "f16": 2, "bf16": 2, "int8": 1}
DOMAINS = ("ai.onnx", "com.microsoft", "ai.onnx.ml", "com.microsoft.nchwc", "")
PLACES = ("model.onnx", "decoder_model_merged.onnx", "decoder_model.onnx", "onnx/model.onnx")
"""Where layouts keep the model: edgeprof and Optimum, older Optimum, Transformers.js."""


class OnnxModel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A language model in an ONNX folder. `format` is "onnx-genai" where GenAI can load it, "onnx-static" for a pair of
    graphs of fixed `lengths`, else "onnx".

    `kinds` has the number of weights in matrices by how they are stored.
    """

    name: str
    layout: str
    format: str
    graph: str
    size_bytes: int
    architecture: str | None
    parameters: int
    weights_bytes: int
    bits_per_weight: float
    weights_read_per_token: int
    bits_read_per_weight: float
    kv_elements_per_token: int
    kv_type: str
    layers: int
    context_length: int | None
    vocabulary: int | None
    quantization: str
    attention: str
    opset: int
    tokenizer: bool
    kinds: dict[str, int]
    lengths: Lengths | None = None

    def read_bytes_per_token(self, depth: int = 0) -> float:
        """Bytes read to decode one token after `depth` others: the weights it touches, and the cache."""
        return self.weights_read_per_token + depth * self.kv_elements_per_token * KV_BYTES[self.kv_type]


def read_folder(path: Path) -> OnnxModel:
    """The model in a folder, or of one .onnx file in it. Raises BadModelFile, one sentence."""
    folder = folder_of(path)
    genai = onnx_config.read_config(folder, "genai_config.json")
    config = onnx_config.read_config(folder, "config.json")
    graph_path = _graph(path, folder, genai)
    relative = graph_path.absolute().relative_to(folder.absolute()).as_posix()
    name = shown(f"{folder.resolve().name}/{relative}")
    graph = read_graph(graph_path)
    past = _checked(graph, name)
    head = past[0].shape[3] or onnx_config.head_size(genai, config)
    if head is None:
        raise BadModelFile(f"{name}: does not say how long a key is; export the model again.")
    size = graph_path.stat().st_size + _data_bytes(graph, graph_path.parent, name)
    is_genai = _filename(genai) == relative
    lengths = read_lengths(folder, graph, name) if _is_of_pair(folder, relative) else None
    return OnnxModel(
        name=folder.resolve().name,
        layout=_layout(folder, relative, is_genai),
        format=_format(is_genai, lengths),
        graph=relative,
        size_bytes=size,
        architecture=onnx_config.architecture(genai, config),
        parameters=graph.parameters,
        weights_bytes=graph.weights_bytes,
        bits_per_weight=graph.weights_bytes * 8 / graph.parameters,
        weights_read_per_token=graph.read_bytes,
        bits_read_per_weight=graph.read_bytes * 8 / graph.read_weights,
        kv_elements_per_token=sum((item.shape[1] or 0) * (item.shape[3] or head) for item in past),
        kv_type=KV_TYPES[past[0].type],
        layers=len(past) // 2,
        context_length=lengths.context if lengths else onnx_config.context_length(genai, config),
        vocabulary=onnx_config.vocabulary(genai, config),
        quantization=_label(graph),
        attention="GroupQueryAttention" if "GroupQueryAttention" in graph.operators else "plain operators",
        opset=graph.opsets.get("ai.onnx", 0),
        tokenizer=(folder / "tokenizer.json").is_file(),
        kinds=graph.kinds,
        lengths=lengths,
    )


def _format(is_genai: bool, lengths: Lengths | None) -> str:
    return "onnx-static" if lengths else "onnx-genai" if is_genai else "onnx"


def _is_of_pair(folder: Path, graph: str) -> bool:
    return graph in (PREFILL, DECODE) and is_static(folder)


def folder_of(path: Path) -> Path:
    """The folder that a path belongs to. Transformers.js keeps its graphs one level below everything else."""
    if is_folder(path):
        return path
    parent = path.absolute().parent
    is_below = parent.name == "onnx" and is_file(parent.parent / "config.json")
    return parent.parent if is_below else path.parent


def _graph(path: Path, folder: Path, genai: dict[str, Any]) -> Path:
    """The graph that is meant: the file named, GenAI's own, one of the known places, or the only one.

    Of a pair of fixed lengths it is the graph of one token, which tells what a token takes.
    """
    if not is_folder(path):
        return folder / DECODE if _is_of_pair(folder, path.name) else path
    named = _filename(genai)
    if named is not None:
        return _inside(folder, named, f"{shown_name(folder)}/genai_config.json")
    if is_static(folder):
        return folder / DECODE
    for place in PLACES:
        if (folder / place).is_file():
            return folder / place
    found = sorted([*folder.glob("*.onnx"), *folder.glob("onnx/*.onnx")])
    if len(found) == 1:
        return found[0]
    if not found:
        raise BadModelFile(
            f"{shown(folder.resolve().name)}: is a folder without an ONNX graph; "
            "give a GGUF file, or a folder with model.onnx."
        )
    names = ", ".join(shown(file.relative_to(folder).as_posix()) for file in found[:8])
    raise BadModelFile(f"{shown_name(folder)}: has several graphs ({names}); name the one to use.")


def _inside(folder: Path, name: str, where: str) -> Path:
    """`name` below `folder`. The name alone decides: a link that the user made may lead elsewhere."""
    parts = PurePosixPath(name.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or not parts.parts or "\0" in name or ":" in name:
        raise BadModelFile(
            f"{where}: names the file {shown(name)} outside its folder; export the model again."
        )
    return folder / parts


def _checked(graph: OnnxGraph, name: str) -> list[Value]:
    """The cache inputs of a graph that is a decoder we can drive."""
    _refuse_versions(graph, name)
    inputs = {item.name for item in graph.inputs}
    if "input_ids" not in inputs or "logits" not in graph.outputs:
        raise BadModelFile(
            f"{name}: has no input_ids or no logits, so it is not a language model; name its decoder."
        )
    if "use_cache_branch" in inputs:
        raise BadModelFile(
            f"{name}: is a merged decoder (use_cache_branch), which is not run; export it as one graph with past."
        )
    past = [item for item in graph.inputs if PAST.match(item.name)]
    if not past:
        raise BadModelFile(
            f"{name}: has no cache inputs (past_key_values.0.key); export it with past (text-generation-with-past)."
        )
    for item in past:
        if item.type not in KV_TYPES or len(item.shape) != 4 or not item.shape[1]:
            raise BadModelFile(
                f"{name}: its cache input {shown(item.name)} is not (batch, heads, length, size) of a known type; "
                "export the model again."
            )
    if not graph.parameters or not graph.read_weights:
        raise BadModelFile(f"{name}: has no weights; export the model again.")
    return past


def _refuse_versions(graph: OnnxGraph, name: str) -> None:
    opset = graph.opsets.get("ai.onnx", 0)
    if opset not in OPSETS:
        raise BadModelFile(
            f"{name}: its opset is {opset}; accepted: {OPSETS.start} to {OPSETS.stop - 1}; export the model again."
        )
    if "EPContext" in graph.operators:
        raise BadModelFile(
            f"{name}: was compiled for one accelerator (EPContext); use the build it was made from."
        )
    foreign = [domain for domain in graph.domains if domain not in DOMAINS]
    if foreign:
        raise BadModelFile(
            f"{name}: needs operators of {shown(foreign[0])}, which no provider here has; export it without them."
        )


def _data_bytes(graph: OnnxGraph, folder: Path, name: str) -> int:
    """Bytes of the files of weights, each inside the folder, there, and long enough."""
    total = 0
    for data in graph.data:
        path = _inside(folder, data.location, name)
        if not is_file(path):
            raise BadModelFile(
                f"{name}: its file of weights {shown(data.location)} is not there; fetch it too."
            )
        size = path.stat().st_size
        if size < data.end:
            raise BadModelFile(
                f"{name}: its file of weights {shown(data.location)} has {size} bytes, not {data.end}; fetch it again."
            )
        total += size
    return total


def _layout(folder: Path, graph: str, is_genai: bool) -> str:
    made = manifest.read(folder)
    if made is not None and made.via == "direct":
        return "edgeprof"
    if is_genai:
        return "genai"
    if graph.startswith("onnx/") or folder.name == "onnx":
        return "transformers.js"
    return "optimum" if (folder / "config.json").is_file() else "plain"


def _label(graph: OnnxGraph) -> str:
    """The kinds of weights by size, the largest first."""
    total = sum(graph.kinds.values()) or 1
    kinds = sorted(graph.kinds, key=lambda kind: -graph.kinds[kind])
    return " + ".join(kind for kind in kinds if graph.kinds[kind] >= 0.02 * total) or "float32"


def _filename(genai: dict[str, Any]) -> str | None:
    return onnx_config.text(onnx_config.decoder_of(genai).get("filename"))
