"""Memory before a load: the engine's own figures, the copies it rewrites, and the total, against real loads."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from profiler.builds.gguf import GgufHeader, TensorInfo, read_header
from profiler.measure.variants import combinations
from profiler.predicting import inspection
from profiler.predicting.inspection import Buffers, Inspected, Refused, inspected, uses
from profiler.predicting.memory import Layout, layout, memory, vocabulary_bytes
from profiler.runfile import Build, Settings
from tests.conftest import Command
from tests.tiny_llama import write_tiny_llama

LOAD = """
import json, sys
from profiler.engines import llama_cpp
llama_cpp.import_library()
engine = llama_cpp.LlamaCpp(json.load(sys.stdin), allocate=True)
print(json.dumps(engine.facts()["log"]["buffers"]))
"""
HALF_OF_LAST_DIGIT = 0.005 * 2**20
"""llama.cpp prints MiB with two decimals."""


def settings(**chosen: int | str | bool) -> Settings:
    return combinations("llama-cpp", {}, 1)[0] | {"context": 128, "kv": "f16"} | chosen


def tensor(name: str, offset: int, size: int, *shape: int) -> TensorInfo:
    return TensorInfo(name=name, shape=shape or (32, 8), type_name="Q8_0", bytes=size, offset=offset)


def header(*tensors: TensorInfo) -> GgufHeader:
    return GgufHeader(
        file_name="x", version=3, byte_size=1 << 30, metadata={}, tensors=tensors, data_offset=0
    )


def loaded(path: Path, chosen: Settings) -> list[dict[str, Any]]:
    """The buffers of a real load, as llama.cpp logs them."""
    order = json.dumps({"path": str(path), "settings": chosen, "workload": {}})
    done = subprocess.run(
        [sys.executable, "-c", LOAD], input=order, check=True, capture_output=True, text=True, timeout=60
    )
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


class TestUses:
    def test_only_what_is_multiplied_with(self) -> None:
        found = header(
            tensor("token_embd.weight", 0, 1),
            tensor("output.weight", 1, 1),
            tensor("blk.0.attn_norm.weight", 2, 1, 32),
            tensor("blk.0.attn_q.weight", 3, 1),
            tensor("blk.0.ffn_up_exps.weight", 4, 1, 32, 8, 4),
            tensor("blk.0.ffn_up_exps.bias", 5, 1, 32, 4),
        )
        asked = [(use.tensor.name, use.weight[0]) for use in uses(found)]
        assert asked == [
            ("output.weight", "mul_mat"),
            ("blk.0.attn_q.weight", "mul_mat"),
            ("blk.0.ffn_up_exps.weight", "mul_mat_id"),
        ]

    def test_a_tied_table_is_the_output_too(self) -> None:
        assert [use.tensor.name for use in uses(header(tensor("token_embd.weight", 0, 1)))] == [
            "token_embd.weight"
        ]


class TestLayout:
    TABLE, MATRIX = tensor("token_embd.weight", 0, 8192, 64, 8), tensor("blk.0.attn_q.weight", 8192, 4096)

    def lies(self, *copied: TensorInfo, **chosen: bool) -> Layout:
        both = header(self.TABLE, self.MATRIX)
        places = {use.weight: ("REPACK", 5000) if use.tensor in copied else (None, 0) for use in uses(both)}
        return layout(both, settings(**chosen), places)

    def test_nothing_rewritten(self) -> None:
        assert self.lies() == Layout(mapped=12288, held=0, rewritten=0, spare=0)

    def test_what_is_rewritten_is_unmapped_at_the_end_of_the_file(self) -> None:
        assert self.lies(self.MATRIX) == Layout(mapped=8192, held=0, rewritten=5000, spare=0)

    def test_a_table_stays_beside_its_rewritten_copy(self) -> None:
        assert self.lies(self.TABLE) == Layout(mapped=12288, held=0, rewritten=5000, spare=0)

    def test_without_mapping_the_rest_is_held(self) -> None:
        assert self.lies(self.MATRIX, mmap=False) == Layout(mapped=0, held=8192, rewritten=5000, spare=0)

    def test_without_repacking_nothing_is_rewritten(self) -> None:
        assert self.lies(self.MATRIX, repack=False) == Layout(mapped=12288, held=0, rewritten=0, spare=0)

    def test_what_lies_between_may_leave_memory(self) -> None:
        last = tensor("output.weight", 12288, 4096, 96, 8)
        found = header(self.TABLE, self.MATRIX, last)
        places = {
            use.weight: ("REPACK", 1) if use.tensor == self.MATRIX else (None, 0) for use in uses(found)
        }
        assert layout(found, settings(), places) == Layout(mapped=16384, held=0, rewritten=1, spare=4096)


@pytest.mark.parametrize("kind", ["Q4_0", "Q8_0", "Q4_K"])
@pytest.mark.parametrize("mmap", [True, False])
def test_weights_lie_where_a_real_load_puts_them(tmp_path: Path, kind: str, mmap: bool) -> None:
    path, chosen = tmp_path / "tiny.gguf", settings(mmap=mmap)
    write_tiny_llama(path, kind, merges=["! !"])
    found = inspected(path, [chosen], 128, [read_header(path)])
    assert isinstance(found, Inspected)
    buffers = [one for one in loaded(path, chosen) if one["what"] == "model"]
    plain = sum(one["bytes"] for one in buffers if one["where"] in ("CPU", "CPU_Mapped"))
    lies = layout(read_header(path), chosen, found.places[0] or {})
    assert lies.rewritten == pytest.approx(
        sum(one["bytes"] for one in buffers) - plain, abs=HALF_OF_LAST_DIGIT
    )
    assert lies.mapped + lies.held == pytest.approx(plain, abs=HALF_OF_LAST_DIGIT + 2 * 4096)


def test_cache_and_compute_are_those_of_a_real_load(tmp_path: Path) -> None:
    path = tmp_path / "tiny.gguf"
    write_tiny_llama(path, merges=["! !"])
    asked = [settings(), settings(flash="off"), settings(kv="q8_0"), settings(kv="q8_0", flash="off")]
    found = inspected(path, asked, 16, [])
    assert isinstance(found, Inspected)
    for chosen, plan in zip(asked[:3], found.plans, strict=False):
        buffers = loaded(path, chosen)
        assert isinstance(plan, Buffers)
        assert plan.kv_bytes == sum(one["bytes"] for one in buffers if one["what"] == "kv")
        assert plan.compute_bytes == sum(
            one["bytes"] for one in buffers if one["what"] in ("compute", "output")
        )
        assert 0 < plan.touched_bytes < plan.compute_bytes
    assert isinstance(found.plans[3], Refused)
    assert "flash_attn" in found.plans[3].failure


@pytest.mark.alone
def test_the_total_is_what_a_run_takes(edgeprof: Command, smollm2: Path) -> None:
    words = ("--context", "1024,4096", "--set", "repack=off", "-f", "json")
    told = json.loads(edgeprof("predict", smollm2, "--prompt", "16", *words).out)["predictions"]
    ran = edgeprof("run", smollm2, "--processes", "1", "--passes", "1", "-p", "16", "-n", "2", *words)
    for one, row in zip(told, json.loads(ran.out)["rows"], strict=True):
        measured = {name: figure["value"] for name, figure in row["metrics"].items()}
        assert one["memory"]["kv_bytes"] == measured["kv_bytes"]
        assert one["memory"]["compute_bytes"] == measured["compute_reserved_bytes"]
        assert one["memory"]["total_bytes"] == pytest.approx(measured["pss_bytes"], rel=0.03)


def test_an_engine_that_fails_with_rewritten_weights_is_asked_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "tiny.gguf"
    write_tiny_llama(path, merges=["! !"])
    really = inspection.ask

    def ask(build: Build, path: Path, engine: str, chosen: Settings, more: dict[str, Any]) -> Any:
        return "it aborted" if chosen["repack"] else really(build, path, engine, chosen, more)

    monkeypatch.setattr(inspection, "ask", ask)
    found = inspected(path, [settings()], 16, [read_header(path)])
    assert isinstance(found, Inspected)
    assert (found.refused, found.places) == ("it aborted", [None])
    assert isinstance(found.plans[0], Buffers)
    told = memory(read_header(path), settings(), found, found.plans[0], None)
    assert "it aborted" in (told.only_here or "")


def test_a_file_that_the_engine_refuses_is_told_in_its_words(tmp_path: Path) -> None:
    path = tmp_path / "tiny.gguf"
    write_tiny_llama(path, without="blk.1.attn_q.weight", merges=["! !"])
    found = inspected(path, [settings()], 16, [])
    assert isinstance(found, str)
    assert "attn_q" in found


def test_an_engine_that_cannot_be_asked_for_places(tmp_path: Path) -> None:
    path = tmp_path / "tiny.gguf"
    write_tiny_llama(path, merges=["! !"])
    plan = Buffers(kv_bytes=10, compute_bytes=100, touched_bytes=7, device_bytes=0)
    found = Inspected(plans=[plan], weights_bytes=0, process_bytes=None, system="", places=[None])
    told = memory(read_header(path), settings(), found, plan, None)
    assert told.rewritten_bytes == 0
    assert told.only_here is not None
    assert "could not be asked" in told.only_here
    assert told.total_bytes == told.mapped_bytes + 10 + 7 + told.process_bytes
    assert told.device_bytes == told.weights_bytes + 110


def test_a_vocabulary_is_guessed_only_where_there_is_none(tmp_path: Path) -> None:
    path = tmp_path / "tiny.gguf"
    write_tiny_llama(path, merges=["! !"])
    found = read_header(path)
    assert vocabulary_bytes(found) == 0
    without = msgspec.structs.replace(found, metadata=found.metadata | {"tokenizer.ggml.model": "none"})
    assert vocabulary_bytes(without) == 320 * 300
