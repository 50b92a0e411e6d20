"""Another user of this machine as the board: OpenSSH's server, a bare Python 3.9, broken links, full disks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
import pytest

from profiler.measure import stamps
from profiler.measure.worker import FIRST
from profiler.runfile import read
from tests.boards import until
from tests.conftest import Command, Script, command, refusal
from tests.rights import open_folder
from tests.sshd import OLD_PYTHON, SSHD, USERADD, Server, another_user, serving
from tests.test_boards import IMPATIENT

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or SSHD is None or USERADD is None or not OLD_PYTHON.is_file(),
    reason="another user needs root, sshd and an old Python: make sshd old-python",
)

ON = ("--on", "board", "--board-python", OLD_PYTHON)
TWO_ROUNDS = ("-p", "8", "-n", "8", "--processes", "2", "--max-time", "1s")
KIB = 1 << 10


class User(msgspec.Struct, frozen=True):
    """Whose home the board is."""

    name: str
    home: Path

    @property
    def folder(self) -> Path:
        """What edgeprof puts there."""
        return self.home / ".cache/edgeprof-board"

    def lets_in(self, server: Server) -> None:
        """By its key, with a word of welcome that must not get into what we print."""
        keys = server.seen(self.home / ".ssh/authorized_keys")
        keys.parent.mkdir(exist_ok=True)
        keys.write_text(server.key)
        keys.with_name("rc").write_text("echo Welcome\n")

    def files(self) -> set[Path]:
        """All that lies in the home."""
        return set(self.home.rglob("*"))

    def buffers(self) -> set[Path]:
        """Of the stamps of its workers; one that was killed leaves its own."""
        owner, found = self.home.stat().st_uid, set()
        for path in Path("/dev/shm").glob("edgeprof-*"):
            with suppress(FileNotFoundError):
                found |= {path} if path.stat().st_uid == owner else set()
        return found

    def works_on(self, number: int, before: set[Path]) -> bool:
        """Whether a worker that was not there before has come to this pass."""
        for path in self.buffers() - before:
            with suppress(FileNotFoundError):
                seen = stamps.words(path)
                return len(seen) > FIRST and stamps.progress(seen)[0] >= number
        return False


@pytest.fixture(scope="module")
def user() -> Iterator[User]:
    with another_user() as (name, home):
        yield User(name, home)


@pytest.fixture(scope="module")
def running(user: User, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("sshd"), user.name) as made:
        yield made


@pytest.fixture
def server(running: Server, user: User, edgeprof: Command) -> Iterator[Server]:
    """With nothing of ours there, before and after."""
    user.lets_in(running)
    untouched = user.files()
    yield running
    running.copies_all()
    cleaned = edgeprof("board", "clean", "board", *ON[2:], env=running.env)
    assert cleaned.code == 0, cleaned.err
    assert user.files() == untouched


@contextmanager
def going(*words: str | Path, env: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A command, while it goes on."""
    started = command(*words) if words[0] == "run" else [sys.executable, *map(str, words)]
    with subprocess.Popen(started, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def long(script: Path) -> Path:
    """The same script, in 900 KiB."""
    script.write_text(script.read_text() + " " * 900 * KIB)
    return script


class TestMeasured:
    def test_doctor_finds_a_bare_python(self, edgeprof: Command, server: Server) -> None:
        done = edgeprof("doctor", *ON, "-f", "json", env=server.env)
        assert done.code == 0, done.err
        seen = {one["code"]: one["seen"] for one in json.loads(done.out)["findings"]}
        assert seen["measure.workers"].startswith("Python 3.9.")
        assert "not there" in seen["engine.llama-cpp"]

    def test_a_real_model_is_measured_and_goes_on(
        self, edgeprof: Command, smollm2: Path, server: Server, own_folders: dict[str, str], tmp_path: Path
    ) -> None:
        """By this machine's llama.cpp, which that Python loads, and nothing else."""
        done = edgeprof("board", "setup", "board", *ON[2:], env=server.env)
        assert done.code == 0, done.err
        file = tmp_path / "run.jsonl"
        words = (smollm2, *ON, "-p", "16", "-n", "8", "--processes", "2", "--passes", "2", "--max-time", "1s")
        with going("run", *words, "-o", file, env=own_folders | server.env) as process:
            until(lambda: file.is_file() and b'"worker"' in file.read_bytes())
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)
            assert process.returncode == 130
        resumed = edgeprof("run", smollm2, *ON, "--resume", file, "-f", "json", env=server.env)
        assert resumed.code == 0, resumed.err
        assert {worker.round for worker in read(file).workers} == {0, 1}
        assert edgeprof("report", file, "-f", "json").out == resumed.out
        (row,) = json.loads(resumed.out)["rows"]
        assert row["metrics"]["decode_tps"]["value"] > 0
        assert row["metrics"]["peak_rss_bytes"]["value"] > 90e6
        assert "CPython 3.9." in read(file).header.environment["python_version"]


