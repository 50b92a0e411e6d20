"""A GGUF file as an ONNX folder of two graphs with fixed lengths and equal weight values."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType

from profiler.builds import metadata
from profiler.builds.describe import describe
from profiler.builds.model_file import BadModelFile
from profiler.builds.onnx_direct.blocks import CARRIED
from profiler.builds.onnx_direct.data_file import NAME, DataFile
from profiler.builds.onnx_direct.graph import Graph
from profiler.builds.onnx_direct.matrices import Matrices
from profiler.builds.onnx_direct.operators import Plain
from profiler.builds.onnx_direct.shape import Shape
from profiler.builds.onnx_direct.tokenizer import write_tokenizer
from profiler.builds.onnx_direct.write import SERVED_LEVEL, OnProgress, Written, carried
from profiler.builds.onnx_direct.writing import Writing
from profiler.builds.onnx_static.decoder import write_decoder
from profiler.builds.onnx_static.lengths import DECODE, PREFILL, Lengths

WEIGHTS = MappingProxyType(
    {"int4": {name: kind for name, kind in CARRIED.items() if kind.bits == 4}, "float": {}}
)
"""Which types keep their blocks; all others become float32, with the same values."""


def write(
    source: Path,
    folder: Path,
    lengths: Lengths,
    weights: str,
    on_progress: OnProgress,
    level: int = SERVED_LEVEL,
) -> Written:
    """Write both graphs, their one file of weights, and the tokenizer of `source` into `folder`, which is empty.

    `weights` is a name of `WEIGHTS`; `level` the accuracy of MatMulNBits on a CPU, as in a build of varying lengths.
    Raises BadModelFile, before anything large is written, for what cannot be carried over unchanged.
    """
    header, architecture, shape, tensors = carried(source, on_progress)
    _check(lengths, shape, header.file_name)
    write_tokenizer(source, header, folder)
    name = metadata.text(header, "general.architecture") or ""
    with (folder / NAME).open("wb") as file:
        data = DataFile(file)
        for graph_name, tokens in ((PREFILL, lengths.chunk), (DECODE, 1)):
            graph = Graph(data, name, Plain.opset)
            matrices = Matrices(tensors, graph, Plain(), WEIGHTS[weights])
            write_decoder(
                Writing(architecture, shape, tensors, graph, matrices, Plain()), tokens, lengths.past
            )
            graph.save(folder / graph_name, level)
    return Written(gguf_bits_read_per_weight=describe(header).bits_read_per_weight)


def _check(lengths: Lengths, shape: Shape, name: str) -> None:
    """Raises BadModelFile unless the model of the file `name` can be written for these lengths."""
    if lengths.context > shape.context:
        raise BadModelFile(
            f"{name}: --past {lengths.past} is beyond its context of {shape.context} tokens; "
            f"accepted: up to {shape.context - 1}."
        )
    if lengths.chunk > lengths.context:
        raise BadModelFile(
            f"{name}: --chunk {lengths.chunk} is longer than the context of --past {lengths.past} and one token; "
            f"accepted: up to {lengths.context}."
        )
    narrowest = min((window for window in shape.windows if window is not None), default=lengths.context)
    if narrowest < lengths.context:
        raise BadModelFile(
            f"{name}: has layers that attend to {narrowest} tokens, which a static build does not leave out; "
            f"use --past {narrowest - 1} or less."
        )
