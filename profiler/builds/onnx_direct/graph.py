"""An ONNX graph as it grows: nodes, inputs, outputs, small constants, and weights in the data file."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from profiler import __version__
from profiler.builds.onnx_direct.data_file import DataFile

CONTRIBUTED = 1
IR_VERSIONS = {21: 10, 23: 11}
"""The format of a file that holds operators of this opset."""

STANDARD = frozenset(
    {
        "Add",
        "Cast",
        "Concat",
        "Div",
        "Gather",
        "Gemm",
        "MatMul",
        "Mul",
        "RMSNormalization",
        "ReduceSum",
        "Reshape",
        "Shape",
        "Sigmoid",
        "Slice",
        "Softmax",
        "Split",
        "Sub",
        "Tanh",
        "Transpose",
    }
    | {"SimplifiedLayerNormalization", "Unsqueeze"}
)
"""Operators of the domain ai.onnx; all others are ONNX Runtime's own, of com.microsoft."""

_TYPES = {
    "int64": onnx.TensorProto.INT64,
    "int32": onnx.TensorProto.INT32,
    "float32": onnx.TensorProto.FLOAT,
}


class Graph:
    """Nodes in the order of their making."""

    def __init__(self, data: DataFile, name: str, opset: int) -> None:
        self.data, self._name, self._opset = data, name, opset
        self._nodes: list[onnx.NodeProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}

    def node(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        """A node with one output, which is returned and names it."""
        self.nodes_of(kind, inputs, [output], output, **attributes)
        return output

    def nodes_of(
        self, kind: str, inputs: Sequence[str], outputs: Sequence[str], name: str, **attributes: Any
    ) -> None:
        """A node with any number of outputs; empty names are those not wanted."""
        if kind == "Cast":
            attributes["to"] = _TYPES[attributes["to"]]
        domain = "" if kind in STANDARD else "com.microsoft"
        self._nodes.append(
            helper.make_node(kind, inputs, outputs, name=f"{name}/{kind}", domain=domain, **attributes)
        )

    def input(self, name: str, dtype: str, shape: Sequence[int | str]) -> None:
        """An input of the graph; text stands for a length that varies."""
        self._inputs.append(helper.make_tensor_value_info(name, _TYPES[dtype], shape))

    def output(self, name: str, dtype: str, shape: Sequence[int | str]) -> None:
        """An output of the graph."""
        self._outputs.append(helper.make_tensor_value_info(name, _TYPES[dtype], shape))

    def constant(self, name: str, value: npt.NDArray[np.int64 | np.float32]) -> None:
        """A small constant within the graph; a name given before stands for the same value."""
        self._constants.setdefault(name, numpy_helper.from_array(value, name))

    def vector(self, name: str, value: npt.NDArray[np.float32]) -> None:
        """Float weights that fit into memory as a whole."""
        self.data.add(name, "float32", value.shape, [value])

    def save(self, path: Path, accuracy_level: int) -> None:
        """Write the graph with every MatMulNBits at this accuracy level: 4 = int8 activations, 0 = float32."""
        nodes = [copy.deepcopy(node) for node in self._nodes]
        for node in nodes:
            if node.op_type == "MatMulNBits":
                node.attribute.append(helper.make_attribute("accuracy_level", accuracy_level))
        initializers = [*self._constants.values(), *self.data.tensors.values()]
        graph = helper.make_graph(nodes, self._name, self._inputs, self._outputs, initializers)
        opsets = [helper.make_opsetid("", self._opset), helper.make_opsetid("com.microsoft", CONTRIBUTED)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSIONS[self._opset])
        model.producer_name, model.producer_version = "edgeprof", __version__
        path.write_bytes(model.SerializeToString(deterministic=True))
