"""What every part of a decoder is written with."""

from __future__ import annotations

import msgspec

from profiler.builds.onnx_direct.architectures import Architecture
from profiler.builds.onnx_direct.graph import Graph
from profiler.builds.onnx_direct.matrices import Matrices
from profiler.builds.onnx_direct.operators import Operators
from profiler.builds.onnx_direct.shape import Shape
from profiler.builds.onnx_direct.source import Source


class Writing(msgspec.Struct, frozen=True):
    """One model on its way from its file into a graph."""

    architecture: Architecture
    shape: Shape
    source: Source
    graph: Graph
    matrices: Matrices
    operators: Operators
