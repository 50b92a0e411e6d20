"""The metrics, one table row each: name, unit, direction, and the formula over the stamps of one pass."""

from __future__ import annotations

import operator
from collections.abc import Callable

import msgspec

from profiler.analyse import said
from profiler.runfile import Memory, Pass, Worker, Workload

NS_PER_S = 1e9
NS_PER_MS = 1e6


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """What a figure is called, its unit, which way is better, why it may be missing, and whether it is judged."""

    name: str
    label: str
    unit: str
    higher_is_better: bool
    methods: frozenset[str]
    absent: str
    judged: bool = False


PassFormula = Callable[[Pass, Workload], float | None]
WorkerFormula = Callable[[Worker], float | None]


def _ttft(done: Pass, _: Workload) -> float | None:
    """t1 - s: sampling of the first token in, tokenization out."""
    return done.token_ns[0] / NS_PER_MS if done.token_ns else None


def _tokenize(done: Pass, _: Workload) -> float | None:
    return None if done.tokenized_ns is None else done.tokenized_ns / NS_PER_MS


def _ttft_e2e(done: Pass, workload: Workload) -> float | None:
    """Tokenization and first token."""
    tokenized, first = _tokenize(done, workload), _ttft(done, workload)
    return None if tokenized is None or first is None else tokenized + first


def _prefill(done: Pass, workload: Workload) -> float | None:
    """P / (prompt evaluated - s)."""
    return _rate(workload.prompt_tokens, done.evaluated_ns)


def _tpot(done: Pass, _: Workload) -> float | None:
    """(tn - t1) / (n - 1), undefined below two tokens."""
    if len(done.token_ns) < 2:
        return None
    return (done.token_ns[-1] - done.token_ns[0]) / (len(done.token_ns) - 1) / NS_PER_MS


def _decode(done: Pass, workload: Workload) -> float | None:
    """1000 / tpot_ms."""
    tpot = _tpot(done, workload)
    return 1000 / tpot if tpot else None


def _output_bytes(done: Pass, _: Workload) -> float | None:
    """Bytes of output text over the time from the first token to the last."""
    if len(done.token_ns) < 2 or done.output_bytes is None:
        return None
    share = (len(done.token_ns) - 1) / len(done.token_ns)
    return _rate(done.output_bytes * share, done.token_ns[-1] - done.token_ns[0])


def _prompt_bytes(done: Pass, _: Workload) -> float | None:
    return None if done.prompt_bytes is None else _rate(done.prompt_bytes, done.evaluated_ns)


def _pp(done: Pass, workload: Workload) -> float | None:
    """llama-bench pp: prompt tokens over the time of their evaluation."""
    return _rate(workload.prompt_tokens, done.evaluated_ns) if workload.prompt_tokens else None


def _tg(done: Pass, _: Workload) -> float | None:
    """llama-bench tg: N over the time of N evaluations."""
    return _rate(len(done.token_ns), done.token_ns[-1]) if done.token_ns else None


def _rate(amount: float, elapsed_ns: float | None) -> float | None:
    return amount / elapsed_ns * NS_PER_S if elapsed_ns else None


TEXT, RAW = frozenset({"text"}), frozenset({"raw"})
BOTH = TEXT | RAW


def _metric(
    name: str, label: str, unit: str, up: bool, methods: frozenset[str], absent: str, judged: bool = False
) -> Metric:
    return Metric(
        name=name, label=label, unit=unit, higher_is_better=up, methods=methods, absent=absent, judged=judged
    )


_NO_GAP = "fewer than two tokens were generated"
_UNTIMED = "tokenization was not timed"
_NO_TEXT = "the size of the text was not recorded"
_NO_PROMPT, _NO_OUTPUT = "this workload has no prompt", "this workload generates no tokens"

PASS_METRICS: dict[Metric, PassFormula] = {
    _metric("ttft_ms", "TTFT", "ms", False, TEXT, "no token was generated", judged=True): _ttft,
    _metric("decode_tps", "decode", "tok/s", True, TEXT, _NO_GAP, judged=True): _decode,
    _metric("prefill_tps", "prefill", "tok/s", True, TEXT, "the end of the prompt was not stamped"): _prefill,
    _metric("tpot_ms", "time per output token", "ms", False, TEXT, _NO_GAP): _tpot,
    _metric("tokenize_ms", "tokenize", "ms", False, TEXT, _UNTIMED): _tokenize,
    _metric("ttft_e2e_ms", "TTFT with tokenization", "ms", False, TEXT, _UNTIMED): _ttft_e2e,
    _metric("text_bps", "output text", "B/s", True, TEXT, f"{_NO_GAP}, or {_NO_TEXT}"): _output_bytes,
    _metric("prompt_bps", "prompt text", "B/s", True, TEXT, _NO_TEXT): _prompt_bytes,
    _metric("pp_tps", "pp", "tok/s", True, RAW, _NO_PROMPT, judged=True): _pp,
    _metric("tg_tps", "tg", "tok/s", True, RAW, _NO_OUTPUT, judged=True): _tg,
}
"""Figures of one pass. A worker's value is the median of its counted passes."""


