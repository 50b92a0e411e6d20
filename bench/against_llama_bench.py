"""Are our pp and tg those of llama-bench? Interleaved pairs, with llama-bench against itself as control.

Both sides run two passes in a fresh process, on the same libraries, file, threads and settings; a side's
value is the median of its passes. Each round has llama-bench twice and edgeprof once, in random order.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import subprocess
from collections.abc import Callable
from pathlib import Path
from statistics import median

from bench.demo_models import demo_models
from bench.llama_bench_build import environment, llama_bench
from bench.pairs import Ratio, ratio, undisturbed_round
from profiler.analyse.metrics import PASS_METRICS, judged_metrics
from profiler.builds.identify import identify
from profiler.catalogue.workloads import parse
from profiler.measure.launch import job, run_worker
from profiler.measure.variants import combinations
from profiler.runfile import Case, Workload

TESTS = ("pp512", "tg128", "tg128@d512")
PASSES = 2
"""Few, so that the processes of a round lie close together in time: this machine's speed drifts."""

FEWEST_ROUNDS, MOST_ROUNDS = 25, 60
WITHIN = 0.03
CONTROL_WITHIN = 0.02
"""Rounds are added until llama-bench agrees with itself this closely."""


def theirs(program: Path, model: Path, workload: Workload, threads: int) -> Callable[[], float]:
    """Tokens per second by llama-bench."""
    asked = ["-p", workload.prompt_tokens, "-n", workload.output_tokens, "-d", workload.depth]
    command = [program, "-m", model, *asked, "-t", threads, "-r", PASSES, "-ngl", 0, "-o", "json"]
    tokens = workload.prompt_tokens or workload.output_tokens

    def measure() -> float:
        output = subprocess.run(
            [str(word) for word in command], env=environment(), check=True, capture_output=True
        ).stdout
        samples: list[int] = json.loads(output)[0]["samples_ns"]
        return tokens / median(samples) * 1e9

    return measure


def ours(model: Path, workload: Workload, threads: int) -> Callable[[], float]:
    """Tokens per second by a worker of edgeprof."""
    settings = combinations("llama-cpp", {}, threads)[0]
    (build,) = (found.build for found in identify([str(model)]))
    case = Case(
        id="r1", build="model", engine="llama-cpp", target="cpu", settings=settings, workload=workload
    )
    formula = PASS_METRICS[judged_metrics("raw")[0 if workload.prompt_tokens else 1]]

    def measure() -> float:
        order = job(case, build, model, mode="measure", round_number=0, passes=PASSES, seed=1)
        seen = run_worker(order, workload, 300.0, lambda _pass, _tokens: None)
        assert seen.failure is None, seen.failure
        figures = [formula(done, workload) for done in seen.passes if done.number > 0]
        return median(figure for figure in figures if figure is not None)

    return measure


def compare(name: str, model: Path, threads: int) -> tuple[Ratio, Ratio]:
    """edgeprof over llama-bench, and llama-bench over itself, until the control is narrow enough."""
    workload = parse(name)
    bench = theirs(llama_bench(), model, workload, threads)
    contestants = {"bench": bench, "again": bench, "ours": ours(model, workload, threads)}
    draw = random.Random(name)
    ratios: list[float] = []
    control: list[float] = []
    while len(ratios) < MOST_ROUNDS:
        found = undisturbed_round(contestants, draw)
        ratios.append(math.log(found["ours"] / found["bench"]))
        control.append(math.log(found["again"] / found["bench"]))
        if len(ratios) >= FEWEST_ROUNDS and ratio(control).half_width <= CONTROL_WITHIN:
            break
    return ratio(ratios), ratio(control)


def main() -> None:
    """Print one line for each test."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=demo_models()[1])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("tests", nargs="*", default=TESTS)
    wanted = parser.parse_args()
    print(f"{wanted.model.name}, {wanted.threads} threads; ratio of tokens per second, 95% interval")
    for name in wanted.tests:
        found, control = compare(name, wanted.model, wanted.threads)
        inside = found.low >= 1 - WITHIN and found.high <= 1 + WITHIN
        print(f"{name:12}  edgeprof / llama-bench {found}  {'within' if inside else 'NOT within'} 3%")
        print(f"{'':12}  llama-bench / itself   {control}", flush=True)


if __name__ == "__main__":
    main()
