"""ONNX folders that cannot be run: one sentence each, before anything is measured."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

from profiler.builds.onnx_direct.write import write
from profiler.cli.app import main
from tests.conftest import Outcome, only_refusal
from tests.tiny_llama import write_tiny_llama

Change = Callable[[Path], object]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A direct build of a tiny llama."""
    place = tmp_path_factory.mktemp("sound")
    write_tiny_llama(place / "tiny.gguf")
    folder = place / "tiny-onnx"
    folder.mkdir()
    write(place / "tiny.gguf", folder, lambda _what, _done, _total: None)
    return folder


@pytest.fixture
def folder(sound: Path, tmp_path: Path) -> Path:
    """A copy of the sound one, to be broken."""
    return Path(shutil.copytree(sound, tmp_path / "tiny-onnx"))


@pytest.fixture
def call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Outcome]:
    """The command in this process."""

    def called(*words: str | Path) -> Outcome:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
        soon = ["--processes", "1", "--passes", "1", "--settle", "0s"]
        monkeypatch.setattr(sys, "argv", ["edgeprof", *map(str, words), *(soon if words[0] == "run" else ())])
        code = main()
        return Outcome(code, *capsys.readouterr())

    return called


def changed(change: Callable[[Any], None]) -> Change:
    """The graph of a folder, changed by `change`."""

    def apply(folder: Path) -> None:
        path = folder / "model.onnx"
        model = onnx.load(path, load_external_data=False)
        change(model)
        path.write_bytes(model.SerializeToString())

    return apply


def configured(**parts: Any) -> Change:
    """The decoder of genai_config.json with other values."""

    def apply(folder: Path) -> None:
        path = folder / "genai_config.json"
        told = json.loads(path.read_text())
        told["model"]["decoder"] |= parts
        path.write_text(json.dumps(told))

    return apply


def _lies_at(location: str) -> Change:
    def change(model: Any) -> None:
        for tensor in model.graph.initializer:
            for entry in tensor.external_data:
                if entry.key == "location":
                    entry.value = location

    return changed(change)


def _opset(version: int) -> Change:
    def change(model: Any) -> None:
        model.opset_import[0].version = version

    return changed(change)


def _without_inputs(begin: str) -> Change:
    def change(model: Any) -> None:
        kept = [item for item in model.graph.input if not item.name.startswith(begin)]
        del model.graph.input[:]
        model.graph.input.extend(kept)

    return changed(change)


def _with_node(kind: str, domain: str) -> Change:
    node = helper.make_node(kind, ["input_ids"], ["unused"], domain=domain)
    return changed(lambda model: model.graph.node.append(node))


def _with_branch(model: Any) -> None:
    model.graph.input.append(helper.make_tensor_value_info("use_cache_branch", TensorProto.BOOL, [1]))


def _cut(folder: Path) -> None:
    data = folder / "model.onnx.data"
    data.write_bytes(data.read_bytes()[:-1000])


def _two_graphs(folder: Path) -> None:
    (folder / "genai_config.json").unlink()
    (folder / "model.onnx").rename(folder / "a.onnx")
    (folder / "model_level0.onnx").rename(folder / "b.onnx")


def _no_graph(folder: Path) -> None:
    for path in [*folder.glob("*.onnx"), folder / "genai_config.json"]:
        path.unlink()


BROKEN: dict[str, tuple[Change, str]] = {
    "no data file": (
        lambda folder: (folder / "model.onnx.data").unlink(),
        "tiny-onnx/model.onnx: its file of weights model.onnx.data is not there; fetch it too.",
    ),
    "data file cut": (_cut, "model.onnx.data has "),
    "data file above": (_lies_at("../stolen"), "names the file ../stolen outside its folder"),
    "data file from the root": (_lies_at("/etc/passwd"), "names the file /etc/passwd outside its folder"),
    "data file of another drive": (_lies_at("C:\\x"), "outside its folder"),
    "data file with a long name": (_lies_at("x" * 300), "is not there; fetch it too."),
    "opset of the future": (_opset(99), "its opset is 99; accepted: 7 to 26; export the model again."),
    "opset of the past": (_opset(3), "its opset is 3; accepted: 7 to 26; export the model again."),
    "no cache inputs": (
        _without_inputs("past_key_values"),
        "has no cache inputs (past_key_values.0.key); export it with past (text-generation-with-past).",
    ),
    "no language model": (_without_inputs("input_ids"), "it is not a language model; name its decoder."),
    "merged decoder": (changed(_with_branch), "is a merged decoder (use_cache_branch), which is not run"),
    "compiled for an accelerator": (
        _with_node("EPContext", "com.microsoft"),
        "was compiled for one accelerator (EPContext); use the build it was made from.",
    ),
    "operators of a provider": (
        _with_node("Quantize", "com.nvidia"),
        "needs operators of com.nvidia, which no provider here has; export it without them.",
    ),
    "no graph": (_no_graph, "tiny-onnx: is a folder without an ONNX graph; give a GGUF file, or "),
    "two graphs": (_two_graphs, "tiny-onnx: has several graphs (a.onnx, b.onnx); name the one to use."),
    "empty graph": (lambda folder: (folder / "model.onnx").write_bytes(b"") and None, "is empty"),
    "web page": (
        lambda folder: (folder / "model.onnx").write_bytes(b"<!DOCTYPE html><html>"),
        "not an ONNX graph; it looks like a web page",
    ),
    "garbage": (
        lambda folder: (folder / "model.onnx").write_bytes(b"\x08\x0a\xff\xff\xff"),
        "is not a whole ONNX graph",
    ),
    "configuration that is a list": (
        lambda folder: (folder / "genai_config.json").write_text("[]"),
        "tiny-onnx/genai_config.json: is not a JSON object; fetch the folder again.",
    ),
    "graph above": (configured(filename="../x.onnx"), "names the file ../x.onnx outside its folder"),
    "graph that is missing": (configured(filename="gone.onnx"), "gone.onnx: no such file; check the path."),
}


