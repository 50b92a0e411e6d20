"""Writes models/*.toml from models/architectures.csv and models/builds.csv. A test compares the two."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "models"
FIRST_LINE = (
    "# Written by `python -m bench.model_profiles` from architectures.csv and builds.csv: change those."
)
NOT_VERIFIED = "not verified"
ENGINE = (
    "llama.cpp 0c1e57098 (packaged by llama-cpp-python 0.3.36), model and context made without allocating"
)
QK_NORMS = {"false": None, "true": "rms", "l2": "l2"}

Row = Mapping[str, str]
Tables = dict[str, Any]


def write(folder: Path) -> None:
    """One file for each row of architectures.csv into `folder`."""
    builds = list(_rows("builds.csv"))
    for row in _rows("architectures.csv"):
        own = [build for build in builds if build["model"] == row["id"]]
        text = "\n".join([FIRST_LINE, *toml(model(row, own))]) + "\n"
        (folder / f"{row['id']}.toml").write_text(text, "utf-8")


def _rows(name: str) -> Iterator[Row]:
    with (FOLDER / name).open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def model(row: Row, builds: list[Row]) -> Tables:
    """The tables of one model's file. None stands for a key that is left out."""
    licence = {"value": row["license"], "source": row["license_source"]} if row["license"] else None
    return {
        "id": row["id"],
        "name": row["hf_repo"].rpartition("/")[2],
        "hf_repo": row["hf_repo"],
        "notes": row["notes"] or None,
        "licence": licence,
        "absent": None if licence else {"licence": NOT_VERIFIED},
        "shape": _shape(row),
        "builds": [_build(build) for build in builds] or None,
    }


def _shape(row: Row) -> Tables:
    """Shape facts. What follows from the others, or is so in nearly every model, is left out."""
    return {
        "source": row["shape_source"],
        "gguf_architecture": row["gguf_arch"],
        "hf_model_type": row["hf_model_type"],
        "layers": int(row["num_hidden_layers"]),
        "layer_period": _unless(row["layer_period"], "1"),
        "embedding": int(row["hidden_size"]),
        "feed_forward": int(row["intermediate_size"]),
        "heads": int(row["num_attention_heads"]),
        "kv_heads": int(row["num_key_value_heads"]),
        "head_length": _unless(row["head_dim"]),
        "rope_dimensions": _unless(row["rotary_dim"], row["head_dim"]),
        "rope_theta": int(row["rope_theta"]),
        "rope_scaling": None if row["rope_scaling"] == "none" else row["rope_scaling"],
        "vocabulary": int(row["vocab_size"]),
        "context_tokens": int(row["max_position_embeddings"]),
        "tied_embedding": row["tie_word_embeddings"] == "true",
        "qkv_bias": True if row["qkv_bias"] == "true" else None,
        "qk_norm": QK_NORMS[row["qk_norm"]],
        "parameters": int(row["params_total"]),
        "parameters_read_per_token": int(row["params_read_per_token"]),
        "kv_elements_per_token": int(row["kv_elements_per_token"]),
        "window": _window(row) if row["sliding_window"] else None,
        "experts": _experts(row) if row["n_experts"] else None,
        "latent": _latent(row) if row["mla_kv_lora_rank"] else None,
        "reference": {
            "source": ENGINE,
            "quantization": row["ref_mix"],
            "weights_bytes": int(row["ref_mix_bytes"]),
            "compute_buffer_mib": float(row["compute_buffer_mib_ctx8192_ub512"]),
        },
    }


def _window(row: Row) -> Tables:
    return {
        "tokens": int(row["sliding_window"]),
        "full_attention_every": int(row["full_attention_every"]),
        "full_attention_kv_elements_per_token": int(row["kv_elements_per_token_full_attn_layers"]),
    }


def _experts(row: Row) -> Tables:
    return {
        "count": int(row["n_experts"]),
        "active": int(row["n_experts_active"]),
        "shared": _unless(row["n_shared_experts"]),
        "feed_forward": int(row["expert_intermediate_size"]),
        "every": _unless(row["moe_every"], "1"),
        "leading_dense_layers": _unless(row["leading_dense_layers"]),
    }


def _latent(row: Row) -> Tables:
    return {
        "query_rank": int(row["mla_q_lora_rank"]),
        "key_value_rank": int(row["mla_kv_lora_rank"]),
        "key_length": int(row["mla_key_length"]),
        "value_length": int(row["mla_value_length"]),
    }


def _build(row: Row) -> Tables:
    return {key: value for key, value in row.items() if key != "model"} | {
        "size_bytes": int(row["size_bytes"])
    }


def _unless(text: str, usual: str = "") -> int | None:
    """The number, unless there is none or it is the usual one."""
    return None if text in ("", usual) else int(text)


def toml(tables: Tables, name: str = "") -> Iterator[str]:
    """The lines of a table: its values, then the tables in it."""
    inner = {key: value for key, value in tables.items() if isinstance(value, dict | list)}
    for key, value in tables.items():
        if value is not None and key not in inner:
            yield f"{key} = {_value(value)}"
    for key, value in inner.items():
        path = f"{name}.{key}" if name else key
        for item in value if isinstance(value, list) else [value]:
            yield from ("", f"[[{path}]]" if isinstance(value, list) else f"[{path}]")
            yield from toml(item, path)


def _value(value: str | int | float | bool) -> str:
    """A value as TOML has it: numbers with thousands apart, text in quotes."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:_}" if isinstance(value, int | float) else json.dumps(value, ensure_ascii=False)


def main() -> None:
    """Write the files of the project, and name those that have no row any more."""
    write(FOLDER)
    ids = {row["id"] for row in _rows("architectures.csv")}
    for path in sorted(FOLDER.glob("*.toml")):
        if path.stem not in ids:
            sys.exit(f"{path.name} has no row in architectures.csv: delete it")


if __name__ == "__main__":
    main()
