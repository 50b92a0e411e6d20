"""Whatever is wrong with what was typed, named or found: one sentence, the right exit code, nothing lost."""

from __future__ import annotations

import os
import struct
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from profiler.catalogue.data import data_folder
from profiler.cli.app import main
from profiler.runfile import read
from tests import gguf_builder as gguf
from tests.conftest import Command, Outcome, Script, only_refusal

QUICK = ("-p", "4", "-n", "2", "--processes", "1", "--passes", "1")
TINY = gguf.llama()


def flipped(content: bytes, byte: int, bit: int) -> bytes:
    return content[:byte] + bytes([content[byte] ^ 1 << bit]) + content[byte + 1 :]


@pytest.fixture
def here(
    own_folders: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., Outcome]:  # fmt: skip
    """The command in this process, which is quicker: it ends as it does in one of its own."""

    def call(*words: str | Path) -> Outcome:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("XDG_DATA_HOME", own_folders["XDG_DATA_HOME"])
        monkeypatch.setattr(sys, "argv", ["edgeprof", *map(str, words)])
        code = main()
        return Outcome(code, *capsys.readouterr())

    return call


BAD_FILES = {
    "empty": (b"", "is empty; fetch the file again"),
    "truncated in the header": (TINY[:400], "truncated"),
    "truncated in the data": (TINY[:-1], "truncated: tensor output.weight ends at byte"),
    "bit flipped in the version": (flipped(TINY, 4, 3), "has GGUF version 11; accepted: 2, 3"),
    "bit flipped in a name": (flipped(TINY, 32, 7), "is not valid UTF-8"),
    "another magic": (b"GGML" + TINY[4:], "not a GGUF file; it begins with 47 47 4d 4c"),
    "a web page": (b"<!DOCTYPE html><html>", "looks like a web page: the download failed"),
    "10^18 tensors": (gguf.header(tensor_count=10**18), f"declares {10**18} tensors, more than its 24 bytes"),
    "a string of 2^60 bytes": (
        gguf.header([("general.name", struct.pack("<IQ", 8, 2**60))], key_count=1),
        "truncated",
    ),
    "a vision projector": (
        gguf.llama({"general.type": gguf.text("mmproj"), "general.architecture": gguf.text("clip")}),
        "is a vision or audio projector (mmproj); give the language model that it belongs to",
    ),
    "an adapter": (gguf.llama({"general.type": gguf.text("adapter")}), "is an adapter (LoRA), not a model"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "found"), BAD_FILES.values(), ids=BAD_FILES)
def test_bad_model_file_is_refused_before_anything_starts(
    edgeprof: Command, tmp_path: Path, content: bytes, found: str
) -> None:
    (tmp_path / "model.gguf").write_bytes(content)
    sentence = only_refusal(edgeprof("run", "model.gguf"))
    assert sentence.startswith("model.gguf: ")
    assert found in sentence
    assert not (tmp_path / "data").exists()


