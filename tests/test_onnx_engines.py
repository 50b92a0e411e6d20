"""The ONNX engines on graphs whose answers are known, and on a real model beside llama.cpp."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from profiler.engines import ort
from profiler.engines.accelerators import CPU
from profiler.engines.ort_library import assigned, onnxruntime, session_options
from profiler.engines.placement import of_nodes
from profiler.engines.protocol import EngineFailure
from profiler.engines.table import ORT
from tests.conftest import Command

HIDDEN, VOCABULARY, CONTEXT = 8, 50, 64
IDS = [3, 14, 15, 9, 26]

_draw = np.random.default_rng(5)
TABLE = _draw.standard_normal((VOCABULARY, HIDDEN)).astype(np.float32)
PLACES = _draw.standard_normal((CONTEXT, HIDDEN)).astype(np.float32)
HEAD = _draw.standard_normal((HIDDEN, VOCABULARY)).astype(np.float32)


def expected(ids: list[int]) -> npt.NDArray[np.float32]:
    """Logits of the last position: all tokens so far, the last position, and how many the mask lets through."""
    mixed = TABLE[ids].sum(0) + PLACES[len(ids) - 1] + len(ids)
    return np.asarray(mixed @ HEAD, np.float32)


def write_growing(folder: Path, kind: int = TensorProto.FLOAT) -> Path:
    """A decoder as exporters write them: plain operators, and a present cache that is past and new together."""

    def node(what: str, inputs: str, output: str, **more: Any) -> onnx.NodeProto:
        return helper.make_node(what, inputs.split(), [output], **more)

    nodes = [
        node("Gather", "table input_ids", "value"),
        node("Unsqueeze", "value one", "new"),
        node("Concat", "past_key_values.0.key new", "present.0.key", axis=2),
        node("Concat", "past_key_values.0.value new", "present.0.value", axis=2),
        node("CumSum", "new two", "running"),
        node("ReduceSum", "past_key_values.0.value two", "before", keepdims=1),
        node("Add", "running before", "sums"),
        node("Squeeze", "sums one", "seen"),
        node("Gather", "places position_ids", "place"),
        node("ReduceSum", "attention_mask", "counted", keepdims=0),
        node("Cast", "counted", "count", to=TensorProto.FLOAT),
        node("Add", "seen place", "placed"),
        node("Add", "placed count", "mixed"),
        node("MatMul", "mixed head", "logits"),
    ]
    constants = {"one": np.array([1]), "two": np.array([2]), "table": TABLE, "places": PLACES, "head": HEAD}
    whole = ("input_ids", "attention_mask", "position_ids")
    past = ["past_key_values.0.key", "past_key_values.0.value"]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "growing",
        [value(name, TensorProto.INT64, ["batch", name]) for name in whole]
        + [value(name, kind, ["batch", 1, "past", HIDDEN]) for name in past],
        [value("logits", TensorProto.FLOAT, ["batch", "length", VOCABULARY])]
        + [value(name.replace("past_key_values", "present"), kind, None) for name in past],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(model, folder / "model.onnx")
    (folder / "config.json").write_text('{"model_type": "growing", "max_position_embeddings": 64}')
    return folder


def loaded(folder: Path) -> Any:
    ort.import_library()
    settings = {name: setting.default for name, setting in ORT.settings.items()} | {"threads": 1}
    workload = {"prompt_tokens": 8, "output_tokens": 8, "depth": 16}
    told = {"graph": "model.onnx", "kv_elements_per_token": 2 * HIDDEN}
    return ort.load({"path": str(folder), "settings": settings, "workload": workload, "build": told})


class TestGrowingCache:
    @pytest.fixture
    def engine(self, tmp_path: Path) -> Any:
        return loaded(write_growing(tmp_path / "growing"))

    def test_prompt_at_once(self, engine: Any) -> None:
        engine.prefill(IDS)
        assert engine.logits() == pytest.approx(expected(IDS), abs=1e-4)

    def test_token_by_token(self, engine: Any) -> None:
        for count, token in enumerate(IDS, 1):
            engine.feed(token)
            assert engine.logits() == pytest.approx(expected(IDS[:count]), abs=1e-4)

    def test_generated_tokens_are_fed_back(self, engine: Any) -> None:
        engine.prefill(IDS)
        ids = list(IDS)
        for _ in range(4):
            wanted = int(expected(ids).argmax())
            assert engine.next_token() == wanted
            ids.append(wanted)

    def test_a_depth_is_kept_and_come_back_to(self, engine: Any) -> None:
        engine.prefill(IDS)
        depth = engine.save()
        for others in ([1, 2, 3], [7]):
            engine.restore(depth)
            engine.prefill(others)
            assert engine.logits() == pytest.approx(expected(IDS + others), abs=1e-4)
        engine.reset()
        engine.prefill([4])
        assert engine.logits() == pytest.approx(expected([4]), abs=1e-4)

    def test_facts_say_that_the_cache_moves(self, engine: Any) -> None:
        facts = engine.facts()
        assert (facts["kv_in_place"], facts["kv_type"], facts["kv_bytes"]) == (False, "f32", 32 * 16 * 4)
        assert set(facts["assigned"]) == {"CPUExecutionProvider"}
        assert facts["fell_back"] is None


class TestFallBack:
    """ONNX Runtime takes a provider that it cannot use without a word, and runs every node on the CPU."""

    def session(self, folder: Path, provider: str) -> Any:
        library = onnxruntime()
        options = session_options({"threads": 1})
        return library.InferenceSession(folder / "model.onnx", options, providers=[provider, CPU])

    @pytest.mark.parametrize("provider", ["AzureExecutionProvider", "QNNExecutionProvider"])
    @pytest.mark.filterwarnings("ignore:Specified provider")
    def test_a_provider_that_takes_no_node(self, tmp_path: Path, provider: str) -> None:
        session = self.session(write_growing(tmp_path / "growing"), provider)
        nodes = assigned(session)[CPU]
        assert nodes >= 5
        assert (
            of_nodes(provider, assigned(session))
            == f"asked for {provider}: {nodes} of {nodes} nodes run on {CPU}"
        )

    def test_the_providers_of_the_session_prove_nothing(self, tmp_path: Path) -> None:
        if "AzureExecutionProvider" not in onnxruntime().get_available_providers():
            pytest.skip("this build of ONNX Runtime has no second provider")
        session = self.session(write_growing(tmp_path / "growing"), "AzureExecutionProvider")
        assert session.get_providers() == ["AzureExecutionProvider", CPU]
        assert set(assigned(session)) == {CPU}


def test_input_that_is_not_known_is_named(tmp_path: Path) -> None:
    folder = write_growing(tmp_path / "growing")
    model = onnx.load(folder / "model.onnx")
    model.graph.input.append(helper.make_tensor_value_info("token_type_ids", TensorProto.INT64, ["b", "n"]))
    onnx.save(model, folder / "model.onnx")
    with pytest.raises(EngineFailure, match="wants the input token_type_ids, which this version does not"):
        loaded(folder)


STARVED = """
import resource, sys
from profiler.engines import ort
from profiler.engines.accelerators import CPU
from profiler.engines.ort_library import assigned, onnxruntime, session_options
from profiler.engines.placement import of_nodes
from profiler.engines.protocol import EngineFailure
ort.import_library()
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (32 << 20), resource.RLIM_INFINITY))
settings = {"threads": 1, "accuracy": "built", "arena": True, "spinning": True, "graph": "all"}
workload = {"prompt_tokens": 8, "output_tokens": 8, "depth": 0}
try:
    ort.load({"path": sys.argv[1], "settings": settings, "workload": workload, "build": {"graph": "model.onnx"}})
