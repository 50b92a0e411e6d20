"""What the symbols of a metric's formula stand for, and their values in one pass, one worker or one build.

Times are ms after s, memory is in bytes. A symbol is one number, or several by name: memory by phase, gaps by the
number of the token that ends each. What was not recorded has no entry.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from profiler.analyse import memory, said
from profiler.analyse.bandwidth import kv_element_bytes
from profiler.analyse.estimate import Estimate
from profiler.analyse.gaps import gaps_ns, numbered, tenth
from profiler.analyse.metrics import NS_PER_MS
from profiler.analyse.spent import Spent
from profiler.runfile import Build, Case, Device, Pass, Worker, Workload

Symbol = float | dict[str, float]

_AT, _ENGINE = "at the end of each phase", "as the engine says"
_OF_PASSES = "of each counted pass"
_FULLEST = "at the phase where Pss was largest"
_USED = "Pss_Anon and SwapPss less freed memory that the C library keeps"
MEANINGS = {
    "s": "when the engine received the prompt's token ids: stamps are ms after it",
    "t1": "when the first output token was on the host, ms after s",
    "tn": "when the last one was, ms after s",
    "n": "output tokens of the pass",
    "P": "prompt tokens",
    "N": "output tokens asked for",
    "depth": "tokens before the prompt",
    "evaluated": "when the prompt had been evaluated, ms after s",
    "tokenized": "time that tokenization took, ms",
    "prompt_bytes": "bytes of the prompt's text",
    "output_bytes": "bytes of the output's text",
    "first_tenth": "gaps between tokens in the first tenth of the answer, ms",
    "middle_tenth": "gaps between tokens in its middle tenth, ms",
    "last_tenth": "gaps between tokens in its last tenth, ms",
    "gaps": "all gaps between tokens of the process's counted passes, ms",
    "load": "time that loading took, ms",
    "library": "time that the import took, ms",
    "warm_up_t1": "when the first output token of the warm-up was on the host, ms after s",
    "peak_rss": f"VmHWM {_AT}, bytes",
    "pss": f"Pss {_AT}, bytes",
    "anon": f"Pss_Anon {_FULLEST}, bytes",
    "file": f"Pss_File {_FULLEST}, bytes",
    "shmem": f"Pss_Shmem {_FULLEST}, bytes",
    "device": f"buffers on GPUs and NPUs, {_ENGINE}, bytes",
    "pss_fullest": f"Pss {_FULLEST}, bytes",
    "swapped_out": f"SwapPss {_FULLEST}, bytes",
    "swapped": f"SwapPss {_FULLEST} (0 where it is not told), bytes",
    "mapped": f"Pss of the mappings of the build's own files {_FULLEST}, bytes",
    "held": f"weights beside the mapped file, {_ENGINE} or by its account, bytes",
    "kv": f"KV cache, {_ENGINE}, bytes",
    "kv_host": f"KV cache, {_ENGINE}, without what of it lies on a device, bytes",
    "kv_late": "kv_host where the cache is not there yet when loading ends, else 0",
    "set_aside": f"compute buffers, {_ENGINE} or by its account, bytes",
    "used": f"{_USED}, {_FULLEST}, bytes",
    "used_loaded": f"{_USED}, when the model was loaded, bytes",
    "used_before": f"{_USED}, before the model was loaded, bytes",
    "freed": f"freed memory that the C library keeps, {_FULLEST} (0 where it does not tell), bytes",
    "code": f"Pss_File without the build's own files, {_FULLEST}, bytes",
    "bookkeeping": "vocabulary, metadata and graph by the engine's account (0 where it gives none), bytes",
    "prompt_j": f"energy of the prompt {_OF_PASSES}, J",
    "prompt_s": f"time of the prompt {_OF_PASSES}, s",
    "prompted": f"prompt tokens {_OF_PASSES}",
    "generation_j": f"energy from the first token to the last {_OF_PASSES}, J (from s for tg)",
    "generation_s": f"time from the first token to the last {_OF_PASSES}, s (from s for tg)",
    "generated": f"tokens after the first {_OF_PASSES} (all of them for tg)",
    "idle_w": "power before the first worker and after the last one, W",
    "weights_read": "bytes of weights read for a decoded token, from the build's header",
    "kv_elements": "elements that one token adds to the KV cache, from the build's header",
    "bytes_each": "bytes of one such element",
    "bits": "bits read per weight, from the build's header",
    "read_bytes": "the metric read_bytes_per_token",
    "speed": "the metric decode_tps, or tg_tps",
    "bandwidth": "memory bandwidth of the device, bytes per second",
}

_PARTS = {
    "pss_fullest": memory.pss,
    "anon": memory.private,
    "file": memory.of_files,
    "shmem": memory.shared,
    "swapped_out": memory.swapped,
    "swapped": lambda worker: memory.swapped(worker) or 0,
    "mapped": memory.mapped,
    "held": memory.held,
    "kv_host": memory.kv_in_process,
    "kv_late": memory.kv_late,
    "set_aside": memory.reserved,
    "used": memory.used,
    "used_loaded": memory.used_loaded,
    "used_before": memory.used_before,
    "freed": memory.freed,
    "code": memory.code,
    "bookkeeping": memory.bookkeeping,
}

_MEMORY = ("peak_rss", "pss")


def named_in(formula: str) -> list[str]:
    """The symbols of a formula, in the order of `MEANINGS`."""
    words = set(re.findall(r"[A-Za-z_]\w*", formula))
    return [name for name in MEANINGS if name in words]


def of_pass(done: Pass, workload: Workload) -> dict[str, Symbol]:
    """The stamps of one pass and what was asked."""
    stamps = done.token_ns
    known: dict[str, Symbol | None] = {
        "s": 0.0,
        "t1": stamps[0] / NS_PER_MS if stamps else None,
        "tn": stamps[-1] / NS_PER_MS if stamps else None,
        "n": len(stamps),
        "P": workload.prompt_tokens,
        "evaluated": _ms(done.evaluated_ns),
        "tokenized": _ms(done.tokenized_ns),
        "prompt_bytes": done.prompt_bytes,
        "output_bytes": done.output_bytes,
        "first_tenth": _gaps(tenth(done, "first")),
        "middle_tenth": _gaps(tenth(done, "middle")),
        "last_tenth": _gaps(tenth(done, "last")),
    }
    return _known(known)


def of_worker(worker: Worker) -> dict[str, Symbol]:
    """What one worker says of loading and memory."""
    warm_up = next((done for done in worker.passes if done.number == 0 and done.token_ns), None)
    known: dict[str, Symbol | None] = {
        "s": 0.0,
        "load": worker.load_ms,
        "library": worker.import_ms,
        "warm_up_t1": warm_up.token_ns[0] / NS_PER_MS if warm_up else None,
    }
    known |= {name: _by_phase(worker, f"{name}_bytes") for name in _MEMORY}
    known |= {name: said.number(worker.facts or {}, f"{name}_bytes") for name in ("kv", "device")}
    known |= {name: formula(worker) for name, formula in _PARTS.items()}
    return _known(known)


def of_gaps(passes: Sequence[Pass]) -> dict[str, Symbol]:
    """All gaps of several passes, by pass and token."""
    return {
        "gaps": {
            f"{done.number}.{token}": gap / NS_PER_MS
            for done in passes
            for token, gap in numbered(gaps_ns(done)).items()
        }
    }


def of_energy(spent: Spent) -> dict[str, Symbol]:
    """What the counted passes of one worker took, by pass."""
    prompt, generation = spent.prompt, spent.generation
    return _known(
        {
            "prompt_j": prompt.joules,
            "prompt_s": prompt.seconds,
            "prompted": prompt.tokens,
            "generation_j": generation.joules,
            "generation_s": generation.seconds,
            "generated": generation.tokens,
        }
    )


def of_build(
    build: Build, case: Case, device: Device, read: Estimate, speed: Estimate | None
) -> dict[str, Symbol]:
    """What the figures from the file are made of."""
    workload = case.workload
    return _known(
        {
            "weights_read": build.read_bytes_per_token,
            "kv_elements": build.kv_elements_per_token,
            "bytes_each": kv_element_bytes(build, case),
            "depth": workload.depth,
            "P": workload.prompt_tokens,
            "N": workload.output_tokens,
            "bits": build.bits_read_per_weight,
            "read_bytes": read.value,
            "speed": speed.value if speed else None,
            "bandwidth": device.memory_bandwidth_bytes_per_s,
        }
    )


def _known(symbols: Mapping[str, Symbol | None]) -> dict[str, Symbol]:
    return {name: value for name, value in symbols.items() if value is not None and value != {}}


def _ms(elapsed_ns: int | None) -> float | None:
    return None if elapsed_ns is None else elapsed_ns / NS_PER_MS


def _gaps(gaps: Mapping[int, int]) -> Symbol:
    return {str(token): gap / NS_PER_MS for token, gap in gaps.items()}


def _by_phase(worker: Worker, field: str) -> Symbol:
    read = [(phase.name, getattr(phase.memory, field)) for phase in worker.phases]
    return {name: value for name, value in read if value is not None}
