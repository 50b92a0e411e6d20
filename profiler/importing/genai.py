"""What ONNX Runtime GenAI's own benchmark (benchmark_e2e.py) wrote, as JSON or CSV, in our words."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec

from profiler.errors import UserError
from profiler.importing import genai_definitions as definitions
from profiler.importing.assemble import Found, Told, Tool
from profiler.importing.reading import base_name, decoded_json, read_file, short
from profiler.runfile import Build, Settings, Workload
from profiler.runfile.fields import MOST_TOKENS
from profiler.runfile.imported import Refused, Remark, Stated

TOOL = Tool(name="onnxruntime-genai benchmark_e2e.py", taken=definitions.TAKEN)
ENGINE = "ort-genai"
NAMELESS = "model_name"
"""What the benchmark writes where nobody gave the model a name."""

TARGETS = {"cpu": "cpu", "cuda": "gpu", "dml": "gpu", "webgpu": "gpu", "nvtensorrtrtx": "gpu"}
MOST_RECORDS = 1000
ROUNDING = 0.01
"""By how much two figures of one thing may differ."""

Word = Annotated[str, msgspec.Meta(max_length=300)]
Reading = Annotated[float, msgspec.Meta(gt=0, le=1e8)]
Length = Annotated[int, msgspec.Meta(ge=1, le=MOST_TOKENS)]

_VERSION = re.compile(r"(\d+)\.(\d+)")


class ModelInfo(msgspec.Struct, frozen=True):
    full_name: Word = NAMELESS


class Config(msgspec.Struct, frozen=True):
    """Sizes are whole numbers that pandas may have made 16.0 of."""

    batch_size: Length
    prompt_length: Length
    tokens_generated: Length
    max_length: Annotated[int, msgspec.Meta(ge=-1, le=MOST_TOKENS)] | None = None
    precision: Word = "fp16"
    model_info: ModelInfo = ModelInfo()


class Metadata(msgspec.Struct, frozen=True):
    device: Word | None = None
    package_name: Word | None = None
    package_version: Word | None = None


class Metrics(msgspec.Struct, frozen=True):
    """The five that are used; others are named as refused."""

    prompt_processing_latency_ms: Reading
    prompt_processing_throughput_tps: Reading
    sampling_latency_ms: Reading
    token_generation_latency_ms: Reading
    token_generation_throughput_tps: Reading


class Entry(msgspec.Struct, frozen=True):
    """One record of the file."""

    config: Config
    metadata: Metadata
    metrics: dict[str, Any]


def read(path: Path) -> Told:
    """What a file of the benchmark tells. Raises `UserError` in one sentence."""
    foreign = read_file(path)
    name = foreign.file.name
    entries = _entries(foreign.text, name)
    version = _version([entry.metadata for entry in entries], name)
    alone = [entry for entry in entries if entry.config.batch_size == 1]
    longer = [entry for entry in alone if entry.config.tokens_generated > 1]
    return Told(
        foreign=foreign,
        version=version,
        machine=None,
        found=[_found(entry, name, number) for number, entry in enumerate(longer, start=1)],
        refused=[*_refused(entries, alone, longer)],
    )


def _entries(text: str, name: str) -> list[Entry]:
    start = text.lstrip()
    if start.startswith("Batch Size,"):
        raise UserError(
            f"{name} is of a version before 0.6, which timed a forward pass and its sampling apart under the same "
            "names: measure with a newer one"
        )
    found: object = decoded_json(text, name) if start.startswith("[") else _csv(text, name)
    try:
        entries = msgspec.convert(found, list[Entry], strict=False)
    except msgspec.ValidationError as error:
        raise UserError(f"{name} is not what benchmark_e2e.py writes: {error}") from None
    if not 1 <= len(entries) <= MOST_RECORDS:
        raise UserError(f"{name} holds {len(entries)} records; from 1 to {MOST_RECORDS} are accepted")
    return entries


def _csv(text: str, name: str) -> object:
    """Rows under headers such as config.batch_size, as the records that they were flattened from."""
    try:
        rows = list(csv.DictReader(io.StringIO(text), strict=True))
    except csv.Error as error:
        raise UserError(f"{name} is no whole CSV: {error}") from None
    if not rows or "config.batch_size" not in rows[0]:
        raise UserError(
            f"{name} is no output of onnxruntime-genai's benchmark_e2e.py: its JSON or its CSV is accepted"
        )
    return [_nested(row) for row in rows]


def _nested(row: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"config": {"model_info": {}}, "metadata": {}, "metrics": {}}
    for field, value in row.items():
        if value in (None, "") or not isinstance(value, str):
            continue
        part, _, rest = str(field).partition(".")
        inner, _, last = rest.rpartition(".")
        place = found.get(part) if not inner else found["config"].get(inner) if part == "config" else None
        if isinstance(place, dict):
            place[last] = value
    return found


def _version(metadata: Sequence[Metadata], name: str) -> str:
    """Package and version. Raises `UserError` where its definitions are not known to be those of 0.6 and later."""
    told = {(one.package_name or "onnxruntime-genai", one.package_version or "") for one in metadata}
    if len(told) > 1:
        raise UserError(f"{name} has records of several versions: keep those of one and import them apart")
    package, version = told.pop()
    number = _VERSION.match(version)
    if number is None:
        raise UserError(
            f"{name} does not tell metadata.package_version, without which it is not known what its figures mean: "
            "write the version of onnxruntime-genai there"
        )
    if (int(number[1]), int(number[2])) < definitions.FIRST_VERSION:
        raise UserError(
            f"{name} is of version {short(version)}: before 0.6 a forward pass and its sampling were timed apart under "
            "the same names; measure with a newer one"
        )
    return version if package == "onnxruntime-genai" else f"{version} ({package})"


def _found(entry: Entry, name: str, number: int) -> Found:
    config, provider = entry.config, entry.metadata.device or "not told"
    full_name = base_name(config.model_info.full_name)
    precision = None if config.precision == "fp16" else config.precision
    length = config.max_length
    settings: Settings = {"provider": provider, "context": length if length and length > 0 else None}
    return Found(
        key=(full_name, config.precision, provider, *msgspec.structs.astuple(config)[:4]),
        build=Build(id=full_name, name=full_name, format="onnx-genai", size_bytes=0, quantization=precision),
        engine=ENGINE,
        target=TARGETS.get(provider.lower(), "not told"),
        settings=settings,
        workload=_workload(config),
        figures=_figures(entry, name, number),
        remarks=list(_remarks(entry)),
    )


def _workload(config: Config) -> Workload:
    """Text of the benchmark's own making: never equal to a workload of ours, whose text is known."""
    return Workload(
        id=f"genai-e2e-{config.prompt_length}-{config.tokens_generated}",
        method="text",
        prompt_tokens=config.prompt_length,
        output_tokens=config.tokens_generated,
    )