def test_sound_header_with_a_model_that_the_engine_refuses_is_refused_in_its_words(
    edgeprof: Command, tmp_path: Path
) -> None:
    (tmp_path / "model.gguf").write_bytes(TINY)
    sentence = only_refusal(edgeprof("run", "model.gguf"))
    assert sentence.startswith("model cannot be loaded: llama_model_load: error loading model")


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("missing.gguf", "missing.gguf: no such file; check the path."),
        ("~nobody/missing.gguf", "missing.gguf: no such file; check the path."),
        (".", "is a folder without an ONNX graph; give a GGUF file, or a folder with model.onnx."),
        ("a" * 300, "cannot be read (File name too long)."),
        ("a" * 300 + ".onnx", "cannot be read (File name too long)."),
        ("file.gguf/inside", "inside: cannot be read (Not a directory)."),
        ("/dev/zero", "zero: is a pipe, a socket or a device; give a regular file."),
    ],
)
def test_name_that_is_no_file(here: Callable[..., Outcome], tmp_path: Path, name: str, found: str) -> None:
    (tmp_path / "file.gguf").write_bytes(TINY)
    assert found in only_refusal(here("run", name))


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["-w", "chta"], "there is no workload 'chta': did you mean chat or chat@1?"),
        (["--device", "raspberry-pi-55"], "raspberry-pi-5"),
        (["--engine", "scriptd"], "there is no engine 'scriptd': did you mean scripted?"),
        (["--set", "treads=2"], "engine scripted has no setting 'treads': did you mean threads?"),
        (["--kv", "q8"], "kv 'q8' of engine scripted: did you mean q8_0?"),
        (["-f", "jsn"], "there is no format 'jsn': did you mean json?"),
        (["-f", "jsn", "--dry-run"], "there is no format 'jsn': did you mean json?"),
        (["-f", "html"], "afterwards make that of its run file by edgeprof report RUN -o FILE.html"),
        (["--procesess", "3"], "No such option: --procesess (Possible options:"),
    ],
)
def test_unknown_name(edgeprof: Command, script: Script, words: list[str], found: str) -> None:
    assert found in only_refusal(edgeprof("run", script(), *words))


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["-w", "pp512", "-p", "3"], "workload pp512 names its own length"),
        (["--engine", "llama-cpp"], "engine llama-cpp does not read script.json, which is scripted"),
        (["--target", "cpuu"], "device this has no target 'cpuu': did you mean cpu?"),
        (["--set", "threads"], "--set 'threads': key=value is accepted, such as ubatch=256"),
        (["--threads", "two"], "threads 'two' of engine scripted: a whole number is accepted"),
        (["--threads", "1,,2"], "--threads '1,,2': a comma list such as 2,4 is accepted"),
        (["--context", "16"], "context 16 is too short for chat@1, which takes 256 tokens"),
        (["--within", "0%"], "--within '0%': a percentage such as 2% is accepted"),
        (["--max-time", "soon"], "--max-time 'soon': a duration such as 90s, 5m or 1h is accepted"),
        (["--max-time", "9" * 400], "is accepted, up to 30 days"),
        (["--max-time", "0"], "--max-time and --stall must be longer than 0 s"),
        (["--processes", "0"], "--processes 0: numbers from 1 to 200 are accepted"),
        (["--passes", "51"], "--passes 51: numbers from 1 to 50 are accepted"),
        (["--passes", "x"], "Invalid value for '--passes'"),
        (["--passes", "5", "-n", "1000000"], "5 passes of 1000000 tokens are too much for one worker"),
        (["--seed", str(10**30)], "numbers from 0 to 9223372036854775807 are accepted"),
    ],
)
def test_value_that_is_not_accepted(
    here: Callable[..., Outcome], script: Script, words: list[str], found: str
) -> None:
    assert found in only_refusal(here("run", script(), *words))


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["rum", "a.gguf"], "No such command 'rum'. Did you mean 'run'?; see edgeprof --help"),
        (["run"], "Missing argument 'BUILD...'; see edgeprof run --help"),
        (["report", "absent.jsonl"], "absent.jsonl cannot be read: No such file or directory"),
        (["report", "/dev/zero"], "zero is a folder or a device, not a run file"),
    ],
)
def test_command_that_cannot_be_carried_out(
    here: Callable[..., Outcome], words: list[str], found: str
) -> None:
    assert only_refusal(here(*words)) == found


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("a -f csv --base r2", "and csv of one file shows no comparison: leave it out"),
        ("a b --base r2", "and terminal of several files shows no comparison: leave it out"),
        ("a --side-by-side --base r2", "and terminal side by side shows no comparison: leave it out"),
        ("a --side-by-side -f svg", "there is no format 'svg'"),
        ("a -f html --side-by-side --limits x", "--side-by-side judges by the limits of its review"),
        ("a --limits laptop-chat", "--limits of a report is for a page of HTML"),
        ("a --chart ttft", "--chart picks one picture of -f svg, and terminal was asked for"),
        ("a --review r.toml", "--review belongs to --side-by-side"),
    ],
)
def test_flag_that_could_have_no_effect(here: Callable[..., Outcome], words: str, found: str) -> None:
    """It is said before any file is read: there is none."""
    assert found in only_refusal(here("report", *words.split()))


@pytest.mark.parametrize("text", ["[1]", '{"edgeprof_script": 2}', '{"edgeprof_script": 1, "memory": 5}'])
def test_script_that_is_none(here: Callable[..., Outcome], tmp_path: Path, text: str) -> None:
    (tmp_path / "model.json").write_text(text)
    assert only_refusal(here("run", "model.json"))


def test_sizes_that_are_no_numbers_are_not_counted(edgeprof: Command, script: Script) -> None:
    outcome = edgeprof("run", script(memory={"weights_bytes": "many"}), "--dry-run")
    assert outcome.code == 0
    assert "needs about 100 MiB" in outcome.out


def test_name_that_is_no_unicode_is_measured(edgeprof: Command, script: Script, tmp_path: Path) -> None:
    odd = os.fsdecode(b"model-\xff.json")
    script().rename(tmp_path / odd)
    outcome = edgeprof("run", odd, *QUICK, "-o", "run.jsonl")
    assert outcome.code == 0
    assert read(tmp_path / "run.jsonl").header.plan.builds[0].name == "model-\ufffd.json"


