"""Run files of several machines: what a matrix is made of."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from msgspec.structs import replace

from profiler.analyse.report import report
from profiler.analyse.source import Source
from profiler.runfile import Device, Workload
from tests.hand_made import about
from tests.run_builder import MIB, build, case, failed, memory, rounds, run, text

GIB = 1024 * MIB
PI = Device(id="raspberry-pi-5", name="Raspberry Pi 5", cpu="Cortex-A76", cores=4, memory_bytes=8 * GIB)
ROCK = Device(id="rock-5b", name="Radxa ROCK 5B", cpu="Cortex-A76", cores=8, memory_bytes=16 * GIB)
LAPTOP = Device(id="this", name="x86_64 machine", cpu="AMD Ryzen 7 7840U", cores=8, memory_bytes=32 * GIB)
SMOL, QWEN, LLAMA = ("SmolLM2-135M", "Q4_0"), ("Qwen2.5-0.5B", "Q4_K_M"), ("Llama-3.2-3B", "Q4_K_M")
PACE = {SMOL: 1.0, QWEN: 3.0, LLAMA: 17.0}
TOO_LARGE = "it needs 3.1 GiB and 2.4 GiB are free: take a smaller build"

Model = tuple[str, str]


def source(
    name: str,
    device: Device = PI,
    pace: float = 1.0,
    models: Sequence[Model] = (SMOL, QWEN, LLAMA),
    *,
    too_large: Collection[Model] = (),
    workload: Workload | None = None,
    basis: str | None = None,
    version: str = "0.3.36",
    digests: bool = True,
    sizes: float = 1.0,
    threads: Sequence[int] = (4,),
    **facts: Any,
) -> Source:
    """One run: 8 rounds of each model, 10 ms a token and 100 ms a first token times its pace and the device's."""
    asked = workload or text()
    cases = [
        case(f"r{n}", ".".join(model), workload=asked, threads=count)
        for n, (model, count) in enumerate(((m, t) for m in models for t in threads), start=1)
    ]
    told = {"versions": {"llama-cpp-python": version}}
    workers = []
    for one in cases:
        model = next(m for m in models if ".".join(m) == one.build)
        slow = pace * PACE[model]
        workers.append(
            [failed(one.id, 0, "out_of_memory", TOO_LARGE)]
            if model in too_large
            else rounds(one.id, about(10 * slow, 0), ttft_ms=about(100 * slow, 3), passes=1,
                        facts=told, phases=memory(160 * PACE[model]))
        )  # fmt: skip
    made = [build(".".join(m), m[1], size_bytes=round(90 * MIB * PACE[m] * sizes)) for m in models]
    hashes = {one.id: one.id.encode().hex()[:64].ljust(64, "0") for one in made} if digests else {}
    seen = run(cases, *workers, builds=made, device=device, **{"sha256": hashes} | facts)
    seen = replace(seen, header=replace(seen.header, run_id=name))
    found = report(seen)
    if basis is None:
        return Source(name=name, report=found, run=seen)
    return Source(
        name=name, report=replace(found, rows=[replace(row, basis=basis) for row in found.rows]), run=None
    )


def three() -> list[Source]:
    """A board where one model does not fit, one where it was not tried, and a laptop's imported figures."""
    return [
        source("pi5.jsonl", too_large=[LLAMA]),
        source("rk3588.jsonl", ROCK, 0.8, [SMOL, QWEN], version="0.3.30"),
        source("laptop.json", LAPTOP, 0.25, basis="imported", threads=[8]),
    ]
