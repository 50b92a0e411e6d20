"""Static builds: the same model in graphs of fixed lengths, evaluated in chunks and token by token."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from profiler.agreement import logits_child
from profiler.agreement.check import LARGEST_DIFFERENCE
from profiler.builds.identify import glance, identify
from profiler.builds.model_file import BadModelFile
from profiler.builds.onnx_direct.architectures import ARCHITECTURES
from profiler.builds.onnx_direct.write import write as write_direct
from profiler.builds.onnx_folder import read_folder
from profiler.builds.onnx_static.lengths import DECODE, PREFILL, Lengths
from profiler.engines import ort
from profiler.engines.protocol import EngineFailure
from tests import tiny_decoders as tiny
from tests.conftest import Command, refusal
from tests.static_builds import job, loaded, static
from tests.test_onnx_architectures import WITH_GELU
from tests.test_onnx_direct import engine

SHORT = Lengths(chunk=4, past=tiny.WINDOW - 1)
"""As long as layers with a window see everything."""

LONG = Lengths(chunk=8, past=39)
IDS = [int(n) for n in np.random.default_rng(3).integers(0, tiny.VOCABULARY, LONG.context)]
PROMPTS = {"shorter than a chunk": 3, "a chunk": 4, "a chunk and a part": 6, "up to the last row": 11}


class Built:
    """A model in a file, its direct build, and what llama.cpp says in float32 after each of the first tokens."""

    def __init__(self, folder: Path, arch: str, kind: str) -> None:
        self.source, self.direct = folder / "tiny.gguf", folder / "direct"
        tiny.write_tiny(self.source, arch, kind)
        self.direct.mkdir()
        write_direct(self.source, self.direct, lambda _what, _done, _total: None)
        plain = folder / "f32.gguf"
        logits_child.dequantize({"path": str(self.source), "output": str(plain), "threads": 1})
        order = {"settings": {"kv": "f32", "flash": "off"}, "one_by_one": False, "threads": 1}
        self.reference = logits_child.llama(order | {"path": str(plain), "ids": IDS[: SHORT.context]})
        self.largest = WITH_GELU if ARCHITECTURES[arch].gelu else LARGEST_DIFFERENCE


@pytest.fixture(scope="module", params=ARCHITECTURES)
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Built:
    return Built(tmp_path_factory.mktemp("static"), request.param, "Q4_1")


@pytest.fixture(scope="module")
def folders(built: Built) -> dict[str, Path]:
    return {weights: static(built.source, SHORT, weights) for weights in ("int4", "float")}


@pytest.mark.parametrize("weights", ["int4", "float"])
@pytest.mark.parametrize("count", PROMPTS.values(), ids=PROMPTS)
def test_logits_are_llama_cpp_s_and_the_direct_build_s(
    built: Built, folders: dict[str, Path], weights: str, count: int
) -> None:
    fixed, varying = loaded(folders[weights]), engine(built.direct, ort, "0")
    for both in (fixed, varying):
        both.prefill(IDS[:count])
    for position in range(count, SHORT.context + 1):
        assert np.abs(fixed.logits() - built.reference[position - 1]).max() < built.largest
        assert np.abs(fixed.logits() - varying.logits()).max() < LARGEST_DIFFERENCE
        if position < SHORT.context:
            fixed.feed(IDS[position])
            varying.feed(IDS[position])


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("llama") / "tiny.gguf"
    tiny.write_tiny(path, "llama", "Q4_0", kinds={"token_embd": "Q8_0"})
    return path


@pytest.fixture(scope="module")
def folder(source: Path) -> Path:
    return static(source, LONG, "int4")


@pytest.fixture(scope="module")
def direct(source: Path) -> Path:
    folder = source.with_name("direct")
    folder.mkdir()
    write_direct(source, folder, lambda _what, _done, _total: None)
    return folder


class TestLlama:
    @pytest.mark.parametrize("count", [5, LONG.chunk, 3 * LONG.chunk, 3 * LONG.chunk + 1])
    def test_generated_tokens_are_the_direct_build_s(self, folder: Path, direct: Path, count: int) -> None:
        outputs = []
        for one in (loaded(folder), engine(direct, ort, "0")):
            one.prefill(IDS[:count])
            outputs.append([one.next_token() for _ in range(LONG.context - count)])
        assert outputs[0] == outputs[1]

    def test_a_depth_is_kept_and_nothing_of_another_text_is_seen(self, folder: Path) -> None:
        one, other = loaded(folder), loaded(folder)
        one.prefill(IDS[:20])
        one.reset()
        for each in (one, other):
            each.prefill(IDS[20:30])
        assert np.array_equal(one.logits(), other.logits())
        depth = one.save()
        one.prefill(IDS[:13])
        one.restore(depth)
        for each in (one, other):
            each.prefill(IDS[3:6])
        assert np.array_equal(one.logits(), other.logits())

    def test_facts(self, folder: Path) -> None:
        facts = loaded(folder).facts()
        rows = 2 * tiny.LAYERS * tiny.KV_HEADS * tiny.head("llama") * LONG.past
        assert (facts["context"], facts["chunk"], facts["kv_bytes"]) == (LONG.context, LONG.chunk, 4 * rows)
        assert list(facts["assigned"]) == ["CPUExecutionProvider"]
        assert facts["fell_back"] is None

    def test_memory_is_that_of_the_cache_as_it_was_built(self, folder: Path) -> None:
        ort.import_library()
        assert ort.inspect(job(folder))["kv_bytes"] == loaded(folder).facts()["kv_bytes"]

    @pytest.mark.parametrize("prompt", [1, LONG.past])
    def test_account_is_of_both_graphs(self, folder: Path, tmp_path: Path, prompt: int) -> None:
        ort.import_library()
        asked = job(folder, prompt) | {"scratch": str(tmp_path), "seed": 1}
        found = ort.account(asked, lambda: 0)
        assert len(list(tmp_path.glob("profile-*.json"))) == 2
        assert found["held_weights_bytes"] > 0
        assert found["held_compute_bytes"] >= 0

    def test_graphs_are_of_fixed_lengths_and_ordinary_operators(self, folder: Path) -> None:
        for name in (PREFILL, DECODE):
            model = onnx.load(folder / name, load_external_data=False)
            onnx.checker.check_model(str(folder / name))
            assert {node.op_type for node in model.graph.node if node.domain} == {"MatMulNBits"}
            for item in [*model.graph.input, *model.graph.output]:
                assert all(dim.dim_value > 0 for dim in item.type.tensor_type.shape.dim)
        assert len(list(folder.glob("*.data"))) == 1

    def test_what_it_is(self, folder: Path, source: Path) -> None:
        (found,), (gguf,) = identify([str(folder)]), identify([str(source)])
        build, model = found.build, read_folder(folder)
        assert (build.format, build.graph, build.context_length) == ("onnx-static", DECODE, LONG.context)
        assert model.lengths == LONG
        assert build.parameters == gguf.build.parameters
        assert glance(folder).build.format == "onnx-static"
        assert read_folder(folder / PREFILL) == model

    def test_embedding_that_is_a_head_too_is_counted_once(self, tmp_path: Path) -> None:
        tiny.write_tiny(tmp_path / "tiny.gguf", "llama", "Q4_1")
        counts = [
            read_folder(static(tmp_path / "tiny.gguf", LONG, weights)).parameters
            for weights in ("int4", "float")
        ]
        assert counts == [identify([str(tmp_path / "tiny.gguf")])[0].build.parameters] * 2

    def test_workload_that_is_too_long_is_refused_before_anything_is_loaded(self, folder: Path) -> None:
        asked = job(folder, prompt=LONG.past, output=2)
        for ask in (ort.load, ort.inspect):
            with pytest.raises(EngineFailure) as raised:
                ask(asked)
            assert raised.value.message == (
                "its context is 40 tokens, fixed, and 41 are asked for: make a longer one with edgeprof build onnx "
                "FILE.gguf --static --past 40, or ask for fewer"
            )

    def test_full_context_is_no_crash(self, folder: Path) -> None:
        one = loaded(folder)
        one.prefill(IDS)
        with pytest.raises(EngineFailure, match="the context of 40 tokens is full"):
            one.feed(1)

    def test_other_accuracies_are_refused(self, folder: Path) -> None:
        with pytest.raises(EngineFailure, match="has one accuracy"):
            ort.load(job(folder, accuracy="0"))


@pytest.mark.parametrize(
    ("arch", "lengths", "said"),
    [
        ("llama", Lengths(chunk=8, past=tiny.CONTEXT), "--past 512 is beyond its context of 512 tokens"),
        ("llama", Lengths(chunk=9, past=7), "--chunk 9 is longer than the context of --past 7"),
        ("gemma3", Lengths(chunk=4, past=tiny.WINDOW), "attend to 12 tokens.*use --past 11 or less"),
    ],
)
def test_lengths_that_the_model_has_not_are_refused(
    tmp_path: Path, arch: str, lengths: Lengths, said: str
) -> None:
    tiny.write_tiny(tmp_path / "tiny.gguf", arch)
    with pytest.raises(BadModelFile, match=said):
        static(tmp_path / "tiny.gguf", lengths, "float")


def test_graphs_that_are_no_pair_are_refused(tmp_path: Path) -> None:
    tiny.write_tiny(tmp_path / "tiny.gguf", "llama")
    one, other = (static(tmp_path / "tiny.gguf", Lengths(chunk=4, past=past), "float") for past in (8, 9))
    (other / PREFILL).replace(one / PREFILL)
    with pytest.raises(BadModelFile, match=r"are no pair of graphs of fixed lengths"):
        read_folder(one)


class TestCommand:
    def test_built_run_and_reported(self, edgeprof: Command, source: Path) -> None:
        made = edgeprof("build", "onnx", source, "--static", "--chunk", "16", "--past", "63", "-o", "made")
        assert made.code == 0, made.err
        assert (
            made.out.splitlines()[-1]
            == f"Next: edgeprof run {source} made --engine llama-cpp,ort -p 31 -n 31"
        )
        run = ("run", "made", "-p", "40", "-n", "8", "--processes", "1", "-o", "run.jsonl")
        done = edgeprof(*run)
        assert done.code == 0, done.err
        (row,) = json.loads(edgeprof("report", "run.jsonl", "-f", "json").out)["rows"]
        assert (row["engine"], row["failure"]) == ("ort", None)
        assert row["metrics"]["decode_tps"]["value"] > 0

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (("--chunk", "8"), "--chunk goes with --static: a build of varying lengths has no such limit"),
            (("--static", "--weights", "int8"), "--weights int8: did you mean int4?"),
            (
                ("--static", "--check"),
                "--check compares a build of varying lengths: make one without --static",
            ),
            (
                ("--static", "--via", "genai"),
                "--static goes with --via direct: genai writes graphs of varying lengths",
            ),
        ],
    )
    def test_options_that_do_not_fit(
        self, edgeprof: Command, source: Path, words: tuple[str, ...], said: str
    ) -> None:
        assert refusal(edgeprof("build", "onnx", source, *words)) == said

    def test_workload_that_is_too_long(self, edgeprof: Command, source: Path) -> None:
        edgeprof("build", "onnx", source, "--static", "--past", "63", "-o", "made")
        said = refusal(edgeprof("run", "made"))
        assert said.startswith(
            "made cannot be loaded: its context is 64 tokens, fixed, and 256 are asked for"
        )
