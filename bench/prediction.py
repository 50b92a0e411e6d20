"""Prediction beside measurement: shapes of the catalogue that no calibration contains, each measured by `edgeprof run`.

The run keeps what the calibration of this machine says before it measures. Calibrate first, on a quiet machine:

    edgeprof calibrate && python -m bench.prediction
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
import platformdirs

from profiler.builds.shapes.planning import of_catalogue
from profiler.builds.shapes.write import write_random
from profiler.catalogue.models import load_model
from profiler.predicting import calibrated

SHAPES = (
    *("smollm2-135m:Q4_K_M", "smollm2-360m:Q8_0", "qwen2.5-0.5b:Q4_K_M", "qwen3-0.6b:Q5_K_M"),
    *("gemma-3-270m:Q8_0", "gemma-3-1b:Q4_0", "llama-3.2-1b:Q4_K_M", "smollm2-1.7b:F16:6"),
    *("llama-3.2-3b:Q4_0:8", "phi-4-mini:Q4_K_M:6", "mistral-7b-v0.3:Q3_K_M:6", "llama-3.1-8b:Q4_K_M:4"),
    *("qwen3-8b:Q6_K:4", "qwen3-30b-a3b:Q4_K_M:4", "gpt-oss-20b:MXFP4_MOE:4", "llama-3.1-70b:Q4_K_M:2"),
)
"""Model, mix and, where the whole model takes long, its number of layers."""

RUNS = (("-w", "chat", "-p", "256", "-n", "24"), ("-w", "pp512", "-w", "tg16@d1024"))
DECODE = ("decode_tps", "tg_tps")
BARS = {"decode": (0.05, 0.15), "prompts": (0.08, 0.20)}
"""Largest median and largest error of any that are accepted."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of one shape. `error` is predicted / measured - 1."""

    shape: str
    workload: str
    metric: str
    predicted: float
    measured: float
    inside: bool

    @property
    def error(self) -> float:
        """Speeds and times alike: positive if the machine was told faster than it is."""
        ratio = self.predicted / self.measured
        return (1 / ratio if self.metric == "ttft_ms" else ratio) - 1


def rows_of(shape: str, folder: Path, rounds: int) -> Iterator[Row]:
    """Write the shape, measure it, and yield what was predicted and measured."""
    model, mix, *layers = shape.split(":")
    file = of_catalogue(load_model(model).shape, model, mix, int(layers[0]) if layers else None, None)
    path = folder / f"{model}-{mix}.gguf"
    write_random(path, file.metadata, file.tensors, file.known, lambda _what, _done, _all: None)
    try:
        for options in RUNS:
            for row in _report(path, options, rounds)["rows"]:
                yield from _residuals(shape, row)
    finally:
        path.unlink()


def _report(path: Path, options: Sequence[str], rounds: int) -> dict[str, Any]:
    run = path.with_suffix(".jsonl")
    run.unlink(missing_ok=True)
    often = f"--processes {rounds} --passes 2".split()
    words = ["run", str(path), *options, *often, "-o", str(run), "-f", "json"]
    done = subprocess.run(
        [sys.executable, "-m", "profiler", *words],
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def _residuals(shape: str, row: dict[str, Any]) -> Iterator[Row]:
    for metric, one in (row["prediction"] or {"residuals": {}})["residuals"].items():
        if one["measured"] is not None:
            yield Row(
                shape=shape,
                workload=row["workload"],
                metric=metric,
                predicted=one["predicted"],
                measured=one["measured"],
                inside=one["inside"],
            )


def told(rows: Sequence[Row]) -> str:
    """The rows as a table, and the median and largest error of decoding and of prompts beside their bars."""
    lines = ["| shape | workload | figure | predicted | measured | off |", "|---|---|---|---|---|---|"]
    lines += [
        f"| {r.shape} | {r.workload} | {r.metric} | {r.predicted:.4g} | {r.measured:.4g} | {r.error:+.1%} |"
        for r in rows
    ]
    for what, (middle, most) in BARS.items():
        errors = [abs(r.error) for r in rows if (r.metric in DECODE) == (what == "decode")]
        inside = [r.inside for r in rows if (r.metric in DECODE) == (what == "decode")]
        lines.append(
            f"\n{what}: median {median(errors):.1%} (bar {middle:.0%}), largest {max(errors):.1%} (bar {most:.0%}), "
            f"{sum(inside)} of {len(inside)} inside their interval"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure all shapes, or those that are named."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("shapes", nargs="*", default=SHAPES, metavar="MODEL:MIX[:LAYERS]")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    found = calibrated.usable()
    if isinstance(found, str):
        sys.exit(found)
    parent = platformdirs.user_cache_path("edgeprof")
    parent.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        for shape in options.shapes:
            rows += list(rows_of(shape, Path(folder), options.rounds))
            print(
                f"{shape}: {', '.join(f'{r.metric} {r.error:+.1%}' for r in rows if r.shape == shape)}",
                file=sys.stderr,
            )
    print(told(rows))


if __name__ == "__main__":
    main()
