"""What a reader must know about a row or a run: what was seen, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from profiler.analyse import said
from profiler.analyse.amounts import amount, number, percent
from profiler.analyse.comparison import Comparison
from profiler.analyse.intrusion import unjudged
from profiler.analyse.memory import fullest
from profiler.analyse.metrics import METRICS, NS_PER_MS
from profiler.analyse.plural import plural
from profiler.analyse.profiled import RowProfile, disturbed
from profiler.analyse.residual import RowPrediction, far_outside, told_range
from profiler.analyse.samples import Samples
from profiler.analyse.stalls import TIMES_MEDIAN, WORTH_TELLING, stalls
from profiler.analyse.statistics import corrected_level, fewest_for_verdict
from profiler.analyse.study import Study
from profiler.analyse.verdict import Verdict
from profiler.runfile import Build, Case, MemoryLimit, Run, Worker

MANY_MAJOR_FAULTS = 100
SHARED_BYTES = 2**20

LONGEST_SENTENCE = 300
"""Of what an engine says of itself, which may be of any length."""

SLOWER = (
    "was something else running, or is it throttled? `edgeprof doctor` tells; if it stays so, calibrate anew by "
    "`edgeprof calibrate`"
)
FASTER = "this machine is faster than when it was calibrated: calibrate anew by `edgeprof calibrate`"


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """A code for scripts, what was seen, and advice; `seen` and `advice` are sentences."""

    code: str
    seen: str
    advice: str


def row_notices(study: Study, case: Case) -> list[Notice]:
    """The notices of one measured case."""
    build, found, workers = study.builds[case.build], study.samples[case.id], study.workers[case.id]
    candidates = [
        None if study.plan.sustained_s else _few_rounds(found, workers, study.level),
        _disturbed(found),
        _unjudged(found),
        _failed(workers),
        _fell_back(workers),
        _not_cold(workers) if study.plan.cold else None,
        _limit_not_full(workers),
        _unsteady_output(found),
        _paging(found, limited=study.plan.memory_limit_bytes is not None),
        _shared(workers),
        _stalls(found),
        _beyond_context(case, build),
        _disagrees(build),
    ]
    return [notice for notice in candidates if notice is not None]


def _few_rounds(found: Samples, workers: Sequence[Worker], level: float) -> Notice | None:
    rounds, needed = len(found.passes), fewest_for_verdict(level)
    if rounds >= needed:
        return None
    made = len({worker.round for worker in workers})
    shown = f"{rounds} of {made} rounds count" if made > rounds else plural(rounds, "round")
    more = "use a quieter machine" if made >= needed else f"give --max-time more, or --processes {needed}"
    return Notice(
        code="provisional",
        seen=f"{shown}: the intervals are provisional",
        advice=f"they hold from {needed} rounds on: {more}",
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
    parts = [f"{count} {why}" for why, count in found.left_out.items()]
    return Notice(
        code="passes_excluded",
        seen=f"left out: {plural(found.excluded, 'pass')} ({', '.join(parts)})",
        advice="the run file keeps them, and `edgeprof explain` shows why",
    )


def _unjudged(found: Samples) -> Notice | None:
    passes = [done for several in found.passes.values() for done in several]
    if not passes or not all(map(unjudged, passes)):
        return None
    return Notice(
        code="intrusion_unknown",
        seen="whether others disturbed these passes cannot be told: they are shorter than 0.3 s, or this "
        "system does not count it",
        advice="a longer answer (-n) can be judged where the kernel counts",
    )


def _failed(workers: Sequence[Worker]) -> Notice | None:
    failures = [worker.failure for worker in workers if worker.failure is not None]
    if not failures:
        return None
    return Notice(
        code="some_failed",
        seen=f"{len(failures)} of {len(workers)} workers failed: {failures[-1].message}",
        advice="the figures are those of the workers that finished",
    )


def _fell_back(workers: Sequence[Worker]) -> Notice | None:
    loaded = [said.text(worker.facts, "fell_back") for worker in workers if worker.facts is not None]
    told = [sentence for sentence in loaded if sentence]
    if not told:
        return None
    where = "" if len(told) == len(loaded) else f"{len(told)} of {plural(len(loaded), 'worker')}: "
    return Notice(
        code="fell_back",
        seen=f"{where}{told[-1][:LONGEST_SENTENCE]}",
        advice="the figures are those of what really ran: check what the engine was built with and what it supports; "
        "with --strict such a case fails",
    )


def _not_cold(workers: Sequence[Worker]) -> Notice | None:
    asked = [worker for worker in workers if worker.evicted is not None]
    warm = [worker.not_evicted for worker in asked if not worker.evicted]
    if not warm:
        return None
    return Notice(
        code="not_cold",
        seen=f"{len(warm)} of {plural(len(asked), 'start')} {'was' if len(warm) == 1 else 'were'} not cold: the build "
        f"was not evicted: {warm[-1]}",
        advice="only cold starts enter the cold figures",
    )


def _limit_not_full(workers: Sequence[Worker]) -> Notice | None:
    """The kernel charges a page of a file to whoever read it first, and that was not these workers."""
    limited = [(worker, worker.limit) for worker in workers if worker.limit is not None]
    spared = [why for worker, limit in limited if (why := _uncounted(worker, limit)) is not None]
    if not spared:
        return None
    return Notice(
        code="limit_not_full",
        seen=f"{len(spared)} of {plural(len(limited), 'worker')} may have used pages of the build that do not count "
        f"against the limit of memory: {spared[-1]}",
        advice="in so much memory it may be slower than here, or not run at all",
    )


def _uncounted(worker: Worker, limit: MemoryLimit) -> str | None:
    """Why pages of the build may have been used for free; None where nothing hints at it."""
    if not worker.evicted:
        return f"the build was not evicted: {worker.not_evicted}"
    read = [phase.memory for phase in worker.phases]
    held = [(memory.anon_bytes or 0) + (memory.build_rss_bytes or 0) for memory in read]
    if worker.other_mappers or max(held, default=0) > limit.bytes:
        return "another program read the same file meanwhile; stop it, and run again"
    return None


def _unsteady_output(found: Samples) -> Notice | None:
    outputs = {done.output_sha256 for passes in found.passes.values() for done in passes}
    if len(outputs) < 2:
        return None
    return Notice(
        code="output_differs",
        seen=f"greedy generation gave {len(outputs)} different answers to one prompt",
        advice="the engine is not deterministic with these settings; speeds stand, texts differ",
    )


def _paging(found: Samples, *, limited: bool) -> Notice | None:
    faults = [d.counters.major_faults or 0 for passes in found.passes.values() for d in passes if d.counters]
    if max(faults, default=0) < MANY_MAJOR_FAULTS:
        return None
    return Notice(
        code="paging",
        seen=f"the process waited up to {max(faults)} times in one pass for pages from the disk",
        advice="the model does not stay in memory under this limit; the disk of this machine sets the speed"
        if limited
        else "the model does not stay in memory here; this is how it runs on this device",
    )


def _shared(workers: Sequence[Worker]) -> Notice | None:
    """Mapped pages are divided among all that map them: PSS then tells less than this process alone would take."""
    names = sorted({name for worker in workers for name in worker.other_mappers or []})
    halved = [(m.build_rss_bytes or 0) - (m.build_bytes or 0) for w in workers for m in [fullest(w)] if m]
    most = max(halved, default=0)
    if not names and most < SHARED_BYTES:
        return None
    who = f"{', '.join(names[:4])} mapped" if names else "others mapped"
    return Notice(
        code="shared_file",
        seen=f"{who} the build's file as well, so up to {most / 2**20:.0f} MiB of it are not in PSS",
        advice="peak memory has them; for PSS stop what else has loaded this file",
    )


def _stalls(found: Samples) -> Notice | None:
    seen = stalls(found)
    if seen is None or seen.share < WORTH_TELLING:
        return None
    return Notice(
        code="stalls",
        seen=f"{seen.count} of {plural(seen.gaps, 'gap')} between tokens took more than {TIMES_MEDIAN} times the "
        f"median, {100 * seen.share:.0f}% of the time in all; the longest {seen.longest_ns / NS_PER_MS:.0f} ms "
        f"before token {seen.token} of pass {seen.number} in round {seen.round}",
        advice="the headline is a median and does not show them: look at the percentiles of the gaps",
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


def _disagrees(build: Build) -> Notice | None:
    if build.agreement is None or not build.agreement.failures:
        return None
    return Notice(
        code="disagrees",
        seen=f"{build.name} does not agree with the file it was made from: {build.agreement.failures[0]}",
        advice="its speed is not that of the same model; build it again, and report it if it stays so",
    )


def unlike_prediction(told: RowPrediction | None) -> list[Notice]:
    """A notice where a figure lies far outside of what this machine's calibration had led to expect."""
    far = far_outside(told) if told is not None else None
    if told is None or far is None:
        return []
    metric, one = METRICS[far[0]], far[1]
    measured = one.measured or 0.0
    worse = (measured > one.predicted) is not metric.higher_is_better
    word = ("longer" if worse else "shorter") if one.unit == "ms" else ("slower" if worse else "faster")
    off = percent(abs(measured / one.predicted - 1))
    return [
        Notice(
            code="unlike_prediction",
            seen=f"{metric.label} is {off} {word} than predicted: {amount(measured, one.unit)}, not "
            f"{number(one.predicted)} ({told_range(one)}) by {told.source[:LONGEST_SENTENCE]}",
            advice=SLOWER if worse else FASTER,
        )
    ]


