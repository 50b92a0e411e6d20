"""The operators that a decoder is written with: ONNX Runtime's own fused ones, or those that every provider knows."""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np

from profiler.builds.onnx_direct.graph import Graph

Streams = tuple[str, str]
Sizes = tuple[int, int]
"""Rows and columns."""


class Operators(Protocol):
    """How formulas become nodes. Each method returns the names of its results; `at` begins the names of its nodes."""

    opset: int
    """The version of ONNX's own operators."""

    def norm(self, graph: Graph, x: str, weight: str, epsilon: float, at: str) -> str:
        """x over the root of the mean of its squares along the last axis, times `weight`."""

    def added_and_normed(
        self, graph: Graph, streams: Streams, weight: str, epsilon: float, at: str
    ) -> Streams:
        """The sum of both, and its norm."""

    def silu(self, graph: Graph, x: str, at: str) -> str:
        """x * sigmoid(x)."""

    def gelu(self, graph: Graph, x: str, at: str) -> str:
        """x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) / 2."""

    def product(self, graph: Graph, x: str, matrix: str, bias: list[str], sizes: Sizes, name: str) -> str:
        """x times the transpose of a matrix of floats of these sizes, and a bias if there is one."""

    def product_of_blocks(
        self, graph: Graph, x: str, blocks: list[str], bias: list[str], how: dict[str, int], name: str
    ) -> str:
        """The same for a matrix in blocks: its codes, scales, and zeros if there are some; `how` they are stored."""

    def product_added(self, graph: Graph, x: str, matrix: str, to: str, name: str) -> str:
        """x @ matrix + to."""


class Fused:
    """Opset 21 and ONNX Runtime's contributed operators: the fewest nodes on its CPU provider."""

    opset = 21

    def norm(self, graph: Graph, x: str, weight: str, epsilon: float, at: str) -> str:
        return graph.node(
            "SimplifiedLayerNormalization", [x, weight], at, axis=-1, epsilon=epsilon, stash_type=1
        )

    def added_and_normed(
        self, graph: Graph, streams: Streams, weight: str, epsilon: float, at: str
    ) -> Streams:
        outputs = [f"{at}/normed", "", "", f"{at}/stream"]
        graph.nodes_of("SkipSimplifiedLayerNormalization", [*streams, weight], outputs, at, epsilon=epsilon)
        return outputs[3], outputs[0]

    def silu(self, graph: Graph, x: str, at: str) -> str:
        return graph.node("QuickGelu", [x], at, alpha=1.0)

    def gelu(self, graph: Graph, x: str, at: str) -> str:
        return graph.node("FastGelu", [x], at)

    def product(self, graph: Graph, x: str, matrix: str, bias: list[str], _: Sizes, name: str) -> str:
        return graph.node("Gemm", [x, matrix, *bias], name, transB=1)

    def product_of_blocks(
        self, graph: Graph, x: str, blocks: list[str], bias: list[str], how: dict[str, int], name: str
    ) -> str:
        rest = [*([""] * (3 - len(blocks))), "", *bias] if bias else []
        return graph.node("MatMulNBits", [x, *blocks, *rest], name, **how)

    def product_added(self, graph: Graph, x: str, matrix: str, to: str, name: str) -> str:
        return graph.node("Gemm", [x, matrix, to], name)


class Plain:
    """Opset 23 alone, beside the MatMulNBits of quantized matrices, which accelerators take of (1, tokens, width)."""

    opset = 23

    def norm(self, graph: Graph, x: str, weight: str, epsilon: float, at: str) -> str:
        return graph.node("RMSNormalization", [x, weight], at, axis=-1, epsilon=epsilon)

    def added_and_normed(
        self, graph: Graph, streams: Streams, weight: str, epsilon: float, at: str
    ) -> Streams:
        stream = graph.node("Add", streams, f"{at}/stream")
        return stream, self.norm(graph, stream, weight, epsilon, f"{at}/normed")

    def silu(self, graph: Graph, x: str, at: str) -> str:
        return graph.node("Mul", [x, graph.node("Sigmoid", [x], f"{at}/sigmoid")], at)

    def gelu(self, graph: Graph, x: str, at: str) -> str:
        numbers = {
            "gelu_cubic": 0.044715,
            "gelu_root": math.sqrt(2 / math.pi),
            "gelu_one": 1.0,
            "gelu_half": 0.5,
        }
        for name, value in numbers.items():
            graph.constant(name, np.array(value, np.float32))
        square = graph.node("Mul", [x, x], f"{at}/square")
        cubic = graph.node("Mul", [square, "gelu_cubic"], f"{at}/cubic")
        grown = graph.node("Mul", [x, graph.node("Add", [cubic, "gelu_one"], f"{at}/growth")], f"{at}/grown")
        bent = graph.node("Tanh", [graph.node("Mul", [grown, "gelu_root"], f"{at}/angle")], f"{at}/bent")
        share = graph.node("Add", [bent, "gelu_one"], f"{at}/share")
        return graph.node("Mul", [x, graph.node("Mul", [share, "gelu_half"], f"{at}/half")], at)

    def product(self, graph: Graph, x: str, matrix: str, bias: list[str], sizes: Sizes, name: str) -> str:
        rows, columns = sizes
        graph.constant(f"rows_of_{columns}", np.array([-1, columns], np.int64))
        graph.constant(f"tokens_of_{rows}", np.array([1, -1, rows], np.int64))
        flat = graph.node("Reshape", [x, f"rows_of_{columns}"], f"{name}/flat")
        found = graph.node("Gemm", [flat, matrix, *bias], f"{name}/rows", transB=1)
        return graph.node("Reshape", [found, f"tokens_of_{rows}"], name)

    def product_of_blocks(
        self, graph: Graph, x: str, blocks: list[str], bias: list[str], how: dict[str, int], name: str
    ) -> str:
        if not bias:
            return graph.node("MatMulNBits", [x, *blocks], name, **how)
        return graph.node(
            "Add", [graph.node("MatMulNBits", [x, *blocks], f"{name}/blocks", **how), *bias], name
        )

    def product_added(self, graph: Graph, x: str, matrix: str, to: str, name: str) -> str:
        return graph.node("Add", [graph.node("MatMul", [x, matrix], f"{name}/product"), to], name)
