"""Whatever is killed, stopped, starved or filled up: finished workers survive, resume repeats none, no orphan is left.

Every injury is real: signals from outside, the kernel's out-of-memory killer, an abort inside llama.cpp, full disks.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from profiler.measure.endings import oom_kill_count
from profiler.measure.stamps import stamp_buffer, words
from profiler.measure.worker import PASS
from profiler.runfile import read
from tests.conftest import Command, Script, refusal
from tests.injecting import (
    LINUX,
    RunInProcess,
    all_gone,
    buffers,
    complete,
    failures,
    make_old,
    places,
    until,
)
from tests.memory_group import MemoryGroup, memory_group

pytestmark = LINUX

MIB = 2**20
SHORT: tuple[str, ...] = ("-p", "4", "-n", "4", "--passes", "1")
REAL: tuple[str, ...] = ("-p", "16", "-n", "8", "--passes", "1", "--threads", "1")
LONGER: tuple[str, ...] = ("-p", "16", "-n", "16", "--passes", "1", "--threads", "1")
"""Passes of some tenths of a second: long enough to be hit, too short to be judged as disturbed and repeated."""

THREE_ROUNDS = ("--processes", "3")
SLOW: dict[str, Any] = {"token_ms": 40}
"""A worker of a third of a second."""


class Start(Protocol):
    def __call__(
        self,
        *words: str | Path,
        file: Path | None = None,
        before: Callable[[], None] | None = None,
        within: tuple[str, ...] = (),
    ) -> RunInProcess: ...


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "run.jsonl"


@pytest.fixture
def start(own_folders: dict[str, str], file: Path) -> Iterator[Start]:
    """Starts runs into `file`, and ends what is left of them after the test."""
    started: list[RunInProcess] = []
    default = file

    def run(
        *words: str | Path,
        file: Path | None = None,
        before: Callable[[], None] | None = None,
        within: tuple[str, ...] = (),
    ) -> RunInProcess:
        asked: list[str | Path] = [*words, *(() if "--resume" in words else ("-o", file or default))]
        started.append(RunInProcess(asked, file or default, own_folders, before=before, within=within))
        return started[-1]

    yield run
    for one in started:
        one.end()


@pytest.fixture
def resume(edgeprof: Command, file: Path) -> Callable[..., None]:
    """Goes on with `file`, which must end the run in good order."""

    def go_on(*builds: Path) -> None:
        done = edgeprof("run", *builds, "--resume", file)
        assert done.code == 0, done.err

    return go_on


def cut_behind(file: Path, lines: int, torn: int = 0) -> bytes:
    """Leave of the file what a parent killed just then had written: whole lines, and some bytes of the next."""
    whole = file.read_bytes().splitlines(keepends=True)
    kept = b"".join(whole[:lines])
    file.write_bytes(kept + whole[lines][:torn])
    return kept


class TestWorkerThatFails:
    """One round of each case fails; the parent lives on."""

    HOWS = ("kill", "abort", "segfault", "hang")
    TYPED = ("crashed", "crashed", "crashed", "timeout")

    def test_every_failure_is_typed_the_run_goes_on_and_resume_repeats_none(
        self, start: Start, script: Script, resume: Callable[..., None], file: Path
    ) -> None:
        builds = [script(how, fail={"at": "token", "how": how, "rounds": [1]}) for how in self.HOWS]
        whole = start(*builds, *SHORT, *THREE_ROUNDS, "--stall", "2s")
        assert whole.ending().code == 0
        run = complete(file, b"", cases=4, rounds=3)
        assert failures(run) == {(1, f"r{n}"): kind for n, kind in enumerate(self.TYPED, 1)}

        before = cut_behind(file, lines=1 + 2 * 4, torn=100)
        assert read(file).torn
        resume(*builds)
        assert failures(complete(file, before, cases=4, rounds=3)) == failures(run)

    def test_kill_from_outside_in_the_middle_of_a_real_pass(
        self, start: Start, smollm2: Path, file: Path
    ) -> None:
        run = start(smollm2, *LONGER, "--processes", "2")
        first = run.worker(after=2)
        before, mapped = file.read_bytes(), buffers(first)
        first.kill()
        assert run.ending().code == 0
        found = complete(file, before, cases=1, rounds=2)
        assert list(failures(found).values()) == ["crashed"]
        message = next(w.failure.message for w in found.workers if w.failure)
        assert message == "something killed the worker, and the kernel's out-of-memory counters did not move"
        all_gone([first])
        assert not any(path.exists() for path in mapped)

    def test_abort_inside_llama_cpp(self, start: Start, script: Script, tmp_path: Path, file: Path) -> None:
        """A file that asks for another tokenizer than its vocabulary is made for: an exception nobody catches."""
        broken = wrong_tokenizer(tmp_path / "broken.gguf")
        run = start(broken, script("sound"), *SHORT, *THREE_ROUNDS)
        ending = run.ending()
        assert ending.code == 0
        found = read(file)
        assert [w.failure.kind for w in found.workers if w.failure] == ["crashed", "crashed"]
        assert {w.round for w in found.workers if w.case == "r2"} == {0, 1, 2}
        assert "the engine aborted: what():  unordered_map::at" in ending.out


def wrong_tokenizer(path: Path) -> Path:
    """llama.cpp loads it, and aborts when it tokenizes."""
    gguf = pytest.importorskip("gguf")
    from tests.tiny_llama import write_tiny_llama

    with pytest.MonkeyPatch.context() as patch:
        add = gguf.GGUFWriter.add_tokenizer_model
        patch.setattr(gguf.GGUFWriter, "add_tokenizer_model", lambda writer, _: add(writer, "llama"))
        write_tiny_llama(path)
    return path


class TestMemoryRunsOut:
    """The kernel's own killer, in a control group of little memory."""

    def test_kernel_takes_the_worker_and_the_run_goes_on(
        self, start: Start, script: Script, resume: Callable[..., None], file: Path
    ) -> None:
        eater = script("eater", fail={"at": "token", "how": "eat", "rounds": [1]})
        with memory_group(320 * MIB) as group:
            run = start(eater, script("sound"), *SHORT, *THREE_ROUNDS, before=group.enter)
            assert run.ending().code == 0
            assert group.kills() == 1
            assert counted_inside(group, file.with_name("root")) == 1
        found = read(file)
        assert failures(found) == {(1, "r1"): "out_of_memory"}
        assert found.workers[-1].failure is None
        message = next(w.failure.message for w in found.workers if w.failure)
        assert message == "the kernel's out-of-memory killer ended the worker"
        assert {w.round for w in found.workers if w.case == "r2"} == {0, 1, 2}

        taken = next(n for n, w in enumerate(found.workers) if w.failure)
        before = cut_behind(file, lines=1 + taken + 1)
        resume(eater, eater.with_name("sound.json"))
        assert file.read_bytes().startswith(before)
        again = read(file)
        assert len(set(places(again))) == len(again.workers)
        assert {w.case for w in again.workers[taken + 1 :]} == {"r2"}
        assert {w.round for w in again.workers if w.case == "r2"} == {0, 1, 2}
        assert again.ended is not None

    def test_kernel_takes_a_real_engine(self, start: Start, smollm2: Path, file: Path) -> None:
        """Its memory is foreseen and refused; --force tries nevertheless."""
        with memory_group(150 * MIB) as group:
            refused = start(smollm2, *REAL, "--set", "mmap=off", before=group.enter).ending()
            assert refused.code == 3
            assert "or try it with --force" in refused.out
            assert group.kills() == 0
            forced = file.with_name("forced.jsonl")
            words = (*REAL, "--set", "mmap=off", "--force")
            ending = start(smollm2, *words, file=forced, before=group.enter).ending()
            assert group.kills() == 1
        assert ending.code == 3
        assert failures(read(forced)) == {(0, "r1"): "out_of_memory"}


