"""Memory adds up on real engines: what no part explains is at most 2% of PSS for llama.cpp, 5% for ONNX Runtime."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.demo_models import requantized
from profiler.measure.mappers import other_mappers
from profiler.measure.worker_memory import files_of, memory
from tests.conftest import Command

SHORT = (
    "-p",
    "64",
    "-n",
    "4",
    "--processes",
    "1",
    "--passes",
    "1",
    "--max-time",
    "1s",
    "-f",
    "json",
    "-t",
    "1",
)
PARTS = ("weights_bytes", "kv_bytes", "compute_bytes", "runtime_bytes", "unexplained_bytes")

pytestmark = [
    pytest.mark.alone,
    pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="this system does not tell"),
]


@pytest.fixture(scope="module")
def q4_0(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that llama.cpp repacks, and that nobody else maps."""
    return requantized("Q4_0", tmp_path_factory.mktemp("model"))


def rows(edgeprof: Command, *words: str | Path) -> list[dict[str, Any]]:
    done = edgeprof("run", *words, *SHORT)
    assert done.code == 0, done.err
    found: list[dict[str, Any]] = json.loads(done.out)["rows"]
    return found


def figure(row: dict[str, Any], name: str) -> float:
    value: float = row["metrics"][name]["value"]
    return value


def left_unexplained(row: dict[str, Any]) -> float:
    """Its share of PSS, after a look at whether all parts are of that PSS."""
    assert sum(figure(row, name) for name in PARTS) == pytest.approx(figure(row, "pss_bytes"))
    private_and_mapped = [figure(row, name) for name in ("anon_bytes", "file_bytes", "shmem_bytes")]
    assert sum(private_and_mapped) == pytest.approx(figure(row, "pss_bytes"), rel=0.02)
    return abs(figure(row, "unexplained_bytes")) / figure(row, "pss_bytes")


@pytest.mark.parametrize(("flash", "kv"), [("on", "f16,q8_0"), ("off", "f16")])
def test_llama_cpp_with_all_that_moves_memory(edgeprof: Command, q4_0: Path, flash: str, kv: str) -> None:
    """Mapped or read, repacked or not, two contexts: weights are counted once, wherever they lie."""
    varied = ("-s", "mmap=true,false", "-s", "repack=true,false", "--context", "1024,4096", "--kv", kv)
    found = rows(edgeprof, q4_0, "--flash", flash, *varied)
    assert len(found) == 8 * len(kv.split(","))
    for row in found:
        assert left_unexplained(row) <= 0.02, row["settings"]
    for row in found:
        mapped, held = figure(row, "mapped_weights_bytes"), figure(row, "held_weights_bytes")
        whole, repacked = q4_0.stat().st_size, row["settings"]["repack"]
        assert (mapped > 0.9 * whole) is row["settings"]["mmap"]
        assert (mapped + held > 1.3 * whole) is (row["settings"]["mmap"] and repacked)


def test_two_contexts_differ_by_their_cache(edgeprof: Command, q4_0: Path) -> None:
    """30 layers, 3 heads of 64 for keys and as many for values, 2 bytes each: 23,040 bytes for a token."""
    short, long = rows(edgeprof, q4_0, "--context", "1024,4096")
    assert figure(long, "kv_bytes") - figure(short, "kv_bytes") == pytest.approx(3072 * 23_040, rel=0.001)
    assert figure(long, "pss_bytes") - figure(short, "pss_bytes") == pytest.approx(3072 * 23_040, rel=0.05)


@pytest.mark.parametrize("context", ["256", "2048"])
def test_both_onnx_engines(edgeprof: Command, direct: Path, context: str) -> None:
    for row in rows(edgeprof, direct, "--engine", "ort,ort-genai", "--context", context):
        assert left_unexplained(row) <= 0.05, row["engine"]
        assert figure(row, "held_weights_bytes") > 0.8 * figure(row, "mapped_weights_bytes")
        assert figure(row, "compute_reserved_bytes") > 0


def test_without_its_arena_onnx_runtime_accounts_for_nothing(edgeprof: Command, direct: Path) -> None:
    [row] = rows(edgeprof, direct, "--engine", "ort", "-s", "arena=false")
    cell = row["metrics"]["unexplained_bytes"]
    assert (cell["value"], cell["reason"]) == (None, "one of its parts is not known")


@pytest.fixture(scope="module")
def direct(smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("direct") / "smollm2-onnx"
    command = [sys.executable, "-m", "profiler", "build", "onnx", str(smollm2), "-o", str(target)]
    subprocess.run(command, check=True, capture_output=True)
    return target


class TestOtherMappers:
    """Pages that others map too are divided among all: PSS falls, and the report says who it is."""

    HOLDER = """
import mmap, sys
with open(sys.argv[1], "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
    mapped[:]
    print(flush=True)
    sys.stdin.read()
"""

    def test_they_are_found_by_name(self, q4_0: Path) -> None:
        assert other_mappers(q4_0, {os.getpid()}) == []
        with self.holding(q4_0) as other:
            assert other_mappers(q4_0, {os.getpid()}) == ["python"] or other_mappers(q4_0, set())
            assert other_mappers(q4_0, {os.getpid(), other.pid}) == []
            other.kill()

    def test_a_report_names_them_and_what_they_hide(self, edgeprof: Command, q4_0: Path) -> None:
        with self.holding(q4_0) as other:
            [row] = rows(edgeprof, q4_0, "-s", "repack=false")
            other.kill()
        [notice] = [notice for notice in row["notices"] if notice["code"] == "shared_file"]
        assert "mapped the build's file as well, so up to 4" in notice["seen"]
        assert left_unexplained(row) <= 0.02

    def test_a_file_in_a_folder_counts(self, tmp_path: Path) -> None:
        folder = tmp_path / "folder"
        folder.mkdir()
        (folder / "model.onnx.data").write_bytes(b"\1" * 100_000)
        with self.holding(folder / "model.onnx.data") as other:
            assert len(other_mappers(folder, {os.getpid()}) or []) == 1
            other.kill()

    def test_a_system_that_lists_no_processes(self, tmp_path: Path) -> None:
        assert other_mappers(tmp_path, set(), root=tmp_path) is None

    def test_of_a_build_that_has_gone_nothing_is_known(self, tmp_path: Path) -> None:
        assert other_mappers(tmp_path / "gone.gguf", set()) is None

    def holding(self, path: Path) -> subprocess.Popen[str]:
        words = [sys.executable, "-c", self.HOLDER, str(path)]
        other = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert other.stdout is not None
        other.stdout.readline()
        return other


class TestOwnMemory:
    def test_a_mapped_build_is_seen_through_links(self, tmp_path: Path) -> None:
        import mmap

        blob, link = tmp_path / "blob", tmp_path / "model.gguf"
        blob.write_bytes(b"\1" * 1_048_576)
        link.symlink_to(blob)
        with link.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            assert sum(mapped[::4096]) == 256
            seen = memory(files_of(str(link)))
        assert seen["build_rss_bytes"] == 1_048_576

    def test_nothing_is_mapped_of_another_file(self, tmp_path: Path) -> None:
        assert memory(files_of(str(tmp_path / "none")))["build_bytes"] == 0
