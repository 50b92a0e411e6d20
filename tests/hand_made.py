"""One run made by hand: two builds, one variant of threads, and one case that did not fit."""

from __future__ import annotations

from typing import Any

import msgspec

from profiler.runfile import Account, Run
from tests.run_builder import BOARD, MIB, build, case, failed, memory, rounds, run, text

WOBBLE = [1.0, 1.012, 0.991, 1.004, 0.984, 1.021, 0.997, 1.008]


def about(typical_ms: float, turn: int) -> list[float]:
    """Eight rounds around a time; each turn begins the wobble at another place."""
    return [typical_ms * WOBBLE[(n + turn) % 8] for n in range(8)]


def hand_made() -> Run:
    """Two builds, one variant of threads, and one case that did not fit."""
    q8 = build("SmolLM2-135M-Q8_0", "Q8_0", size_bytes=144_811_072, read_bytes_per_token=144_000_000,
               kv_elements_per_token=11_520)  # fmt: skip
    q4 = build("SmolLM2-135M-Q4_0", "Q4_0", size_bytes=91_727_424, read_bytes_per_token=91_000_000,
               kv_elements_per_token=11_520)  # fmt: skip
    asked = text(prompt=128, output=128)
    cases = [
        case("r1", q8.id, workload=asked, threads=2, kv="f16", flash="auto", mmap=True),
        case("r2", q4.id, workload=asked, threads=2, kv="f16", flash="auto", mmap=True),
        case("r3", q4.id, workload=asked, threads=4, kv="f16", flash="auto", mmap=True),
        case("r4", q8.id, workload=asked, threads=4, kv="f16", flash="auto", mmap=True),
    ]
    facts = {
        "versions": {"llama-cpp-python": "0.3.36", "ggml": "0.9.4"},
        "system": "NEON = 1 | DOTPROD = 1",
        "weights_bytes": 85 * MIB,
        "kv_bytes": 6 * MIB,
        "compute_bytes": 14 * MIB,
        "held_weights_bytes": 20 * MIB,
        "device_bytes": 0,
    }
    account = Account(bookkeeping_bytes=9 * MIB)
    same: dict[str, Any] = {
        "tokens": 128, "tokenized_ns": 310_000, "prompt_bytes": 540, "output_bytes": 560,
        "load_ms": 120.5, "import_ms": 80.0, "facts": facts, "account": account,
    }  # fmt: skip
    return run(
        cases,
        rounds("r1", about(27, 0), ttft_ms=about(910, 1), phases=memory(212), **same),
        rounds("r2", about(18, 2), ttft_ms=about(840, 4), phases=memory(158), **same),
        rounds("r3", about(17.9, 5), ttft_ms=about(455, 7), phases=memory(161), **same),
        [failed("r4", 0, "out_of_memory", "it needs 1.2 GiB and 0.9 GiB are free: take a smaller build")],
        builds=[q8, q4],
        device=msgspec.structs.replace(BOARD, memory_bandwidth_bytes_per_s=17.1e9),
        sha256={q8.id: "8f" * 32, q4.id: "4c" * 32},
    )  # fmt: skip
