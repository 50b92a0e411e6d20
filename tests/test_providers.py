"""ONNX Runtime's plug-in providers as they fail: none falls back silently, and the cause in the log is the message."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from profiler.engines import ort_library, ort_log

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("onnxruntime_qnn") is None, reason="pip install onnxruntime-qnn"
)

QNN, WEBGPU = "QNNExecutionProvider", "WebGpuExecutionProvider"
HTP = {"backend_type": "htp", "htp_arch": "75", "soc_model": "57"}

CHILD = """
import json, sys
from profiler.engines import ort_providers
from profiler.engines.protocol import EngineFailure
graph, provider, options, before, compiled = sys.argv[1:]
exec(before)
route = {"provider": provider, "options": json.loads(options)}
job = {"settings": {"threads": 1}, "compiled": compiled, "route": route}
try:
    opened = ort_providers.session(graph, job)
except EngineFailure as failure:
    print(failure.kind, failure.message)
else:
    print("runs", *[part.ep_name for part in opened.get_provider_graph_assignment_info()])
"""
"""Providers stay registered, and the log is standard error: each question has a process of its own, as in a worker."""


def graph(path: Path, *, last: str = "Softmax", rows: int | str = 4) -> Path:
    """A product and another operator."""
    weights = helper.make_tensor("w", TensorProto.FLOAT, [4, 4], np.eye(4, dtype=np.float32).ravel())
    more = {"equation": "ij->ji"} if last == "Einsum" else {}
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["y"], name="product"),
        helper.make_node(last, ["y"], ["z"], name="last", **more),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [rows, 4])
    z = helper.make_tensor_value_info("z", TensorProto.FLOAT, None)
    made = helper.make_model(
        helper.make_graph(nodes, "g", [x], [z], [weights]),
        opset_imports=[helper.make_opsetid("", 21)],
        ir_version=10,
    )
    path.write_bytes(made.SerializeToString())
    return path


def opened(
    path: Path, provider: str, options: dict[str, str], before: str = "", compiled: Path | None = None
) -> str:
    """What a session on a provider comes to."""
    with tempfile.TemporaryFile() as log:
        done = subprocess.run(
            [sys.executable, "-c", CHILD, path, provider, json.dumps(options), before, str(compiled or "")],
            stdout=subprocess.PIPE,
            stderr=log,
            check=True,
            text=True,
        )
    return done.stdout.strip().splitlines()[-1]


def test_a_graph_that_it_takes_runs_there_and_nowhere_else(tmp_path: Path) -> None:
    assert opened(graph(tmp_path / "g.onnx"), QNN, HTP) == f"runs {QNN}"


@pytest.mark.parametrize(
    ("last", "rows", "options", "cause"),
    [
        ("Einsum", 4, HTP, "Unsupported nodes in QNN EP: Einsum"),
        ("Softmax", "n", HTP, "lengths of its input x vary, and an NPU needs fixed ones"),
        ("Softmax", 4, {"backend_type": "cpu"}, "libQnnCpu.so: cannot open shared object file"),
        ("Softmax", 4, {"backend_type": "gpu"}, "QNN_BACKEND_ERROR_CANNOT_INITIALIZE"),
        ("Softmax", 4, {"backend_path": "libNone.so"}, "libNone.so: cannot open shared object file"),
    ],
)
def test_what_it_would_leave_to_the_cpu_is_refused_with_the_cause(
    tmp_path: Path, last: str, rows: int | str, options: dict[str, str], cause: str
) -> None:
    found = opened(graph(tmp_path / "g.onnx", last=last, rows=rows), QNN, options)
    assert found.startswith("fell_back not all of the graph would run there, so nothing is run: ")
    assert cause in found


def test_a_plug_in_whose_library_is_gone(tmp_path: Path) -> None:
    gone = "import onnxruntime_qnn; onnxruntime_qnn.get_library_path = lambda: '/nowhere/libqnn.so'"
    found = opened(graph(tmp_path / "g.onnx"), QNN, HTP, before=gone)
    assert found.startswith(f"missing_library {QNN} cannot be loaded: ")


WITHOUT = """
import os, pathlib, onnxruntime_qnn
place, package = pathlib.Path({folder!r}), pathlib.Path(onnxruntime_qnn.__file__).parent
place.mkdir()
for file in package.glob("*.so"):
    if file.name != {missing!r}:
        os.symlink(file, place / file.name)
