"""Prediction beside measurement: shapes of the catalogue that no calibration contains, each measured by `edgeprof run`.

A round calibrates this machine and then measures every shape once; the run keeps what that calibration says before it
measures. Errors are medians over rounds, so that a slow minute of the machine is not taken for an error of the model:

    python -m bench.prediction
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
import platformdirs

from bench.shape_files import shape_file
from profiler.cli.ending import as_interrupts

SHAPES = (
    *("smollm2-135m:Q4_K_M", "smollm2-360m:Q8_0", "qwen2.5-0.5b:Q4_K_M", "qwen3-0.6b:Q5_K_M"),
    *("gemma-3-270m:Q8_0", "gemma-3-1b:Q4_0", "llama-3.2-1b:Q4_K_M", "smollm2-1.7b:F16:6"),
    *("llama-3.2-3b:Q4_0:8", "phi-4-mini:Q4_K_M:6", "mistral-7b-v0.3:Q3_K_M:6", "llama-3.1-8b:Q4_K_M:4"),
    *("qwen3-8b:Q6_K:4", "qwen3-30b-a3b:Q4_K_M:4", "gpt-oss-20b:MXFP4_MOE:4", "llama-3.1-70b:Q4_K_M:2"),
)
"""Model, mix and, where the whole model takes long, its number of layers."""

RUNS = (("-w", "chat", "-p", "192", "-n", "32"), ("-w", "tg24@d512"))
DECODE = ("decode_tps", "tg_tps")
BARS = {"decode": (0.05, 0.15), "prompts": (0.08, 0.20)}
"""Largest median and largest error of any that are accepted."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of one shape in one round."""

    shape: str
    workload: str
    metric: str
    predicted: float
    measured: float
    inside: bool

    @property
    def error(self) -> float:
        """predicted / measured - 1 of speeds and times alike: positive if the machine was told faster than it is."""
        ratio = self.predicted / self.measured
        return (1 / ratio if self.metric == "ttft_ms" else ratio) - 1


class Off(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of one shape over all rounds: the median error and the least and largest, and rounds inside."""

    shape: str
    workload: str
    metric: str
    error: float
    least: float
    most: float
    inside: int
    rounds: int


def rows_of(shape: str, folder: Path) -> Iterator[Row]:
    """Write the shape, measure it, and yield what was predicted and measured."""
    model, mix, *layers = shape.split(":")
    path = shape_file(model, mix, folder, int(layers[0]) if layers else None)
    try:
        for options in RUNS:
            run = path.with_suffix(".jsonl")
            run.unlink(missing_ok=True)
            often = ["--processes", "2", "--passes", "3"]
            report = json.loads(
                _edgeprof(folder, "run", str(path), *options, *often, "-o", str(run), "-f", "json")
            )
            for row in report["rows"]:
                yield from _residuals(shape, row)
    finally:
        path.unlink()


def _edgeprof(folder: Path, *words: str) -> bytes:
    """What a command prints. Its calibration is kept in the folder, not in the user's."""
    return subprocess.run(
        [sys.executable, "-m", "profiler", *words],
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"XDG_DATA_HOME": str(folder)},
    ).stdout


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


def over_rounds(rows: Sequence[Row]) -> list[Off]:
    """Each figure of each shape, in the order of the first round."""
    found: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        found.setdefault((row.shape, row.workload, row.metric), []).append(row)
    return [
        Off(
            shape=shape,
            workload=workload,
            metric=metric,
            error=median(one.error for one in of),
            least=min(one.error for one in of),
            most=max(one.error for one in of),
            inside=sum(one.inside for one in of),
            rounds=len(of),
        )
        for (shape, workload, metric), of in found.items()
    ]


def told(found: Sequence[Off]) -> str:
    """The figures as a table, and the median and largest error of decoding and of prompts beside their bars."""
    lines = ["| shape | workload | figure | told too fast by | in single rounds |", "|---|---|---|---|---|"]
    lines += [
        f"| {o.shape} | {o.workload} | {o.metric} | {o.error:+.1%} | {o.least:+.1%} to {o.most:+.1%} |"
        for o in found
    ]
    for what, (middle, most) in BARS.items():
        these = [one for one in found if (one.metric in DECODE) == (what == "decode")]
        errors = [abs(one.error) for one in these]
        lines.append(
            f"\n{what}: median {median(errors):.1%} (bar {middle:.0%}), largest {max(errors):.1%} (bar {most:.0%}); "
            f"{sum(one.inside for one in these)} of {sum(one.rounds for one in these)} single measurements inside "
            "their interval"
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
    parent = platformdirs.user_cache_path("edgeprof")
    parent.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    with as_interrupts(), tempfile.TemporaryDirectory(dir=parent) as place:
        folder = Path(place)
        for number in range(options.rounds):
            _edgeprof(folder, "calibrate")
            for shape in options.shapes:
                found = list(rows_of(shape, folder))
                rows += found
                errors = ", ".join(f"{one.metric} {one.error:+.1%}" for one in found)
                print(f"round {number + 1}, {shape}: {errors}", file=sys.stderr, flush=True)
    print(told(over_rounds(rows)))


if __name__ == "__main__":
    main()
