"""The architectures that the direct writer knows. A new one is a module like `llama` and one line here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import MappingProxyType

import msgspec

from profiler.builds import metadata
from profiler.builds.gguf import GgufHeader
from profiler.builds.model_file import BadModelFile, shown
from profiler.builds.onnx_direct import llama
from profiler.builds.onnx_direct.graph import Graph
from profiler.builds.onnx_direct.matrices import Matrices, Part
from profiler.builds.onnx_direct.shape import Shape
from profiler.builds.onnx_direct.source import Source

Matrix = tuple[str, list[Part], int]
"""The name under which matrices are stored if fused (empty: never), the parts, and their columns."""


class Architecture(msgspec.Struct, frozen=True, kw_only=True):
    """The graph function, and all tensors it uses: matrices, vectors (GGUF name, stored name), optional ones."""

    write: Callable[[Shape, Source, Graph, Matrices], None]
    matrices: Callable[[Shape], Iterator[Matrix]]
    vectors: Callable[[Shape], Iterator[tuple[str, str]]]
    optional: tuple[str, ...] = ()


ARCHITECTURES = MappingProxyType(
    {
        "llama": Architecture(
            write=llama.write_llama,
            matrices=llama.stored_as,
            vectors=llama.stored_vectors,
            optional=("rope_freqs.weight",),
        )
    }
)


def architecture_of(header: GgufHeader) -> Architecture:
    """The architecture of a file. Raises BadModelFile for one that is not known."""
    name = metadata.text(header, "general.architecture") or "nothing"
    if name not in ARCHITECTURES:
        raise BadModelFile(
            f"{header.file_name}: its architecture is {shown(name)}; the direct writer knows "
            f"{', '.join(ARCHITECTURES)}; use --via genai or --via optimum."
        )
    return ARCHITECTURES[name]


def check_tensors(found: Architecture, shape: Shape, source: Source) -> None:
    """Every tensor that the graph needs is there and can be carried over, and no other is in the file."""
    known = set(found.optional)
    for _, parts, columns in found.matrices(shape):
        for part in parts:
            source.find(part.tensor, columns, part.rows)
            known.add(part.tensor)
    for name, _ in found.vectors(shape):
        source.find(name, shape.embedding)
        known.add(name)
    for name in source.tensors:
        if name not in known:
            raise BadModelFile(
                f"{source.header.file_name}: has the tensor {shown(name)}, which no graph of this architecture has; "
                "use --via genai."
            )