@pytest.mark.parametrize(
    ("right", "wrong", "key"), [("name =", "nmae =", "nmae"), ("version = 1", 'version = "one"', "version")]
)
def test_misspelt_key_or_wrong_type_in_a_data_file_is_named_with_its_file(
    edgeprof: Command, tmp_path: Path, right: str, wrong: str, key: str
) -> None:
    profile = data_folder("device_profiles") / "raspberry-pi-5.toml"
    (tmp_path / profile.name).write_text(profile.read_text().replace(right, wrong, 1))
    sentence = only_refusal(edgeprof("devices", "--profiles", tmp_path))
    assert "raspberry-pi-5.toml" in sentence
    assert key in sentence


def test_engine_that_is_not_installed(edgeprof: Command, smollm2: Path, tmp_path: Path) -> None:
    """The bindings look for their library in an empty folder."""
    (tmp_path / "empty").mkdir()
    outcome = edgeprof("run", smollm2, env={"LLAMA_CPP_LIB_PATH": str(tmp_path / "empty")})
    sentence = only_refusal(outcome)
    assert sentence.startswith("engine llama-cpp is not installed (llama-cpp-python cannot be loaded: ")
    assert sentence.endswith("): pip install 'edgeprof[gguf]'")
    assert str(tmp_path) not in sentence


def test_model_larger_than_memory_is_refused_with_the_figures(edgeprof: Command, script: Script) -> None:
    outcome = edgeprof("run", script(memory={"weights_bytes": 10 * 2**40}), *QUICK)
    assert outcome.code == 3
    assert "Traceback" not in outcome.err
    assert "not run: script.json needs 10240.10 GiB and " in outcome.err
    assert " GiB are free: choose a smaller quantization or context, or try it with --force" in outcome.err
    assert "out of memory" in outcome.out


def test_model_larger_than_memory_is_measured_by_force(edgeprof: Command, script: Script) -> None:
    outcome = edgeprof("run", script(memory={"weights_bytes": 10 * 2**40}), *QUICK, "--force")
    assert outcome.code == 0
    assert "out of memory" not in outcome.out


def test_case_that_does_not_fit_leaves_the_others(edgeprof: Command, script: Script) -> None:
    big, small = script("big", memory={"weights_bytes": 10 * 2**40}), script("small")
    outcome = edgeprof("run", big, small, *QUICK, "-f", "csv")
    assert outcome.code == 0
    assert "out_of_memory" in outcome.out
    assert "small" in outcome.out


def test_run_file_that_exists_is_not_written_over(edgeprof: Command, script: Script, tmp_path: Path) -> None:
    (tmp_path / "run.jsonl").write_text("mine")
    assert only_refusal(edgeprof("run", script(), *QUICK, "-o", "run.jsonl")) == (
        "run.jsonl exists: choose another name, or go on with it by --resume run.jsonl"
    )
    assert (tmp_path / "run.jsonl").read_text() == "mine"


def test_resume_with_other_builds_or_an_altered_plan(
    here: Callable[..., Outcome], edgeprof: Command, script: Script, tmp_path: Path
) -> None:
    file = tmp_path / "run.jsonl"
    edgeprof("run", script(), *QUICK, "-o", file)
    header = file.read_text().splitlines()[0]
    file.write_text(header + "\n")
    other = only_refusal(here("run", script("other"), "--resume", file))
    assert other.startswith("the run to resume measured script.json of 22 bytes, which is not among")
    file.write_text(header.replace('"architecture":null', '"architecture":"llama"') + "\n")
    same_name = only_refusal(here("run", script(), "--resume", file))
    assert same_name.startswith("the run to resume measured script.json of 22 bytes, which is not among")
    for old, new in (('"engine":"scripted"', '"engine":"x"'), ('"build":"script"', '"build":"x"'),
                     ('"chat@1"', '"chat@7"'), ('"text_sha256":"a', '"text_sha256":"b')):  # fmt: skip
        assert old in header
        file.write_text(header.replace(old, new) + "\n")
        assert only_refusal(here("run", tmp_path / "script.json", "--resume", file))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("-p", "99"), "-p and --resume exclude each other: a run goes on by the plan in its file"),
        (("--cold",), "--cold and --resume exclude each other: a run goes on by the plan in its file"),
        (
            ("--max-time", "9s"),
            "--max-time and --resume exclude each other: a run goes on by the plan in its file",
        ),
        (("--dry-run",), "--dry-run shows a new run; one that is resumed goes on by the plan in its file"),
    ],
)
def test_resume_with_another_plan(
    edgeprof: Command, script: Script, words: tuple[str, ...], sentence: str
) -> None:
    assert only_refusal(edgeprof("run", script(), "--resume", "run.jsonl", *words)) == sentence
