"""Whether the parts of a run file speak of each other: what the types of its lines cannot say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from msgspec.structs import replace

from profiler.analyse.statistics import LOOKS
from profiler.errors import UserError
from profiler.runfile import MOST_ROUNDS, Case, Plan, Run, extrapolated_cases, is_simulated, shape_cases


def check(run: Run) -> None:
    """Raises `UserError` for a run whose lines contradict its plan: nothing can be computed from it."""
    plan = run.header.plan
    _refuse_twice("build", [build.id for build in plan.builds])
    _refuse_twice("case", [case.id for case in plan.cases])
    _refuse_twice("sensor", [sensor.id for sensor in run.header.sensors])
    _refuse_unknown("build", {case.build for case in plan.cases}, {build.id for build in plan.builds})
    _refuse_unknown("case", {worker.case for worker in run.workers}, {case.id for case in plan.cases})
    _refuse_unknown("case", set(plan.anchors), {case.id for case in plan.cases})
    predicted = [one.case for one in run.header.predictions]
    _refuse_twice("prediction", predicted)
    _refuse_unknown("case", set(predicted), {case.id for case in plan.cases})
    _refuse_timed_imitations(run)
    proven = [one.case for one in run.header.proofs]
    _refuse_twice("proof", proven)
    _refuse_unknown("case", set(proven), {case.id for case in plan.cases})
    profiled = [one.case for one in run.profiles]
    _refuse_twice("profile", profiled)
    _refuse_unknown("case", set(profiled), {case.id for case in plan.cases})
    _refuse_looks(plan)
    _refuse_bent_extrapolations(plan)
    if len({case.workload for case in plan.cases}) > len({case.workload.id for case in plan.cases}):
        raise UserError("the run file's plan means two different workloads by one name: it was altered")
    rounds = len({worker.round for worker in run.workers})
    if rounds > MOST_ROUNDS:
        raise UserError(f"the run file holds {rounds} rounds: at most {MOST_ROUNDS} are accepted")


def _refuse_timed_imitations(run: Run) -> None:
    imitated = {case.id for case in run.header.plan.cases if is_simulated(case)}
    timed = min((one.case for one in run.workers if one.case in imitated and one.passes), default=None)
    if timed is not None:
        raise UserError(
            f"the run file has passes of case {timed!r}, whose device is imitated and is never timed: it was altered"
        )


def _refuse_twice(what: str, ids: list[str]) -> None:
    twice = next((found for found, times in Counter(ids).items() if times > 1), None)
    if twice is not None:
        raise UserError(f"the run file has two {what}s {twice!r}: it was altered")


def _refuse_unknown(what: str, named: set[str], known: Iterable[str]) -> None:
    unknown = min(named.difference(known), default=None)
    if unknown is not None:
        raise UserError(
            f"the run file speaks of a {what} {unknown!r} that its plan does not have: it was altered"
        )


def _refuse_bent_extrapolations(plan: Plan) -> None:
    """Each row of a full model rests on one case of each of its shapes, asked the same with the same settings."""
    cases = {case.id: case for case in plan.cases}
    _refuse_twice("case", [*cases, *(case.id for case in extrapolated_cases(plan))])
    _refuse_twice("build", [*(build.id for build in plan.builds), *(e.full.id for e in plan.extrapolations)])
    _refuse_unknown("case", shape_cases(plan), set(cases).difference(plan.anchors))
    for whole in plan.extrapolations:
        builds = [shape.build for shape in whole.shapes]
        layers = [0, *(shape.layers for shape in whole.shapes), whole.layers]
        of_shapes = [[_as_of(cases[id], found.case) for id in found.shapes] for found in whole.cases]
        expected = [[replace(found.case, build=build) for build in builds] for found in whole.cases]
        named = {found.case.build for found in whole.cases} == {whole.full.id}
        if not named or of_shapes != expected or layers != sorted(set(layers)):
            raise UserError(
                f"the run file's extrapolation of {whole.full.id!r} does not fit its plan: it was altered"
            )


def _as_of(shape: Case, full: Case) -> Case:
    """The case of a shape under the id of the full model's, to be compared with it."""
    return replace(shape, id=full.id)


def _refuse_looks(plan: Plan) -> None:
    if plan.rounds is None and len(plan.checkpoints) not in LOOKS:
        raise UserError(
            f"the run file's plan has {len(plan.checkpoints)} checkpoints: {min(LOOKS)} to {max(LOOKS)} are accepted"
        )
