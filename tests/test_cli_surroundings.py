"""Full disks, read-only folders, terminals of every width, folders full of traps: the command keeps its word."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import resource
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path

import pytest

from profiler.cli.running import default_path
from profiler.runfile import read
from tests.conftest import LIMIT_S, Command, Outcome, Script, only_refusal, refusal

QUICK = ("-p", "4", "-n", "2", "--processes", "1", "--passes", "1")


def smaller_files(most_bytes: int) -> Callable[[], None]:
    """A disk that is full after so many bytes, as the process sees it."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))


def test_full_disk_ends_the_run_and_resume_goes_on(edgeprof: Command, script: Script, tmp_path: Path) -> None:
    file = tmp_path / "run.jsonl"
    edgeprof("run", script(), *QUICK, "-o", tmp_path / "small.jsonl")
    header, worker, *_ = (tmp_path / "small.jsonl").read_bytes().splitlines()
    room = smaller_files(len(header) + 3 * len(worker))
    words = ("-p", "4", "-n", "2", "--processes", "6", "--passes", "1")
    full = edgeprof("run", script(), *words, "-o", file, before=room)
    sentence = refusal(full)
    assert sentence.endswith(f"(File too large): make room, then go on with --resume {file}")
    kept = read(file)
    assert kept.torn
    assert 0 < len(kept.workers) < 6

    done = edgeprof("run", tmp_path / "script.json", "--resume", file)
    assert done.code == 0
    rounds = [worker.round for worker in read(file).workers]
    assert list(dict.fromkeys(rounds)) == list(range(6)), "a round that others disturbed is there twice"
    assert read(file).workers[: len(kept.workers)] == kept.workers


def test_two_runs_in_one_second_have_two_files() -> None:
    first, second = (default_path("a/b c", name * 16) for name in "ab")
    assert first != second
    assert first.name.endswith("-a_b_c-aaaa.jsonl")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
@pytest.mark.parametrize("words", [["run", "script.json", *QUICK, "--settle", "0s"], ["devices"]])
def test_full_disk_behind_standard_output(
    own_folders: dict[str, str], script: Script, tmp_path: Path, words: list[str]
) -> None:
    script()
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "profiler", *words],
            check=False, env=own_folders, cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True,
            timeout=LIMIT_S,
        )  # fmt: skip
    sentence = refusal(Outcome(done.returncode, "", done.stderr))
    assert sentence == "the output could not be read or written: No space left on device"


def test_reader_of_a_pipe_that_has_gone(own_folders: dict[str, str]) -> None:
    ends, writes = os.pipe()
    os.close(ends)
    done = subprocess.run(
        [sys.executable, "-m", "profiler", "devices", "-f", "json"],
        check=False, env=own_folders, stdout=writes, stderr=subprocess.PIPE, text=True, timeout=LIMIT_S,
    )  # fmt: skip
    os.close(writes)
    assert (done.returncode, done.stderr) == (0, "")


READ_ONLY = Path("/sys")
"""A folder in which nobody creates files, root included."""


@pytest.mark.skipif(not READ_ONLY.is_dir(), reason="no folder here is read-only for every user")
def test_read_only_folder(edgeprof: Command, script: Script) -> None:
    named = only_refusal(edgeprof("run", script(), *QUICK, "-o", READ_ONLY / "run.jsonl"))
    assert named.startswith("/sys/run.jsonl cannot be written (")
    by_default = only_refusal(edgeprof("run", script(), *QUICK, env={"XDG_DATA_HOME": str(READ_ONLY)}))
    assert by_default.endswith("choose another place with -o")
    assert edgeprof("run", script(), *QUICK, env={"XDG_CACHE_HOME": str(READ_ONLY)}).code == 0


def test_no_terminal(edgeprof: Command, script: Script) -> None:
    outcome = edgeprof("run", script(), *QUICK, env={"TERM": "dumb"}, before=os.setsid)
    assert outcome.code == 0
    assert "\x1b" not in outcome.out + outcome.err
    assert "round 1 r1: 2 passes" in outcome.err


def on_terminal(words: list[str], columns: int, env: dict[str, str], cwd: Path) -> list[str]:
    """What a terminal of so many columns was sent, line by line, without colours."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "profiler", *words], env=env, cwd=cwd, stdin=theirs, stdout=theirs,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(theirs)
    sent = b""
    try:
        while part := os.read(ours, 4096):
            sent += part
    except OSError:  # how Linux says that the other end has closed
        pass
    os.close(ours)
    assert process.wait(LIMIT_S) == 0
    return re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", sent.decode()).splitlines()


def test_60_columns(own_folders: dict[str, str], script: Script, tmp_path: Path) -> None:
    script("a-model-with-a-long-name-Q4_K_M")
    words = ["run", "a-model-with-a-long-name-Q4_K_M.json", *QUICK, "--threads", "1,2", "--settle", "0s"]
    shown = on_terminal(words, 60, own_folders, tmp_path)
    assert any("TTFT" in line for line in shown)
    assert [line for line in shown if len(line) > 60] == []


def test_columns_from_the_environment(edgeprof: Command, script: Script) -> None:
    outcome = edgeprof("run", script(), *QUICK, env={"COLUMNS": "60"})
    assert outcome.code == 0
    assert "TTFT" in outcome.out


TRAP = "raise SystemExit('the local file was imported')\n"


def test_folder_with_modules_of_our_names(own_folders: dict[str, str], smollm2: Path, tmp_path: Path) -> None:
    (tmp_path / "profiler").mkdir()
    for name in ("profiler/__init__.py", "onnxruntime.py", "llama_cpp.py", "json.py"):
        (tmp_path / name).write_text(TRAP)
    installed = Path(sys.executable).with_name("edgeprof")
    words = ["run", str(smollm2), *QUICK, "--threads", "1", "--settle", "0s"]
    done = subprocess.run(
        [installed, *words], check=False, env=own_folders, cwd=tmp_path, capture_output=True, text=True,
        timeout=LIMIT_S,
    )  # fmt: skip
    assert (done.returncode, "the local file" in done.stdout + done.stderr) == (0, False)
