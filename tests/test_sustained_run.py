"""`--sustained`, through the whole path: one long worker of each case, on the script's own clock."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from profiler import runfile
from profiler.analyse.report import report
from profiler.measure import sustaining
from profiler.measure.sustaining import MOST_PASSES, MOST_STAMPS, most_passes, wait_until_cool
from tests.conftest import Command, Script, command, only_refusal, refusal
from tests.launching import launch, scripted
from tests.run_builder import text

SECOND: dict[str, Any] = {"virtual_clock": True, "prefill_ms_per_token": 0, "token_ms": 10}
"""100 tokens of 10 ms: a pass of one second."""
LONG = ("-p", "4", "-n", "100", "--sustained", "2m")


def measured(edgeprof: Command, tmp_path: Path, *words: str | Path) -> tuple[runfile.Run, str]:
    file = tmp_path / "run.jsonl"
    done = edgeprof("run", *words, *LONG, "-o", file)
    assert done.code == 0, done.err
    return runfile.read(file), done.out


def test_the_worker_repeats_passes_until_the_time_is_up(
    edgeprof: Command, script: Script, tmp_path: Path
) -> None:
    """From 60 s after the start of loading on, tokens take 12.5 ms: 80 a second, and the course has it exactly."""
    found, shown = measured(edgeprof, tmp_path, script(**SECOND, slow_after_s=60, slow_factor=1.25))
    [worker] = found.workers
    assert [done.number for done in worker.passes] == list(range(len(worker.passes)))
    assert all(done.counters and done.conditions for done in worker.passes)
    assert found.ended is not None
    assert found.ended.reason == "rounds"

    course = report(found).rows[0].sustained
    assert course is not None
    assert course.first_minute == pytest.approx(100)
    assert course.settled == pytest.approx(80, rel=1e-3)
    assert course.ratio == pytest.approx(0.8, rel=1e-3)
    assert course.onset_s == pytest.approx(60, abs=6)
    assert course.settled_from_s == pytest.approx(60, abs=12)
    assert 120 <= course.lasted_s < 122
    assert "1 case, one process of 2 min; " in shown
    assert "provisional" not in shown


def test_every_case_has_one_worker_and_nothing_is_judged(
    edgeprof: Command, script: Script, tmp_path: Path
) -> None:
    found, shown = measured(edgeprof, tmp_path, script("a", **SECOND), script("b", **SECOND))
    assert sorted(worker.case for worker in found.workers) == ["r1", "r2"]
    assert {item.verdict.value for item in report(found).comparisons} == {"undecided"}
    assert "each case had one long process, so nothing is judged" in shown


def test_passes_before_a_crash_are_kept_and_shown(edgeprof: Command, script: Script, tmp_path: Path) -> None:
    """The warm-up makes 16 tokens; the 31st pass dies."""
    fail = {"at": "token", "how": "abort", "after": 16 + 3000}
    file = tmp_path / "run.jsonl"
    done = edgeprof("run", script(**SECOND, fail=fail), *LONG, "-o", file)
    [worker] = runfile.read(file).workers
    assert worker.failure is not None
    assert len([one for one in worker.passes if one.number and one.counters]) == 30
    assert done.code == 3
    assert "decode over 30 s in 5 windows" in done.out
    assert "cut short     the engine aborted" in done.out


def works(child: psutil.Process) -> bool:
    """Whether this process has got past its start."""
    try:
        return bool(child.cpu_times().user > 0.2)
    except psutil.Error:
        return False


def test_passes_before_ctrl_c_are_kept_and_shown(
    script: Script, own_folders: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "run.jsonl"
    words = ("run", script(token_ms=8), "-p", "4", "-n", "10", "--sustained", "10m", "-o", file)
    with subprocess.Popen(command(*words), env=own_folders, stdout=-1, stderr=-1, text=True) as process:
        own = psutil.Process(process.pid)
        while not any(map(works, own.children())):
            time.sleep(0.05)
        time.sleep(2)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=30)
    [worker] = runfile.read(file).workers
    assert process.returncode == 130
    assert any(done.number and done.counters for done in worker.passes)
    assert "cut short" in out


def test_a_worker_that_has_made_enough_passes_ends(script: Script) -> None:
    """Its line in the run file stays within what is read back, however fast the model is."""
    assert most_passes(text(output=1)) == MOST_PASSES == 20_000
    assert most_passes(text(output=128)) * 128 <= MOST_STAMPS == 1_000_000
    assert most_passes(text(output=1_048_576)) == 1
    seen = launch(script(virtual_clock=True), scripted(text(prompt=4, output=2)), passes=5, sustained_s=1e6)
    assert len(seen.passes) == 1 + 5


def test_the_largest_line_stays_within_what_is_read_back(script: Script) -> None:
    """Of 20,000 passes and a million stamps, in the longest words that they can have."""
    passes = launch(script(), scripted(text(prompt=4, output=1))).passes
    one = len(msgspec.json.encode(msgspec.structs.replace(passes[1], token_ns=[]))) + 100
    stamp = len(f"{2 * 3600 * 10**9},")
    assert MOST_PASSES * one + MOST_STAMPS * stamp < runfile.lines.LONGEST_LINE


class TestRefusals:
    @pytest.mark.parametrize("words", ["89s", "121m", "1s"])
    def test_too_short_and_too_long(self, edgeprof: Command, script: Script, words: str) -> None:
        said = only_refusal(edgeprof("run", script(), "--sustained", words))
        assert said.startswith("--sustained ")
        assert said.endswith(
            "90 s (more than the first minute, which the rest is compared with) to 2 h are accepted"
        )

    def test_rounds_of_its_own(self, edgeprof: Command, script: Script) -> None:
        said = only_refusal(edgeprof("run", script(), "--sustained", "2m", "--processes", "8"))
        assert said == "--sustained runs one long process of each case: leave out --processes"

    def test_no_duration(self, edgeprof: Command, script: Script) -> None:
        assert "a duration such as 90s" in refusal(edgeprof("run", script(), "--sustained", "long"))

    def test_the_plan_says_what_will_be_done(self, edgeprof: Command, script: Script) -> None:
        done = edgeprof("run", script(), "--sustained", "10m", "--dry-run")
        assert done.out.startswith("1 case, one process of 10 min; roughly 10 min")


class Cooling:
    """A processor that loses half a degree a second."""

    def __init__(self, at_c: float) -> None:
        self.at_c, self.now_s = at_c, 0.0

    def wait(self, first_c: float | None, **other: Any) -> float | None:
        return wait_until_cool(first_c, read=self.read, clock=lambda: self.now_s, sleep=self.sleep, **other)

    def read(self) -> float:
        return self.at_c - self.now_s / 2

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


class TestCooling:
    def test_until_within_three_degrees_of_the_first_start(self) -> None:
        """From 70 to 53 degrees."""
        assert Cooling(70).wait(50) == 34

    def test_one_that_is_cool_does_not_wait(self) -> None:
        assert Cooling(53).wait(50) == 0

    def test_five_minutes_at_most(self) -> None:
        assert sustaining.LONGEST_COOLING_S == 300
        assert Cooling(300).wait(50) == 300

    def test_nothing_readable_nothing_waited(self) -> None:
        assert Cooling(90).wait(None) is None
        assert wait_until_cool(50, read=lambda: None) is None
