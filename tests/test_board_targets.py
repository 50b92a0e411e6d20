"""Targets beside the CPU on a board, and engines that only the board has: asked, proven and compiled there."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import profiler
from profiler.boards.alone import hold
from profiler.boards.boarding import boarded
from profiler.boards.link import Link
from profiler.boards.places import Places
from profiler.builds.onnx_direct.write import write
from profiler.builds.onnx_static.lengths import Lengths
from profiler.measure.launch import job
from profiler.runfile import read
from tests import board_trees
from tests.boards import FakeBoard, until
from tests.conftest import LIMIT_S, Command, Outcome, Script, command, only_refusal
from tests.launching import BUILD, SCRIPTED
from tests.static_builds import static
from tests.test_board_wheels import EMPTY
from tests.tiny_decoders import write_tiny

PACKAGES = Path(str(pytest.importorskip("onnxruntime").__file__)).parent.parent
QNN = "QNNExecutionProvider"
SHORT = ("-p", "8", "-n", "4", "--processes", "1")


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeBoard:
    made = FakeBoard(tmp_path)
    monkeypatch.setenv("PATH", made.env["PATH"])
    return made


@pytest.fixture
def own_folders(own_folders: dict[str, str], board: FakeBoard) -> dict[str, str]:
    """Every command here finds the board."""
    return own_folders | board.env


@pytest.fixture(scope="module")
def gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tiny") / "tiny.gguf"
    write_tiny(path, "llama", "Q4_1", layers=2)
    return path


@pytest.fixture(scope="module")
def fixed(gguf: Path) -> Path:
    """What an NPU can run."""
    pytest.importorskip("onnxruntime_qnn")
    return static(gguf, Lengths(chunk=4, past=31), "int4")


class TestAnNpuThere:
    def test_is_proven_there_beside_its_cpu(
        self, edgeprof: Command, fixed: Path, board: FakeBoard, tmp_path: Path
    ) -> None:
        words = ("--target", "cpu,npu", *SHORT, "-o", "npu.jsonl", "-f", "json")
        done = edgeprof("run", fixed, *board.words, *words)
        assert done.code == 0, done.err
        assert f"Proving {fixed.name} on npu beside the CPU ({QNN})" in done.err
        cpu, npu = json.loads(done.out)["rows"]
        assert (cpu["target"], cpu["basis"]) == ("cpu", "measured")
        assert (npu["target"], npu["basis"], npu["failure"]) == ("npu", "simulated", None)
        proof = npu["proof"]
        assert (proof["same"], proof["failure"]) == (proof["tokens"], None)
        assert proof["compile_ms"] > 0
        run = read(tmp_path / "npu.jsonl")
        assert [one.case for one in run.header.proofs] == ["r2"]
        assert {worker.case for worker in run.workers} == {"r1"}
        text = (tmp_path / "npu.jsonl").read_text("utf-8")
        assert str(board.home) not in text
        assert "pi@board" not in text

    def test_leaves_nothing_but_what_a_run_leaves(
        self, edgeprof: Command, fixed: Path, board: FakeBoard
    ) -> None:
        left = board.folder / "scratch" / "of a run that was killed"
        left.mkdir(parents=True)
        assert edgeprof("run", fixed, *board.words, "--target", "npu", *SHORT).code == 0
        assert {path.name for path in board.folder.iterdir()} == {"builds", "code", "lock"}

    def test_options_of_a_provider_go_there(self, edgeprof: Command, fixed: Path, board: FakeBoard) -> None:
        words = ("run", fixed, *board.words, "--target", "npu", *SHORT, "-f", "json", "--provider-option")
        (row,) = json.loads(edgeprof(*words, "htp_arch=73").out)["rows"]
        assert row["route"]["options"]["htp_arch"] == "73"
        assert "has no option 'speed'" in only_refusal(edgeprof(*words, "speed=9"))

    def test_a_link_that_breaks_is_taken_up_again(
        self, own_folders: dict[str, str], fixed: Path, board: FakeBoard, tmp_path: Path
    ) -> None:
        words = command("run", fixed, *board.words, "--target", "npu", *SHORT, "-f", "json")
        run = subprocess.Popen(words, cwd=tmp_path, env=own_folders, stdout=subprocess.PIPE, text=True)
        until((board.folder / "scratch").is_dir)
        first = board.agent()
        os.kill(first, signal.SIGKILL)
        out, _ = run.communicate(timeout=LIMIT_S)
        assert run.returncode == 0
        assert board.agent() != first
        assert json.loads(out)["rows"][0]["proof"]["failure"] is None

    def test_goes_on_later(
        self, own_folders: dict[str, str], fixed: Path, board: FakeBoard, tmp_path: Path
    ) -> None:
        file = tmp_path / "cut.jsonl"
        words = command("run", fixed, *board.words, "--target", "cpu,npu", "-p", "8", "-n", "4", "-o", file)
        run = subprocess.Popen(words, cwd=tmp_path, env=own_folders, stdout=subprocess.DEVNULL)
        until(lambda: file.is_file() and len(read(file).workers) > 1)
        run.send_signal(signal.SIGINT)
        assert run.wait(LIMIT_S) == 130
        before = len(read(file).workers)
        again = subprocess.Popen(
            command("run", "--resume", file, fixed, *board.words),
            cwd=tmp_path,
            env=own_folders,
            stdout=subprocess.DEVNULL,
        )
        until(lambda: len(read(file).workers) > before)
        again.send_signal(signal.SIGINT)
        assert again.wait(LIMIT_S) == 130
        assert [one.failure for one in read(file).header.proofs] == [None]

    def test_doctor_tells_of_it(self, edgeprof: Command, fixed: Path, board: FakeBoard) -> None:
        assert fixed.is_dir()
        assert seen_by_doctor(edgeprof, board)["engine.npu"] == (
            f"Qualcomm's emulation of its HTP on this CPU, by ort ({QNN})"
        )
        link = Link("pi@board", sys.executable)
        hold(link, "another")
        seen = seen_by_doctor(edgeprof, board)
        link.close()
        assert "engine.npu" not in seen
        assert "is measuring for another edgeprof" in seen["note.targets"]


def seen_by_doctor(edgeprof: Command, board: FakeBoard) -> dict[str, str]:
    """What doctor finds there, by its code."""
    done = edgeprof("doctor", *board.words, "-f", "json", env=board.env)
    assert done.code == 0, done.err
    return {one["code"]: one["seen"] for one in json.loads(done.out)["findings"]}


class TestNoWayThere:
    def test_is_one_sentence_that_names_the_board(
        self, edgeprof: Command, gguf: Path, board: FakeBoard
    ) -> None:
        refused = only_refusal(edgeprof("run", gguf, *board.words, "--target", "gpu", *SHORT))
        assert refused.startswith(
            "target gpu is not reached with this build on board pi@board: CUDA needs CMAKE_ARGS"
        )
        assert refused.endswith(
            f"(edgeprof doctor --on pi@board --board-python {sys.executable} shows what it reaches)"
        )
        assert not (board.folder / "builds").exists(), "nothing is copied for that"

    def test_nor_on_a_jetson_whose_llama_cpp_has_no_cuda(
        self, edgeprof: Command, gguf: Path, tmp_path: Path
    ) -> None:
        """Its tree, with the engines of this Python."""
        (tmp_path / "orin").mkdir()
        jetson = FakeBoard(tmp_path / "orin", board_trees.whole_orin_nano(tmp_path / "tree"))
        words = ("run", gguf, *jetson.words, *SHORT, "--target")
        refused = only_refusal(edgeprof(*words, "gpu", env=jetson.env))
        assert "on board pi@board (jetson-orin-nano-super): CUDA needs CMAKE_ARGS=-DGGML_CUDA=ON" in refused
        assert "has no NPU" in only_refusal(edgeprof(*words, "npu", env=jetson.env))
        told = seen_by_doctor(edgeprof, jetson)
        assert told["engine.gpu"].startswith("not reached: CUDA needs CMAKE_ARGS=-DGGML_CUDA=ON")

    def test_nor_is_a_python_without_engines_one(
        self, edgeprof: Command, gguf: Path, board: FakeBoard
    ) -> None:
        words = ("--on", "pi@board", "--board-python", EMPTY, "--target", "gpu")
        refused = only_refusal(edgeprof("run", gguf, *words, *SHORT))
        assert "CUDA needs CMAKE_ARGS=-DGGML_CUDA=ON pip install" in refused

    def test_nor_while_another_measures(self, edgeprof: Command, gguf: Path, board: FakeBoard) -> None:
        link = Link("pi@board", sys.executable)
        hold(link, "another")
        refused = only_refusal(edgeprof("run", gguf, *board.words, "--target", "gpu", *SHORT))
        link.close()
        assert refused.startswith("board pi@board is measuring for another edgeprof")


class TestAnEngineThatOnlyTheBoardHas:
    """The machine that asks has everything but llama.cpp: links to all other packages."""

    @pytest.fixture
    def without(self, own_folders: dict[str, str], tmp_path: Path) -> Command:
        pytest.importorskip("llama_cpp")
        folder = tmp_path / "packages"
        folder.mkdir()
        for path in PACKAGES.iterdir():
            if not path.name.startswith("llama_cpp"):
                (folder / path.name).symlink_to(path)
        found = os.pathsep.join([str(folder), str(Path(profiler.__file__).parent.parent)])

        def call(*words: str | Path) -> Outcome:
            done = subprocess.run(
                [sys.executable, "-S", *command(*words)[1:]],
                check=False,
                cwd=tmp_path,
                env=own_folders | {"PYTHONPATH": found},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=LIMIT_S,
            )
            return Outcome(done.returncode, done.stdout, done.stderr)

        return call  # type: ignore[return-value]

    def test_is_asked_there(self, without: Command, gguf: Path, board: FakeBoard) -> None:
        done = without("run", gguf, *board.words, *SHORT, "-f", "json")
        assert done.code == 0, done.err
        (row,) = json.loads(done.out)["rows"]
        assert row["engine"] == "llama-cpp"
        assert row["metrics"]["decode_tps"]["value"] > 0

    def test_or_missing_in_both(self, without: Command, gguf: Path, board: FakeBoard) -> None:
        words = ("--on", "pi@board", "--board-python", EMPTY)
        assert only_refusal(without("run", gguf, *words, *SHORT)) == (
            "engine llama-cpp cannot be used on board pi@board: it is not there; edgeprof board setup pi@board puts "
            "it there"
        )
        assert not (board.folder / "builds").exists(), "nothing is copied for that"


def test_the_engine_of_a_format_is_one_that_the_board_has(
    edgeprof: Command, gguf: Path, board: FakeBoard, tmp_path: Path
) -> None:
    """GenAI is the first for such a build; this board has ONNX Runtime alone."""
    folder = tmp_path / "direct"
    folder.mkdir()
    write(gguf, folder, lambda _what, _done, _total: None)
    there = board.folder / "engines"
    there.mkdir(parents=True)
    for name in ("onnxruntime", "numpy", "numpy.libs", "tokenizers"):
        if (PACKAGES / name).exists():
            (there / name).symlink_to(PACKAGES / name)
    words = ("--on", "pi@board", "--board-python", EMPTY, *SHORT, "-f", "json")
    done = edgeprof("run", folder, *words)
    assert done.code == 0, done.err
    (row,) = json.loads(done.out)["rows"]
    assert row["engine"] == "ort"


class TestPlaces:
    def test_what_is_left_for_each_other_has_its_place_there(self, tmp_path: Path) -> None:
        places = Places(tmp_path, "/there/scratch")
        places.put(tmp_path / "a.gguf", "/there/builds/a.gguf")
        order = {
            "path": str(tmp_path / "a.gguf"),
            "compiled": str(tmp_path / "f00"),
            "reference": str(tmp_path / "logits"),
        }
        assert places.ordered(order) == {
            "path": "/there/builds/a.gguf",
            "compiled": "/there/scratch/f00",
            "reference": "/there/scratch/logits",
        }
        assert places.folders(order) == ["/there/scratch/f00"]
        assert places.folders({"path": None, "output": str(tmp_path / "logits")}) == ["/there/scratch"]
        assert places.folders({"path": None}) == []

    def test_what_is_compiled_stays_for_the_workers_that_are_timed(
        self, script: Script, board: FakeBoard
    ) -> None:
        path = script()
        with boarded("pi@board", sys.executable) as reached:
            machine = reached.machine({"model": path}, [], lambda *_: None, external_meter=False)
            order = job(SCRIPTED, BUILD, path, mode="measure", round_number=1, passes=1, seed=1)
            order |= {"compiled": str(reached.scratch / "f00"), "cpus": None}
            visit = machine.visit(path, order, SCRIPTED.workload, 20, lambda *_: None)
            assert visit.seen.failure is None
            assert (board.folder / "scratch/f00").is_dir()
