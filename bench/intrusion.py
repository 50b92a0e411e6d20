"""Does edgeprof's headline stand while hogs disturb it, and are all passes marked that they disturbed?

One build is measured twice, once on the quiet machine and once while a committed trace of hogs is played; beside it
`llama-bench -r 5`, in the same way. The machine drifts by more than the 2% in question, so quiet and disturbed
alternate: for edgeprof from worker to worker, as two cases of one run with all its rules; for llama-bench, which has no
rules, from run to run. The time of the trace goes on only while it is played, and both begin at its first second.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean

import msgspec

from bench.demo_models import demo_models
from bench.hogs import TRACE, playing, read_log, read_trace
from bench.llama_bench_build import environment, llama_bench
from bench.pairs import MOST_FOREIGN, ratio, watched
from bench.truth import LONG_S, Truth, truths
from profiler import runfile
from profiler.analyse.metrics import judged_metrics
from profiler.analyse.report import report
from profiler.analyse.statistics import FEWEST_FOR_SIGNED_RANK
from profiler.analyse.study import Study
from profiler.cli.judging import judges
from profiler.host.counters import wait_until_quiet
from profiler.measure.machine import Here
from profiler.measure.request import Request
from profiler.measure.session import Session
from profiler.measure.start import Prepared, prepare
from profiler.runfile import Case, Run, Worker

ROUNDS, THEIRS, PASSES, REPETITIONS = 60, 12, 3, 5
TOKENS = 128
WITHIN = 0.02
MOST_TRIES = 3
QUIET, HOGGED = "quiet", "hogged"


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens per second, and how far a tool says they may be off: half its 95% interval (edgeprof), or the standard
    deviation of its repetitions (llama-bench)."""

    tokens_per_s: float
    spread: float

    def __str__(self) -> str:
        return f"{self.tokens_per_s:.1f} ± {self.spread:.1f}"


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """What a tool says of both conditions, and for each round the log of its ratio, hogged over quiet."""

    quiet: Figure
    hogged: Figure
    logs: list[float]

    @property
    def ratio(self) -> float:
        """Of the two figures."""
        return self.hogged.tokens_per_s / self.quiet.tokens_per_s

    @property
    def bounds(self) -> tuple[float, float] | None:
        """The 95% interval of the ratio over rounds; None where they are too few."""
        if len(self.logs) < FEWEST_FOR_SIGNED_RANK:
            return None
        found = ratio(self.logs)
        return found.low, found.high


class Hogs:
    """A trace that is played now and then: each time it goes on where it was stopped."""

    def __init__(self, trace: Path, log: Path) -> None:
        self._trace, self._log = trace, log
        self._played_s = 0.0

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        """Play on while the body runs."""
        with playing(self._trace, self._log, self._played_s):
            began = time.monotonic()
            yield
            self._played_s += time.monotonic() - began


class Conductor:
    """The listener of the run: lets the hogs go to work before each worker of the hogged case, its wait for a quiet
    start included, and stops them after it."""

    def __init__(self, hogs: Hogs) -> None:
        self._hogs, self._stack = hogs, contextlib.ExitStack()

    def visiting(self, case: Case, round_number: int, attempt: int) -> None:  # noqa: ARG002
        """Hogs on, if this is the case they are for."""
        if case.build == HOGGED:
            self._stack.enter_context(self._hogs.at_work())

    def progress(self, pass_number: int, tokens: int) -> None:
        """Nothing to do."""

    def profiling(self, case: Case) -> None:
        pass

    def visited(self, worker: Worker) -> None:
        """Hogs off."""
        self._stack.close()
        where = f"round {worker.round + 1}, attempt {worker.attempt + 1}"
        print(f"edgeprof, {where}: case {worker.case} measured", file=sys.stderr, flush=True)


def prepared(model: Path, threads: int, rounds: int, folder: Path) -> Prepared:
    """A run over the model under two names, with the defaults of the command."""
    links = [folder / f"{name}.gguf" for name in (QUIET, HOGGED)]
    for link in links:
        link.symlink_to(model.resolve())
    request = Request(
        builds=[str(link) for link in links],
        workloads=[f"tg{TOKENS}"],
        prompt=None,
        output_tokens=None,
        engines=[],
        settings={"threads": [str(threads)]},
        device="this",
        targets=["cpu"],
        within=WITHIN,
        until_decided=False,
        max_time_s=None,
        rounds=rounds,
        passes=PASSES,
        more_passes=False,
        seed=1,
        stall_s=300.0,
        settle_s=10.0,
        cold=False,
        sustained_s=0.0,
        force=False,
    )
    return prepare(request)


