"""llama.cpp on a real model: SmolLM2-135M-Instruct in Q4_1, one thread, few tokens."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from profiler.catalogue.workloads import parse, text_of
from profiler.engines import llama_cpp
from profiler.engines.llama_cpp import LlamaCpp
from profiler.measure.launch import Seen, job, run_worker
from profiler.measure.variants import combinations
from profiler.measure.worker_prompt import prompt_ids
from profiler.runfile import Case, Failure, Settings, Workload
from tests.conftest import Command, only_refusal
from tests.launching import BUILD, launch
from tests.run_builder import MIB, case

ASKED = parse("chat", prompt=8, output=8)
LAYERS, KV_ELEMENTS = 30, 2 * 3 * 64
"""Of SmolLM2-135M: layers; K and V of 3 heads of 64 for each token and layer (its config.json)."""
CELLS = 256
"""llama.cpp rounds a context up to this."""
LOG_STEP = 0.006 * MIB
"""llama.cpp prints MiB with two decimals."""


def chosen(**changes: str) -> Settings:
    (settings,) = combinations("llama-cpp", {name: [word] for name, word in changes.items()}, threads=1)
    return settings


def model_case(workload: Workload = ASKED, /, **changes: str) -> Case:
    return msgspec.structs.replace(case("r1", workload=workload), settings=chosen(**changes))


def measured(seen: Seen) -> dict[str, Any]:
    """The facts of a worker that has finished."""
    assert seen.failure is None
    assert [done.number for done in seen.passes] == [0, 1]
    assert seen.facts is not None
    return seen.facts


@pytest.fixture(scope="module")
def engine(smollm2: Path) -> Iterator[LlamaCpp]:
    """The engine in this process, without a worker around it."""
    workload = msgspec.to_builtins(parse("chat", prompt=200, output=24))
    llama_cpp.import_library()
    loaded = llama_cpp.load({"path": str(smollm2), "settings": chosen(), "workload": workload})
    yield loaded
    loaded.close()


def answer(engine: LlamaCpp, prompt: bytes, tokens: int) -> list[int]:
    engine.reset()
    engine.prefill(engine.tokenize(prompt))
    return [engine.next_token() for _ in range(tokens)]


def test_greedy_output_is_sense_and_the_same_each_time(engine: LlamaCpp) -> None:
    first = answer(engine, b"The capital of France is", 6)
    assert b"Paris" in engine.text_of(first)
    assert answer(engine, b"The capital of France is", 6) == first
    assert answer(engine, b"The capital of Italy is", 6) != first


@pytest.mark.parametrize("tokens", [1, 32, 128, 1000])
def test_prompt_has_exactly_its_tokens(engine: LlamaCpp, tokens: int) -> None:
    workload = msgspec.to_builtins(parse("chat", prompt=tokens)) | {"text": text_of("chat@1")}
    ids = prompt_ids(engine, workload, seed=1)
    assert len(ids) == tokens
    assert text_of("chat@1").startswith(engine.text_of(ids[:32]).decode())


def test_text_survives_the_tokenizer(engine: LlamaCpp) -> None:
    text = text_of("chat@1")[:300].encode()
    assert engine.text_of(engine.tokenize(text)) == text


def test_random_ids_are_those_of_their_seed_and_of_the_vocabulary(engine: LlamaCpp) -> None:
    ids = engine.random_ids(500, seed=1)
    assert ids == engine.random_ids(500, seed=1)
    assert ids != engine.random_ids(500, seed=2)
    assert all(0 <= token < engine.facts()["vocabulary"] for token in ids)


def test_restored_depth_gives_the_token_that_prefilling_again_gives(engine: LlamaCpp) -> None:
    depth, prompt = engine.tokenize(b"Once upon a time"), engine.tokenize(b" there was a little")
    engine.reset()
    engine.prefill(depth)
    state = engine.save()
    engine.prefill(prompt)
    first = [engine.next_token() for _ in range(4)]
    engine.restore(state)
    engine.prefill(prompt)
    assert [engine.next_token() for _ in range(4)] == first


def test_answer_is_the_same_in_every_pass_and_process(smollm2: Path) -> None:
    first, second = (launch(smollm2, model_case(), passes=2) for _ in range(2))
    hashes = {done.output_sha256 for seen in (first, second) for done in seen.passes if done.number}
    assert len(hashes) == 1
    for done in (*first.passes[1:], *second.passes[1:]):
        assert len(done.token_ns) == 8
        assert done.evaluated_ns is not None
        assert 0 < done.evaluated_ns < done.token_ns[0]
        assert done.token_ns == sorted(done.token_ns)


def test_facts_hold_memory_and_versions_and_inspection_foresees_them(smollm2: Path) -> None:
    facts = measured(launch(smollm2, model_case()))
    assert facts["weights_bytes"] < smollm2.stat().st_size
    assert facts["weights_bytes"] > 0.95 * smollm2.stat().st_size
    assert facts["kv_bytes"] == pytest.approx(CELLS * LAYERS * KV_ELEMENTS * 2, abs=LOG_STEP)
    assert facts["compute_bytes"] > 0
    assert facts["versions"]["llama-cpp-python"] == "0.3.36"
    assert facts["versions"]["ggml"]
    assert facts["versions"]["commit"]

    inspection = launch(smollm2, model_case(), mode="inspect")
    assert inspection.failure is None
    assert inspection.facts is not None
    for name in ("weights_bytes", "kv_bytes", "compute_bytes"):
        assert inspection.facts[name] == facts[name]


def test_inspection_of_a_context_larger_than_memory_allocates_nothing(smollm2: Path) -> None:
    """Eight million tokens take 172 GiB."""
    seen = launch(smollm2, model_case(context=str(2**23)), mode="inspect")
    assert seen.facts is not None
    assert seen.facts["kv_bytes"] == pytest.approx(2**23 * LAYERS * KV_ELEMENTS * 2, abs=LOG_STEP)


KV_BYTES = {"f32": 4, "f16": 2, "bf16": 2, "q8_0": 34 / 32, "q5_1": 24 / 32, "q4_0": 18 / 32}
"""Of one element, block scales included."""


@pytest.mark.parametrize("kv", KV_BYTES)
def test_cache_of_every_type_takes_what_its_type_takes(smollm2: Path, kv: str) -> None:
    facts = measured(launch(smollm2, model_case(kv=kv)))
    assert facts["kv_bytes"] == pytest.approx(CELLS * LAYERS * KV_ELEMENTS * KV_BYTES[kv], abs=LOG_STEP)
    assert (facts["log"]["kv_types"], facts["fell_back"]) == ([kv, kv], None)


@pytest.mark.parametrize("flash", ["on", "off"])
def test_flash_attention_is_as_asked(smollm2: Path, flash: str) -> None:
    facts = measured(launch(smollm2, model_case(flash=flash)))
    assert facts["log"]["flash_attention"] is (flash == "on")
    assert facts["fell_back"] is None


def test_context_is_as_asked(smollm2: Path) -> None:
    facts = measured(launch(smollm2, model_case(context="1024")))
    assert facts["context"] == 1024
    assert facts["log"]["kv_cells"] == 1024


def test_layers_asked_for_on_a_gpu_that_is_not_there_are_a_fall_back(smollm2: Path) -> None:
    """The library of the tests is built for the CPU."""
    asked = model_case(gpu_layers="99")
    facts = measured(launch(smollm2, asked))
    sentence = "asked for 99 layers on a GPU: none of 31 is there: "
    sentence += "this llama.cpp has no back end for a GPU, or sees none"
    assert (facts["log"]["layers"], facts["fell_back"]) == ({"CPU": LAYERS + 1}, sentence)
    strict = launch(smollm2, asked, strict=True)
    assert strict.failure == Failure(kind="fell_back", message=sentence)
    assert strict.passes == []
    inspection = launch(smollm2, asked, mode="inspect").facts
    assert inspection is not None
    assert inspection["fell_back"] == sentence


@pytest.mark.parametrize("change", [{}, {"repack": "off"}, {"mmap": "off"}, {"flash": "off"}, {"kv": "q8_0"}])
def test_what_runs_as_it_was_asked_to_is_no_fall_back(smollm2: Path, change: dict[str, str]) -> None:
    assert measured(launch(smollm2, model_case(**change), strict=True))["fell_back"] is None


@pytest.mark.parametrize("change", [{"repack": "off"}, {"batch": "16"}, {"ubatch": "16"}])
def test_other_settings_run(smollm2: Path, change: dict[str, str]) -> None:
    measured(launch(smollm2, model_case(**change)))


@pytest.mark.parametrize("mmap", ["on", "off"])
def test_weights_are_mapped_or_read_as_asked(smollm2: Path, mmap: str) -> None:
    seen = launch(smollm2, model_case(mmap=mmap, repack="off"))
    measured(seen)
    loaded = {phase.name: phase.memory for phase in seen.phases}["after_decode"]
    if loaded.anon_bytes is None or loaded.build_rss_bytes is None:
        pytest.skip("this system does not tell")
    assert (loaded.anon_bytes > smollm2.stat().st_size) is (mmap == "off")
    assert (loaded.build_rss_bytes > 0.9 * smollm2.stat().st_size) is (mmap == "on")


@pytest.mark.parametrize(("word", "tokens"), [("pp32", 0), ("tg8", 8), ("tg8@d64", 8), ("pp32@d64", 0)])
def test_llama_bench_workloads_run(smollm2: Path, word: str, tokens: int) -> None:
    seen = launch(smollm2, model_case(parse(word)))
    measured(seen)
    (done,) = [done for done in seen.passes if done.number == 1]
    assert len(done.token_ns) == tokens
    assert (done.prompt_bytes, done.output_sha256) == (None, None)


def test_quantised_cache_without_flash_attention_is_refused_in_the_words_of_llama_cpp(smollm2: Path) -> None:
    seen = launch(smollm2, model_case(kv="q8_0", flash="off"))
    assert seen.failure == Failure(
        kind="load_failed",
        message="llama_init_from_model: quantized V cache requires flash_attn to be enabled",
    )


def test_fall_back_is_a_notice_and_with_strict_a_case_that_fails(edgeprof: Command, smollm2: Path) -> None:
    words = (
        "run",
        smollm2,
        "-p",
        "8",
        "-n",
        "2",
        "--processes",
        "1",
        "--passes",
        "1",
        "-t",
        "1",
        "-f",
        "json",
    )
    told = edgeprof(*words, "-s", "gpu_layers=0,99")
    assert told.code == 0, told.err
    on_cpu, fallen = json.loads(told.out)["rows"]
    assert "fell_back" not in [notice["code"] for notice in on_cpu["notices"]]
    (notice,) = [notice for notice in fallen["notices"] if notice["code"] == "fell_back"]
    assert notice["seen"].startswith("asked for 99 layers on a GPU: none of 31 is there")
    assert fallen["conditions"]["assigned"].startswith("CPU: 31 layers, ")

    strict = edgeprof(*words, "-s", "gpu_layers=99", "--strict")
    assert strict.code == 3, strict.err
    (row,) = json.loads(strict.out)["rows"]
    assert row["failure"] == {"kind": "fell_back", "message": notice["seen"]}


def test_refusal_of_some_settings_is_a_row_and_of_all_an_end(edgeprof: Command, smollm2: Path) -> None:
    words = ("-p", "8", "-n", "2", "--processes", "1", "--passes", "1", "-t", "1", "--flash", "off")
    some = edgeprof("run", smollm2, *words, "--kv", "f16,q8_0", "-f", "csv")
    assert some.code == 0
    assert "load_failed: llama_init_from_model: quantized V cache" in some.out
    sentence = only_refusal(edgeprof("run", smollm2, *words, "--kv", "q8_0"))
    assert sentence.startswith("SmolLM2-135M-Instruct.Q4_1 cannot be loaded: llama_init_from_model: ")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="this is what Linux does")
def test_file_that_shrinks_while_it_is_mapped_is_named_as_the_cause(smollm2: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(smollm2, tmp_path))
    long = model_case(parse("chat", prompt=8, output=400), repack="off")
    order = job(long, BUILD, path, mode="measure", round_number=0, passes=1, seed=1)

    def cut(pass_number: int, tokens: int) -> None:
        if pass_number == 1 and tokens:
            os.truncate(path, 4096)

    seen = run_worker(order, long.workload, 20, cut)
    assert seen.failure is not None
    assert seen.failure.kind == "crashed"
    assert seen.failure.message.startswith("the model file shrank or its disk failed while it was mapped")
    assert len(seen.passes[-1].token_ns) > 0
