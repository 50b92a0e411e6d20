"""An ARM board in software: agent and worker on ARM's own Python, run by qemu-user (`make emulated-board`)."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.boards import FakeBoard
from tests.conftest import Command, Script

ARM = Path(os.environ.get("EDGEPROF_ARM64", Path.home() / ".cache/edgeprof/arm64"))
QEMU = "qemu-aarch64-static"

pytestmark = pytest.mark.skipif(
    shutil.which(QEMU) is None or not (ARM / "usr/bin/python3.11").is_file(),
    reason="there is no emulated board here: make emulated-board",
)


@pytest.fixture
def arm(tmp_path: Path) -> FakeBoard:
    board = FakeBoard(tmp_path)
    board.words = ("--on", "arm@board", "--board-python", f"{QEMU} -L {ARM} {ARM}/usr/bin/python3.11")
    return board


def test_it_is_a_64_bit_arm_board(edgeprof: Command, arm: FakeBoard) -> None:
    found = json.loads(edgeprof("doctor", *arm.words, "-f", "json", env=arm.env).out)
    (workers,) = [one for one in found["findings"] if one["code"] == "measure.workers"]
    assert "aarch64" in workers["seen"]


def test_a_worker_runs_there(edgeprof: Command, script: Script, arm: FakeBoard) -> None:
    words = ("-p", "8", "-n", "4", "--processes", "1", "--passes", "2")
    done = edgeprof("run", script(), *arm.words, *words, "-f", "json", env=arm.env)
    assert done.code == 0, done.err
    (row,) = json.loads(done.out)["rows"]
    assert row["metrics"]["decode_tps"]["value"] > 0
