"""How an ending is named: from exit status, kernel counters and last words."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from profiler.measure.endings import failure_of, oom_kill_count, printable
from profiler.runfile import Failure


def ending(
    status: int | None, *, stalled_s: float | None = None, oom_kills: int = 0, said: str = ""
) -> Failure | None:
    return failure_of(status, stalled_s=stalled_s, oom_kills=oom_kills, last_words=said)


def test_exit_status_0_is_no_failure() -> None:
    assert ending(0) is None
    assert ending(0, oom_kills=1, said="a warning") is None


@pytest.mark.parametrize(
    ("signal_number", "message"),
    [
        (signal.SIGILL, "the engine's library was built for another CPU (illegal instruction)"),
        (signal.SIGBUS, "the model file shrank or its disk failed while it was mapped (bus error)"),
        (signal.SIGSEGV, "the engine crashed (segmentation fault)"),
        (signal.SIGABRT, "the engine aborted"),
        (signal.SIGFPE, "the engine crashed (arithmetic error)"),
        (signal.SIGTERM, "the worker ended with SIGTERM"),
    ],
)
def test_every_signal_has_its_sentence(signal_number: int, message: str) -> None:
    found = ending(-signal_number, oom_kills=1)
    assert found is not None
    assert found.kind == "crashed"
    assert found.message.startswith(message)


def test_signal_without_a_name_is_given_by_number() -> None:
    assert ending(-99) == Failure(kind="crashed", message="the worker ended with signal 99")


def test_kill_is_out_of_memory_only_where_the_kernel_counted_one() -> None:
    by_kernel = ending(-signal.SIGKILL, oom_kills=1)
    by_someone = ending(-signal.SIGKILL, oom_kills=0)
    assert by_kernel == Failure(
        kind="out_of_memory", message="the kernel's out-of-memory killer ended the worker"
    )
    assert by_someone == Failure(
        kind="crashed",
        message="something killed the worker, and the kernel's out-of-memory counters did not move",
    )


def test_watchdog_goes_before_the_signal_it_sent() -> None:
    found = ending(-signal.SIGKILL, stalled_s=300.0, oom_kills=1)
    assert found == Failure(
        kind="timeout", message="no progress for 300 s (see --stall): the worker was stopped"
    )


def test_last_words_are_the_last_line_that_says_something() -> None:
    found = ending(-signal.SIGABRT, said="loading\n/build/ggml.c:42: GGML_ASSERT(x) failed\n\n")
    assert found == Failure(kind="crashed", message="the engine aborted: ggml.c:42: GGML_ASSERT(x) failed")


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("failed to open /home/ann/models/a.gguf", "failed to open a.gguf"),
        ("failed to open '/home/ann b/my models/a.gguf' now", "failed to open 'a.gguf' now"),
        ("failed to open /home/ann b/my models/a.gguf: no such file", "failed to open a.gguf: no such file"),
        ("failed to open /a.gguf", "failed to open a.gguf"),
        (r"failed to open C:\Users\ann\a.gguf", "failed to open a.gguf"),
        (r"[Errno 2] 'C:\\Users\\ann\\a.gguf'", "[Errno 2] 'a.gguf'"),
        ("src/llama.cpp:7: 3 tok/s and/or more", "src/llama.cpp:7: 3 tok/s and/or more"),
        ("a\x1b[31mb\tc\u202ed\xff", "a?[31mb?c?d?"),
        ("x" * 400, "x" * 300),
    ],
)
def test_words_of_an_engine_are_kept_without_folders_and_control_characters(said: str, kept: str) -> None:
    assert printable(said) == kept


MODERN = {
    "proc/self/cgroup": "0::/user/ann\n",
    "proc/vmstat": "nr_free_pages 10\noom_kill 2\n",
    "sys/fs/cgroup/user/ann/memory.events": "oom 9\noom_kill 3\noom_group_kill 5\n",
    "sys/fs/cgroup/user/bob/memory.events": "oom 9\noom_kill 100\n",
}
OLD = {
    "proc/self/cgroup": "4:memory:/user/ann\n3:cpu:/user/bob\n",
    "proc/vmstat": "oom_kill 4\n",
    "sys/fs/cgroup/memory/user/ann/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n",
    "sys/fs/cgroup/memory/user/bob/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 100\n",
}
IN_A_CONTAINER = {
    "proc/self/cgroup": "4:memory:/docker/0a1b\n",
    "sys/fs/cgroup/memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 5\n",
}
"""The path is the host's; the mount is the group itself, and nothing counts for the machine."""
BEFORE_COUNTING = {"proc/vmstat": "nr_free_pages 10\n"}


@pytest.mark.parametrize(
    ("files", "kills"), [(MODERN, 5), (OLD, 5), (IN_A_CONTAINER, 5), (BEFORE_COUNTING, 0), ({}, 0)]
)
def test_out_of_memory_kills_are_those_of_the_machine_and_of_our_own_groups(
    tmp_path: Path, files: dict[str, str], kills: int
) -> None:
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    assert oom_kill_count(tmp_path) == kills
