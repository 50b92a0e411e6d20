"""Static builds on the emulator of a Hexagon NPU that Qualcomm's provider brings: where there is one, every node runs
on it, and its logits are the CPU's. Nothing here says how fast an NPU is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from profiler.builds.onnx_direct.architectures import ARCHITECTURES
from profiler.builds.onnx_static.lengths import DECODE, PREFILL, Lengths
from profiler.engines.accelerators import CPU
from profiler.engines.ort_library import assigned, onnxruntime, session_options
from profiler.engines.ort_static import MASKED
from tests import tiny_decoders as tiny
from tests.static_builds import static

qnn = pytest.importorskip("onnxruntime_qnn")

NAME = "QNNExecutionProvider"
OPTIONS = {"backend_type": "htp", "htp_arch": "75", "soc_model": "57"}
"""An architecture that computes in float16."""

LENGTHS = Lengths(chunk=4, past=tiny.WINDOW - 1)
LEAST_COSINE, LARGEST = 0.9999, 0.05
"""float16 against float32, where logits have a standard deviation of one."""


@pytest.fixture(scope="module")
def devices() -> Any:
    library = onnxruntime()
    library.register_execution_provider_library(NAME, qnn.get_library_path())
    yield [device for device in library.get_ep_devices() if device.ep_name == NAME][:1]
    library.unregister_execution_provider_library(NAME)


def inputs(session: Any) -> dict[str, npt.NDArray[Any]]:
    """Random tokens, all but the last, behind a cache of random rows of which the first three count."""
    draw, found = np.random.default_rng(1), {}
    for item in session.get_inputs():
        rows = item.type == "tensor(float)"
        found[item.name] = draw.standard_normal(item.shape) if rows else np.zeros(item.shape)
        found[item.name] = found[item.name].astype(np.float32 if rows else np.int32)
    tokens, mask = found["input_ids"].shape[1], found["mask"]
    found["input_ids"][0] = draw.integers(0, tiny.VOCABULARY, tokens)
    found["position_ids"][:] = 3 + np.arange(tokens)
    found["last_position"][:] = max(0, tokens - 2)
    mask[...] = MASKED
    mask[..., :3] = 0
    mask[0, 0, :, LENGTHS.past :] += np.tril(np.full((tokens, tokens), -MASKED, np.float32))
    return found


@pytest.mark.parametrize("weights", ["int4", "float"])
@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_every_node_runs_there_and_says_what_the_cpu_says(
    tmp_path: Path, devices: Any, arch: str, weights: str
) -> None:
    tiny.write_tiny(tmp_path / "tiny.gguf", arch, "Q4_1")
    folder = static(tmp_path / "tiny.gguf", LENGTHS, weights)
    for name in (PREFILL, DECODE):
        options = session_options({"threads": 1})
        on_cpu = onnxruntime().InferenceSession(folder / name, options, providers=[CPU])
        options = session_options({"threads": 1})
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
        options.add_provider_for_devices(devices, OPTIONS)
        there = onnxruntime().InferenceSession(folder / name, options)
        assert set(assigned(there)) == {NAME}
        names, given = [item.name for item in on_cpu.get_outputs()], inputs(on_cpu)
        for output, ours, theirs in zip(
            names, on_cpu.run(names, given), there.run(names, given), strict=True
        ):
            cosine = (ours * theirs).sum() / np.sqrt((ours**2).sum() * (theirs**2).sum())
            assert cosine > LEAST_COSINE, output
            assert np.abs(ours - theirs).max() < LARGEST, output
