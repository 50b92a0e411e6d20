"""GGUF blocks as the codes, scales and offsets of ONNX Runtime's MatMulNBits, with equal weight values.

A weight is `scale * (code - zero) + offset`. Zero is 2**(bits - 1), the default of MatMulNBits, for types without
a minimum. Types with one have a zero for each block, as near to the weight 0 as a code can be, and an offset for
the rest: int8 activations then lose on a block what its weights are large, and no more than in llama.cpp. Block
layouts: ggml-common.h and `dequantize_row_*` in ggml-quants.c of llama.cpp.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]


class Codes(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of weights: `codes` (rows, columns) uint8; for each block, (rows, columns / block), `scales` and
    `offsets` float32 and `zeros` uint8, the latter two where the type has a minimum."""

    codes: Bytes
    scales: Floats
    zeros: Bytes | None = None
    offsets: Floats | None = None


class Carried(msgspec.Struct, frozen=True, kw_only=True):
    """How a GGUF type is stored: bits a code, weights a scale, whether blocks have a minimum, and the reader."""

    bits: int
    block: int
    has_minimum: bool
    read: Callable[[Bytes], Codes]


def _half(blocks: Bytes, start: int) -> Floats:
    """The float16 at byte `start` of every block, as float32: shape (rows, blocks)."""
    return np.ascontiguousarray(blocks[..., start : start + 2]).view(np.float16)[..., 0].astype(np.float32)


def _flat(codes: npt.NDArray[Any]) -> Bytes:
    return codes.reshape(codes.shape[0], -1).astype(np.uint8, copy=False)


def _nibbles(packed: Bytes) -> Bytes:
    """(..., n) bytes to (..., 2n) codes: all low nibbles, then all high ones."""
    return np.concatenate([packed & 15, packed >> 4], axis=-1)


def _fifth_bits(packed: Bytes) -> Bytes:
    """(..., 4) bytes to (..., 32) bits, the lowest first, each as 0 or 16."""
    return np.unpackbits(packed, axis=-1, bitorder="little") * np.uint8(16)


def _with_minimum(codes: Bytes, scales: Floats, minima: Floats, largest: int) -> Codes:
    """Weights `scale * code + minimum`; a zero is a code from 0 to `largest`."""
    with np.errstate(all="ignore"):
        nearest = np.nan_to_num(np.rint(-minima / scales), nan=0.0, posinf=0.0, neginf=0.0)
        zeros = np.clip(nearest, 0, largest)
        offsets = (minima + zeros * scales).astype(np.float32)
    return Codes(codes=codes, scales=scales, zeros=zeros.astype(np.uint8), offsets=offsets)


def _q4_0(blocks: Bytes) -> Codes:
    return Codes(codes=_flat(_nibbles(blocks[..., 2:])), scales=_half(blocks, 0))


def _q4_1(blocks: Bytes) -> Codes:
    return _with_minimum(_flat(_nibbles(blocks[..., 4:])), _half(blocks, 0), _half(blocks, 2), 15)


def _q5_0(blocks: Bytes) -> Codes:
    codes = _nibbles(blocks[..., 6:]) | _fifth_bits(blocks[..., 2:6])
    return Codes(codes=_flat(codes + np.uint8(112)), scales=_half(blocks, 0))


def _q5_1(blocks: Bytes) -> Codes:
    codes = _nibbles(blocks[..., 8:]) | _fifth_bits(blocks[..., 4:8])
    return _with_minimum(_flat(codes), _half(blocks, 0), _half(blocks, 2), 31)


def _q8_0(blocks: Bytes) -> Codes:
    return Codes(codes=_flat(blocks[..., 2:] ^ 128), scales=_half(blocks, 0))


def _k_scales(packed: Bytes) -> tuple[Floats, Floats]:
    """12 bytes to the eight 6-bit scales and the eight 6-bit minima of a super-block."""
    first, second, third = packed[..., 0:4], packed[..., 4:8], packed[..., 8:12]
    scales = np.concatenate([first & 63, (third & 15) | ((first >> 2) & 48)], axis=-1)
    minima = np.concatenate([second & 63, (third >> 4) | ((second >> 2) & 48)], axis=-1)
    return scales.astype(np.float32), minima.astype(np.float32)


