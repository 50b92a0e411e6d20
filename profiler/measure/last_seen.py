"""How far a worker had come when it was ended at its limit of memory, and what it took when last seen."""

from __future__ import annotations

from msgspec.structs import replace

from profiler.measure.endings import KILLED
from profiler.measure.launch import Seen
from profiler.runfile import Failure, MemoryLimit, Pass

_MOMENTS = {
    "before_load": "after the import",
    "loaded": "after loading",
    "after_prefill": "after the first prompt",
    "after_decode": "after the last pass",
}


def at_the_limit(seen: Seen) -> Failure | None:
    """The worker's failure; one that the limit explains says at which limit, in what, and the last figure."""
    failure, limit = seen.failure, seen.limit
    if failure is None or limit is None:
        return failure
    where = f"at its limit of {limit.bytes / 2**20:.0f} MiB {stage(seen)}; {_last(seen)}"
    if _killed(failure, limit):
        return Failure(kind="out_of_memory", message=f"{KILLED} {where}")
    if failure.kind == "timeout" or (failure.kind == "out_of_memory" and failure.message != KILLED):
        return replace(failure, message=f"{failure.message}, {where}")
    return failure


def _killed(failure: Failure, limit: MemoryLimit) -> bool:
    """By the kernel at this limit; a kill that its group did not count was for want of memory of the machine."""
    if limit.oom_kills is None:
        return failure.message == KILLED
    return limit.oom_kills > 0 and failure.kind in ("crashed", "out_of_memory")


def stage(seen: Seen) -> str:
    """What the worker was doing at its end, by what it had told and stamped until then."""
    if seen.import_ms is None:
        return "before its engine was imported"
    if seen.load_ms is None:
        return "while it loaded the model"
    if not any(phase.name == "after_prefill" for phase in seen.phases):
        return "in the first prompt"
    last = seen.passes[-1] if seen.passes else None
    if last is None or last.number == 0:
        return "while it warmed up"
    return _in_pass(last)


def _in_pass(last: Pass) -> str:
    if last.counters is not None:
        return f"after pass {last.number}"
    if not last.token_ns:
        return f"in the prompt of pass {last.number}"
    return f"in pass {last.number} after token {len(last.token_ns)}"


def _last(seen: Seen) -> str:
    """The worker's memory at the end of the last phase it told of."""
    for phase in reversed(seen.phases):
        known = phase.memory.pss_bytes or phase.memory.rss_bytes
        if known is not None:
            return f"last seen: {known / 2**20:.0f} MiB {_MOMENTS.get(phase.name, phase.name)}"
    return "it was not seen before that"
