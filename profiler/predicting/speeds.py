"""How fast a build would be on a device, from the best source there is for it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from profiler.builds.gguf import GgufHeader
from profiler.builds.gguf_types import TENSOR_TYPES
from profiler.catalogue.devices import DeviceProfile
from profiler.predicting import calibrated, published
from profiler.predicting.calibration import Calibration
from profiler.predicting.call import call_of
from profiler.predicting.cost_model import LEVEL, WITHIN, seconds_by_term, spread
from profiler.predicting.limiting import limit_of
from profiler.predicting.prediction import DecodeAt, Figure, PromptOf, Speed
from profiler.predicting.published_rows import Target
from profiler.predicting.terms import terms
from profiler.predicting.work import Work, cached_bytes, weights_per_token, work_of
from profiler.runfile import THIS, Settings

TARGETS: tuple[Target, ...] = ("cpu", "gpu", "npu")


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of a build: the speed after each of `depths` tokens, and of prompts of `prompts` tokens."""

    engine: str
    settings: Settings
    depths: Sequence[int]
    prompts: Sequence[int]


def speeds(header: GgufHeader, question: Question, device: DeviceProfile, target: str) -> Speed | str:
    """The speed of a GGUF build, real or sparse, on this target of a device; or the reason why none can be told.

    Raises `UserError` for a calibration that cannot be read.
    """
    work = work_of(header)
    if device.id != THIS:
        return _published(work, question, device, target)
    if target != "cpu":
        return "only the CPU of this machine can be calibrated"
    found = calibrated.usable()
    if isinstance(found, str):
        return found
    why_not = _not_calibrated(question.settings)
    return why_not or _of_calibration(work, question, found)


def _not_calibrated(settings: Settings) -> str | None:
    """Settings that call other kernels than those that were timed."""
    if settings.get("repack") is False:
        return "the calibration knows weights rewritten for this CPU only (repack=on)"
    if settings.get("gpu_layers"):
        return "only the CPU of this machine can be calibrated"
    return None


def _of_calibration(work: Work, question: Question, found: Calibration) -> Speed | str:
    """Each figure or its reason; one reason for all where none is known."""
    decode = [_decode(work, question, found, depth) for depth in question.depths]
    prompts = [_prompt(work, question, found, tokens) for tokens in question.prompts]
    figures = [*(one.decode_tps for one in decode), *(one.prefill_tps for one in prompts)]
    if figures and all(one.value is None for one in figures):
        return next(one.reason for one in figures if one.reason)
    return Speed(decode=decode, prompts=prompts, source=calibrated.named(found))


def _decode(work: Work, question: Question, found: Calibration, depth: int) -> DecodeAt:
    told = _seconds(work, question, found, depth, 0)
    if isinstance(told, str):
        return DecodeAt(depth=depth, decode_tps=_unknown("tok/s", told), limited_by=None)
    limit = limit_of(told, weights_per_token(work), found.bytes_per_s)
    figure = _ranged(1 / sum(told.values()), "tok/s", spread(found, prompt=False))
    return DecodeAt(depth=depth, decode_tps=figure, limited_by=limit)


def _prompt(work: Work, question: Question, found: Calibration, tokens: int) -> PromptOf:
    told = _seconds(work, question, found, 0, tokens)
    if isinstance(told, str):
        return PromptOf(tokens=tokens, prefill_tps=_unknown("tok/s", told), ttft_ms=_unknown("ms", told))
    seconds, off = sum(told.values()), spread(found, prompt=True)
    return PromptOf(
        tokens=tokens,
        prefill_tps=_ranged(tokens / seconds, "tok/s", off),
        ttft_ms=_ranged(seconds * 1000, "ms", off),
    )


def _seconds(
    work: Work, question: Question, found: Calibration, depth: int, tokens: int
) -> dict[str, float] | str:
    settings = question.settings
    call = call_of(settings, depth, tokens)
    return seconds_by_term(found, int(str(settings["threads"])), terms(work, call))


def _unknown(unit: str, reason: str) -> Figure:
    return Figure(value=None, unit=unit, reason=reason)


def _ranged(value: float, unit: str, off: float) -> Figure:
    width = math.exp(WITHIN * off)
    return Figure(value=value, unit=unit, low=value / width, high=value * width, level=LEVEL)


def _published(work: Work, question: Question, device: DeviceProfile, target: str) -> Speed | str:
    """Decoding by sourced figures and published results; prompts are not told by them."""
    kind = _kind(device, target)
    if kind is None:
        return f"published results are of CPUs, GPUs and NPUs, none of {target}"
    decode, sources = [], []
    for depth in question.depths:
        read = weights_per_token(work) + cached_bytes(work, depth, _element_bytes(question.settings))
        found = published.decode_on(device, kind, read)
        if isinstance(found, str):
            return found
        decode.append(DecodeAt(depth=depth, decode_tps=found.tokens_per_s, limited_by=None))
        sources.append(found.source)
    why = published.NO_PROMPTS
    prompts = [
        PromptOf(tokens=one, prefill_tps=_unknown("tok/s", why), ttft_ms=_unknown("ms", why))
        for one in question.prompts
    ]
    return Speed(decode=decode, prompts=prompts, source=sources[0] if sources else "published results")


def _kind(device: DeviceProfile, target: str) -> Target | None:
    own = device.accelerators.get(target)
    word = own.kind if own is not None else target
    return next((kind for kind in TARGETS if kind == word), None)


def _element_bytes(settings: Settings) -> float:
    """Bytes of one element of the KV cache."""
    name = str(settings.get("kv") or "f16").upper()
    kind = next(one for one in TENSOR_TYPES.values() if one.name == name)
    return kind.block_bytes / kind.block
