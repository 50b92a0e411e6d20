"""llama-bench's tests become rows: the same in four formats, pp and tg only, and nothing of a stranger's is obeyed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from profiler.errors import UserError
from profiler.importing import llama_bench
from profiler.importing.assemble import document
from profiler.importing.llama_bench_fields import quantization
from profiler.runfile import Device, Workload
from profiler.runfile.imported import Imported, Stated, encoded
from tests.llama_bench_output import FORMATS, as_csv, as_json, as_jsonl, as_sql, bench_test

BOARD = Device(id="board", name="Board")


def imported(folder: Path, *texts: str, model: str | None = None) -> Imported:
    told = []
    for number, text in enumerate(texts):
        path = folder / f"{number}.json"
        path.write_text(text, "utf-8")
        told.append(llama_bench.read(path))
    return document(llama_bench.TOOL, told, BOARD, model)


def refusal(folder: Path, *texts: str) -> str:
    with pytest.raises(UserError) as refused:
        imported(folder, *texts)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 400
    return str(refused.value)


class TestFormats:
    @pytest.mark.parametrize("name", FORMATS)
    def test_each_says_the_same(self, name: str, tmp_path: Path) -> None:
        text = FORMATS[name](
            bench_test(prompt=512, tps=193.330905), bench_test(output=128, tps=9.5, n_depth=512)
        )
        found = imported(tmp_path, text)
        repetitions = 2 if name in ("json", "jsonl") else None
        first, second = found.rows
        assert first.figures == {
            "pp_tps": [Stated(file=0, value=193.330905, repetitions=repetitions, deviation=1.5)]
        }
        assert second.figures == {
            "tg_tps": [Stated(file=0, value=9.5, repetitions=repetitions, deviation=1.5)]
        }
        assert first.workload == Workload(id="pp512", method="raw", prompt_tokens=512, output_tokens=0)
        assert second.workload == Workload(
            id="tg128@d512", method="raw", prompt_tokens=0, output_tokens=128, depth=512
        )
        assert found.origin.version == "build 5163, commit 8cf427ff"

    def test_settings_have_our_names(self, tmp_path: Path) -> None:
        (row,) = imported(tmp_path, as_json(bench_test(output=128))).rows
        assert row.settings == {
            "threads": 2, "kv": "f16", "flash": "auto", "batch": 2048, "ubatch": 512, "mmap": True, "mlock": False,
            "repack": True, "gpu_layers": 0,
        }  # fmt: skip
        assert (row.engine, row.target) == ("llama-cpp", "cpu")

    def test_what_is_not_usual_keeps_its_own_name(self, tmp_path: Path) -> None:
        test = bench_test(output=128, type_v="q8_0", load_mode="mlock", poll=0, flash_attn=1)
        (row,) = imported(tmp_path, as_json(test)).rows
        assert (row.settings["kv"], row.settings["flash"], row.settings["poll"]) == ("f16/q8_0", "on", "0")
        assert (row.settings["mmap"], row.settings["mlock"]) == (False, True)

    def test_versions_before_load_mode_and_depth(self, tmp_path: Path) -> None:
        test = bench_test(output=128, use_mmap=False, flash_attn=False)
        for later in ("load_mode", "lazy_mode", "n_depth", "repack", "devices", "no_host"):
            del test[later]
        (row,) = imported(tmp_path, as_json(test)).rows
        assert (row.settings["mmap"], row.settings["flash"], row.workload.depth) == (False, "off", 0)

    def test_a_field_of_a_later_version_is_let_pass(self, tmp_path: Path) -> None:
        assert len(imported(tmp_path, as_csv(bench_test(output=128, warp_drive="on"))).rows) == 1


class TestBuild:
    def test_only_the_name_of_the_file_is_kept(self, tmp_path: Path) -> None:
        (build,) = imported(tmp_path, as_json(bench_test(output=128))).builds
        assert (build.id, build.name) == ("SmolLM2-135M.Q4_K_M", "SmolLM2-135M.Q4_K_M.gguf")
        windows = as_json(bench_test(output=128, model_filename="C:\\Users\\ann\\a.gguf"))
        assert imported(tmp_path, windows).builds[0].name == "a.gguf"

    def test_two_files_of_one_name_are_two_builds(self, tmp_path: Path) -> None:
        found = imported(tmp_path, as_json(bench_test(output=128), bench_test(output=128, model_size=5)))
        assert [build.id for build in found.builds] == ["SmolLM2-135M.Q4_K_M", "SmolLM2-135M.Q4_K_M-2"]

    def test_the_only_model_can_be_named(self, tmp_path: Path) -> None:
        text = as_json(bench_test(output=128), bench_test(prompt=512))
        assert {row.build for row in imported(tmp_path, text, model="mine").rows} == {"mine"}
        with pytest.raises(UserError, match="there are 2 builds here"):
            imported(
                tmp_path, as_json(bench_test(output=1), bench_test(output=1, model_size=5)), model="mine"
            )

    @pytest.mark.parametrize(
        ("told", "ours"),
        [
            ("llama 7B Q4_K - Medium", "Q4_K_M"), ("qwen2 0.6B Q2_K - Medium", "Q2_K"), ("llama 1B all F32", "F32"),
            ("llama 256M Q4_1", "Q4_1"), ("gemma3 4B IQ2_XXS - 2.0625 bpw", "IQ2_XXS"), ("llama 8B F16", "F16"),
            ("llama 8B (guessed) Q5_K - Small", "Q5_K_S"), ("gpt-oss 20B MXFP4 MoE", "MXFP4_MOE"),
            ("llama 7B IQ3_S mix - 3.66 bpw", "IQ3_M"), ("llama", None),
        ],
    )  # fmt: skip
    def test_quantizations_have_the_names_of_files(self, told: str, ours: str | None) -> None:
        assert quantization(told) == ours


class TestGpu:
    def test_layers_on_it(self, tmp_path: Path) -> None:
        (row,) = imported(tmp_path, as_json(bench_test(output=8, gpu_info="RTX 4080", n_gpu_layers=-1))).rows
        assert (row.target, row.settings["gpu_layers"]) == ("gpu", -1)

    def test_it_helps_with_a_prompt_though_it_holds_no_layer(self, tmp_path: Path) -> None:
        (row,) = imported(tmp_path, as_json(bench_test(prompt=512, gpu_info="RTX 4080"))).rows
        assert (row.target, [remark.code for remark in row.remarks]) == ("cpu", ["prompt_on_gpu"])


class TestProcesses:
    def test_a_file_is_a_process(self, tmp_path: Path) -> None:
        texts = [as_json(bench_test(output=128, tps=tps)) for tps in (10.0, 11.0, 12.0)]
        (row,) = imported(tmp_path, *texts).rows
        assert [(one.file, one.value) for one in row.figures["tg_tps"]] == [(0, 10.0), (1, 11.0), (2, 12.0)]

    def test_whatever_was_asked_otherwise_is_another_row(self, tmp_path: Path) -> None:
        texts = [as_json(bench_test(output=128, warp_drive=speed)) for speed in (1, 2)]
        assert len(imported(tmp_path, *texts).rows) == 2

    def test_a_case_that_stands_twice_in_a_file_is_not_pooled(self, tmp_path: Path) -> None:
        rows = imported(
            tmp_path, as_jsonl(bench_test(output=128, tps=10.0), bench_test(output=128, tps=11.0))
        ).rows
        assert [row.figures["tg_tps"][0].value for row in rows] == [10.0, 11.0]
        assert [[remark.code for remark in row.remarks] for row in rows] == [["repeated"], ["repeated"]]

    def test_one_file_counts_once(self, tmp_path: Path) -> None:
        text = as_json(bench_test(output=128))
        assert "have the same content" in refusal(tmp_path, text, text)

    def test_versions_are_not_mixed(self, tmp_path: Path) -> None:
        other = as_json(bench_test(output=128, build_number=1))
        assert "are not of one version" in refusal(tmp_path, as_json(bench_test(output=128)), other)
        both = as_json(bench_test(output=128), bench_test(output=128, build_commit="other"))
        assert "several builds of llama.cpp" in refusal(tmp_path, both)

    def test_machines_are_not_mixed(self, tmp_path: Path) -> None:
        both = as_json(bench_test(output=128), bench_test(output=128, cpu_info="another"))
        assert "several machines" in refusal(tmp_path, both)


class TestRefused:
    def test_a_mix_of_prompt_and_answer(self, tmp_path: Path) -> None:
        found = imported(tmp_path, as_json(bench_test(output=128), bench_test(prompt=512, output=128)))
        assert [row.workload.id for row in found.rows] == ["tg128"]
        assert [refused.what for refused in found.origin.refused] == [
            "pg tests (n_prompt and n_gen in one)",
            "stddev_ts as an interval",
        ]
        assert "has no definition here" in refusal(tmp_path, as_json(bench_test(prompt=512, output=128)))

    @pytest.mark.parametrize(
        ("changed", "says"),
        [
            ({"avg_ts": "nan"}, "avg_ts"),
            ({"avg_ts": -3.0}, "> 0.0"),
            ({"avg_ts": 1e12}, "<= 1000000000.0"),
            ({"avg_ts": 2.0}, "contradicts its avg_ns"),
            ({"model_filename": "x" * 10_000}, "length <= 1000"),
            ({"model_filename": "x" * 10_000_000}, "field larger than field limit"),
            ({"n_gen": 0}, "neither n_prompt nor n_gen"),
            ({"n_gpu_layers": "many"}, "n_gpu_layers"),
        ],
    )
    def test_absurd_values(self, changed: dict[str, Any], says: str, tmp_path: Path) -> None:
        assert says in refusal(tmp_path, as_csv(bench_test(output=128, **changed)))

    def test_a_missing_field_is_named(self, tmp_path: Path) -> None:
        test = bench_test(output=128)
        del test["n_prompt"]
        assert "missing required field `n_prompt`" in refusal(tmp_path, as_json(test))

    @pytest.mark.parametrize("name", FORMATS)
    def test_a_file_that_is_cut_off(self, name: str, tmp_path: Path) -> None:
        whole = FORMATS[name](bench_test(output=128))
        assert refusal(tmp_path, whole[:-60]).startswith("0.json ")

    @pytest.mark.parametrize(
        "text",
        [
            "", "hello", "{}", "[]", "[1]", "[[]]", "[" * 100_000, "\0", "{\n", '{"schema":"edgeprof.run/1"}',
            "build_commit,", 'build_commit,a\n"x', "| model | size |\n", "CREATE TABLE x (a);\n",
            "CREATE TABLE IF NOT EXISTS llama_bench (\n", '[{"n_batch": 1e999}]',
            '[{"n_batch": ' + "9" * 5000 + "}]", '[{"a": "\\ud800"}]',
        ],
    )  # fmt: skip
    def test_what_llama_bench_does_not_write(self, text: str, tmp_path: Path) -> None:
        refusal(tmp_path, text)

    def test_sql_of_another_hand_is_not_executed_but_refused(self, tmp_path: Path) -> None:
        text = as_sql(bench_test(output=128)) + "DROP TABLE llama_bench;\n"
        assert "is no SQL of llama-bench: 'DROP TABLE llama_bench;'" in refusal(tmp_path, text)

    def test_a_quote_in_sql_is_text(self, tmp_path: Path) -> None:
        text = as_sql(bench_test(output=128, model_filename="o'brien.gguf"))
        assert imported(tmp_path, text).builds[0].name == "o'brien.gguf"
        broken = as_sql(bench_test(output=128, model_filename="a', 'b.gguf"))
        assert "a quote in a name broke it" in refusal(tmp_path, broken)

    def test_a_document_that_nobody_could_read_is_not_written(self, tmp_path: Path) -> None:
        found = imported(tmp_path, as_json(bench_test(output=128, tensor_split="1/" * 129)))
        with pytest.raises(UserError, match="cannot be imported: Expected `str` of length <= 256"):
            encoded(found)

    def test_a_file_that_is_too_large_or_none(self, tmp_path: Path) -> None:
        assert "larger than 16 MiB" in refusal(tmp_path, " " * (17 << 20))
        with pytest.raises(UserError, match="is a folder or a device"):
            llama_bench.read(tmp_path)
        with pytest.raises(UserError, match="none is not there; give the file"):
            llama_bench.read(tmp_path / "none")
        (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
        with pytest.raises(UserError, match="is no text in UTF-8"):
            llama_bench.read(tmp_path / "binary")
