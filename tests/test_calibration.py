"""A calibration from trials of the real engine to the file that predictions read, and files that are none."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from profiler.builds.gguf import GgufHeader, read_header
from profiler.builds.shapes.sparse import sparse_build
from profiler.catalogue.devices import load_device
from profiler.catalogue.models import load_model
from profiler.engines.table import LLAMA_CPP
from profiler.errors import ExitCode, UserError
from profiler.host.machine import this_machine
from profiler.predicting import calibrated, calibrating, trials
from profiler.predicting.calibrating import NO_TIME, label, timed
from profiler.predicting.calibration import Sample, calibration_file, costs_of, fastest_read, save, saved
from profiler.predicting.prediction import Speed
from profiler.predicting.speeds import Question, speeds
from profiler.predicting.trials import Trial
from profiler.runfile import Settings
from tests.calibrations import calibration, sample

SMALL_BYTES = 1 << 20


@pytest.fixture(autouse=True)
def _of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def small(trial: Trial) -> Trial:
    """The same with little to do."""
    tasks = tuple(
        replace(task, prompt=min(task.prompt, 32), depth=min(task.depth, 64)) for task in trial.tasks
    )
    layers = 2 * trial.shape.layer_period
    return replace(trial, shape=replace(trial.shape, layers=layers), tasks=tasks)


@pytest.fixture(scope="module")
def few() -> list[Trial]:
    wanted = trials.trials(1, [], SMALL_BYTES)
    names = (
        "Q4_K",
        "Q4_K in prompts",
        "layers",
        "attention",
        "experts in MXFP4",
        "attention over q8_0",
        "check",
    )
    return [small(trial) for trial in wanted if trial.name in names]


def test_trials_are_timed_by_the_engine_and_explain_themselves(few: list[Trial], tmp_path: Path) -> None:
    told: list[str] = []
    found = timed(few, tmp_path, 120, lambda name, _gone, _all: told.append(name))
    assert found.left_out == []
    assert found.drift is not None
    assert found.drift >= 1
    assert told == [label(one) for one in [*few, *few]]
    assert list(tmp_path.iterdir()) == []
    assert {one.trial for one in found.samples} == {one.name for one in few}
    (costs,) = costs_of(found.samples)
    assert costs.seconds["read:Q4_K"] > 0
    assert costs.seconds["read:Q4_K"] <= 2 / fastest_read(found.samples) * 50
    assert all(cost >= 0 for cost in costs.seconds.values())


def test_trials_without_time_are_named(few: list[Trial], tmp_path: Path) -> None:
    found = timed(few, tmp_path, 0, lambda *_: None)
    assert found.samples == []
    assert found.left_out == [f"{name}: {NO_TIME}" for name in dict.fromkeys(map(label, few))]


def test_other_threads_are_told_whole_or_not_at_all(
    few: list[Trial], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each trial takes 10 s of 25: the costs of a number of threads with one trial of two would be made up."""
    now = [0.0]

    def measured(trial: Trial, _: Path) -> list[Sample]:
        now[0] += 10
        return [replace(sample({"read:Q4_K": 1.0}, 1.0), threads=trial.threads)]

    monkeypatch.setattr(calibrating, "_timed", measured)
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    others = [replace(few[0], threads=7, name=name) for name in ("a", "b")]
    found = timed([few[0], *others], tmp_path, 25, lambda _what, _gone, _all: None)
    assert found.left_out == [f"b, 7 threads: {NO_TIME}"]
    assert [one.threads for one in found.samples] == [few[0].threads]


def test_a_trial_that_the_engine_refuses_is_named(tmp_path: Path) -> None:
    wrong = replace(trials.trials(1, [], SMALL_BYTES)[0], kv="q8_0", flash="off")
    found = timed([small(wrong)], tmp_path, 60, lambda *_: None)
    assert found.samples == []
    assert "flash" in found.left_out[0].lower() or "failed" in found.left_out[0].lower()


def test_models_that_are_read_have_the_size_asked_for() -> None:
    large = 512 << 20
    for one in trials.trials(4, [1], large):
        if one.name in trials.KINDS:
            assert large <= sum(tensor.bytes for tensor in trials.tensors(one.shape, one.kinds)) < 2 * large


def test_rows_of_every_trial_are_whole_blocks() -> None:
    for one in trials.trials(4, [1], 64 << 20):
        for tensor in trials.tensors(one.shape, one.kinds):
            assert tensor.shape[0] % tensor.type.block == 0, (one.name, tensor)


@pytest.mark.parametrize(
    ("memory", "cache", "large"),
    [(32 << 30, 8 << 20, 320 << 20), (32 << 30, 256 << 20, 1 << 30), (1 << 30, 2 << 20, 128 << 20)],
)
def test_size_is_beyond_the_caches_and_no_burden(memory: int, cache: int, large: int) -> None:
    assert trials.large_bytes(memory, cache) == large


