"""The whole path to an NPU, on Qualcomm's emulation of one: proven beside the CPU, and never timed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from profiler.builds.onnx_direct.write import write
from profiler.builds.onnx_static.lengths import Lengths
from profiler.measure.proving import prove, refused
from profiler.runfile import Route, read
from tests.conftest import Command, Outcome
from tests.run_builder import build, case
from tests.static_builds import static
from tests.tiny_decoders import write_tiny

pytest.importorskip("onnxruntime_qnn")

QNN = "QNNExecutionProvider"


@pytest.fixture(scope="module")
def gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tiny") / "tiny.gguf"
    write_tiny(path, "llama", "Q4_1", layers=2)
    return path


@pytest.fixture(scope="module")
def fixed(gguf: Path) -> Path:
    return static(gguf, Lengths(chunk=4, past=31), "int4")


def npu(edgeprof: Command, build: Path, *more: str) -> Outcome:
    return edgeprof("run", build, "--target", "npu", "-p", "8", "-n", "4", "-o", "npu.jsonl", *more)


def test_a_static_build_is_proven_there_and_its_speed_withheld(
    edgeprof: Command, fixed: Path, tmp_path: Path
) -> None:
    done = npu(edgeprof, fixed, "-f", "json")
    assert done.code == 0, done.err
    (row,) = json.loads(done.out)["rows"]
    assert (row["target"], row["basis"], row["failure"]) == ("npu", "simulated", None)
    assert row["route"]["provider"] == QNN
    assert row["route"]["options"] == {"backend_type": "htp", "htp_arch": "75", "soc_model": "57"}
    proof = row["proof"]
    assert (proof["same"], proof["failure"]) == (proof["tokens"], None)
    assert proof["cosine"] > 0.999
    assert proof["compile_ms"] > 0
    assert proof["load_ms"] > 0
    (placed,) = proof["placed"]
    assert (placed["device"], placed["unit"], placed["arithmetic"], placed["weights"]) == (QNN, "nodes", 1, 1)
    assert {figure["value"] for name, figure in row["metrics"].items() if name.endswith("_tps")} == {None}
    assert all("withheld" in row["metrics"][name]["reason"] for name in ("ttft_ms", "decode_tps"))
    assert {"simulated", "proven"} <= {notice["code"] for notice in row["notices"]}
    run = read(tmp_path / "npu.jsonl")
    assert run.workers == []
    assert run.ended is not None
    assert run.ended.reason == "simulated"


def test_beside_the_cpu_in_one_run(edgeprof: Command, fixed: Path) -> None:
    words = ("run", fixed, "--target", "cpu,npu", "-p", "8", "-n", "4", "--processes", "1")
    rows = json.loads(edgeprof(*words, "-f", "json").out)["rows"]
    assert [(row["target"], row["basis"]) for row in rows] == [("cpu", "measured"), ("npu", "simulated")]
    assert rows[0]["metrics"]["decode_tps"]["value"] > 0
    assert "proof" not in rows[0]


def test_its_profile_is_of_both_graphs(edgeprof: Command, fixed: Path) -> None:
    words = ("run", fixed, "-p", "8", "-n", "4", "--processes", "1", "--profile", "-f", "json")
    (row,) = json.loads(edgeprof(*words).out)["rows"]
    assert row["profile"]["reason"] is None
    assert [phase["phase"] for phase in row["profile"]["phases"]] == ["prefill", "decode"]


def test_a_graph_of_varying_lengths_is_refused_with_what_to_type(
    edgeprof: Command, gguf: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "direct"
    folder.mkdir()
    write(gguf, folder, lambda _what, _done, _total: None)
    done = npu(edgeprof, folder)
    assert done.code == 3
    assert "edgeprof build onnx FILE.gguf --static" in done.out
    assert "fell back" in done.out
    assert "tok/s" not in done.out.split("r1")[1]


@pytest.mark.parametrize("form", ["markdown", "csv", "html"])
def test_no_report_shows_a_speed(edgeprof: Command, fixed: Path, tmp_path: Path, form: str) -> None:
    assert npu(edgeprof, fixed).code == 0
    written = tmp_path / f"report.{form}"
    assert edgeprof("report", "npu.jsonl", "-f", form, "-o", written).code == 0
    text = written.read_text("utf-8")
    assert "simulated" in text
    assert "answer" in text or form == "csv"
    assert "its speed there is not known" in text or form != "html"


def answers(*, cosine: float | None, tokens: list[int]) -> dict[str, Any]:
    """What a worker on a device might have said."""
    return {"tokens": tokens, "load_ms": 1.0, "facts": {}, "cosine": cosine, "largest": 1.0}


@pytest.mark.parametrize(
    ("cosine", "tokens", "kind"),
    [
        (0.9999, [1, 2, 3, 4], None),
        (0.9999, [1, 2, 3, 9], None),
        (0.9999, [1, 9, 9, 9], "wrong_answers"),
        (0.967, [1, 2, 3, 4], "wrong_answers"),
        (-0.86, [7, 7, 7, 7], "wrong_answers"),
        (None, [1, 2, 3, 4], None),
        (None, [1, 2, 9, 9], "wrong_answers"),
    ],
)
def test_other_answers_than_the_cpu_s_are_refused(
    tmp_path: Path, cosine: float | None, tokens: list[int], kind: str | None
) -> None:
    """An export is known whose nodes all ran on an NPU, with a cosine of -0.86."""
    from profiler.measure.asking import Asking
    from profiler.measure.events import Proved
    from profiler.measure.launch import Seen

    cpu = Seen(proved=Proved(**answers(cosine=None, tokens=[1, 2, 3, 4])))
    there = Seen(proved=Proved(**answers(cosine=cosine, tokens=tokens)))
    told = iter([cpu, there])
    asking = Asking(run=lambda *_: next(told))
    on_device = msgspec.structs.replace(case("r1", "a", target="npu"), route=Route(provider=QNN))
    found = refused(prove(on_device, build("a"), tmp_path, tmp_path, asking))
    assert (found.kind if found else None) == kind
