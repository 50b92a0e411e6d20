"""`edgeprof predict`: what it prints, what fits, limits, and one sentence for what cannot be predicted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from profiler.cli import predicting
from profiler.errors import UserError
from profiler.predicting.prediction import (
    DecodeAt,
    Figure,
    Prediction,
    Predictions,
    PromptOf,
    Speed,
)
from profiler.render import predicted_markdown, predicted_terminal
from tests.conftest import Command, only_refusal
from tests.tiny_llama import write_tiny_llama


def typed(*words: str, **more: Any) -> predicting.Typed:
    none: dict[str, Any] = dict.fromkeys(predicting.Typed.__struct_fields__)
    usual = {"device": "this", "target": "cpu", "fits": False, "output_format": "json"}
    return predicting.Typed(**(none | usual | {"models": list(words)} | more))


def read(text: str) -> list[Prediction]:
    document = msgspec.json.decode(text, type=Predictions)
    assert document.schema == "edgeprof.prediction/1"
    return document.predictions


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.gguf"
    write_tiny_llama(path, merges=["! !"])
    return path


class TestOutput:
    def test_json_has_the_whole_prediction(self, edgeprof: Command, tiny: Path) -> None:
        words = ("--context", "64,128", "--kv", "f16,q8_0", "-f", "json")
        found = read(edgeprof("predict", tiny, *words).out)
        assert [(one.context, one.settings["kv"]) for one in found] == [
            (64, "f16"),
            (64, "q8_0"),
            (128, "f16"),
            (128, "q8_0"),
        ]
        for one in found:
            assert (one.build, one.basis, one.engine, one.device) == (
                "tiny",
                "predicted",
                "llama-cpp",
                "this",
            )
            assert one.fit.word == "fits"
            assert one.memory is not None
            assert one.memory.total_bytes > one.memory.weights_bytes

    def test_a_model_of_the_catalogue_needs_no_file(self, edgeprof: Command, tmp_path: Path) -> None:
        scratch = tmp_path / "scratch"
        scratch.mkdir()
        words = ("deepseek-v3", "--device", "raspberry-pi-5", "-f", "json")
        (one,) = read(edgeprof("predict", *words, env={"TMPDIR": str(scratch)}).out)
        assert (one.quantization, one.settings["threads"]) == ("Q4_K_M", 4)
        assert one.fit.word in ("does_not_fit", "fits_with_mmap")
        assert any("8 of 256 experts" in note for note in one.notes)
        assert any("no vocabulary" in note for note in one.notes)
        assert list(scratch.iterdir()) == []

    def test_a_known_build_is_predicted_before_it_is_fetched(self, edgeprof: Command) -> None:
        (one,) = read(edgeprof("predict", "smollm2-135m-instruct-q4_1", "-f", "json").out)
        assert one.quantization == "Q4_1"

    def test_terminal_and_file(self, edgeprof: Command, tiny: Path, tmp_path: Path) -> None:
        shown = edgeprof("predict", tiny)
        assert "Memory, predicted" in shown.out
        assert "free on this machine now" in shown.out
        edgeprof("predict", tiny, "-o", tmp_path / "told.md")
        assert (tmp_path / "told.md").read_text("utf-8").startswith("## Predicted for this machine, cpu")


class TestSpeeds:
    RANGE = Figure(value=10.0, unit="tok/s", low=8.0, high=12.0, level=0.9)
    SPEED = Speed(
        decode=[DecodeAt(depth=0, decode_tps=RANGE, limited_by="memory bandwidth")],
        prompts=[
            PromptOf(
                tokens=128,
                prefill_tps=RANGE,
                ttft_ms=Figure(value=500.0, unit="ms", low=400.0, high=700.0, level=0.9),
            )
        ],
        source="a test",
    )
    LIMITS = """
