"""`edgeprof run ID`: a known build by its id, once it was fetched."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from profiler.cli.known_builds import located
from profiler.errors import UserError
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
    with pytest.raises(UserError, match="is not on this machine"):
        located(ID)


def test_the_build_runs(edgeprof: Command, smollm2: Path, tmp_path: Path) -> None:
    kept(smollm2, tmp_path)
    done = edgeprof("run", ID, "-p", "8", "-n", "2", "--processes", "1", "--passes", "1", "-f", "csv")
    assert done.code == 0, done.err
    assert "SmolLM2-135M-Instruct.Q4_1" in done.out
