"""One session of two cases on a simulated machine, through edgeprof's own rounds, rules and verdicts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean
from typing import Protocol

import msgspec
from msgspec.structs import replace

from bench.simulation.machines import Machine, Moment, Work
from profiler.analyse.study import Study
from profiler.cli.judging import judges, so_far
from profiler.measure.course import Course, Visit
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
    Pass,
    Plan,
    Run,
    Worker,
    Workload,
)

QUIET_WAIT_S, LOAD_S = 0.6, 1.5
PARTS_S = {"text": (0.25, 0.75), "raw": (0.0, 1.0)}
"""Prompt and answer of a pass on a machine at its usual speed: a second in all, as in section 5 of the noise study."""

TOKENS, WARM_UP_SHARE = 3, 0.125
"""The warm-up is 16 of the 128 tokens of a real answer; three stamps carry its speed as well as 128 would."""

WITHIN, MAX_TIME_S = 0.02, 600.0
"""What `edgeprof run` takes where nothing else is asked and cases are compared: it stops when all are decided."""

OUT_OF_REACH, NO_LIMIT_S = 1e-9, 1e6
"""A precision that no session has, and more time than any takes: it goes through all looks."""

CORES = 2
SHARE_SEEN, SHARE_UNSEEN = 0.25, 0.01
"""Others' share of the CPU in a pass that the counters show to be disturbed, and in one that they do not."""

CHAT = Workload(id="chat", method="text", prompt_tokens=128, output_tokens=TOKENS)
TG = Workload(id=f"tg{TOKENS}", method="raw", prompt_tokens=0, output_tokens=TOKENS)
BASE, CANDIDATE = "base", "candidate"


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A session that is over: what it recorded, why it stopped, and after how long by its own clock.

    `usual` is the log of how slow the machine was during it: the mean over its work, of drift and heat, and of
    the process effect in the long run. Bursts are no part of it. None where it is not known.
    """

    run: Run
    reason: str
    seconds: float
    usual: float | None = None

    @property
    def rounds(self) -> int:
        """How many rounds were measured."""
        return len({worker.round for worker in self.run.workers})

    def study(self, rounds: int | None = None) -> Study:
        """The run as reports start from it, or as it was after so many rounds."""
        kept = [w for w in self.run.workers if rounds is None or w.round < rounds]
        return Study(replace(self.run, workers=kept))


def planned(
    workload: Workload,
    seed: int,
    *,
    rounds: int | None = None,
    to_the_end: bool = False,
    max_time_s: float = MAX_TIME_S,
    names: Sequence[str] = (BASE, CANDIDATE),
    anchors: Sequence[str] = (),
) -> Plan:
    """The plan of `edgeprof run A B`, its defaults unless said otherwise; `to_the_end` stops at no look."""
    builds = [Build(id=name, name=name, format="gguf", size_bytes=1) for name in (*names, *anchors)]
    return Plan(
        builds=builds,
        cases=[
            Case(id=b.id, build=b.id, engine="simulated", target="cpu", settings={}, workload=workload)
            for b in builds
        ],
        seed=seed,
        passes=3,
        rounds=rounds,
        within=OUT_OF_REACH if to_the_end else WITHIN,
        max_time_s=NO_LIMIT_S if to_the_end else max_time_s,
        stall_s=300,
        checkpoints=CHECKPOINTS,
        until_decided=not to_the_end,
        anchors=list(anchors),
    )


class Clock(Protocol):
    """Whatever knows how late it is."""

    now_s: float


def headed(plan: Plan) -> Header:
    """The header of a simulated run."""
    return Header(
        type="header",
        schema=SCHEMA,
        run_id="0" * 16,
        edgeprof="0",
        started=_at(0.0),
        plan=plan,
        device=Device(id="simulated", name="simulated", cores=CORES),
        environment={"cpus_total": CORES},
        worker_environment={},
    )


def simulated(machine: Machine, plan: Plan, effect: float, seed: int, *, shift: float = 1.0) -> Session:
    """A session on this machine: the candidate takes `effect` times as long as the base, all `shift` times."""
    moment = Moment(machine, seed)

    def visit(case: Case, round_number: int, attempt: int, position: int) -> Worker:
        factor = shift * (effect if case.id == CANDIDATE else 1.0)
        return worker(moment, plan.passes, case, factor, (round_number, attempt, position))

    session = gone(headed(plan), visit, moment)
    return replace(session, usual=fmean(moment.conditions) + machine.usual_process)


def gone(header: Header, visit: Visit, clock: Clock) -> Session:
    """The session that edgeprof makes of these visits."""
    course = Course(header.plan, judges(header), visit, lambda: clock.now_s)
    reason = course.go()
    end = Event(name="end", at=_at(clock.now_s), reason=reason)
    run = replace(so_far(header, course.workers), events=[end])
    return Session(run=run, reason=reason, seconds=clock.now_s)


def blocks_of(machine: Machine, plan: Plan, each: int, seed: int) -> list[list[Worker]]:
    """The processes of a session that measures one case to its end before it starts the other."""
    moment = Moment(machine, seed)
    return [[worker(moment, plan.passes, case, 1.0, (k, 0, 0)) for k in range(each)] for case in plan.cases]


def worker(moment: Moment, passes: int, case: Case, factor: float, place: tuple[int, int, int]) -> Worker:
    """One process: a quiet moment, loading, a warm-up, passes."""
    round_number, attempt, position = place
    moment.wait(QUIET_WAIT_S)
    started, slowness = _at(moment.now_s), moment.process() + math.log(factor)
    moment.wait(LOAD_S)
    return Worker(
        case=case.id,
        round=round_number,
        attempt=attempt,
        position=position,
        started=started,
        load_ms=LOAD_S * 1e3,
        passes=[_pass(moment, number, case.workload, slowness) for number in range(passes + 1)],
        ended=_at(moment.now_s),
    )


def _pass(moment: Moment, number: int, workload: Workload, slowness: float) -> Pass:
    """Prompt and answer; the warm-up (number 0) stops early."""
    began_s, share = moment.now_s, WARM_UP_SHARE if number == 0 else 1.0
    prefill_s, decode_s = PARTS_S[workload.method]
    prefill, decode = moment.work(prefill_s, slowness), moment.work(share * decode_s, slowness)
    done = stamped(workload, prefill.took_s, decode.took_s)
    return replace(done, number=number, start_ns=_ns(began_s), counters=_counters(moment, prefill, decode))


def stamped(workload: Workload, prefill_s: float, decode_s: float) -> Pass:
    """The stamps of a pass that took so long. A text's first token comes with the end of the prompt."""
    text = workload.method == "text"
    gaps = TOKENS - 1 if text else TOKENS
    return Pass(
        number=1,
        start_ns=0,
        evaluated_ns=_ns(prefill_s) if text else None,
        token_ns=[_ns(prefill_s + decode_s * k / gaps) for k in range(0 if text else 1, gaps + 1)],
    )


def _counters(moment: Moment, *parts: Work) -> Counters:
    """The CPU time of others in a pass: seen as often as it was measured to be, and by chance."""
    took_s = sum(part.took_s for part in parts)
    seen = moment.seen(took_s / sum(part.undisturbed_s for part in parts))
    wall_ns = _ns(took_s)
    foreign_ns = round((SHARE_SEEN if seen else SHARE_UNSEEN) * CORES * wall_ns)
    return Counters(wall_ns=wall_ns, own_cpu_ns=CORES * wall_ns, busy_ns=CORES * wall_ns + foreign_ns)


def _at(seconds: float) -> Anchor:
    return Anchor(wall_ns=_ns(seconds), mono_ns=_ns(seconds))


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)
