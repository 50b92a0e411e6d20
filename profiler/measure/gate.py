"""Before anything is measured: what each case will take, as its engine says, and whether it fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from profiler.engines.table import ENGINES
from profiler.errors import UserError
from profiler.measure.endings import printable
from profiler.measure.launch import Seen, job, run_worker
from profiler.runfile import Build, Case, Failure, Plan

RUNTIME_BYTES = 100 * 1024 * 1024
"""What a worker takes beside the model: interpreter and libraries (measured: see the README)."""

INSPECTION_STALL_S = 60.0


class Need(msgspec.Struct, frozen=True, kw_only=True):
    """The memory of one case in bytes, or why its engine refuses it; and a fall-back that shows before it is loaded."""

    bytes: int | None
    failure: Failure | None = None
    fell_back: str | None = None


def needs(plan: Plan, paths: Mapping[str, Path]) -> dict[str, Need]:
    """What each case takes, asked of its engine in a child process once for every distinct question.

    Raises `UserError` when an engine is not installed, or refuses a build with every setting asked for.
    """
    builds = {build.id: build for build in plan.builds}
    answers: dict[bytes, Need] = {}
    found = {}
    for case in plan.cases:
        question = _question(case)
        if question not in answers:
            answers[question] = _ask(case, builds[case.build], paths[case.build])
        found[case.id] = answers[question]
    _refuse_hopeless(plan.cases, found)
    return found


def _question(case: Case) -> bytes:
    settings = {name: value for name, value in case.settings.items() if name != "threads"}
    workload = case.workload
    asked = (workload.method, workload.prompt_tokens, workload.output_tokens, workload.depth)
    return msgspec.json.encode((case.build, case.engine, settings, asked))


def inspection(case: Case, build: Build, path: Path, **more: object) -> Seen:
    """What a worker saw that asked the engine about a build, and measured nothing; `more` is for the engine's module.

    Raises `KeyboardInterrupt` after Ctrl-C.
    """
    order = job(case, build, path, mode="inspect", round_number=0, passes=0, seed=0)
    seen = run_worker(order | more, case.workload, INSPECTION_STALL_S)
    if seen.interrupted:
        raise KeyboardInterrupt
    return seen


def _ask(case: Case, build: Build, path: Path) -> Need:
    seen = inspection(case, build, path)
    if seen.failure is not None or seen.facts is None:
        return Need(bytes=None, failure=seen.failure)
    sentence = seen.facts.get("fell_back")
    return Need(
        bytes=_total(seen.facts), fell_back=printable(sentence) if isinstance(sentence, str) else None
    )


def _total(facts: Mapping[str, Any]) -> int:
    parts = (facts.get(name) for name in ("weights_bytes", "kv_bytes", "compute_bytes"))
    return RUNTIME_BYTES + sum(part for part in parts if isinstance(part, int))


def _refuse_hopeless(cases: Sequence[Case], found: Mapping[str, Need]) -> None:
    for case in cases:
        failure = found[case.id].failure
        if failure is not None and failure.kind == "missing_library":
            extra = ENGINES[case.engine].extra
            raise UserError(
                f"engine {case.engine} is not installed ({failure.message}): pip install 'edgeprof[{extra}]'"
            )
    for build in dict.fromkeys(case.build for case in cases):
        failures = [found[case.id].failure for case in cases if case.build == build]
        first = failures[0]
        if first is not None and all(failures):
            raise UserError(f"{build} cannot be loaded: {first.message}")


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
