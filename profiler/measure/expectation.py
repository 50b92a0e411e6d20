"""How long a run will take, before anything has been measured: rough, and said to be."""

from __future__ import annotations

from collections.abc import Mapping

from profiler.measure.stop import fewest_rounds, planned_rounds
from profiler.measure.worker import WARM_UP_TOKENS
from profiler.runfile import Build, Case, Plan, is_simulated

BYTES_PER_S = 10e9
"""Memory traffic assumed for decoding: between a Raspberry Pi 5 (9.8 GB/s) and an Apple M2 (84 GB/s;
published results, collected 2026-11-22)."""

OPERATIONS_PER_S = 60e9
"""Arithmetic assumed for a prompt, two operations for each parameter and token."""

START_S = 1.5
"""A quiet moment, the interpreter, the library."""


def case_seconds(case: Case, build: Build, passes: int) -> float:
    """Seconds that one worker of this case may take."""
    workload = case.workload
    read = build.read_bytes_per_token or build.size_bytes
    token_s = read / BYTES_PER_S
    prompt_s = 2 * (build.parameters or read) * (workload.prompt_tokens + workload.depth) / OPERATIONS_PER_S
    load_s = build.size_bytes / BYTES_PER_S
    decoded = passes * workload.output_tokens + min(WARM_UP_TOKENS, workload.output_tokens)
    return START_S + load_s + (passes + 1) * prompt_s + decoded * token_s


def run_seconds(plan: Plan) -> tuple[float, float]:
    """The shortest and the longest time that the run may take, in seconds."""
    builds: Mapping[str, Build] = {build.id: build for build in plan.builds}
    one_round = sum(
        case_seconds(case, builds[case.build], plan.passes if not plan.sustained_s else 0) + plan.sustained_s
        for case in plan.cases
        if not is_simulated(case)
    )
    shortest = min(planned_rounds(plan), plan.checkpoints[0] if plan.rounds is None else planned_rounds(plan))
    least = fewest_rounds(plan) * one_round
    longest = max(least, min(planned_rounds(plan) * one_round, plan.max_time_s + one_round))
    return min(shortest * one_round, longest), longest