def of_profile(found: RowProfile | None) -> list[Notice]:
    """A notice where a case could not be profiled, or others must have been at work while it was."""
    if found is not None and found.reason is not None:
        advice = "the figures stand without; run it with --profile again"
        return [Notice(code="not_profiled", seen=f"not profiled: {found.reason}", advice=advice)]
    phase = disturbed(found) if found is not None else None
    if phase is None or phase.measured_ms is None:
        return []
    return [
        Notice(
            code="profile_disturbed",
            seen=f"the profile was disturbed: {phase.phase} took {number(phase.plain_ms)} ms there although nothing "
            f"watched it, and {number(phase.measured_ms)} ms in the rounds",
            advice="its shares may be those of the disturbance; profile again while nothing else runs",
        )
    ]


def run_notices(run: Run, comparisons: Sequence[Comparison], level: float) -> list[Notice]:
    """The notices of the run as a whole. `level` is that of one interval, before it is corrected."""
    candidates = [
        _torn(run),
        _unfinished(run),
        _not_within(run, comparisons),
        _too_few_to_judge(run, comparisons, level),
        _cold_in_vm(run),
    ]
    return [notice for notice in candidates if notice is not None]


def _torn(run: Run) -> Notice | None:
    if not run.torn:
        return None
    return Notice(
        code="torn",
        seen="the last line of the run file is cut short and was left out",
        advice="the figures are those of the lines before it",
    )


