"""What edgeprof itself costs: stamps, start-up, memory, a large report."""

from __future__ import annotations

import math
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

from bench.demo_models import demo_models
from bench.many_cases import write_run
from bench.pairs import Ratio, ratio
from profiler import runfile
from profiler.catalogue.workloads import parse, text_of
from profiler.engines import llama_cpp
from profiler.measure.variants import combinations
from profiler.measure.worker import FIRST
from profiler.render.format import size

PAIRS, BLOCK, PER_PROMPT = 600, 16, 6
STARTS = 15


def stamping(model: Path, threads: int) -> Ratio:
    """Decode time with stamps over decode time without: blocks of 16 tokens, alternating in one process.

    The two blocks of a pair follow each other in random order. The depth goes back to 128 every 6 pairs.
    """
    llama_cpp.import_library()
    workload = {"prompt_tokens": 128, "output_tokens": 2 * BLOCK * PER_PROMPT, "depth": 0}
    settings = combinations("llama-cpp", {}, threads)[0]
    engine = llama_cpp.load({"path": str(model), "settings": settings, "workload": workload})
    ids = engine.tokenize(text_of("chat@1").encode())[:128]
    stamps = memoryview(bytearray(8 * (FIRST + BLOCK))).cast("q")
    draw, logs = random.Random(1), []
    for pair in range(PAIRS):
        if pair % PER_PROMPT == 0:
            engine.reset()
            engine.prefill(ids)
            engine.next_token()
        blocks = [("with", lambda: _stamped(engine, stamps)), ("without", lambda: _bare(engine))]
        draw.shuffle(blocks)
        took = {name: _timed(block) for name, block in blocks}
        logs.append(math.log(took["with"] / took["without"]))
    return ratio(logs)


def _stamped(engine: llama_cpp.LlamaCpp, stamps: memoryview) -> None:
    clock, next_token = engine.clock, engine.next_token
    output = [0] * BLOCK
    for k in range(BLOCK):
        output[k] = next_token()
        stamps[FIRST + k] = clock()


def _bare(engine: llama_cpp.LlamaCpp) -> None:
    next_token = engine.next_token
    output = [0] * BLOCK
    for k in range(BLOCK):
        output[k] = next_token()


def _timed(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def command_s(*words: str) -> float:
    """Median wall seconds of a command."""
    command = [sys.executable, *words]
    return median(
        _timed(lambda: subprocess.run(command, check=True, capture_output=True)) for _ in range(STARTS)
    )


def large_report(count: int) -> dict[str, float]:
    """Seconds of `edgeprof report` in each format on a run of `count` cases, reading included."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.jsonl"
        write_run(path, count)
        took = {}
        for name in ("terminal", "markdown", "csv", "json", "html"):
            command = [sys.executable, "-m", "profiler", "report", str(path), "-f", name]
            took[name] = _timed(partial(subprocess.run, command, check=True, capture_output=True))
        return took


def memory(model: Path) -> dict[str, float]:
    """Bytes: the worker before the model, what it does not explain, and the parent at its peak."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.jsonl"
        command = [sys.executable, "-m", "profiler", "run", str(model), "--processes", "2", "-o", str(path)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        parent = _peak_until_it_ends(process)
        worker = runfile.read(path).workers[-1]
    phases = {phase.name: phase.memory for phase in worker.phases}
    facts = worker.facts or {}
    model_bytes = sum(facts[name] for name in ("weights_bytes", "kv_bytes", "compute_bytes"))
    peak = max(phase.peak_rss_bytes or 0 for phase in phases.values())
    return {
        "worker before the model (PSS)": phases["before_load"].pss_bytes or 0,
        "worker at its peak (RSS)": peak,
        "the same, weights, KV and compute buffers subtracted": peak - model_bytes,
        "parent at its peak (RSS)": parent,
    }


def _peak_until_it_ends(process: subprocess.Popen[bytes]) -> int:
    peak = 0
    status = Path(f"/proc/{process.pid}/status")
    while process.poll() is None:
        lines = status.read_text().splitlines() if status.exists() else []
        peak = max([peak, *(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))])
        time.sleep(0.1)
    return peak


def main() -> None:
    """Print every cost."""
    models = demo_models()
    print(f"bare interpreter: {command_s('-c', 'pass'):.3f} s")
    for word in ("--help", "devices", "models"):
        print(f"edgeprof {word}: {command_s('-m', 'profiler', word):.3f} s")
    for name, seconds in large_report(1000).items():
        print(f"report of 1,000 cases as {name}: {seconds:.2f} s")
    for name, count in memory(models[1]).items():
        print(f"{name}: {size(count)}")
    print(
        f"decode time with stamps / without, {parse('chat').id} on {models[1].name}: {stamping(models[1], 2)}"
    )


if __name__ == "__main__":
    main()
