"""--memory-limit: every worker in a place of limited memory by the kernel, and nothing of it left behind."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from profiler import runfile
from profiler.analyse.differences import differences
from profiler.analyse.notices import Notice
from profiler.analyse.report import Row, report
from profiler.analyse.study import Study
from profiler.errors import UserError
from profiler.measure.endings import KILLED
from profiler.measure.last_seen import at_the_limit, stage
from profiler.measure.launch import Seen
from profiler.measure.memory_limit import (
    GROUP_V1,
    GROUP_V2,
    SCOPE,
    Way,
    limited_place,
)
from profiler.measure.page_cache import evict
from profiler.measure.ways_to_limit import groups_offered, way_to_limit
from profiler.render import formats
from profiler.runfile import Failure, Memory, MemoryLimit, Phase, Run, Worker
from tests.conftest import Command, Script, command, only_refusal
from tests.injecting import LINUX, until
from tests.run_builder import case, counters, failed, rounds, run, text_pass, unfinished, warm_up, worker

pytestmark = pytest.mark.alone

MIB = 2**20
GIB = 2**30
SHORT = ("-p", "8", "-n", "4", "--processes", "1", "--passes", "1")

Tree = Callable[[dict[str, str]], Path]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    def build(files: dict[str, str]) -> Path:
        for name, content in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(content)
        return tmp_path

    return build


@pytest.fixture
def way() -> Way:
    """256 MiB by this kernel's control groups; the test is skipped where this user may make none."""
    try:
        found = way_to_limit(256 * MIB)
    except UserError as error:
        pytest.skip(str(error))
    if found.by == SCOPE:
        pytest.skip("this user may make no control group of its own")
    return found


@pytest.fixture
def model(smollm2: Path, tmp_path: Path) -> Path:
    """A copy that nobody else has in memory: its pages would count against their groups."""
    build = tmp_path / "model.gguf"
    build.write_bytes(smollm2.read_bytes())
    if not evict(build).evicted:
        pytest.skip("the file system of the temporary folder keeps its files in memory")
    return build


def groups(parent: Path) -> list[str]:
    return [folder.name for folder in parent.glob("edgeprof-*-*") if folder.name.split("-")[1].isdecimal()]


V2 = {
    "proc/self/cgroup": "0::/user.slice/user@1000.service/app.slice/terminal.scope\n",
    "sys/fs/cgroup/cgroup.controllers": "cpuset cpu io memory pids\n",
    "sys/fs/cgroup/user.slice/user@1000.service/app.slice/terminal.scope/cgroup.subtree_control": "\n",
}
DELEGATED = V2 | {
    "sys/fs/cgroup/user.slice/user@1000.service/app.slice/cgroup.subtree_control": "memory pids\n",
    "sys/fs/cgroup/user.slice/user@1000.service/cgroup.subtree_control": "cpu memory pids\n",
}
NOT_DELEGATED = V2 | {
    "sys/fs/cgroup/user.slice/user@1000.service/app.slice/cgroup.subtree_control": "pids\n",
    "sys/fs/cgroup/cgroup.subtree_control": "cpu pids\n",
}
V1 = {
    "proc/self/cgroup": "9:memory:/ann\n4:cpu:/ann\n0::/\n",
    "sys/fs/cgroup/memory/ann/memory.limit_in_bytes": "9223372036854771712\n",
    "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
    "sys/fs/cgroup/unified/cgroup.subtree_control": "\n",
}
IN_A_CONTAINER = V1 | {"proc/self/cgroup": "9:memory:/docker/0a1b\n"}
"""The path is the host's and the mount is the group itself."""
RASPBERRY_PI_OS = {
    "proc/self/cgroup": "0::/user.slice/user-1000.slice/session-1.scope\n",
    "sys/fs/cgroup/cgroup.controllers": "cpuset cpu io pids\n",
    "sys/fs/cgroup/cgroup.subtree_control": "cpuset cpu io pids\n",
}
"""Its kernel boots without the memory controller."""


