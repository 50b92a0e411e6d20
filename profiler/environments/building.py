"""Building in an environment: the order, what a source must be, and a folder that appears only when whole."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec

from profiler.environments import inside
from profiler.environments.child import Ended, OnLine, run, shortened
from profiler.environments.environments import python_of
from profiler.errors import UserError, nearest

QUANTS = {"optimum": ("int8", "int4", "none"), "genai": ("int4", "int8", "fp32")}
"""What each way quantizes to, the default first."""

SILENT = {
    "HF_HUB_OFFLINE": "1",
    "ORT_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
}
"""Nothing is sent and nothing is fetched."""

WEIGHTS, SHARDS = "model.safetensors", "model.safetensors.index.json"
_LARGEST_JSON = 16 << 20

_Kind = TypeVar("_Kind")
_Plain = Annotated[str, msgspec.Meta(pattern=r"^[\w.-]+\.safetensors\Z")]


class _Config(msgspec.Struct):
    model_type: str


class _Shards(msgspec.Struct):
    weight_map: dict[str, _Plain]


def build(
    via: str, source: Path, folder: Path, options: Mapping[str, str | int | bool | None], on_line: OnLine
) -> None:
    """Make `folder`, which may exist if it is empty, from a GGUF file or a Hugging Face folder.

    `via` is "optimum" or "genai"; of `options` only `quant` is read. `on_line` gets each step. Raises
    `UserError` when the source is neither, or when the exporter cannot build it; `folder` is then untouched.
    """
    quant = _quant(via, options)
    python = python_of(via)
    if python is None:
        raise UserError(f"--via {via} needs an environment that is not there yet: edgeprof setup {via}")
    order = {"via": via, "quant": quant} | _source(source.resolve())
    try:
        with tempfile.TemporaryDirectory(prefix=".edgeprof-", dir=folder.resolve().parent) as scratch:
            made = Path(scratch) / "made"
            _carry_out(python, order | {"folder": str(made), "scratch": scratch}, source, on_line)
            if folder.exists():
                folder.rmdir()
            made.rename(folder)
    except OSError as error:
        raise UserError(
            f"{folder.name!r} cannot be written ({error.strerror}): name a new folder on a disk with room"
        ) from None


def _quant(via: str, options: Mapping[str, str | int | bool | None]) -> str:
    if via not in QUANTS:
        raise UserError(f"--via {via}: {nearest(via, QUANTS)}")
    quant = options.get("quant") or QUANTS[via][0]
    if quant not in QUANTS[via]:
        raise UserError(f"--quant {quant} with --via {via}: accepted: {', '.join(QUANTS[via])}")
    return str(quant)


def _source(source: Path) -> dict[str, str | None]:
    """The part of an order that names the source."""
    try:
        if source.is_dir():
            _check_folder(source)
            return {"source": str(source), "gguf": None}
        with source.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise UserError(f"{source.name!r} cannot be read ({error.strerror}): check the path") from None
    if magic != b"GGUF":
        raise UserError(f"{source.name!r} is no GGUF file: name one, or a Hugging Face folder")
    return {"source": str(source.parent), "gguf": source.name}


def _check_folder(folder: Path) -> None:
    """Weights must be safetensors, whose loading runs no code, and shards must lie in the folder."""
    _decoded(folder / "config.json", _Config)
    if (folder / WEIGHTS).exists():
        return
    if not (folder / SHARDS).exists():
        raise UserError(
            f"{folder.name!r} has no {WEIGHTS}: only weights in that format are read; convert them"
        )
    shards = _decoded(folder / SHARDS, _Shards)
    for name in sorted(set(shards.weight_map.values())):
        if not (folder / name).exists():
            raise UserError(f"{folder.name!r} has no {name!r}, which its {SHARDS} names: fetch it again")


def _decoded(path: Path, kind: type[_Kind]) -> _Kind:
    where = f"{path.parent.name!r}: {path.name}"
    try:
        if path.stat().st_size > _LARGEST_JSON:
            raise UserError(f"{where} is larger than such a file is: name a Hugging Face folder")
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        raise UserError(f"{where} is missing: name a GGUF file or a Hugging Face folder") from None
    except (UnicodeDecodeError, msgspec.MsgspecError, RecursionError) as error:
        raise UserError(f"{where} is not as Hugging Face writes it ({error}): fetch it again") from None


def _carry_out(python: Path, order: dict[str, str | None], source: Path, on_line: OnLine) -> None:
    failures: list[str] = []

    def take(line: str) -> None:
        told = json.loads(line)
        if "failed" in told:
            failures.append(told["failed"])
        else:
            on_line(told["say"])

    environment = os.environ | SILENT | {"HF_HOME": str(order["scratch"])}
    command = [str(python), "-I", inside.__file__]
    ended = run(command, take, environment=environment, order=json.dumps(order).encode("ascii"))
    if ended.status != 0 or failures:
        reason = failures[0] if failures else _cause(ended)
        first = next((line for line in reason.splitlines() if line.strip()), "no reason given")
        raise UserError(f"{order['via']} cannot build {source.name!r}: {shortened(first)}")


def _cause(ended: Ended) -> str:
    if ended.status == -9:
        return "it was killed, most likely for memory: it takes more than 4 bytes for each weight"
    return ended.errors[-1] if ended.errors else f"exit status {ended.status}"
