"""What this machine's calibration says of a run before anything of it is measured, for the header of its file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
from msgspec.structs import replace

from profiler.builds.gguf import GgufHeader, read_header
from profiler.builds.gguf_types import TENSOR_TYPES
from profiler.catalogue.devices import DeviceProfile
from profiler.errors import UserError
from profiler.host.chosen_cores import ALL
from profiler.host.machine import this_machine
from profiler.measure.start import Prepared
from profiler.measure.variants import CORES
from profiler.predicting import calibrated
from profiler.predicting.calibration import fastest_products
from profiler.predicting.prediction import Figure, Speed
from profiler.runfile import Build, Case, Ceiling, Device, Header, Plan, Predicted, PredictedFigure, Workload
from profiler.runfile.fields import LONGEST_SENTENCE

NOT_CALIBRATED = "only llama.cpp on the CPU is calibrated"
LIMITED = "the calibration does not know how it runs in limited memory"
PINNED = "the calibration ran on all cores"
AT_DEPTH = "the calibration knows prompts at depth 0 only"


def calibration() -> str | None:
    """What a reader calls the calibration of this machine, such as "calibration of this machine, 2026-11-29".

    None where there is none that holds for this machine, which costs little. Raises `UserError` for a broken one.
    """
    found = calibrated.usable()
    return None if isinstance(found, str) else calibrated.named(found)


def measured() -> Ceiling | None:
    """What the CPU of this machine was calibrated to do at most. None without a calibration.

    Raises `UserError` for a broken one.
    """
    found = calibrated.usable()
    if isinstance(found, str):
        return None
    source, macs = f"measured by calibration, {found.date}", fastest_products(found.samples)
    return Ceiling(
        bytes_per_s=found.bytes_per_s,
        bytes_source=source,
        macs_per_s=macs,
        macs_source=source if macs is not None else None,
    )


def with_predictions(prepared: Prepared) -> tuple[Prepared, str | None]:
    """The run with what is predicted of it in its header; and a sentence where a calibration cannot be used.

    What the CPU was measured to do at most is told of the device.
    """
    header = prepared.header
    try:
        if calibration() is None:
            return prepared, None
        found = predicted(header.plan, prepared.paths, this_machine())
        told = replace(header, predictions=found, device=with_measured(header.device))
        _check(told)
    except (UserError, ValueError, msgspec.ValidationError) as error:
        return prepared, f"nothing is predicted of this run: {error}"
    return replace(prepared, header=told), None


def _check(header: Header) -> None:
    """Raises `msgspec.ValidationError` for figures that the run file would not be read with."""
    msgspec.convert(msgspec.to_builtins(header.predictions), list[Predicted])
    msgspec.convert(msgspec.to_builtins(header.device), Device)


def with_measured(device: Device) -> Device:
    """The device with what its CPU was measured to do, and the measured bandwidth unless its profile states one."""
    found = measured()
    if found is None:
        return device
    device = replace(device, ceilings=device.ceilings | {"cpu": found})
    if device.memory_bandwidth_bytes_per_s is not None:
        return device
    return replace(
        device, memory_bandwidth_bytes_per_s=found.bytes_per_s, bandwidth_source=found.bytes_source
    )


def predicted(plan: Plan, paths: Mapping[str, Path], profile: DeviceProfile) -> list[Predicted]:
    """What is predicted of each case, or why nothing is; an empty list without a calibration.

    Raises `UserError` for a calibration or a build that cannot be read.
    """
    source = calibration()
    if source is None:
        return []
    builds = {build.id: build for build in plan.builds}
    wanted = {case.build for case in plan.cases if not _why_not(plan, builds[case.build], case)}
    headers = {name: read_header(paths[name]) for name in wanted}
    return [_of_case(plan, case, builds[case.build], headers, profile, source) for case in plan.cases]


def _why_not(plan: Plan, build: Build, case: Case) -> str | None:
    if (case.engine, case.target, build.format) != ("llama-cpp", "cpu", "gguf"):
        return NOT_CALIBRATED
    if case.settings.get(CORES) not in (None, ALL):
        return PINNED
    return LIMITED if plan.memory_limit_bytes is not None else None


def _of_case(
    plan: Plan,
    case: Case,
    build: Build,
    headers: Mapping[str, GgufHeader],
    profile: DeviceProfile,
    source: str,
) -> Predicted:
    why_not = _why_not(plan, build, case)
    if why_not is not None:
        return Predicted(case=case.id, source=_short(source), reason=why_not)
    found = _speed(headers[case.build], case, profile)
    if isinstance(found, str):
        return Predicted(case=case.id, source=_short(source), reason=_short(found))
    told = dict(_figures(case.workload, found))
    reasons = dict.fromkeys(figure.reason for figure in told.values() if figure.value is None)
    limits = [one.limited_by for one in found.decode if one.depth == middle(case.workload)]
    return Predicted(
        case=case.id,
        source=_short(found.source),
        figures={name: _recorded(one, one.value) for name, one in told.items() if one.value is not None},
        limited_by=next((limit for limit in limits if limit), None),
        limit_tps=limit_tps(build, case),
        reason=_short("; ".join(reason or "it is not known" for reason in reasons)) or None,
    )


def _speed(header: GgufHeader, case: Case, profile: DeviceProfile) -> Speed | str:
    """What the calibration says of this case. Decoding is asked at the middle of the answer, whose time is the mean."""
    from profiler.predicting.speeds import Question, speeds

    workload = case.workload
    question = Question(
        engine=case.engine,
        settings=case.settings,
        depths=[middle(workload)] if workload.output_tokens else [],
        prompts=[workload.prompt_tokens] if workload.prompt_tokens and not workload.depth else [],
    )
    return speeds(header, question, profile, case.target)


def middle(workload: Workload) -> int:
    """Tokens in the cache at the middle of the answer."""
    return workload.depth + workload.prompt_tokens + workload.output_tokens // 2


def _figures(workload: Workload, found: Speed) -> Iterator[tuple[str, Figure]]:
    """Those of this kind of workload, by the name of the measured metric."""
    raw = workload.method == "raw"
    prompt = next((one for one in found.prompts if one.tokens == workload.prompt_tokens), None)
    decode = next((one for one in found.decode if one.depth == middle(workload)), None)
    if workload.prompt_tokens and workload.depth:
        yield "pp_tps" if raw else "prefill_tps", Figure(value=None, unit="tok/s", reason=AT_DEPTH)
    elif prompt is not None:
        yield from (
            [("pp_tps", prompt.prefill_tps)]
            if raw
            else [("ttft_ms", prompt.ttft_ms), ("prefill_tps", prompt.prefill_tps)]
        )
    if decode is not None:
        yield "tg_tps" if raw else "decode_tps", decode.decode_tps


def _recorded(figure: Figure, value: float) -> PredictedFigure:
    return PredictedFigure(value=value, low=figure.low, high=figure.high, level=figure.level)


def limit_tps(build: Build, case: Case) -> float | None:
    """Tokens per second at which weights and KV cache, read once for each, take the whole measured bandwidth."""
    found, kv = measured(), str(case.settings.get("kv") or "f16").upper()
    kind = next((one for one in TENSOR_TYPES.values() if one.name == kv), None)
    weights, elements = build.read_bytes_per_token, build.kv_elements_per_token
    if (
        not case.workload.output_tokens
        or found is None
        or found.bytes_per_s is None
        or kind is None
        or weights is None
        or elements is None
    ):
        return None
    cache = elements * kind.block_bytes / kind.block * middle(case.workload)
    return found.bytes_per_s / (weights + cache) if weights else None


def _short(text: str) -> str:
    return text[:LONGEST_SENTENCE]
