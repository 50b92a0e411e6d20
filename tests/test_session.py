"""A run: rounds in seeded order, what fails is dropped, what is disturbed is measured again, nothing is lost."""

from __future__ import annotations

import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from io import FileIO
from pathlib import Path
from typing import Any

import msgspec
import pytest

from profiler.errors import UserError
from profiler.measure.course import MOST_REPEATS, Course, Judges
from profiler.measure.launch import Seen, run_worker
from profiler.measure.machine import Here
from profiler.measure.memory_limit import Place, limited_place
from profiler.measure.metering import Metering
from profiler.measure.order import order
from profiler.measure.session import Session
from profiler.runfile import Account, Case, Failure, Plan, Sensor, Worker, append, read
from tests.conftest import Command, Script, command
from tests.run_builder import case, failed, run, text

ASKED = text(prompt=4, output=2)
QUIET = Judges(half_width=lambda workers: None, decided=lambda workers: None, spoiled=lambda worker: False)
DISTURBED = Judges(half_width=lambda workers: None, decided=lambda workers: None, spoiled=lambda worker: True)


class Watch:
    """A listener that remembers the order of visits."""

    def __init__(self) -> None:
        self.visits: list[tuple[int, int, str]] = []

    def visiting(self, case: Case, round_number: int, attempt: int) -> None:
        self.visits.append((round_number, attempt, case.id))

    def progress(self, pass_number: int, tokens: int) -> None:
        pass

    def profiling(self, case: Case) -> None:
        pass

    def visited(self, worker: Worker) -> None:
        assert self.visits[-1] == (worker.round, worker.attempt, worker.case)


class Bench:
    """A plan over scripts, and sessions that carry it out into a run file."""

    def __init__(self, scripts: Sequence[Path], folder: Path, rounds: int, seed: int = 1) -> None:
        self.paths = {path.stem: path for path in scripts}
        cases = [
            case(f"r{n}", name, engine="scripted", workload=ASKED) for n, name in enumerate(self.paths, 1)
        ]
        self.header = run(cases, planned=rounds).header
        self.header = msgspec.structs.replace(
            self.header,
            plan=msgspec.structs.replace(self.header.plan, seed=seed, passes=1, stall_s=20.0, settle_s=0.0),
        )
        self.file = folder / f"{seed}.jsonl"
        with self.opened() as file:
            append(file, self.header)

    @property
    def plan(self) -> Plan:
        return self.header.plan

    def opened(self) -> FileIO:
        return self.file.open("ab", buffering=0)

    def go(self, judges: Judges = QUIET, earlier: Sequence[Worker] = ()) -> tuple[str, Watch]:
        watch = Watch()
        with self.opened() as file:
            return Session(self.plan, self.paths, file, judges, watch, Here(), earlier).go(), watch

    def workers(self) -> list[Worker]:
        return read(self.file).workers


def expected(plan: Plan, attempts: Sequence[tuple[int, int]]) -> list[tuple[int, int, str]]:
    ids = [case.id for case in plan.cases]
    return [(*place, case_id) for place in attempts for case_id in order(ids, plan.seed, *place)]


def test_every_round_visits_every_case_in_an_order_drawn_from_the_seed(
    script: Script, tmp_path: Path
) -> None:
    bench = Bench([script("a"), script("b"), script("c")], tmp_path, rounds=3)
    reason, watch = bench.go()
    assert reason == "rounds"
    assert watch.visits == expected(bench.plan, [(0, 0), (1, 0), (2, 0)])
    assert [(w.round, w.attempt, w.case) for w in bench.workers()] == watch.visits
    assert [w.position for w in bench.workers()] == [0, 1, 2] * 3


def test_same_seed_gives_the_same_order_and_another_seed_another() -> None:
    ids = [f"r{n}" for n in range(8)]
    rounds = [order(ids, 1, n, 0) for n in range(4)]
    assert rounds == [order(ids, 1, n, 0) for n in range(4)]
    assert rounds != [order(ids, 2, n, 0) for n in range(4)]
    assert order(ids, 1, 0, 1) != order(ids, 1, 0, 0)
    assert [sorted(one) for one in rounds] == [ids] * 4


def test_order_of_two_cases_is_a_fair_coin() -> None:
    """1,000 flips: five standard deviations are 79."""
    first = Counter(order(["r1", "r2"], 1, n, 0)[0] for n in range(1000))
    assert 420 < first["r1"] < 580


