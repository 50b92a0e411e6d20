"""What a row of engine `ort-genai` costs beside the loop that ONNX Runtime GenAI's own documentation shows.

Both run in one process on one loaded model, pass about pass in drawn order, so that nothing else differs.
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

PAIRS = 60
CHAT = parse("chat")
Passed = tuple[float, float]


def compare(folder: Path, threads: int) -> tuple[Ratio, Ratio]:
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
    engine = ort_genai.load(job)
    ids = engine.tokenize(text_of("chat@1").encode())[: CHAT.prompt_tokens]
    return _ratios(lambda: _ours(engine, ids), lambda: _theirs(engine.model, ids))


def _ratios(ours: Any, theirs: Any) -> tuple[Ratio, Ratio]:
    draw = random.Random(1)
    first, decode = [], []
    ours(), theirs()
    for _ in range(PAIRS):
        order = [("ours", ours), ("theirs", theirs)]
        draw.shuffle(order)
        took = {name: one() for name, one in order}
        first.append(math.log(took["ours"][0] / took["theirs"][0]))
        decode.append(math.log(took["ours"][1] / took["theirs"][1]))
    return ratio(first), ratio(decode)


def _ours(engine: Any, ids: list[int]) -> Passed:
    """One pass as the worker makes it."""
    stamps = memoryview(bytearray(8 * (FIRST + CHAT.output_tokens))).cast("q")
    engine.reset()
    text_pass(engine, ids, CHAT.output_tokens, stamps)
    assert stamps[EVALUATED]
    last = stamps[FIRST + CHAT.output_tokens - 1]
    return stamps[FIRST] - stamps[START], last - stamps[FIRST]


def _theirs(model: Any, ids: list[int]) -> Passed:
    """The generation loop of ONNX Runtime GenAI's examples, timed outside it."""
    import onnxruntime_genai as og

    length = CHAT.prompt_tokens + CHAT.output_tokens
    params = og.GeneratorParams(model)
    params.set_search_options(max_length=length, min_length=length, do_sample=False)
    generator = og.Generator(model, params)
    began = time.perf_counter_ns()
    generator.append_tokens(ids)
    generator.generate_next_token()
    first = time.perf_counter_ns()
    while not generator.is_done():
        generator.generate_next_token()
    return first - began, time.perf_counter_ns() - first
