"""How positions are scaled to long contexts, from the words that the catalogue has for it.

Source: llama.cpp's conversion of config.json, conversion/llama.py (`generate_extra_tensors`) and conversion/base.py.
"""

from __future__ import annotations

import math
import re

import msgspec

from profiler.builds.shapes.header import Value
from profiler.catalogue.models import Shape

WORDS = re.compile(
    r"(?P<kind>llama3|linear|yarn|longrope)( x(?P<factor>[0-9]{1,6}))?( orig (?P<original>[0-9]{1,9}))?"
)
LOCAL = re.compile(r"local theta ([0-9]{1,9})")
ROPE_TABLE = re.compile(r"rope_(freqs|factors_long|factors_short)\.weight")
LOW, HIGH = 1.0, 4.0
"""The frequency factors of every Llama 3.1 and 3.2."""


class Scaling(msgspec.Struct, frozen=True):
    """A kind of scaling from the `original` context by `factor`; `local_theta` is the base in window layers."""

    kind: str | None = None
    factor: float = 1.0
    original: int = 0
    local_theta: float | None = None


def read_scaling(shape: Shape) -> Scaling:
    """The scaling of `shape`; none where its words are not known."""
    words = shape.rope_scaling or ""
    local, found = LOCAL.search(words), WORDS.match(words)
    theta = float(local[1]) if local else None
    if found is None:
        return Scaling(local_theta=theta)
    return Scaling(found["kind"], float(found["factor"] or 1), int(found["original"] or 0), theta)


def rotated(shape: Shape, head_length: int) -> int:
    """Dimensions of a head that are rotated."""
    return shape.rope_dimensions or head_length


def scaling_metadata(scaling: Scaling, arch: str) -> dict[str, Value]:
    """The keys of the file that state `scaling`. Scaled frequencies of Llama 3 are a tensor instead."""
    found: dict[str, Value] = {}
    if scaling.kind in ("linear", "yarn"):
        found |= {f"{arch}.rope.scaling.type": scaling.kind, f"{arch}.rope.scaling.factor": scaling.factor}
    if scaling.kind in ("yarn", "longrope"):
        found[f"{arch}.rope.scaling.original_context_length"] = scaling.original
    if scaling.local_theta is not None:
        found[f"{arch}.rope.freq_base_swa"] = scaling.local_theta
    return found


def rope_factors(name: str, shape: Shape, dimensions: int) -> list[float]:
    """The values of the table called `name`: those of Llama 3 by its formula, of others ones."""
    scaling = read_scaling(shape)
    if name != "rope_freqs.weight" or not scaling.original:
        return [1.0] * (dimensions // 2)
    base = float(shape.rope_theta or 10000)
    return [_llama3(base ** (-2 * n / dimensions), scaling) for n in range(dimensions // 2)]


def _llama3(frequency: float, scaling: Scaling) -> float:
    turns = scaling.original * frequency / (2 * math.pi)
    if turns >= HIGH:
        return 1.0
    if turns <= LOW:
        return scaling.factor
    smooth = (turns - LOW) / (HIGH - LOW)
    return 1 / ((1 - smooth) / scaling.factor + smooth)
