"""Random weights in the storage types of llama.cpp: random bits, with scales that keep activations sane.

Scales differ from block to block as those of a model do. llama.cpp looks float16 scales up in a table of 256 KiB: were
they all equal, each would be found in the fastest cache, and a shape of many small blocks decodes up to a fifth faster
than its model.

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
Scales = npt.NDArray[np.float64]


class Layout(msgspec.Struct, frozen=True):
    """Where a block has its float16 scale, and the standard deviation of its weights where that scale is 1.

    `minimum` is the place of a second float16, a multiple of the scale that makes the mean zero. `signed` scales are
    negative as often as not: they are those of types whose largest code has no counterpart of the other sign.
    """

    spread: float
    scale: int = 0
    minimum: tuple[int, float] | None = None
    signed: bool = False


LAYOUTS = {
    "Q4_0": Layout(4.61, signed=True),
    "Q4_1": Layout(4.61, minimum=(2, -7.5)),
    "Q5_0": Layout(9.23, signed=True),
    "Q5_1": Layout(9.23, minimum=(2, -15.5)),
    "Q8_0": Layout(74.0),
    "Q2_K": Layout(13.9, 80, (82, 1.5)),
    "Q3_K": Layout(43.3, 108, signed=True),
    "Q4_K": Layout(258, minimum=(2, 7.5)),
    "Q5_K": Layout(527, minimum=(2, 15.5)),
    "Q6_K": Layout(1366, 208, signed=True),
    "IQ1_S": Layout(7.22),
    "IQ2_XXS": Layout(53.4),
    "IQ2_XS": Layout(55.8),
    "IQ2_S": Layout(56.3),
    "IQ3_XXS": Layout(141.9),
    "IQ3_S": Layout(140.1),
    "IQ4_NL": Layout(67.2, signed=True),
    "IQ4_XS": Layout(1246, signed=True),
    "TQ1_0": Layout(0.817, 52),
    "TQ2_0": Layout(0.707, 64),
    "Q1_0": Layout(1.0),
    "Q2_0": Layout(1.118),
}
SCALES_SPREAD, MINIMA_SPREAD = 0.36, 0.15
"""Standard deviations of the base-2 logarithms of scales, and of minima over scales, within a matrix.

With these a cache of 32, 64 or 128 lines would find as many of the lookups as with the blocks of SmolLM2-135M: 20%, 38%
and 70% in Q4_1 (SmolLM2: 21%, 39%, 70%), 21%, 41% and 73% in Q4_0 (21%, 39%, 70%), 40%, 72% and 98% in Q8_0 (40%, 72%,
94%)."""

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
        found[:, 0] = MXFP4_ONE + np.rint(np.log2(_scales(spread / MXFP4_SPREAD, count, draw))).astype(int)
    elif kind.name == "IQ1_M":
        _set_in_nibbles(found[:, IQ1_M_SCALES:], _scales(spread / IQ1_M_SPREAD, count, draw))
    else:
        if kind.name == "TQ2_0":
            _without_threes(found)
        _set_scales(found, LAYOUTS[kind.name], spread, draw)
    return found


def _scales(size: float, count: int, draw: np.random.Generator) -> Scales:
    """`count` scales whose root mean square is `size`."""
    deviation = SCALES_SPREAD * math.log(2)
    return size * np.exp(deviation * draw.standard_normal(count) - deviation**2)


def _without_threes(blocks: Bytes) -> None:
    """TQ2_0 keeps 0, 1 or 2 in two bits, which stand for -1, 0 and 1: 3 becomes 1."""
    blocks &= ~((blocks & (blocks >> 1) & 0b01010101) << 1)


def _floats(name: str, values: npt.NDArray[np.float32]) -> Bytes:
    if name == "BF16":
        return (values.view(np.uint32) >> 16).astype("<u2").view(np.uint8).reshape(-1, 2)
    kind = "<f2" if name == "F16" else "<f4"
    return values.astype(kind).view(np.uint8).reshape(len(values), -1)


def _set_scales(blocks: Bytes, layout: Layout, spread: float, draw: np.random.Generator) -> None:
    scales = _scales(spread / layout.spread, len(blocks), draw)
    if layout.signed:
        scales *= draw.choice((-1.0, 1.0), len(blocks))
    blocks[:, layout.scale : layout.scale + 2] = _halves(scales)
    if layout.minimum is not None:
        place, factor = layout.minimum
        off = np.exp2(MINIMA_SPREAD * draw.standard_normal(len(blocks)))
        blocks[:, place : place + 2] = _halves(scales * factor * off)


def _set_in_nibbles(words: Bytes, scales: Scales) -> None:
    """IQ1_M keeps the four nibbles of its scale in the high bits of its four 16-bit words of scales."""
    bits = scales.astype("<f2").view("<u2")
    for word in range(4):
        high = words[:, 2 * word + 1]
        words[:, 2 * word + 1] = high & 0x0F | (bits >> 4 * word & 0x0F).astype(np.uint8) << 4


def _halves(values: Scales) -> Bytes:
    return values.astype("<f2").view(np.uint8).reshape(len(values), 2)


def can_be_random(type_name: str) -> bool:
    """Whether random weights of this storage type can be made."""
    return type_name in LAYOUTS or type_name in (*FLOATS, "MXFP4", "IQ1_M")
