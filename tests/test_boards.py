"""Runs on boards: an agent at the other end of ssh, workers and builds copied there, all that goes wrong typed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from profiler.boards.deploy import greeted, send
from profiler.boards.link import Link, LinkLost, Refused, answering, understood
from profiler.boards.mirror import Mirror
from profiler.cli.board import refuse_wrong_clock
from profiler.errors import UserError
from profiler.host.machine import available_memory, this_machine
from profiler.runfile import read, read_boards, read_named
from profiler.telemetry.reading import board as state
from tests.boards import FakeBoard, until
from tests.conftest import Command, Script, command, only_refusal, refusal

IMPATIENT = """
import sys
from profiler.boards import there
there.AGAIN_S, there.PAUSE_S = 1, 0.2
from profiler.cli.app import main
sys.exit(main())
"""
"""The command, which waits a second for a board that has gone."""

WORDS = ("-p", "8", "-n", "4", "--processes", "2", "--passes", "2")


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeBoard:
    made = FakeBoard(tmp_path)
    monkeypatch.setenv("PATH", made.env["PATH"])
    return made


@pytest.fixture
def link(board: FakeBoard) -> Link:
    return Link("pi@board", board.words[-1])


class TestRun:
    def test_a_run_is_measured_there(
        self, edgeprof: Command, script: Script, board: FakeBoard, tmp_path: Path
    ) -> None:
        done = edgeprof("run", script(), *board.words, *WORDS, "-o", "b.jsonl", "-f", "json", env=board.env)
        assert done.code == 0, done.err
        (row,) = json.loads(done.out)["rows"]
        assert row["metrics"]["decode_tps"]["value"] > 0
        run = read(tmp_path / "b.jsonl")
        assert [len(worker.passes) for worker in run.workers] == [3, 3]
        assert all(worker.board_after is not None and worker.conditions is not None for worker in run.workers)
        assert not run.header.sensors or run.workers[0].meters
        assert run.ended is not None
        assert list(board.folder.glob("code/*/profiler/measure/worker.py"))
        assert not list(board.folder.rglob("*.part"))

    def test_what_is_there_is_not_copied_again(
        self, edgeprof: Command, script: Script, board: FakeBoard
    ) -> None:
        build = script()
        for name in ("a.jsonl", "b.jsonl"):
            done = edgeprof("run", build, *board.words, *WORDS, "-o", name, env=board.env)
            assert done.code == 0, done.err
        (copied,) = [path for path in board.folder.glob("builds/*/*") if path.is_file()]
        assert copied.read_bytes() == build.read_bytes()
        visits = (board.home / "visits").read_text().splitlines()
        assert len(visits) == 3, "an agent for each run, and one copy"

    def test_a_full_disk_is_one_sentence(self, edgeprof: Command, script: Script, board: FakeBoard) -> None:
        board.fills_up()
        refused = refusal(edgeprof("run", script(), *board.words, *WORDS, env=board.env))
        assert refused.startswith("the disk of board pi@board is full: free some there")

    def test_a_build_is_a_folder_too(
        self, edgeprof: Command, board: FakeBoard, tmp_path: Path, script: Script
    ) -> None:
        done = edgeprof("run", script(), *board.words, *WORDS, "--dry-run", env=board.env)
        assert done.code == 0, done.err
        assert "fresh process" in done.out
        assert not board.folder.exists(), "nothing is copied to show a plan"

    def test_a_worker_that_crashes_there_is_typed(
        self, edgeprof: Command, script: Script, board: FakeBoard, tmp_path: Path
    ) -> None:
        done = edgeprof(
            "run",
            script(fail={"at": "token", "how": "segfault"}),
            *board.words,
            *WORDS,
            "-o",
            "b.jsonl",
            env=board.env,
        )
        assert done.code == 3
        failures = {worker.failure.kind for worker in read(tmp_path / "b.jsonl").workers if worker.failure}
        assert failures == {"crashed"}

    def test_a_cold_start_there(
        self, edgeprof: Command, script: Script, board: FakeBoard, tmp_path: Path
    ) -> None:
        """By the module that sends builds out of this machine's page cache."""
        done = edgeprof("run", script(), *board.words, *WORDS, "--cold", "-o", "b.jsonl", env=board.env)
        assert done.code == 0, done.err
        for worker in read(tmp_path / "b.jsonl").workers:
            assert worker.cached_share is not None or not os.access("/proc/self", os.R_OK)
            assert worker.evicted or worker.not_evicted

    def test_a_link_that_breaks_costs_one_worker(
        self, own_folders: dict[str, str], script: Script, board: FakeBoard, tmp_path: Path
    ) -> None:
        """Its finished passes are kept, the board comes back, and the run goes on."""
        slow = script(token_ms=40)
        words = ("-p", "8", "-n", "8", "--processes", "2", "--passes", "4", "-o", tmp_path / "b.jsonl")
        with subprocess.Popen(
            command("run", slow, *board.words, *words), env=own_folders | board.env, stderr=subprocess.PIPE
        ) as process:
            until(lambda: board.agent() > 0 and _children(board.agent()) > 0)
            time.sleep(1.5)
            os.kill(board.agent(), signal.SIGKILL)
            _, said = process.communicate(timeout=60)
        assert process.returncode == 0, said
        first, *rest = read(tmp_path / "b.jsonl").workers
        assert first.failure is not None
        assert first.failure.kind == "link_lost"
        assert first.passes
        assert [worker.failure for worker in rest] == [None] * len(rest)
        assert rest

    def test_a_board_that_stays_away_costs_nothing_that_was_measured(
        self, own_folders: dict[str, str], script: Script, board: FakeBoard, tmp_path: Path
    ) -> None:
        words = ("-p", "8", "-n", "8", "--processes", "2", "--passes", "4", "-o", str(tmp_path / "b.jsonl"))
        asked = ["run", str(script(token_ms=40)), *board.words, *words, "--settle", "0s"]
        with subprocess.Popen(
            [sys.executable, "-c", IMPATIENT, *asked], env=own_folders | board.env, stderr=subprocess.PIPE
        ) as process:
            until(lambda: board.agent() > 0 and _children(board.agent()) > 0)
            time.sleep(1.5)
            board.refuses("ssh: connect to host board port 22: No route to host")
            os.kill(board.agent(), signal.SIGKILL)
            _, said = process.communicate(timeout=60)
        assert process.returncode == 2
        assert b"has not come back" in said
        assert b"Traceback" not in said
        (only,) = read(tmp_path / "b.jsonl").workers
        assert only.failure is not None
        assert only.failure.kind == "link_lost"
        assert only.passes

    def test_a_run_that_was_stopped_goes_on_there(
        self, own_folders: dict[str, str], edgeprof: Command, script: Script, board: FakeBoard, tmp_path: Path
    ) -> None:
        slow, file = script(token_ms=40), tmp_path / "b.jsonl"
        words = ("-p", "8", "-n", "8", "--processes", "3", "--passes", "2", "-o", file)
        with subprocess.Popen(
            command("run", slow, *board.words, *words), env=own_folders | board.env, stderr=subprocess.DEVNULL
        ) as process:
            until(lambda: file.is_file() and len(file.read_bytes().splitlines()) > 1)
            process.send_signal(signal.SIGINT)
            process.wait(30)
        assert process.returncode == 130
        done = edgeprof("run", slow, *board.words, "--resume", file, env=board.env)
        assert done.code == 0, done.err
        assert {worker.round for worker in read(file).workers} == {0, 1, 2}


