"""A GGUF file as an ONNX folder with equal weight values, written without torch and without a download."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType

import msgspec

from profiler.builds import metadata
from profiler.builds.describe import describe
from profiler.builds.gguf import read_header
from profiler.builds.model_file import BadModelFile, shown
from profiler.builds.onnx_direct.data_file import NAME, DataFile
from profiler.builds.onnx_direct.genai_config import genai_config
from profiler.builds.onnx_direct.graph import Graph
from profiler.builds.onnx_direct.llama import write_llama
from profiler.builds.onnx_direct.matrices import Matrices
from profiler.builds.onnx_direct.shape import Shape, read_shape
from profiler.builds.onnx_direct.source import Source, opened
from profiler.builds.onnx_direct.tokenizer import write_tokenizer

GRAPH, EXACT_GRAPH = "model.onnx", "model_level0.onnx"
SERVED_LEVEL, EXACT_LEVEL = 4, 0
"""int8 activations, as llama.cpp has them, and float32 ones for checking."""

ARCHITECTURES: MappingProxyType[str, Callable[[Shape, Source, Graph, Matrices], None]] = MappingProxyType(
    {"llama": write_llama}
)
"""The graph function of each architecture."""

OnProgress = Callable[[str, int, int], None]


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """What was carried over, in bits read per weight of the source."""

    gguf_bits_read_per_weight: float


def write(source: Path, folder: Path, on_progress: OnProgress) -> Written:
    """Write graph, weights, tokenizer and configuration of `source` into `folder`, which is empty.

    Raises BadModelFile, before anything large is written, for what cannot be carried over unchanged.
    """
    header = read_header(source)
    architecture = metadata.text(header, "general.architecture") or "nothing"
    if architecture not in ARCHITECTURES:
        raise BadModelFile(
            f"{header.file_name}: its architecture is {shown(architecture)}; the direct writer knows "
            f"{', '.join(ARCHITECTURES)}; use --via genai or --via optimum."
        )
    shape = read_shape(header)
    tensors = opened(source, header, on_progress)
    write_tokenizer(source, header, folder)
    with (folder / NAME).open("wb") as file:
        graph = Graph(DataFile(file))
        ARCHITECTURES[architecture](shape, tensors, graph, Matrices(tensors, graph))
    _refuse_unused(tensors)
    graph.save(folder / GRAPH, SERVED_LEVEL)
    graph.save(folder / EXACT_GRAPH, EXACT_LEVEL)
    _save_json(folder / "genai_config.json", genai_config(shape, header, GRAPH))
    return Written(gguf_bits_read_per_weight=describe(header).bits_read_per_weight)


def _refuse_unused(source: Source) -> None:
    """Every tensor of the file is in the graph: a bias left out would make another model of it."""
    unused = source.unused()
    if unused:
        raise BadModelFile(
            f"{source.header.file_name}: has the tensor {shown(unused[0])}, which no llama graph has; use --via genai."
        )


def _save_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
