"""GPU paths on Mesa's device in software: run where `make software-gpu` was made, with the variables that it prints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from profiler.builds.onnx_direct.write import write
from profiler.measure.reaching import reached
from tests.conftest import Command


def needed(engine: str, provider: str) -> None:
    """Skips where an engine does not reach a device by this provider."""
    found = reached(engine)
    if isinstance(found, str) or not any(one.provider == provider and one.kind for one in found):
        pytest.skip(f"{provider} reaches nothing here: make software-gpu")


def rows(edgeprof: Command, *words: str | Path) -> list[dict[str, Any]]:
    done = edgeprof("run", *words, "-p", "8", "-n", "2", "--processes", "1", "-f", "json")
    assert done.code == 0, done.err
    found: list[dict[str, Any]] = json.loads(done.out)["rows"]
    return found


def test_llama_cpp_runs_all_layers_there_and_none_when_the_cpu_is_asked_for(
    edgeprof: Command, smollm2: Path
) -> None:
    needed("llama-cpp", "Vulkan")
    on_cpu, on_gpu = rows(edgeprof, smollm2, "--target", "cpu,gpu")
    assert "Vulkan" not in on_cpu["conditions"]["assigned"]
    assert "fell_back" not in [notice["code"] for notice in on_cpu["notices"]]
    assert on_gpu["basis"] == "simulated"
    assert "llvmpipe" in on_gpu["route"]["simulated"]
    assert on_gpu["proof"]["failure"] is None
    there = next(one for one in on_gpu["proof"]["placed"] if one["device"] == "Vulkan0")
    assert (there["count"], there["arithmetic"]) == (31, 1)
    assert on_gpu["metrics"]["decode_tps"]["value"] is None


def test_onnx_runtime_runs_all_but_lengths_there(edgeprof: Command, smollm2: Path, tmp_path: Path) -> None:
    needed("ort", "WebGpuExecutionProvider")
    folder = tmp_path / "direct"
    folder.mkdir()
    write(smollm2, folder, lambda _what, _done, _total: None)
    (row,) = rows(edgeprof, folder, "--target", "gpu")
    assert row["proof"]["failure"] is None
    there = next(one for one in row["proof"]["placed"] if one["device"] == "WebGpuExecutionProvider")
    assert (there["arithmetic"], row["basis"]) == (1, "simulated")