def _children(process: int) -> int:
    listed = Path(f"/proc/{process}/task").glob("*/children")
    return sum(len(file.read_text().split()) for file in listed)


TWO = ("--on", "one=pi@one", "--on", "two=pi@two")


class TestSeveral:
    def test_one_after_the_other_into_one_file(
        self, edgeprof: Command, script: Script, board: FakeBoard, tmp_path: Path
    ) -> None:
        """One that cannot be had does not keep the others from theirs."""
        hosts = (*TWO[:2], "--on", "gone@board", *TWO[2:], *board.words[2:])
        done = edgeprof("run", script(), *hosts, *WORDS, "-o", "b.jsonl", env=board.env)
        assert done.code == 2
        assert "edgeprof: board gone@board: no machine has this name" in done.err
        assert "one and two are one machine under two names" in done.err
        runs = read_named(tmp_path / "b.jsonl")
        assert list(runs) == ["b.jsonl#one", "b.jsonl#two"]
        assert [run.header.device.board for run in runs.values()] == ["one", "two"]
        assert all(run.ended and run.sha256 and len(run.workers) == 2 for run in runs.values())
        assert "b.jsonl#one" in done.out
        assert "b.jsonl#two" in done.out

    def test_every_command_takes_such_a_file(
        self, edgeprof: Command, script: Script, board: FakeBoard, tmp_path: Path
    ) -> None:
        done = edgeprof(
            "run", script(), *TWO, *board.words[2:], *WORDS, "-o", "b.jsonl", "-f", "json", env=board.env
        )
        assert done.code == 0, done.err
        assert [one["name"] for one in json.loads(done.out)["reports"]] == ["b.jsonl#one", "b.jsonl#two"]
        assert json.loads(edgeprof("report", "b.jsonl#two", "-f", "json").out)["device"]["board"] == "two"
        assert edgeprof("explain", "b.jsonl#one", "r1", "decode_tps").code == 0
        assert edgeprof("compare", "b.jsonl#one", "b.jsonl#two#r1").code == 0
        assert edgeprof("bundle", "b.jsonl").code == 0
        assert edgeprof("verify", "edgeprof-bundle.zip").code == 0
        refused = only_refusal(edgeprof("explain", "b.jsonl", "r1", "decode_tps"))
        assert refused == "b.jsonl holds the runs of 2 boards: name one of b.jsonl#one, b.jsonl#two"
        refused = only_refusal(edgeprof("report", "b.jsonl#three"))
        assert refused == "b.jsonl has no run of board 'three', it has those of one, two"

    def test_all_go_on(
        self, own_folders: dict[str, str], edgeprof: Command, script: Script, board: FakeBoard, tmp_path: Path
    ) -> None:
        """The second was stopped; the first is over, and stays as it is."""
        slow, file = script(token_ms=20), tmp_path / "b.jsonl"
        words = ("-p", "8", "-n", "8", "--processes", "3", "--passes", "2", "-o", file)
        with subprocess.Popen(
            command("run", slow, *TWO, *board.words[2:], *words),
            env=own_folders | board.env,
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        ) as process:
            until(lambda: file.is_file() and _workers(file).get("two", 0) > 0)
            process.send_signal(signal.SIGINT)
            process.wait(30)
        assert process.returncode == 130
        before = read_boards(file)["one"]
        done = edgeprof("run", slow, *TWO, *board.words[2:], "--resume", file, env=board.env)
        assert done.code == 0, done.err
        assert "Board one: its run is over" in done.err
        runs = read_boards(file)
        assert runs["one"] == before
        assert {worker.round for worker in runs["two"].workers} == {0, 1, 2}
        alone = only_refusal(edgeprof("run", slow, "--resume", file))
        assert alone.endswith("name those to go on with by --on one=USER@BOARD")
        one = only_refusal(edgeprof("run", slow, "--resume", f"{file}#one"))
        assert one == f"--resume takes the whole file: --resume {file} --on one=USER@BOARD"

    def test_what_was_measured_is_shown_in_every_format(
        self, own_folders: dict[str, str], script: Script, board: FakeBoard, tmp_path: Path
    ) -> None:
        """After Ctrl-C on the second board, once."""
        file = tmp_path / "b.jsonl"
        words = ("-p", "8", "-n", "8", "--processes", "3", "--passes", "2", "-o", file, "-f", "json")
        with subprocess.Popen(
            command("run", script(token_ms=40), *TWO, *board.words[2:], *words),
            env=own_folders | board.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as process:
            until(lambda: file.is_file() and _workers(file).get("two", 0) > 0)
            process.send_signal(signal.SIGINT)
            shown, _ = process.communicate(timeout=30)
        assert process.returncode == 130
        assert len(json.loads(shown)["reports"]) == 2

    def test_a_run_goes_on_where_it_was_measured(
        self, edgeprof: Command, script: Script, board: FakeBoard, tmp_path: Path
    ) -> None:
        build, there, here = script(), tmp_path / "there.jsonl", tmp_path / "here.jsonl"
        for file, on in ((there, ("--on", "one=pi@one", *board.words[2:])), (here, ())):
            assert edgeprof("run", build, *on, *WORDS, "-o", file, env=board.env).code == 0
            file.write_text("".join(file.read_text().splitlines(keepends=True)[:2]))
        other = ("--on", "two=pi@two", *board.words[2:])
        for file, on, sentence in (
            (
                there,
                (),
                "there.jsonl holds the run of a board: name those to go on with by --on one=USER@BOARD",
            ),
            (here, other, "here.jsonl was measured on the machine itself: go on with it there, without --on"),
            (there, other, "there.jsonl has no run of board 'two', it has those of one: "),
        ):
            before = file.read_bytes()
            said = only_refusal(edgeprof("run", build, "--resume", file, *on, env=board.env))
            assert said.startswith(sentence)
            assert file.read_bytes() == before
        done = edgeprof("run", build, "--resume", there, *TWO, *board.words[2:], env=board.env)
        assert (done.code, len(read(there).workers)) == (2, 2), "one goes on, two had not begun"

    def test_a_board_that_cannot_be_had_is_told_before_limits(
        self, edgeprof: Command, script: Script, board: FakeBoard
    ) -> None:
        words = ("--on", "gone=gone@board", "--on", "two=pi@two", *board.words[2:])
        done = edgeprof("run", script(), *words, *WORDS, "--limits", "laptop-chat", env=board.env)
        assert (done.code, "undecided" in done.out.lower()) == (2, True)

    def test_their_plans(self, edgeprof: Command, script: Script, board: FakeBoard) -> None:
        done = edgeprof("run", script(), *TWO, *board.words[2:], *WORDS, "--dry-run", env=board.env)
        assert done.code == 0, done.err
        assert done.out.count("fresh process") == 2

    def test_a_file_that_is_there_is_refused_before_anything(
        self, edgeprof: Command, script: Script, board: FakeBoard, tmp_path: Path
    ) -> None:
        (tmp_path / "b.jsonl").write_text("mine")
        for hosts in (TWO, board.words[:2]):
            words = ("run", script(), *hosts, *board.words[2:], *WORDS, "-o", "b.jsonl")
            assert "b.jsonl exists: choose another name" in only_refusal(edgeprof(*words, env=board.env))
        assert not (board.home / "visits").exists()

    @pytest.mark.parametrize(
        ("more", "sentence"),
        [
            (("--on", "pi@one", "-o", "b.jsonl"), "names board pi@one twice"),
            (
                ("--on", "pi@two"),
                "boards pi@one and pi@two are both called this: name them apart, as in --on",
            ),
            (("--on", "pi@two", "--trace", "t.json", "--profile"), "--trace is of one run, and --on names 2"),
            (("--on", "r2=pi@two"), "--on 'r2=pi@two': a board is named by up to 40 letters"),
        ],
    )
    def test_what_cannot_be(
        self, edgeprof: Command, script: Script, board: FakeBoard, more: tuple[str, ...], sentence: str
    ) -> None:
        words = ("--on", "pi@one", *more, *board.words[2:])
        assert sentence in only_refusal(edgeprof("run", script(), *words, *WORDS, env=board.env))


def _workers(file: Path) -> dict[str, int]:
    return {name: len(run.workers) for name, run in read_boards(file).items()}


class TestBoardsOfAllKinds:
    @pytest.mark.parametrize(
        "said", ["Welcome! ", "Have a nice {day}\n", '{"id": [1]}\n{"id": {}}\n[1]\n', "\x1b[2J\xff\n"]
    )
    def test_one_that_greets(self, edgeprof: Command, board: FakeBoard, said: str) -> None:
        board.greets(said)
        done = edgeprof("doctor", *board.words, env=board.env)
        assert done.code == 0, done.err

    def test_a_python_as_a_shell_writes_it(self, edgeprof: Command, script: Script, board: FakeBoard) -> None:
        (board.home / "python").symlink_to(sys.executable)
        for python in ("~/python", "$HOME/python"):
            done = edgeprof(
                "run", script(), *board.words[:2], "--board-python", python, *WORDS, env=board.env
            )
            assert done.code == 0, done.err

    def test_an_old_python(self, edgeprof: Command, board: FakeBoard, tmp_path: Path) -> None:
        (tmp_path / "sitecustomize.py").write_text(
            "import sys\nsys.version_info = (2, 7, 18)\nsys.version = '2.7.18 (x)'\n"
        )
        python = f"env PYTHONPATH={tmp_path} {sys.executable}"
        refused = only_refusal(
            edgeprof("doctor", "--on", "pi@board", "--board-python", python, env=board.env)
        )
        assert refused.startswith("board pi@board: it has Python 2.7.18: workers need 3.9 or later")

    def test_something_else_that_answers(self, edgeprof: Command, board: FakeBoard, tmp_path: Path) -> None:
        other = tmp_path / "other"
        other.write_text('#!/bin/sh\nread size; echo \'{"id": 1, "error": "no"}\'; sleep 9\n')
        other.chmod(0o755)
        refused = only_refusal(
            edgeprof("doctor", "--on", "pi@board", "--board-python", str(other), env=board.env)
        )
        assert refused == "board pi@board: no"

    def test_a_language_without_our_letters(self, board: FakeBoard, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}.items():
            monkeypatch.setenv(name, value)
        link = Link("pi@board", board.words[-1])
        place = board.home / "Modelle/für uns"
        assert link.ask("put", path=str(place), text="ü")
        assert place.read_text("utf-8") == "ü"
        link.close()

    def test_a_home_that_is_nowhere(self, board: FakeBoard) -> None:
        link = Link("pi@board", f"env HOME=nowhere {board.words[-1]}")
        assert greeted(link).folder == "nowhere/.cache/edgeprof-board"
        link.close()

    @pytest.mark.parametrize(
        ("why", "sentence"),
        [
            ("OSError: [Errno 122] Disk quota exceeded", "the disk of board b is full"),
            ("OSError: [Errno 30] Read-only file system: x", "board b has a read-only disk"),
            ("PermissionError: [Errno 13] Permission denied: x", "board b lets nothing be written"),
            ("KeyError: {x}", "board b could not do it: KeyError: {x}"),
        ],
    )
    def test_a_disk_that_takes_nothing(self, why: str, sentence: str) -> None:
        with pytest.raises(UserError) as refused, understood("b"):
            raise Refused(why)
        assert str(refused.value).startswith(sentence)


def test_an_end_from_outside_leaves_nothing_here(
    own_folders: dict[str, str], script: Script, board: FakeBoard, tmp_path: Path
) -> None:
    """While the board is asked, or copied to."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with subprocess.Popen(
        command("run", script(), *board.words, *WORDS),
        env=own_folders | board.env | {"TMPDIR": str(temporary)},
        stderr=subprocess.DEVNULL,
    ) as process:
        until(lambda: list(temporary.glob("edgeprof-board-*/tree")) != [])
        process.send_signal(signal.SIGTERM)
        process.wait(30)
    assert process.returncode == 130
    assert not list(temporary.glob("edgeprof-board-*"))


class TestRefusals:
    @pytest.mark.parametrize(
        ("said", "sentence"),
        [
            ("Host key verification failed.", "its host key is not known here: connect once by ssh pi@board"),
            ("@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @", "its host key is not the known one"),
            ("connect to host board port 22: Network is unreachable", "it does not answer"),
            ("env: '/home/pi/python': Permission denied", "env: "),
            ("ssh: Could not resolve hostname board: Name or service not known", "no machine has this name"),
            ("ssh: connect to host board port 22: Connection refused", "nothing there accepts SSH"),
            ("pi@board: Permission denied (publickey).", "it does not accept your key: ssh-copy-id pi@board"),
            ("ssh: connect to host board port 22: Connection timed out", "it does not answer"),
            ("sh: 1: exec: python3: not found", "install Python 3.9 or later there"),
            ("kex_exchange_identification: \x1b[31mread", "kex_exchange_identification: ?"),
        ],
    )
    def test_what_ssh_says_is_one_sentence(
        self, edgeprof: Command, script: Script, board: FakeBoard, said: str, sentence: str
    ) -> None:
        board.refuses(said)
        refused = only_refusal(edgeprof("run", script(), *board.words, *WORDS, env=board.env))
        assert refused.startswith("board pi@board: ")
        assert sentence in refused

    def test_no_ssh_here(self, edgeprof: Command, script: Script, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        refused = only_refusal(
            edgeprof("run", script(), "--on", "pi@board", env={"PATH": str(tmp_path / "empty")})
        )
        assert "there is no ssh here" in refused

    @pytest.mark.parametrize(
        "typed",
        [("--as-shape",), ("--memory-limit", "2GiB")],
        ids=lambda typed: typed[0],
    )
    def test_what_is_of_this_machine_alone(
        self, edgeprof: Command, script: Script, board: FakeBoard, typed: tuple[str, ...]
    ) -> None:
        refused = edgeprof("run", script(), *board.words, *typed, env=board.env)
        assert refused.code == 2
        assert "--on" in refused.err or "shape" in refused.err

    @pytest.mark.parametrize(
        ("line", "sentence"),
        [
            ('"bits": 8 * struct.calcsize("P")', "32-bit system"),
            ('"python": platform.python_version()', "workers need 3.9 or later"),
            ('"system": platform.system()', "--on measures on Linux"),
        ],
    )
    def test_a_board_that_no_worker_runs_on(
        self, link: Link, monkeypatch: pytest.MonkeyPatch, line: str, sentence: str
    ) -> None:
        said = link.ask("hello", folder="~/.cache/edgeprof-board")
        key = line.split('"')[1]
        said[key] = {"bits": 32, "python": "3.7.3", "system": "FreeBSD"}[key]
        monkeypatch.setattr(link, "ask", lambda *_words, **_fields: said)
        with pytest.raises(UserError, match=sentence):
            greeted(link)
        link.close()


@pytest.mark.parametrize(("ahead", "said"), [(-86400.0, "86,400 s behind"), (7200.0, "7,200 s ahead of")])
def test_a_wrong_clock_joins_no_log(ahead: float, said: str) -> None:
    with pytest.raises(UserError, match=f"the clock of board pi@board is {said} this machine's"):
        refuse_wrong_clock("pi@board", ahead)
    refuse_wrong_clock("pi@board", 0.3)


def test_doctor_looks_at_a_board(edgeprof: Command, board: FakeBoard) -> None:
    done = edgeprof("doctor", *board.words, "-f", "json", env=board.env)
    assert done.code == 0, done.err
    found = json.loads(done.out)
    codes = {one["code"] for one in found["findings"]}
    assert {"measure.workers", "engine.llama-cpp", "engine.ort"} <= codes
    assert found["environment"]["architecture"]
    shown = edgeprof("doctor", *board.words, env=board.env)
    assert "MiB free for builds" in shown.out


def test_setup_and_clean(edgeprof: Command, board: FakeBoard) -> None:
    """Our own llama.cpp, with a Python that has nothing: its isolated self."""
    pytest.importorskip("llama_cpp")
    words = ("pi@board", *board.words[2:])
    done = edgeprof("board", "setup", *words, env=board.env)
    assert done.code == 0, done.err
    libraries = board.folder / "engines/llama_cpp/lib"
    assert (libraries / "libllama.so").resolve().is_file()
    asked = "import llama_cpp.llama_cpp as l; print(l.llama_max_devices() > 0, 'numpy' in __import__('sys').modules)"
    said = subprocess.run(
        [sys.executable, "-S", "-c", asked],
        env={"PYTHONPATH": str(board.folder / "engines")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == "True False\n"
    assert edgeprof("board", "clean", *words, env=board.env).out == "pi@board: removed\n"
    assert edgeprof("board", "clean", *words, env=board.env).out == "pi@board: there was nothing\n"


def test_a_library_for_another_machine_is_refused(
    edgeprof: Command, board: FakeBoard, tmp_path: Path
) -> None:
    pytest.importorskip("llama_cpp")
    library = tmp_path / "cross"
    library.mkdir()
    words = ("board", "setup", "pi@board", *board.words[2:], "--library", library)
    assert "holds no libllama.so" in only_refusal(edgeprof(*words, env=board.env))
    (library / "libllama.so").write_bytes(b"\x7fELF" + bytes(14) + b"\xf3\x00")
    assert "is for riscv64, and board pi@board is" in only_refusal(edgeprof(*words, env=board.env))
    ours = Path(sys.executable).resolve().read_bytes()[18:20]
    (library / "libllama.so").write_bytes(b"\x7fELF" + bytes(14) + ours + b"\0GLIBC_2.17\0GLIBC_2.999\0")
    assert "needs glibc 2.999, and board pi@board has 2." in only_refusal(edgeprof(*words, env=board.env))


class TestAgent:
    def test_it_says_what_it_is(self, link: Link, board: FakeBoard) -> None:
        found = greeted(link)
        assert (found.bits, found.folder) == (64, str(board.home / ".cache/edgeprof-board"))
        assert found.free_bytes > 0
        link.close()

    def test_an_error_there_is_its_answer(self, link: Link) -> None:
        with pytest.raises(Refused, match="FileNotFoundError"):
            link.ask("sha256", path="/nothing/is/here")
        assert link.ask("anchor")["wall_ns"] > 0
        link.close()

    @pytest.mark.parametrize("said", [None, [], {"python": "x"}, {"bits": "many"}, "\x1b[2J"])
    def test_an_answer_that_no_agent_gives_is_one_sentence(
        self, link: Link, monkeypatch: pytest.MonkeyPatch, said: object
    ) -> None:
        monkeypatch.setattr(link, "ask", lambda *_words, **_fields: said)
        with pytest.raises(UserError, match="answers what no agent of ours does"), answering("pi@board"):
            greeted(link)
        link.close()

    def test_half_a_clock_is_no_answer_of_ours(self, link: Link, monkeypatch: pytest.MonkeyPatch) -> None:
        said = link.ask("hello", folder="~/.cache/edgeprof-board") | {"anchor": {"wall_ns": 1}}
        monkeypatch.setattr(link, "ask", lambda *_words, **_fields: said)
        with pytest.raises(UserError, match="answers what no agent of ours does"), answering("pi@board"):
            greeted(link)
        link.close()

    def test_a_link_that_ends_is_lost(self, link: Link) -> None:
        link.close()
        with pytest.raises(LinkLost):
            link.ask("anchor")

    def test_its_tree_is_read_like_a_machine(self, link: Link, tmp_path: Path) -> None:
        mirror = Mirror(link, tmp_path / "mirror")
        there, here = this_machine(mirror.root), this_machine()
        assert there.cpu == here.cpu
        assert available_memory(mirror.root).total_bytes is not None
        assert state(link_anchor(link), mirror.root).unreadable.keys() <= state(
            link_anchor(link)
        ).unreadable.keys() | {
            "power_mode",
            "throttled_now",
        }
        link.close()

    def test_names_that_lead_out_of_the_tree_are_left_out(self, link: Link, tmp_path: Path) -> None:
        answer = {"files": {"../../evil": "x", "/etc/evil": "x", "proc/stat": "cpu 1 2 3 4\n", "a\nb": "x"}}
        link.ask = lambda *_words, **_fields: answer  # type: ignore[method-assign]
        mirror = Mirror(link, tmp_path / "mirror")
        kept = [path.relative_to(mirror.root).as_posix() for path in mirror.root.rglob("*") if path.is_file()]
        assert kept == ["proc/stat"]
        link.close()

    def test_a_file_arrives_however_much_of_it_is_there(
        self, link: Link, board: FakeBoard, tmp_path: Path
    ) -> None:
        """Bytes of an earlier copy that came late, and nothing at all of an empty one."""
        whole, empty = tmp_path / "whole", tmp_path / "empty"
        whole.write_bytes(bytes(range(256)) * 1000)
        empty.touch()
        board.folder.mkdir(parents=True)
        (board.folder / "whole.part").write_bytes(whole.read_bytes()[:100_000])
        for file in (whole, empty):
            send(link, file, f"{board.folder}/{file.name}", lambda _what, _done, _size: None)
            assert (board.folder / file.name).read_bytes() == file.read_bytes()
        link.close()

    def test_the_last_file_takes_its_folder_along(self, link: Link, board: FakeBoard) -> None:
        first, last = (board.folder / "builds/x" / name for name in ("a", "b"))
        for file in (first, last):
            link.ask("put", path=str(file), text="1")
        for file, folder_stays in ((first, True), (last, False)):
            link.ask("forget", path=str(file))
            assert (file.exists(), file.parent.exists()) == (False, folder_stays)
        link.close()

    def test_everything_goes_again(self, link: Link, board: FakeBoard) -> None:
        link.ask("put", path=str(board.folder / "code/x.py"), text="1")
        assert link.ask("remove", folder="~/.cache/edgeprof-board") is True
        assert not board.folder.exists()
        link.close()


def link_anchor(link: Link):  # type: ignore[no-untyped-def]
    from profiler.runfile import Anchor

    return Anchor(**link.ask("anchor"))


@pytest.mark.alone
def test_a_real_model(edgeprof: Command, smollm2: Path, board: FakeBoard, tmp_path: Path) -> None:
    """With the engine of our own Python, as on a board that has it."""
    pytest.importorskip("llama_cpp")
    words = ("--engine", "llama-cpp", "-p", "16", "-n", "8", "--processes", "1")
    done = edgeprof("run", smollm2, *board.words, *words, "-o", "b.jsonl", "-f", "json", env=board.env)
    assert done.code == 0, done.err
    (row,) = json.loads(done.out)["rows"]
    assert row["metrics"]["decode_tps"]["value"] > 0
    assert row["metrics"]["peak_rss_bytes"]["value"] > 90e6
    (copied,) = board.folder.glob("builds/*/*.gguf")
    assert copied.stat().st_size == smollm2.stat().st_size
    shutil.rmtree(board.folder)