class TestGroupsOffered:
    @pytest.mark.parametrize(
        ("files", "offered"),
        [
            (
                DELEGATED,
                [
                    (GROUP_V2, "user.slice/user@1000.service/app.slice"),
                    (GROUP_V2, "user.slice/user@1000.service"),
                ],
            ),
            (NOT_DELEGATED, []),
            (V1, [(GROUP_V1, "memory/ann"), (GROUP_V1, "memory")]),
            (IN_A_CONTAINER, [(GROUP_V1, "memory")]),
            (RASPBERRY_PI_OS, []),
            ({}, []),
        ],
        ids=["v2 delegated", "v2 not delegated", "v1", "v1 in a container", "no controller", "nothing"],
    )
    def test_by_what_the_kernel_files_say(
        self, tree: Tree, files: dict[str, str], offered: list[tuple[str, str]]
    ) -> None:
        root = tree(files)
        found = [
            (way.by, way.parent.relative_to(root / "sys/fs/cgroup").as_posix())
            for way in groups_offered(GIB, root)
        ]
        assert found == offered

    def test_what_is_offered_must_take_a_process(
        self, tree: Tree, monkeypatch: pytest.MonkeyPatch, no_user_manager: None
    ) -> None:
        """A tree of plain files has none of the files that a new control group has."""
        root = tree(V1)
        with pytest.raises(UserError, match=r"sys/fs/cgroup/memory \(No such file or directory\)"):
            way_to_limit(GIB, root)


@pytest.fixture
def no_user_manager(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "none"))


