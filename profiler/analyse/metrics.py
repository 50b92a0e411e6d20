"""The metrics, one table row each: name, unit, direction, and the formula in words, in symbols and in code.

The symbols of a formula are those of `symbols.MEANINGS`; a test puts stamps into the text and into the code and
compares what comes out.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

import msgspec

from profiler.analyse import memory, said
from profiler.analyse.gaps import Part, tenth_ns
from profiler.analyse.spent import GENERATION, PROMPT, Spent, Use
from profiler.runfile import Memory, Pass, Worker, Workload

NS_PER_S = 1e9
NS_PER_MS = 1e6


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """What a figure is called, its unit, which way is better, why it may be missing, and whether it is judged.

    `meaning` says in words what it is, `formula` in the symbols of a pass or a worker how it is computed.
    """

    name: str
    label: str
    unit: str
    higher_is_better: bool
    methods: frozenset[str]
    absent: str
    formula: str
    meaning: str
    judged: bool = False


PassFormula = Callable[[Pass, Workload], float | None]
WorkerFormula = Callable[[Worker], float | None]


def ttft(done: Pass, _: Workload) -> float | None:
    """t1 - s: sampling of the first token in, tokenization out."""
    return done.token_ns[0] / NS_PER_MS if done.token_ns else None


def _tokenize(done: Pass, _: Workload) -> float | None:
    return None if done.tokenized_ns is None else done.tokenized_ns / NS_PER_MS


def _ttft_e2e(done: Pass, workload: Workload) -> float | None:
    """Tokenization and first token."""
    tokenized, first = _tokenize(done, workload), ttft(done, workload)
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


def _gap(part: Part) -> PassFormula:
    """The median gap in one tenth of the answer: gaps grow with depth, and this shows how much."""

    def formula(done: Pass, _: Workload) -> float | None:
        gaps = tenth_ns(done, part)
        return median(gaps) / NS_PER_MS if gaps else None

    return formula


def _metric(
    name: str,
    label: str,
    unit: str,
    up: bool,
    methods: frozenset[str],
    absent: str,
    formula: str,
    meaning: str,
    judged: bool = False,
) -> Metric:
    return Metric(
        name=name,
        label=label,
        unit=unit,
        higher_is_better=up,
        methods=methods,
        absent=absent,
        formula=formula,
        meaning=meaning,
        judged=judged,
    )


_NO_GAP = "fewer than two tokens were generated"
_NO_TENTH = "fewer than ten gaps between tokens"
_UNTIMED = "tokenization was not timed"
_NO_TEXT = "the size of the text was not recorded"
_NO_PROMPT, _NO_OUTPUT = "this workload has no prompt", "this workload generates no tokens"

PASS_METRICS: dict[Metric, PassFormula] = {
    _metric("ttft_ms", "TTFT", "ms", False, TEXT, "no token was generated", "t1 - s",
            "time to the first token: its sampling is in, tokenization and loading are not", judged=True): ttft,
    _metric("decode_tps", "decode", "tok/s", True, TEXT, _NO_GAP, "1000 / ((tn - t1) / (n - 1))",
            "tokens per second after the first, generated greedily", judged=True): _decode,
    _metric("prefill_tps", "prefill", "tok/s", True, TEXT, "the end of the prompt was not stamped",
            "1000 * P / (evaluated - s)", "prompt tokens per second of their evaluation"): _prefill,
    _metric("tpot_ms", "time per output token", "ms", False, TEXT, _NO_GAP, "(tn - t1) / (n - 1)",
            "mean time between two tokens of one pass, the first token apart"): _tpot,
    _metric("tokenize_ms", "tokenize", "ms", False, TEXT, _UNTIMED, "tokenized",
            "from the prompt's text to its token ids"): _tokenize,
    _metric("ttft_e2e_ms", "TTFT with tokenization", "ms", False, TEXT, _UNTIMED, "tokenized + (t1 - s)",
            "time to the first token, tokenization included"): _ttft_e2e,
    _metric("text_bps", "output text", "B/s", True, TEXT, f"{_NO_GAP}, or {_NO_TEXT}",
            "1000 * output_bytes * (n - 1) / n / (tn - t1)",
            "bytes of output text per second after the first token: fair across tokenizers"): _output_bytes,
    _metric("prompt_bps", "prompt text", "B/s", True, TEXT, _NO_TEXT, "1000 * prompt_bytes / (evaluated - s)",
            "bytes of prompt text per second of their evaluation"): _prompt_bytes,
    _metric("itl_ms.first_tenth", "gap, first tenth", "ms", False, TEXT, _NO_TENTH, "median(first_tenth)",
            "median gap between tokens in the first tenth of the answer"): _gap("first"),
    _metric("itl_ms.middle_tenth", "gap, middle tenth", "ms", False, TEXT, _NO_TENTH, "median(middle_tenth)",
            "median gap between tokens in the middle tenth of the answer"): _gap("middle"),
    _metric("itl_ms.last_tenth", "gap, last tenth", "ms", False, TEXT, _NO_TENTH, "median(last_tenth)",
            "median gap between tokens in the last tenth of the answer"): _gap("last"),
    _metric("pp_tps", "pp", "tok/s", True, RAW, _NO_PROMPT, "1000 * P / (evaluated - s)",
            "prompt tokens per second by llama-bench's method", judged=True): _pp,
    _metric("tg_tps", "tg", "tok/s", True, RAW, _NO_OUTPUT, "1000 * n / (tn - s)",
            "tokens per second by llama-bench's method: the first is one of them", judged=True): _tg,
}  # fmt: skip
"""Figures of one pass. A worker's value is the median of its counted passes."""