def test_it_is_kept_and_read_again() -> None:
    assert saved() is None
    assert calibrated.usable() == calibrated.MISSING
    save(calibration())
    assert saved() == calibrated.usable() == calibration()
    assert calibrated.named(calibration()) == "calibration of this machine, 2026-11-29"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"cpu": "another"}, "the calibration is of another and this is "),
        (
            {"engine": "llama-cpp-python 0.0.1"},
            "the calibration is of llama-cpp-python 0.0.1 and llama-cpp-python ",
        ),
    ],
)
def test_one_of_something_else_is_not_used(change: dict[str, str], reason: str) -> None:
    save(replace(calibration(), **change))
    found = calibrated.usable()
    assert isinstance(found, str)
    assert found.startswith(reason)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"schema": "edgeprof.calibration/1"}',
        b"{" + b" " * (5 << 20),
    ],
)
def test_a_file_that_is_none_is_one_sentence(content: bytes) -> None:
    calibration_file().parent.mkdir(parents=True)
    calibration_file().write_bytes(content)
    with pytest.raises(UserError, match="edgeprof calibrate writes a new one"):
        saved()


@pytest.mark.parametrize(
    "change",
    [
        {"bytes_per_s": 0},
        {"usual": -1},
        {"cpu": "x" * 501},
        {"costs": [{"threads": 1, "seconds": {"a": -1}}]},
        {"more": 1},
    ],
)
def test_figures_that_cannot_be_are_refused(change: dict[str, object]) -> None:
    calibration_file().parent.mkdir(parents=True)
    calibration_file().write_text(json.dumps(msgspec.to_builtins(calibration()) | change))
    with pytest.raises(UserError, match="is no calibration"):
        saved()


@pytest.fixture(scope="module")
def header() -> GgufHeader:
    with sparse_build(load_model("llama-3.2-1b").shape, "llama-3.2-1b", "Q8_0") as path:
        return read_header(path)


def question(**more: int | str | bool | None) -> Question:
    usual: Settings = {name: setting.default for name, setting in LLAMA_CPP.settings.items()}
    return Question(
        engine="llama-cpp", settings={**usual, "threads": 4, **more}, depths=[0, 4096], prompts=[512]
    )


def test_this_machine_is_told_by_its_calibration(header: GgufHeader) -> None:
    save(calibration())
    found = speeds(header, question(), this_machine(), "cpu")
    assert isinstance(found, Speed)
    assert found.source == "calibration of this machine, 2026-11-29"
    first, deep = found.decode
    assert first.decode_tps.value is not None
    assert deep.decode_tps.value is not None
    assert first.decode_tps.value > deep.decode_tps.value
    assert first.limited_by is not None
    assert first.limited_by.startswith("memory bandwidth, ")
    (prompt,) = found.prompts
    assert prompt.ttft_ms.value is not None
    assert prompt.prefill_tps.value == pytest.approx(512e3 / prompt.ttft_ms.value)
    for figure in (first.decode_tps, prompt.ttft_ms):
        assert figure.low is not None
        assert figure.high is not None
        assert figure.value is not None
        assert figure.low < figure.value < figure.high


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"threads": 3}, "3 threads were not calibrated; calibrated: 1, 4"),
        ({"kv": "q4_0"}, "a KV cache of q4_0 with flash attention auto was not calibrated"),
        ({"flash": "off"}, "a KV cache of f16 with flash attention off was not calibrated"),
        ({"repack": False}, "the calibration knows weights rewritten for this CPU only (repack=on)"),
        ({"gpu_layers": -1}, "only the CPU of this machine can be calibrated"),
    ],
)
def test_what_it_does_not_know_is_a_reason(
    header: GgufHeader, more: dict[str, str | int], reason: str
) -> None:
    save(calibration())
    asked = replace(question(**more), depths=[4096])
    assert speeds(header, asked, this_machine(), "cpu") == reason


def test_without_one_it_says_what_to_type(header: GgufHeader) -> None:
    assert speeds(header, question(), this_machine(), "cpu") == calibrated.MISSING
    assert (
        speeds(header, question(), this_machine(), "gpu") == "only the CPU of this machine can be calibrated"
    )


def test_another_device_is_told_by_published_results(header: GgufHeader) -> None:
    found = speeds(header, question(), load_device("raspberry-pi-5"), "cpu")
    assert isinstance(found, Speed)
    assert "published CPU results" in found.source
    assert found.prompts[0].prefill_tps.value is None
    assert "the sources do not carry the speed of prompts" in str(found.prompts[0].prefill_tps.reason)
    npu = speeds(header, question(), load_device("raspberry-pi-5"), "vpu")
    assert npu == "published results are of CPUs, GPUs and NPUs, none of vpu"


def command(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "profiler", "calibrate", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ.copy(),
    )


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--threads", "zero"), "--threads 'zero': whole numbers from 1 to 512 are accepted"),
        (("--threads", "0"), "--threads '0': whole numbers from 1 to 512 are accepted"),
    ],
)
def test_bad_words_are_one_sentence(words: tuple[str, ...], sentence: str) -> None:
    process = command(*words)
    _, errors = process.communicate()
    assert (process.returncode, errors) == (2, f"edgeprof: {sentence}\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_nothing_is_left_behind_by_one_that_was_stopped_or_killed_before(
    tmp_path: Path, number: signal.Signals
) -> None:
    save(calibration())
    folder = tmp_path / "cache" / "edgeprof" / "calibrations"
    (folder / "run-killed").mkdir(parents=True)
    (folder / "run-killed" / "left").touch()
    lock = folder / "run-killed.lock"
    lock.touch()
    os.utime(lock, (0, 0))
    process = command("--threads", "1")
    while not list(folder.glob("run-*/*.gguf")):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(number)
    process.communicate()
    assert process.returncode == ExitCode.INTERRUPTED
    assert list(folder.iterdir()) == []
    assert saved() == calibration()
