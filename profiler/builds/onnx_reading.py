"""What an ONNX graph says of itself, asked of a child process and strictly decoded."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import msgspec

from profiler.builds import onnx_child
from profiler.builds.foreign import HEAD_BYTES, likeness
from profiler.builds.model_file import BadModelFile, opened, shown, shown_name
from profiler.errors import UserError

LIMIT_S = 120.0

Natural = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Text = Annotated[str, msgspec.Meta(max_length=4096)]


class Value(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An input: its name, the number of its element type, and lengths (None where they vary)."""

    name: Text
    type: Natural
    shape: Annotated[list[Natural | None], msgspec.Meta(max_length=64)]


class Data(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file of weights beside the graph, and how many bytes of it the graph uses."""

    location: Text
    end: Natural


class OnnxGraph(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One graph, as its child process described it."""

    ir_version: Natural
    opsets: dict[Text, Natural]
    producer: Text
    inputs: list[Value]
    outputs: list[Text]
    operators: dict[Text, Natural]
    domains: list[Text]
    data: list[Data]
    parameters: Natural
    weights_bytes: Natural
    read_bytes: Natural
    read_weights: Natural
    kinds: dict[Text, Natural]


class _Failed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    error: str


def read_graph(path: Path) -> OnnxGraph:
    """The graph in the file at `path`. Raises BadModelFile for what is no ONNX graph."""
    name = shown_name(path)
    _refuse_other_files(path, name)
    if find_spec("onnx") is None:
        raise UserError("reading ONNX graphs takes the package onnx: pip install 'edgeprof[onnx]'")
    answer = _ask(path, name)
    try:
        found = msgspec.json.decode(answer, type=OnnxGraph)
    except msgspec.MsgspecError:
        raise BadModelFile(f"{name}: {_error_in(answer)}; fetch or export the model again.") from None
    return found


def _refuse_other_files(path: Path, name: str) -> None:
    with opened(path) as file:
        head = file.read(HEAD_BYTES)
    seen = likeness(head)
    if not head:
        raise BadModelFile(f"{name}: is empty; fetch the file again.")
    if seen is not None and "ONNX" not in seen:
        raise BadModelFile(f"{name}: not an ONNX graph; it looks like {seen}.")


def _ask(path: Path, name: str) -> bytes:
    """The child's answer. It gets the environment of a program that has nothing to send."""
    environment = {
        key: os.environ[key] for key in ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH") if key in os.environ
    }
    try:
        done = subprocess.run(
            [sys.executable, "-P", onnx_child.__file__, str(path)],
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=LIMIT_S,
            env=environment | {"PYTHONDONTWRITEBYTECODE": "1"},
        )
    except subprocess.TimeoutExpired:
        raise BadModelFile(
            f"{name}: could not be read within {LIMIT_S:.0f} s; export the model again."
        ) from None
    if done.returncode != 0:
        raise BadModelFile(f"{name}: reading it ended with status {done.returncode}; export the model again.")
    return done.stdout


def _error_in(answer: bytes) -> str:
    try:
        failed = msgspec.json.decode(answer, type=_Failed)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return "is no graph that makes sense"
    return f"is not a whole ONNX graph ({shown(failed.error)})"
