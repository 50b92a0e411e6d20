"""What the catalogue knows, as far as the analysis needs it: models that a build may be of, devices it may fit on."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from profiler.runfile import Build

SAME_PARAMETERS = 0.02
"""How far a build's count of parameters may be from its model's, as a share: some files count tied tables twice."""

_TAIL = re.compile(r"\.(gguf|onnx|bin)\Z", re.IGNORECASE)
_MARKS = re.compile(r"[\W_]+")


class KnownModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model of the catalogue. `hashes` are the SHA-256 of its known builds, `licence_source` where it was read."""

    id: str
    name: str
    parameters: int
    active_parameters: int
    licence: str | None
    licence_source: str | None
    hashes: tuple[str, ...] = ()


class KnownDevice(msgspec.Struct, frozen=True, kw_only=True):
    """A device of the catalogue whose main memory is known, and the source of that."""

    id: str
    name: str
    memory_bytes: int
    source: str


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """Models and devices."""

    models: tuple[KnownModel, ...] = ()
    devices: tuple[KnownDevice, ...] = ()


def model_of(build: Build, sha256: str | None, models: Sequence[KnownModel]) -> tuple[KnownModel, str] | None:
    """The model that a build is of, and how that is known: by hash, else by the longest name with like parameters."""
    by_hash = next((model for model in models if sha256 is not None and sha256 in model.hashes), None)
    if by_hash is not None:
        return by_hash, "by the hash of the file"
    named = [model for model in models if begins(build.name, model.name) and _like(build, model)]
    best = max(named, key=lambda model: (len(plain_name(model.name)), model.id), default=None)
    if best is None:
        return None
    return best, "by name and parameters" if build.parameters else "by name alone"


def _like(build: Build, model: KnownModel) -> bool:
    if not build.parameters:
        return True
    return abs(build.parameters - model.parameters) <= SAME_PARAMETERS * model.parameters


def begins(name: str, word: str) -> bool:
    """Whether a name begins with this word, whatever stands between its parts: SmolLM2_135M-Q4 with smollm2-135m."""
    whole, part = plain_name(name), plain_name(word)
    return bool(part) and (whole == part or whole.startswith(f"{part}-"))


def plain_name(name: str) -> str:
    """Small letters and digits with single dashes between them."""
    return _MARKS.sub("-", _TAIL.sub("", name.casefold())).strip("-")


def stem(build: Build) -> str:
    """A build's name without its suffix, what format it was turned into, and its quantization."""
    bare = re.sub(r"[._-](onnx|gguf|genai)\Z", "", _TAIL.sub("", build.name), flags=re.IGNORECASE)
    if not build.quantization:
        return bare
    part = rf"[._-]{re.escape(build.quantization)}(?=[._-]|\Z)"
    return re.sub(part, "", bare, flags=re.IGNORECASE) or bare