class TestRefused:
    def test_a_kernel_without_the_controller(self, tree: Tree, no_user_manager: None) -> None:
        with pytest.raises(UserError) as refused:
            way_to_limit(GIB, tree(RASPBERRY_PI_OS))
        assert str(refused.value) == (
            "--memory-limit cannot be kept here (this kernel offers no memory controller): on Raspberry Pi OS add "
            "cgroup_enable=memory to the line in /boot/firmware/cmdline.txt and restart; a container needs it from "
            "its host"
        )

    def test_a_user_who_may_make_no_group(
        self, tree: Tree, no_user_manager: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(os, "getuid", lambda: 1000)
        monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/systemd-run")
        with pytest.raises(UserError) as refused:
            way_to_limit(GIB, tree(NOT_DELEGATED))
        assert str(refused.value) == (
            "--memory-limit cannot be kept here (no control group here hands the memory controller on; systemd-run "
            "--user gives no limited scope: no user manager runs for this user): type "
            'sudo "$(command -v edgeprof)" run ..., or log in so that a user manager runs (loginctl enable-linger)'
        )

    def test_a_container_of_root(
        self, tree: Tree, no_user_manager: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(os, "getuid", lambda: 0)
        with pytest.raises(UserError, match=r"its memory instead, as in docker run --memory 4g$"):
            way_to_limit(GIB, tree(NOT_DELEGATED))

    def test_another_system(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "platform", "darwin")
        with pytest.raises(UserError, match=r"in a Linux virtual machine of that memory$"):
            way_to_limit(GIB)

    @pytest.mark.parametrize(
        ("word", "sentence"),
        [
            (
                "10M",
                "--memory-limit of 10 MiB: from 64M (no engine runs in less) to 16T are accepted",
            ),
            ("0", "--memory-limit of 0 MiB: from 64M (no engine runs in less) to 16T are accepted"),
            (
                "17T",
                "--memory-limit of 17825792 MiB: from 64M (no engine runs in less) to 16T are accepted",
            ),
            ("4X", "--memory-limit '4X': a size such as 4G, 4GiB, 512M or 4000000000 (bytes) is accepted"),
            ("-4G", "--memory-limit '-4G': a size such as 4G, 4GiB, 512M or 4000000000 (bytes) is accepted"),
            ("", "--memory-limit '': a size such as 4G, 4GiB, 512M or 4000000000 (bytes) is accepted"),
        ],
    )
    def test_nonsense(self, edgeprof: Command, script: Script, word: str, sentence: str) -> None:
        assert only_refusal(edgeprof("run", script(), f"--memory-limit={word}")) == sentence

    def test_a_run_that_goes_on_by_its_own_plan(self, edgeprof: Command, script: Script) -> None:
        refused = edgeprof("run", script(), "--memory-limit", "1G", "--resume", "run.jsonl")
        assert only_refusal(refused) == (
            "--memory-limit and --resume exclude each other: a run goes on by the plan in its file"
        )


@LINUX
class TestPlace:
    """The kernel's own control groups."""

    def test_its_process_is_inside_from_the_first_instruction(self, way: Way) -> None:
        with limited_place(way) as place:
            told = subprocess.run(
                [*place.before, "cat", "/proc/self/cgroup"], check=True, capture_output=True, text=True
            )
            (name,) = groups(way.parent)
        assert f"/{name}\n" in told.stdout
        assert groups(way.parent) == []

    def test_what_is_left_in_it_goes_too(self, way: Way) -> None:
        with limited_place(way) as place:
            left = subprocess.Popen([*place.before, "sleep", "600"], start_new_session=True)
            until(lambda: bool(place.counted()) and f"{left.pid}" in _members(way.parent))
        assert left.wait(10) == -signal.SIGKILL
        assert groups(way.parent) == []

    def test_it_goes_when_the_worker_cannot_be_started(self, way: Way) -> None:
        with pytest.raises(KeyboardInterrupt), limited_place(way):
            raise KeyboardInterrupt
        assert groups(way.parent) == []

    def test_what_an_edgeprof_that_was_killed_left_is_removed_at_the_next_start(self, way: Way) -> None:
        """One that nobody has waited for yet is gone too."""
        gone = subprocess.Popen(["true"])
        until(lambda: "Z" in Path(f"/proc/{gone.pid}/stat").read_text().split())
        ours, theirs = (way.parent / f"edgeprof-{pid}-1" for pid in (os.getpid(), gone.pid))
        ours.mkdir()
        theirs.mkdir()
        try:
            way_to_limit(256 * MIB)
            assert (ours.exists(), theirs.exists()) == (True, False)
        finally:
            ours.rmdir()
            gone.wait()

    def test_without_a_limit_there_is_nothing_before_the_worker(self) -> None:
        with limited_place(None) as place:
            assert (place.before, place.counted()) == ([], None)


def _members(parent: Path) -> list[str]:
    """The processes in our groups; one of them may go while it is read."""
    found: list[str] = []
    for name in groups(parent):
        with contextlib.suppress(OSError):
            found += (parent / name / "cgroup.procs").read_text().split()
    return found


SYSTEMD_RUN = """#!/bin/sh
echo "$XDG_RUNTIME_DIR $@" >> "{log}"
for word; do
    case $word in MemoryMax=*) limit=${{word#MemoryMax=}};; esac
done
while [ "$1" != -- ]; do shift; done
shift
case "$*" in
    *memory.max*) {probe};;
    *) exec "$@";;
esac
"""


class FakeSystemd:
    """A user manager whose systemd-run notes what it was given, and starts it without a scope."""

    def __init__(self, folder: Path, probe: str) -> None:
        self.log = folder / "log"
        self.runtime = folder / "runtime"
        (self.runtime / "systemd").mkdir(parents=True)
        program = folder / "bin/systemd-run"
        program.parent.mkdir()
        program.write_text(SYSTEMD_RUN.format(log=self.log, probe=probe))
        program.chmod(0o755)
        self.environment = {
            "PATH": f"{program.parent}:{os.environ['PATH']}",
            "XDG_RUNTIME_DIR": str(self.runtime),
        }

    def given(self) -> list[str]:
        return self.log.read_text().splitlines()


KEPT = 'echo "0::/user/app.slice/edgeprof.scope"; echo $((limit / 4096 * 4096))'


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], FakeSystemd]:
    def build(probe: str) -> FakeSystemd:
        fake = FakeSystemd(tmp_path / "fake", probe)
        for name, value in fake.environment.items():
            monkeypatch.setenv(name, value)
        return fake

    return build


