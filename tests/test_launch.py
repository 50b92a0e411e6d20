"""One worker from start to end: every way to fail is typed, nothing stamped is lost, no worker is left."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from profiler.measure import launch as launch_module
from profiler.measure.worker_environment import recorded, worker_environment
from profiler.runfile import Failure
from tests.conftest import Script
from tests.launching import launch, scripted
from tests.run_builder import text, tg

MS = 1_000_000
LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="this is what Linux does")


def failure_of(script: Script, stall_s: float = 20, **fail: object) -> Failure:
    found = launch(script(fail=fail), stall_s=stall_s).failure
    assert found is not None
    return found


def test_sound_worker_has_no_failure(script: Script) -> None:
    seen = launch(script(virtual_clock=True), passes=2)
    assert seen.failure is None
    assert [done.number for done in seen.passes] == [0, 1, 2]
    assert [phase.name for phase in seen.phases] == ["before_load", "loaded", "after_prefill", "after_decode"]
    assert seen.started
    assert seen.ended
    assert seen.started.mono_ns < seen.ended.mono_ns
    assert seen.started.wall_ns < seen.ended.wall_ns


@pytest.mark.parametrize("kind", ["missing_library", "bad_file", "load_failed", "out_of_memory", "fell_back"])
def test_what_an_engine_reports_keeps_its_kind_and_words(script: Script, kind: str) -> None:
    failure = failure_of(script, at="load", how="report", kind=kind, message="it is so")
    assert failure == Failure(kind=kind, message="it is so")


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("abort", "the engine aborted"),
        ("segfault", "the engine crashed (segmentation fault)"),
        ("illegal", "the engine's library was built for another CPU"),
        ("bus", "the model file shrank or its disk failed while it was mapped (bus error)"),
        ("exit", "the worker ended with exit status 7"),
        ("system_exit", "the worker ended before it was done, with exit status 0"),
        ("raise", "RuntimeError: an engine's own exception"),
    ],
)
@pytest.mark.parametrize("moment", ["load", "prefill", "token"])
def test_every_crash_is_typed(script: Script, moment: str, how: str, message: str) -> None:
    failure = failure_of(script, at=moment, how=how)
    assert failure.kind == "crashed"
    assert failure.message.startswith(message)


@LINUX
def test_kill_by_someone_is_a_crash_and_not_out_of_memory(script: Script) -> None:
    failure = failure_of(script, at="token", how="kill")
    assert failure.kind == "crashed"
    assert failure.message.startswith("something killed the worker")


@pytest.mark.parametrize("moment", ["load", "prefill", "token"])
def test_worker_that_hangs_is_stopped(script: Script, moment: str) -> None:
    failure = failure_of(script, stall_s=0.5, at=moment, how="hang")
    assert failure == Failure(
        kind="timeout", message="no progress for 0.5 s (see --stall): the worker was stopped"
    )


def test_slow_worker_that_goes_on_is_not_stopped(script: Script) -> None:
    """The warm-up's seven tokens take longer than the watchdog waits, no single one does."""
    seen = launch(script(token_ms=400), scripted(text(prompt=1, output=7)), stall_s=2, passes=0)
    assert seen.failure is None


