"""The tensors of a GGUF file, read in chunks of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import numpy as np

from profiler.builds.gguf import GgufHeader, TensorInfo
from profiler.builds.gguf_types import TENSOR_TYPES
from profiler.builds.model_file import BadModelFile, shown
from profiler.builds.onnx_direct.blocks import CARRIED, FLOATS, Bytes, Codes, Floats, floats, weights

CHUNK_BYTES = 2 << 20
_TYPES = {found.name: found for found in TENSOR_TYPES.values()}


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """An open GGUF file: tensors by name."""

    path: Path
    header: GgufHeader
    tensors: dict[str, TensorInfo]
    on_progress: Callable[[str, int, int], None]
    written: dict[str, int] = {}

    def find(self, name: str, *shape: int) -> TensorInfo:
        """The tensor of this name. Raises BadModelFile unless it is there in this shape (rows last)."""
        found = self.tensors.get(name)
        if found is None:
            raise BadModelFile(
                f"{self.header.file_name}: has no tensor {name}; fetch or convert the model again."
            )
        if found.shape != shape:
            seen, wanted = (" x ".join(map(str, item)) for item in (found.shape, shape))
            raise BadModelFile(
                f"{self.header.file_name}: tensor {name} is {seen}, and its metadata makes it {wanted}; "
                "convert the model again."
            )
        if found.type_name not in CARRIED and found.type_name not in FLOATS:
            raise BadModelFile(
                f"{self.header.file_name}: tensor {shown(name)} is {found.type_name}, which cannot be carried over "
                f"unchanged; accepted: {', '.join([*CARRIED, *FLOATS])}; quantize the model to one of them."
            )
        return found

    def codes(self, tensor: TensorInfo, heads: int | None = None) -> Iterator[Codes]:
        """A quantized tensor in chunks of rows; `heads` puts rows of rotary pairs into halves."""
        kind = CARRIED[tensor.type_name]
        for raw in self._ordered(tensor, heads):
            yield kind.read(raw.reshape(raw.shape[0], -1, _TYPES[tensor.type_name].block_bytes))

    def floats(self, tensor: TensorInfo, heads: int | None = None) -> Iterator[Floats]:
        """A tensor in chunks of rows, as float32 whatever its type."""
        if tensor.type_name in CARRIED:
            bits = CARRIED[tensor.type_name].bits
            yield from (weights(codes, bits) for codes in self.codes(tensor, heads))
            return
        for raw in self._ordered(tensor, heads):
            yield floats(raw, tensor.type_name)

    def vector(self, name: str, length: int) -> Floats:
        """A tensor of one row, as float32."""
        found = self.find(name, length)
        if found.type_name not in FLOATS:
            raise BadModelFile(
                f"{self.header.file_name}: tensor {name} is {found.type_name}; accepted: {', '.join(FLOATS)}; "
                "convert the model again."
            )
        first: Floats = next(self.floats(found))[0]
        return first

    def rows(self, tensor: TensorInfo, whole: int = 1) -> Iterator[Bytes]:
        """The bytes of a tensor in chunks of multiples of `whole` rows: shape (rows, bytes of a row)."""
        rows = tensor.shape[1] if len(tensor.shape) > 1 else 1
        row_bytes = tensor.bytes // rows
        step = max(1, CHUNK_BYTES // row_bytes // whole) * whole
        with self.path.open("rb") as file:
            file.seek(self.header.data_offset + tensor.offset)
            for first in range(0, rows, step):
                count = min(step, rows - first)
                yield np.fromfile(file, np.uint8, count * row_bytes).reshape(count, row_bytes)
        self.written[tensor.name] = tensor.bytes
        self.on_progress("writing weights", sum(self.written.values()), self.header.byte_size)

    def _ordered(self, tensor: TensorInfo, heads: int | None) -> Iterator[Bytes]:
        if heads is None:
            yield from self.rows(tensor)
            return
        head_rows = tensor.shape[1] // heads
        for raw in self.rows(tensor, head_rows):
            yield halves_together(raw, head_rows)


def pairs_again(rows: np.typing.NDArray[np.float32], head_rows: int) -> np.typing.NDArray[np.float32]:
    """What `halves_together` moved, back in its place."""
    heads = rows.shape[0] // head_rows
    return rows.reshape(heads, 2, head_rows // 2, -1).swapaxes(1, 2).reshape(rows.shape)


def halves_together(rows: Bytes, head_rows: int) -> Bytes:
    """Rows of whole heads, from pairs (0, 1), (2, 3), ... to the two halves that ONNX rotates against each other.

    Blocks lie along the columns, so whole rows move and no weight changes.
    """
    heads = rows.shape[0] // head_rows
    return rows.reshape(heads, head_rows // 2, 2, -1).swapaxes(1, 2).reshape(rows.shape)


def opened(path: Path, header: GgufHeader, on_progress: Callable[[str, int, int], None]) -> Source:
    """The tensors of the file that `header` was read from. `on_progress` gets bytes done and of the file."""
    tensors = {tensor.name: tensor for tensor in header.tensors}
    return Source(path=path, header=header, tensors=tensors, on_progress=on_progress)