def _k_steps(blocks: Bytes) -> tuple[Floats, Floats]:
    """Scales and minima of the blocks of 32 in each super-block of Q4_K and Q5_K."""
    scales, minima = _k_scales(blocks[..., 4:16])
    rows = blocks.shape[0]
    steps, lowest = _half(blocks, 0)[..., None] * scales, -_half(blocks, 2)[..., None] * minima
    return steps.reshape(rows, -1), lowest.reshape(rows, -1)


def _k_nibbles(packed: Bytes) -> Bytes:
    """128 bytes to eight blocks of 32 codes: shape (..., 8, 32)."""
    four = packed.reshape(*packed.shape[:-1], 4, 1, 32)
    return np.concatenate([four & 15, four >> 4], axis=-2).reshape(*packed.shape[:-1], 8, 32)


def _q4_k(blocks: Bytes) -> Codes:
    return _with_minimum(_flat(_k_nibbles(blocks[..., 16:])), *_k_steps(blocks), 15)


def _q5_k(blocks: Bytes) -> Codes:
    shifts = np.arange(8, dtype=np.uint8)[:, None]
    fifth = ((blocks[..., None, 16:48] >> shifts) & 1) << 4
    return _with_minimum(_flat(_k_nibbles(blocks[..., 48:]) | fifth), *_k_steps(blocks), 31)


def _q6_k(blocks: Bytes) -> Codes:
    low = blocks[..., :128].reshape(*blocks.shape[:-1], 2, 1, 64)
    high = blocks[..., 128:192].reshape(*blocks.shape[:-1], 2, 1, 32)
    low = np.concatenate([low & 15, low >> 4], axis=-2).reshape(*blocks.shape[:-1], 2, 4, 32)
    shifts = np.array([0, 2, 4, 6], np.uint8)[:, None]
    codes = (low | (((high >> shifts) & 3) << 4)) + np.uint8(96)
    steps = blocks[..., 192:208].view(np.int8).astype(np.float32)
    scales = _half(blocks, 208)[..., None] * steps
    return Codes(codes=_flat(codes), scales=scales.reshape(blocks.shape[0], -1))


CARRIED = MappingProxyType(
    {
        "Q4_0": Carried(bits=4, block=32, has_minimum=False, read=_q4_0),
        "Q4_1": Carried(bits=4, block=32, has_minimum=True, read=_q4_1),
        "Q5_0": Carried(bits=8, block=32, has_minimum=False, read=_q5_0),
        "Q5_1": Carried(bits=8, block=32, has_minimum=True, read=_q5_1),
        "Q8_0": Carried(bits=8, block=32, has_minimum=False, read=_q8_0),
        "Q4_K": Carried(bits=4, block=32, has_minimum=True, read=_q4_k),
        "Q5_K": Carried(bits=8, block=32, has_minimum=True, read=_q5_k),
        "Q6_K": Carried(bits=8, block=16, has_minimum=False, read=_q6_k),
    }
)
"""There is no kernel for 5 and 6 bits: those types are stored in 8."""

FLOATS = ("F16", "F32", "BF16")
"""Stored as float32, the type that ONNX Runtime computes with on CPUs."""


def floats(raw: Bytes, type_name: str) -> Floats:
    """Rows of a float type as float32."""
    if type_name == "BF16":
        return (raw.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
    return raw.view(np.float16 if type_name == "F16" else np.float32).astype(np.float32)


def packed(codes: Bytes, bits: int) -> Bytes:
    """Codes or zeros as MatMulNBits stores them: two to a byte for 4 bits, the first in the low nibble."""
    if bits == 8:
        return codes
    even = np.pad(codes, ((0, 0), (0, codes.shape[1] % 2)))
    return even[:, ::2] | (even[:, 1::2] * np.uint8(16))


def unpacked(stored: Bytes, bits: int) -> Bytes:
    """What `packed` made, back as (rows, columns), with the column that made them even."""
    if bits == 8:
        return stored
    return np.stack([stored & 15, stored >> 4], axis=-1).reshape(stored.shape[0], -1)


def weights(codes: Codes, bits: int) -> Floats:
    """The float32 values of the weights, as `scale * (code - zero) + offset`."""
    rows, blocks = codes.scales.shape
    zeros = 1 << (bits - 1) if codes.zeros is None else codes.zeros[..., None].astype(np.float32)
    values = (codes.codes.reshape(rows, blocks, -1).astype(np.float32) - zeros) * codes.scales[..., None]
    if codes.offsets is not None:
        values += codes.offsets[..., None]
    return values.reshape(rows, -1)
