"""The data file beside a graph: tensors written one after the other, none of them held as a whole."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import onnx

ALIGNMENT = 64
NAME = "model.onnx.data"

Array = npt.NDArray[np.generic]

_ONNX_TYPES = {"uint8": onnx.TensorProto.UINT8, "float32": onnx.TensorProto.FLOAT}


class DataFile:
    """Appends tensors; remembers for each what the graph must say of it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.tensors: dict[str, onnx.TensorProto] = {}

    def add(self, name: str, dtype: str, shape: tuple[int, ...], parts: Iterable[Array]) -> None:
        """A tensor of this shape from parts that follow each other in memory order; once for each name."""
        if name in self.tensors:
            return
        start = -(-self._file.tell() // ALIGNMENT) * ALIGNMENT
        self._file.write(bytes(start - self._file.tell()))
        for part in parts:
            self._file.write(np.ascontiguousarray(part, dtype).data)
        length = self._file.tell() - start
        if length != math.prod(shape) * np.dtype(dtype).itemsize:
            raise AssertionError(f"{name}: {length} bytes written for shape {shape}")
        self.tensors[name] = _external(name, dtype, shape, start, length)

    def alias(self, name: str, of: str, shape: tuple[int, ...]) -> None:
        """The bytes of tensor `of` again, under another name and shape."""
        tensor = onnx.TensorProto()
        tensor.CopyFrom(self.tensors[of])
        tensor.name = name
        tensor.ClearField("dims")
        tensor.dims.extend(shape)
        self.tensors[name] = tensor


def _external(name: str, dtype: str, shape: tuple[int, ...], offset: int, length: int) -> onnx.TensorProto:
    tensor = onnx.TensorProto(
        name=name,
        data_type=_ONNX_TYPES[dtype],
        dims=shape,
        data_location=onnx.TensorProto.EXTERNAL,
    )
    for key, value in (("location", NAME), ("offset", offset), ("length", length)):
        tensor.external_data.add(key=key, value=str(value))
    return tensor
