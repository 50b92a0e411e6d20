"""A GGUF file as an ONNX folder with equal weight values, written without torch and without a download."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import msgspec

from profiler.builds import metadata
from profiler.builds.describe import describe
from profiler.builds.gguf import GgufHeader, read_header
from profiler.builds.onnx_direct.architectures import Architecture, architecture_of
from profiler.builds.onnx_direct.data_file import NAME, DataFile
from profiler.builds.onnx_direct.decoder import write_decoder
from profiler.builds.onnx_direct.genai_config import genai_config
from profiler.builds.onnx_direct.graph import Graph
from profiler.builds.onnx_direct.matrices import Matrices
from profiler.builds.onnx_direct.operators import Fused
from profiler.builds.onnx_direct.shape import Shape, read_shape
from profiler.builds.onnx_direct.source import Source, opened
from profiler.builds.onnx_direct.tensors import check_tensors
from profiler.builds.onnx_direct.tokenizer import write_tokenizer
from profiler.builds.onnx_direct.writing import Writing

GRAPH, EXACT_GRAPH = "model.onnx", "model_level0.onnx"
SERVED_LEVEL, EXACT_LEVEL = 4, 0
"""int8 activations, as llama.cpp has them, and float32 ones for checking."""

OnProgress = Callable[[str, int, int], None]


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """What was carried over, in bits read per weight of the source."""

    gguf_bits_read_per_weight: float


def write(source: Path, folder: Path, on_progress: OnProgress) -> Written:
    """Write graph, weights, tokenizer and configuration of `source` into `folder`, which is empty.

    Raises BadModelFile, before anything large is written, for what cannot be carried over unchanged.
    """
    header, architecture, shape, tensors = carried(source, on_progress)
    write_tokenizer(source, header, folder)
    with (folder / NAME).open("wb") as file:
        graph = Graph(DataFile(file), metadata.text(header, "general.architecture") or "", Fused.opset)
        matrices = Matrices(tensors, graph, Fused())
        write_decoder(Writing(architecture, shape, tensors, graph, matrices, Fused()))
    graph.save(folder / GRAPH, SERVED_LEVEL)
    graph.save(folder / EXACT_GRAPH, EXACT_LEVEL)
    _save_json(folder / "genai_config.json", genai_config(architecture.genai_type, shape, header, GRAPH))
    return Written(gguf_bits_read_per_weight=describe(header).bits_read_per_weight)


def check(source: Path) -> None:
    """Raises BadModelFile for what cannot be carried over unchanged, by the header alone: the data may be a hole."""
    carried(source, lambda _what, _done, _total: None)


def carried(source: Path, on_progress: OnProgress) -> tuple[GgufHeader, Architecture, Shape, Source]:
    """What a file is written with: all of it is there and can be carried over. Raises BadModelFile otherwise."""
    header = read_header(source)
    architecture = architecture_of(header)
    shape = read_shape(header, architecture)
    tensors = opened(source, header, on_progress)
    check_tensors(architecture, shape, tensors)
    return header, architecture, shape, tensors


def _save_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
