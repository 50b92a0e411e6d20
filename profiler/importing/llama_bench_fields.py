"""The fields of one test of llama-bench, and what they say in our words: settings, target, quantization.

Source: llama.cpp, `test::get_fields` in tools/llama-bench/llama-bench.cpp, `llama_ftype_name` in
src/llama-model-loader.cpp.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated

import msgspec

from profiler.runfile import Settings
from profiler.runfile.fields import Natural, NotNegative, Tokens, Whole

USUAL = {
    "cpu_mask": ("0x0", ""),
    "cpu_strict": ("0",),
    "poll": ("50",),
    "n_cpu_moe": ("0",),
    "split_mode": ("layer",),
    "main_gpu": ("0",),
    "no_kv_offload": ("0",),
    "devices": ("auto",),
    "tensor_split": ("0.00",),
    "tensor_buft_overrides": ("none",),
    "lazy_mode": ("auto",),
    "use_direct_io": ("0",),
    "embeddings": ("0",),
    "no_op_offload": ("0",),
    "no_host": ("0",),
    "fit_target": ("0",),
    "fit_min_ctx": ("0",),
}
"""Fields that are settings only where they are not what llama-bench does by itself."""

FLASH = {"-1": "auto", "0": "off", "1": "on"}
MAPPED = {
    "auto": True,
    "mmap": True,
    "mmap+mlock": True,
    "1": True,
    "none": False,
    "mlock": False,
    "dio": False,
}
"""Whether the file is mapped, by `load_mode`, or by `use_mmap` of versions before it ("0" is neither)."""

_TYPE = re.compile(r"(\w+)(?: - (?P<size>Small|Medium|Large))?(?: .*)?")
_ONE_SIZE = {"Q2_K_M": "Q2_K", "all": "F32", "MXFP4": "MXFP4_MOE"}

Word = Annotated[str, msgspec.Meta(max_length=1000)]
Count = Annotated[int, msgspec.Meta(ge=1, le=100_000)]


class Fields(msgspec.Struct, frozen=True, kw_only=True):
    """The fields that every version writes, and the ones that came later with their default. Others are let pass."""

    build_commit: Word
    build_number: Natural
    cpu_info: Word
    gpu_info: Word
    model_filename: Annotated[str, msgspec.Meta(min_length=1, max_length=1000)]
    model_type: Word
    model_size: Natural
    model_n_params: Natural
    n_batch: Natural
    n_ubatch: Natural
    n_threads: Natural
    type_k: Word
    type_v: Word
    n_gpu_layers: Whole
    n_prompt: Tokens
    n_gen: Tokens
    n_depth: Tokens = 0
    avg_ns: Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]
    avg_ts: Annotated[float, msgspec.Meta(gt=0, le=1e9)]
    stddev_ts: NotNegative
    flash_attn: Word = "0"
    load_mode: Word | None = None
    use_mmap: Word | None = None
    repack: Word = "1"
    devices: Word = "auto"
    no_op_offload: Word = "0"
    repetitions: Count | None = None


def settings(told: Fields, test: Mapping[str, str]) -> Settings:
    """Under our names where we have the setting; others under llama-bench's own, where they are not the usual."""
    kv = told.type_k if told.type_k == told.type_v else f"{told.type_k}/{told.type_v}"
    ours: Settings = {
        "threads": told.n_threads,
        "kv": kv,
        "flash": FLASH.get(told.flash_attn, told.flash_attn),
        "batch": told.n_batch,
        "ubatch": told.n_ubatch,
        "mmap": MAPPED.get(told.load_mode or told.use_mmap or "auto", False),
        "mlock": "mlock" in (told.load_mode or ""),
        "repack": told.repack == "1",
        "gpu_layers": told.n_gpu_layers if _has_gpu(told) else 0,
    }
    others = {field: test[field] for field, usual in USUAL.items() if test.get(field, usual[0]) not in usual}
    return ours | others


def target(told: Fields) -> str:
    """Where the layers are."""
    return "gpu" if _has_gpu(told) and told.n_gpu_layers else "cpu"


def prompt_on_gpu(told: Fields) -> bool:
    """Whether a GPU helps with large batches though it holds no layer."""
    idle = _has_gpu(told) and not told.n_gpu_layers
    return idle and told.n_prompt > 0 and told.no_op_offload == "0"


def _has_gpu(told: Fields) -> bool:
    return bool(told.gpu_info.strip()) and told.devices != "none"


def quantization(model_type: str) -> str | None:
    """Q4_K_M of "llama 7B Q4_K - Medium": the words of llama.cpp for a file's type, as files are named."""
    parts = model_type.split(" ", 2)
    if len(parts) < 3:
        return None
    found = _TYPE.fullmatch(parts[2].removeprefix("(guessed) "))
    if found is None:
        return None
    name = f"{found[1]}_{found['size'][0]}" if found["size"] else found[1]
    return "IQ3_M" if parts[2].startswith("IQ3_S mix") else _ONE_SIZE.get(name, name)
