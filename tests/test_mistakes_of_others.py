"""Measurement faults found in other benchmarks, each tried on us: whose it is, and what we do instead."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.analyse.comparison import Comparison
from profiler.analyse.estimate import Estimate
from profiler.analyse.metrics import MEMORY_METRICS, MEMORY_PARTS, OF_WORKERS, PASS_METRICS, WORKER_METRICS
from profiler.analyse.report import report
from profiler.analyse.source import Source
from profiler.analyse.statistics import t_interval
from profiler.analyse.variance import spread
from profiler.analyse.verdict import Verdict
from profiler.builds.hashes import sha256
from profiler.measure.launch import Seen
from profiler.measure.variants import combinations
from profiler.render import formats, terminal
from profiler.runfile import Case, Memory, Pass, Phase, Worker, Workload, read
from tests.conftest import Command, Script
from tests.hand_made import hand_made
from tests.launching import launch, scripted
from tests.run_builder import MIB, MS, case, pp, rounds, run, text, text_pass, tg, worker
from tests.test_contrasts import two

DRIFT = [10, 11, 13, 17, 14, 12, 20, 15]
"""Milliseconds between tokens in eight rounds: a machine that is up to twice as slow from one to the next."""


def figures(workers: Sequence[Worker], method: str = "text") -> dict[str, Estimate]:
    """What a report says of one case."""
    asked = {"text": text(), "raw": tg(5)}[method]
    (row,) = report(run([case("r1", workload=asked)], workers)).rows
    return row.metrics


def decode(base: Sequence[float], candidate: Sequence[float]) -> Comparison:
    """The comparison of two cases on decode speed, from their gaps between tokens in each round."""
    found = report(two(rounds("r1", base), rounds("r2", candidate))).comparisons
    return next(item for item in found if item.metric == "decode_tps")


def test_01_integers_wrap_in_the_variance() -> None:
    """llama-bench: stdev_ns squares nanoseconds in 64 bits. We compute on logs, in floating point.

    Gaps of a day and more (1e14 ns) give the interval that gaps of milliseconds give, 10 million times as long.
    """
    short, long = (figures(rounds("r1", [gap * times for gap in DRIFT])) for times in (1, 10**7))
    for name, times in (("tpot_ms", 1e7), ("decode_tps", 1e-7)):
        a, b = short[name], long[name]
        assert a.value is not None
        assert a.low is not None
        assert a.high is not None
        assert (b.low, b.value, b.high) == pytest.approx((a.low * times, a.value * times, a.high * times))
        assert 0 < a.low < a.value < a.high


TABLE = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228]
"""Student's t at 95%, two-sided, 1 to 10 degrees of freedom, as every table prints it."""


@pytest.mark.parametrize(("freedom", "quantile"), list(enumerate(TABLE, start=1)))
def test_02_t_table_is_off_by_one(freedom: int, quantile: float) -> None:
    """inferlast: its table of t is read one degree of freedom too far. Ours are n - 1 of n values."""
    values = [0.0, 1.0, *([0.5] * (freedom - 1))]
    found = t_interval(values, 0.95)
    assert found is not None
    error = math.sqrt(0.5 / freedom / len(values))
    assert (found.high - found.low) / 2 == pytest.approx(quantile * error, abs=0.0005 * error)


def test_03_spread_of_a_population_for_three_runs() -> None:
    """llama-benchy: divides by n, which makes three runs look 18% steadier than they are. We divide by n - 1."""
    found = t_interval([1.0, 2.0, 3.0], 0.95)
    assert found is not None
    assert found.high - found.centre == pytest.approx(4.303 / math.sqrt(3), abs=0.001)
    parts = spread([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]], start_cost=1.0)
    assert parts is not None
    assert parts.within == pytest.approx(1.0)


HOLDER = f"held = b'\\1' * {256 * MIB}; print(flush=True); input()"


def test_04_memory_of_the_whole_system(script: Script) -> None:
    """onnxruntime-genai, MLPerf Client: their "process memory" is the system's. Ours is the worker's own.

    Another process that holds 256 MiB changes none of our figures by an eighth of that.
    """
    path = script()
    alone = largest(launch(path))
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        beside = largest(launch(path))
        other.kill()
    for name, value in alone.items():
        assert abs(beside[name] - value) < 32 * MIB, name


def largest(seen: Seen) -> dict[str, float]:
    """Every figure of a worker's memory that this system tells, the largest of all phases."""
    assert seen.failure is None
    asked = {metric.name: formula for metric, formula in OF_WORKERS.items()}
    one = worker("r1", 0, *seen.passes, phases=seen.phases, facts=seen.facts)
    names = ("peak_rss_bytes", "pss_bytes", "anon_bytes", "file_bytes", "shmem_bytes")
    found = {name: asked[name](one) for name in names}
    return {name: value for name, value in found.items() if value is not None}