def _first_ttft(worker: Worker) -> float | None:
    """The first token of the process: the warm-up pass, with mmap the reading of the file included."""
    warm_up = next((done for done in worker.passes if done.number == 0), None)
    return warm_up.token_ns[0] / NS_PER_MS if warm_up and warm_up.token_ns else None


WORKER_METRICS: dict[Metric, WorkerFormula] = {
    _metric("load_ms", "load", "ms", False, BOTH, "loading was not timed", "load",
            "start of loading to ready for a prompt; with mmap the file is read in the first prompt"): (
        lambda w: w.load_ms
    ),
    _metric("import_ms", "import of the library", "ms", False, BOTH, "it was not timed", "library",
            "import of the engine's library, before loading"): lambda w: w.import_ms,
    _metric("first_ttft_ms", "first TTFT", "ms", False, TEXT, "the warm-up has no token", "warm_up_t1 - s",
            "time to the first token of the process: the warm-up pass"): _first_ttft,
}  # fmt: skip
"""Figures of one worker."""


_NOT_COLD = "no worker started without the build in the page cache: ask for it with --cold"


def _cold(formula: WorkerFormula) -> WorkerFormula:
    """Of a worker whose build was sent out of the page cache before, and was seen to be gone."""
    return lambda worker: formula(worker) if worker.evicted else None


def _start(worker: Worker) -> float | None:
    """From nothing to the first token: import of the library, loading, first token of the process."""
    return memory.total([worker.import_ms, worker.load_ms, _first_ttft(worker)])


COLD_METRICS: dict[Metric, WorkerFormula] = {
    _metric("cold_load_ms", "cold load", "ms", False, BOTH, _NOT_COLD, "load",
            "loading in a new process with nothing of the build in the page cache"): _cold(lambda w: w.load_ms),
    _metric("cold_first_ttft_ms", "cold first TTFT", "ms", False, TEXT, _NOT_COLD, "warm_up_t1 - s",
            "first token of a new process that found nothing of the build in the page cache"): _cold(_first_ttft),
    _metric("cold_start_ms", "cold start", "ms", False, TEXT, _NOT_COLD, "library + load + (warm_up_t1 - s)",
            "from nothing to the first token: library, loading, first prompt, all cold"): _cold(_start),
}  # fmt: skip
"""Figures of one worker that started in a new process with nothing of its build in the page cache."""


def _largest(field: Callable[[Memory], int | None]) -> WorkerFormula:
    def over_phases(worker: Worker) -> float | None:
        read = [field(phase.memory) for phase in worker.phases]
        return max((value for value in read if value is not None), default=None)

    return over_phases


def _engine_says(name: str) -> WorkerFormula:
    return lambda worker: said.number(worker.facts or {}, name)


def _bytes(name: str, label: str, absent: str, formula: str, meaning: str) -> Metric:
    return _metric(name, label, "B", False, BOTH, absent, formula, meaning)


_UNREADABLE, _UNTOLD = "not readable on this system", "the engine does not say"
_PART_UNKNOWN = "not readable on this system, or the engine does not account for it"

MEMORY_METRICS: dict[Metric, WorkerFormula] = {
    _bytes("peak_rss_bytes", "peak memory", _UNREADABLE, "max(peak_rss)",
           "the kernel's high-water mark (VmHWM) of the worker"): _largest(lambda m: m.peak_rss_bytes),
    _bytes("pss_bytes", "PSS", _UNREADABLE, "max(pss)",
           "proportional set size: shared pages are divided by their users"): _largest(lambda m: m.pss_bytes),
    _bytes("device_bytes", "device memory", _UNTOLD, "device",
           "what the engine says its buffers take of the memory of GPUs and NPUs"): _engine_says("device_bytes"),
}  # fmt: skip
"""Memory of one worker in bytes. A report shows the largest of all workers."""

