"""Which folder is a static build, and the lengths that its two graphs say themselves."""

from __future__ import annotations

from pathlib import Path

from profiler.builds.model_file import BadModelFile, is_file
from profiler.builds.onnx_child import PAST
from profiler.builds.onnx_reading import OnnxGraph, read_graph
from profiler.builds.onnx_static.lengths import DECODE, PREFILL, Lengths


def is_static(folder: Path) -> bool:
    """Whether both graphs of a static build are there."""
    return is_file(folder / PREFILL) and is_file(folder / DECODE)


def read_lengths(folder: Path, decode: OnnxGraph, name: str) -> Lengths:
    """The lengths of the build in `folder`, whose graph of one token is `decode`.

    Raises BadModelFile, with `name`, unless the lengths of both graphs are fixed and fit together.
    """
    prefill = read_graph(folder / PREFILL)
    (one, past), (chunk, same) = _lengths(decode), _lengths(prefill)
    if not past or not chunk or (one, same) != (1, past) or _cache(prefill) != _cache(decode):
        raise BadModelFile(
            f"{name}: {PREFILL} and {DECODE} are no pair of graphs of fixed lengths over one cache; "
            "build the folder again: edgeprof build onnx FILE.gguf --static."
        )
    return Lengths(chunk=chunk, past=past)


def _lengths(graph: OnnxGraph) -> tuple[int | None, int | None]:
    """New tokens and rows of the cache; None for what is not fixed, or not the same in all layers."""
    tokens = {item.shape[-1] for item in graph.inputs if item.name == "input_ids" and item.shape}
    rows = {item.shape[2] for item in graph.inputs if PAST.match(item.name) and len(item.shape) == 4}
    return (tokens.pop() if len(tokens) == 1 else None), (rows.pop() if len(rows) == 1 else None)


def _cache(graph: OnnxGraph) -> dict[str, list[int | None]]:
    return {item.name: item.shape for item in graph.inputs if PAST.match(item.name)}
