"""The weights of a written build, as its own graph and data file say them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from profiler.builds.onnx_direct.blocks import Codes, Floats, unpacked, weights
from profiler.builds.onnx_direct.data_file import NAME

_HOLDS_CODES = {"MatMulNBits": 1, "GatherBlockQuantized": 0}


class Stored:
    """Matrices and vectors by the names that the writer gave them."""

    def __init__(self, folder: Path, graph: str) -> None:
        model = onnx.load(str(folder / graph), load_external_data=False)
        self._data = np.memmap(folder / NAME, np.uint8, "r")
        self._tensors = {tensor.name: tensor for tensor in model.graph.initializer}
        self._bits: dict[str, int] = {}
        for node in model.graph.node:
            if node.op_type in _HOLDS_CODES:
                codes = node.input[_HOLDS_CODES[node.op_type]].rsplit(".", 1)[0]
                self._bits[codes] = next(item.i for item in node.attribute if item.name == "bits")

    def __contains__(self, name: str) -> bool:
        return name in self._tensors or f"{name}.codes" in self._tensors

    def rows(self, name: str, first: int, last: int) -> Floats:
        """Rows of a matrix as float32, computed from the codes, scales and offsets in the file."""
        if f"{name}.codes" not in self._tensors:
            return np.asarray(self._array(name)[first:last], np.float32)
        bits, scales = self._bits[name], self._array(f"{name}.scales")[first:last]
        packed = self._array(f"{name}.codes")[first:last].reshape(last - first, -1)
        zeros = offsets = None
        if f"{name}.offsets" in self._tensors:
            offsets = self._array(f"{name}.offsets")[:, first:last].T
            zeros = unpacked(self._array(f"{name}.zeros")[first:last], bits)[:, : scales.shape[1]]
        found = unpacked(np.asarray(packed), bits)
        return weights(Codes(codes=found, scales=np.asarray(scales), zeros=zeros, offsets=offsets), bits)

    def vector(self, name: str) -> Floats:
        """A vector of floats."""
        return np.asarray(self._array(name), np.float32)

    def _array(self, name: str) -> npt.NDArray[Any]:
        tensor = self._tensors[name]
        place = {entry.key: entry.value for entry in tensor.external_data}
        start, length = int(place["offset"]), int(place["length"])
        dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
        return self._data[start : start + length].view(dtype).reshape(list(tensor.dims))
