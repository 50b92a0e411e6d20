"""Does edgeprof's headline stand while hogs disturb it, and are all passes marked that they disturbed?

Pairs: edgeprof and `llama-bench -r 5` each once on the quiet machine and once under the trace of hogs, in an order
drawn anew. The machine drifts, so one quiet run against one traced run would show nothing: ratios are formed inside
pairs. Both tools meet the same part of the trace, and the pairs together meet all of it.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import fmean

import msgspec

from bench.demo_models import demo_models
from bench.hogs import TRACE, playing, read_log, read_trace
from bench.llama_bench_build import environment, llama_bench
from bench.pairs import MOST_FOREIGN, Ratio, ratio, watched
from bench.truth import LONG_S, Truth, truths
from profiler import runfile
from profiler.analyse.report import report
from profiler.host.counters import wait_until_quiet

PAIRS = 10
PROCESSES, REPETITIONS = 6, 5
TOKENS = 128
WITHIN = 0.02
MOST_TRIES = 3
LOG = "hogs.jsonl"


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


Tool = Callable[[Path], Figure]
"""Measures once, with its files in a new folder, in which the hogs, if there are any, keep their log."""


def edgeprof(model: Path, threads: int) -> Tool:
    """A run of six processes: the figure of its report."""
    words = [str(model), "-w", f"tg{TOKENS}", "-t", str(threads), "--processes", str(PROCESSES)]

    def measure(folder: Path) -> Figure:
        path = folder / "run.jsonl"
        command = [sys.executable, "-m", "profiler", "run", *words, "-o", str(path)]
        subprocess.run(command, check=True, capture_output=True)
        run = runfile.read(path)
        found = report(run).rows[0].metrics["tg_tps"]
        assert found.value, found.reason
        spread = ((found.high or math.inf) - (found.low or 0)) / 2
        return Figure(tokens_per_s=found.value, spread=spread, passes=truths(run, read_log(folder / LOG)))

    return measure


def theirs(model: Path, threads: int) -> Tool:
    """`llama-bench -r 5`: mean and standard deviation as it prints them."""
    asked = ["-p", 0, "-n", TOKENS, "-t", threads, "-r", REPETITIONS, "-ngl", 0, "-o", "json"]
    command = [str(word) for word in (llama_bench(), "-m", model, *asked)]

    def measure(_: Path) -> Figure:
        output = subprocess.run(command, env=environment(), check=True, capture_output=True).stdout
        (found,) = json.loads(output)
        return Figure(tokens_per_s=found["avg_ts"], spread=found["stddev_ts"])

    return measure


def pair(tool: Tool, trace: Path, offset_s: float, draw: random.Random) -> Pair:
    """Quiet and traced, next to each other in time, in drawn order."""
    found: dict[str, Figure] = {}
    names = ["quiet", "traced"]
    draw.shuffle(names)
    for name in names:
        found[name] = quiet(tool) if name == "quiet" else traced(tool, trace, offset_s)
    return Pair(**found)


def quiet(tool: Tool) -> Figure:
    """What a tool says on the quiet machine; asked again, at most twice, where others disturbed it."""
    for _ in range(MOST_TRIES):
        wait_until_quiet()
        with tempfile.TemporaryDirectory() as folder:
            figure, share = watched(partial(tool, Path(folder)))
        if share is None or share <= MOST_FOREIGN:
            return figure
    print(f"others disturbed a quiet run (they used {share:.0%}); it counts nevertheless", file=sys.stderr)
    return figure


def traced(tool: Tool, trace: Path, offset_s: float) -> Figure:
    """What a tool says while the trace is played from `offset_s` on. It begins on a quiet machine."""
    wait_until_quiet()
    with tempfile.TemporaryDirectory() as folder, playing(trace, Path(folder) / LOG, offset_s):
        return tool(Path(folder))


def measure(tools: dict[str, Tool], pairs: int, trace: Path) -> dict[str, list[Pair]]:
    """All pairs. Each begins at another second of the trace, spread evenly over its period."""
    period_s = read_trace(trace).period_s
    draw, names = random.Random(1), list(tools)
    found: dict[str, list[Pair]] = {name: [] for name in tools}
    for number in range(pairs):
        draw.shuffle(names)
        for name in names:
            one = pair(tools[name], trace, period_s * number / pairs, draw)
            found[name].append(one)
            speeds = f"quiet {one.quiet.tokens_per_s:.1f}, under hogs {one.traced.tokens_per_s:.1f} tok/s"
            print(f"pair {number + 1} of {pairs}, {name}: {speeds}", file=sys.stderr, flush=True)
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
    """How the marks agree with what the hogs say they did, and every long disturbed pass without a mark."""
    every = [done for one in pairs for done in one.traced.passes]
    lines = ["| Passes of edgeprof under hogs | marked | not marked |", "| --- | ---: | ---: |"]
    for length, long in ((f"longer than {LONG_S} s", True), ("shorter", False)):
        for words, disturbed in (("disturbed by hogs", True), ("not disturbed by hogs", False)):
            these = [one for one in every if (one.long, one.disturbed) == (long, disturbed)]
            lines.append(f"| {length}, {words} | {_marked(these)} | {len(these) - _marked(these)} |")
    still = [done for one in pairs for done in one.quiet.passes]
    lines.append(f"| on the quiet machine | {_marked(still)} | {len(still) - _marked(still)} |")
    missed = [one for one in every if one.long and one.disturbed and not one.marked]
    return [*lines, "", f"long, disturbed, not marked: {len(missed)}", *map(_told, missed)]


def _marked(passes: Sequence[Truth]) -> int:
    return sum(one.marked for one in passes)


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
        ours: edgeprof(asked.model, asked.threads),
        other: theirs(asked.model, asked.threads),
    }
    found = measure(tools, max(2, asked.pairs), asked.trace)
    busy = f"hogs busy {trace.disturbed_share:.0%} of the time"
    print(f"{asked.model.name}, tg{TOKENS}, {asked.threads} threads; {busy}; ± as each tool prints it\n")
    print("\n".join([*figures(found), "", verdict(found[ours]), "", *marks(found[ours])]))


if __name__ == "__main__":
    main()