title = "A test"
question = "Does it?"
[[use]]
workload = "pp32"
limits = [{}]
"""

    @pytest.fixture(autouse=True)
    def known(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for module in ("predict", "limits"):
            monkeypatch.setattr(f"profiler.predicting.{module}.speeds", lambda *_: self.SPEED)

    def document(self, tiny: Path, capsys: pytest.CaptureFixture[str], **more: Any) -> Predictions:
        try:
            predicting.start(typed(str(tiny), **more))
        except BaseException as ended:
            self.code = getattr(ended, "exit_code", None)
            if self.code is None:
                raise
        return msgspec.json.decode(capsys.readouterr().out, type=Predictions)

    def test_ranges_and_what_limits_are_shown(self, tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
        found = self.document(tiny, capsys)
        for text in (predicted_terminal.render(found, False), predicted_markdown.render(found, False)):
            assert "Decoding, predicted" in text
            assert "8.00 to 12.0" in text
            assert "memory bandwidth" in text
            assert "in 90% of like cases" in text

    def test_of_many_sources_the_first_is_told(self, tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
        found = self.document(tiny, capsys)
        (one,) = found.predictions
        many = [replace(one, speed=replace(self.SPEED, source=f"source {n}")) for n in range(5)]
        text = predicted_terminal.render(replace(found, predictions=many), False)
        assert "source 0; 4 others like it, by build" in " ".join(text.split())

    @pytest.mark.parametrize(
        ("limit", "word", "code"),
        [
            ("decode_tps >= 8", "ship", 0),
            ("decode_tps >= 11", "undecided", 4),
            ("decode_tps >= 13", "skip", 1),
            ("ttft_ms.p90 <= 1 s", "ship", 0),
            ("pss_bytes <= 1 MiB", "skip", 1),
            ("energy_j_per_token <= 1 J", "undecided", 4),
        ],
    )
    def test_limits_are_held_against_the_range(
        self, tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], limit: str, word: str, code: int
    ) -> None:
        path = tmp_path / "limits.toml"
        path.write_text(self.LIMITS.format(json.dumps(limit)))
        (verdict,) = self.document(tiny, capsys, limits=str(path)).predictions[0].verdicts
        assert (verdict.workload, verdict.word, self.code) == ("pp32", word, code)
        if "p90" in limit:
            assert "percentile" in verdict.judged[0].reason


class TestFits:
    def test_the_most_useful_first(self, edgeprof: Command) -> None:
        words = ("--fits", "--device", "raspberry-pi-5", "smollm2-135m", "llama-3.2-1b", "llama-3.1-70b")
        chosen = ("--quant", "Q8_0,Q4_K_M", "--context", "1024,16384", "-f", "json")
        found = read(edgeprof("predict", *words, *chosen).out)
        assert [(one.model, one.quantization, one.context, one.fit.word) for one in found[:6]] == [
            ("llama-3.2-1b", "Q8_0", 16384, "fits"),
            ("llama-3.2-1b", "Q8_0", 1024, "fits"),
            ("llama-3.2-1b", "Q4_K_M", 16384, "fits"),
            ("llama-3.2-1b", "Q4_K_M", 1024, "fits"),
            ("smollm2-135m", "Q8_0", 1024, "fits"),
            ("smollm2-135m", "Q4_K_M", 1024, "fits"),
        ]
        assert {(one.model, one.fit.word) for one in found[6:]} == {("llama-3.1-70b", "does_not_fit")}

    def test_the_table_names_the_best_mix_of_each_model(self, edgeprof: Command) -> None:
        words = (
            "--fits",
            "--device",
            "raspberry-pi-5",
            "smollm2-135m",
            "llama-3.1-70b",
            "--quant",
            "Q8_0,Q4_K_M",
        )
        shown = edgeprof("predict", *words).out
        (line,) = [line for line in shown.splitlines() if line.startswith("smollm2-135m")]
        assert "Q8_0" in line
        assert "llama-3.1-70b" in shown.partition("Nothing fits of")[2]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "name a model or a file to predict"),
        (("llama-3.1-8x",), "did you mean llama-3.1-8b"),
        (("smollm2-135m", "--quant", "Q9"), "Q9 is no mix that llama.cpp writes"),
        (("smollm2-135m", "--context", "9000"), "context 9000 is longer than the 8192 tokens"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(
    edgeprof: Command, tmp_path: Path, words: tuple[str, ...], sentence: str
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    assert sentence in only_refusal(edgeprof("predict", *words, env={"TMPDIR": str(scratch)}))
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"device": "nosuch"}, "no device is called 'nosuch'"),
        ({"device": "apple-m1"}, "the memory of device apple-m1 is not known"),
        ({"target": "npu"}, "has no target 'npu'"),
        ({"quant": "Q8_0"}, "--quant chooses the mix of a model"),
        ({"context": "129"}, "longer than the 128 tokens"),
        ({"context": "many"}, "--context 'many': whole numbers"),
        ({"prompt": "500"}, "--prompt 500 does not fit"),
        ({"depth": "128"}, "--depth 128 does not fit"),
        ({"setting": ["context=3"]}, "give it with --context"),
        ({"setting": ["colour=3"]}, "has no setting 'colour'"),
        ({"kv": "q9"}, "kv 'q9' of engine llama-cpp"),
        ({"kv": "q8_0", "flash": "off"}, "quantized V cache requires flash_attn"),
        ({"engine": "ort"}, "engine ort does not read tiny"),
        ({"limits": "nosuch"}, "no such file of limits"),
    ],
)
def test_what_cannot_be_asked_of_a_file(tiny: Path, more: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError) as told:
        predicting.start(typed(str(tiny), **more))
    assert sentence in str(told.value)


def test_an_onnx_folder_is_a_lower_bound(edgeprof: Command, tmp_path: Path) -> None:
    write_tiny_llama(tmp_path / "tiny.gguf")
    assert edgeprof("build", "onnx", tmp_path / "tiny.gguf", "-o", tmp_path / "folder").code == 0
    words = ("--engine", "ort-genai,ort", "-f", "json")
    found = read(edgeprof("predict", tmp_path / "folder", *words).out)
    assert [one.engine for one in found] == ["ort-genai", "ort"]
    for one in found:
        assert one.memory is not None
        assert one.memory.kv_bytes == 128 * 2 * 2 * 2 * 64 * 4
        assert one.memory.compute_bytes is None
        assert one.memory.lower_bound
        assert one.fit.word == "unknown"
        assert one.speed is None
