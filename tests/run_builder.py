"""Runs from few words: what was measured, in which rounds, by stamps that a reader can compute from.

Every default is quiet and round: a first token after 100 ms, then one each 10 ms, four cores, nobody else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from profiler.runfile import (
    SCHEMA,
    Anchor,
    Board,
    Build,
    Case,
    Counters,
    Device,
    Event,
    Failure,
    Header,
    Idle,
    Memory,
    Pass,
    Phase,
    Plan,
    Run,
    Samples,
    Sensor,
    Worker,
    Workload,
)

CORES = 4
MS = 1_000_000
MIB = 1024 * 1024
START = Anchor(wall_ns=1_760_000_000 * 10**9, mono_ns=0)
BOARD = Device(id="board", name="A board", cpu="Cortex-A76", cores=CORES, memory_bytes=8 * 1024 * MIB)
QUIET_PLACE = {"cpus_total": CORES, "governors": ["performance"], "hypervisor": None, "container": "none"}


def text(id: str = "chat@1", *, prompt: int = 128, output: int = 5, sha256: str = "c0ffee") -> Workload:
    return Workload(id=id, method="text", prompt_tokens=prompt, output_tokens=output, text_sha256=sha256)


def pp(tokens: int) -> Workload:
    return Workload(id=f"pp{tokens}", method="raw", prompt_tokens=tokens, output_tokens=0)


def tg(tokens: int) -> Workload:
    return Workload(id=f"tg{tokens}", method="raw", prompt_tokens=0, output_tokens=tokens)


def build(id: str, quantization: str | None = None, **facts: Any) -> Build:
    known: dict[str, Any] = {"name": id, "size_bytes": 100 * MIB} | facts
    return Build(id=id, format="gguf", quantization=quantization, **known)


def case(
    id: str,
    build: str = "tiny-Q4_0",
    *,
    workload: Workload | None = None,
    engine: str = "llama-cpp",
    target: str = "cpu",
    **settings: int | str | bool | None,
) -> Case:
    return Case(
        id=id,
        build=build,
        engine=engine,
        target=target,
        settings=settings or {"threads": 4},
        workload=workload or text(),
    )


def counters(*, foreign_share: float = 0.0, wall_ms: float = 1000, major_faults: int = 0) -> Counters:
    """One core busy for us, and `foreign_share` of all four for others."""
    wall_ns = round(wall_ms * MS)
    return Counters(
        wall_ns=wall_ns,
        own_cpu_ns=wall_ns,
        busy_ns=wall_ns + round(foreign_share * CORES * wall_ns),
        major_faults=major_faults,
    )


def text_pass(
    number: int = 1,
    *,
    ttft_ms: float = 100,
    gap_ms: float = 10,
    tokens: int = 5,
    prefill_ms: float | None = None,
    **recorded: Any,
) -> Pass:
    """Evaluated just before the first token (or after `prefill_ms`), then a token each `gap_ms`."""
    evaluated_ms = ttft_ms if prefill_ms is None else prefill_ms
    beside: dict[str, Any] = {"start_ns": 0, "counters": counters(), "output_sha256": "5a5a"} | recorded
    return Pass(
        number=number,
        evaluated_ns=round(evaluated_ms * MS),
        token_ns=[round((ttft_ms + k * gap_ms) * MS) for k in range(tokens)],
        **beside,
    )


def raw_pass(number: int = 1, *, evaluated_ms: float, token_ms: Sequence[float] = ()) -> Pass:
    return Pass(
        number=number,
        start_ns=0,
        evaluated_ns=round(evaluated_ms * MS),
        token_ns=[round(ms * MS) for ms in token_ms],
        counters=counters(),
    )


def unfinished(number: int, tokens: int) -> Pass:
    """What is left of a pass in which the worker died."""
    return msgspec.structs.replace(text_pass(number, tokens=tokens), counters=None)


def warm_up(ttft_ms: float = 400) -> Pass:
    return text_pass(0, ttft_ms=ttft_ms, tokens=1)


def memory(peak_mib: float) -> list[Phase]:
    """The peak stands at the last phase; PSS is three quarters of it, the process before the model 20 MiB.

    Of the anonymous memory, 58.5 MiB at last, 12 are there before the model and 10 come while it computes; 1 and 2 MiB
    are only kept. Libraries map 10 MiB, the rest of PSS is the mapped file.
    """
    pss = 0.75 * peak_mib
    before = of(pss=20, anon=12, file=8, build=0, freed=1, peak=30)
    loaded = of(pss=pss - 10, anon=48.5, file=pss - 58.5, build=pss - 68.5, freed=2, peak=peak_mib - 5)
    decoded = of(pss=pss, anon=58.5, file=pss - 58.5, build=pss - 68.5, freed=2, peak=peak_mib)
    moments = {"before_load": before, "loaded": loaded, "after_decode": decoded}
    return [Phase(name=name, memory=read) for name, read in moments.items()]


def of(*, pss: float, anon: float, file: float, build: float, freed: float, peak: float) -> Memory:
    """Memory in MiB, nothing of it shared."""
    sizes = {"pss": pss, "anon": anon, "file": file, "freed": freed, "peak_rss": peak}
    sizes |= {"build": build, "build_rss": build}
    return Memory(
        shmem_bytes=0, swapped_bytes=0, **{f"{name}_bytes": round(mib * MIB) for name, mib in sizes.items()}
    )


def worker(case: str, round: int, *passes: Pass, attempt: int = 0, **seen: Any) -> Worker:
    began = round * 2000 * MS
    return Worker(
        case=case,
        round=round,
        attempt=attempt,
        position=0,
        started=Anchor(wall_ns=START.wall_ns + began, mono_ns=began),
        ended=Anchor(wall_ns=START.wall_ns + began + 1000 * MS, mono_ns=began + 1000 * MS),
        passes=list(passes),
        **seen,
    )


def failed(case: str, round: int, kind: str, message: str, *passes: Pass, attempt: int = 0) -> Worker:
    return worker(case, round, *passes, attempt=attempt, failure=Failure(kind=kind, message=message))


def sensor(id: str = "rapl", *, scope: str = "package", quantity: str = "energy", **facts: Any) -> Sensor:
    """By default a counter of joules for the processor package; its source is called as its id is."""
    known: dict[str, Any] = {"source": id, "name": f"{id} {scope}"} | facts
    return Sensor(id=id, scope=scope, quantity=quantity, **known)


def counter(
    from_ms: float, steps: Sequence[tuple[float, float]], every_ms: float = 10, first_j: float = 1000
) -> Samples:
    """Readings of an energy counter: so many milliseconds of so many watts, one step after the other."""
    at_ns, joules = [round(from_ms * MS)], [first_j]
    for length_ms, watts in steps:
        for _ in range(round(length_ms / every_ms)):
            at_ns.append(at_ns[-1] + round(every_ms * MS))
            joules.append(joules[-1] + watts * every_ms / 1000)
    return Samples(at_ns=at_ns, values=joules)


def metered(
    case: str,
    round_number: int,
    *,
    prompt_w: float = 8,
    generation_w: float = 5,
    passes: int = 3,
    sensor: str = "rapl",
    every_ms: float = 10,
    **seen: Any,
) -> Worker:
    """Passes of 200 ms each, a prompt of 100 and ten gaps of 10; readings of a counter in step with them."""
    began_ms = 2000 * round_number
    done = [text_pass(k, tokens=11, start_ns=round((began_ms + 200 * k) * MS)) for k in range(1, passes + 1)]
    steps = [(200.0, 1.0), *[(100.0, prompt_w), (100.0, generation_w)] * passes, (100.0, 1.0)]
    return worker(case, round_number, *done, meters={sensor: counter(began_ms, steps, every_ms)}, **seen)


def idle(when: str, watts: float, *, at_ms: float, sensor: str = "rapl", every_ms: float = 100) -> Idle:
    """Two seconds with nothing at work."""
    return Idle(when=when, meters={sensor: counter(at_ms, [(2000, watts)], every_ms)})


def board(at_ms: float = 0, unreadable: dict[str, str] | None = None, **topics: dict[str, Any]) -> Board:
    """The state of the board: a topic by its parts."""
    at = Anchor(wall_ns=START.wall_ns + round(at_ms * MS), mono_ns=round(at_ms * MS))
    return Board(at=at, readings=topics, unreadable=unreadable or {})


def rounds(
    case: str,
    gaps_ms: Sequence[float],
    *,
    ttft_ms: float | Sequence[float] = 100,
    passes: int = 3,
    **same: Any,
) -> list[Worker]:
    """One worker for each gap between tokens, each with as many passes, all of them alike."""
    of_worker = ("load_ms", "import_ms", "facts", "account", "phases")
    seen = {name: same.pop(name) for name in of_worker if name in same}
    first_ms = ttft_ms if isinstance(ttft_ms, Sequence) else [ttft_ms] * len(gaps_ms)
    return [
        worker(
            case,
            n,
            warm_up(),
            *(text_pass(k, ttft_ms=first, gap_ms=gap, **same) for k in range(1, passes + 1)),
            **seen,
        )
        for n, (first, gap) in enumerate(zip(first_ms, gaps_ms, strict=True))
    ]


def run(
    cases: Sequence[Case],
    *workers: Sequence[Worker],
    builds: Sequence[Build] = (),
    planned: int | None = 8,
    ended: str | None = "rounds",
    anchors: Sequence[str] = (),
    **facts: Any,
) -> Run:
    """A run of these cases. `planned` None leaves the end to the checkpoints; `ended` None means cut short."""
    known = {case.build: build(case.build) for case in cases} | {b.id: b for b in builds}
    plan = Plan(
        builds=list(known.values()),
        cases=list(cases),
        seed=1,
        passes=3,
        rounds=planned,
        within=0.02,
        max_time_s=300,
        stall_s=300,
        checkpoints=[8, 12, 20, 30],
        anchors=list(anchors),
    )
    header = Header(
        type="header",
        schema=SCHEMA,
        run_id="0123456789abcdef",
        edgeprof=facts.pop("edgeprof", "0.1.0"),
        started=START,
        plan=plan,
        device=facts.pop("device", BOARD),
        environment=facts.pop("environment", QUIET_PLACE),
        sensors=facts.pop("sensors", []),
        no_sensor=facts.pop("no_sensor", {}),
        worker_environment=facts.pop("worker_environment", {"LC_ALL": "C"}),
    )
    events = [Event(name="end", at=START, reason=ended)] if ended else []
    seen = [one for several in workers for one in several]
    return Run(header=header, workers=seen, events=events, **{"sha256": {}} | facts)
