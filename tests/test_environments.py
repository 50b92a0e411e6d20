"""Environments of their own: what they say beforehand, and that only whole ones count."""

from __future__ import annotations

import base64
import hashlib
import os
import sys
import zipfile
from pathlib import Path
from types import MappingProxyType

import pytest

from profiler.engines.table import ENGINES
from profiler.environments import environments
from profiler.environments.building import QUANTS
from profiler.environments.environments import ENVIRONMENTS, Environment, make, plan, python_of
from profiler.errors import UserError


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "environments"
    monkeypatch.setenv(environments.VARIABLE, str(folder))
    return folder


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment of two empty packages that pip finds in a folder and nowhere else."""
    wheel(tmp_path / "tiny_torch-1.0+cpu-py3-none-any.whl")
    wheel(tmp_path / "tiny_more-2.0-py3-none-any.whl")
    spec = Environment(purpose="is tiny", requirements=("tiny-more==2.0",), download_bytes=1, disk_bytes=2)
    monkeypatch.setattr(environments, "TORCH", "tiny-torch==1.0")
    monkeypatch.setattr(environments, "ENVIRONMENTS", MappingProxyType({"tiny": spec}))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))


def wheel(path: Path) -> None:
    """The smallest file that pip installs."""
    name, version = path.name.split("-")[:2]
    inside = f"{name}-{version}.dist-info"
    files = {
        f"{inside}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{inside}/WHEEL": "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = [f"{file},sha256={digest(content)},{len(content)}" for file, content in files.items()]
    files[f"{inside}/RECORD"] = "\n".join([*record, f"{inside}/RECORD,,", ""])
    with zipfile.ZipFile(path, "w") as archive:
        for file, content in files.items():
            archive.writestr(file, content)


def digest(content: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content.encode()).digest()).rstrip(b"=").decode()


def test_there_is_one_for_each_engine_and_each_way_of_building_that_needs_it() -> None:
    of_engines = {entry.environment for entry in ENGINES.values()} - {None}
    assert of_engines | set(QUANTS) == set(ENVIRONMENTS)


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_all_that_is_asked_for_is_pinned(name: str) -> None:
    assert all(word.count("==") == 1 for word in ENVIRONMENTS[name].pinned)


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_plan_says_what_is_downloaded_how_much_and_where_to(name: str, place: Path) -> None:
    spec = ENVIRONMENTS[name]
    told = plan(name)
    for part in (*spec.pinned, str(place / name)):
        assert part in told
    assert f"{spec.download_bytes // 1_000_000} MB" in told
    assert f"{spec.disk_bytes // 1_000_000} MB" in told
    assert spec.disk_bytes > spec.download_bytes > 50_000_000
    assert not place.exists()


def test_name_of_none_is_refused() -> None:
    for ask in (plan, lambda name: make(name, print)):
        with pytest.raises(UserError, match=r"there is no environment 'genia': did you mean genai\?"):
            ask("genia")


def test_one_is_made_from_the_users_own_index_and_again_when_its_requirements_change(
    tiny: None, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    assert python_of("tiny") is None
    make("tiny", told.append)
    python = python_of("tiny")
    assert python is not None
    assert place in python.parents
    assert "Installing collected packages: tiny-torch" in told
    assert "Installing collected packages: tiny-more" in told
    assert {path.name for path in python.parents[1].glob("lib*/**/tiny_*.dist-info")} == {
        "tiny_torch-1.0+cpu.dist-info",
        "tiny_more-2.0.dist-info",
    }
    monkeypatch.setattr(environments, "TORCH", "tiny-torch==1.1")
    assert python_of("tiny") is None


def test_one_that_pip_cannot_make_leaves_nothing_and_ends_with_the_words_of_pip(
    tiny: None, tmp_path: Path, place: Path
) -> None:
    (tmp_path / "tiny_more-2.0-py3-none-any.whl").unlink()
    with pytest.raises(UserError) as refused:
        make("tiny", lambda line: None)
    assert str(refused.value).startswith("the environment tiny could not be made: ")
    assert "tiny-more==2.0" in str(refused.value)
    assert not (place / "tiny").exists()


def test_torch_is_looked_for_in_the_users_index_and_then_among_the_builds_for_cpu(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("platform.system", lambda: "Linux")
    own, cpu = environments._torch_ways()
    assert own == (f"{environments.TORCH}+cpu",)
    assert cpu == (*own, "--extra-index-url", environments.CPU_INDEX)
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    assert list(environments._torch_ways()) == [(environments.TORCH,)]


def test_one_without_its_stamp_or_its_interpreter_is_not_there(place: Path) -> None:
    folder = place / "genai"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    python.parent.mkdir(parents=True)
    python.write_bytes(b"")
    assert python_of("genai") is None
    (folder / environments.STAMP).write_bytes(environments._stamp("genai"))
    assert python_of("genai") == python
    python.unlink()
    assert python_of("genai") is None


@pytest.mark.skipif(sys.platform == "win32", reason="the words are those of POSIX")
def test_place_that_cannot_be_written_is_named(place: Path) -> None:
    place.write_bytes(b"a file")
    with pytest.raises(UserError, match=r"cannot be written to .*genai.* \(File exists\)"):
        make("genai", print)
