"""The CPU counters, the share of others, and the wait for a quiet start: with a clock of their own."""

from __future__ import annotations

import platform
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.host.counters import (
    BusyNow,
    CpuTimes,
    QuietStart,
    busy_now,
    cpu_times,
    foreign_share,
    wait_until_quiet,
)
from tests.host_trees import plant


def times(busy_s: float, idle_s: float) -> CpuTimes:
    return CpuTimes(busy_s=busy_s, idle_s=idle_s, steal_s=0.0)


class Machine:
    """Two CPUs whose use in each window is scripted; sleeping is what makes its time pass."""

    def __init__(self, shares: Iterable[float]) -> None:
        self.shares = iter(shares)
        self.now_s = 100.0
        self.slept: list[float] = []
        self.counters = times(0.0, 0.0)

    def clock(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        share = next(self.shares)
        self.now_s += seconds
        self.slept.append(seconds)
        self.counters = times(
            self.counters.busy_s + 2 * seconds * share, self.counters.idle_s + 2 * seconds * (1 - share)
        )

    def read(self) -> CpuTimes | None:
        return self.counters

    def wait(self, **options: float) -> QuietStart:
        return wait_until_quiet(clock=self.clock, sleep=self.sleep, read=self.read, **options)


def test_busy_is_all_but_idle_and_waiting_in_seconds(tmp_path: Path) -> None:
    root = plant(tmp_path, {"proc/stat": "cpu  1000 10 200 8000 50 5 15 20 400 3\ncpu0 1 1 1 1\n"})
    assert cpu_times(root) == CpuTimes(busy_s=12.5, idle_s=80.5, steal_s=0.2)


def test_an_old_kernel_tells_nothing_of_stolen_time(tmp_path: Path) -> None:
    root = plant(tmp_path, {"proc/stat": "cpu  1000 10 200 8000\n"})
    assert cpu_times(root) == CpuTimes(busy_s=12.1, idle_s=80.0, steal_s=None)


@pytest.mark.parametrize(
    "text", ["", "\n", "intr 1 2 3\n", "cpu  1 2 3\n", "cpu  a b c d\n", "cpu0 1 2 3 4\n"]
)
def test_counters_in_another_form_are_absent(tmp_path: Path, text: str) -> None:
    assert cpu_times(plant(tmp_path, {"proc/stat": text})) is None


def test_counters_that_do_not_exist_are_absent_on_linux(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    assert cpu_times(tmp_path) is None


def test_elsewhere_psutil_has_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(
        psutil, "cpu_times", lambda: type("T", (), {"user": 3.0, "nice": 1.0, "system": 2.0, "idle": 9.0})
    )
    assert cpu_times(tmp_path) == CpuTimes(busy_s=6.0, idle_s=9.0, steal_s=None)


@given(st.binary(max_size=200))
def test_no_content_of_the_file_raises(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        plant(Path(folder), {})
        Path(folder, "proc/stat").write_bytes(b"cpu " + content)
        assert isinstance(cpu_times(Path(folder)), CpuTimes | None)


def test_the_foreign_share_is_what_the_own_processes_did_not_use() -> None:
    # Two CPUs for 2 s are 4 CPU seconds: 3 were busy, 2 of them ours.
    assert foreign_share(times(10.0, 0.0), times(13.0, 1.0), own_cpu_s=2.0, cores=2, wall_s=2.0) == 0.25


def test_rounding_never_makes_a_share_negative_or_more_than_all() -> None:
    before, after = times(10.0, 0.0), times(11.0, 0.0)
    assert foreign_share(before, after, own_cpu_s=1.5, cores=2, wall_s=1.0) == 0.0
    assert foreign_share(before, times(13.0, 0.0), own_cpu_s=0.0, cores=2, wall_s=1.0) == 1.0


@pytest.mark.parametrize(("busy_s", "cores", "wall_s"), [(11.0, 2, 0.49), (11.0, 0, 1.0), (9.0, 2, 1.0)])
def test_a_share_is_absent_when_too_short_or_without_cpus_or_backwards(
    busy_s: float, cores: int, wall_s: float
) -> None:
    assert foreign_share(times(10.0, 0.0), times(busy_s, 1.0), 0.0, cores, wall_s) is None


@given(st.floats(0, 1e6), st.floats(0, 1e6), st.floats(0, 1e6), st.integers(1, 256), st.floats(0.5, 1e4))
def test_a_share_lies_within_0_and_1(
    start: float, busy: float, own: float, cores: int, wall_s: float
) -> None:
    share = foreign_share(times(start, 0.0), times(start + busy, 0.0), own, cores, wall_s)
    assert share is not None
    assert 0.0 <= share <= 1.0


def test_a_quiet_machine_is_waited_for_one_window() -> None:
    machine = Machine([0.0])
    assert machine.wait(window_s=0.5) == QuietStart(waited_s=0.5, foreign_share=0.0, quiet=True)
    assert machine.slept == [0.5]


def test_a_busy_neighbour_is_waited_for_until_it_ends() -> None:
    machine = Machine([0.5, 0.25, 0.0])
    assert machine.wait(window_s=0.5) == QuietStart(waited_s=1.5, foreign_share=0.0, quiet=True)


def test_the_limit_itself_is_not_quiet() -> None:
    machine = Machine([0.25, 0.125])
    assert machine.wait(limit=0.25, window_s=0.5).waited_s == 1.0


def test_it_gives_up_when_no_further_window_fits() -> None:
    machine = Machine([0.5] * 100)
    assert machine.wait(window_s=0.5, give_up_s=2.0) == QuietStart(
        waited_s=2.0, foreign_share=0.5, quiet=False
    )
    assert machine.slept == [0.5] * 4


def test_unreadable_counters_cost_no_wait_and_give_no_answer() -> None:
    slept: list[float] = []
    start = wait_until_quiet(clock=lambda: 7.0, sleep=slept.append, read=lambda: None)
    assert start == QuietStart(waited_s=0.0, foreign_share=None, quiet=None)
    assert slept == []


def test_a_count_of_waiting_that_steps_back_on_a_busy_machine_is_not_unknown() -> None:
    readings = iter([times(10.0, 5.0), times(11.0, 4.99)])
    start = wait_until_quiet(
        give_up_s=0.0, clock=lambda: 0.0, sleep=lambda _: None, read=lambda: next(readings)
    )
    assert start == QuietStart(waited_s=0.0, foreign_share=1.0, quiet=False)


def test_this_machine_counts_upwards() -> None:
    before, after = cpu_times(), cpu_times()
    assert before is not None
    assert after is not None
    assert 0.0 < before.busy_s <= after.busy_s


class Process:
    def __init__(self, pid: int, name: str, used_s: Callable[[], float], start: float = 1.0) -> None:
        self.pid, self.name, self.used_s, self.start = pid, name, used_s, start

    @property
    def info(self) -> dict[str, object]:
        used = type("T", (), {"user": self.used_s(), "system": 0.0})
        return {"pid": self.pid, "create_time": self.start, "name": self.name, "cpu_times": used}


def test_the_busiest_processes_are_named_for_the_screen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    round_of = {"n": 0.0}
    processes = [
        Process(10, "idle", lambda: 500.0),
        Process(11, "builder", lambda: 5.0 + round_of["n"]),
        Process(12, "\x1b[2Jevil", lambda: 1.0 + round_of["n"] / 2),
    ]
    monkeypatch.setattr(psutil, "process_iter", lambda attrs: processes)
    monkeypatch.setattr("time.sleep", lambda seconds: round_of.update(n=seconds))
    busy = busy_now(plant(tmp_path, {}), window_s=0.5)
    assert busy == BusyNow(foreign_share=None, busiest=(("builder", 1.0), ("?[2Jevil", 0.5)))
