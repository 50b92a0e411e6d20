"""llama-bench's tests in our words. Its pp and tg are ours by definition: the same loop, tokens over time.

A value is `avg_ts`, the mean of the rates of one process's repetitions. Its `stddev_ns` is never used: sums of squares
wrap at 2^64 there. Source: llama.cpp, tools/llama-bench/llama-bench.cpp, `test::get_fields` and `test::get_values`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec

from profiler.errors import UserError
from profiler.importing.assemble import Found, Told
from profiler.importing.llama_bench_formats import REPETITIONS, Test, read_tests
from profiler.importing.reading import base_name, read_file
from profiler.runfile import Build, Settings, Workload
from profiler.runfile.imported import Refused, Remark, Stated
from profiler.runfile.records import Natural, NotNegative, Tokens, Whole

TOOL = "llama-bench"
ENGINE = "llama-cpp"

MIXED = Refused(
    what="pg tests (n_prompt and n_gen in one)",
    reason="one rate over prompt and answer together has no definition here: measure pp and tg apart",
)
DEVIATION = Refused(
    what="stddev_ts as an interval",
    reason="repetitions of one process say nothing of the next process: give the files of three processes or more",
)

RESULTS = {"test_time", "avg_ns", "stddev_ns", "avg_ts", "stddev_ts", REPETITIONS}
"""What comes out of a test. All else was asked of it, whatever its name: tests that differ there are never pooled."""

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
    avg_ts: Annotated[float, msgspec.Meta(gt=0, le=1e9)]
    stddev_ts: NotNegative
    flash_attn: Word = "0"
    load_mode: Word | None = None
    use_mmap: Word | None = None
    repack: Word = "1"
    devices: Word = "auto"
    no_op_offload: Word = "0"
    repetitions: Count | None = None


def read(path: Path) -> Told:
    """What a file of llama-bench tells. Raises `UserError` in one sentence."""
    foreign = read_file(path)
    name = foreign.file.name
    tests = read_tests(foreign.text, name)
    fields = [_fields(test, name, number) for number, test in enumerate(tests, start=1)]
    _one_machine(fields, name)
    pairs = [(test, told) for test, told in zip(tests, fields, strict=True) if not _mixed(told, name)]
    first = fields[0]
    return Told(
        foreign=foreign,
        version=f"build {first.build_number}, commit {first.build_commit}",
        machine=", ".join(part for part in (first.cpu_info, first.gpu_info) if part.strip()) or None,
        found=[_found(test, told) for test, told in pairs],
        refused=[*([MIXED] if len(pairs) < len(tests) else []), DEVIATION],
    )


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


def _fields(test: Test, name: str, number: int) -> Fields:
    try:
        return msgspec.convert(test, Fields, strict=False)
    except msgspec.ValidationError as error:
        raise UserError(f"{name} test {number} is not one of llama-bench: {error}") from None


def _one_machine(fields: Sequence[Fields], name: str) -> None:
    first = fields[0]
    for told in fields:
        if (told.cpu_info, told.gpu_info) != (first.cpu_info, first.gpu_info):
            raise UserError(f"{name} has tests of several machines: keep those of one and import them apart")
        if (told.build_number, told.build_commit) != (first.build_number, first.build_commit):
            raise UserError(
                f"{name} has tests of several builds of llama.cpp: keep those of one and import them apart"
            )


def _mixed(told: Fields, name: str) -> bool:
    if not told.n_prompt and not told.n_gen:
        raise UserError(f"{name} has a test with neither n_prompt nor n_gen: nothing was measured")
    return bool(told.n_prompt and told.n_gen)


def _found(test: Test, told: Fields) -> Found:
    stated = Stated(file=0, value=told.avg_ts, repetitions=told.repetitions, deviation=told.stddev_ts)
    asked = {field: value for field, value in test.items() if field not in RESULTS}
    asked["model_filename"] = base_name(told.model_filename)
    return Found(
        key=tuple(sorted(asked.items())),
        build=_build(told),
        engine=ENGINE,
        target=_target(told),
        settings=_settings(told, test),
        workload=_workload(told),
        figures={"pp_tps" if told.n_prompt else "tg_tps": stated},
        remarks=[PROMPT_ON_GPU] if _prompt_on_gpu(told) else [],
    )


def _build(told: Fields) -> Build:
    """`size_bytes` is that of the tensors, which is what llama-bench tells."""
    name = base_name(told.model_filename)
    bits = 8 * told.model_size / told.model_n_params if told.model_n_params else None
    return Build(
        id=name.removesuffix(".gguf") or name,
        name=name,
        format="gguf",
        size_bytes=told.model_size,
        weights_bytes=told.model_size,
        quantization=quantization(told.model_type),
        architecture=told.model_type.split(" ")[0] or None,
        parameters=told.model_n_params or None,
        bits_per_weight=bits,
    )


def _workload(told: Fields) -> Workload:
    word = f"pp{told.n_prompt}" if told.n_prompt else f"tg{told.n_gen}"
    return Workload(
        id=word + (f"@d{told.n_depth}" if told.n_depth else ""),
        method="raw",
        prompt_tokens=told.n_prompt,
        output_tokens=told.n_gen,
        depth=told.n_depth,
    )


def _settings(told: Fields, test: Test) -> Settings:
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


def _has_gpu(told: Fields) -> bool:
    return bool(told.gpu_info.strip()) and told.devices != "none"


def _target(told: Fields) -> str:
    return "gpu" if _has_gpu(told) and told.n_gpu_layers else "cpu"


def _prompt_on_gpu(told: Fields) -> bool:
    idle = _has_gpu(told) and not told.n_gpu_layers
    return idle and told.n_prompt > 0 and told.no_op_offload == "0"


PROMPT_ON_GPU = Remark(
    code="prompt_on_gpu",
    seen="no layer was put on the GPU that llama-bench saw, but large batches of a prompt are computed there",
    advice="for the CPU alone measure with --device none",
)
