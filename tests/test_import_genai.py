"""ONNX Runtime GenAI's benchmark_e2e.py: four figures are ours by definition, all others are refused by name."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from profiler.errors import UserError
from profiler.importing import genai
from profiler.importing.assemble import document
from profiler.importing.genai_definitions import REASONS
from profiler.runfile import Device, Workload
from profiler.runfile.imported import Imported

BOARD = Device(id="board", name="Board")

METRICS = {
    "tokenization_throughput_tps": 100_000.0, "tokenization_latency_ms": 0.16,
    "prompt_processing_throughput_tps": 50.0, "prompt_processing_latency_ms": 20.0,
    "token_generation_throughput_tps": 8.0, "token_generation_latency_ms": 125.0,
    "sampling_throughput_tps": 4000.0, "sampling_latency_ms": 0.25,
    "wall_clock_throughput_tps": 9.2, "wall_clock_time_s": 30.5, "peak_cpu_memory_gb": 9.31,
}  # fmt: skip


def record(
    batch: int = 1,
    version: str | None = "0.11.2",
    metrics: dict[str, Any] | None = None,
    precision: str = "int4",
    **config: Any,
) -> dict[str, Any]:
    """As `BenchmarkRecord.to_dict` makes it: pandas has turned whole numbers into floats, and empty fields are gone."""
    package = {"package_version": version} if version else {}
    sizes = {"prompt_length": 16.0, "tokens_generated": 256.0, "max_length": 272.0}
    return {
        "config": {
            "backend": "onnxruntime-genai", "batch_size": float(batch), "precision": precision, "warmup_runs": 1,
            "measured_runs": 10, "model_info": {"full_name": "/home/ann/phi-4-mini"}, **sizes, **config,
        },
        "metadata": {"device": "cpu", "package_name": "onnxruntime-genai", **package},
        "metrics": METRICS | (metrics or {}),
        "trigger_date": "2026-01-02 03:04:05",
    }  # fmt: skip


def as_csv(found: dict[str, Any]) -> str:
    flat = _flat(found, "")
    output = io.StringIO()
    writer = csv.DictWriter(output, list(flat))
    writer.writeheader()
    writer.writerow(flat)
    return output.getvalue()


def _flat(found: dict[str, Any], prefix: str) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in found.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat


def imported(folder: Path, text: str) -> Imported:
    path = folder / "genai_e2e.json"
    path.write_text(text, "utf-8")
    return document(genai.TOOL, [genai.read(path)], BOARD, None)


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(UserError) as refused:
        imported(folder, text)
    assert "\n" not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize("write", [lambda found: json.dumps([found], indent=4), as_csv], ids=["json", "csv"])
def test_a_record_in_both_formats(write: Any, tmp_path: Path) -> None:
    found = imported(tmp_path, write(record()))
    (row,) = found.rows
    assert {name: stated[0].value for name, stated in row.figures.items()} == {
        "ttft_ms": 320.25,
        "decode_tps": 8.0,
        "prefill_tps": 50.0,
        "tpot_ms": 125.0,
    }
    assert row.workload == Workload(id="genai-e2e-16-256", method="text", prompt_tokens=16, output_tokens=256)
    assert (row.engine, row.target, row.settings) == (
        "ort-genai",
        "cpu",
        {"provider": "cpu", "context": 272},
    )
    assert (found.builds[0].name, found.builds[0].quantization) == ("phi-4-mini", "int4")
    assert found.origin.version == "0.11.2"


def test_what_is_taken_has_its_definition_in_the_document(tmp_path: Path) -> None:
    found = imported(tmp_path, json.dumps([record()]))
    assert set(found.rows[0].figures) == set(found.origin.taken)
    assert found.origin.taken["decode_tps"] == "token_generation_throughput_tps: 1000 / tpot_ms"


class TestRefused:
    def test_every_other_figure_by_its_name(self, tmp_path: Path) -> None:
        found = imported(tmp_path, json.dumps([record(metrics={"new_thing": 1.0})]))
        reasons = {refused.what: refused.reason for refused in found.origin.refused}
        assert list(reasons) == [
            "tokenization_throughput_tps", "tokenization_latency_ms", "sampling_throughput_tps",
            "wall_clock_throughput_tps", "wall_clock_time_s", "peak_cpu_memory_gb", "new_thing",
            "warmup_runs, measured_runs",
        ]  # fmt: skip
        assert (
            reasons["peak_cpu_memory_gb"]
            == REASONS["peak_cpu_memory_gb"]
            == ("it is what the whole machine used, not the process")
        )
        assert reasons["new_thing"] == "this version does not know its definition"

    def test_several_sequences_at_once(self, tmp_path: Path) -> None:
        found = imported(tmp_path, json.dumps([record(), record(batch=4)]))
        assert len(found.rows) == 1
        assert "rows with a batch size above 1" in [refused.what for refused in found.origin.refused]
        assert "several sequences at once" in refusal(tmp_path, json.dumps([record(batch=4)]))

    def test_one_token_has_no_time_between(self, tmp_path: Path) -> None:
        assert "no time between tokens" in refusal(tmp_path, json.dumps([record(tokens_generated=1)]))

    def test_a_precision_that_nobody_said(self, tmp_path: Path) -> None:
        found = imported(tmp_path, json.dumps([record(precision="fp16")]))
        assert found.builds[0].quantization is None
        assert "precision fp16" in [refused.what for refused in found.origin.refused]

    def test_versions_that_timed_otherwise(self, tmp_path: Path) -> None:
        assert "is of version 0.5.2: before 0.6" in refusal(tmp_path, json.dumps([record(version="0.5.2")]))
        assert "before 0.6" in refusal(tmp_path, "Batch Size,Prompt Length\n1,16\n")
        assert "does not tell metadata.package_version" in refusal(
            tmp_path, json.dumps([record(version=None)])
        )
        both = json.dumps([record(), record(version="0.12.0")])
        assert "several versions" in refusal(tmp_path, both)

    def test_a_latency_of_the_whole_prompt_is_another_definition(self, tmp_path: Path) -> None:
        text = json.dumps([record(metrics={"prompt_processing_latency_ms": 320.0})])
        assert "prompt_processing_latency_ms is not that of one token by its throughput" in refusal(
            tmp_path, text
        )

    @pytest.mark.parametrize(
        ("metrics", "says"),
        [
            ({"sampling_latency_ms": float("nan")}, "is no whole JSON"),
            ({"sampling_latency_ms": -1}, "> 0.0"),
            ({"sampling_latency_ms": 1e12}, "<= 100000000.0"),
            ({"sampling_latency_ms": "=cmd()"}, "sampling_latency_ms"),
        ],
    )
    def test_absurd_values(self, metrics: dict[str, Any], says: str, tmp_path: Path) -> None:
        assert says in refusal(tmp_path, json.dumps([record(metrics=metrics)]))

    @pytest.mark.parametrize(
        "text",
        ["", "[]", "[1]", "{}", "[" * 100_000, "a,b\n1,2\n", 'config.batch_size\n"x', '[{"build_commit": "x"}]', "\0",
         "config.batch_size,config,metrics.,.,config.a.b\n1,2,3,4,5\n", "config.batch_size\n1,2,3\n"],
    )  # fmt: skip
    def test_what_the_benchmark_does_not_write(self, text: str, tmp_path: Path) -> None:
        refusal(tmp_path, text)

    def test_a_file_that_is_cut_off(self, tmp_path: Path) -> None:
        assert "is no whole JSON" in refusal(tmp_path, json.dumps([record()])[:-40])


def test_a_provider_that_may_still_compute_when_its_call_is_back_is_told(tmp_path: Path) -> None:
    found = record()
    found["metadata"]["device"] = "follow_config"
    (row,) = imported(tmp_path, json.dumps([found])).rows
    assert (row.target, [remark.code for remark in row.remarks]) == (
        "not told",
        ["other_prompt", "asynchronous"],
    )
