"""`edgeprof run ID`: a known build by its id, once it was fetched."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import pytest

from profiler.cli.known_builds import located
from profiler.errors import UserError
from profiler.fetching.store import Record, write_record
from tests.conftest import Command

ID = "smollm2-135m-instruct-q4_1"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def kept(smollm2: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "cache" / "edgeprof" / "models"
    folder.mkdir(parents=True)
    return Path(shutil.copy(smollm2, folder))


def test_a_path_and_a_word_that_no_build_has_stay_as_they_are(tmp_path: Path) -> None:
    (tmp_path / ID).write_text("a file of this name")
    for word in ("model.gguf", "folder/model", "nothing-known", ID):
        assert located(word) == word


def test_a_build_that_was_not_fetched_says_what_to_type() -> None:
    with pytest.raises(UserError, match=f"^the build {ID} is not on this machine: edgeprof fetch {ID}$"):
        located(ID)


def test_a_file_that_was_changed_is_not_the_build(smollm2: Path, tmp_path: Path) -> None:
    path = kept(smollm2, tmp_path)
    assert located(ID) == str(path)
    with path.open("r+b") as file:
        file.seek(50_000_000)
        file.write(b"changed")
    with pytest.raises(UserError, match=f"is not the build {ID} as the catalogue states it: remove it"):
        located(ID)


def test_a_fetched_file_that_was_changed_is_not_run(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(b"as it came")
    record = Record(
        source="https://example.org/m.gguf",
        size_bytes=10,
        sha256=hashlib.sha256(b"as it came").hexdigest(),
        verified_against=None,
        fetched="2026-11-24T00:00:00+00:00",
    )
    write_record(path, record)
    assert located(str(path)) == str(path)
    before = path.stat()
    path.write_bytes(b"as it went")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(
        UserError, match="has changed since it was fetched on 2026-11-24: remove it and fetch it again"
    ):
        located(str(path))


def test_the_build_runs(edgeprof: Command, smollm2: Path, tmp_path: Path) -> None:
    kept(smollm2, tmp_path)
    done = edgeprof("run", ID, "-p", "8", "-n", "2", "--processes", "1", "--passes", "1", "-f", "csv")
    assert done.code == 0, done.err
    assert "SmolLM2-135M-Instruct.Q4_1" in done.out
