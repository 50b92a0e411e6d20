"""A real run of one build under two names, kept small: `python -m bench.simulation.archive RUN` makes the file anew.

Made by `edgeprof run a.gguf b.gguf -p 32 -n 80 --processes 120` with two hard links to SmolLM2-135M-Instruct Q4_0,
two threads, on a virtual machine of two cores with other guests beside it. The file is a run file, compressed: tokens
stamped to the microsecond, of environment and counters what is named here, no memory, nothing that the engine said.
"""

from __future__ import annotations

import gzip
import sys
import tempfile
from functools import cache
from pathlib import Path

import msgspec
from msgspec.structs import replace

from profiler import runfile
from profiler.runfile import Counters, Pass, Run, Worker

FILE = Path(__file__).parent / "equal_builds.jsonl.gz"
KEPT = ("architecture", "cpu_model", "cpus_total", "hypervisor", "memory_total_bytes")
KEPT_COUNTERS = ("wall_ns", "own_cpu_ns", "busy_ns", "steal_ns", "cpu_pressure_ns", "major_faults")


@cache
def recorded() -> Run:
    """The archived run."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.jsonl"
        path.write_bytes(gzip.decompress(FILE.read_bytes()))
        return runfile.read(path)


def archived(run: Run) -> bytes:
    """A run file with what the resampling needs, compressed; the same run always gives the same bytes."""
    environment = {name: run.header.environment.get(name) for name in KEPT}
    header = replace(run.header, environment=environment, worker_environment={})
    records = [header, *map(_worker, run.workers), *run.events]
    lines = b"".join(msgspec.json.encode(record) + b"\n" for record in records)
    return gzip.compress(lines, compresslevel=9, mtime=0)


def _worker(worker: Worker) -> Worker:
    passes = [_pass(done) for done in worker.passes]
    return replace(worker, facts=None, phases=[], conditions=None, passes=passes)


def _pass(done: Pass) -> Pass:
    counters = done.counters
    kept = Counters(**{name: getattr(counters, name) for name in KEPT_COUNTERS}) if counters else None
    stamps = [_whole_us(ns) for ns in done.token_ns]
    return replace(done, token_ns=stamps, output_sha256=None, counters=kept)


def _whole_us(ns: int) -> int:
    return 1000 * round(ns / 1000)


if __name__ == "__main__":
    FILE.write_bytes(archived(runfile.read(Path(sys.argv[1]))))