class TestLinkLoss:
    def test_in_the_middle_of_a_worker(
        self, script: Script, server: Server, user: User, own_folders: dict[str, str], tmp_path: Path
    ) -> None:
        file, before = tmp_path / "run.jsonl", user.buffers()
        slow = script(token_ms=40)
        words = (slow, *ON, *TWO_ROUNDS, "--passes", "8", "-o", file)
        with going("run", *words, env=own_folders | server.env) as process:
            until(lambda: user.works_on(3, before))
            server.cut_off()
            _, said = process.communicate(timeout=90)
        assert process.returncode == 0, said
        _interrupted_once(file)

    def test_while_a_build_is_copied(
        self, script: Script, server: Server, user: User, own_folders: dict[str, str], tmp_path: Path
    ) -> None:
        """What has arrived is not sent again."""
        build, sent = long(script()), 500 * KIB + 123
        server.copies_only(sent)
        words = (
            "-c",
            IMPATIENT,
            "run",
            build,
            *ON,
            *TWO_ROUNDS,
            "--settle",
            "0s",
            "-o",
            tmp_path / "run.jsonl",
        )
        with going(*words, env=own_folders | server.env) as process:
            until(lambda: [path.stat().st_size for path in user.folder.glob("builds/*/*.part")] == [sent])
            (part,) = user.folder.glob("builds/*/*.part")
            with part.open("rb") as arrived:
                server.cut_off()
                server.copies_all()
                _, said = process.communicate(timeout=90)
                assert process.returncode == 0, said
                (copied,) = user.folder.glob("builds/*/*")
                assert os.path.samestat(copied.stat(), os.fstat(arrived.fileno()))
        assert copied.read_bytes() == build.read_bytes()

    def test_a_server_that_stops_for_good(
        self,
        edgeprof: Command,
        script: Script,
        server: Server,
        user: User,
        own_folders: dict[str, str],
        tmp_path: Path,
    ) -> None:
        file, slow, before = tmp_path / "run.jsonl", script(token_ms=40), user.buffers()
        words = ("run", slow, *ON, *TWO_ROUNDS, "--passes", "8", "--settle", "0s", "-o", file)
        with going("-c", IMPATIENT, *words, env=own_folders | server.env) as process:
            until(lambda: user.works_on(3, before))
            server.stop()
            _, said = process.communicate(timeout=90)
        assert process.returncode == 2
        assert said.decode().splitlines()[-1].endswith("go on with --resume once it is there")
        assert b"Traceback" not in said
        server.start()
        done = edgeprof("run", slow, *ON, "--resume", file, env=server.env)
        assert done.code == 0, done.err
        _interrupted_once(file)


def _interrupted_once(file: Path) -> None:
    """Its first worker was lost with some passes done; the others were not."""
    lost, *rest = read(file).workers
    assert lost.failure is not None
    assert lost.failure.kind == "link_lost"
    assert 0 < len(lost.passes) < 9
    assert {(len(worker.passes), worker.failure) for worker in rest} == {(9, None)}
    assert rest[-1].round == 1


TEN_YEARS_AGO = """
import time
seconds, nanoseconds = time.time, time.time_ns
time.time = lambda: seconds() - 10 * 365 * 86400
time.time_ns = lambda: nanoseconds() - 10 * 365 * 86400 * 10**9
"""