def measured(ready: Prepared, trace: Path, folder: Path) -> tuple[Run, Path]:
    """The run, and the log of the hogs."""
    path, log = folder / "run.jsonl", folder / "hogs.jsonl"
    plan = ready.header.plan
    with path.open("xb", buffering=0) as file:
        runfile.append(file, ready.header)
        conductor = Conductor(Hogs(trace, log))
        Session(plan, ready.paths, file, judges(ready.header), conductor, Here()).go()
    return runfile.read(path), log


def ours(run: Run) -> Compared:
    """The headlines of both cases as the report has them, and the logs of their ratios inside rounds."""
    study = Study(run)
    (metric,) = (one for one in judged_metrics("raw") if one.name == "tg_tps")
    logs = {case.build: study.logs(metric, case) for case in run.header.plan.cases}
    both = sorted(logs[QUIET].keys() & logs[HOGGED].keys())
    shown = {row.build: row.metrics[metric.name] for row in report(run).rows}
    return Compared(
        quiet=_headline(shown[QUIET].value, shown[QUIET].low, shown[QUIET].high),
        hogged=_headline(shown[HOGGED].value, shown[HOGGED].low, shown[HOGGED].high),
        logs=[logs[HOGGED][number] - logs[QUIET][number] for number in both],
    )


def _headline(value: float | None, low: float | None, high: float | None) -> Figure:
    assert value is not None, "edgeprof has a figure of both conditions"
    return Figure(tokens_per_s=value, spread=((high or math.inf) - (low or 0.0)) / 2)


def theirs(model: Path, threads: int, hogs: Hogs, rounds: int) -> Compared:
    """`llama-bench -r 5`, alternately in both conditions: the means of what it prints."""
    draw, seen = random.Random(1), {QUIET: list[Figure](), HOGGED: list[Figure]()}
    command = llama_bench_command(model, threads)
    for number in range(rounds):
        for name in draw.sample([QUIET, HOGGED], 2):
            seen[name].append(_quiet(command) if name == QUIET else _hogged(command, hogs))
            print(f"llama-bench, round {number + 1}: {name} {seen[name][-1]}", file=sys.stderr, flush=True)
    pairs = zip(seen[QUIET], seen[HOGGED], strict=True)
    return Compared(
        quiet=_mean(seen[QUIET]),
        hogged=_mean(seen[HOGGED]),
        logs=[math.log(hogged.tokens_per_s / quiet.tokens_per_s) for quiet, hogged in pairs],
    )


def llama_bench_command(model: Path, threads: int) -> list[str]:
    """The words of the command."""
    asked = ["-p", 0, "-n", TOKENS, "-t", threads, "-r", REPETITIONS, "-ngl", 0, "-o", "json"]
    return [str(word) for word in (llama_bench(), "-m", model, *asked)]


def _once(command: Sequence[str]) -> Figure:
    """Mean and standard deviation as llama-bench prints them."""
    output = subprocess.run(command, env=environment(), check=True, capture_output=True).stdout
    (found,) = json.loads(output)
    return Figure(tokens_per_s=found["avg_ts"], spread=found["stddev_ts"])


def _quiet(command: Sequence[str]) -> Figure:
    """Once on the quiet machine; again, at most twice, where others disturbed it."""
    for _ in range(MOST_TRIES):
        wait_until_quiet()
        figure, share = watched(lambda: _once(command))
        if share is None or share <= MOST_FOREIGN:
            return figure
    print(f"others used {share:.0%} of a quiet run of llama-bench; it counts nevertheless", file=sys.stderr)
    return figure


def _hogged(command: Sequence[str], hogs: Hogs) -> Figure:
    wait_until_quiet()
    with hogs.at_work():
        return _once(command)