@LINUX
class TestScope:
    def test_it_is_found_by_trying_it(
        self, tree: Tree, systemd: Callable[[str], FakeSystemd], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The kernel rounds the limit down to whole pages."""
        fake = systemd(KEPT)
        found = way_to_limit(4_000_000_000, tree(NOT_DELEGATED))
        assert found == Way(by=SCOPE, parent=Path("/sys/fs/cgroup/user/app.slice"), bytes=4_000_000_000)
        (given,) = fake.given()
        name = given.split("--unit=")[1].split()[0]
        assert given.startswith(
            f"{fake.runtime} --user --scope --quiet --collect --unit={name} -p MemoryMax=4000000000 "
            "-p MemorySwapMax=0 -- env -u XDG_RUNTIME_DIR sh -c cat /proc/self/cgroup"
        )

    @pytest.mark.parametrize(
        ("probe", "why"),
        [
            ("echo 0::/app.slice/x.scope; echo max", "the scope it makes has no limit"),
            ("echo 0::/app.slice/x.scope; echo 123", "the scope it makes has no limit"),
            ("echo 'cat: memory.max: No such file' >&2; exit 1", "cat: memory.max: No such file"),
            ("exit 3", "exit status 3"),
        ],
    )
    def test_a_scope_without_a_limit_is_none(
        self, tree: Tree, systemd: Callable[[str], FakeSystemd], probe: str, why: str
    ) -> None:
        """Where the user manager has no memory controller, systemd-run takes the limit and keeps it to itself."""
        systemd(probe)
        with pytest.raises(UserError, match=f"systemd-run --user gives no limited scope: {why}\\)"):
            way_to_limit(GIB, tree(NOT_DELEGATED))

    def test_the_worker_does_not_see_how_the_user_manager_was_found(
        self, systemd: Callable[[str], FakeSystemd]
    ) -> None:
        systemd(KEPT)
        with limited_place(Way(by=SCOPE, parent=Path("/none"), bytes=GIB)) as place:
            told = subprocess.run([*place.before, "env"], check=True, capture_output=True, text=True).stdout
            assert place.counted() == MemoryLimit(bytes=GIB, by=SCOPE)
        assert "XDG_RUNTIME_DIR" not in told

    def test_its_counters_are_read_while_it_is_there_and_kills_from_its_parent(self, tmp_path: Path) -> None:
        """A scope goes with its last process, and v2 counts what happened in it for all above."""
        (tmp_path / "memory.events").write_text("oom 1\noom_kill 1\n")
        with limited_place(Way(by=SCOPE, parent=tmp_path, bytes=GIB)) as place:
            name = next(word for word in place.before if word.startswith("--unit="))[len("--unit=") :]
            scope = tmp_path / f"{name}.scope"
            scope.mkdir()
            (scope / "memory.peak").write_text("1000\n")
            look = place.looking(lambda _pass, _tokens: None)
            look(0, 0)
            (scope / "memory.peak").unlink()
            look(0, 1)
            (scope / "memory.peak").write_text("2000\n")
            worker: list[int] = []
            place.looking(worker.append)(4711)
            (scope / "memory.peak").unlink()
            assert worker == [4711]
            (tmp_path / "memory.events").write_text("oom 2\noom_kill 2\n")
            assert place.counted() == MemoryLimit(bytes=GIB, by=SCOPE, peak_bytes=2000, oom_kills=1)


@LINUX
class TestRun:
    def test_a_worker_that_takes_more_is_ended_by_the_kernel_and_the_run_goes_on(
        self, edgeprof: Command, script: Script, way: Way, tmp_path: Path
    ) -> None:
        eater = script("eater", fail={"at": "token", "how": "eat", "after": 5})
        file = tmp_path / "run.jsonl"
        asked = ("-p", "8", "-n", "4", "--processes", "2", "--passes", "1", "--memory-limit", "128M")
        done = edgeprof("run", eater, script("sound"), *asked, "-o", file)
        assert done.code == 0
        found = {(w.case, w.round): w for w in runfile.read(file).workers}
        assert sorted(found) == [("r1", 0), ("r2", 0), ("r2", 1)]
        ended = found["r1", 0]
        assert ended.failure
        assert ended.failure.kind == "out_of_memory"
        assert ended.failure.message.startswith(
            "the kernel's out-of-memory killer ended the worker at its limit of 128 MiB in pass 1 after token 1; "
            "last seen: "
        )
        assert ended.failure.message.endswith(" MiB after the first prompt")
        assert ended.limit
        assert (ended.limit.bytes, ended.limit.by, ended.limit.oom_kills) == (128 * MIB, way.by, 1)
        assert 120 * MIB < (ended.limit.peak_bytes or 0) <= 128 * MIB
        sound = found["r2", 1]
        assert sound.failure is None
        assert sound.limit
        assert (sound.limit.oom_kills, sound.limit.peak_bytes is not None) == (0, True)
        assert groups(way.parent) == []

    def test_a_model_that_is_mapped_runs_in_less_than_it_takes(
        self, edgeprof: Command, model: Path, way: Way, tmp_path: Path
    ) -> None:
        """It takes 150 MiB; what does not stay in memory is read again from the disk."""
        file = tmp_path / "run.jsonl"
        words = ("-p", "4", "-n", "2", "--processes", "1", "--passes", "1", "--memory-limit", "130M")
        assert edgeprof("run", model, *words, "-o", file).code == 0
        ran = runfile.read(file).workers[0]
        assert ran.limit
        assert (ran.limit.peak_bytes, ran.limit.oom_kills) == (130 * MIB, 0)
        assert sum(done.counters.major_faults or 0 for done in ran.passes if done.counters) > 0

    def test_a_model_that_is_read_into_memory_does_not(
        self, edgeprof: Command, model: Path, way: Way, tmp_path: Path
    ) -> None:
        file, enough = tmp_path / "less.jsonl", tmp_path / "more.jsonl"
        less = edgeprof("run", model, *SHORT, "--memory-limit", "100M", "-s", "mmap=off", "-o", file)
        assert less.code == 3
        (ended,) = runfile.read(file).workers
        assert ended.failure
        assert ended.failure.message.startswith(
            "the kernel's out-of-memory killer ended the worker at its limit of 100 MiB while it loaded the model; "
            "last seen: "
        )
        assert "out of memory" in less.out
        more = edgeprof("run", model, *SHORT, "--memory-limit", "2G", "-s", "mmap=off", "-o", enough)
        assert more.code == 0
        found = runfile.read(enough)
        assert found.header.plan.memory_limit_bytes == 2 * GIB
        ran = found.workers[0]
        assert ran.limit
        assert 98_000_000 < (ran.limit.peak_bytes or 0) < 2 * GIB
        assert f"; each process limited to 2.0 GiB by {way.by}; " in more.out

    def test_the_build_is_evicted_before_so_that_its_pages_count(
        self, edgeprof: Command, model: Path, way: Way, tmp_path: Path
    ) -> None:
        model.read_bytes()
        edgeprof("run", model, *SHORT, "--memory-limit", "1G", "-o", tmp_path / "run.jsonl")
        ran = runfile.read(tmp_path / "run.jsonl").workers[0]
        assert (ran.evicted, ran.cached_share) == (True, 0)
        assert ran.limit
        assert (ran.limit.peak_bytes or 0) > model.stat().st_size

    def test_ctrl_c_leaves_no_group(
        self, script: Script, own_folders: dict[str, str], way: Way, tmp_path: Path
    ) -> None:
        words = command("run", script(token_ms=2000), *SHORT, "--memory-limit", "128M", "-o", "run.jsonl")
        parent = subprocess.Popen(words, cwd=tmp_path, env=own_folders, stderr=subprocess.DEVNULL)
        until(lambda: bool(_members(way.parent)) and (tmp_path / "run.jsonl").exists())
        parent.send_signal(signal.SIGINT)
        assert parent.wait(30) == 130
        assert groups(way.parent) == []

    def test_the_plan_shows_the_limit_beside_the_need(
        self, edgeprof: Command, script: Script, way: Way
    ) -> None:
        """What needs more is tried all the same: the limit makes it safe."""
        small, large = script("small"), script("large", memory={"weights_bytes": 200 * MIB})
        done = edgeprof("run", small, large, "--memory-limit", "256MiB", "--processes", "2", "--dry-run")
        first, _, *shown = done.out.splitlines()
        assert f"; each process limited to 256 MiB by {way.by}; roughly " in first
        assert shown == [
            "  r1  small; needs about 100 MiB, within its limit of 256 MiB",
            "  r2  large; needs about 300 MiB, more than its limit of 256 MiB: tried, to see whether it runs from the "
            "disk or not at all",
        ]

    def test_a_run_that_is_resumed_keeps_its_limit(
        self, edgeprof: Command, script: Script, way: Way, tmp_path: Path
    ) -> None:
        build, file = script(), tmp_path / "run.jsonl"
        asked = ("-p", "8", "-n", "4", "--processes", "2", "--memory-limit", "128M")
        edgeprof("run", build, *asked, "-o", file)
        file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:2]))
        assert edgeprof("run", build, "--resume", file).code == 0
        found = runfile.read(file).workers
        assert {w.round for w in found} == {0, 1}
        assert {w.limit.bytes if w.limit else None for w in found} == {128 * MIB}

    @pytest.mark.parametrize(
        ("word", "size"),
        [("1G", GIB), ("1gb", GIB), ("1.5 GiB", 3 * GIB // 2), ("4000000000", 4_000_000_000)],
    )
    def test_how_a_size_is_typed(
        self, edgeprof: Command, script: Script, way: Way, tmp_path: Path, word: str, size: int
    ) -> None:
        edgeprof("run", script(), *SHORT, "--memory-limit", word, "-o", tmp_path / "run.jsonl")
        assert runfile.read(tmp_path / "run.jsonl").header.plan.memory_limit_bytes == size


BEFORE = Phase(name="before_load", memory=Memory(pss_bytes=35 * MIB))
LOADED = Phase(name="loaded", memory=Memory(pss_bytes=150 * MIB))
PROMPTED = Phase(name="after_prefill", memory=Memory(rss_bytes=180 * MIB))
WARM: dict[str, Any] = {"import_ms": 1.0, "load_ms": 2.0, "phases": [BEFORE, LOADED, PROMPTED]}


class TestLastSeen:
    @pytest.mark.parametrize(
        ("seen", "doing"),
        [
            (Seen(), "before its engine was imported"),
            (Seen(import_ms=1), "while it loaded the model"),
            (Seen(import_ms=1, load_ms=2), "in the first prompt"),
            (Seen(**WARM, passes=[warm_up()]), "while it warmed up"),
            (Seen(**WARM, passes=[warm_up(), unfinished(1, 0)]), "in the prompt of pass 1"),
            (Seen(**WARM, passes=[warm_up(), text_pass(1), unfinished(2, 3)]), "in pass 2 after token 3"),
            (Seen(**WARM, passes=[warm_up(), text_pass(1)]), "after pass 1"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_what_the_worker_was_doing(self, seen: Seen, doing: str) -> None:
        assert stage(seen) == doing

    @pytest.mark.parametrize(
        ("failure", "kills", "told"),
        [
            (Failure(kind="out_of_memory", message=KILLED), 1, True),
            (Failure(kind="crashed", message="something killed the worker"), 1, True),
            (Failure(kind="out_of_memory", message=KILLED), None, True),
            (Failure(kind="out_of_memory", message=KILLED), 0, False),
            (Failure(kind="crashed", message="the engine aborted"), 0, False),
            (Failure(kind="crashed", message="the engine aborted"), None, False),
            (Failure(kind="bad_file", message="not a model"), 1, False),
        ],
    )
    def test_a_kill_that_its_group_counted_was_at_the_limit(
        self, failure: Failure, kills: int | None, told: bool
    ) -> None:
        """One that it did not count was for want of memory of the machine."""
        seen = Seen(import_ms=1, phases=[BEFORE], failure=failure)
        seen.limit = MemoryLimit(bytes=256 * MIB, by=GROUP_V2, oom_kills=kills)
        at_limit = Failure(
            kind="out_of_memory",
            message="the kernel's out-of-memory killer ended the worker at its limit of 256 MiB while it loaded the "
            "model; last seen: 35 MiB after the import",
        )
        assert at_the_limit(seen) == (at_limit if told else failure)

    def test_without_a_limit_a_failure_keeps_its_words(self) -> None:
        failure = Failure(kind="out_of_memory", message=KILLED)
        assert at_the_limit(Seen(failure=failure)) == failure
        assert at_the_limit(Seen(limit=MemoryLimit(bytes=GIB, by=GROUP_V2))) is None

    def test_what_an_engine_could_not_allocate_and_what_did_not_end_keep_their_words(self) -> None:
        limit = MemoryLimit(bytes=GIB, by=GROUP_V2, oom_kills=0)
        for kind in ("out_of_memory", "timeout"):
            seen = Seen(failure=Failure(kind=kind, message="so it is"), limit=limit)
            assert at_the_limit(seen) == Failure(
                kind=kind,
                message="so it is, at its limit of 1024 MiB before its engine was imported; it was not seen "
                "before that",
            )


def limited_run(*workers: list[Worker], limit: int | None = GIB) -> Run:
    seen = run([case("r1", "m")], *workers)
    plan = msgspec.structs.replace(seen.header.plan, memory_limit_bytes=limit)
    return msgspec.structs.replace(seen, header=msgspec.structs.replace(seen.header, plan=plan))


def under(peak_mib: int, round_number: int = 0, *, evicted: bool = True, major_faults: int = 0) -> Worker:
    done = text_pass(1, counters=counters(major_faults=major_faults))
    return worker(
        "r1", round_number, warm_up(), done, evicted=evicted, not_evicted=None if evicted else "it stayed",
        limit=MemoryLimit(bytes=GIB, by=GROUP_V1, peak_bytes=peak_mib * MIB, oom_kills=0),
    )  # fmt: skip


def notices(row: Row) -> dict[str, Notice]:
    return {notice.code: notice for notice in row.notices}


class TestReported:
    def test_limit_and_peak_are_conditions_of_the_row(self) -> None:
        found = report(limited_run([under(300), under(310, 1)]))
        conditions = found.rows[0].conditions
        assert conditions["memory_limit_bytes"] == GIB
        assert conditions["limit_peak_bytes"] == 310 * MIB
        assert (found.memory_limit_bytes, found.limited_by) == (GIB, GROUP_V1)

    @pytest.mark.parametrize("name", ["terminal", "markdown"])
    def test_the_run_says_what_limited_it(self, name: str) -> None:
        shown = " ".join(formats.render(report(limited_run([under(300)])), name).split())
        assert "; each process limited to 1.0 GiB by cgroup v1; " in shown
        assert "limited to" not in formats.render(report(run([case("r1")], rounds("r1", [10.0]))), name)

    def test_a_row_that_was_ended_has_them_too(self) -> None:
        ended = failed("r1", 0, "out_of_memory", KILLED)
        limit = MemoryLimit(bytes=GIB, by=GROUP_V1, peak_bytes=GIB, oom_kills=1)
        row = report(limited_run([msgspec.structs.replace(ended, limit=limit)])).rows[0]
        assert row.failure
        assert row.conditions["limit_peak_bytes"] == GIB

    def test_pages_that_did_not_count_are_told(self) -> None:
        row = report(limited_run([under(300), under(100, 1, evicted=False)])).rows[0]
        assert notices(row)["limit_not_full"].seen == (
            "1 of 2 workers may have used pages of the build that do not count against the limit of memory: the "
            "build was not evicted: it stayed"
        )
        assert "not_cold" not in notices(row)
        assert "limit_not_full" not in notices(report(limited_run([under(300)])).rows[0])

    @pytest.mark.parametrize(
        "helped",
        [
            {"other_mappers": ["python"]},
            {"phases": [Phase(name="loaded", memory=Memory(anon_bytes=GIB // 2, build_rss_bytes=GIB))]},
        ],
        ids=["somebody maps it at the end", "more was there than the limit allows"],
    )
    def test_pages_that_another_program_read_meanwhile_are_told(self, helped: dict[str, Any]) -> None:
        """A build that was evicted comes back if somebody else reads it, and is then charged to them."""
        row = report(limited_run([msgspec.structs.replace(under(300), **helped)])).rows[0]
        assert notices(row)["limit_not_full"].seen == (
            "1 of 1 worker may have used pages of the build that do not count against the limit of memory: another "
            "program read the same file meanwhile; stop it, and run again"
        )

    def test_paging_under_a_limit_is_of_this_machines_disk(self) -> None:
        row = report(limited_run([under(1000, major_faults=200)])).rows[0]
        assert notices(row)["paging"].advice == (
            "the model does not stay in memory under this limit; the disk of this machine sets the speed"
        )

    def test_runs_with_different_limits_differ_in_it(self) -> None:
        studies = [Study(limited_run([under(300)], limit=limit)) for limit in (None, 2 * GIB)]
        pair = [(study, study.plan.cases[0]) for study in studies]
        assert differences(*pair) == ["limit of each process: none -> 2048 MiB"]
