"""Is a shape as fast as the model it is the shape of? Real files against random weights in the same storage types.

Without arguments the files are SmolLM2-135M-Instruct in Q4_1, Q4_0 and Q8_0; a file that this bench has not seen may
be named instead. Both are given the same tokens, so that not even the rows looked up differ. What is timed is a copy
of the real file, written as the shape is: a file that was written in small pieces lies in small pages in the page
cache, and has been seen to decode 5% slower than its own copy.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

from bench.demo_models import demo_models
from bench.shape_files import written
from bench.workers import Figures, ratio_of, rounds, worker
from profiler.builds.shapes.from_file import of_file
from profiler.catalogue.workloads import parse
from profiler.cli.ending import as_interrupts
from profiler.runfile import Workload

ROUNDS = 20
METRICS = {"pp128": "pp_tps", "tg64": "tg_tps"}


def compare(
    path: Path, shape: Path, workload: Workload, threads: int, count: int, wanted: dict[str, list[str]]
) -> list[dict[str, Figures]]:
    """Rounds of the file and its shape, interleaved."""
    contestants = {
        "real": worker(path, "llama-cpp", workload, threads, wanted),
        "shape": worker(shape, "llama-cpp", workload, threads, wanted),
    }
    return rounds(contestants, count, f"{path.name} {workload.id}")


def main() -> None:
    """Print the ratio of speeds with its interval, for decode and prefill of each file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    asked = parser.parse_args()
    wanted = {key: [value] for key, _, value in (item.partition("=") for item in asked.set)}
    for path in asked.files or demo_models():
        with as_interrupts(), tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / path.name
            shutil.copyfile(path, copy)
            shape = written(of_file(copy, None, None), Path(folder) / f"{path.stem}-shape.gguf")
            for name, metric in METRICS.items():
                found = compare(copy, shape, parse(name), asked.threads, asked.rounds, wanted)
                ratio = ratio_of(found, metric, "shape", "real")
                print(f"{path.name}: shape / real, {metric}: {ratio}", flush=True)


if __name__ == "__main__":
    main()
