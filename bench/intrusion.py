"""Does edgeprof's headline stand while hogs disturb it, and are all passes marked that they disturbed?

Pairs: edgeprof and `llama-bench -r 5` each once on the quiet machine and once under the trace of hogs, in an order
drawn anew. The machine drifts, so one quiet run against one traced run would show nothing: ratios are formed inside
pairs. Both tools meet the same part of the trace, and the pairs together meet all of it.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean

import msgspec

from bench.demo_models import demo_models
from bench.hogs import TRACE, playing, read_log, read_trace
from bench.llama_bench_build import environment, llama_bench
from bench.pairs import MOST_FOREIGN, Ratio, ratio, watched
from bench.truth import Truth, truths
from profiler import runfile
from profiler.analyse.report import report
from profiler.host.counters import wait_until_quiet

PAIRS = 10
PROCESSES, REPETITIONS = 6, 5
TOKENS = 128
WITHIN = 0.02
MOST_TRIES = 3


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens per second as a tool prints them, and how far it says they may be off: a standard deviation of
    repetitions (llama-bench), half the width of an interval (edgeprof); of edgeprof its passes as well."""

    tokens_per_s: float
    spread: float
    passes: list[Truth] = []


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """One tool, quiet and under the trace."""

    quiet: Figure
    traced: Figure

    @property
    def log_ratio(self) -> float:
        """The log of traced over quiet."""
        return math.log(self.traced.tokens_per_s / self.quiet.tokens_per_s)


Tool = Callable[[float | None], Figure]
"""Measures under the trace from a second on, or, given None, on the quiet machine."""


def edgeprof(model: Path, threads: int, trace: Path) -> Tool:
    """A run of six processes, in the way of `-w tg128`, its figure as the report has it."""
    words = [str(model), "-w", f"tg{TOKENS}", "-t", str(threads), "--processes", str(PROCESSES)]

    def measure(offset_s: float | None) -> Figure:
        with tempfile.TemporaryDirectory() as folder:
            path, log = Path(folder) / "run.jsonl", Path(folder) / "hogs.jsonl"
            command = [sys.executable, "-m", "profiler", "run", *words, "-o", str(path)]
            _run(command, dict(os.environ), offset_s, trace, log)
            run, slices = runfile.read(path), read_log(log)
        found = report(run).rows[0].metrics["tg_tps"]
        assert found.value, found.reason
        spread = ((found.high or math.inf) - (found.low or 0)) / 2
        return Figure(tokens_per_s=found.value, spread=spread, passes=truths(run, slices))

    return measure


def theirs(model: Path, threads: int, trace: Path) -> Tool:
    """`llama-bench -r 5`: mean and standard deviation as it prints them."""
    asked = ["-p", 0, "-n", TOKENS, "-t", threads, "-r", REPETITIONS, "-ngl", 0, "-o", "json"]
    command = [str(word) for word in (llama_bench(), "-m", model, *asked)]

    def measure(offset_s: float | None) -> Figure:
        with tempfile.TemporaryDirectory() as folder:
            log = Path(folder) / "hogs.jsonl"
            output = _run(command, environment(), offset_s, trace, log)
        found = json.loads(output)[0]
        return Figure(tokens_per_s=found["avg_ts"], spread=found["stddev_ts"])

    return measure


def _run(
    command: Sequence[str], env: Mapping[str, str], offset_s: float | None, trace: Path, log: Path
) -> bytes:
    """What a command prints, run from a quiet moment on. The hogs begin with it; a run that is to be quiet is made
    again while others disturb it."""

    def output() -> bytes:
        return subprocess.run(command, env=env, check=True, capture_output=True).stdout

    for _ in range(MOST_TRIES):
        wait_until_quiet()
        if offset_s is not None:
            with playing(trace, log, offset_s):
                return output()
        printed, share = watched(output)
        if share is None or share <= MOST_FOREIGN:
            return printed
    print(
        f"others disturbed a quiet run {MOST_TRIES} times ({share:.0%}): it counts nevertheless",
        file=sys.stderr,
    )
    return printed


def pair(tool: Tool, offset_s: float, draw: random.Random) -> Pair:
    """Quiet and traced, next to each other in time, in drawn order."""
    moments = [None, offset_s]
    draw.shuffle(moments)
    found = {moment: tool(moment) for moment in moments}
    return Pair(quiet=found[None], traced=found[offset_s])


