"""Sending a build out of the page cache, for real: on a file of some MB, and where it cannot be done."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from profiler.measure import page_cache
from profiler.measure.page_cache import UNKNOWN, Eviction, cached_share, evict, files_of

MIB = 1024 * 1024
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="this is what Linux does")


@pytest.fixture
def build(tmp_path: Path) -> Path:
    """Eight megabytes that were just written: all in the page cache, none of them on the disk yet."""
    return written(tmp_path / "model.gguf", 8)


def written(path: Path, mib: int) -> Path:
    path.write_bytes(os.urandom(mib * MIB))
    if not evict(path).evicted:
        pytest.skip("the file system of the temporary folder keeps its files in memory")
    path.read_bytes()
    return path


def test_a_file_that_was_read_lies_in_the_cache_until_it_is_sent_out(build: Path) -> None:
    assert cached_share(build) == 1
    assert evict(build) == Eviction(evicted=True)
    assert cached_share(build) == 0


def test_half_a_file(build: Path) -> None:
    evict(build)
    handle = os.open(build, os.O_RDONLY)
    os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_RANDOM)
    os.pread(handle, 4 * MIB, 0)
    os.close(handle)
    assert cached_share(build) == 0.5


def test_looking_leaves_nothing_behind(build: Path) -> None:
    evict(build)
    assert [cached_share(build), cached_share(build)] == [0, 0]


def test_all_files_of_a_folder_go(tmp_path: Path) -> None:
    folder = tmp_path / "onnx"
    (folder / "weights").mkdir(parents=True)
    written(folder / "model.onnx", 1)
    data = written(folder / "weights" / "model.onnx.data", 3)
    (folder / "empty.json").touch()
    assert [file.name for file in files_of(folder)] == ["empty.json", "model.onnx", "model.onnx.data"]
    assert cached_share(folder) == 1
    evict(data)
    assert cached_share(folder) == 0.25
    assert evict(folder) == Eviction(evicted=True)


HOLD = """
import mmap, sys
with open(sys.argv[1], "rb") as file:
    view = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
sum(view[::4096])
print("touched", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def held(build: Path) -> Iterator[Path]:
    """The file while another process has it mapped and has touched every page."""
    command = [sys.executable, "-c", HOLD, str(build)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "touched\n"
        yield build
        assert holder.stdin
        holder.stdin.close()


def test_what_another_process_has_mapped_stays_and_the_reason_says_so(held: Path) -> None:
    found = evict(held)
    assert not found.evicted
    assert found.reason == (
        "100% of it stayed in the page cache: another process has it mapped, "
        "or its file system keeps its files in memory"
    )


def test_a_file_system_in_memory_keeps_its_files() -> None:
    if not os.access("/dev/shm", os.W_OK):
        pytest.skip("there is no file system in memory here")
    with tempfile.NamedTemporaryFile(dir="/dev/shm") as file:
        file.write(bytes(MIB))
        file.flush()
        found = evict(Path(file.name))
    assert not found.evicted
    assert found.reason
    assert found.reason.startswith("100% of it stayed")


def test_mincore_says_the_same_as_cachestat(build: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In pieces, as of a file that is larger than what is mapped at once."""
    monkeypatch.setattr(page_cache, "CACHESTAT_MACHINES", ())
    monkeypatch.setattr(page_cache, "PIECE_BYTES", 3 * MIB)
    assert cached_share(build) == 1
    assert evict(build) == Eviction(evicted=True)


def test_without_cachestat_a_file_that_may_only_be_read_is_not_called_evicted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """mincore would call every page of it cached; nothing is confirmed rather than something made up."""
    if os.geteuid() != 0:
        pytest.skip("only root can make itself a user who may not write a file")
    monkeypatch.setattr(page_cache, "CACHESTAT_MACHINES", ())
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        file = written(Path(name) / "model.gguf", 1)
        file.chmod(0o644)
        os.seteuid(65534)
        try:
            assert evict(file) == Eviction(evicted=False, reason=UNKNOWN)
            assert cached_share(file) is None
        finally:
            os.seteuid(0)


def test_an_account_that_sees_nothing_must_see_a_page_just_read(
    build: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a layered file system, whose own files have no pages: the other account is asked, then nobody."""
    monkeypatch.setattr(page_cache, "_by_cachestat", lambda _file, _handle, _size: 0)
    assert cached_share(build) == pytest.approx(1, abs=0.001)
    assert evict(build) == Eviction(evicted=True)
    monkeypatch.setattr(page_cache, "_by_mincore", lambda _file, _handle, _size: 0)
    assert cached_share(build) is None
    assert evict(build) == Eviction(evicted=False, reason=UNKNOWN)


def test_a_file_that_is_gone(tmp_path: Path) -> None:
    assert cached_share(tmp_path / "gone") is None
    assert evict(tmp_path / "gone").reason == ("it cannot be read to be sent out (No such file or directory)")


def test_a_file_that_shrinks_while_it_is_looked_at(build: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def shrink(file: Path, _handle: int, _size: int) -> None:
        os.truncate(file, MIB)

    monkeypatch.setattr(page_cache, "_by_cachestat", shrink)
    assert cached_share(build) is None


def test_a_system_without_the_call(build: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "posix_fadvise")
    assert evict(build).reason == "this system has no call that sends a file out of its cache"
