"""Building in an environment: what is refused before it starts, and that a failure leaves nothing behind."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from profiler.environments import environments
from profiler.environments.building import QUANTS, build
from profiler.errors import UserError

SHARDS = "model.safetensors.index.json"


@pytest.fixture(autouse=True)
def python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Both environments, with an interpreter that has none of their packages."""
    monkeypatch.setenv(environments.VARIABLE, str(tmp_path / "environments"))
    for name in QUANTS:
        python = tmp_path / "environments" / name / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        python.chmod(0o755)
        (python.parents[1] / environments.STAMP).write_bytes(environments._stamp(name))
    return tmp_path / "environments" / "optimum" / "bin" / "python"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """What looks like a Hugging Face folder."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "llama"}')
    (folder / "model.safetensors").write_bytes(b"")
    return folder


def refused(source: Path, via: str = "optimum", **options: str) -> str:
    """The sentence of a build that cannot be; nothing new may lie beside its folder."""
    before = set(source.parent.iterdir())
    with pytest.raises(UserError) as error:
        build(via, source, source.parent / "made", options, lambda step: None)
    assert set(source.parent.iterdir()) == before
    assert "\n" not in str(error.value)
    return str(error.value)


def test_unknown_ways_and_quantizations_are_refused_with_those_there_are(source: Path) -> None:
    assert refused(source, "optimun") == "--via optimun: did you mean optimum?"
    assert refused(source, quant="q4") == "--quant q4 with --via optimum: accepted: int8, int4, none"
    assert refused(source, "genai", quant="none").endswith("accepted: int4, int8, fp32")


def test_environment_that_is_not_there_is_asked_for(source: Path, python: Path) -> None:
    python.unlink()
    assert refused(source).endswith("edgeprof setup optimum")


def test_file_that_is_no_gguf_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"PK\x03\x04")
    assert refused(path) == "'model.gguf' is no GGUF file: name one, or a Hugging Face folder"
    path.unlink()
    assert refused(path) == "'model.gguf' cannot be read (No such file or directory): check the path"


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"model_type": 1}', "[" * 100_000, "\udcff"])
def test_folder_whose_configuration_is_none_is_refused(source: Path, content: str) -> None:
    (source / "config.json").write_text(content, "utf-8", "surrogateescape")
    assert refused(source).startswith("'model': config.json is not as Hugging Face writes it")


def test_folder_without_configuration_or_with_a_huge_one_is_refused(source: Path) -> None:
    (source / "config.json").write_bytes(b" " * (17 << 20))
    assert "config.json is larger" in refused(source)
    (source / "config.json").unlink()
    assert "config.json is missing" in refused(source)


def test_weights_whose_loading_may_run_code_are_refused(source: Path) -> None:
    (source / "model.safetensors").rename(source / "pytorch_model.bin")
    assert "only weights in that format are read" in refused(source)


@pytest.mark.parametrize(
    "name", ["../other.safetensors", "/etc/x.safetensors", "a/b.safetensors", "a.bin", "missing.safetensors"]
)
def test_shards_must_lie_in_the_folder(source: Path, name: str) -> None:
    (source / "model.safetensors").unlink()
    (source / SHARDS).write_text(json.dumps({"weight_map": {"w": name}}))
    assert SHARDS in refused(source)


@pytest.mark.parametrize("via", QUANTS)
def test_words_of_the_exporter_are_the_reason(source: Path, via: str) -> None:
    said = refused(source, via)
    assert said.startswith(f"{via} cannot build 'model': ")
    assert "No module named" in said


@pytest.mark.skipif(sys.platform == "win32", reason="the interpreter is a shell script")
@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo first >&2; echo last >&2; exit 3", "last"),
        ("exit 3", "exit status 3"),
        ("kill -9 $$", "it was killed, most likely for memory: it takes more than 4 bytes for each weight"),
    ],
)
def test_exporter_that_dies_is_explained(source: Path, python: Path, script: str, reason: str) -> None:
    python.write_text(f"#!/bin/sh\n{script}\n")
    assert refused(source) == f"optimum cannot build 'model': {reason}"
