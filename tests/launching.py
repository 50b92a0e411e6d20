"""Starts one worker on a script or a model, as a run does."""

from __future__ import annotations

from pathlib import Path

from profiler.measure.launch import Seen, job, run_worker
from profiler.runfile import Case, Workload
from tests.run_builder import build, case, text

BUILD = build("model")
SCRIPTED = case("r1", engine="scripted", workload=text(prompt=8, output=4))


def scripted(workload: Workload) -> Case:
    return case("r1", engine="scripted", workload=workload)


def launch(
    path: Path,
    case: Case = SCRIPTED,
    *,
    mode: str = "measure",
    round_number: int = 0,
    passes: int = 1,
    stall_s: float = 20,
    sustained_s: float = 0,
    strict: bool = False,
) -> Seen:
    order = job(
        case,
        BUILD,
        path,
        mode=mode,
        round_number=round_number,
        passes=passes,
        seed=1,
        sustained_s=sustained_s,
        strict=strict,
    )
    return run_worker(order, case.workload, stall_s, lambda _pass, _tokens: None)
