"""Output of llama-bench as its printers write it, in the four formats that programs read."""

from __future__ import annotations

import json
from typing import Any

COMMON: dict[str, Any] = {
    "build_commit": "8cf427ff", "build_number": 5163, "cpu_info": "AMD Ryzen 7 7800X3D", "gpu_info": "",
    "backends": "CPU", "model_filename": "/home/ann/models/SmolLM2-135M.Q4_K_M.gguf",
    "model_type": "llama 256M Q4_K - Medium", "model_size": 96576768, "model_n_params": 134515008,
    "n_batch": 2048, "n_ubatch": 512, "n_threads": 2, "cpu_mask": "0x0", "cpu_strict": False, "poll": 50,
    "type_k": "f16", "type_v": "f16", "n_gpu_layers": 0, "n_cpu_moe": 0, "split_mode": "layer", "main_gpu": 0,
    "no_kv_offload": False, "flash_attn": -1, "devices": "auto", "tensor_split": "0.00",
    "tensor_buft_overrides": "none", "load_mode": "auto", "lazy_mode": "auto", "embeddings": False,
    "no_op_offload": 0, "no_host": False, "repack": True, "fit_target": 0, "fit_min_ctx": 0,
}  # fmt: skip


def bench_test(prompt: int = 0, output: int = 0, tps: float = 200.0, **changed: Any) -> dict[str, Any]:
    """One test whose two repetitions have the same rate, in the order of its fields."""
    asked = COMMON | {"n_prompt": prompt, "n_gen": output, "n_depth": 0, "test_time": "2026-01-02T03:04:05Z"}
    result = {
        "avg_ns": round((prompt + output) / tps * 1e9),
        "stddev_ns": 0,
        "avg_ts": tps,
        "stddev_ts": 1.5,
    }
    return asked | result | changed


def as_json(*tests: dict[str, Any]) -> str:
    inside = ["  {\n" + _fields(test, "    ", ",\n") + "\n  }" for test in tests]
    return "[\n" + ",\n".join(inside) + "\n]\n"


def as_jsonl(*tests: dict[str, Any]) -> str:
    return "".join(f"{{{_fields(test, '', ', ')}}}\n" for test in tests)


def as_csv(*tests: dict[str, Any]) -> str:
    lines = [",".join(tests[0])]
    lines += [",".join('"' + word(v).replace('"', '""') + '"' for v in test.values()) for test in tests]
    return "\n".join(lines) + "\n"


def as_sql(*tests: dict[str, Any]) -> str:
    columns = ",\n".join(f"  {name} {_sql_type(value)}" for name, value in tests[0].items())
    lines = [f"CREATE TABLE IF NOT EXISTS llama_bench (\n{columns}\n);\n"]
    for test in tests:
        values = ", ".join(f"'{word(value)}'" for value in test.values())
        lines.append(f"INSERT INTO llama_bench ({', '.join(test)}) VALUES ({values});")
    return "\n".join(lines) + "\n"


FORMATS = {"json": as_json, "jsonl": as_jsonl, "csv": as_csv, "sql": as_sql}


def word(value: object) -> str:
    """A value as llama-bench makes a text of it."""
    if isinstance(value, bool):
        return str(int(value))
    return f"{value:.6f}" if isinstance(value, float) else str(value)


def _fields(test: dict[str, Any], indent: str, between: str) -> str:
    told = [f'{indent}"{name}": {_json(value)}' for name, value in test.items()]
    return between.join([*told, f'{indent}"samples_ns": [ 2560000000, 2560000000 ]'])


def _json(value: object) -> str:
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return str(value).lower() if isinstance(value, bool) else word(value)


def _sql_type(value: object) -> str:
    return "TEXT" if isinstance(value, str) else "REAL" if isinstance(value, float) else "INTEGER"
