"""OpenVINO GenAI in its environment, on tiny models and on the real one. Skipped where it was not made."""

from __future__ import annotations

import json
import subprocess
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
import pytest

from profiler import runfile
from profiler.engines import openvino_log, placement
from profiler.environments import environments
from tests.conftest import LIMIT_S, Command, only_refusal
from tests.no_network import ASKED, forbidding
from tests.tiny_llama import write_tiny_llama
from tests.tiny_models import needed

KEPT = {environments.VARIABLE: str(environments.place())}
"""Commands have a data folder of their own, and no environment in it."""

ONCE = ("--processes", "1", "--passes", "1", "-f", "json", "-o", "run.jsonl")

AS_A_WORKER = f"""
import json, os, sys, types
sys.modules["profiler"] = types.ModuleType("profiler")
sys.modules["profiler"].__path__ = [{str(Path(__file__).parents[1] / "profiler")!r}]
from profiler.engines import openvino_genai
order = json.loads(sys.argv[1])
"""

GENERATE = """
openvino_genai.import_library()
engine = openvino_genai.load(order)
ids = engine.tokenize(b"Once upon a time there was a machine. ")
output = engine.generate(ids, 4, lambda k: None)
print(json.dumps([len(output), engine.facts(), openvino_genai.devices()]))
"""

WATCH = """
openvino_genai.import_library()
engine = openvino_genai.load(order)
results, generate = [], engine._pipeline.generate
class Pipeline:
    def generate(self, *given):
        results.append(generate(*given))
        return results[-1]
engine._pipeline = Pipeline()
def passes(ids):
    return [one_pass(ids) for _ in range(4)][1:]
def one_pass(ids):
    stamps, started = [], engine.clock()
    engine.generate(ids, 24, lambda k: stamps.append(engine.clock() - started))
    return stamps
ids = engine.tokenize(b"Once upon a time there was a machine. " * 40)[:300]
short, long = passes(ids[:4]), passes(ids)
raw = results[-1].perf_metrics.raw_metrics
told = [raw.m_times_to_first_token[0], *raw.m_durations]
print(json.dumps({"short": short, "long": long, "told_us": told}))
"""


def tiny(folder: Path, kind: str = "Q8_0") -> Path:
    path = folder / f"tiny-{kind}.gguf"
    write_tiny_llama(path, kind, merges=["! !"], file_type=True)
    return path


def order(path: Path, **more: object) -> str:
    settings = {"threads": 2, "kv": "auto", "precision": "auto", "attention": "paged"}
    workload = {"prompt_tokens": 8, "output_tokens": 4, "depth": 0}
    build = {"weights_bytes": 1}
    return json.dumps({"path": str(path), "settings": settings, "workload": workload, "build": build} | more)


def only_row(edgeprof: Command, path: Path, *words: str) -> Any:
    """The row of a short run."""
    needed("openvino")
    done = edgeprof("run", path, "--engine", "openvino-genai", "-p", "8", "-n", "2", *words, *ONCE, env=KEPT)
    (row,) = json.loads(done.out)["rows"]
    return row


