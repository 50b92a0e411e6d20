"""The manifest of a build that edgeprof made: what it was made from, how, and whether it agrees with it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from profiler.builds.model_file import BadModelFile, is_file, shown_name
from profiler.runfile import Agreement, RandomWeights

NAME = "edgeprof_build.json"
SCHEMA = "edgeprof.build/1"
_LARGEST = 1 << 20


class Source(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file or folder that a build was made from; `licence` in its own words."""

    name: str
    size_bytes: int | None = None
    sha256: str | None = None
    quantization: str | None = None
    architecture: str | None = None
    bits_read_per_weight: float | None = None
    licence: str | None = None
    random_weights: RandomWeights | None = None


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What edgeprof writes beside a build: `via` direct, optimum or genai; `versions` of what made it."""

    schema: str = SCHEMA
    via: str
    source: Source
    options: dict[str, str | int | bool | None] = {}
    versions: dict[str, str] = {}
    agreement: Agreement | None = None


def read(folder: Path) -> Manifest | None:
    """The manifest in `folder`, or None. Raises BadModelFile for one that is not of our making."""
    path = folder / NAME
    try:
        if not is_file(path):
            return None
        if path.stat().st_size > _LARGEST:
            raise BadModelFile(
                f"{shown_name(folder)}/{NAME}: larger than a manifest is; build the folder again."
            )
        found = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except (OSError, UnicodeDecodeError, msgspec.MsgspecError, RecursionError) as error:
        raise BadModelFile(
            f"{shown_name(folder)}/{NAME}: not a manifest of edgeprof ({error}); build the folder again, or delete it."
        ) from None
    if found.schema != SCHEMA:
        raise BadModelFile(
            f"{shown_name(folder)}/{NAME}: its schema is not {SCHEMA}; build the folder again."
        )
    return found


def write(folder: Path, manifest: Manifest) -> None:
    """Put the manifest into `folder`."""
    content = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
    unfinished = folder / f"{NAME}.part"
    unfinished.write_bytes(content + b"\n")
    unfinished.replace(folder / NAME)