except EngineFailure as failure:
    print(failure.kind, failure.message)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is Linux's")
def test_memory_that_runs_out_is_told_from_other_failures(
    edgeprof: Command, smollm2: Path, tmp_path: Path
) -> None:
    assert edgeprof("build", "onnx", smollm2, "-o", "made").code == 0
    done = subprocess.run(
        [sys.executable, "-c", STARVED, tmp_path / "made"], check=True, capture_output=True, text=True
    )
    assert done.stdout == "out_of_memory ONNX Runtime could not allocate memory\n"


def test_exported_folder_runs_by_its_ids(edgeprof: Command, tmp_path: Path) -> None:
    folder = write_growing(tmp_path / "growing")
    words = ("-w", "pp8", "-w", "tg4@d16", "--processes", "1", "--passes", "1", "-f", "json")
    done = edgeprof("run", folder, *words)
    assert done.code == 0, done.err
    rows = json.loads(done.out)["rows"]
    assert [row["engine"] for row in rows] == ["ort", "ort"]
    assert [row["failure"] for row in rows] == [None, None]


@pytest.mark.alone
def test_one_model_on_three_paths(edgeprof: Command, smollm2: Path, tmp_path: Path) -> None:
    assert edgeprof("build", "onnx", smollm2, "-o", "made").code == 0
    words = (
        "--engine",
        "llama-cpp,ort-genai,ort",
        "-p",
        "32",
        "-n",
        "4",
        "--processes",
        "1",
        "--passes",
        "1",
    )
    done = edgeprof("run", smollm2, "made", *words, "-f", "json", "-o", "run.jsonl")
    assert done.code == 0, done.err
    (described,) = json.loads(edgeprof("models", "made", "-f", "json").out)["models"]
    assert (described["layout"], described["licence"]) == ("edgeprof", "apache-2.0")
    found = json.loads(done.out)
    rows = {row["engine"]: row for row in found["rows"]}
    assert set(rows) == {"llama-cpp", "ort-genai", "ort"}
    read = {name: row["metrics"]["bits_read_per_weight"]["value"] for name, row in rows.items()}
    assert read["ort"] == read["ort-genai"] == pytest.approx(6.74, abs=0.01)
    assert read["llama-cpp"] == pytest.approx(5.74, abs=0.01)
    facts = _facts(tmp_path / "run.jsonl")
    kv_bytes = 2 * 30 * 3 * 64 * 4 * 36
    assert facts["ort"]["kv_bytes"] == facts["ort-genai"]["kv_bytes"] == kv_bytes
    assert all(
        facts[name]["kv_type"] == "f32" and facts[name]["kv_in_place"] for name in ("ort", "ort-genai")
    )
    assert all(facts[name]["fell_back"] is None for name in facts)
    assert rows["ort-genai"]["conditions"]["assigned"] == CPU
    assert re.fullmatch(rf"{CPU}: \d+ nodes", rows["ort"]["conditions"]["assigned"])
    assert set(facts["ort"]["assigned"]) == set(facts["ort-genai"]["assigned"]) == {"CPUExecutionProvider"}