def test_case_that_cannot_be_loaded_is_dropped_and_the_others_go_on(script: Script, tmp_path: Path) -> None:
    bad = script("bad", fail={"at": "load", "how": "report"})
    bench = Bench([bad, script("good")], tmp_path, rounds=3)
    assert bench.go()[0] == "rounds"
    assert Counter(w.case for w in bench.workers()) == {"r1": 1, "r2": 3}


def test_case_that_crashes_once_is_visited_again(script: Script, tmp_path: Path) -> None:
    shaky = script("shaky", fail={"at": "token", "how": "abort", "rounds": [1]})
    bench = Bench([shaky], tmp_path, rounds=4)
    bench.go()
    assert [w.failure is None for w in bench.workers()] == [True, False, True, True]


def test_case_that_crashes_twice_is_dropped(script: Script, tmp_path: Path) -> None:
    shaky = script("shaky", fail={"at": "token", "how": "segfault", "rounds": [0, 2]})
    bench = Bench([shaky, script("good")], tmp_path, rounds=5)
    bench.go()
    assert Counter(w.case for w in bench.workers()) == {"r1": 3, "r2": 5}


def test_links_that_break_are_no_fault_of_a_case() -> None:
    plan = msgspec.structs.replace(run([case("r1")]).header.plan, rounds=4)
    course = Course(
        plan,
        QUIET,
        lambda case, number, _attempt, _position: failed(case.id, number, "link_lost", ""),
        lambda: 0.0,
    )
    assert course.go() == "rounds"
    assert [worker.round for worker in course.workers] == [0, 1, 2, 3]


def test_run_without_a_case_left_ends(script: Script, tmp_path: Path) -> None:
    bench = Bench([script("bad", fail={"at": "load", "how": "report"})], tmp_path, rounds=5)
    reason, watch = bench.go()
    assert reason == "all_failed"
    assert len(watch.visits) == 1


def test_refused_case_is_recorded_and_never_visited(script: Script, tmp_path: Path) -> None:
    bench = Bench([script("big"), script("small")], tmp_path, rounds=1)
    failure = Failure(kind="out_of_memory", message="too big")
    watch = Watch()
    watch.visits.append((0, 0, "r1"))
    with bench.opened() as file:
        session = Session(bench.plan, bench.paths, file, QUIET, watch, Here())
        session.refuse(bench.plan.cases[0], failure)
        session.go()
    assert [(w.case, w.failure) for w in bench.workers()] == [("r1", failure), ("r2", None)]


def test_disturbed_round_is_measured_again_whole(script: Script, tmp_path: Path) -> None:
    judges = Judges(
        half_width=lambda workers: None,
        decided=lambda workers: None,
        spoiled=lambda w: (w.round, w.attempt, w.case) == (0, 0, "r2"),
    )
    bench = Bench([script("a"), script("b")], tmp_path, rounds=2)
    _, watch = bench.go(judges)
    assert watch.visits == expected(bench.plan, [(0, 0), (0, 1), (1, 0)])


def test_rounds_are_measured_again_five_times_in_a_run_at_most(script: Script, tmp_path: Path) -> None:
    bench = Bench([script("a")], tmp_path, rounds=3)
    reason, watch = bench.go(DISTURBED)
    again = [(0, attempt) for attempt in range(MOST_REPEATS + 1)]
    assert reason == "rounds"
    assert MOST_REPEATS == 5
    assert watch.visits == expected(bench.plan, [*again, (1, 0), (2, 0)])


def test_resumed_run_measures_what_is_missing_and_nothing_else(script: Script, tmp_path: Path) -> None:
    """Cut after any worker, the run goes on as if it had never been cut."""
    bench = Bench([script("a"), script("b")], tmp_path, rounds=2)
    _, whole = bench.go()
    workers = bench.workers()
    for kept in range(len(workers) + 1):
        _, watch = bench.go(earlier=workers[:kept])
        assert watch.visits == whole.visits[kept:]


def test_resumed_run_remembers_what_was_dropped_and_what_was_disturbed(
    script: Script, tmp_path: Path
) -> None:
    bad = script("bad", fail={"at": "load", "how": "report"})
    bench = Bench([bad, script("good")], tmp_path, rounds=2)
    _, whole = bench.go(DISTURBED)
    workers = bench.workers()
    _, watch = bench.go(DISTURBED, earlier=workers[:3])
    assert watch.visits == whole.visits[3:]


