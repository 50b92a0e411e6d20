"""One edgeprof measures on a board at a time: who has it, who waits, and what frees it again."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from profiler.boards import sent
from profiler.boards.alone import BusyBoardError, hold
from profiler.boards.link import BEGIN, Link, LinkLost
from profiler.boards.remote.work import MEMORY_DISK, prefix
from profiler.runfile import read
from tests.boards import FakeBoard, until
from tests.conftest import Command, Script, command, only_refusal
from tests.test_boards import IMPATIENT

SHORT = ("-p", "8", "-n", "4", "--processes", "1", "--passes", "2")
BUSY = (
    r"board pi@board is measuring for another edgeprof since \d\d:\d\d: wait until it has ended, or stop it"
)


SLEEPER = """
import os, sys, time
with open({told!r}, "w") as file:
    print(sys.stdin.read() + str(os.getpid()), file=file)
time.sleep(60)
"""


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeBoard:
    made = FakeBoard(tmp_path)
    monkeypatch.setenv("PATH", made.env["PATH"])
    return made


@contextmanager
def linked(board: FakeBoard) -> Iterator[Link]:
    link = Link("pi@board", board.words[-1])
    yield link
    link.close()


class TestTwoLaptops:
    def test_the_second_is_told_in_one_sentence(
        self, own_folders: dict[str, str], edgeprof: Command, script: Script, board: FakeBoard
    ) -> None:
        """It can look at the board meanwhile, and measures there afterwards."""
        slow = command("run", script("slow", token_ms=30), *board.words, "-n", "60", "--processes", "2")
        others = {
            "run": ("run", script(), *board.words, *SHORT),
            "setup": ("board", "setup", "pi@board", *board.words[2:]),
            "clean": ("board", "clean", "pi@board", *board.words[2:]),
        }
        with subprocess.Popen(
            slow, env=own_folders | board.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as first:
            until(lambda: bool(list(board.folder.glob("builds/*/slow.json"))))
            for words in others.values():
                said = only_refusal(edgeprof(*words, env=board.env))
                assert pytest.RaisesExc(BusyBoardError, match=BUSY).matches(BusyBoardError(said))
            assert edgeprof("doctor", *board.words, env=board.env).code == 0
            assert edgeprof(*others["run"], "--dry-run", env=board.env).code == 0
            first.kill()
        assert edgeprof(*others["run"], env=board.env).code == 0
        assert edgeprof(*others["clean"], env=board.env).out == "pi@board: removed\n"

    def test_until_the_first_has_ended(self, board: FakeBoard) -> None:
        with linked(board) as first, linked(board) as second:
            hold(first, "a")
            hold(first, "a")
            with pytest.raises(BusyBoardError, match=BUSY):
                hold(second, "b")
            first.close()
            hold(second, "b")

    def test_a_cleaned_board_is_held_by_nobody(self, board: FakeBoard) -> None:
        """The file that its holder has a lock on is another one than the next one's."""
        with linked(board) as first, linked(board) as second:
            hold(first, "a")
            assert first.ask("remove", folder="~/.cache/edgeprof-board") is False
            hold(second, "b")

    @pytest.mark.parametrize("said", ["x", {"seconds": 1}, -1, 1e300, True])
    def test_a_strange_answer(self, board: FakeBoard, monkeypatch: pytest.MonkeyPatch, said: object) -> None:
        with linked(board) as link:
            monkeypatch.setattr(link, "ask", lambda *_words, **_fields: said)
            with pytest.raises(msgspec.ValidationError):
                hold(link, "a")

    def test_one_that_came_meanwhile_is_named(
        self, own_folders: dict[str, str], script: Script, board: FakeBoard, tmp_path: Path
    ) -> None:
        """The link breaks, and another laptop is there first: what was measured is kept."""
        words = ("-p", "8", "-n", "8", "--processes", "1", "--passes", "4", "--settle", "0s", "-o")
        asked = ["run", str(script(token_ms=40)), *board.words, *words, str(tmp_path / "b.jsonl")]
        with subprocess.Popen(
            [sys.executable, "-c", IMPATIENT, *asked], env=own_folders | board.env, stderr=subprocess.PIPE
        ) as process:
            until(
                lambda: (
                    (tmp_path / "b.jsonl").is_file() and bool(list(board.folder.glob("builds/*/script.json")))
                )
            )
            time.sleep(1)
            board.refuses("ssh: connect to host board port 22: No route to host")
            os.kill(board.agent(), signal.SIGKILL)
            with (board.folder / "lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                json.dump({"pid": 0, "since": time.monotonic(), "word": "b"}, lock)
                lock.flush()
                (board.home / "said").unlink()
                _, said = process.communicate(timeout=60)
        assert process.returncode == 2
        assert b"board pi@board is measuring for another edgeprof since" in said
        assert b"what was measured is kept: go on with --resume" in said
        assert [worker.failure.kind for worker in read(tmp_path / "b.jsonl").workers if worker.failure] == [
            "link_lost"
        ]


class TestLeftOver:
    """A link breaks, and the agent behind it has not noticed yet."""

    def working(self, link: Link, board: FakeBoard) -> tuple[int, dict[str, Any]]:
        """A worker that sleeps: its process id, and its order with its own folder and stamps."""
        sleeper, told = board.home / "sleeper.py", board.home / "told"
        sleeper.write_text(SLEEPER.format(told=str(told)))
        asked = {
            "order": {},
            "words": 4,
            "worker": str(sleeper),
            "command": [sys.executable],
            "kept": ["PATH"],
        }
        next(iter(link.follow("work", 30, **asked, environment={}, look_s=0.1)))
        until(lambda: told.is_file() and told.read_text().endswith("\n"))
        order, _, pid = told.read_text().rpartition("}")
        return int(pid), json.loads(order + "}")

    def test_the_next_agent_of_the_same_run_takes_over(self, board: FakeBoard) -> None:
        """And ends its worker, of which nothing stays."""
        with linked(board) as old, linked(board) as new:
            hold(old, "a")
            worker, order = self.working(old, board)
            assert Path(order["scratch"]).is_dir()
            hold(new, "a")
            with pytest.raises(LinkLost):
                old.ask("anchor")
            until(lambda: not Path(f"/proc/{worker}").exists())
            assert not Path(order["scratch"]).exists()
            assert not Path(order["stamps"]).exists()

    def test_it_ends_when_nobody_is_heard_of(self) -> None:
        """A laptop that sleeps ends no connection."""
        source = sent.source().replace(b"LONGEST_SILENCE_S = 120.0", b"LONGEST_SILENCE_S = 0.5")
        soon = source.replace(b"ENDING_S = 5.0", b"ENDING_S = 0.2")
        with subprocess.Popen(
            [sys.executable, "-u", "-c", BEGIN], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(b"%d\n" % len(soon) + soon)
            for number in range(4):
                process.stdin.write(json.dumps({"id": number, "do": "beat"}).encode() + b"\n")
                process.stdin.flush()
                said = process.stdout.readline().strip() or process.stdout.readline()
                assert json.loads(said) == {"id": number, "ok": True}
                time.sleep(0.3)
            assert process.wait(20) == 0


def test_who_else_maps_a_build_there(
    edgeprof: Command, script: Script, board: FakeBoard, tmp_path: Path
) -> None:
    build = script(token_ms=5)

    def mappers(file: str) -> list[str]:
        done = edgeprof("run", build, *board.words, *SHORT, "-o", file, env=board.env)
        assert done.code == 0, done.err
        told = [worker.other_mappers for worker in read(tmp_path / file).workers]
        assert None not in told
        return [name for names in told for name in names or []]

    assert mappers("before.jsonl") == []
    (there,) = board.folder.glob("builds/*/script.json")
    holder = (
        "import mmap, sys; f = open(sys.argv[1], 'rb'); m = mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ); "
        "print(m[:1], flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holder, there], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        named = mappers("meanwhile.jsonl")
        other.kill()
    assert named
    assert all(name.startswith("python") for name in named)


def test_what_a_killed_agent_has_left_goes_with_the_rest(
    edgeprof: Command, board: FakeBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(board.home))
    left = [Path(MEMORY_DISK) / f"{prefix()}stamps", Path(tempfile.gettempdir()) / f"{prefix()}scratch"]
    left[0].touch()
    left[1].mkdir()
    words = ("board", "clean", "pi@board", *board.words[2:])
    assert edgeprof(*words, env=board.env).out == "pi@board: removed\n"
    assert not [path for path in left if path.exists()]
