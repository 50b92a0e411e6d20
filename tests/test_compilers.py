"""What compiled a library: from ELF files put together here, from broken ones, and from a real library."""

from __future__ import annotations

import struct
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.host import compilers as module
from profiler.host.compilers import compilers
from profiler.host.elf import comments
from profiler.host.kernel_files import UnreadableError

GCC = b"GCC: (Debian 12.2.0-14) 12.2.0\0"
CLANG = b"clang version 17.0.6\0"


def elf(comment: bytes, *, bits: int = 64, order: str = "<", name: bytes = b".comment") -> bytes:
    """An ELF file of three sections: none, the names, and `comment` under `name`."""
    layout, entry = ("HHIQQQIHHHHHH", "IIQQQQIIQQ") if bits == 64 else ("HHIIIIIHHHHHH", "IIIIIIIIII")
    header_bytes, entry_bytes = 16 + struct.calcsize(order + layout), struct.calcsize(order + entry)
    names = b"\0.shstrtab\0" + name + b"\0"
    table_at = header_bytes + len(names) + len(comment)
    start = b"\x7fELF" + bytes([bits // 32, 1 if order == "<" else 2, 1]) + bytes(9)
    fields = (3, 62, 1, 0, 0, table_at, 0, header_bytes, 0, 0, entry_bytes, 3, 1)
    sections = [
        (0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
        (1, 3, 0, 0, header_bytes, len(names), 0, 0, 1, 0),
        (11, 1, 0, 0, header_bytes + len(names), len(comment), 0, 0, 1, 0),
    ]
    packed = b"".join(struct.pack(order + entry, *section) for section in sections)
    return start + struct.pack(order + layout, *fields) + names + comment + packed


def read(folder: Path, content: bytes) -> tuple[str, ...]:
    path = folder / "lib.so"
    path.write_bytes(content)
    return comments(path)


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("order", ["<", ">"])
def test_every_class_and_byte_order(tmp_path: Path, bits: int, order: str) -> None:
    assert read(tmp_path, elf(GCC, bits=bits, order=order)) == ("GCC: (Debian 12.2.0-14) 12.2.0",)


def test_all_compilers_of_its_parts_each_once(tmp_path: Path) -> None:
    found = read(tmp_path, elf(GCC + CLANG + GCC + b"\0\0"))
    assert found == ("GCC: (Debian 12.2.0-14) 12.2.0", "clang version 17.0.6")


def test_a_hostile_comment_is_short_and_printable(tmp_path: Path) -> None:
    (found,) = read(tmp_path, elf(b"\x1b[2J\n" + b"x" * 5000))
    assert found.isprintable()
    assert len(found) == 120


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "cannot be read as an ELF file"),
        (b"MZ" + bytes(200), "cannot be read as an ELF file"),
        (elf(GCC)[:70], "cannot be read as an ELF file"),
        (elf(GCC)[:-1], "cannot be read as an ELF file"),
        (elf(GCC, name=b".notes"), "names no compiler"),
        (elf(b"\0\0"), "names no compiler"),
    ],
    ids=["empty", "no ELF", "cut header", "cut table", "no comment", "empty comment"],
)
def test_what_names_no_compiler_is_not_readable(tmp_path: Path, content: bytes, reason: str) -> None:
    with pytest.raises(UnreadableError, match=rf"^lib\.so: {reason}$"):
        read(tmp_path, content)


def test_a_missing_file_is_not_readable(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError):
        comments(tmp_path / "none.so")


@given(place=st.integers(16, len(elf(GCC)) - 1), byte=st.integers(0, 255))
def test_one_wrong_byte_never_makes_it_fail(
    tmp_path_factory: pytest.TempPathFactory, place: int, byte: int
) -> None:
    content = bytearray(elf(GCC))
    content[place] = byte
    path = tmp_path_factory.mktemp("elf") / "lib.so"
    path.write_bytes(content)
    said = ["lib.so: "]
    try:
        assert all(text.isprintable() for text in comments(path))
    except UnreadableError as reason:
        said.append(str(reason))
    assert said[-1].startswith("lib.so: ")


def test_the_installed_llama_cpp_says_what_compiled_it() -> None:
    if find_spec("llama_cpp") is None:
        pytest.skip("llama-cpp-python is not installed")
    assert compilers()["llama-cpp"].startswith(("GCC: ", "clang version ", "Ubuntu clang"))


def test_without_engines_there_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(UnreadableError, match=r"^no engine's library names its compiler$"):
        compilers()


def test_an_engine_whose_library_says_nothing_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Spec:
        submodule_search_locations = (str(tmp_path),)

    for name, content in (("lib/libggml-cpu.so", elf(GCC)), ("capi/onnxruntime_pybind11_state.so", b"MZ")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    monkeypatch.setattr(module, "find_spec", lambda name: Spec)
    assert compilers() == {"llama-cpp": "GCC: (Debian 12.2.0-14) 12.2.0"}