def measure(tools: dict[str, Tool], pairs: int, period_s: float) -> dict[str, list[Pair]]:
    """All pairs. Each begins at another second of the trace, spread evenly over its period."""
    draw, names = random.Random(1), list(tools)
    found: dict[str, list[Pair]] = {name: [] for name in tools}
    for number in range(pairs):
        draw.shuffle(names)
        for name in names:
            one = pair(tools[name], period_s * number / pairs, draw)
            found[name].append(one)
            quiet, traced = one.quiet.tokens_per_s, one.traced.tokens_per_s
            print(
                f"pair {number + 1} {name}: quiet {quiet:.1f}, traced {traced:.1f}",
                file=sys.stderr,
                flush=True,
            )
    return found


def figures(found: dict[str, list[Pair]]) -> list[str]:
    """One row for each tool: mean figures with mean spreads, the ratio with its interval, the extreme pairs."""
    lines = [
        "| Tool | quiet, tok/s | under hogs, tok/s | under hogs / quiet | single pairs |",
        "| --- | ---: | ---: | --- | --- |",
    ]
    for name, pairs in found.items():
        ratios = sorted(math.exp(one.log_ratio) for one in pairs)
        cells = [_mean([one.quiet for one in pairs]), _mean([one.traced for one in pairs])]
        cells += [str(_ratio(pairs)), f"{ratios[0]:.3f} to {ratios[-1]:.3f}"]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def _mean(figures: Sequence[Figure]) -> str:
    return f"{fmean(f.tokens_per_s for f in figures):.1f} ± {fmean(f.spread for f in figures):.1f}"


def _ratio(pairs: Sequence[Pair]) -> Ratio:
    return ratio([one.log_ratio for one in pairs])


def verdict(pairs: Sequence[Pair]) -> str:
    """Whether edgeprof's figure under hogs is the quiet one, within 2%."""
    found = _ratio(pairs)
    figure = "within" if abs(found.value - 1) <= WITHIN else "NOT within"
    inside = found.low >= 1 - WITHIN and found.high <= 1 + WITHIN
    bounds = "inside" if inside else "NOT inside"
    return f"edgeprof's figure under hogs is {figure} 2% of the quiet one; the interval of their ratio is {bounds}"


def marks(pairs: Sequence[Pair]) -> list[str]:
    """How the marks agree with what the hogs say they did, and every disturbed pass without a mark."""
    judged = [one for p in pairs for one in p.traced.passes if one.judged]
    short = sum(len(p.traced.passes) for p in pairs) - len(judged)
    quiet = [one for p in pairs for one in p.quiet.passes if one.judged]
    lines = ["| Passes of edgeprof under hogs | marked | not marked |", "| --- | ---: | ---: |"]
    for words, disturbed in (("disturbed by hogs", True), ("not disturbed by hogs", False)):
        these = [one.marked for one in judged if one.disturbed is disturbed]
        lines.append(f"| {words} | {sum(these)} | {len(these) - sum(these)} |")
    lines += ["", f"too short to be judged: {short}; marked on the quiet machine: {_of(quiet)}"]
    return lines + [f"not marked: {_told(one)}" for one in judged if one.disturbed and not one.marked]


def _of(passes: Sequence[Truth]) -> str:
    return f"{sum(one.marked for one in passes)} of {len(passes)}"


def _told(one: Truth) -> str:
    kernel = "unread" if one.foreign_share is None else f"{one.foreign_share:.1%}"
    return (
        f"round {one.round}, pass {one.number}, {one.took_s:.2f} s: "
        f"hogs used {one.hogs_share:.1%} of all cores, the kernel says {kernel}"
    )


def main() -> None:
    """Measure all pairs and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=demo_models()[1])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--trace", type=Path, default=TRACE)
    parser.add_argument("--pairs", type=int, default=PAIRS, help="at least 2; about 80 s each")
    asked = parser.parse_args()
    trace = read_trace(asked.trace)
    ours, other = f"edgeprof, {PROCESSES} processes", f"llama-bench -r {REPETITIONS}"
    tools = {
        ours: edgeprof(asked.model, asked.threads, asked.trace),
        other: theirs(asked.model, asked.threads, asked.trace),
    }
    found = measure(tools, max(2, asked.pairs), trace.period_s)
    print(
        f"{asked.model.name}, tg{TOKENS}, {asked.threads} threads; hogs busy {trace.disturbed_share:.0%} of the time\n"
    )
    print("\n".join([*figures(found), "", verdict(found[ours]), "", *marks(found[ours])]))


if __name__ == "__main__":
    main()
