"""Which storage type each tensor of a model gets in a mix such as Q4_K_M: llama.cpp's own word, by a dry run."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

import msgspec

from profiler.builds.gguf_types import FILE_TYPES
from profiler.builds.model_file import shown
from profiler.builds.shapes import mix_child
from profiler.builds.shapes.blueprint import Blueprint
from profiler.builds.shapes.header import NUMBERS, Tensor, write_hollow
from profiler.builds.shapes.layer_tensors import Spec
from profiler.errors import UserError, nearest

LIMIT_S = 60.0
NOT_WRITTEN = ("NVFP4",)
"""File types that llama.cpp reads and has no mix for."""

MIXES = {name: number for number, name in FILE_TYPES.items() if name not in NOT_WRITTEN}
SMALL, SMALL_BLOCK, WIDE = "Q4_0", 32, "F16"


class _Types(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    types: dict[str, str]


class _Failed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    error: str


def mix_named(quantization: str) -> str:
    """The mix called so, in any letter case. Raises `UserError` with the nearest names."""
    name = quantization.upper().replace("-", "_")
    if name not in MIXES:
        raise UserError(f"{shown(quantization)} is no mix that llama.cpp writes; {nearest(name, MIXES)}")
    return name


def mixed(plan: Blueprint, name: str, mix: str) -> list[Tensor]:
    """The tensors of `plan` with their types in `mix`. Raises `UserError` if llama.cpp is missing or refuses."""
    return mixed_in_each(plan, name, [mix])[mix]


def mixed_in_each(plan: Blueprint, name: str, mixes: Sequence[str]) -> dict[str, list[Tensor]]:
    """The same in each of `mixes`, by one child process.

    Raises `UserError` if llama.cpp is missing or refuses one.
    """
    if find_spec("llama_cpp") is None:
        raise UserError(
            "which types a mix has is asked of llama.cpp, which is not installed: pip install 'edgeprof[gguf]'"
        )
    with tempfile.TemporaryDirectory(prefix="edgeprof-") as folder:
        path = Path(folder) / "source.gguf"
        sparse_file(path, plan, [unmixed(spec) for spec in plan.specs])
        answers = _asked(path, name, mixes)
    return {mix: _typed(plan, name, mix, types) for mix, types in answers.items()}


def _typed(plan: Blueprint, name: str, mix: str, types: Mapping[str, str]) -> list[Tensor]:
    missing = [spec.name for spec in plan.specs if types.get(spec.name) not in NUMBERS]
    if missing:
        raise UserError(
            f"{name}: llama.cpp names no known type for {missing[0]} in {mix}; choose another mix"
        )
    return [Tensor(name=spec.name, shape=spec.shape, type_name=types[spec.name]) for spec in plan.specs]


def write_sparse(path: Path, plan: Blueprint, tensors: Sequence[Tensor]) -> None:
    """A file with this header and a hole for its data; without a vocabulary unless `plan` has one."""
    write_hollow(path, {"tokenizer.ggml.model": "none"} | plan.metadata, tensors)


def sparse_file(path: Path, plan: Blueprint, tensors: Sequence[Tensor]) -> None:
    """The same; `UserError` where the disk has no such files."""
    try:
        write_sparse(path, plan, tensors)
    except OSError as error:
        raise UserError(
            f"{path.parent} takes no file of this size ({error.strerror}): set TMPDIR to another disk"
        ) from None


def unmixed(spec: Spec) -> Tensor:
    """A type before the mix. It is small, so that the largest models can be mapped; the mix does not depend on it."""
    kind = SMALL if spec.shape[0] % SMALL_BLOCK == 0 else WIDE
    return Tensor(name=spec.name, shape=spec.shape, type_name="F32" if spec.plain else kind)


def _asked(path: Path, name: str, mixes: Sequence[str]) -> dict[str, dict[str, str]]:
    """The child's answers by mix. It gets the environment of a program that has nothing to send."""
    environment = {
        key: os.environ[key] for key in ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH") if key in os.environ
    }
    try:
        done = subprocess.run(
            [sys.executable, "-P", mix_child.__file__, str(path), *(str(MIXES[mix]) for mix in mixes)],
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=LIMIT_S,
            env=environment | {"PYTHONDONTWRITEBYTECODE": "1", "GGML_NO_BACKTRACE": "1"},
        )
    except subprocess.TimeoutExpired:
        raise UserError(
            f"{name}: llama.cpp did not say within {LIMIT_S:.0f} s what {', '.join(mixes)} is made of"
        ) from None
    lines = done.stdout.splitlines()
    lines += [b""] * (len(mixes) - len(lines))
    return {mix: _types_in(line, name, mix, done.returncode) for mix, line in zip(mixes, lines, strict=False)}


def _types_in(line: bytes, name: str, mix: str, status: int) -> dict[str, str]:
    try:
        return msgspec.json.decode(line, type=_Types).types
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise UserError(
            f"{name}: llama.cpp has no {mix} of it ({_error_in(line, status)}); choose another mix"
        ) from None


def _error_in(line: bytes, status: int) -> str:
    if not line and status != 0:
        return f"it ended with status {status}"
    try:
        return shown(msgspec.json.decode(line, type=_Failed).error)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return "its answer makes no sense"
