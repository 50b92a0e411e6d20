"""What a reader must know about a row or a run: what was seen, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from profiler.analyse.samples import Samples
from profiler.analyse.statistics import FEWEST_FOR_SIGNED_RANK
from profiler.runfile import Build, Case, Failure, Run, Worker

MANY_MAJOR_FAULTS = 100


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """A code for scripts, what was seen, and advice; `seen` and `advice` are sentences."""

    code: str
    seen: str
    advice: str


def row_notices(
    case: Case, build: Build, found: Samples, failures: Sequence[Failure], workers: Sequence[Worker]
) -> list[Notice]:
    """The notices of one measured case."""
    candidates = [
        _few_rounds(found),
        _disturbed(found),
        _failed(failures, sum(worker.case == case.id for worker in workers)),
        _unsteady_output(found),
        _paging(found),
        _beyond_context(case, build),
    ]
    return [notice for notice in candidates if notice is not None]


def _few_rounds(found: Samples) -> Notice | None:
    rounds = len(found.passes)
    if rounds >= FEWEST_FOR_SIGNED_RANK:
        return None
    return Notice(
        code="provisional",
        seen=f"{rounds} rounds: the interval is provisional and carries no verdict",
        advice="give it more time with --max-time, or --processes 8",
    )


def _disturbed(found: Samples) -> Notice | None:
    if found.kept_although_disturbed:
        return Notice(
            code="disturbed",
            seen="other processes used this machine in nearly every pass; all passes are shown nevertheless",
            advice="close what `edgeprof doctor` lists and run again",
        )
    if not found.excluded:
        return None
    return Notice(
        code="passes_excluded",
        seen=f"{found.excluded} passes were disturbed by other processes and are left out",
        advice="they are kept in the run file",
    )


def _failed(failures: Sequence[Failure], workers: int) -> Notice | None:
    if not failures:
        return None
    return Notice(
        code="some_failed",
        seen=f"{len(failures)} of {workers} workers failed: {failures[-1].message}",
        advice="the figures are those of the workers that finished",
    )


def _unsteady_output(found: Samples) -> Notice | None:
    outputs = {done.output_sha256 for passes in found.passes.values() for done in passes}
    if len(outputs) < 2:
        return None
    return Notice(
        code="output_differs",
        seen=f"greedy generation gave {len(outputs)} different answers to one prompt",
        advice="the engine is not deterministic with these settings; speeds stand, texts differ",
    )


def _paging(found: Samples) -> Notice | None:
    faults = [d.counters.major_faults or 0 for passes in found.passes.values() for d in passes if d.counters]
    if max(faults, default=0) < MANY_MAJOR_FAULTS:
        return None
    return Notice(
        code="paging",
        seen=f"up to {max(faults)} pages were read from the disk in one pass",
        advice="the model does not stay in memory here; this is how it runs on this device",
    )


def _beyond_context(case: Case, build: Build) -> Notice | None:
    workload = case.workload
    tokens = workload.prompt_tokens + workload.output_tokens + workload.depth
    if build.context_length is None or tokens <= build.context_length:
        return None
    return Notice(
        code="beyond_context",
        seen=f"{tokens} tokens are more than the {build.context_length} the model was made for",
        advice="the speed is real, the text is not meaningful",
    )


def run_notices(run: Run) -> list[Notice]:
    """The notices of the run as a whole."""
    found = []
    if run.torn:
        found.append(
            Notice(
                code="torn",
                seen="the last line of the run file is cut short and was left out",
                advice="go on with --resume",
            )
        )
    if run.ended is None:
        found.append(
            Notice(
                code="unfinished",
                seen="the run did not reach its planned stop, so nothing is judged",
                advice="go on with --resume",
            )
        )
    elif run.ended.reason in ("max_time", "rounds") and run.header.plan.rounds is None:
        found.append(_not_within(run))
    return found


def _not_within(run: Run) -> Notice:
    plan = run.header.plan
    why = "the time was up" if run.ended and run.ended.reason == "max_time" else "all rounds were used"
    return Notice(
        code="target_not_reached",
        seen=f"{why} before every headline interval was within {plan.within:.3g} of its value",
        advice="--max-time gives it longer; a quieter machine does more",
    )
