"""Each field of ONNX Runtime GenAI's benchmark: what becomes of it here, or why it is refused.

Source: microsoft/onnxruntime-genai, benchmark/python/benchmark_e2e.py and metrics.py, read as of version 0.6 and 2026.
From 0.6 on a repetition is `append_tokens`, one `generate_next_token` called sampling, and the others called token
generation. All are means over the repetitions of one process; latencies of the prompt are divided by its length,
though their name does not say so.
"""

from __future__ import annotations

from profiler.runfile.imported import Refused

FIRST_VERSION = (0, 6)
"""Before it a forward pass and its sampling were timed apart, under the same names."""

TAKEN = {
    "ttft_ms": "prompt_processing_latency_ms * prompt_length + sampling_latency_ms: from just before append_tokens to "
    "when the first generate_next_token is back; tokenization is out, as in ours",
    "tpot_ms": "token_generation_latency_ms: mean time of the calls after the first, which is (tn - t1) / (n - 1)",
    "decode_tps": "token_generation_throughput_tps: 1000 / tpot_ms",
    "prefill_tps": "prompt_processing_throughput_tps: P over the time of append_tokens",
}
"""Our metric, and what it is made of."""

_TEXT = "the text that is tokenized is not always the prompt that is evaluated"
_WALL = "it begins before tokenization, makes the generator anew, and counts the prompt as generated"

REASONS = {
    "tokenization_latency_ms": _TEXT,
    "tokenization_throughput_tps": _TEXT,
    "sampling_throughput_tps": "it is of the first token alone, whose time is part of TTFT",
    "wall_clock_time_s": _WALL,
    "wall_clock_throughput_tps": _WALL,
    "peak_cpu_memory_gb": "it is what the whole machine used, not the process",
    "peak_gpu_memory_gb": "it is the largest use of any GPU by all processes, not that of the process",
    "latency_ms_mean": "the benchmark never fills it in",
    "throughput_qps": "the benchmark never fills it in",
    "max_memory_usage_GB": "the benchmark never fills it in",
}
USED = {
    "prompt_processing_latency_ms",
    "prompt_processing_throughput_tps",
    "token_generation_latency_ms",
    "token_generation_throughput_tps",
    "sampling_latency_ms",
}

RUNS = Refused(
    what="warmup_runs, measured_runs",
    reason="the benchmark writes 1 and 10 whatever was run, so how many repetitions a mean is of is not known",
)
PRECISION = Refused(
    what="precision fp16",
    reason="it is what the benchmark writes where nobody said it; nothing is read from the model",
)
BATCH = Refused(
    what="rows with a batch size above 1",
    reason="their rates are of several sequences at once, and every figure here is of one",
)
SHORT = Refused(what="rows with one generated token", reason="there is no time between tokens in them")


def refused_metric(field: str) -> Refused:
    """Why this field of `metrics` is not taken over."""
    return Refused(what=field, reason=REASONS.get(field, "this version does not know its definition"))
