"""llama.cpp for a board: the calls of llama-cpp-python here, and this machine's library or one built for it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from profiler.boards.deploy import ENGINES, Board, Tell, send
from profiler.boards.link import Link
from profiler.errors import UserError

DISTRIBUTION = "llama-cpp-python"
BINDINGS = ("llama_cpp.py", "_ctypes_extensions.py", "_ggml.py")
"""Of llama-cpp-python: its calls of the library, which need nothing but typing_extensions."""

MACHINES = {0x3E: "x86_64", 0xB7: "aarch64", 0xF3: "riscv64"}
"""The machine that a library is for, by its ELF header."""

GLIBC = re.compile(rb"\bGLIBC_2\.([0-9]{1,3})\b")


def put(link: Link, board: Board, library: Path | None, tell: Tell) -> str:
    """It is there, with our bindings and `library`, a folder of its shared libraries, or our own.

    Returns its version. Raises `UserError` where the library is for another machine, or a later one.
    """
    package = _package("llama_cpp")
    libraries = library or package / "lib"
    _check(libraries, board, link.host)
    _check_glibc(libraries, board, link.host)
    folder = f"{board.folder}/{ENGINES}"
    version = importlib.metadata.version(DISTRIBUTION)
    for name, text in _texts(package, version):
        link.ask("put", path=f"{folder}/{name}", text=text)
    for file in sorted(libraries.glob("lib*.so*")):
        place = f"{folder}/llama_cpp/lib/{file.name}"
        if file.is_symlink():
            link.ask("link", path=place, to=PurePosixPath(file.readlink()).name)
        else:
            send(link, file, place, tell)
    return version


def _package(name: str) -> Path:
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        raise UserError(
            "board setup takes llama.cpp's bindings from this machine, which has none: pip install 'edgeprof[gguf]'"
        )
    return Path(found.origin).parent


def _texts(package: Path, version: str) -> Iterator[tuple[str, str]]:
    """Their own __init__ would import what a board does not have."""
    yield "llama_cpp/__init__.py", f'__version__ = "{version}"\n'
    for name in BINDINGS:
        yield f"llama_cpp/{name}", (package / name).read_text("utf-8")
    typing_extensions = importlib.util.find_spec("typing_extensions")
    if typing_extensions is not None and typing_extensions.origin is not None:
        yield "typing_extensions.py", Path(typing_extensions.origin).read_text("utf-8")
    metadata = f"Metadata-Version: 2.1\nName: {DISTRIBUTION}\nVersion: {version}\n"
    yield f"{DISTRIBUTION.replace('-', '_')}-{version}.dist-info/METADATA", metadata


def _check(libraries: Path, board: Board, host: str) -> None:
    main = libraries / "libllama.so"
    if not main.is_file():
        raise UserError(
            f"--library {libraries.name} holds no libllama.so: name the folder that the build left it in"
        )
    with main.open("rb") as file:
        begin = file.read(20)
    machine = MACHINES.get(int.from_bytes(begin[18:20], "little"), "another machine")
    if machine != board.machine:
        whose = "this machine's llama.cpp" if machine == platform.machine() else "that llama.cpp"
        raise UserError(
            f"{whose} is for {machine}, and board {host} is {board.machine}: build one by make board-library, and name "
            "its folder with --library"
        )


def _check_glibc(libraries: Path, board: Board, host: str) -> None:
    """What a library calls of glibc carries the version that first had it so."""
    found = {int(minor) for file in libraries.glob("lib*.so*") for minor in GLIBC.findall(file.read_bytes())}
    needed = max(found, default=0)
    if board.glibc is not None and needed > board.glibc:
        raise UserError(
            f"that llama.cpp needs glibc 2.{needed}, and board {host} has 2.{board.glibc}: build it on a system "
            "that is no later than the board's, or install a later one there"
        )
