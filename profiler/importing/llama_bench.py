"""llama-bench's tests in our words. Its pp and tg are ours by definition: the same loop, tokens over time.

A value is `avg_ts`, the mean of the rates of one process's repetitions. Its `stddev_ns` is never used: sums of squares
wrap at 2^64 there. Source: llama.cpp, tools/llama-bench/llama-bench.cpp, `test::get_fields` and `test::get_values`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from profiler.errors import UserError
from profiler.importing.assemble import Found, Told, Tool
from profiler.importing.llama_bench_fields import Fields, prompt_on_gpu, quantization, settings, target
from profiler.importing.llama_bench_formats import REPETITIONS, Test, read_tests
from profiler.importing.reading import base_name, read_file
from profiler.runfile import Build, Workload
from profiler.runfile.imported import Refused, Remark, Stated

TOOL = Tool(
    name="llama-bench",
    taken={
        "pp_tps": "avg_ts of a test with n_prompt alone: tokens over the time of their evaluation, no sampler",
        "tg_tps": "avg_ts of a test with n_gen alone: tokens over the time of as many evaluations, no sampler",
    },
)
ENGINE = "llama-cpp"

MIXED = Refused(
    what="pg tests (n_prompt and n_gen in one)",
    reason="one rate over prompt and answer together has no definition here: measure pp and tg apart",
)
DEVIATION = Refused(
    what="stddev_ts as an interval",
    reason="repetitions of one process say nothing of the next process: give the files of three processes or more",
)

PROMPT_ON_GPU = Remark(
    code="prompt_on_gpu",
    seen="no layer was put on the GPU that llama-bench saw, but large batches of a prompt are computed there",
    advice="for the CPU alone measure with --device none",
)

RESULTS = {"test_time", "avg_ns", "stddev_ns", "avg_ts", "stddev_ts", REPETITIONS}
"""What comes out of a test. All else was asked of it, whatever its name: tests that differ there are never pooled."""

CLOSE = (0.99, 100.0)
"""A mean of rates over the rate of the mean time: 1 where repetitions are alike, else more."""


def read(path: Path) -> Told:
    """What a file of llama-bench tells. Raises `UserError` in one sentence."""
    foreign = read_file(path)
    name = foreign.file.name
    tests = read_tests(foreign.text, name)
    fields = [_fields(test, name, number) for number, test in enumerate(tests, start=1)]
    _one_machine(fields, name)
    pairs = [
        (test, told) for test, told in zip(tests, fields, strict=True) if not (told.n_prompt and told.n_gen)
    ]
    first = fields[0]
    return Told(
        foreign=foreign,
        version=f"build {first.build_number}, commit {first.build_commit}",
        machine=", ".join(part for part in (first.cpu_info, first.gpu_info) if part.strip()) or None,
        found=[_found(test, told) for test, told in pairs],
        refused=[*([MIXED] if len(pairs) < len(tests) else []), DEVIATION],
    )


def _fields(test: Test, name: str, number: int) -> Fields:
    where = f"{name} test {number}"
    try:
        told = msgspec.convert(test, Fields, strict=False)
    except msgspec.ValidationError as error:
        raise UserError(f"{where} is not one of llama-bench: {error}") from None
    _refuse_contradiction(told, where)
    return told


def _one_machine(fields: Sequence[Fields], name: str) -> None:
    first = fields[0]
    for told in fields:
        if (told.cpu_info, told.gpu_info) != (first.cpu_info, first.gpu_info):
            raise UserError(f"{name} has tests of several machines: keep those of one and import them apart")
        if (told.build_number, told.build_commit) != (first.build_number, first.build_commit):
            raise UserError(
                f"{name} has tests of several builds of llama.cpp: keep those of one and import them apart"
            )


def _refuse_contradiction(told: Fields, where: str) -> None:
    if not told.n_prompt and not told.n_gen:
        raise UserError(f"{where} has neither n_prompt nor n_gen: nothing was measured")
    rate = (told.n_prompt + told.n_gen) / told.avg_ns * 1e9
    if not CLOSE[0] <= told.avg_ts / rate <= CLOSE[1]:
        raise UserError(
            f"{where} has an avg_ts that contradicts its avg_ns: give the file as llama-bench wrote it"
        )


def _found(test: Test, told: Fields) -> Found:
    stated = Stated(file=0, value=told.avg_ts, repetitions=told.repetitions, deviation=told.stddev_ts)
    asked = {field: value for field, value in test.items() if field not in RESULTS}
    asked["model_filename"] = base_name(told.model_filename)
    return Found(
        key=tuple(sorted(asked.items())),
        build=_build(told),
        engine=ENGINE,
        target=target(told),
        settings=settings(told, test),
        workload=_workload(told),
        figures={"pp_tps" if told.n_prompt else "tg_tps": stated},
        remarks=[PROMPT_ON_GPU] if prompt_on_gpu(told) else [],
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