def _figures(entry: Entry, name: str, number: int) -> dict[str, Stated]:
    try:
        told = msgspec.convert(entry.metrics, Metrics, strict=False)
    except msgspec.ValidationError as error:
        raise UserError(f"{name} record {number}: metrics: {error}") from None
    _refuse_other_definitions(told, f"{name} record {number}")
    values = {
        "ttft_ms": told.prompt_processing_latency_ms * entry.config.prompt_length + told.sampling_latency_ms,
        "decode_tps": told.token_generation_throughput_tps,
        "prefill_tps": told.prompt_processing_throughput_tps,
        "tpot_ms": told.token_generation_latency_ms,
    }
    return {metric: Stated(file=0, value=value) for metric, value in values.items()}


def _refuse_other_definitions(told: Metrics, where: str) -> None:
    """Both latencies are those of one token, whatever their name: a rate is then 1000 / latency."""
    for part, latency, rate in (
        ("prompt_processing", told.prompt_processing_latency_ms, told.prompt_processing_throughput_tps),
        ("token_generation", told.token_generation_latency_ms, told.token_generation_throughput_tps),
    ):
        if not math.isclose(latency * rate, 1000, rel_tol=ROUNDING):
            raise UserError(
                f"{where}: {part}_latency_ms is not that of one token by its throughput, so its definition is not known"
            )


def _remarks(entry: Entry) -> Iterator[Remark]:
    yield SAMPLED
    if TARGETS.get((entry.metadata.device or "").lower()) != "cpu":
        yield ASYNCHRONOUS


def _refused(entries: Sequence[Entry], alone: Sequence[Entry], longer: Sequence[Entry]) -> Iterator[Refused]:
    if len(alone) < len(entries):
        yield definitions.BATCH
    if len(longer) < len(alone):
        yield definitions.SHORT
    fields = dict.fromkeys(field for entry in entries for field in entry.metrics)
    yield from (definitions.refused_metric(short(field)) for field in fields if field not in definitions.USED)
    yield definitions.RUNS
    if any(entry.config.precision == "fp16" for entry in entries):
        yield definitions.PRECISION


SAMPLED = Remark(
    code="other_prompt",
    seen="the prompt is of the benchmark's own making and may have more tokens than asked for (chat template); "
    "the answer may be sampled where ours is greedy",
    advice="compare within this table, not with rows of another workload",
)
ASYNCHRONOUS = Remark(
    code="asynchronous",
    seen="the provider is not known to have computed when its call is back, so the prompt may seem to end too early",
    advice="trust TTFT and decode before prefill",
)
