"""What the memory of one worker is for: parts that add up to its proportional set size (PSS) and what is swapped out.

All parts are those of one moment, the phase in which PSS was largest. Nothing is counted twice: weights are what is
mapped of the build's files, as the kernel sees it, and what the engine holds beside them, repacked copies among them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from msgspec.structs import replace

from profiler.analyse import said
from profiler.runfile import Memory, Worker

Formula = Callable[[Worker], float | None]


def accounted(workers: Sequence[Worker]) -> list[Worker]:
    """The workers of one case, each with the account that its engine gave once for all of them."""
    account = next((worker.account for worker in workers if worker.account is not None), None)
    return [replace(worker, account=account) if worker.account is None else worker for worker in workers]


def fullest(worker: Worker) -> Memory | None:
    """The memory at the end of the phase in which PSS was largest."""
    read = [phase.memory for phase in worker.phases if phase.memory.pss_bytes is not None]
    return max(read, key=lambda memory: memory.pss_bytes or 0, default=None)


def at(worker: Worker, phase_name: str) -> Memory | None:
    """The memory at the end of one phase."""
    return next((phase.memory for phase in worker.phases if phase.name == phase_name), None)


def _of(read: Callable[[Worker], Memory | None], field: Callable[[Memory], int | None]) -> Formula:
    def value(worker: Worker) -> float | None:
        memory = read(worker)
        return field(memory) if memory else None

    return value


pss = _of(fullest, lambda memory: memory.pss_bytes)
private = _of(fullest, lambda memory: memory.anon_bytes)
of_files = _of(fullest, lambda memory: memory.file_bytes)
shared = _of(fullest, lambda memory: memory.shmem_bytes)
mapped = _of(fullest, lambda memory: memory.build_bytes)
freed = _of(fullest, lambda memory: memory.freed_bytes or 0)


swapped = _of(fullest, lambda memory: memory.swapped_bytes)


def _used(memory: Memory) -> int | None:
    """Anonymous memory, swapped out or not, without what was freed and is only kept by the C library."""
    if memory.anon_bytes is None:
        return None
    return memory.anon_bytes + (memory.swapped_bytes or 0) - (memory.freed_bytes or 0)


used = _of(fullest, _used)
used_loaded = _of(lambda worker: at(worker, "loaded"), _used)
used_before = _of(lambda worker: at(worker, "before_load"), _used)


def code(worker: Worker) -> float | None:
    """PSS of mapped files other than the build's: programs and libraries."""
    memory = fullest(worker)
    if memory is None or memory.file_bytes is None or memory.build_bytes is None:
        return None
    return memory.file_bytes - memory.build_bytes


def held(worker: Worker) -> float | None:
    """What the engine holds for weights beside the mapped file: by its own words, or by its account."""
    told = said.number(worker.facts or {}, "held_weights_bytes")
    return told if told is not None else worker.account.held_weights_bytes if worker.account else None


def kv_in_process(worker: Worker) -> float | None:
    """The KV cache, without what of it lies on a device; 0 where it grows with the context and no prompt came yet."""
    facts = worker.facts or {}
    if _grows(worker) and fullest(worker) in (at(worker, "before_load"), at(worker, "loaded")):
        return 0
    whole = said.number(facts, "kv_bytes")
    return None if whole is None else whole - (said.number(facts, "device_kv_bytes") or 0)


def _grows(worker: Worker) -> bool:
    return (worker.facts or {}).get("kv_in_place") is False


def kv_late(worker: Worker) -> float | None:
    """The KV cache where it is not there when loading ends, but grows with the context; else 0."""
    return kv_in_process(worker) if _grows(worker) else 0


def bookkeeping(worker: Worker) -> float:
    """Vocabulary, metadata and graph by the engine's account; 0 where it gives none: they are then unexplained."""
    return (worker.account.bookkeeping_bytes or 0) if worker.account else 0


def reserved(worker: Worker) -> float | None:
    """What the engine set aside for computing: by its own words, or by its account."""
    told = said.number(worker.facts or {}, "compute_bytes")
    return told if told is not None else worker.account.held_compute_bytes if worker.account else None


def weights(worker: Worker) -> float | None:
    """Mapped weights that are in memory, and what is held beside them."""
    return total([mapped(worker), held(worker)])


def compute(worker: Worker) -> float | None:
    """What memory in use grew by while it computed: touched buffers, graphs, candidates of the sampler."""
    now, loaded, late = used(worker), used_loaded(worker), kv_late(worker)
    return None if now is None or loaded is None or late is None else max(0, now - loaded - late)


def runtime(worker: Worker) -> float | None:
    """The process without the model's numbers: interpreter, libraries, vocabulary and graph, freed memory kept."""
    return total([used_before(worker), code(worker), bookkeeping(worker), freed(worker)])


def unexplained(worker: Worker) -> float | None:
    """PSS and what is swapped out, less all their parts; negative where they claim more than is there."""
    explained = total([part(worker) for part in (weights, kv_in_process, compute, runtime)])
    whole = pss(worker)
    return None if whole is None or explained is None else whole + (swapped(worker) or 0) - explained


def total(parts: Sequence[float | None]) -> float | None:
    """All parts together; None where one is not known, or where no number holds as much."""
    known = [part for part in parts if part is not None]
    together = sum(known)
    return together if len(known) == len(parts) and math.isfinite(together) else None