os.symlink(str(package) + ".libs", str(place) + ".libs")
onnxruntime_qnn.get_library_path = lambda: str(place / "libonnxruntime_providers_qnn.so")
"""
"""The package as it would be without one of its libraries."""


@pytest.mark.parametrize(
    ("missing", "compiled", "outcome"),
    [
        ("libQnnHtp.so", False, "libQnnHtp.so: cannot open shared object file"),
        ("libQnnSystem.so", False, f"runs {QNN}"),
        ("libQnnSystem.so", True, "libQnnSystem.so: cannot open shared object file"),
        ("libHtpPrepare.so", True, f"runs {QNN}"),
    ],
)
def test_a_library_of_the_plug_in_that_is_gone(
    tmp_path: Path, missing: str, compiled: bool, outcome: str
) -> None:
    """The system's library is needed for compiled graphs alone, the compiler's for none on this processor."""
    before = WITHOUT.format(folder=str(tmp_path / "onnxruntime_qnn"), missing=missing)
    folder = tmp_path / "compiled"
    folder.mkdir()
    found = opened(graph(tmp_path / "g.onnx"), QNN, HTP, before, folder if compiled else None)
    assert outcome in found
    assert found.startswith(("runs", "fell_back"))


def test_a_plug_in_that_is_not_installed(tmp_path: Path) -> None:
    gone = "import importlib.util; importlib.util.find_spec = lambda name: None"
    found = opened(graph(tmp_path / "g.onnx"), QNN, HTP, before=gone)
    assert found == f"missing_library {QNN} is not installed: pip install onnxruntime-qnn"


def test_a_plug_in_that_sees_no_device(tmp_path: Path) -> None:
    provider = "OpenVINOExecutionProvider"
    hidden = "import onnxruntime; onnxruntime.get_ep_devices = lambda: []"
    found = opened(graph(tmp_path / "g.onnx"), provider, {"device_type": "NPU"}, before=hidden)
    assert found == f"load_failed {provider} sees no device of its own here"


def test_a_provider_that_this_wheel_does_not_have(tmp_path: Path) -> None:
    found = opened(graph(tmp_path / "g.onnx"), "CUDAExecutionProvider", {})
    assert (
        found == "missing_library this onnxruntime has no CUDAExecutionProvider: it has CPUExecutionProvider"
    )


LOADS_NOTHING = (
    "\x1b[1;31m2026-11-30 03:48:32 [E:onnxruntime:Default, provider_bridge_ort.cc:2458 operator()] "
    "/onnxruntime_src/onnxruntime/core/session/provider_bridge_ort.cc:2043 onnxruntime::Provider& "
    "onnxruntime::ProviderLibrary::Get() [ONNXRuntimeError] : 1 : FAIL : Failed to load library "
    "/x/libonnxruntime_providers_cuda.so with error: libcublasLt.so.13: cannot open shared object file: "
    "No such file or directory\n"
    "\x1b[m\n"
)
"""What the wheel onnxruntime-gpu 1.32 logs on a machine without CUDA."""


def test_the_cause_is_read_from_a_log_as_the_wheel_for_cuda_writes_it() -> None:
    assert ort_log.cause(LOADS_NOTHING) == (
        "Failed to load library /x/libonnxruntime_providers_cuda.so with error: libcublasLt.so.13: cannot open shared "
        "object file: No such file or directory"
    )


def test_where_in_its_source_the_library_raised_is_left_out() -> None:
    told = (
        "/onnxruntime_src/onnxruntime/python/onnxruntime_pybind_state.cc:729 void onnxruntime::python::"
        "RegisterTensorRTPluginsAsCustomOps(PySessionOptions&, const onnxruntime::ProviderOptions&) Please install "
        "TensorRT libraries"
    )
    assert ort_library.cause(RuntimeError(told)) == "Please install TensorRT libraries"


def test_software_for_graphics_that_is_missing_or_a_node_it_lacks_is_refused(tmp_path: Path) -> None:
    found = opened(graph(tmp_path / "g.onnx", last="Det"), WEBGPU, {})
    assert found.startswith(("load_failed", "fell_back", "missing_library"))