REAL = text(prompt=16, output=8)


@pytest.fixture(scope="module")
def real(smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Seen]:
    """A worker that maps the model's file and one that reads it. Nobody else maps this copy: PSS is whole."""
    copy = tmp_path_factory.mktemp("model") / smollm2.name
    shutil.copyfile(smollm2, copy)
    return {word: launch(copy, real_case(word)) for word in ("on", "off")}


def real_case(mmap: str) -> Case:
    (settings,) = combinations("llama-cpp", {"mmap": [mmap]}, threads=1)
    return msgspec.structs.replace(case("r1", workload=REAL), settings=settings)


@pytest.mark.skipif(
    not Path("/proc/self/smaps_rollup").exists(), reason="Linux tells what a process has mapped"
)
def test_05_resident_memory_called_the_model(real: dict[str, Seen]) -> None:
    """Many: RSS counts mapped file pages, which the kernel may take back, with memory of the process itself.

    We tell them apart: mapped, the weights are file pages; read, they are anonymous memory. And what the weights
    take is told by the engine, not guessed from RSS.
    """
    mapped, copied = largest(real["on"]), largest(real["off"])
    facts = real["on"].facts
    assert facts is not None
    weights = facts["weights_bytes"]
    assert mapped["file_bytes"] - copied["file_bytes"] == pytest.approx(weights, rel=0.2)
    assert copied["anon_bytes"] - mapped["anon_bytes"] == pytest.approx(weights, rel=0.2)


TIMED = {"virtual_clock": True, "load_ms": 5, "prefill_ms_per_token": 0.5, "token_ms": 2}
"""A prompt of 8 tokens takes 4 ms, each token 2 ms."""
LOADED_NS = 1_000_000_000 + 5 * MS
"""Where the script's clock stands when the build is loaded."""


def timed(script: Script, asked: Workload) -> list[Pass]:
    """The warm-up and one pass of a worker whose clock moves by the engine's calls alone."""
    seen = launch(script("timed", **TIMED), scripted(asked))
    assert seen.failure is None
    return seen.passes


def test_06_first_latency_after_a_call_that_nobody_saw(script: Script) -> None:
    """optimum-benchmark: "first" comes after an unseen warm call. Ours is the first thing asked of the engine.

    On a clock that every call moves, the first pass starts at the very moment at which loading ended.
    """
    first, second = timed(script, text(prompt=8, output=20))
    assert first.start_ns == LOADED_NS
    assert first.token_ns == [(4 + 2) * MS]
    metrics = figures([worker("r1", 0, first, second)])
    assert metrics["first_ttft_ms"].value == pytest.approx(6)


def test_07_decode_as_generation_less_mean_prefill() -> None:
    """optimum-benchmark: decode = generate - mean(prefill), negative where prompts vary. Ours is of one pass's stamps.

    Prompts take 100 to 900 ms, answers 40 ms: the mean of 500 ms is more than half of the passes took as a whole.
    """
    passes = [text_pass(n, ttft_ms=ms) for n, ms in enumerate((100, 300, 500, 700, 900), start=1)]
    for done in passes:
        assert figures([worker("r1", 0, done)])["decode_tps"].value == pytest.approx(100)


@given(st.lists(st.lists(st.integers(0, 2**62), max_size=5), min_size=1, max_size=4))
def test_07_decode_is_never_negative(stamps: list[list[int]]) -> None:
    """Not even where a run file's clock goes backwards."""
    passes = [
        msgspec.structs.replace(text_pass(n), token_ns=tokens) for n, tokens in enumerate(stamps, start=1)
    ]
    value = figures([worker("r1", 0, *passes)])["decode_tps"].value
    assert value is None or value > 0


EXACT = {
    "ttft_ms": (100, "ms"),
    "decode_tps": (100, "tok/s"),
    "prefill_tps": (2000, "tok/s"),
    "tpot_ms": (10, "ms"),
    "tokenize_ms": (2, "ms"),
    "ttft_e2e_ms": (102, "ms"),
    "text_bps": (500, "B/s"),
    "prompt_bps": (10_000, "B/s"),
    "itl_ms.first_tenth": (10, "ms"),
    "itl_ms.middle_tenth": (10, "ms"),
    "itl_ms.last_tenth": (10, "ms"),
    "pp_tps": (2000, "tok/s"),
    "tg_tps": (11 / 0.200, "tok/s"),
}
"""Of 128 prompt tokens (640 bytes) evaluated in 64 ms, tokens at 100, 110, ... 200 ms, 55 bytes of answer."""


def by_hand(times: int = 1, sizes: int = 1) -> Pass:
    return msgspec.structs.replace(
        text_pass(prefill_ms=64 * times, ttft_ms=100 * times, gap_ms=10 * times, tokens=11),
        tokenized_ns=2 * MS * times,
        prompt_bytes=640 * sizes,
        output_bytes=55 * sizes,
    )