@pytest.mark.parametrize("how", ["hang_at_exit", "crash_at_exit"])
def test_worker_that_is_done_may_end_as_it_likes(
    script: Script, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """Libraries of accelerators hang or crash while they are unloaded: all was measured before."""
    monkeypatch.setattr(launch_module, "GRACE_S", 0.3)
    seen = launch(script(fail={"at": "load", "how": how}))
    assert seen.failure is None
    assert [done.number for done in seen.passes] == [0, 1]


def test_bad_or_missing_file_is_typed(script: Script) -> None:
    path = script()
    path.write_text("[1]")
    assert launch(path).failure == Failure(kind="bad_file", message="not an edgeprof script")
    path.unlink()
    gone = launch(path).failure
    assert gone is not None
    assert gone.message == "FileNotFoundError: [Errno 2] No such file or directory: 'script.json'"


def test_stamps_of_an_unfinished_pass_are_kept(script: Script) -> None:
    """The warm-up makes four tokens; the worker dies in pass 1, after two more."""
    fail = {"at": "token", "how": "abort", "after": 6}
    path = script(virtual_clock=True, prefill_ms_per_token=0.5, token_ms=2, fail=fail)
    warm_up, unfinished = launch(path).passes
    assert warm_up.counters is not None
    assert unfinished.number == 1
    assert unfinished.evaluated_ns == 4 * MS
    assert unfinished.token_ns == [6 * MS, 8 * MS]
    assert unfinished.counters is None


def test_finished_passes_of_a_worker_that_hangs_are_kept(script: Script) -> None:
    fail = {"at": "token", "how": "hang", "after": 8}
    seen = launch(script(fail=fail), passes=3, stall_s=3)
    assert [(done.number, done.counters is not None) for done in seen.passes] == [
        (0, True),
        (1, True),
        (2, False),
    ]


def test_failure_is_of_its_rounds_alone(script: Script) -> None:
    path = script(fail={"at": "load", "how": "report", "rounds": [1]})
    assert launch(path, round_number=0).failure is None
    assert launch(path, round_number=1).failure is not None


def test_inspection_measures_nothing(script: Script) -> None:
    seen = launch(script(memory={"weights_bytes": 7}), mode="inspect")
    assert seen.facts == {"weights_bytes": 7, "kv_bytes": 0, "compute_bytes": 0}
    assert seen.passes == []


PARENT = """
import sys
from pathlib import Path
from tests.launching import launch
launch(Path(sys.argv[1]))
"""


def until(true: Callable[[], bool]) -> None:
    for _ in range(400):
        if true():
            return
        time.sleep(0.05)
    pytest.fail("waited in vain")


def is_worker(process: psutil.Process) -> bool:
    try:
        return process.cmdline()[-1].endswith("worker.py")
    except (psutil.Error, IndexError):
        return False


@pytest.fixture
def hanging(script: Script) -> Iterator[tuple[subprocess.Popen[bytes], psutil.Process]]:
    """A parent and its worker, which has had its order and hangs while loading."""
    path = script(fail={"at": "load", "how": "hang"})
    folder = Path(__file__).parents[1]
    environment = os.environ | {"OMP_NUM_THREADS": "3", "GGML_CUDA_P2P": "1", "NVIDIA_API_KEY": "secret"}
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(path)], cwd=folder, env=environment)
    own = psutil.Process(parent.pid)
    until(lambda: any(map(is_worker, own.children())))
    worker = next(filter(is_worker, own.children()))
    until(lambda: "1000" in Path(f"/proc/{worker.pid}/oom_score_adj").read_text())
    yield parent, worker
    parent.kill()
    parent.wait()


@LINUX
def test_no_worker_outlives_its_parent(hanging: tuple[subprocess.Popen[bytes], psutil.Process]) -> None:
    parent, worker = hanging
    parent.kill()
    parent.wait()
    until(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE)


@LINUX
def test_worker_has_the_known_environment(hanging: tuple[subprocess.Popen[bytes], psutil.Process]) -> None:
    _, worker = hanging
    seen = worker.environ()
    assert seen["ORT_DISABLE_TELEMETRY"] == "1"
    assert seen["GGML_NO_BACKTRACE"] == "1"
    assert seen["GGML_CUDA_P2P"] == "1"
    assert not [name for name in seen if name.startswith(("OMP_", "PYTHONPATH", "XDG_"))]
    assert "NVIDIA_API_KEY" not in seen


def test_environment_passes_what_steers_an_engine_and_nothing_else() -> None:
    own = {
        "PATH": "/bin",
        "OMP_NUM_THREADS": "3",
        "GGML_CUDA_P2P": "1",
        "LLAMA_CLOUD_API_KEY": "k",
        "USER": "ann",
    }
    passed = worker_environment(own)
    assert {name: passed[name] for name in ("PATH", "GGML_CUDA_P2P")} == {
        "PATH": "/bin",
        "GGML_CUDA_P2P": "1",
    }
    assert passed.keys().isdisjoint({"OMP_NUM_THREADS", "LLAMA_CLOUD_API_KEY", "USER"})


def test_recorded_environment_holds_no_path_and_no_serial_number() -> None:
    own = {
        "PATH": "/home/ann/bin",
        "LLAMA_CPP_LIB_PATH": "/home/ann/llama.cpp/build",
        "CUDA_VISIBLE_DEVICES": "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6,1",
        "ORT_TOKEN": "secret",
    }
    assert recorded(own) == {
        "CUDA_VISIBLE_DEVICES": "GPU-...,1",
        "GGML_NO_BACKTRACE": "1",
        "HF_HUB_OFFLINE": "1",
        "LC_ALL": "C.UTF-8",
        "LLAMA_CPP_LIB_PATH": ".../build",
        "ORT_DISABLE_TELEMETRY": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def test_raw_case_has_no_text(script: Script) -> None:
    seen = launch(script(), scripted(tg(2)))
    assert seen.failure is None
    assert [(one.prompt_bytes, one.output_sha256) for one in seen.passes] == [(None, None), (None, None)]
