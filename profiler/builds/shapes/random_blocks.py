"""Random weights in the storage types of llama.cpp: random bits, with scales that keep activations sane.

Source of the layouts: the block structs in ggml-common.h. A matrix of `columns` columns has weights of standard
deviation 1 / sqrt(columns), so that what it makes of normalised activations is of size 1 again.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np
import numpy.typing as npt

from profiler.builds.gguf_types import TensorType

Bytes = npt.NDArray[np.uint8]


class Layout(msgspec.Struct, frozen=True):
    """Where a block has its float16 scale, and the standard deviation of its weights where that scale is 1.

    `minimum` is the place of a second float16, a multiple of the scale that makes the mean zero.
    """

    spread: float
    scale: int = 0
    minimum: tuple[int, float] | None = None


LAYOUTS = {
    "Q4_0": Layout(4.61),
    "Q4_1": Layout(4.61, minimum=(2, -7.5)),
    "Q5_0": Layout(9.23),
    "Q5_1": Layout(9.23, minimum=(2, -15.5)),
    "Q8_0": Layout(74.0),
    "Q2_K": Layout(13.9, 80, (82, 1.5)),
    "Q3_K": Layout(43.3, 108),
    "Q4_K": Layout(258, minimum=(2, 7.5)),
    "Q5_K": Layout(527, minimum=(2, 15.5)),
    "Q6_K": Layout(1366, 208),
    "IQ1_S": Layout(7.22),
    "IQ2_XXS": Layout(53.4),
    "IQ2_XS": Layout(55.8),
    "IQ2_S": Layout(56.3),
    "IQ3_XXS": Layout(141.9),
    "IQ3_S": Layout(140.1),
    "IQ4_NL": Layout(67.2),
    "IQ4_XS": Layout(1246),
    "TQ1_0": Layout(0.817, 52),
    "TQ2_0": Layout(1.118, 64),
    "Q1_0": Layout(1.0),
    "Q2_0": Layout(1.118),
}
IQ1_M_SPREAD, IQ1_M_SCALES = 7.20, 48
MXFP4_SPREAD, MXFP4_ONE = 5.85, 128
FLOATS = ("F32", "F16", "BF16")


def random_blocks(kind: TensorType, columns: int, count: int, draw: np.random.Generator) -> Bytes:
    """`count` blocks of weights for a matrix of `columns` columns, as bytes of shape (count, bytes of a block)."""
    spread = 1 / math.sqrt(columns)
    if kind.name in FLOATS:
        return _floats(kind.name, draw.standard_normal(count, np.float32) * np.float32(spread))
    found = draw.integers(0, 256, (count, kind.block_bytes), dtype=np.uint8)
    if kind.name == "MXFP4":
        found[:, 0] = MXFP4_ONE + round(math.log2(spread / MXFP4_SPREAD))
    elif kind.name == "IQ1_M":
        _set_in_nibbles(found[:, IQ1_M_SCALES:], spread / IQ1_M_SPREAD)
    else:
        _set_scales(found, LAYOUTS[kind.name], spread)
    return found


def _floats(name: str, values: npt.NDArray[np.float32]) -> Bytes:
    if name == "BF16":
        return (values.view(np.uint32) >> 16).astype("<u2").view(np.uint8).reshape(-1, 2)
    kind = "<f2" if name == "F16" else "<f4"
    return values.astype(kind).view(np.uint8).reshape(len(values), -1)


def _set_scales(blocks: Bytes, layout: Layout, spread: float) -> None:
    scale = spread / layout.spread
    blocks[:, layout.scale : layout.scale + 2] = _half(scale)
    if layout.minimum is not None:
        place, factor = layout.minimum
        blocks[:, place : place + 2] = _half(scale * factor)


def _set_in_nibbles(scales: Bytes, scale: float) -> None:
    """IQ1_M keeps the four nibbles of its scale in the high bits of its four 16-bit words of scales."""
    bits = int(_half(scale).view("<u2")[0])
    for word in range(4):
        high = scales[:, 2 * word + 1]
        scales[:, 2 * word + 1] = high & 0x0F | (bits >> 4 * word & 0x0F) << 4


def _half(value: float) -> Bytes:
    return np.array([value], "<f2").view(np.uint8)


def can_be_random(type_name: str) -> bool:
    """Whether random weights of this storage type can be made."""
    return type_name in LAYOUTS or type_name in (*FLOATS, "MXFP4", "IQ1_M")
