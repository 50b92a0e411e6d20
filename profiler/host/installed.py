"""Which engines are installed, and what to type for the others. No engine is imported."""

from __future__ import annotations

import platform
import shutil
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

import msgspec

from profiler.host.finding import Finding


class Library(msgspec.Struct, frozen=True, kw_only=True):
    """An engine's Python module, the distribution that brings it and the extra that installs it."""

    engine: str
    module: str
    distribution: str
    extra: str


LIBRARIES = (
    Library(engine="llama-cpp", module="llama_cpp", distribution="llama-cpp-python", extra="gguf"),
    Library(engine="ort-genai", module="onnxruntime_genai", distribution="onnxruntime-genai", extra="onnx"),
    Library(engine="ort", module="onnxruntime", distribution="onnxruntime", extra="onnx"),
)


def engines() -> list[Finding]:
    """One finding per engine, and one on the compiler where llama-cpp-python is still to be built."""
    found = [_engine(library) for library in LIBRARIES]
    if not _present("llama_cpp"):
        found.append(_build_tools())
    return found


def _engine(library: Library) -> Finding:
    code = f"engine.{library.engine}"
    if not _present(library.module):
        command = f"pip install 'edgeprof[{library.extra}]'"
        return Finding(code=code, status="missing", seen="not installed", advice=command)
    known = _version(library.distribution)
    seen = f"{library.distribution} {known}" if known else "installed, version not known"
    return Finding(code=code, status="ok", seen=seen)


def _present(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ValueError:
        return False


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _build_tools() -> Finding:
    code = "engine.build_tools"
    compiler = next((name for name in ("c++", "g++", "clang++", "cl") if shutil.which(name)), None)
    cmake = "cmake" if shutil.which("cmake") else None
    if compiler and cmake:
        why = "pip compiles llama-cpp-python: some minutes"
        return Finding(code=code, status="ok", seen=f"{compiler} and {cmake}", why=why)
    absent = " and ".join(name for name, there in (("C++ compiler", compiler), ("CMake", cmake)) if not there)
    return Finding(
        code=code,
        status="missing",
        seen=f"no {absent}",
        why="pip compiles llama-cpp-python",
        advice=_install_tools(),
    )


def _install_tools() -> str:
    if platform.system() == "Darwin":
        return "xcode-select --install && brew install cmake"
    for manager, command in (
        ("apt-get", "sudo apt-get install build-essential cmake"),
        ("dnf", "sudo dnf install gcc-c++ make cmake"),
        ("apk", "sudo apk add build-base cmake"),
        ("pacman", "sudo pacman -S base-devel cmake"),
    ):
        if shutil.which(manager):
            return command
    return "Install a C++ compiler and CMake."