def _unfinished(run: Run) -> Notice | None:
    if run.ended is not None:
        return None
    return Notice(
        code="unfinished",
        seen="the run did not reach its planned stop, so nothing is judged",
        advice="go on with --resume",
    )


def _too_few_to_judge(run: Run, comparisons: Sequence[Comparison], level: float) -> Notice | None:
    """Many comparisons at once need more rounds than few."""
    judged = [item for item in comparisons if item.metric is not None]
    if run.ended is None or not any(item.provisional for item in judged):
        return None
    if run.header.plan.sustained_s:
        return Notice(
            code="sustained_not_judged",
            seen="each case had one long process, so nothing is judged",
            advice="compare cases in a run without --sustained",
        )
    needed = fewest_for_verdict(corrected_level(level, len(judged)))
    rounds = min(item.pairs for item in judged)
    return Notice(
        code="too_few_rounds",
        seen=f"{plural(len(judged), 'comparison')} at once take {needed} rounds for a verdict, not {rounds}",
        advice=f"compare fewer cases, or give --processes {needed}",
    )


def _cold_in_vm(run: Run) -> Notice | None:
    hypervisor = said.text(run.header.environment, "hypervisor")
    if not run.header.plan.cold or hypervisor in (None, "none"):
        return None
    return Notice(
        code="cold_in_vm",
        seen=f"cold starts inside {hypervisor}: the host may keep the files in its own memory",
        advice="a disk that is really read is slower: take the cold figures on the device itself",
    )


def _not_within(run: Run, comparisons: Sequence[Comparison]) -> Notice | None:
    plan, ended = run.header.plan, run.ended
    judged = [item.verdict for item in comparisons if item.metric is not None]
    deciding = plan.until_decided and bool(judged)
    if deciding and Verdict.UNDECIDED not in judged:
        return None
    if plan.rounds is not None or ended is None or ended.reason not in ("max_time", "rounds"):
        return None
    why = "the time was up" if ended.reason == "max_time" else "all rounds were used"
    if deciding:
        return Notice(
            code="target_not_reached",
            seen=f"{why} before every comparison was decided",
            advice="what is undecided says how many rounds a fresh run would take; a quieter machine takes fewer",
        )
    return Notice(
        code="target_not_reached",
        seen=f"{why} before every headline interval was within {100 * plan.within:.3g}% of its value",
        advice="give it longer with --max-time, or a quieter machine",
    )
