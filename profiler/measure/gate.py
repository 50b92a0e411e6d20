"""Before anything is measured: what each case will take, as its engine says, and whether it fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from profiler.engines.table import ENGINES
from profiler.errors import UserError
from profiler.measure.asking import THIS_MACHINE, Asking, is_here
from profiler.measure.endings import printable
from profiler.measure.launch import Seen, job
from profiler.runfile import Build, Case, Failure, Plan

RUNTIME_BYTES = 100 * 1024 * 1024
"""What a worker takes beside the model: interpreter and libraries (measured: see the README)."""

INSPECTION_STALL_S = 60.0


class Need(msgspec.Struct, frozen=True, kw_only=True):
    """The memory of one case in bytes, or why its engine refuses it; and a fall-back that shows before it is loaded."""

    bytes: int | None
    failure: Failure | None = None
    fell_back: str | None = None


def needs(plan: Plan, paths: Mapping[str, Path], asking: Asking = THIS_MACHINE) -> dict[str, Need]:
    """What each case takes, asked of its engine in a child process once for every distinct question.

    A board is asked only for what this machine cannot know, since it needs the build for that.
    Raises `UserError` when an engine is not installed, or refuses a build with every setting asked for.
    """
    builds = {build.id: build for build in plan.builds}
    answers: dict[bytes, Need] = {}
    found = {}
    for case in plan.cases:
        question = _question(case)
        if question not in answers:
            answers[question] = _need(case, builds[case.build], paths[case.build], asking)
        found[case.id] = answers[question]
    _refuse_hopeless(plan.cases, found, asking)
    return found


def _need(case: Case, build: Build, path: Path, asking: Asking) -> Need:
    """This machine knows it too if it has the engine, and no device is asked for."""
    if asking.board is not None and case.route is None and is_here(case.engine):
        told = _ask(case, build, path, THIS_MACHINE)
        if not _lacks_its_library(told):
            return told
    return _ask(case, build, path, asking)


def _lacks_its_library(need: Need) -> bool:
    return need.failure is not None and need.failure.kind == "missing_library"


def _question(case: Case) -> bytes:
    settings = {name: value for name, value in case.settings.items() if name != "threads"}
    workload = case.workload
    asked = (workload.method, workload.prompt_tokens, workload.output_tokens, workload.depth)
    return msgspec.json.encode((case.build, case.engine, settings, case.route, asked))


def inspection(case: Case, build: Build, path: Path, asking: Asking = THIS_MACHINE, **more: object) -> Seen:
    """What a worker saw that asked the engine about a build, and measured nothing; `more` is for the engine's module.

    Raises `KeyboardInterrupt` after Ctrl-C.
    """
    order = job(case, build, path, mode="inspect", round_number=0, passes=0, seed=0)
    seen = asking.run(order | more, case.workload, INSPECTION_STALL_S)
    if seen.interrupted:
        raise KeyboardInterrupt
    return seen


def _ask(case: Case, build: Build, path: Path, asking: Asking) -> Need:
    seen = inspection(case, build, path, asking)
    if seen.failure is not None or seen.facts is None:
        return Need(bytes=None, failure=seen.failure)
    sentence = seen.facts.get("fell_back")
    return Need(
        bytes=_total(seen.facts), fell_back=printable(sentence) if isinstance(sentence, str) else None
    )


def _total(facts: Mapping[str, Any]) -> int:
    parts = (facts.get(name) for name in ("weights_bytes", "kv_bytes", "compute_bytes"))
    return RUNTIME_BYTES + sum(part for part in parts if isinstance(part, int))


def _refuse_hopeless(cases: Sequence[Case], found: Mapping[str, Need], asking: Asking) -> None:
    for case in cases:
        failure = found[case.id].failure
        if failure is not None and failure.kind == "missing_library":
            raise UserError(_not_installed(case.engine, failure.message, asking))
    for build in dict.fromkeys(case.build for case in cases):
        failures = [found[case.id].failure for case in cases if case.build == build]
        first = failures[0]
        if first is not None and all(failures):
            raise UserError(f"{build} cannot be loaded: {first.message}")


def _not_installed(engine: str, said: str, asking: Asking) -> str:
    if asking.board is not None:
        return f"engine {engine} cannot be used on board {asking.board}: {said}"
    return f"engine {engine} is not installed ({said}): pip install 'edgeprof[{ENGINES[engine].extra}]'"


def refusal(need: Need, available: int, build: Build, *, force: bool, strict: bool = False) -> Failure | None:
    """Why a case will not be measured: its engine refuses it, it does not fit into `available` bytes, or, if that is
    `strict`, it would fall back."""
    if need.bytes is None:
        return need.failure
    if strict and need.fell_back:
        return Failure(kind="fell_back", message=need.fell_back)
    if need.bytes <= available or force:
        return None
    return Failure(
        kind="out_of_memory",
        message=(
            f"{build.name} needs {_gib(need.bytes)} and {_gib(available)} are free: "
            "choose a smaller quantization or context, or try it with --force"
        ),
    )


def _gib(count: int) -> str:
    return f"{count / 2**30:.2f} GiB"
