"""What a row of engine `ort-genai` costs beside the loop that ONNX Runtime GenAI's own documentation shows.

Both run in one process on one loaded model, in drawn order. Each pair loads it anew: where in memory a generator's
cache lies moves decode speed by 2%, and must not fall on one side alone.
"""

from __future__ import annotations

import math
import os
import random
import time
from pathlib import Path
from typing import Any

from bench.pairs import Ratio, ratio
from profiler.builds.identify import identify
from profiler.catalogue.workloads import parse, text_of
from profiler.measure.variants import combinations
from profiler.measure.worker import EVALUATED, FIRST, START, text_pass

PAIRS = 250
CHAT = parse("chat", output=32)
Passed = tuple[float, float]


def compare(folder: Path, threads: int, count: int) -> tuple[Ratio, Ratio]:
    """Time to first token and time of decoding, ours over theirs, on the same model."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    from profiler.engines import ort_genai

    ort_genai.import_library()
    (found,) = identify([str(folder)])
    settings = combinations("ort-genai", {}, threads)[0]
    workload = {"prompt_tokens": CHAT.prompt_tokens, "output_tokens": CHAT.output_tokens, "depth": 0}
    job = {
        "path": str(folder),
        "settings": settings,
        "workload": workload,
        "build": {"graph": found.build.graph},
    }
    draw = random.Random(1)
    pairs = [_pair(ort_genai.load(job), draw) for _ in range(count)]
    return ratio([first for first, _ in pairs]), ratio([decode for _, decode in pairs])


def _pair(engine: Any, draw: random.Random) -> tuple[float, float]:
    """Logs of the ratios of both times, after a pass that warms the weights up."""
    ids = engine.tokenize(text_of("chat@1").encode())[: CHAT.prompt_tokens]
    _ours(engine, ids)
    order = [_ours, _theirs]
    draw.shuffle(order)
    took = {one: one(engine, ids) for one in order}
    ours, theirs = took[_ours], took[_theirs]
    engine.close()
    return math.log(ours[0] / theirs[0]), math.log(ours[1] / theirs[1])


def _ours(engine: Any, ids: list[int]) -> Passed:
    """One pass as the worker makes it."""
    stamps = memoryview(bytearray(8 * (FIRST + CHAT.output_tokens))).cast("q")
    engine.reset()
    text_pass(engine, ids, CHAT.output_tokens, stamps)
    assert stamps[EVALUATED]
    last = stamps[FIRST + CHAT.output_tokens - 1]
    return stamps[FIRST] - stamps[START], last - stamps[FIRST]


def _theirs(engine: Any, ids: list[int]) -> Passed:
    """The generation loop of ONNX Runtime GenAI's documentation without its printing, timed outside it."""
    import onnxruntime_genai as og

    length = CHAT.prompt_tokens + CHAT.output_tokens
    params = og.GeneratorParams(engine.model)
    params.set_search_options(max_length=length, min_length=length, do_sample=False)
    generator = og.Generator(engine.model, params)
    began = time.perf_counter_ns()
    generator.append_tokens(ids)
    generator.generate_next_token()
    assert generator.get_next_tokens()[0] >= 0
    first = time.perf_counter_ns()
    while not generator.is_done():
        generator.generate_next_token()
        assert generator.get_next_tokens()[0] >= 0
    return first - began, time.perf_counter_ns() - first