def _first_ttft(worker: Worker) -> float | None:
    """The first token of the process: the warm-up pass, with mmap the reading of the file included."""
    warm_up = next((done for done in worker.passes if done.number == 0), None)
    return warm_up.token_ns[0] / NS_PER_MS if warm_up and warm_up.token_ns else None


WORKER_METRICS: dict[Metric, WorkerFormula] = {
    _metric("load_ms", "load", "ms", False, BOTH, "loading was not timed"): lambda w: w.load_ms,
    _metric("import_ms", "import of the library", "ms", False, BOTH, "it was not timed"): lambda w: (
        w.import_ms
    ),
    _metric("first_ttft_ms", "first TTFT", "ms", False, TEXT, "the warm-up has no token"): _first_ttft,
}
"""Figures of one worker."""


_NOT_COLD = "no worker started without the build in the page cache: ask for it with --cold"


def _cold(formula: WorkerFormula) -> WorkerFormula:
    """Of a worker whose build was sent out of the page cache before, and was seen to be gone."""
    return lambda worker: formula(worker) if worker.evicted else None


def _start(worker: Worker) -> float | None:
    """From nothing to the first token: import of the library, loading, first token of the process."""
    parts = (worker.import_ms, worker.load_ms, _first_ttft(worker))
    known = [part for part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None


COLD_METRICS: dict[Metric, WorkerFormula] = {
    _metric("cold_load_ms", "cold load", "ms", False, BOTH, _NOT_COLD): _cold(lambda w: w.load_ms),
    _metric("cold_first_ttft_ms", "cold first TTFT", "ms", False, TEXT, _NOT_COLD): _cold(_first_ttft),
    _metric("cold_start_ms", "cold start", "ms", False, TEXT, _NOT_COLD): _cold(_start),
}
"""Figures of one worker that started in a new process with nothing of its build in the page cache."""


def _largest(field: Callable[[Memory], int | None]) -> WorkerFormula:
    def over_phases(worker: Worker) -> float | None:
        read = [field(phase.memory) for phase in worker.phases]
        return max((value for value in read if value is not None), default=None)

    return over_phases


def _engine_says(name: str) -> WorkerFormula:
    return lambda worker: said.number(worker.facts or {}, name)


def _runtime(worker: Worker) -> float | None:
    """The process before the model: its proportional memory when the library has been imported."""
    before = next((phase.memory for phase in worker.phases if phase.name == "before_load"), None)
    return before.pss_bytes if before else None


def _unexplained(worker: Worker) -> float | None:
    """Largest PSS less weights, KV, compute buffers and runtime; negative where they are not all touched."""
    parts = [formula(worker) for metric, formula in MEMORY_METRICS.items() if metric.name in _EXPLAINED]
    total = _largest(lambda memory: memory.pss_bytes)(worker)
    known = [part for part in parts if part is not None]
    return total - sum(known) if total is not None and len(known) == len(parts) else None


def _bytes(name: str, label: str, absent: str) -> Metric:
    return _metric(name, label, "B", False, BOTH, absent)


_UNREADABLE, _UNTOLD = "not readable on this system", "the engine does not say"
_EXPLAINED = ("weights_bytes", "kv_bytes", "compute_bytes", "runtime_bytes")

MEMORY_METRICS: dict[Metric, WorkerFormula] = {
    _bytes("peak_rss_bytes", "peak memory", _UNREADABLE): _largest(lambda m: m.peak_rss_bytes),
    _bytes("pss_bytes", "PSS", _UNREADABLE): _largest(lambda m: m.pss_bytes),
    _bytes("anon_bytes", "anonymous PSS", _UNREADABLE): _largest(lambda m: m.anon_bytes),
    _bytes("file_bytes", "file-backed PSS", _UNREADABLE): _largest(lambda m: m.file_bytes),
    _bytes("shmem_bytes", "shared memory PSS", _UNREADABLE): _largest(lambda m: m.shmem_bytes),
    _bytes("weights_bytes", "weights", _UNTOLD): _engine_says("weights_bytes"),
    _bytes("kv_bytes", "KV cache", _UNTOLD): _engine_says("kv_bytes"),
    _bytes("compute_bytes", "compute buffers", _UNTOLD): _engine_says("compute_bytes"),
    _bytes("runtime_bytes", "process before the model", _UNREADABLE): _runtime,
    _bytes("unexplained_bytes", "unexplained", "one of its parts is not known"): _unexplained,
}
"""Memory of one worker in bytes. A report shows the largest of all workers."""

ITL_PERCENTILES = (50, 90, 95, 99)


def gaps_ns(done: Pass) -> list[int]:
    """The gaps between successive tokens of one pass."""
    return list(map(operator.sub, done.token_ns[1:], done.token_ns))


def judged_metrics(method: str) -> list[Metric]:
    """The headline metrics of a method: those that comparisons are judged and runs are stopped on."""
    return [m for m in PASS_METRICS if m.judged and method in m.methods]