class TestWrongClock:
    """A board without a battery that has not met a time server: its Python lives ten years ago."""

    @pytest.fixture
    def on(self) -> Iterator[tuple[str, ...]]:
        with open_folder() as folder:
            (folder / "sitecustomize.py").write_text(TEN_YEARS_AGO)
            yield ("--on", "board", "--board-python", f"env PYTHONPATH={folder} {OLD_PYTHON}")

    def test_figures_are_its_own(
        self, edgeprof: Command, script: Script, server: Server, on: tuple[str, ...], tmp_path: Path
    ) -> None:
        file = tmp_path / "run.jsonl"
        done = edgeprof(
            "run", script(token_ms=40), *on, *TWO_ROUNDS, "-o", file, "-f", "json", env=server.env
        )
        assert done.code == 0, done.err
        (row,) = json.loads(done.out)["rows"]
        assert row["metrics"]["decode_tps"]["value"] > 0
        first = read(file).workers[0]
        assert first.started.wall_ns < (time.time() - 9 * 365 * 86400) * 1e9

    def test_no_log_is_joined(
        self, edgeprof: Command, script: Script, server: Server, on: tuple[str, ...], tmp_path: Path
    ) -> None:
        log = tmp_path / "meter.csv"
        log.write_text("Time,Power (W)\n2026-01-01T00:00:00Z,5\n2026-01-01T00:00:01Z,5\n")
        refused = refusal(edgeprof("run", script(), *on, *TWO_ROUNDS, "--power-log", log, env=server.env))
        assert "the clock of board board is 315,3" in refused
        assert "behind this machine's, and --power-log joins by it" in refused


@pytest.fixture(scope="module")
def small(user: User, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A board with a disk of 300 MiB, and a MiB of memory disk."""
    tried = subprocess.run(
        ["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False
    )
    if tried.returncode:
        pytest.skip(f"no disks of its own for a board here: {tried.stderr[-200:]!r}")
    mounts = (
        f"mount -t tmpfs -o size=300m,mode=755,uid={user.home.stat().st_uid} none {user.home}"
        " && mount -t tmpfs -o size=1m,mode=1777 none /dev/shm"
    )
    with serving(tmp_path_factory.mktemp("sshd"), user.name, mounts) as made:
        user.lets_in(made)
        yield made


@contextmanager
def full(others: Path) -> Iterator[None]:
    """What others keep on this disk leaves no byte of it."""
    subprocess.run(f"head -c 400M /dev/zero > {others}", shell=True, stderr=subprocess.DEVNULL, check=False)
    try:
        yield
    finally:
        others.unlink()


FULL = "the disk of board board is full: free some there, and run it again; what has arrived is kept"


class TestFullDisk:
    def test_a_build_that_does_not_fit_is_refused(
        self, edgeprof: Command, smollm2: Path, small: Server, user: User
    ) -> None:
        refused = refusal(edgeprof("run", smollm2, *ON, *TWO_ROUNDS, env=small.env))
        assert refused.startswith("board board has ")
        assert (
            "where 93 MiB (SmolLM2-135M-Instruct.Q4_1.gguf) and 256 MiB to spare are needed: free some"
            in refused
        )
        assert not list(small.seen(user.folder).glob("builds/*"))

    def test_it_fills_up_while_a_build_is_copied(
        self, edgeprof: Command, script: Script, small: Server, user: User
    ) -> None:
        build, others = long(script()), small.seen(user.home / "others")
        small.when_copying(f"head -c 300M /dev/zero > {others}; truncate -s -400K {others}\n")
        words = ("run", build, *ON, *TWO_ROUNDS)
        refused = refusal(edgeprof(*words, env=small.env))
        assert refused == FULL
        (part,) = small.seen(user.folder).glob("builds/*/*.part")
        assert part.stat().st_size == 400 * KIB
        small.copies_all()
        others.unlink()
        done = edgeprof(*words, env=small.env)
        assert done.code == 0, done.err
        (copied,) = small.seen(user.folder).glob("builds/*/*")
        assert copied.read_bytes() == build.read_bytes()
        with full(others):
            again = edgeprof(*words, env=small.env)
        assert again.code == 0, "nothing is missing there, and a worker needs no room on that disk"

    def test_it_is_full_from_the_start(
        self, edgeprof: Command, script: Script, small: Server, user: User
    ) -> None:
        edgeprof("board", "clean", "board", *ON[2:], env=small.env)
        with full(small.seen(user.home / "others")):
            refused = refusal(edgeprof("board", "setup", "board", *ON[2:], env=small.env))
        assert refused == FULL
        assert not list(small.seen(user.folder).rglob("*.part"))

    def test_its_memory_disk_is_full_when_a_worker_starts(
        self, edgeprof: Command, script: Script, small: Server, tmp_path: Path
    ) -> None:
        file = tmp_path / "run.jsonl"
        with full(small.seen(Path("/dev/shm/others"))):
            done = edgeprof("run", script(), *ON, *TWO_ROUNDS, "-o", file, env=small.env)
        assert done.code == 3, done.err
        (failure,) = {worker.failure for worker in read(file).workers}
        assert failure is not None
        assert failure.kind == "crashed"
        assert failure.message.endswith("No space left on device: 'shm'")
