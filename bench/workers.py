"""Workers of edgeprof as contestants: each call is one fresh process, and gives its figures."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median

from bench.pairs import Ratio, ratio, undisturbed_round
from profiler.analyse.metrics import PASS_METRICS, judged_metrics
from profiler.builds.identify import identify
from profiler.measure.launch import job, run_worker
from profiler.measure.variants import combinations
from profiler.runfile import Case, Workload

PASSES = 3
Figures = dict[str, float]


def worker(
    path: Path,
    engine: str,
    workload: Workload,
    threads: int,
    wanted: Mapping[str, Sequence[str]] | None = None,
) -> Callable[[], Figures]:
    """The headline figures of one worker with the `wanted` settings: medians over its passes."""
    (found,) = identify([str(path)])
    build = found.build
    settings = combinations(engine, wanted or {}, threads)[0]
    case = Case(id="r1", build=build.id, engine=engine, target="cpu", settings=settings, workload=workload)
    formulas = {metric.name: PASS_METRICS[metric] for metric in judged_metrics(workload.method)}

    def measure() -> Figures:
        order = job(case, build, path, mode="measure", round_number=0, passes=PASSES, seed=1)
        seen = run_worker(order, workload, 300.0, lambda _pass, _tokens: None)
        assert seen.failure is None, seen.failure
        done = [one for one in seen.passes if one.number > 0]
        values = {name: [formula(one, workload) for one in done] for name, formula in formulas.items()}
        known = {name: [v for v in found if v is not None] for name, found in values.items()}
        return {name: median(found) for name, found in known.items() if found}

    return measure


def rounds(
    contestants: Mapping[str, Callable[[], Figures]], count: int, seed: str
) -> list[dict[str, Figures]]:
    """`count` undisturbed rounds of all contestants."""
    draw = random.Random(seed)
    return [undisturbed_round(contestants, draw) for _ in range(count)]


def ratio_of(found: list[dict[str, Figures]], metric: str, candidate: str, base: str) -> Ratio:
    """Candidate over base on one metric, paired inside rounds."""
    return ratio([math.log(one[candidate][metric] / one[base][metric]) for one in found])