MEMORY_PARTS: dict[Metric, WorkerFormula] = {
    _bytes("anon_bytes", "anonymous PSS", _UNREADABLE, "anon",
           "the part of PSS that no file backs"): memory.private,
    _bytes("file_bytes", "file-backed PSS", _UNREADABLE, "file",
           "the part of PSS that files back, mapped weights among them"): memory.of_files,
    _bytes("shmem_bytes", "shared memory PSS", _UNREADABLE, "shmem",
           "the part of PSS that is shared memory"): memory.shared,
    _bytes("swapped_bytes", "swapped out", _UNREADABLE, "swapped_out",
           "anonymous memory in swap, divided by its users: not in PSS"): memory.swapped,
    _bytes("weights_bytes", "weights", _PART_UNKNOWN, "mapped + held",
           "weights in memory: mapped from the file, and held by the engine, repacked copies included"): memory.weights,
    _bytes("mapped_weights_bytes", "mapped weights", _UNREADABLE, "mapped",
           "the part of PSS that maps the build's own files"): memory.mapped,
    _bytes("held_weights_bytes", "held weights", _PART_UNKNOWN, "held",
           "weights in the process's own memory: read, copied or repacked"): memory.held,
    _bytes("kv_bytes", "KV cache", _UNTOLD, "kv", "what the engine says its KV cache takes"): (
        _engine_says("kv_bytes")
    ),
    _bytes("compute_bytes", "compute", _UNREADABLE, "max(0, used - used_loaded - kv_late)",
           "what memory in use grew by while it computed: touched buffers, graphs, sampler"): memory.compute,
    _bytes("compute_reserved_bytes", "compute, set aside", _PART_UNKNOWN, "set_aside",
           "what the engine set aside for computing; in use is what was touched of it"): memory.reserved,
    _bytes("runtime_bytes", "runtime", _UNREADABLE, "used_before + code + bookkeeping + freed",
           "interpreter, libraries, vocabulary, graph, and freed memory that is kept"): memory.runtime,
    _bytes("unexplained_bytes", "unexplained", "one of its parts is not known",
           "pss_fullest + swapped - (mapped + held) - kv_host - max(0, used - used_loaded - kv_late)"
           " - (used_before + code + bookkeeping + freed)",
           "PSS and swapped memory that no part explains; negative where they claim more"): memory.unexplained,
}  # fmt: skip
"""What the memory of one worker is for. A report shows all of them for the one with the largest PSS: they add up."""

OF_WORKERS: dict[Metric, WorkerFormula] = WORKER_METRICS | COLD_METRICS | MEMORY_METRICS | MEMORY_PARTS

EnergyFormula = Callable[[Use], float | None]

ENERGY_METRICS: dict[Metric, tuple[str, EnergyFormula]] = {
    _metric("energy_j_per_token", "energy per token", "J", False, BOTH, f"{_NO_OUTPUT}, or only one",
            "sum(generation_j) / sum(generated)",
            "energy of the generation over the tokens generated, of all counted passes together"): (
        GENERATION, Use.per_token
    ),
    _metric("energy_j_per_prompt_token", "energy per prompt token", "J", False, BOTH, _NO_PROMPT,
            "sum(prompt_j) / sum(prompted)",
            "energy of the prompt over its tokens, of all counted passes together"): (PROMPT, Use.per_token),
    _metric("power_w", "power", "W", False, BOTH, f"{_NO_OUTPUT}, or only one",
            "sum(generation_j) / sum(generation_s)", "mean power while tokens were generated"): (
        GENERATION, Use.watts
    ),
    _metric("prompt_power_w", "power in the prompt", "W", False, BOTH, _NO_PROMPT,
            "sum(prompt_j) / sum(prompt_s)", "mean power while the prompt was evaluated"): (PROMPT, Use.watts),
}  # fmt: skip
"""Energy and power of one worker by what the sensor told: the windows it is counted in, and the formula."""

IDLE_POWER = _metric(
    "idle_power_w", "idle power", "W", False, BOTH, "no idle time was metered", "mean(idle_w)",
    "power while nothing of the run was at work: mean of before its first and after its last worker",
)  # fmt: skip
"""One figure of the whole run."""


def energy_value(metric: Metric, spent: Spent) -> float | None:
    """The figure of one worker."""
    kind, formula = ENERGY_METRICS[metric]
    return formula(spent.of(kind))


METRICS: dict[str, Metric] = {metric.name: metric for metric in (*PASS_METRICS, *OF_WORKERS, *ENERGY_METRICS)}
"""Every metric that has one value for each worker, by name: what can be compared."""

FROM_FILE = {
    metric.name: metric
    for metric in (
        _bytes("read_bytes_per_token", "bytes read for a token", "the file does not tell",
               "weights_read + kv_elements * bytes_each * (depth + P + N / 2)",
               "weights of one decoded token, and the KV cache at the middle of the answer"),
        _metric("bits_read_per_weight", "bits read per weight", "bit", False, BOTH, "the file does not tell",
                "bits", "bits read for each weight of a decoded token, scales and offsets included"),
        _metric("bandwidth_share", "share of the bandwidth", "", True, BOTH, "the bandwidth is not known",
                "read_bytes * speed / bandwidth",
                "bytes read for a token times tokens per second, over the bandwidth of the device"),
    )
}  # fmt: skip
"""Figures from the build's own header, and from others; `bandwidth` computes them."""


def judged_metrics(method: str) -> list[Metric]:
    """The headline metrics of a method: those that comparisons are judged and runs are stopped on."""
    return [m for m in PASS_METRICS if m.judged and method in m.methods]
