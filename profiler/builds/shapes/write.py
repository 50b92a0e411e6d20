"""Writes a GGUF file of random weights at the speed of the disk, without holding the model in memory."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import IO
from zlib import crc32

import numpy as np
from numpy.random import default_rng  # now: an interrupt while it is first imported is swallowed

from profiler.builds.gguf import DEFAULT_ALIGNMENT
from profiler.builds.gguf_types import TensorType
from profiler.builds.model_file import shown_name
from profiler.builds.shapes.header import Tensor, Value, data_bytes, header_bytes
from profiler.builds.shapes.random_blocks import random_blocks
from profiler.errors import UserError

POOL_BYTES = 8 << 20
BIAS_SPREAD = 0.02

Progress = Callable[[str, int, int], None]
"""Called with what is written, the bytes done and all bytes."""


def write_random(
    path: Path,
    metadata: Mapping[str, Value],
    tensors: list[Tensor],
    known: Mapping[str, bytes],
    progress: Progress,
) -> None:
    """A file of these tensors at `path`: the data of `known` ones, random weights for all others.

    Raises `UserError` if there is a file or too little room; nothing is left behind when it ends early.
    """
    head = header_bytes(metadata, tensors)
    total = len(head) + data_bytes(tensors)
    with _aside(path, total) as file:
        file.write(head)
        pools: dict[tuple[str, int], memoryview] = {}
        for tensor in tensors:
            progress(f"writing {shown_name(path)}", file.tell(), total)
            for part in _data(tensor, known, pools):
                file.write(part)
            file.write(b"\0" * (-tensor.bytes % DEFAULT_ALIGNMENT))


@contextmanager
def _aside(path: Path, total: int) -> Iterator[IO[bytes]]:
    """A new file beside `path` that takes its place when all is written, and is removed when it is not."""
    if os.path.lexists(path):
        raise UserError(f"{path} exists: choose another file with -o, or remove it")
    unfinished = path.with_name(f".edgeprof-{token_hex(8)}.part")
    try:
        free = shutil.disk_usage(path.absolute().parent).free
        if total > free:
            raise UserError(
                f"{path} takes {_gib(total)} and {_gib(free)} are free: choose another disk with -o"
            )
        with unfinished.open("xb") as file:
            yield file
        unfinished.rename(path)
    except OSError as error:
        raise UserError(
            f"{path} cannot be written ({error.strerror}): choose another place with -o"
        ) from None
    finally:
        unfinished.unlink(missing_ok=True)


def _data(
    tensor: Tensor, known: Mapping[str, bytes], pools: dict[tuple[str, int], memoryview]
) -> Iterator[bytes | memoryview]:
    """The data of a tensor in parts. Matrices of one type and width share a pool, each from a place of its own."""
    if tensor.name in known:
        yield known[tensor.name]
    elif len(tensor.shape) == 1 or not tensor.name.endswith(".weight"):
        yield _vector(tensor)
    else:
        key = (tensor.type_name, tensor.shape[0])
        if key not in pools:
            pools[key] = _pool(tensor.type, tensor.shape[0])
        yield from _tiled(pools[key], tensor)


def _pool(kind: TensorType, columns: int) -> memoryview:
    """Random blocks. Their number is odd, so that experts, whose sizes are even, do not repeat each other."""
    draw = default_rng(crc32(f"{kind.name} {columns}".encode()))
    return random_blocks(kind, columns, POOL_BYTES // kind.block_bytes | 1, draw).data.cast("B")


def _tiled(pool: memoryview, tensor: Tensor) -> Iterator[memoryview]:
    block = tensor.type.block_bytes
    start = crc32(tensor.name.encode()) % (len(pool) // block) * block
    left = tensor.bytes
    while left:
        part = pool[start : start + left]
        yield part
        left -= len(part)
        start = 0


def _vector(tensor: Tensor) -> memoryview:
    """Norms are ones; biases and the like small and random."""
    count = math.prod(tensor.shape)
    if "norm" in tensor.name:
        return np.ones(count, "<f4").data.cast("B")
    draw = default_rng(crc32(tensor.name.encode()))
    return (draw.standard_normal(count) * BIAS_SPREAD).astype("<f4").data.cast("B")


def _gib(count: int) -> str:
    return f"{count / 2**30:.2f} GiB"