def _mean(figures: Sequence[Figure]) -> Figure:
    return Figure(
        tokens_per_s=fmean(one.tokens_per_s for one in figures), spread=fmean(one.spread for one in figures)
    )


def figures(found: dict[str, Compared]) -> list[str]:
    """One row for each tool: its figures, their ratio with its interval, the extreme rounds."""
    lines = [
        "| Tool | quiet, tok/s | under hogs, tok/s | ratio | 95% interval | single rounds |",
        "| --- | ---: | ---: | ---: | --- | --- |",
    ]
    for name, one in found.items():
        bounds = "{:.3f} to {:.3f}".format(*one.bounds) if one.bounds else "too few rounds"
        single = f"{math.exp(min(one.logs)):.3f} to {math.exp(max(one.logs)):.3f}"
        lines.append(f"| {name} | {one.quiet} | {one.hogged} | {one.ratio:.3f} | {bounds} | {single} |")
    return lines


def verdict(found: Compared) -> str:
    """Whether edgeprof's figure under hogs is the quiet one within 2%, and whether that is beyond doubt."""
    stands = "within" if abs(found.ratio - 1) <= WITHIN else "NOT within"
    sure = found.bounds is not None and all(abs(bound - 1) <= WITHIN for bound in found.bounds)
    interval = "lies" if sure else "does not lie"
    return (
        f"edgeprof's headline under hogs is {stands} {WITHIN:.0%} of the quiet one; "
        f"the interval of their ratio {interval} inside"
    )


def marks(quiet: Sequence[Truth], hogged: Sequence[Truth]) -> list[str]:
    """How the marks agree with what the hogs say they did, and every long disturbed pass without a mark."""
    lines = ["| Passes of edgeprof | marked | not marked |", "| --- | ---: | ---: |"]
    for length, long in ((f"longer than {LONG_S} s", True), ("shorter", False)):
        for words, disturbed in (("disturbed by hogs", True), ("not disturbed by hogs", False)):
            these = [one for one in hogged if (one.long, one.disturbed) == (long, disturbed)]
            lines.append(f"| under hogs, {length}, {words} | {_counted(these)} |")
    lines.append(f"| on the quiet machine | {_counted(quiet)} |")
    missed = [one for one in hogged if one.long and one.disturbed and not one.marked]
    return [*lines, "", f"longer than {LONG_S} s, disturbed, not marked: {len(missed)}", *map(_told, missed)]


def _counted(passes: Sequence[Truth]) -> str:
    marked = sum(one.marked for one in passes)
    return f"{marked} | {len(passes) - marked}"


def _told(one: Truth) -> str:
    kernel = "unread" if one.foreign_share is None else f"{one.foreign_share:.1%}"
    return (
        f"round {one.round}, pass {one.number}, {one.took_s:.2f} s: "
        f"hogs used {one.hogs_share:.1%} of all cores, the kernel says {kernel}"
    )


def main() -> None:
    """Measure both tools and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=demo_models()[1])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--trace", type=Path, default=TRACE)
    parser.add_argument("--pairs", type=int, default=ROUNDS, help="rounds of edgeprof; about 10 s each")
    parser.add_argument("--theirs", type=int, default=THEIRS, help="rounds of llama-bench; about 15 s each")
    asked = parser.parse_args()
    busy, begun = f"hogs busy {read_trace(asked.trace).disturbed_share:.0%} of the time", time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ready = prepared(asked.model, asked.threads, asked.pairs, folder)
        run, log = measured(ready, asked.trace, folder)
        mine = truths(run, read_log(log))
        bench = theirs(asked.model, asked.threads, Hogs(asked.trace, folder / "theirs.jsonl"), asked.theirs)
    found = {f"edgeprof, {asked.pairs} processes": ours(run), f"llama-bench -r {REPETITIONS}": bench}
    minutes = f"{asked.pairs} and {asked.theirs} rounds, {(time.monotonic() - begun) / 60:.0f} min"
    print(f"{asked.model.name}, tg{TOKENS}, {asked.threads} threads; {busy}; {minutes}\n")
    quiet, hogged = ([one for one in mine if one.build == build] for build in (QUIET, HOGGED))
    print("\n".join([*figures(found), "", verdict(ours(run)), "", *marks(quiet, hogged)]))


if __name__ == "__main__":
    main()
