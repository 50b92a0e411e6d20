"""An ARM board in software: agent, worker and engines on ARM's own Python, run by qemu-user.

`make emulated-board` makes it, `make emulated-library` llama.cpp for it; ONNX Runtime comes as it comes to every board.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.boards import FakeBoard
from tests.conftest import Command
from tests.tiny_llama import write_tiny_llama

CACHE = Path.home() / ".cache/edgeprof"
ARM = Path(os.environ.get("EDGEPROF_ARM64", CACHE / "arm64"))
LIBRARY = Path(os.environ.get("EDGEPROF_ARM64_LIBRARY", CACHE / "llama-arm64"))
QEMU = "qemu-aarch64-static"
SHORT = ("-p", "8", "-n", "4", "--processes", "1", "--passes", "2", "--max-time", "5s", "-f", "json")

pytestmark = pytest.mark.skipif(
    shutil.which(QEMU) is None or not (ARM / "proc/cpuinfo").is_file(),
    reason="there is no emulated board here: make emulated-board",
)


@pytest.fixture
def arm(tmp_path: Path) -> FakeBoard:
    board = FakeBoard(tmp_path)
    board.words = ("--on", "arm@board", "--board-python", f"{QEMU} -L {ARM} {ARM}/usr/bin/python3.11")
    return board


def row(edgeprof: Command, board: FakeBoard, *words: str | Path) -> dict[str, Any]:
    """The only row of a run there."""
    done = edgeprof("run", *words, *board.words, *SHORT, env=board.env)
    assert done.code == 0, done.err
    (found,) = json.loads(done.out)["rows"]
    assert found["metrics"]["decode_tps"]["value"] > 0
    return dict(found)


def set_up(edgeprof: Command, board: FakeBoard, *words: str | Path) -> tuple[str, str]:
    """What `board setup` says of the progress, and at the end."""
    done = edgeprof("board", "setup", "arm@board", *board.words[2:], *words, env=board.env)
    assert done.code == 0, done.err
    return done.err, done.out


def found_there(edgeprof: Command, board: FakeBoard) -> dict[str, str]:
    """What doctor finds there, by its code."""
    done = edgeprof("doctor", *board.words, "-f", "json", env=board.env)
    return {one["code"]: one["seen"] for one in json.loads(done.out)["findings"]}


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A model of two layers."""
    write_tiny_llama(tmp_path / "tiny.gguf", merges=["t h"])
    return tmp_path / "tiny.gguf"


def test_onnx_runtime_comes_as_wheels_for_its_processor(
    edgeprof: Command, tiny: Path, arm: FakeBoard
) -> None:
    said, has = set_up(edgeprof, arm, "--engine", "ort")
    assert [line.split()[0] for line in said.splitlines()] == ["numpy", "onnxruntime", "tokenizers"]
    found = found_there(edgeprof, arm)
    assert "aarch64" in found["measure.workers"]
    assert found["engine.ort"] in has
    assert edgeprof("build", "onnx", tiny, "-o", "tiny").code == 0
    assert row(edgeprof, arm, "tiny", "--engine", "ort")["engine"] == "ort"
    assert edgeprof("board", "clean", "arm@board", *arm.words[2:], env=arm.env).out == "arm@board: removed\n"
    assert not arm.folder.exists()


@pytest.mark.skipif(
    not (LIBRARY / "libllama.so").is_file(), reason="no llama.cpp for it: make emulated-library"
)
def test_llama_cpp_runs_its_library_for_that_processor(
    edgeprof: Command, tiny: Path, arm: FakeBoard, tmp_path: Path
) -> None:
    """Behind a link; and in edgeprof itself, from the wheels of an ARM machine: what it is, a run, its report."""
    pytest.importorskip("llama_cpp")
    _, has = set_up(edgeprof, arm, "--library", LIBRARY)
    assert found_there(edgeprof, arm)["engine.llama-cpp"] in has
    assert row(edgeprof, arm, tiny)["engine"] == "llama-cpp"

    python = _python(tmp_path, arm.folder / "engines")
    (device,) = json.loads(_said(python, "devices", "this", "-f", "json"))["devices"]
    assert device["name"] == "aarch64 machine"
    assert "llama-cpp" in _said(python, "doctor")
    _said(python, "run", str(tiny), *SHORT[:-2], "-o", str(tmp_path / "arm.jsonl"))
    report = json.loads(_said(python, "report", str(tmp_path / "arm.jsonl"), "-f", "json"))
    assert report["device"]["name"] == "aarch64 machine"
    assert report["rows"][0]["metrics"]["decode_tps"]["value"] > 0
    assert report["rows"] == json.loads(edgeprof("report", "arm.jsonl", "-f", "json").out)["rows"]


def _python(folder: Path, engines: Path) -> Path:
    """ARM's Python with edgeprof and these engines, which starts workers as itself."""
    script = folder / "arm-python"
    script.write_text(
        f"#!/bin/sh\nexport PYTHONHOME={ARM}/usr PYTHONPATH={ARM}/site:{engines}\n"
        f'exec {QEMU} -L {ARM}/plain -0 {script} {ARM}/usr/bin/python3.11 "$@"\n'
    )
    script.chmod(0o755)
    return script


def _said(python: Path, *words: str) -> str:
    done = subprocess.run(
        [python, "-m", "profiler", *words],
        cwd=python.parent,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert not done.returncode, done.stderr
    return done.stdout