def _facts(path: Path) -> dict[str, dict[str, Any]]:
    """What each engine told of itself."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    engines = {case["id"]: case["engine"] for case in lines[0]["plan"]["cases"]}
    return {engines[line["case"]]: line["facts"] for line in lines if line.get("facts")}


def test_models_describes_files_and_folders(edgeprof: Command, smollm2: Path, tmp_path: Path) -> None:
    write_growing(tmp_path / "growing")
    done = edgeprof("models", smollm2, "growing", "-f", "json")
    assert done.code == 0, done.err
    file, folder = json.loads(done.out)["models"]
    assert (file["format"], file["engines"], file["quantization"]) == (
        "gguf",
        ["llama-cpp", "openvino-genai"],
        "Q4_1",
    )
    assert (folder["format"], folder["architecture"], folder["kv_type"]) == ("onnx", "growing", "f32")
    assert folder["engines"] == ["ort", "optimum"]
    assert "growing" in edgeprof("models", "growing").out


def test_models_knows_the_layouts_of_others(edgeprof: Command, tmp_path: Path) -> None:
    write_growing(tmp_path / "exported")
    for name in ("onnx/model.onnx", "onnx/model_q4.onnx"):
        target = tmp_path / "web" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((tmp_path / "exported" / "model.onnx").read_bytes())
    (tmp_path / "web" / "config.json").write_text('{"model_type": "growing"}')
    done = edgeprof("models", "exported", "web", "web/onnx/model_q4.onnx", "-f", "json")
    assert done.code == 0, done.err
    exported, web, q4 = json.loads(done.out)["models"]
    assert (exported["layout"], web["layout"], q4["layout"]) == ("optimum", *["transformers.js"] * 2)
    assert (web["graph"], q4["graph"]) == ("onnx/model.onnx", "onnx/model_q4.onnx")
    assert q4["architecture"] == "growing"