def counted_inside(group: MemoryGroup, root: Path) -> int:
    """What a process of this group counts where, as in some containers, nothing counts for the machine."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(group.line)
    (root / "sys").symlink_to("/sys")
    return oom_kill_count(root)


class TestParentIsKilled:
    @pytest.mark.parametrize("build", ["scripted", "real"])
    def test_worker_goes_with_it_and_resume_ends_the_plan(
        self, start: Start, script: Script, smollm2: Path, resume: Callable[..., None], file: Path, build: str
    ) -> None:
        path, words = (script(**SLOW), SHORT) if build == "scripted" else (smollm2, LONGER)
        run = start(path, *words, *THREE_ROUNDS)
        worker = run.worker(after=2)
        tree, mapped = run.tree(), buffers(worker)
        run.process.kill()
        run.process.wait()
        all_gone(tree)
        before = file.read_bytes()
        assert len(read(file).workers) >= 1

        for path_left in mapped:
            make_old(path_left)
        resume(path)
        complete(file, before, cases=1, rounds=3)
        assert [path for path in mapped if path.exists()] == []

    def test_killed_while_it_hashed(
        self, edgeprof: Command, script: Script, resume: Callable[..., None], file: Path
    ) -> None:
        """The plan was carried out: nothing is measured any more, and the hashes are made up for."""
        path = script()
        edgeprof("run", path, *SHORT, *THREE_ROUNDS, "-o", file)
        whole, hashes = file.read_bytes(), read(file).sha256
        before = cut_behind(file, lines=whole.count(b"\n") - 1, torn=20)
        assert read(file).sha256 == {}
        resume(path)
        assert file.read_bytes() == whole
        assert complete(file, before, cases=1, rounds=3).sha256 == hashes
        again = edgeprof("run", path, "--resume", file)
        assert refusal(again).startswith("run.jsonl reached its planned stop")


class TestStopped:
    """SIGSTOP: what is stopped makes no progress, and does not end by any signal but SIGKILL."""

    def test_worker_is_given_up_and_killed_although_it_is_stopped(
        self, start: Start, script: Script, file: Path
    ) -> None:
        run = start(script(**SLOW), *SHORT, *THREE_ROUNDS, "--stall", "1.5s")
        worker = run.worker(after=2)
        worker.suspend()
        before, mapped = file.read_bytes(), buffers(worker)
        assert run.ending().code == 0
        found = complete(file, before, cases=1, rounds=3)
        assert list(failures(found).values()) == ["timeout"]
        all_gone([worker])
        assert [path for path in mapped if path.exists()] == []

    def test_worker_that_goes_on_in_time_has_the_gap_in_its_stamps(
        self, start: Start, script: Script, file: Path
    ) -> None:
        """Nothing is lost: one gap is as long as the stop, and the counters say that nothing was computed in it."""
        run = start(
            script(**SLOW), *SHORT[:2], "-n", "8", "--passes", "1", "--processes", "1", "--stall", "20s"
        )
        worker = run.worker()
        (buffer,) = buffers(worker)
        until(lambda: words(buffer)[PASS] == 1)
        worker.suspend()
        time.sleep(1.5)
        worker.resume()
        assert run.ending().code == 0
        seen = read(file).workers[0]
        done = seen.passes[1]
        assert seen.failure is None
        assert len(done.token_ns) == 8
        gaps = [after - before for before, after in itertools.pairwise([0, *done.token_ns])]
        assert [gap > 1e9 for gap in gaps].count(True) == 1
        assert done.counters is not None
        assert done.counters.own_cpu_ns is not None
        assert done.counters.own_cpu_ns < 0.1 * done.counters.wall_ns

    @pytest.mark.alone
    def test_parent_that_was_stopped_for_longer_than_the_watchdog_waits_blames_nobody(
        self, start: Start, script: Script, file: Path
    ) -> None:
        """The worker loads for 3.5 s; of the 3 s that the parent was stopped in, nobody looked."""
        run = start(script(load_ms=3500), *SHORT, "--processes", "1", "--stall", "2.5s")
        until(lambda: run.lines() >= 1 and len(run.tree()) == 2)
        time.sleep(0.2)
        run.parent.suspend()
        time.sleep(3)
        run.parent.resume()
        assert run.ending().code == 0
        assert failures(complete(file, b"", cases=1, rounds=1)) == {}

    def test_parent_that_was_stopped_finds_all_that_its_worker_saw(
        self, start: Start, script: Script, file: Path
    ) -> None:
        run = start(script(**SLOW), *SHORT, *THREE_ROUNDS, "--stall", "1.5s")
        run.worker(after=2)
        run.parent.suspend()
        before = file.read_bytes()
        time.sleep(2)
        run.parent.resume()
        assert run.ending().code == 0
        assert failures(complete(file, before, cases=1, rounds=3)) == {}


class TestFullDisk:
    @pytest.fixture
    def small_disk(self, tmp_path: Path) -> Iterator[Path]:
        """A disk of 1 MiB."""
        folder = tmp_path / "disk"
        folder.mkdir()
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], check=False, capture_output=True
        )
        if mounted.returncode:
            pytest.skip("no disk can be mounted here: that takes root")
        yield folder
        subprocess.run(["umount", "-l", folder], check=True)

    def test_run_file_is_full_in_the_middle_of_a_line_and_resume_goes_on(
        self, edgeprof: Command, script: Script, small_disk: Path
    ) -> None:
        path, words = script(), ("-p", "4", "-n", "200", "--passes", "1", "--processes", "8")
        file, other = small_disk / "run.jsonl", small_disk / "other"
        room = shutil.disk_usage(small_disk).free
        other.write_bytes(bytes(room - 16 * 1024))
        full = edgeprof("run", path, *words, "-o", file)
        sentence = refusal(full)
        assert sentence == (
            "the run file could not be written (No space left on device): make room, then go on with "
            f"--resume {file}"
        )
        kept = read(file)
        assert kept.torn
        assert 0 < len(kept.workers) < 8
        assert "r1" in full.out
        before = file.read_bytes()
        assert refusal(edgeprof("run", path, "--resume", file)) == sentence
        assert read(file).workers == kept.workers

        other.unlink()
        assert edgeprof("run", path, "--resume", file).code == 0
        complete(file, before[: before.rfind(b"\n") + 1], cases=1, rounds=8)

    def test_no_room_for_the_stamps(self, start: Start, script: Script, file: Path) -> None:
        small = 'mount -t tmpfs -o size=8k tmpfs /dev/shm && exec "$@"'
        within = ("unshare", "--mount", "sh", "-c", small, "sh")
        if subprocess.run([*within, "true"], check=False, capture_output=True).returncode:
            pytest.skip("/dev/shm cannot be replaced here: that takes root and mount namespaces")
        run = start(script(), "-p", "4", "-n", "2000", "--passes", "1", within=within)
        ending = run.ending()
        assert ending.code == 2
        assert "no room for 16000 bytes of stamps (No space left on device): free some space" in ending.err


class TestTwoAtOnce:
    def test_second_process_on_one_run_file_is_refused(
        self, start: Start, edgeprof: Command, script: Script, resume: Callable[..., None], file: Path
    ) -> None:
        """Refused while the first run of the file goes on, and while it is resumed; then the file is whole."""
        path = script(load_ms=1000)
        first = start(path, *SHORT, "--processes", "5")
        first.until_lines(2)
        assert refusal(edgeprof("run", path, "--resume", file)) == (
            f"another edgeprof is writing {file}: wait until it has ended, or stop it"
        )
        first.process.kill()
        first.process.wait()
        before = file.read_bytes()
        second = start(path, "--resume", file)
        second.until_lines(before.count(b"\n") + 2)
        assert refusal(edgeprof("run", path, "--resume", file)).startswith("another edgeprof is writing")
        assert second.ending().code == 0
        complete(file, before, cases=1, rounds=5)


class TestBuffersOfTheDead:
    @pytest.fixture
    def folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setattr("profiler.measure.stamps._MEMORY_DISK", tmp_path)
        return tmp_path

    def test_they_are_removed_once_they_are_old_and_held_by_nobody(self, folder: Path) -> None:
        old, young, other = (folder / name for name in ("edgeprof-old", "edgeprof-young", "of-someone-else"))
        for path in (old, young, other):
            path.write_bytes(bytes(8))
        make_old(old)
        make_old(other)
        with stamp_buffer(4) as held:
            make_old(held)
            with stamp_buffer(4) as second:
                assert sorted(folder.iterdir()) == sorted([young, other, held, second])
        assert sorted(folder.iterdir()) == sorted([young, other])

    def test_what_is_no_buffer_is_left_alone(self, folder: Path) -> None:
        """A pipe would block whoever opens it."""
        os.mkfifo(folder / "edgeprof-pipe")
        (folder / "edgeprof-folder").mkdir()
        for path in folder.iterdir():
            make_old(path)
        with stamp_buffer(4):
            pass
        assert {path.name for path in folder.iterdir()} == {"edgeprof-pipe", "edgeprof-folder"}


def test_what_a_worker_started_goes_with_it(start: Start, script: Script, file: Path) -> None:
    """An engine's helper process is of the worker's session."""
    run = start(script(**SLOW, fail={"at": "load", "how": "spawn"}), *SHORT, "--processes", "1")
    worker = run.worker()
    children = worker.children(recursive=True)
    assert children
    worker.send_signal(signal.SIGKILL)
    run.ending()
    all_gone(children)
