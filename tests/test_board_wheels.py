"""Engines that come to a board as wheels: found for its Python, looked through, unpacked there."""

from __future__ import annotations

import json
import stat
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import msgspec
import pytest

from profiler.boards import wheels
from profiler.boards.deploy import Board
from profiler.boards.link import Link
from profiler.boards.wheels import checked
from profiler.errors import UserError
from tests.boards import FakeBoard
from tests.conftest import Command, only_refusal
from tests.tiny_llama import write_tiny_llama

EMPTY = f"{sys.executable} -S"
"""A Python that finds no package but those that it is led to."""

VERSIONS = {"numpy": "2.0", "onnxruntime": "1.32.0", "tokenizers": "0.23"}
INFO = "numpy-2.0.dist-info/METADATA"


@pytest.fixture
def board(tmp_path: Path) -> FakeBoard:
    return FakeBoard(tmp_path)


def packed(path: Path, *names: str, mode: int = 0o644) -> Path:
    """An archive with a file of each name."""
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            member = zipfile.ZipInfo(name)
            member.external_attr = (stat.S_IFREG | mode) << 16
            archive.writestr(member, name)
    return path


def wheel(folder: Path, name: str, version: str, *files: str) -> Path:
    """A wheel as pip takes it, for any Python."""
    info = f"{name}-{version}.dist-info"
    path = packed(folder / f"{name}-{version}-py3-none-any.whl", f"{name}/__init__.py", *files)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A wheel of everything that ONNX Runtime needs."""
    made = tmp_path / "wheels"
    made.mkdir()
    for name, version in VERSIONS.items():
        wheel(made, name, version)
    return made


class TestSetup:
    def setup(self, edgeprof: Command, board: FakeBoard, folder: Path) -> str:
        words = ("pi@board", *board.words[2:], "--engine", "ort", "--wheels", folder)
        done = edgeprof("board", "setup", *words, env=board.env)
        assert done.code == 0, done.err
        has = f"numpy {VERSIONS['numpy']}, onnxruntime 1.32.0, tokenizers 0.23"
        assert done.out == f"pi@board has {has}: edgeprof run BUILD --on pi@board\n"
        return done.err

    def test_each_is_copied_once(self, edgeprof: Command, board: FakeBoard, folder: Path) -> None:
        said = self.setup(edgeprof, board, folder)
        assert said == "numpy 2.0: 0.0 MB\nonnxruntime 1.32.0: 0.0 MB\ntokenizers 0.23: 0.0 MB\n"
        visits = (board.home / "visits").read_text().splitlines()
        assert len(visits) == 4, "one agent, and a copy of each"
        names = {path.name for path in board.folder.iterdir()}
        assert names == {"engines", "lock"}, "the archives have gone"
        said = self.setup(edgeprof, board, folder)
        assert said.count("is there already") == 3
        assert len((board.home / "visits").read_text().splitlines()) == 5

    def test_a_new_version_leaves_nothing_of_the_old_one(
        self, edgeprof: Command, board: FakeBoard, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        wheel(folder, "numpy", "2.0", "numpy/gone.py", "numpy.libs/one.so")
        self.setup(edgeprof, board, folder)
        monkeypatch.setitem(VERSIONS, "numpy", "2.1")
        wheel(folder, "numpy", "2.1", "numpy/come.py")
        assert "numpy 2.1: " in self.setup(edgeprof, board, folder)
        there = board.folder / "engines"
        assert sorted(path.name for path in (there / "numpy").iterdir()) == ["__init__.py", "come.py"]
        assert [path.name for path in there.glob("numpy-*")] == ["numpy-2.1.dist-info"]

    def test_a_wheel_that_was_made_again_is_another_one(
        self, edgeprof: Command, board: FakeBoard, folder: Path
    ) -> None:
        self.setup(edgeprof, board, folder)
        wheel(folder, "numpy", "2.0", "numpy/more.py")
        assert "numpy 2.0: " in self.setup(edgeprof, board, folder)
        assert (board.folder / "engines/numpy/more.py").is_file()

    def test_doctor_shows_it_and_clean_removes_it(
        self, edgeprof: Command, board: FakeBoard, folder: Path
    ) -> None:
        self.setup(edgeprof, board, folder)
        words = ("--on", "pi@board", "--board-python", EMPTY)
        found = json.loads(edgeprof("doctor", *words, "-f", "json", env=board.env).out)["findings"]
        shown = {one["code"]: one for one in found if one["code"].startswith("engine.")}
        assert shown["engine.ort"]["seen"] == "onnxruntime 1.32.0"
        assert shown["engine.ort-genai"]["advice"] == "edgeprof board setup pi@board --engine ort-genai"
        assert shown["engine.llama-cpp"]["advice"] == "edgeprof board setup pi@board"
        assert edgeprof("board", "clean", "pi@board", *board.words[2:], env=board.env).code == 0
        assert not board.folder.exists()


class Nothing(Link):
    """A board that has no file."""

    host = "pi@board"

    def __init__(self) -> None:
        pass

    def ask(self, do: str, timeout_s: float = 0, **fields: Any) -> Any:
        assert do == "sizes"
        return dict.fromkeys(fields["paths"])


def a_board(**told: Any) -> Board:
    """A 64-bit ARM board with Python 3.11 on Debian 12, or what is `told` of it."""
    usual = {"python": "3.11.2", "bits": 64, "system": "Linux", "machine": "aarch64", "libc": "glibc 2.36"}
    rest = {
        "page_bytes": 4096,
        "folder": "/there",
        "free_bytes": 1 << 40,
        "cpus": [0],
        "anchor": {"wall_ns": 0, "mono_ns": 0},
        "boot_id": None,
    }
    return msgspec.convert(usual | rest | told, Board)


class TestRefusals:
    def refused(self, edgeprof: Command, board: FakeBoard, *words: str | Path, **env: str) -> str:
        asked = ("board", "setup", "pi@board", *board.words[2:], *words)
        return only_refusal(edgeprof(*asked, env=board.env | env))

    def test_no_wheel_for_its_python(self, edgeprof: Command, board: FakeBoard, folder: Path) -> None:
        path = folder / "onnxruntime-1.32.0-py3-none-any.whl"
        path.rename(path.with_name("onnxruntime-1.32.0-cp27-cp27m-manylinux2014_aarch64.whl"))
        said = self.refused(edgeprof, board, "--engine", "ort", "--wheels", folder)
        assert said.startswith(
            "--wheels wheels holds no wheel of onnxruntime>=1.31 for board pi@board (Python 3."
        )
        assert said.endswith(": lay one there, or name another Python there with --board-python")
        assert not (board.folder / "engines").exists(), "all or nothing"

    def test_no_network(self, edgeprof: Command, board: FakeBoard, tmp_path: Path) -> None:
        (tmp_path / "pip.conf").write_text("")
        said = self.refused(
            edgeprof,
            board,
            *("--engine", "ort"),
            PIP_CONFIG_FILE=str(tmp_path / "pip.conf"),
            PIP_INDEX_URL="http://127.0.0.1:9/simple",
            PIP_NO_CACHE_DIR="1",
            PIP_RETRIES="1",
            PIP_FIND_LINKS="",
        )
        assert (
            said
            == "pip reaches no package index for numpy>=1.26: connect, or name a folder of wheels with --wheels"
        )

    def test_no_room(self, folder: Path) -> None:
        with pytest.raises(UserError, match="board pi@board has 100 MiB free, where 0 MiB"):
            wheels.put(Nothing(), a_board(free_bytes=100 << 20), ["ort"], folder, lambda *_: None, print)

    @pytest.mark.parametrize(
        ("words", "sentence"),
        [
            (("--engine", "optimum"), "--engine optimum: accepted: llama-cpp, ort, ort-genai"),
            (("--engine", "ort,"), "a comma list such as"),
            (("--wheels", "."), "--wheels is of ort and ort-genai"),
            (("--engine", "ort", "--wheels", "nowhere"), "--wheels nowhere is no folder"),
            (("--engine", "ort", "--library", "."), "--library is llama.cpp's: add llama-cpp"),
        ],
    )
    def test_words(self, edgeprof: Command, board: FakeBoard, words: tuple[str, ...], sentence: str) -> None:
        assert sentence in self.refused(edgeprof, board, *words)
        assert not (board.home / "visits").exists(), "before the board is asked"


class TestPlatforms:
    def test_those_that_its_glibc_can_run(self) -> None:
        words = wheels.platforms(a_board(libc="glibc 2.31"), "pi@board")
        assert words[:2] == ["--platform", "manylinux_2_31_aarch64"]
        assert words[-4:] == ["--platform", "manylinux_2_17_aarch64", "--platform", "manylinux2014_aarch64"]
        assert "manylinux_2_32_aarch64" not in words

    @pytest.mark.parametrize("libc", ["", "musl 1.2", "glibc 2.12", "glibc 3.0", "glibc 2.36; rm"])
    def test_of_another_library_there_are_none(self, libc: str) -> None:
        with pytest.raises(UserError, match=r"wheels need glibc 2\.17 or later"):
            wheels.platforms(a_board(libc=libc), "pi@board")

    @pytest.mark.parametrize("python", ["3", "", "x.y"])
    def test_a_python_that_is_none(self, python: str) -> None:
        with pytest.raises(ValueError, match=r"unpack|invalid literal"):
            _ = a_board(python=python).short_python


class TestWheel:
    def test_what_it_is(self, tmp_path: Path) -> None:
        found = checked(wheel(tmp_path, "onnxruntime_genai", "0.18.0"))
        assert found.title == "onnxruntime-genai 0.18.0"
        assert found.mark == f"onnxruntime_genai-0.18.0.dist-info/edgeprof-{found.sha256[:16]}"
        assert found.unpacked > 0

    @pytest.mark.parametrize(
        "name", ["../evil", "/etc/evil", "a/../../evil", "a//b", "./a", "a\\..\\b", "a\x1b[2J", ".."]
    )
    def test_names_that_lead_elsewhere(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(UserError, match="as no wheel does"):
            checked(packed(tmp_path / "x.whl", INFO, name))

    def test_a_link(self, tmp_path: Path) -> None:
        path = packed(tmp_path / "x.whl", INFO)
        with zipfile.ZipFile(path, "a") as archive:
            member = zipfile.ZipInfo("numpy/link")
            member.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(member, "/etc/passwd")
        with pytest.raises(UserError, match="holds 'numpy/link', as no wheel does"):
            checked(path)

    def test_a_packing_that_not_every_python_knows(self, tmp_path: Path) -> None:
        path = tmp_path / "x.whl"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
            archive.writestr(INFO, "x")
        with pytest.raises(UserError, match="as no wheel does"):
            checked(path)

    @pytest.mark.parametrize("names", [("numpy/a.py",), (INFO, "numpy-2.1.dist-info/METADATA"), ()])
    def test_it_must_say_what_it_is(self, tmp_path: Path, names: tuple[str, ...]) -> None:
        with pytest.raises(UserError, match="does not say what it is"):
            checked(packed(tmp_path / "x.whl", *names))

    def test_too_much(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = packed(tmp_path / "x.whl", INFO)
        monkeypatch.setattr(wheels, "MOST_BYTES", 10)
        with pytest.raises(UserError, match="it is not unpacked on a board"):
            checked(path)

    def test_no_archive(self, tmp_path: Path) -> None:
        path = tmp_path / "x.whl"
        path.write_text("not found")
        with pytest.raises(UserError, match=r"x\.whl is no sound wheel"):
            checked(path)


def test_they_are_of_the_versions_that_we_ask_for_here() -> None:
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    assert {need for needs in wheels.NEEDS.values() for need in needs} <= {
        *project["optional-dependencies"]["onnx"]
    }


@pytest.fixture
def tiny(edgeprof: Command, tmp_path: Path) -> Path:
    """An ONNX folder of two layers."""
    write_tiny_llama(tmp_path / "tiny.gguf", merges=["t h"])
    assert edgeprof("build", "onnx", "tiny.gguf", "-o", "tiny").code == 0
    return tmp_path / "tiny"


def test_an_engine_that_is_not_there_is_named(edgeprof: Command, board: FakeBoard, tiny: Path) -> None:
    words = ("--on", "pi@board", "--board-python", EMPTY, "-p", "8", "-n", "4", "--processes", "1")
    done = edgeprof("run", tiny, *words, "--engine", "ort", env=board.env)
    assert done.code == 3
    assert "edgeprof board setup USER@BOARD --engine ort puts it there" in " ".join(done.out.split())


def test_onnx_on_a_board_that_had_nothing(edgeprof: Command, board: FakeBoard, tiny: Path) -> None:
    """The wheels of this machine's own Python, from the index that pip is set up with."""
    words = ("--board-python", EMPTY)
    done = edgeprof("board", "setup", "pi@board", *words, "--engine", "ort,ort-genai", env=board.env)
    assert done.code == 0, done.err
    asked = (
        "--engine",
        "ort,ort-genai",
        "-p",
        "8",
        "-n",
        "4",
        "--processes",
        "1",
        "--passes",
        "2",
        "-f",
        "json",
    )
    done = edgeprof("run", tiny, "--on", "pi@board", *words, *asked, env=board.env)
    assert done.code == 0, done.err
    rows = json.loads(done.out)["rows"]
    assert {row["engine"] for row in rows} == {"ort", "ort-genai"}
    assert all(row["metrics"]["decode_tps"]["value"] > 0 for row in rows)


@pytest.mark.parametrize(
    ("python", "need"), [("3.9.2", "onnxruntime>=1.19"), ("3.11.2", "onnxruntime>=1.31")]
)
def test_an_earlier_python_gets_the_last_that_there_is_for_it(python: str, need: str) -> None:
    assert need in wheels.needed(a_board(python=python), ["ort"])
