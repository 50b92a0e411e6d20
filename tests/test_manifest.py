"""What edgeprof writes beside a build it made, read back strictly."""

from __future__ import annotations

from pathlib import Path

import pytest

from profiler.builds import manifest
from profiler.builds.hashes import build_sha256
from profiler.builds.manifest import Manifest, Source
from profiler.builds.model_file import BadModelFile
from tests.test_agreement_words import AGREEMENT


def test_what_was_written_is_read(tmp_path: Path) -> None:
    written = Manifest(via="direct", source=Source(name="m.gguf", size_bytes=7), agreement=AGREEMENT)
    manifest.write(tmp_path, written)
    assert manifest.read(tmp_path) == written
    assert [path.name for path in tmp_path.iterdir()] == ["edgeprof_build.json"]


def test_a_folder_without_one_has_none(tmp_path: Path) -> None:
    assert manifest.read(tmp_path) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{",
        b"\xff",
        b'{"schema": "edgeprof.build/1", "via": 3, "source": {"name": "a"}}',
        b'{"schema": "edgeprof.build/9", "via": "direct", "source": {"name": "a"}}',
        b'{"schema": "edgeprof.build/1", "via": "direct", "source": {"name": "a"}, "extra": 1}',
        b"[" * 200_000,
        b" " * (2 << 20),
    ],
    ids=["empty", "list", "cut", "binary", "type", "schema", "unknown", "deep", "huge"],
)
def test_one_that_is_not_of_our_making_is_refused_in_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / manifest.NAME).write_bytes(content)
    with pytest.raises(BadModelFile, match=r"edgeprof_build\.json: .*build the folder again"):
        manifest.read(tmp_path)


def test_the_hash_of_a_folder_covers_names_and_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        (folder / "onnx").mkdir(parents=True)
        (folder / "onnx" / "model.onnx").write_bytes(b"graph")
        (folder / "config.json").write_bytes(b"{}")
    before = build_sha256(one)
    assert before == build_sha256(two)
    (two / "config.json").rename(two / "other.json")
    assert before != build_sha256(two)
