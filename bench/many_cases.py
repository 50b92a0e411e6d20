"""A run file of many cases, made up: what a large report is timed on."""

from __future__ import annotations

import random
from pathlib import Path

from profiler.catalogue.workloads import parse
from profiler.measure.launch import now
from profiler.measure.planning import CHECKPOINTS
from profiler.runfile import (
    SCHEMA,
    Anchor,
    Build,
    Case,
    Counters,
    Device,
    Event,
    Header,
    Memory,
    Pass,
    Phase,
    Plan,
    Settings,
    Worker,
    append,
)

ROUNDS, PASSES, TOKENS = 3, 3, 128


def write_run(path: Path, count: int) -> None:
    """A finished run of `count` cases: one build each, 3 rounds, 3 passes, 128 tokens."""
    draw = random.Random(count)
    plan = _plan(count)
    header = Header(
        type="header",
        schema=SCHEMA,
        run_id="0" * 16,
        edgeprof="0",
        started=now(),
        plan=plan,
        device=Device(id="this", name="made up", cores=2),
        environment={"cpus_total": 2},
        worker_environment={},
    )
    with path.open("wb", buffering=0) as file:
        append(file, header)
        for number in range(ROUNDS):
            for place, case in enumerate(plan.cases):
                append(file, _worker(case, number, place, draw))
        append(file, Event(name="end", at=now(), reason="rounds"))


def _plan(count: int) -> Plan:
    builds = [
        Build(id=f"build-{k}", name=f"build-{k}.gguf", format="gguf", size_bytes=10**8) for k in range(count)
    ]
    settings: Settings = {"threads": 2, "kv": "f16"}
    cases = [
        Case(
            id=f"r{k}",
            build=build.id,
            engine="llama-cpp",
            target="cpu",
            settings=settings,
            workload=parse("chat"),
        )
        for k, build in enumerate(builds, start=1)
    ]
    return Plan(
        builds=builds,
        cases=cases,
        seed=1,
        passes=PASSES,
        rounds=ROUNDS,
        within=0.02,
        max_time_s=300,
        stall_s=300,
        checkpoints=CHECKPOINTS,
    )


def _worker(case: Case, number: int, place: int, draw: random.Random) -> Worker:
    moment = Anchor(wall_ns=0, mono_ns=0)
    memory = Memory(pss_bytes=2 * 10**8, peak_rss_bytes=2 * 10**8)
    return Worker(
        case=case.id,
        round=number,
        attempt=0,
        position=place,
        started=moment,
        ended=moment,
        load_ms=100.0,
        phases=[Phase(name="loaded", memory=memory)],
        passes=[_pass(k, draw) for k in range(PASSES + 1)],
    )


def _pass(number: int, draw: random.Random) -> Pass:
    tokens, moment = [], 200_000_000
    for _ in range(TOKENS):
        moment += round(draw.gauss(7e6, 3e5))
        tokens.append(moment)
    counters = Counters(wall_ns=moment, own_cpu_ns=2 * moment, busy_ns=2 * moment, major_faults=0)
    return Pass(
        number=number,
        start_ns=1,
        evaluated_ns=200_000_000,
        token_ns=tokens,
        tokenized_ns=400_000,
        prompt_bytes=550,
        output_bytes=540,
        output_sha256="0" * 64,
        counters=counters,
    )