@pytest.mark.parametrize(("change", "found"), BROKEN.values(), ids=BROKEN)
def test_folder_is_refused_in_one_sentence(
    folder: Path, call: Callable[..., Outcome], change: Change, found: str
) -> None:
    change(folder)
    assert found in only_refusal(call("run", folder))
    assert not (folder.parent / "data").exists()


def test_folder_without_a_tokenizer_has_only_raw_workloads(
    folder: Path, call: Callable[..., Outcome]
) -> None:
    (folder / "tokenizer.json").unlink()
    sentence = only_refusal(call("run", folder, "--engine", "ort"))
    assert (
        sentence
        == "tiny-onnx cannot be loaded: the folder has no tokenizer.json, which a workload of text needs"
    )
    assert call("run", folder, "--engine", "ort", "-w", "tg2").code == 0


def test_folder_for_a_provider_that_is_not_here(folder: Path, call: Callable[..., Outcome]) -> None:
    configured(session_options={"provider_options": [{"cuda": {}}]})(folder)
    assert only_refusal(call("run", folder, "--engine", "ort-genai")) == (
        "tiny-onnx cannot be loaded: genai_config.json asks for the provider cuda; accepted: cpu; "
        "build it for the CPU"
    )


def test_graph_with_an_operator_that_no_provider_here_has(folder: Path, call: Callable[..., Outcome]) -> None:
    _with_node("GroupNorm", "com.microsoft")(folder)
    done = call("run", folder, "--engine", "ort")
    assert done.code == 3
    assert "ONNX Runtime says: " in done.out


class TestBuilding:
    def refused(self, call: Callable[..., Outcome], tmp_path: Path, *words: str, **asked: Any) -> str:
        write_tiny_llama(tmp_path / "tiny.gguf", **asked)
        sentence = only_refusal(call("build", "onnx", "tiny.gguf", *words))
        assert not (tmp_path / "tiny-onnx").exists()
        return sentence

    def test_of_an_architecture_that_is_not_known(self, call: Callable[..., Outcome], tmp_path: Path) -> None:
        sentence = self.refused(call, tmp_path, arch="olmo2")
        assert sentence.startswith("tiny.gguf: its architecture is olmo2; the direct writer knows llama")

    def test_of_a_quantization_that_cannot_be_carried(
        self, call: Callable[..., Outcome], tmp_path: Path
    ) -> None:
        sentence = self.refused(call, tmp_path, kinds={"ffn_up": "TQ1_0"})
        assert "tensor blk.0.ffn_up.weight is TQ1_0, which cannot be carried over unchanged" in sentence

    @pytest.mark.parametrize(
        ("words", "found"),
        [
            (["--via", "dirct"], "--via dirct: did you mean direct?"),
            (["--quant", "int4"], "--quant goes with --via optimum or genai"),
            (["--via", "genai", "--check"], "--check goes with --via direct"),
        ],
    )
    def test_words_that_do_not_go_together(
        self, call: Callable[..., Outcome], tmp_path: Path, words: list[str], found: str
    ) -> None:
        assert found in self.refused(call, tmp_path, *words)

    def test_over_a_folder_that_is_there(
        self, call: Callable[..., Outcome], tmp_path: Path, folder: Path
    ) -> None:
        write_tiny_llama(tmp_path / "tiny.gguf")
        before = sorted(folder.iterdir())
        assert "tiny-onnx exists" in only_refusal(call("build", "onnx", "tiny.gguf"))
        assert sorted(folder.iterdir()) == before

    def test_of_a_source_that_is_no_model(self, call: Callable[..., Outcome], tmp_path: Path) -> None:
        (tmp_path / "x.gguf").write_bytes(b"GGUF")
        assert "truncated" in only_refusal(call("build", "onnx", "x.gguf"))
        assert "no such file" in only_refusal(call("build", "onnx", "y.gguf"))
        assert "File name too long" in only_refusal(call("build", "onnx", "y" * 300))

    def test_into_a_folder_that_cannot_be(self, call: Callable[..., Outcome], tmp_path: Path) -> None:
        write_tiny_llama(tmp_path / "tiny.gguf")
        sentence = only_refusal(call("build", "onnx", "tiny.gguf", "-o", "y" * 300))
        assert sentence.endswith("cannot be written (File name too long): choose another place with -o")
