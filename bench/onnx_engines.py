"""The ONNX engines beside GenAI's own loop, each other, Optimum, and the GenAI builder's int4 build."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import platformdirs

from bench import genai_loop
from bench.demo_models import demo_models, onnx_of
from bench.workers import Figures, ratio_of, rounds, worker
from profiler.builds.identify import identify
from profiler.catalogue.workloads import parse

ROUNDS = 30


def made_via(via: str, quant: str) -> Path:
    """SmolLM2 built by Optimum or the GenAI builder, made if it is not there yet."""
    target = platformdirs.user_cache_path("edgeprof") / "demo" / f"SmolLM2-135M-Instruct-{via}-{quant}"
    if not target.exists():
        source = str(demo_models()[0])
        command = [sys.executable, "-m", "profiler", "build", "onnx", source, "--via", via, "--quant", quant]
        subprocess.run([*command, "-o", str(target)], check=True, stdout=sys.stderr)
    return target


def read_bytes(path: Path) -> int:
    """Bytes of weights that a decoded token reads of this build."""
    (found,) = identify([str(path)])
    assert found.build.read_bytes_per_token
    return found.build.read_bytes_per_token


def _show(found: list[dict[str, Figures]], candidate: str, base: str) -> None:
    first = ratio_of(found, "ttft_ms", candidate, base)
    speed = ratio_of(found, "decode_tps", candidate, base)
    print(f"{candidate} / {base}: TTFT {first}; decode speed {speed}", flush=True)


def main() -> None:
    """Print every ratio with its interval."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--pairs", type=int, default=genai_loop.PAIRS)
    wanted = parser.parse_args()
    q4_1, q4_0, _ = demo_models()
    builder = made_via("genai", "int4")
    four, eight = made_via("optimum", "int4"), made_via("optimum", "int8")
    direct = {"direct Q4_1": onnx_of(q4_1), "direct Q4_0": onnx_of(q4_0)}
    first, decode = genai_loop.compare(direct["direct Q4_0"], wanted.threads, wanted.pairs)
    print(f"ort-genai / GenAI's own loop: TTFT {first}; time of decoding {decode}", flush=True)
    chat, threads = parse("chat"), wanted.threads
    contestants = {
        "ort, direct Q4_0": worker(direct["direct Q4_0"], "ort", chat, threads),
        "ort-genai, direct Q4_0": worker(direct["direct Q4_0"], "ort-genai", chat, threads),
        "ort-genai, direct Q4_1": worker(direct["direct Q4_1"], "ort-genai", chat, threads),
        "ort-genai, builder's int4": worker(builder, "ort-genai", chat, threads),
        "ort, Optimum's int8": worker(eight, "ort", chat, threads),
        "optimum, Optimum's int8": worker(eight, "optimum", chat, threads),
        "optimum, Optimum's int4": worker(four, "optimum", chat, threads),
    }
    found = rounds(contestants, wanted.rounds, "onnx")
    _show(found, "ort, direct Q4_0", "ort-genai, direct Q4_0")
    _show(found, "ort, direct Q4_0", "optimum, Optimum's int4")
    _show(found, "ort, direct Q4_0", "optimum, Optimum's int8")
    _show(found, "ort, Optimum's int8", "optimum, Optimum's int8")
    for name, folder in direct.items():
        share = read_bytes(folder) / read_bytes(builder)
        print(f"{name} reads {share:.3f} times the bytes of the builder's int4 for a token")
        _show(found, f"ort-genai, {name}", "ort-genai, builder's int4")


if __name__ == "__main__":
    main()