def test_precision_ends_an_open_run_at_its_first_checkpoint(script: Script, tmp_path: Path) -> None:
    bench = Bench([script("a")], tmp_path, rounds=1)
    plan = msgspec.structs.replace(bench.plan, rounds=None, checkpoints=[2, 4])
    bench.header = msgspec.structs.replace(bench.header, plan=plan)
    asked: list[int] = []

    def half_width(workers: Sequence[Worker]) -> float:
        asked.append(len(workers))
        return 0.01

    reason, watch = bench.go(
        Judges(half_width=half_width, decided=lambda workers: None, spoiled=lambda worker: False)
    )
    assert (reason, len(watch.visits), asked) == ("within", 2, [2])


def test_resumed_run_is_looked_at_with_the_rounds_of_each_look_alone(script: Script, tmp_path: Path) -> None:
    """One that was cut after its third round is not looked at with three rounds in the place of two."""
    bench = Bench([script("a")], tmp_path, rounds=3)
    bench.go()
    plan = msgspec.structs.replace(bench.plan, rounds=None, checkpoints=[2, 4], until_decided=True)
    bench.header = msgspec.structs.replace(bench.header, plan=plan)
    asked: list[tuple[str, int]] = []

    def half_width(workers: Sequence[Worker]) -> None:
        asked.append(("half-width", len(workers)))

    def decided(workers: Sequence[Worker]) -> bool:
        asked.append(("decided", len(workers)))
        return len(workers) > 2

    judges = Judges(half_width=half_width, decided=decided, spoiled=lambda worker: False)
    reason, watch = bench.go(judges, earlier=bench.workers())
    assert asked == [("half-width", 2), ("decided", 2), ("half-width", 4), ("decided", 4)]
    assert (reason, watch.visits) == ("decided", [(3, 0, "r1")])


class Gauge:
    """5 W."""

    sensor = Sensor(id="g", source="g", name="g", scope="board", quantity="power")

    def read(self) -> float:
        return 5.0

    def close(self) -> None:
        """Nothing to free."""


