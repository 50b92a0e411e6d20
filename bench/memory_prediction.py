"""Predicted memory beside the memory of real runs: `python -m bench.memory_prediction [FILE...]`.

Without arguments the files are SmolLM2-135M-Instruct in Q4_1 and shapes of four models up to 7B. Every file runs once
in each combination of context, type of the KV cache and mapping, and is predicted with the same settings and the same
prompt. Files that are named may be real ones or shapes with weights (`edgeprof build shape`).
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import platformdirs

from bench.demo_models import original
from bench.shape_files import shape_file
from profiler import runfile
from profiler.cli.ending import as_interrupts
from profiler.render.format import size

SHAPES = (
    ("llama-3.2-1b", "Q4_K_M"),
    ("gemma-3-1b", "Q8_0"),
    ("qwen3-1.7b", "Q4_K_M"),
    ("mistral-7b-v0.3", "Q4_K_M"),
)
PROMPT = 128
VARIED = ("--context", "1024,8192", "--kv", "f16,q8_0", "--set", "mmap=on,off")
VARIED_SETTINGS = ("context", "kv", "mmap")
PARTS = ("kv_bytes", "compute_reserved_bytes")
ASKED = ("weights_bytes", "kv_bytes", "compute_bytes")


def edgeprof(*words: str) -> dict[str, Any]:
    """What a command prints as JSON."""
    command = [sys.executable, "-m", "profiler", *words, "-f", "json"]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return found


def measured(path: Path) -> dict[str, dict[str, float | None]]:
    """The memory of a run by its settings: PSS at its largest, and the engine's own buffers and weights."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "run.jsonl"
        report = edgeprof(
            "run", str(path), "--processes", "1", "--passes", "1", "-n", "16", *VARIED, "-o", str(output)
        )
        facts = {worker.case: worker.facts or {} for worker in runfile.read(output).workers}
    return {
        key(row["settings"]): {
            "model_bytes": facts[row["id"]].get("weights_bytes"),
            **{name: row["metrics"][name]["value"] for name in ("pss_bytes", *PARTS)},
        }
        for row in report["rows"]
        if not row["failure"]
    }


def key(settings: dict[str, Any]) -> str:
    """The settings that vary, in words."""
    return ", ".join(f"{name} {settings[name]}" for name in VARIED_SETTINGS)


def compared(path: Path) -> Iterator[tuple[str, float]]:
    """Each case as a line of a table, and how far its total was from what was measured."""
    predicted = edgeprof("predict", str(path), "--prompt", str(PROMPT), *VARIED)["predictions"]
    runs = measured(path)
    for one in predicted:
        run, memory = runs.get(key(one["settings"])), one["memory"]
        if run is None or run["pss_bytes"] is None:
            continue
        off = memory["total_bytes"] / run["pss_bytes"] - 1
        same = [memory[name] for name in ASKED] == [run[name] for name in ("model_bytes", *PARTS)]
        told = f"{size(memory['total_bytes'])} | {size(run['pss_bytes'])} | {off:+.2%} | {'yes' if same else 'NO'}"
        yield f"| {path.stem} | {key(one['settings'])} | {told} |", off


def files(named: Sequence[str]) -> Iterator[Path]:
    """Those that are named; else a real one, and shapes that are there while they are measured."""
    if named:
        yield from map(Path, named)
        return
    yield original()
    place = platformdirs.user_cache_path("edgeprof")
    place.mkdir(parents=True, exist_ok=True)
    for model, mix in SHAPES:
        with tempfile.TemporaryDirectory(prefix="bench-", dir=place) as folder:
            yield shape_file(model, mix, Path(folder))


def main(named: Sequence[str]) -> None:
    """Print the table, and the largest difference."""
    print(
        "| file | settings | predicted | measured PSS | off | weights, KV and compute equal |\n"
        "|---|---|---|---|---|---|"
    )
    worst = 0.0
    with as_interrupts():
        for file in files(named):
            for line, off in compared(file):
                print(line, flush=True)
                worst = max(worst, abs(off))
    print(f"\nlargest difference {worst:.2%}")


if __name__ == "__main__":
    main(sys.argv[1:])