def test_08_wrong_units() -> None:
    """optimum-benchmark: samples/s that are none. Every unit of ours follows from its formula.

    Exact values of a pass made by hand; and where everything takes twice as long, milliseconds double, rates halve
    and bytes stay.
    """
    assert {m.name: m.unit for m in PASS_METRICS} == {name: unit for name, (_, unit) in EXACT.items()}
    seen = {m.name: formula(by_hand(), text()) for m, formula in PASS_METRICS.items()}
    assert seen == pytest.approx({name: value for name, (value, _) in EXACT.items()})

    change = {"ms": 2.0, "tok/s": 0.5, "B/s": 0.5, "B": 1.0}
    slow, quick = (
        worker("r1", 0, by_hand(n), msgspec.structs.replace(by_hand(n), number=0), load_ms=7.0 * n,
               import_ms=3.0 * n, phases=PHASES, facts=dict.fromkeys(SAID, 2))
        for n in (2, 1)
    )  # fmt: skip
    of_worker = {**WORKER_METRICS, **MEMORY_METRICS, **MEMORY_PARTS}
    values = {m: (formula(quick), formula(slow)) for m, formula in of_worker.items()}
    values |= {m: (f(by_hand(), text()), f(by_hand(2), text())) for m, f in PASS_METRICS.items()}
    for metric, (before, after) in values.items():
        assert before is not None, metric.name
        assert after == pytest.approx(before * change[metric.unit]), metric.name


FULL = Memory(pss_bytes=64, anon_bytes=32, file_bytes=16, shmem_bytes=8, rss_bytes=96, peak_rss_bytes=128,
              build_bytes=8, build_rss_bytes=8, freed_bytes=1, swapped_bytes=4)  # fmt: skip
PHASES = [Phase(name=name, memory=FULL) for name in ("before_load", "loaded", "after_decode")]
SAID = ("held_weights_bytes", "kv_bytes", "compute_bytes", "device_bytes")


def test_09_time_per_token_with_the_first_token_in_it() -> None:
    """guidellm counts the first token in, OpenVINO and MLPerf Client leave it out, under one name. Ours leaves it out.

    A first token after 1 s and four gaps of 10 ms: 10 ms for each token, not 208.
    """
    metrics = figures([worker("r1", 0, text_pass(ttft_ms=1000, gap_ms=10, tokens=5))])
    assert metrics["tpot_ms"].value == pytest.approx(10)
    assert metrics["decode_tps"].value == pytest.approx(100)
    assert metrics["ttft_ms"].value == pytest.approx(1000)


def test_10_chunks_counted_as_tokens(script: Script, real: dict[str, Seen]) -> None:
    """Several: pieces of text are counted, and a token that is half a character gives none. We stamp ids.

    The script's tokens are one byte each, half of them no text by themselves: 40 tokens, 40 stamps, 40 bytes.
    """
    done = launch(script(), scripted(text(prompt=8, output=40))).passes[1]
    assert (len(done.token_ns), done.output_bytes) == (40, 40)
    for seen in real.values():
        assert [len(one.token_ns) for one in seen.passes] == [1, REAL.output_tokens]


@pytest.mark.parametrize(
    ("asked", "warm_ms"),
    [(text(prompt=8, output=20), 8 * 0.5 + 16 * 2), (tg(20), 16 * 2), (pp(64), 64 * 0.5)],
    ids=["text", "tg", "pp"],
)
def test_11_warm_up_of_one_token(script: Script, asked: Workload, warm_ms: float) -> None:
    """llama-bench warms tg up with a single token. Ours evaluates the whole prompt and 16 tokens of the answer.

    Between the starts of warm-up and first counted pass, the engine's clock moves by exactly that.
    """
    warm_up, first = timed(script, asked)
    assert warm_up.start_ns == LOADED_NS
    assert first.start_ns - warm_up.start_ns == warm_ms * MS


def test_12_spread_ignored_in_a_comparison() -> None:
    """compare-llama-bench.py divides two means. Our verdict is that of an interval.

    The same ratio of medians is worse beyond doubt where rounds agree, and decided by nothing where they do not;
    equal medians are never a difference, however wide.
    """
    steady = [1.10, 1.11, 1.09, 1.10, 1.12, 1.10, 1.09, 1.11]
    wide = [0.50, 2.00, 0.60, 1.10, 1.10, 1.90, 0.80, 1.70]
    even = [0.50, 2.00, 0.60, 1.00, 1.00, 1.67, 0.80, 1.25]
    verdicts = [
        decode(DRIFT, [gap * ratio for gap, ratio in zip(DRIFT, ratios, strict=True)]).verdict
        for ratios in (steady, wide, even)
    ]
    assert verdicts == [Verdict.WORSE, Verdict.UNDECIDED, Verdict.UNDECIDED]