def child(code: str, *words: str, home: Path, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The interpreter of the environment on `code`; it finds modules in `path` too."""
    env = {"HOME": str(home), "PATH": ""} | ({"PYTHONPATH": str(path)} if path else {})
    command = [str(needed("openvino")), "-c", code, *words]
    return subprocess.run(command, capture_output=True, text=True, env=env, check=False, timeout=LIMIT_S)


def told(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_it_generates_what_llama_cpp_generates(edgeprof: Command, tmp_path: Path) -> None:
    needed("openvino")
    exactly = ("--engine", "openvino-genai,llama-cpp", "--kv", "f32", "--set", "precision=f32", "--strict")
    done = edgeprof("run", tiny(tmp_path, "F16"), *exactly, "-p", "16", "-n", "12", *ONCE, env=KEPT)
    assert done.code == 0, done.err
    workers = {worker.case: worker for worker in runfile.read(tmp_path / "run.jsonl").workers}
    ours, theirs = workers["r1"], workers["r2"]
    for worker in (ours, theirs):
        assert worker.failure is None
        assert [len(one.token_ns) for one in worker.passes] == [1, 12]
        assert all(earlier < later for earlier, later in pairwise(worker.passes[1].token_ns))
    assert ours.passes[1].output_sha256 == theirs.passes[1].output_sha256


def test_stamps_are_those_of_its_own_metrics_and_no_prompt_is_remembered(
    smollm2: Path, tmp_path: Path
) -> None:
    found = told(child(AS_A_WORKER + WATCH, order(smollm2), home=tmp_path))
    stamps, told_us = found["long"][-1], found["told_us"]
    assert len(stamps) == len(told_us) == 24
    gaps = [later - earlier for earlier, later in pairwise(stamps)]
    assert stamps[0] / 1000 / told_us[0] == pytest.approx(1, abs=0.2)
    assert stamps[-1] / 1000 / sum(told_us) == pytest.approx(1, abs=0.1)
    assert median(gaps) / 1000 / median(told_us[1:]) == pytest.approx(1, abs=0.2)
    first = {name: min(one[0] for one in found[name]) for name in ("short", "long")}
    assert first["long"] > 4 * first["short"], "300 tokens were not evaluated anew"


def test_nothing_is_sent_though_the_package_that_would_is_there(tmp_path: Path) -> None:
    """A stand-in asks for its socket in a fork, as that package does; without our import it is seen to."""
    telemetry = (
        "import os\nif not os.fork():\n    import socket\n    socket.socket()\n    os._exit(0)\nos.wait()\n"
    )
    (tmp_path / "openvino_telemetry.py").write_text(telemetry + "raise ImportError\n")
    model = order(tiny(tmp_path))
    silent = child(forbidding() + AS_A_WORKER + GENERATE, model, home=tmp_path, path=tmp_path)
    assert told(silent)[0] == 4
    assert ASKED not in silent.stderr
    seen = child(forbidding() + "import openvino", home=tmp_path, path=tmp_path)
    assert ASKED in seen.stderr
    assert not (tmp_path / "intel").exists()


def test_environment_does_not_have_that_package(tmp_path: Path) -> None:
    code = "from importlib.util import find_spec; import json; print(json.dumps(find_spec('openvino_telemetry')))"
    assert told(child(code, home=tmp_path)) is None


@pytest.mark.parametrize("kind", ["Q8_0", "Q4_0", "Q4_1"])
def test_it_tells_versions_device_and_what_became_of_the_settings(tmp_path: Path, kind: str) -> None:
    made, facts, devices = told(child(AS_A_WORKER + GENERATE, order(tiny(tmp_path, kind)), home=tmp_path))
    assert made == 4
    pins = dict(one.split("==") for one in environments.ENVIRONMENTS["openvino"].requirements)
    assert facts["versions"] == pins
    assert facts["assigned"] == {"CPU": None}
    assert facts["fell_back"] is None
    assert "Paged Attention" in facts["system"]
    assert (facts["kv_bytes"], facts["compute_bytes"]) == (None, None)
    (cpu,) = [device for device in devices if device["kind"] == "cpu"]
    assert cpu == {"provider": "OpenVINO", "kind": "cpu", "name": facts["devices"]["CPU"], "id": "CPU"}


def test_device_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    route = {"provider": "OpenVINO", "options": {"device": "GPU.7"}}
    code = f"{AS_A_WORKER}openvino_genai.import_library()\nopenvino_genai.inspect(order)"
    done = child(code, order(tmp_path, route=route), home=tmp_path)
    assert "OpenVINO lists no device GPU.7 here; it lists CPU" in done.stderr.splitlines()[-1]


def test_other_values_than_asked_for_fail_where_that_is_strict(edgeprof: Command, tmp_path: Path) -> None:
    row = only_row(edgeprof, tiny(tmp_path), "-t", "4096", "--strict")
    assert row["failure"]["kind"] == "fell_back"
    assert row["failure"]["message"].startswith("asked for INFERENCE_NUM_THREADS 4096: OpenVINO made it ")


@pytest.mark.parametrize(
    ("kind", "words"),
    [("Q5_0", "[load_gguf] gguf_tensor_to_f16 failed"), ("BF16", "Unsupported quantization type")],
)
def test_weights_that_it_does_not_read_fail_in_one_sentence(
    edgeprof: Command, tmp_path: Path, kind: str, words: str
) -> None:
    row = only_row(edgeprof, tiny(tmp_path, kind))
    assert row["failure"] == {
        "kind": "load_failed",
        "message": f"OpenVINO GenAI says: {words} (its GGUF reader takes F16, Q8_0, Q4_0 and Q4_1 weights of llama, "
        "qwen2 and qwen3)",
    }


def test_it_generates_whole_texts_only(edgeprof: Command, tmp_path: Path) -> None:
    done = edgeprof("run", tiny(tmp_path), "--engine", "openvino-genai", "-w", "pp8", env=KEPT)
    assert "engine openvino-genai generates whole texts only and cannot do pp8" in only_refusal(done)


def test_without_its_environment_what_to_type_is_said(edgeprof: Command, tmp_path: Path) -> None:
    nowhere = {environments.VARIABLE: str(tmp_path / "none")}
    done = edgeprof("run", tiny(tmp_path), "--engine", "openvino-genai", env=nowhere)
    assert only_refusal(done).endswith("edgeprof setup openvino")


LOG = """\
Model: OV Tokenizer
  INFERENCE_NUM_THREADS: 1
  EXECUTION_DEVICES: CPU
Model: LLM with Paged Attention
  INFERENCE_NUM_THREADS: 2
  EXECUTION_DEVICES: GPU.0
EXECUTION_DEVICES:
 GPU.0: A card
"""


def test_log_of_the_model_compiled_last_is_read() -> None:
    assert openvino_log.compiled(LOG) == {
        "model": "LLM with Paged Attention",
        "INFERENCE_NUM_THREADS": "2",
        "EXECUTION_DEVICES": "GPU.0",
    }
    assert openvino_log.compiled("  INFERENCE_NUM_THREADS: 2\n") == {}


@pytest.mark.parametrize(
    ("device", "asked", "sentence"),
    [
        ("GPU", {"INFERENCE_NUM_THREADS": 2}, None),
        ("GPU.0", {"CACHE_DIR": "x"}, None),
        ("NPU", {}, "asked for NPU: the engine runs on GPU.0"),
        ("GPU.1", {}, "asked for GPU.1: the engine runs on GPU.0"),
        ("GPU", {"INFERENCE_NUM_THREADS": 4}, "asked for INFERENCE_NUM_THREADS 4: OpenVINO made it 2"),
    ],
)
def test_another_device_or_value_than_asked_for_is_one_sentence(
    device: str, asked: dict[str, Any], sentence: str | None
) -> None:
    found = openvino_log.compiled(LOG)
    assert placement.of_openvino(device, asked, found) == sentence
    assert placement.of_openvino(device, asked, {}) is None


def test_environment_is_made_of_what_is_named_alone() -> None:
    spec = environments.ENVIRONMENTS["openvino"]
    assert spec.complete
    assert not any("telemetry" in requirement for requirement in spec.requirements)
    assert msgspec.json.decode(environments._stamp("openvino")) == list(spec.requirements)
