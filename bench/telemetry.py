"""What it costs to read the sensors while a worker decodes, and to read the state of the board between workers.

As in a run, another process decodes and a thread of this one reads. The sensors are files of a constructed tree in
memory: what the kernel takes to ask a chip is not in these figures, and mostly passes asleep. Blocks of tokens with and
without the sampler follow each other in random order, and every pair gives one ratio.
"""

from __future__ import annotations

import argparse
import itertools
import math
import multiprocessing
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median

import msgspec

from bench.demo_models import demo_models
from bench.pairs import Ratio, ratio
from profiler.catalogue.workloads import text_of
from profiler.engines import llama_cpp
from profiler.host.kernel_files import HERE
from profiler.host.machine import default_threads
from profiler.measure.launch import now
from profiler.measure.metering import Costs, Metering, speaking
from profiler.measure.variants import combinations
from profiler.telemetry.protocol import Meter, StateSource
from profiler.telemetry.reading import board, found_meters
from profiler.telemetry.sources import STATE_SOURCES

PAIRS, BLOCK, BLOCKS_PER_PROMPT, PROMPT_TOKENS = 500, 48, 6, 128
SETTLE_S = 0.15
"""From the start of the sampler to the block: its first readings come all at once, before a worker's first pass."""

BAR = 0.005
"""Of decode time: what the sampler may cost (of one worker, on average)."""

HEAVY_SHARE = 0.05
"""Of one core: the pairs read as often as sensors ever are, since what a run's own rate costs is lost in the noise of a
machine. A reading costs what it costs, so the slowdown is scaled to the readings that a run takes."""

USUAL_S = 10.0

LOOKS = 30
DEAREST = 3

_ENERGY = {"energy_uj": "240422366267", "max_energy_range_uj": "262143328850"}
_RAPL = {"0": "package-0", "0:0": "core", "0:1": "uncore", "0:2": "dram", "1": "psys"}
_RAILS = {1: "VDD_IN", 2: "VDD_CPU_GPU_CV", 3: "VDD_SOC"}
_BATTERY = {"type": "Battery", "present": "1", "status": "Discharging", "power_now": "4830000"}

TREE = {
    **{
        f"sys/class/powercap/intel-rapl:{zone}/{file}": text
        for zone, name in _RAPL.items()
        for file, text in {"name": name, **_ENERGY}.items()
    },
    "sys/class/hwmon/hwmon1/name": "ina3221",
    **{
        f"sys/class/hwmon/hwmon1/{file}": text
        for rail, label in _RAILS.items()
        for file, text in {
            f"in{rail}_label": label, f"in{rail}_input": "4904", f"curr{rail}_input": "1048"
        }.items()
    },
    "sys/class/hwmon/hwmon2/name": "amdgpu",
    "sys/class/hwmon/hwmon2/power1_average": "9184000",
    **{f"sys/class/power_supply/BAT0/{file}": text for file, text in _BATTERY.items()},
}  # fmt: skip
"""More sensors than any machine has: five RAPL domains, three rails of an INA3221, a GPU and a battery (kernel ABI)."""

Block = Callable[[], float]
"""Decodes a block of tokens; gives the seconds that it took."""


class Metered(msgspec.Struct, frozen=True, kw_only=True):
    """What the pairs gave: logs of ratios, with the sampler over without; readings a second; shares of one core."""

    logs: list[float]
    readings_per_s: list[float]
    shares: list[float]


def planted(folder: Path) -> Path:
    """The tree of sensors below this folder."""
    for name, text in TREE.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    return folder


@contextmanager
def tree() -> Iterator[Path]:
    """The tree of sensors in memory, where this system has a folder for that."""
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None) as folder:
        yield planted(Path(folder))