def test_13_one_repetition_by_default(edgeprof: Command, script: Script, tmp_path: Path) -> None:
    """LocalScore, benchrig: one. Ours is three processes of three passes at least, when there is no time at all."""
    file = tmp_path / "run.jsonl"
    assert edgeprof("run", script(), "-n", "2", "--max-time", "0.01s", "-o", file).code == 0
    seen = read(file)
    assert seen.header.plan.rounds is None
    assert seen.header.plan.checkpoints[0] == 8
    assert {w.round for w in seen.workers} == {0, 1, 2}
    assert all(len([done for done in w.passes if done.number]) >= 3 for w in seen.workers)


SAME_SIZE = [{"edgeprof_script": 1, "token_ms": ms} for ms in (0.1, 0.2)]


def test_14_name_size_and_time_called_identity(edgeprof: Command, tmp_path: Path) -> None:
    """fituna: a model's fingerprint is its name, size and time. Ours is the hash of its content, in every report."""
    paths = [tmp_path / folder / "model.json" for folder in ("a", "b")]
    for path, content in zip(paths, SAME_SIZE, strict=True):
        path.parent.mkdir()
        path.write_text(json.dumps(content))
        os.utime(path, (1e9, 1e9))
    assert paths[0].stat().st_size == paths[1].stat().st_size
    file = tmp_path / "run.jsonl"
    shown = edgeprof("run", *paths, "-n", "2", "--processes", "1", "-f", "markdown", "-o", file)
    assert shown.code == 0
    hashes = read(file).sha256
    assert len(hashes) == len(set(hashes.values())) == 2
    assert all(digest in shown.out for digest in hashes.values())


def test_14_content_replaced_behind_a_remembered_hash(tmp_path: Path) -> None:
    """Same name, size and time of change, set back: the time that nobody can set back tells."""
    path, cache = tmp_path / "model.json", tmp_path / "cache.json"
    path.write_text("first")
    before, times = sha256(path, cache), path.stat()
    path.write_text("other")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert sha256(path, cache) != before


def test_15_context_length_that_the_user_does_not_know(real: dict[str, Seen]) -> None:
    """optimum-benchmark: llama.cpp ran with 512 tokens, and nobody said so. We record and show what "auto" came to.

    24 tokens are asked for; llama.cpp makes a context of 256.
    """
    asked, seen = real_case("on"), real["on"]
    found = report(run([asked], [worker("r1", 0, *seen.passes, facts=seen.facts)]))
    assert found.rows[0].settings["context"] is None
    assert found.rows[0].conditions["context"] == 256
    assert "context auto (256)" in " ".join(terminal.render(found).split())


def test_16_comparison_that_is_advertised_and_missing(edgeprof: Command) -> None:
    """winml: its help names a comparison of devices that does not exist. What our help names is there.

    Every format that --help names renders, with the comparisons where people read them; every command has its help.
    """
    named = edgeprof("report", "--help").out
    (formats_named,) = re.findall(r"--format \S+\s+((?:\w+,\s+)*\w+\s+or\s+\w+)\.", named)
    offered = set(re.findall(r"\w+", formats_named)) - {"or"}
    found = report(hand_made())
    assert offered == set(formats.OF_REPORTS)
    source = Source(name="run.jsonl", report=found, run=hand_made())
    shown = {name: formats.render_sources([source], name) for name in offered}
    for name in ("terminal", "markdown"):
        assert "Compared with r1" in shown[name]
    assert len(json.loads(shown["json"])["comparisons"]) == len(found.comparisons) > 0
    assert all(row.id in shown["csv"] for row in found.rows)

    listed = edgeprof("--help").out.partition("Commands:")[2]
    commands = re.findall(r"^  ([a-z]+) ", listed, re.MULTILINE)
    assert "run" in commands
    assert all(edgeprof(command, "--help").code == 0 for command in commands)


def test_17_power_of_a_whole_request_divided_into_decode_speed() -> None:
    """benchrig: tokens/J from the mean power of prompt and answer together, over the speed of the answer alone.

    No figure of ours has that unit. Energy is absent with its reason while no sensor is read: never 0, never estimated.
    """
    found = report(hand_made())
    cells = {name: cell for row in found.rows for name, cell in row.metrics.items()}
    for name in ("energy_j_per_token", "power_w", "idle_power_w"):
        assert cells[name].value is None
        assert cells[name].reason
    assert not [name for name, cell in cells.items() if "/J" in cell.unit or "per_j" in name]
    everything = terminal.render(found) + "".join(formats.render(found, name) for name in formats.MODULES)
    assert not re.search(r"tok(ens)?/J|tokens? per joule", everything)
