"""A trace of hogs played in real time: processes that keep CPUs busy at given seconds, and log what they really did.

One process for each core that the trace asks for at most, a lane. Lanes are ready before the trace begins, die with
the process that started them, and write a line for each slice that they burnt: what disturbed is read from there.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec

from profiler.catalogue.strict_toml import read_toml
from profiler.errors import UserError
from profiler.measure.worker import die_with_parent

ROOT = Path(__file__).parent.parent
TRACE = ROOT / "bench" / "traces" / "hogs.toml"
SLICE_NS = 50_000_000

Seconds = Annotated[float, msgspec.Meta(ge=0, le=3600)]
Positive = Annotated[float, msgspec.Meta(gt=0, le=3600)]


class Hog(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A spell: `cores` CPUs fully busy for `seconds`, from `start_s` of the trace on."""

    start_s: Seconds
    seconds: Positive
    cores: Annotated[int, msgspec.Meta(ge=1, le=64)]

    @property
    def end_s(self) -> float:
        """When the spell is over."""
        return self.start_s + self.seconds


class Trace(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Spells in order of time, none overlapping, which begin anew every `period_s`."""

    period_s: Positive
    hog: list[Hog]

    @property
    def lanes(self) -> int:
        """The most cores that are busy at once."""
        return max(hog.cores for hog in self.hog)

    @property
    def disturbed_share(self) -> float:
        """The share of time in which some core is busy."""
        return sum(hog.seconds for hog in self.hog) / self.period_s


class Slice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a lane has burnt without a break: from when to when on the wall clock, and how much CPU time it got."""

    lane: int
    began_ns: int
    ended_ns: int
    cpu_ns: int


def read_trace(path: Path) -> Trace:
    """The trace at `path`. Raises `UserError` where a spell overlaps the next, or the end of the period."""
    trace = read_toml(path, Trace)
    if not trace.hog:
        raise UserError(f"{path}: hog is empty, accepted: one spell or more; add a [[hog]]")
    ends = [*(hog.start_s for hog in trace.hog[1:]), trace.period_s]
    for place, (hog, end_s) in enumerate(zip(trace.hog, ends, strict=True)):
        if hog.end_s > end_s:
            raise UserError(
                f"{path}: hog[{place}] ends at {hog.end_s:g} s, accepted: up to {end_s:g} s, "
                "where the next spell or period begins; shorten it"
            )
    return trace


def spells(trace: Trace, lane: int, offset_s: float) -> Iterator[tuple[float, float]]:
    """When a lane is busy, in seconds since the player began at `offset_s` of the trace; without an end."""
    for period in itertools.count():
        for hog in trace.hog:
            shift_s = period * trace.period_s - offset_s
            if hog.cores > lane and hog.end_s + shift_s > 0:
                yield max(0.0, hog.start_s + shift_s), hog.end_s + shift_s


@contextlib.contextmanager
def playing(trace: Path, log: Path, offset_s: float = 0.0) -> Iterator[None]:
    """Plays the trace while the body runs, from `offset_s` on; every slice burnt is appended to `log`."""
    words = [str(trace.resolve()), "--log", str(log.resolve()), "--offset", str(offset_s)]
    with contextlib.ExitStack() as stack:
        lanes = []
        for lane in range(read_trace(trace).lanes):
            command = [sys.executable, "-m", "bench.hogs", *words, "--lane", str(lane)]
            lanes.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT))
            stack.callback(_end, lanes[-1])
        for process in lanes:
            assert process.stdout is not None
            process.stdout.readline()
        zero_ns = time.time_ns()
        for process in lanes:
            assert process.stdin is not None
            process.stdin.write(f"{zero_ns}\n".encode("ascii"))
            process.stdin.flush()
        yield


def _end(process: subprocess.Popen[bytes]) -> None:
    with process:
        process.kill()


def lane(trace: Trace, number: int, log: Path, offset_s: float) -> None:
    """Say that this lane is ready, learn when the trace began, and play it until killed."""
    die_with_parent()
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    zero_ns = int(sys.stdin.readline())
    for start_s, end_s in spells(trace, number, offset_s):
        until_start_s = start_s - (time.time_ns() - zero_ns) / 1e9
        time.sleep(max(0.0, until_start_s))
        _burn(number, zero_ns + round(end_s * 1e9), file)


def _burn(number: int, until_ns: int, file: int) -> None:
    """Keep a CPU busy until then. Each slice is written at once, so that none is lost."""
    while (began_ns := time.time_ns()) < until_ns:
        used_ns, stop_ns = time.process_time_ns(), min(began_ns + SLICE_NS, until_ns)
        while time.time_ns() < stop_ns:
            pass
        burnt = Slice(
            lane=number,
            began_ns=began_ns,
            ended_ns=time.time_ns(),
            cpu_ns=time.process_time_ns() - used_ns,
        )
        os.write(file, msgspec.json.encode(burnt) + b"\n")


def read_log(path: Path) -> list[Slice]:
    """What the lanes burnt; a line cut short by the end of its lane is left out."""
    lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    return [msgspec.json.decode(line, type=Slice) for line in lines if line.endswith(b"\n")]


def main() -> None:
    """Play a trace for some seconds; with `--lane`, be one of its processes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trace", nargs="?", type=Path, default=TRACE)
    parser.add_argument(
        "--log", type=Path, required=True, help="where to write what was burnt, as JSON lines"
    )
    parser.add_argument("--offset", type=float, default=0.0, help="second of the trace to begin at")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to play")
    parser.add_argument("--lane", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.lane is not None:
        lane(read_trace(asked.trace), asked.lane, asked.log, asked.offset)
    else:
        with playing(asked.trace, asked.log, asked.offset):
            time.sleep(asked.seconds)


if __name__ == "__main__":
    main()
