"""llama-bench, built from the source distribution of the installed llama-cpp-python."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import platformdirs

OPTIONS = (
    "-DCMAKE_BUILD_TYPE=Release",
    "-DBUILD_SHARED_LIBS=ON",
    "-DLLAMA_CURL=OFF",
    "-DLLAMA_OPENSSL=OFF",
    "-DLLAMA_BUILD_TESTS=OFF",
    "-DLLAMA_BUILD_EXAMPLES=OFF",
    "-DLLAMA_BUILD_SERVER=OFF",
)


def llama_bench() -> Path:
    """The program, built on the first call (about six minutes on two cores)."""
    version = importlib.metadata.version("llama-cpp-python")
    folder = platformdirs.user_cache_path("edgeprof") / f"llama-bench-{version}"
    program = folder / "build" / "bin" / "llama-bench"
    if not program.exists():
        print(f"Building llama-bench from llama-cpp-python {version}; this takes minutes.", flush=True)
        _build(_source(version, folder), folder / "build")
    return program


def environment() -> dict[str, str]:
    """Run the program on the very libraries that the bindings load, so that both sides share machine code."""
    import llama_cpp

    return os.environ | {"LD_LIBRARY_PATH": str(Path(llama_cpp.__file__).parent / "lib")}


def _source(version: str, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    name = "llama-cpp-python"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", name]
    subprocess.run([*command, "--dest", str(folder), f"{name}=={version}"], check=True)
    with tarfile.open(next(folder.glob("*.tar.gz"))) as archive:
        archive.extractall(folder, filter="data")
    return next(folder.glob("llama_cpp_python-*/vendor/llama.cpp"))


def _build(source: Path, build: Path) -> None:
    subprocess.run(["cmake", "-S", source, "-B", build, *OPTIONS], check=True, stdout=subprocess.DEVNULL)
    jobs = str(os.cpu_count() or 1)
    target = ["cmake", "--build", str(build), "--target", "llama-bench", "--parallel", jobs]
    subprocess.run(target, check=True, stdout=subprocess.DEVNULL)
