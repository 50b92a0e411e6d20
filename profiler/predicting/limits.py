"""Limits of a use held against what is predicted: the words of a verdict, on figures that nobody measured."""

from __future__ import annotations

from collections.abc import Sequence

from profiler.analyse.judged import Bounds, Word, word_of
from profiler.analyse.limit_metrics import LIMITABLE
from profiler.analyse.limit_uses import limits_for, named
from profiler.analyse.shipping import overall
from profiler.builds.gguf import GgufHeader
from profiler.catalogue import workloads
from profiler.documents.limits import Limit, Limits
from profiler.errors import UserError
from profiler.predicting.asked import Asked
from profiler.predicting.prediction import Figure, Limited, Prediction, Speed, Verdict
from profiler.predicting.speeds import Question, speeds
from profiler.runfile import Workload

USUAL_WORKLOAD = "chat"
OF_PROMPT = {"ttft_ms": "ttft_ms", "prefill_tps": "prefill_tps", "pp_tps": "prefill_tps"}
OF_DECODING = ("decode_tps", "tg_tps")
OF_MEMORY = {
    "pss_bytes": "total_bytes",
    "peak_rss_bytes": "total_bytes",
    "weights_bytes": "weights_bytes",
    "kv_bytes": "kv_bytes",
}
"""Metrics that are predicted, and the field that predicts them."""

PERCENTILE = "; what a percentile adds to one run is not predicted"


def verdicts_of(
    header: GgufHeader | None, one: Prediction, asked: Asked, otherwise: Speed | str
) -> list[Verdict]:
    """A verdict for each workload that the limits speak of on this device; none without limits.

    `otherwise` is the reason where there is no speed. Raises `UserError` for limits that speak of no workload here.
    """
    if asked.limits is None:
        return []
    found = []
    for workload in workloads_of(asked.limits, asked.device.id):
        speed = (
            otherwise
            if header is None or isinstance(otherwise, str)
            else _speed(header, one, asked, workload)
        )
        found.append(_verdict(one, asked.limits, workload, speed))
    return found


def workloads_of(limits: Limits, device: str) -> list[Workload]:
    """The workloads that limits on this device name, or the usual one. Raises `UserError` where there are none."""
    uses = [use for use in limits.uses if use.device in (None, device)]
    if not uses:
        raise UserError(
            f"{limits.name} has no limits for device {device}, only for {named(limits)}: choose another with --device"
        )
    return [workloads.parse(word) for word in dict.fromkeys(use.workload or USUAL_WORKLOAD for use in uses)]


def _verdict(one: Prediction, limits: Limits, workload: Workload, speed: Speed | str) -> Verdict:
    found = [_limited(limit, one, speed) for limit in limits_for(workload.id, one.device, limits)]
    words = [Word.SKIP] if one.fit.word == "does_not_fit" else [Word(each.word) for each in found]
    return Verdict(limits=limits.name, workload=workload.id, word=overall(words).value, judged=found)


def _speed(header: GgufHeader, one: Prediction, asked: Asked, workload: Workload) -> Speed | str:
    """At the middle of the workload's answer, whose time is the mean of all its tokens."""
    whole = workload.depth + workload.prompt_tokens + workload.output_tokens
    if whole > one.context:
        return f"{workload.id} takes {whole} tokens, more than this context"
    middle = whole - workload.output_tokens + workload.output_tokens // 2
    question = Question(
        engine=one.engine, settings=one.settings, depths=[middle], prompts=[max(workload.prompt_tokens, 1)]
    )
    return speeds(header, question, asked.device, asked.target)


def _limited(limit: Limit, one: Prediction, speed: Speed | str) -> Limited:
    figure = _figure(limit.metric, one, speed)
    reason = figure.reason or "the predicted range"
    bounds = Bounds(figure.low, figure.high, reason)
    word = Word.UNDECIDED if figure.value is None else word_of(limit, bounds)
    return Limited(
        limit=limit.text,
        metric=limit.metric,
        asked=limit.value,
        word=word.value,
        value=figure.value,
        low=figure.low,
        high=figure.high,
        unit=LIMITABLE[limit.metric].unit,
        reason=reason + (PERCENTILE if ".p" in limit.metric and figure.value is not None else ""),
    )


def _figure(metric: str, one: Prediction, speed: Speed | str) -> Figure:
    name = metric.partition(".")[0]
    if name in OF_MEMORY:
        return _of_memory(OF_MEMORY[name], one)
    if name not in OF_PROMPT and name not in OF_DECODING:
        return Figure(value=None, unit="", reason=f"{metric} is not predicted")
    if isinstance(speed, str):
        return Figure(value=None, unit="", reason=speed)
    if name in OF_PROMPT:
        return _first([getattr(found, OF_PROMPT[name]) for found in speed.prompts])
    return _first([found.decode_tps for found in speed.decode])


def _first(found: Sequence[Figure]) -> Figure:
    return found[0] if found else Figure(value=None, unit="", reason="it is not predicted")


def _of_memory(field: str, one: Prediction) -> Figure:
    """A figure of memory has no range; of a lower bound the upper end is open."""
    if one.memory is None:
        return Figure(value=None, unit="B", reason=one.fit.room)
    value = float(getattr(one.memory, field))
    open_above = one.memory.lower_bound and field == "total_bytes"
    reason = "the least it can be" if open_above else "the engine's own figures, no range"
    return Figure(value=value, unit="B", low=value, high=None if open_above else value, reason=reason)


def order_of(one: Prediction) -> int:
    """Where a prediction stands by its verdicts: what ships first, what is to skip last."""
    words = {verdict.word for verdict in one.verdicts}
    return 2 if "skip" in words else 1 if "undecided" in words else 0
