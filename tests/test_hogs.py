"""The trace of hogs, its player, and the truth about passes that is read from what the player did."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path

import msgspec
import psutil
import pytest

from bench.hogs import ROOT, TRACE, Slice, Trace, playing, read_log, read_trace, spells
from bench.truth import cpu_inside, span, truths
from profiler.analyse.intrusion import FOREIGN_CPU
from profiler.errors import UserError
from profiler.runfile import Anchor, Worker, read
from tests.conftest import Command, Script
from tests.run_builder import CORES, MS, case, counters, raw_pass, run, text_pass, tg, warm_up, worker

pytestmark = pytest.mark.alone

CPUS = os.cpu_count() or 1
TWO_HOGS = """
period_s = 10
[[hog]]
start_s = 1
seconds = 2
cores = 1
[[hog]]
start_s = 5
seconds = 1
cores = 2
"""


def trace_of(folder: Path, text: str) -> Path:
    path = folder / "trace.toml"
    path.write_text(text)
    return path


def short(folder: Path, *, start_s: float, seconds: float, cores: int, period_s: float = 60.0) -> Path:
    """A trace of one spell."""
    hog = f"[[hog]]\nstart_s = {start_s}\nseconds = {seconds}\ncores = {cores}\n"
    return trace_of(folder, f"period_s = {period_s}\n{hog}")


def burnt(began_ms: float, ended_ms: float, cpu_ms: float, lane: int = 0) -> Slice:
    return Slice(
        lane=lane, began_ns=round(began_ms * MS), ended_ns=round(ended_ms * MS), cpu_ns=round(cpu_ms * MS)
    )


def test_the_committed_trace_is_what_its_comment_says() -> None:
    trace = read_trace(TRACE)
    assert trace.period_s == 120
    assert len(trace.hog) == 9
    assert sum(hog.seconds for hog in trace.hog) == pytest.approx(26.6)
    assert sum(hog.seconds * hog.cores for hog in trace.hog) == pytest.approx(33.6)
    assert trace.disturbed_share == pytest.approx(0.222, abs=0.001)
    assert {hog.cores for hog in trace.hog} == {1, 2}
    assert min(hog.seconds for hog in trace.hog) == 0.4
    assert max(hog.seconds for hog in trace.hog) == 12


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (TWO_HOGS.replace("seconds = 2", "seconds = 5"), "hog[0] ends at 6 s, accepted: up to 5 s"),
        (TWO_HOGS.replace("period_s = 10", "period_s = 5.5"), "hog[1] ends at 6 s, accepted: up to 5.5 s"),
        (TWO_HOGS.replace("cores = 2", "cores = 0"), "hog[1].cores"),
        (TWO_HOGS.replace("start_s = 5", "begin_s = 5"), "unknown key hog[1].begin_s"),
        ("period_s = 10\nhog = []", "hog is empty"),
    ],
    ids=["into the next", "beyond the period", "no core", "no such key", "no hog"],
)
def test_a_trace_that_cannot_be_played_is_refused(tmp_path: Path, text: str, found: str) -> None:
    with pytest.raises(UserError) as refused:
        read_trace(trace_of(tmp_path, text))
    assert found in str(refused.value)


@pytest.fixture
def two_hogs(tmp_path: Path) -> Trace:
    return read_trace(trace_of(tmp_path, TWO_HOGS))


def test_a_hog_of_two_cores_is_played_by_two_lanes(two_hogs: Trace) -> None:
    assert two_hogs.lanes == 2
    assert list(islice(spells(two_hogs, 0, 0), 4)) == [(1, 3), (5, 6), (11, 13), (15, 16)]
    assert list(islice(spells(two_hogs, 1, 0), 2)) == [(5, 6), (15, 16)]


def test_a_trace_may_begin_anywhere_also_inside_a_spell(two_hogs: Trace) -> None:
    assert list(islice(spells(two_hogs, 0, 2.5), 3)) == [(0, 0.5), (2.5, 3.5), (8.5, 10.5)]
    assert next(spells(two_hogs, 0, 12.5)) == (0, 0.5)


def test_the_player_burns_in_its_spell_and_not_outside(tmp_path: Path) -> None:
    """What it got is up to the machine; it never says more than it can have had, nor another time."""
    log = tmp_path / "hogs.jsonl"
    before_ns = time.time_ns()
    with playing(short(tmp_path, start_s=0.3, seconds=0.6, cores=1), log):
        after_ns = time.time_ns()
        time.sleep(1.3)
    slices = read_log(log)
    assert {one.lane for one in slices} == {0}
    assert slices[0].began_ns >= before_ns + 300 * MS
    assert all(one.began_ns < after_ns + 900 * MS for one in slices)
    assert all(0 <= one.cpu_ns <= one.ended_ns - one.began_ns + 2 * MS for one in slices)


def test_what_the_player_says_it_burnt_is_what_the_kernel_counted(tmp_path: Path) -> None:
    log = tmp_path / "hogs.jsonl"
    with playing(short(tmp_path, start_s=0.0, seconds=0.8, cores=1), log):
        (lane,) = psutil.Process().children()
        before = lane.cpu_times()
        time.sleep(1.5)
        after = lane.cpu_times()
    counted_s = after.user + after.system - before.user - before.system
    assert sum(one.cpu_ns for one in read_log(log)) / 1e9 == pytest.approx(counted_s, abs=0.05)


def lanes_of(player: psutil.Process, count: int) -> list[psutil.Process]:
    """Its processes, once all have been started."""
    for _ in range(200):
        if len(found := player.children()) == count:
            return found
        time.sleep(0.05)
    pytest.fail(f"the player has not started {count} lanes")


def test_hogs_die_with_their_parent(tmp_path: Path) -> None:
    trace, log = short(tmp_path, start_s=0, seconds=60, cores=2), tmp_path / "hogs.jsonl"
    words = [sys.executable, "-m", "bench.hogs", str(trace), "--log", str(log), "--seconds", "60"]
    with subprocess.Popen(words, cwd=ROOT) as player:
        lanes = lanes_of(psutil.Process(player.pid), 2)
        while {one.lane for one in read_log(log)} != {0, 1}:
            time.sleep(0.05)
        player.kill()
    assert psutil.wait_procs(lanes, timeout=10)[1] == []
    assert {one.lane for one in read_log(log)} == {0, 1}, "what they burnt is not lost"


def test_hogs_end_with_what_they_were_played_for(tmp_path: Path) -> None:
    with playing(short(tmp_path, start_s=0, seconds=60, cores=2), tmp_path / "hogs.jsonl"):
        lanes = psutil.Process().children()
        assert len(lanes) == 2
    assert not any(lane.is_running() for lane in lanes)


def test_a_line_cut_short_is_left_out(tmp_path: Path) -> None:
    log = tmp_path / "hogs.jsonl"
    log.write_bytes(b'{"lane":0,"began_ns":1,"ended_ns":2,"cpu_ns":1}\n{"lane":0,"beg')
    assert read_log(log) == [Slice(lane=0, began_ns=1, ended_ns=2, cpu_ns=1)]
    assert read_log(tmp_path / "never-burnt.jsonl") == []


@pytest.mark.parametrize(
    ("slices", "cpu_ms"),
    [
        ([burnt(0, 100, 80)], 0),
        ([burnt(900, 1100, 160)], 80),
        ([burnt(1200, 1300, 90)], 90),
        ([burnt(500, 2500, 1600)], 800),
        ([burnt(1900, 2100, 50), burnt(1950, 2050, 100, lane=1)], 25 + 50),
        ([burnt(2000, 2100, 100)], 0),
    ],
    ids=["before", "into the start", "inside", "around", "two lanes out of the end", "after"],
)
def test_hogs_cpu_time_inside_a_span_of_one_second(slices: list[Slice], cpu_ms: float) -> None:
    assert cpu_inside(slices, 1000 * MS, 2000 * MS) == pytest.approx(cpu_ms * MS)


def shifted(seen: Worker) -> Worker:
    """Its stamps count from 7 s when the wall clock shows 1 s."""
    return msgspec.structs.replace(seen, started=Anchor(wall_ns=1000 * MS, mono_ns=7000 * MS))


def test_a_pass_lies_on_the_wall_clock_where_its_worker_ties_the_clocks() -> None:
    seen = shifted(worker("r1", 0, text_pass(1, ttft_ms=100, gap_ms=10, tokens=5)))
    assert span(seen, seen.passes[0]) == (-6000 * MS, -6000 * MS + 140 * MS)


def test_a_pass_without_tokens_ends_where_its_prompt_has_been_evaluated() -> None:
    seen = shifted(worker("r1", 0, raw_pass(1, evaluated_ms=900)))
    assert span(seen, seen.passes[0]) == (-6000 * MS, -5100 * MS)


def test_truth_is_the_hogs_share_and_a_mark_is_the_counters() -> None:
    """Four cores and passes of 140 ms: 28 ms are the limit of 5%. The warm-up is no pass of a headline."""
    passes = [text_pass(n, counters=counters(foreign_share=share)) for n, share in ((1, 0.0), (2, 0.3))]
    seen = run([case("r1", workload=tg(5))], [worker("r1", 0, warm_up(), *passes)])
    began_ms = seen.workers[0].started.wall_ns / MS
    quiet, marked = truths(seen, [burnt(began_ms, began_ms + 140, 28)])
    assert quiet.hogs_share == pytest.approx(28 / (CORES * 140))
    assert not quiet.disturbed
    assert (quiet.marked, marked.marked) == (False, True)
    (loud, _) = truths(seen, [burnt(began_ms, began_ms + 140, 28.1)])
    assert loud.disturbed
    assert not loud.long, "0.14 s are not half a second"


def test_every_pass_that_a_hog_disturbed_is_marked(script: Script, edgeprof: Command, tmp_path: Path) -> None:
    """Passes of 0.7 s that sleep, beside a hog on a quarter of all cores for 0.8 s of every 3 s.

    Ticks of 10 ms cannot tell what lies just above the limit: three of each core are allowed for.
    """
    log, path = tmp_path / "hogs.jsonl", tmp_path / "run.jsonl"
    build = script(token_ms=70, prefill_ms_per_token=1)
    with playing(short(tmp_path, start_s=1, seconds=0.8, cores=max(1, CPUS // 4), period_s=3), log):
        asked = ["-p", "8", "-n", "10", "--processes", "2", "--passes", "4"]
        outcome = edgeprof("run", build, "--engine", "scripted", *asked, "-o", path)
    assert outcome.code == 0, outcome.err
    passes = truths(read(path), read_log(log))
    assert all(one.long for one in passes)
    beyond_ticks = [one for one in passes if one.hogs_share > FOREIGN_CPU.limit + 0.03 / one.took_s]
    assert beyond_ticks
    assert [one for one in beyond_ticks if not one.marked] == []
