"""Does a model extrapolated from shapes of few layers come out as its full shape does, measured in the same rounds?

Full shape and truncated ones have random weights and are measured interleaved in one run. What is printed is the ratio
of extrapolated to full, formed inside rounds, without the allowance that reports add: it is what the allowance is held
against.

    python -m bench.extrapolation llama-3.2-1b --quant Q8_0 --layers 4,8
"""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec
import platformdirs

from bench.shape_files import shape_file
from profiler import runfile
from profiler.analyse.comparison import log_ratios
from profiler.analyse.extrapolated_lines import allowance
from profiler.analyse.metrics import METRICS, judged_metrics
from profiler.analyse.statistics import interval
from profiler.analyse.study import Study
from profiler.cli.ending import as_interrupts
from profiler.runfile import Case

WORKLOADS = ("pp256", "tg32")

BAR = 0.05
"""An extrapolated speed is to be within this share of the measured one, or within the interval of the measurement."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """Extrapolated over full for one metric of one workload; bounds are None where rounds are too few."""

    workload: str
    metric: str
    ratio: float
    low: float | None
    high: float | None
    rounds: int

    @property
    def passes(self) -> bool:
        """Whether it is within the bar, or the interval holds 1."""
        holds = self.low is not None and self.high is not None and self.low <= 1 <= self.high
        return holds or abs(self.ratio - 1) <= BAR


def ratios(run: runfile.Run) -> list[Found]:
    """Of every extrapolated case the judged metrics, against the ordinary case that was asked the same."""
    study = Study(run)
    found = []
    for case in study.measured():
        full = next((other for other in study.measured() if _same(case, other)), None)
        if case.id in study.extrapolated and full is not None:
            found += [_of(study, case, full, metric.name) for metric in judged_metrics(case.workload.method)]
    return [one for one in found if one is not None]


def _same(case: Case, other: Case) -> bool:
    return case is not other and (case.workload, case.settings) == (other.workload, other.settings)


def _of(study: Study, case: Case, full: Case, name: str) -> Found | None:
    logs = log_ratios(study.logs(METRICS[name], full), study.logs(METRICS[name], case))
    if not logs:
        return None
    bounds = interval(logs, study.level)
    return Found(
        workload=case.workload.id,
        metric=name,
        ratio=math.exp(bounds.centre if bounds else logs[0]),
        low=math.exp(bounds.low) if bounds else None,
        high=math.exp(bounds.high) if bounds else None,
        rounds=len(logs),
    )


def measured(asked: argparse.Namespace, folder: Path) -> runfile.Run:
    """The run of the full shape and of those it is extrapolated from."""
    full, path = shape_file(asked.model, asked.quant, folder), folder / "run.jsonl"
    words = [asked.model, str(full), "--as-shape", "--quant", asked.quant, "-o", str(path)]
    words += ["--layers", asked.layers] if asked.layers else []
    words += ["--experts", str(asked.experts)] if asked.experts else []
    words += ["--force"] if asked.force else []
    words += ["--processes", str(asked.rounds)]
    words += [part for word in asked.workload or WORKLOADS for part in ("-w", word)]
    subprocess.run(
        [sys.executable, "-m", "profiler", "run", *words, "-f", "csv"], check=True, stdout=subprocess.DEVNULL
    )
    return runfile.read(path)


def main(words: Sequence[str] | None = None) -> int:
    """Measures, prints a line for each metric, and returns 1 if one is beyond the bar."""
    asked = _parser().parse_args(words)
    place = platformdirs.user_cache_path("edgeprof")
    place.mkdir(parents=True, exist_ok=True)
    with as_interrupts(), tempfile.TemporaryDirectory(prefix="bench-", dir=place) as folder:
        run = measured(asked, Path(folder))
    (whole,) = run.header.plan.extrapolations
    shapes = ", ".join(str(shape.layers) for shape in whole.shapes)
    thin = f", {whole.experts} experts" if whole.experts is not None else ""
    print(f"{whole.full.name}: {shapes} of {whole.layers} layers{thin}; {run.header.device.cpu}")
    found = ratios(run)
    for one in found:
        spread = "" if one.low is None or one.high is None else f", {one.low:.3f} to {one.high:.3f}"
        word = "within" if one.passes else "BEYOND"
        print(
            f"{one.workload} {one.metric}: extrapolated / full {one.ratio:.3f}{spread}, {one.rounds} rounds: "
            f"{word} {BAR:.0%} or its interval"
        )
    fewer = whole.experts is not None
    allowed = {allowance(METRICS[one.metric], fewer_experts=fewer) for one in found}
    print(f"reports allow for {' and '.join(f'{share:.0%}' for share in sorted(allowed))}")
    return 0 if found and all(one.passes for one in found) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", help="id of a model of the catalogue whose full shape fits into memory")
    parser.add_argument("--quant", default="Q4_K_M")
    parser.add_argument("--layers", help="layers of the shapes, such as 4,8")
    parser.add_argument("--experts", type=int, help="experts of the shapes, fewer than the model's")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--workload", action="append", help="such as pp256; repeatable")
    parser.add_argument("--force", action="store_true", help="although the shapes are near the cache")
    return parser


if __name__ == "__main__":
    sys.exit(main())