@contextmanager
def decoder(model: Path, threads: int) -> Iterator[Block]:
    """A process that decodes a block of tokens at each call."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=decode, args=(theirs, model, threads), daemon=True)
    process.start()
    theirs.close()

    def block() -> float:
        ours.send(None)
        return float(ours.recv())

    try:
        yield block
    finally:
        ours.close()
        process.join()


def decode(orders: Connection, model: Path, threads: int) -> None:
    """The decoding process: a block of tokens for each order, at depth 128 again after every few blocks."""
    llama_cpp.import_library()
    tokens = (BLOCKS_PER_PROMPT + 1) * BLOCK
    workload = {"prompt_tokens": PROMPT_TOKENS, "output_tokens": tokens, "depth": 0}
    settings = combinations("llama-cpp", {}, threads)[0]
    engine = llama_cpp.load({"path": str(model), "settings": settings, "workload": workload})
    ids = engine.tokenize(text_of("chat@1").encode())[:PROMPT_TOKENS]
    for count in itertools.count():
        try:
            orders.recv()
        except EOFError:
            return
        if count % BLOCKS_PER_PROMPT == 0:
            engine.reset()
            engine.prefill(ids)
            engine.next_token()
        orders.send(_timed(lambda: [engine.next_token() for _ in range(BLOCK)]))


def _timed(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def paired(block: Block, meters: Sequence[Meter], pairs: int, settle_s: float = SETTLE_S) -> Metered:
    """Pairs of blocks, one with the sampler reading these meters and one without, in random order."""
    draw, found = random.Random(1), Metered(logs=[], readings_per_s=[], shares=[])
    costs: Costs = {}
    blocks: list[tuple[str, Block]] = [
        ("with", lambda: _beside_sampler(block, meters, settle_s, found, costs)),
        ("without", lambda: _alone(block, settle_s)),
    ]
    for _ in range(pairs):
        draw.shuffle(blocks)
        took = {name: one() for name, one in blocks}
        found.logs.append(math.log(took["with"] / took["without"]))
    return found


def _beside_sampler(
    block: Block, meters: Sequence[Meter], settle_s: float, found: Metered, costs: Costs
) -> float:
    metering = Metering(meters, HEAVY_SHARE, costs)
    began = time.perf_counter()
    metering.start()
    took = _alone(block, settle_s)
    samples, share = metering.stop()
    readings = sum(len(one.at_ns) for one in samples.values())
    found.readings_per_s.append(readings / (time.perf_counter() - began))
    found.shares.append(share or 0.0)
    return took


def usual(meters: Sequence[Meter], seconds: float = USUAL_S) -> tuple[float, float]:
    """Readings a second beside a worker, once their cost is known, and the share of one core that they take."""
    costs: Costs = {}
    for length_s in (1.0, seconds):
        metering = Metering(meters, costs=costs)
        metering.start()
        time.sleep(length_s)
        samples, share = metering.stop()
    return sum(len(one.at_ns) for one in samples.values()) / seconds, share or 0.0


def scaled(found: Metered, usual_per_s: float) -> list[float]:
    """The logs at the readings a second that a run takes."""
    return [log * usual_per_s / median(found.readings_per_s) for log in found.logs]


def _alone(block: Block, settle_s: float) -> float:
    time.sleep(settle_s)
    return block()


def looking(root: Path = HERE, looks: int = LOOKS) -> list[float]:
    """Milliseconds of each look at the state of the board."""
    return [1000 * _timed(lambda: board(now(), root)) for _ in range(looks)]


def looking_by_source(root: Path = HERE, looks: int = LOOKS) -> dict[str, float]:
    """Median milliseconds that each source takes of a look, the dearest first."""

    def took(name: str, source: StateSource) -> float:
        return median(_timed(lambda: board(now(), root, {name: source})) for _ in range(looks))

    found = {name: 1000 * took(name, source) for name, source in STATE_SOURCES.items()}
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def verdict(found: Ratio) -> str:
    """Whether the whole interval lies below the bar, above it, or on both sides."""
    if found.high < 1 + BAR:
        return f"under {BAR:.1%} of decode time"
    if found.low > 1 + BAR:
        return f"NOT under {BAR:.1%} of decode time"
    return f"not shown to be under {BAR:.1%} of decode time: its interval reaches beyond it"


def told_of_sampler(found: Metered, sensors: int, usual_per_s: float, share: float) -> list[str]:
    """What the sampler costs, in lines."""
    cost = ratio(scaled(found, usual_per_s))
    return [
        f"decode time with {sensors} sensors read {median(found.readings_per_s):.0f} times a second / without: "
        f"{ratio(found.logs)}",
        f"scaled to the {usual_per_s:.0f} readings a second of a run, {share:.2%} of one core: {cost}",
        f"the sampler costs {verdict(cost)}",
    ]


def told_of_board(took_ms: Sequence[float], by_source: dict[str, float], topics: int) -> list[str]:
    """What a look at the board costs outside passes, in lines."""
    dearest = [f"{name} {ms:.1f} ms" for name, ms in list(by_source.items())[:DEAREST]]
    return [
        f"state of the board, twice a worker and outside its passes: {median(took_ms):.1f} ms "
        f"(the first time {took_ms[0]:.1f} ms), {topics} topics read here",
        f"the dearest sources: {', '.join(dearest)}",
    ]


def main() -> None:
    """Print both costs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--threads", type=int, default=default_threads())
    asked = parser.parse_args()
    model = demo_models()[1]
    with tree() as root, decoder(model, asked.threads) as block:
        found, missing = found_meters(root)
        meters = speaking(found)
        print(f"{model.name}, {asked.threads} threads, {asked.pairs} pairs of blocks of {BLOCK} tokens")
        print("no sensors in the tree from: " + "; ".join(f"{name} ({why})" for name, why in missing.items()))
        pairs = paired(block, meters, asked.pairs)
        print("\n".join(told_of_sampler(pairs, len(meters), *usual(meters))))
    topics = len(board(now()).readings)
    print("\n".join(told_of_board(looking(), looking_by_source(), topics)))


if __name__ == "__main__":
    main()