def test_ctrl_c_while_sensors_are_read_for_the_last_time_loses_no_worker(
    script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = Metering.stop

    def ctrl_c(metering: Metering) -> None:
        stop(metering)
        raise KeyboardInterrupt

    monkeypatch.setattr(Metering, "stop", ctrl_c)
    monkeypatch.setattr("profiler.measure.machine.idle", lambda meters, external: {})
    bench = Bench([script("a")], tmp_path, rounds=2)
    with bench.opened() as file, pytest.raises(KeyboardInterrupt):
        Session(bench.plan, bench.paths, file, QUIET, Watch(), Here([Gauge()])).go()
    [worker] = bench.workers()
    assert [done.number for done in worker.passes] == [0, 1]
    assert set(worker.meters["g"].values) == {5.0}


def test_what_was_measured_stands_where_the_engine_cannot_be_asked_to_account_for_it(
    script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = iter([limited_place(None)])

    def one_place(_way: None) -> AbstractContextManager[Place]:
        try:
            return next(places)
        except StopIteration:
            raise UserError("no control group can be made below /sys/fs/cgroup/ann") from None

    monkeypatch.setattr("profiler.measure.machine.limited_place", one_place)
    bench = Bench([script("a")], tmp_path, rounds=2)
    with bench.opened() as file, pytest.raises(UserError):
        Session(bench.plan, bench.paths, file, QUIET, Watch(), Here()).go()
    [worker] = bench.workers()
    assert worker.failure is None
    assert worker.account == Account(reason="no control group can be made below ann")


def test_nothing_is_left_of_what_an_engine_wrote_for_its_account(
    script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever became of the process: a profile may be large."""
    folders: list[Path] = []

    def killed(order: dict[str, Any], *words: Any, **named: Any) -> Seen:
        if order["mode"] == "account":
            folders.append(Path(order["scratch"]))
            (folders[-1] / "profile.json").write_text("[")
            return Seen(failure=Failure(kind="timeout", message="no progress"))
        return run_worker(order, *words, **named)

    monkeypatch.setattr("profiler.measure.machine.run_worker", killed)
    bench = Bench([script("a")], tmp_path, rounds=1)
    bench.go()
    assert [folder.exists() for folder in folders] == [False]
    assert [worker.account for worker in bench.workers()] == [Account(reason="no progress")]


SLOW = {"token_ms": 8}
"""Eight workers of a third of a second each."""
ARGUMENTS = ("-p", "4", "-n", "10", "--passes", "2", "--processes", "4")


@pytest.fixture
def interrupted(script: Script, own_folders: dict[str, str], tmp_path: Path) -> Callable[[int], Path]:
    """A run of two cases that got a signal after its third worker; gives the run file and checks the ending."""

    def measure(number: int) -> Path:
        file = tmp_path / "run.jsonl"
        words = ("run", script("a", **SLOW), script("b", **SLOW), *ARGUMENTS, "-o", file)
        process = subprocess.Popen(
            command(*words), env=own_folders, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        while process.poll() is None and (not file.exists() or file.read_bytes().count(b"\n") < 4):
            time.sleep(0.02)
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
        assert process.returncode == 130
        assert "Traceback" not in err
        assert f"Run file: {file}" in err
        assert "r1" in out
        assert "r2" in out
        return file

    return measure


def test_terminated_run_keeps_and_shows_its_workers(interrupted: Callable[[int], Path]) -> None:
    assert read(interrupted(signal.SIGTERM)).events[-1].name == "interrupted"


def test_run_ended_by_ctrl_c_keeps_and_shows_its_workers_and_resume_ends_the_plan(
    interrupted: Callable[[int], Path], edgeprof: Command, tmp_path: Path
) -> None:
    file = interrupted(signal.SIGINT)
    cut = read(file)
    assert cut.events[-1].name == "interrupted"
    assert cut.ended is None
    assert len(cut.workers) >= 3
    before = file.read_bytes()

    done = edgeprof("run", tmp_path / "a.json", tmp_path / "b.json", "--resume", file)
    whole = read(file)
    assert done.code == 0
    assert file.read_bytes().startswith(before)
    assert [event.name for event in whole.events] == ["interrupted", "resumed", "end"]
    attempts = sorted({(w.round, w.attempt) for w in whole.workers})
    assert {number for number, _ in attempts} == set(range(4))
    assert [(w.round, w.attempt, w.case) for w in whole.workers] == expected(whole.header.plan, attempts)
    assert whole.sha256.keys() == {"a", "b"}


def test_going_on_with_the_same_run_until_it_decides_is_refused(
    edgeprof: Command, script: Script, tmp_path: Path
) -> None:
    """It tells the honest way instead; what was measured stays as it was."""
    file = tmp_path / "run.jsonl"
    edgeprof("run", script(), "-n", "2", "--processes", "1", "--passes", "1", "-o", file)
    before = file.read_bytes()
    again = edgeprof("run", tmp_path / "script.json", "--resume", file)
    assert again.code == 2
    assert again.err == (
        "edgeprof: run.jsonl reached its planned stop, and going on with it until it decides would bend its figures: "
        "make a fresh run with --processes N, for which `edgeprof report run.jsonl` says an N\n"
    )
    assert file.read_bytes() == before


def test_a_profile_adds_one_worker_a_case_and_changes_no_other(
    script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every order of a round is to the letter what it is without."""
    orders: dict[bool, list[dict[str, Any]]] = {}
    asked: list[dict[str, Any]]

    def without_profiling(order: dict[str, Any], *words: Any, **more: Any) -> Seen:
        asked.append({name: value for name, value in order.items() if name != "scratch"})
        return Seen(evaluated=[]) if order["mode"] == "profile" else run_worker(order, *words, **more)

    monkeypatch.setattr("profiler.measure.machine.run_worker", without_profiling)
    scripts = [script("a"), script("b")]
    for profile in (False, True):
        (tmp_path / str(profile)).mkdir()
        bench, asked = Bench(scripts, tmp_path / str(profile), rounds=2), []
        plan = msgspec.structs.replace(bench.plan, profile=profile)
        bench.header = msgspec.structs.replace(bench.header, plan=plan)
        bench.go()
        orders[profile] = asked
    own, beside = orders[True][: len(orders[False])], orders[True][len(orders[False]) :]
    assert own == orders[False]
    assert [(order["mode"], Path(order["path"]).stem) for order in beside] == [
        ("profile", "a"),
        ("profile", "b"),
    ]
