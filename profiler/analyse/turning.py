"""What would turn a skip: how far it is, whether the device can go there at all, and what would have to change."""

from __future__ import annotations

from profiler.analyse import said
from profiler.analyse.amounts import amount, percent
from profiler.analyse.judged import Judged
from profiler.analyse.limit_metrics import LIMITABLE
from profiler.analyse.report import Report, Row, build_of, workload_of
from profiler.runfile import Device

OF_PROMPT = ("ttft_ms", "ttft_e2e_ms", "first_ttft_ms")
DECODING = ("decode_tps", "tg_tps", "tpot_ms")
OF_MEMORY = ("pss_bytes", "peak_rss_bytes")


def turns(judged: Judged, row: Row, report: Report) -> list[str]:
    """In sentences; the first says how far the figure is from its limit."""
    if not judged.value:
        return []
    if not judged.asked:
        return [f"{judged.metric} must fall to 0"]
    found = [_distance(judged)]
    if judged.metric in DECODING:
        found += _of_bandwidth(judged, row, report)
    if judged.metric.partition(".")[0] in OF_PROMPT:
        found += _of_prompt(judged, row, report)
    if judged.metric in OF_MEMORY:
        found += _of_memory(judged, row, report)
    return found


def _distance(judged: Judged) -> str:
    """Change that brings the farther bound to the limit, or the value where no bound is known."""
    far, asked = _farther(judged), amount(judged.asked, judged.unit)
    verb = "rise" if LIMITABLE[judged.metric].higher_is_better else "fall"
    change = f"{judged.metric} must {verb} by {percent(abs(judged.asked / far - 1))}"
    return f"{change}, to {asked}" if far == judged.value else f"{change} to ship with its whole interval"


def _farther(judged: Judged) -> float:
    """The bound that has to keep the limit; the value where there is none."""
    bound = judged.low if LIMITABLE[judged.metric].higher_is_better else judged.high
    return bound or judged.value or 1.0


def _of_bandwidth(judged: Judged, row: Row, report: Report) -> list[str]:
    """What the memory of the device allows at most. Weights that a cache holds are read faster: then it is no bound."""
    read, used = _value(row, "read_bytes_per_token"), _value(row, "bandwidth_share")
    bandwidth = report.device.memory_bandwidth_bytes_per_s
    if not read or not bandwidth or used is None or used >= 1:
        return []
    asked = 1000 / judged.asked if judged.unit == "ms" else judged.asked
    most = bandwidth / read
    allows = (
        f"{_named(bandwidth, report.device)} allow at most {amount(most, 'tok/s')} "
        f"where a token reads {amount(read, 'B')}"
    )
    if most >= asked:
        return [f"{allows}; {percent(used)} of that is reached, so other settings or another engine may do"]
    build = build_of(report, row)
    if build.read_bytes_per_token and bandwidth / build.read_bytes_per_token >= asked:
        kv = amount(read - build.read_bytes_per_token, "B")
        return [f"{allows}, {kv} of it the KV cache: a smaller type of it or a shorter context may do"]
    return [
        f"no setting of this build can reach it: {allows}; {_fewer_bits(bandwidth / asked, read, row, report)}"
    ]


def _named(bandwidth: float, device: Device) -> str:
    basis = f" ({device.bandwidth_source})" if device.bandwidth_source else ""
    return f"{bandwidth / 1e9:.3g} GB/s{basis}"


def _fewer_bits(allowed: float, read: float, row: Row, report: Report) -> str:
    """The bytes that a token may read, and how many bits that leaves for each weight beside the KV cache."""
    needed = f"a build that reads at most {amount(allowed, 'B')} for a token could"
    build, bits = build_of(report, row), _value(row, "bits_read_per_weight")
    if not build.read_bytes_per_token or not bits:
        return needed
    left = allowed - (read - build.read_bytes_per_token)
    if left <= 0:
        return "the KV cache alone reads more than that leaves: a shorter context is needed too"
    fewer = bits * left / build.read_bytes_per_token
    return f"{needed}, which is {fewer:.2g} bits per weight instead of {bits:.3g}, or a smaller model"


def _of_prompt(judged: Judged, row: Row, report: Report) -> list[str]:
    asked = workload_of(report, row).prompt_tokens
    tokens = int(asked * judged.asked / _farther(judged))
    if tokens < 1:
        return []
    return [f"a prompt of about {tokens} tokens instead of {asked} would do, if time goes with length"]


def _of_memory(judged: Judged, row: Row, report: Report) -> list[str]:
    """A shorter context where the KV cache holds what is too much, else fewer bytes of weights."""
    over = (judged.value or 0.0) - judged.asked
    kv, weights = _value(row, "kv_bytes"), _value(row, "weights_bytes")
    context = said.number(row.conditions, "context")
    asked = workload_of(report, row)
    needed = asked.depth + asked.prompt_tokens + asked.output_tokens
    fewer = int(context * (1 - over / kv)) if kv and context else 0
    if kv and context and fewer >= max(1, needed):
        return [
            f"a context of {fewer} tokens instead of {context:.0f} would do: its KV cache takes {amount(kv, 'B')}"
        ]
    if weights and over < weights:
        return [f"weights of {amount(weights - over, 'B')} instead of {amount(weights, 'B')} would do"]
    return []


def _value(row: Row, metric: str) -> float | None:
    figure = row.metrics.get(metric)
    return figure.value if figure else None
