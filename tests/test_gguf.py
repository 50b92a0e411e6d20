from __future__ import annotations

import math
import os
import socket
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from profiler.builds.cursor import MAX_HEADER_BYTES
from profiler.builds.describe import describe
from profiler.builds.gguf import (
    ArraySummary,
    BadModelFile,
    GgufHeader,
    StringSummary,
    TensorInfo,
    is_gguf,
    read_header,
)
from profiler.builds.gguf_types import REMOVED_TENSOR_TYPES, TENSOR_TYPES
from profiler.errors import ExitCode
from tests.gguf_builder import (
    F32,
    LLAMA,
    LLAMA_TENSORS,
    Q4_0,
    Tensor,
    aligned,
    array,
    boolean,
    counted,
    f32,
    gguf,
    header,
    llama,
    number,
    text,
    texts,
    u32,
    u32s,
)
from tests.rights import closed, open_folder

Save = Callable[[bytes], Path]
Refusal = Callable[[bytes], str]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    def write(data: bytes) -> Path:
        path = tmp_path / "m.gguf"
        path.write_bytes(data)
        return path

    return write


@pytest.fixture
def refusal(save: Save) -> Refusal:
    """The sentence with which a file of these bytes is refused."""

    def read(data: bytes) -> str:
        with pytest.raises(BadModelFile) as caught:
            read_header(save(data))
        return str(caught.value)

    return read


def test_reads_a_tiny_file(save: Save) -> None:
    metadata = [("general.architecture", text("llama")), ("x.flag", boolean(True)), ("x.ratio", f32(0.5))]
    tensors = [Tensor("a.weight", (32, 2), Q4_0), Tensor("b.weight", (3,), F32)]
    data = gguf(metadata, tensors)
    assert read_header(save(data)) == GgufHeader(
        file_name="m.gguf",
        version=3,
        byte_size=len(data),
        metadata={"general.architecture": "llama", "x.flag": True, "x.ratio": 0.5},
        tensors=(
            TensorInfo(name="a.weight", shape=(32, 2), type_name="Q4_0", bytes=36, offset=0),
            TensorInfo(name="b.weight", shape=(3,), type_name="F32", bytes=12, offset=64),
        ),
        data_offset=len(data) - 64 - 12,
    )


@pytest.mark.parametrize(
    ("kind", "code", "value"),
    [
        (0, "B", 255),
        (1, "b", -128),
        (2, "H", 65535),
        (3, "h", -32768),
        (4, "I", 2**32 - 1),
        (5, "i", -(2**31)),
        (6, "f", 0.25),
        (7, "?", False),
        (10, "Q", 2**64 - 1),
        (11, "q", -(2**63)),
        (12, "d", 1e300),
    ],
)
def test_reads_every_scalar_type(save: Save, kind: int, code: str, value: float) -> None:
    assert read_header(save(gguf([("k", number(kind, code, value))]))).metadata == {"k": value}


def test_keeps_short_arrays_and_summarises_the_others(save: Save) -> None:
    metadata = [
        ("short", u32s([3, 1, 2])),
        ("longest kept", u32s(range(1024))),
        ("long", u32s(range(1025))),
        ("texts", texts(["a", "", "bc"])),
        ("after", u32(7)),
    ]
    assert read_header(save(gguf(metadata))).metadata == {
        "short": ArraySummary(element_type="uint32", length=3, values=(3, 1, 2)),
        "longest kept": ArraySummary(element_type="uint32", length=1024, values=tuple(range(1024))),
        "long": ArraySummary(element_type="uint32", length=1025),
        "texts": ArraySummary(element_type="string", length=3),
        "after": 7,
    }


def test_does_not_keep_long_or_undecodable_strings(save: Save) -> None:
    metadata = [("long", text(b"x" * (2**20 + 1))), ("latin", text(b"caf\xe9")), ("after", u32(7))]
    assert read_header(save(gguf(metadata))).metadata == {
        "long": StringSummary(bytes=2**20 + 1, reason="too long to keep"),
        "latin": StringSummary(bytes=4, reason="not valid UTF-8"),
        "after": 7,
    }


def test_keeps_16_mib_of_metadata_at_most(save: Save) -> None:
    found = read_header(save(gguf([(f"k{i}", text(b"x" * 2**20)) for i in range(17)]))).metadata
    assert [type(value) for value in found.values()] == [str] * 16 + [StringSummary]


@pytest.mark.parametrize("version", [2, 3])
def test_accepts_versions_2_and_3(save: Save, version: int) -> None:
    assert read_header(save(header(version=version))).version == version


@pytest.mark.parametrize("alignment", [1, 8, 64, 65536])
def test_follows_the_alignment_of_the_file(save: Save, alignment: int) -> None:
    metadata = [("general.alignment", u32(alignment))]
    found = read_header(save(gguf(metadata, [Tensor("a", (3,)), Tensor("b", (1,))], alignment)))
    assert found.data_offset % alignment == 0
    assert [tensor.offset for tensor in found.tensors] == [0, aligned(12, alignment)]


def test_reads_the_real_model(smollm2: Path) -> None:
    found = read_header(smollm2)
    assert (found.version, found.byte_size, found.data_offset) == (3, 98362432, 1785664)
    assert found.metadata["general.architecture"] == "llama"
    assert found.metadata["tokenizer.ggml.tokens"] == ArraySummary(element_type="string", length=49152)
    assert len(found.tensors) == 272
    assert found.tensors[0] == TensorInfo(
        name="token_embd.weight", shape=(576, 49152), type_name="Q8_0", bytes=30081024, offset=0
    )
    assert max(t.offset + t.bytes for t in found.tensors) + found.data_offset == found.byte_size


def test_a_cut_copy_of_the_real_model_is_truncated(smollm2: Path, tmp_path: Path) -> None:
    whole = read_header(smollm2)
    cut = tmp_path / "cut.gguf"
    with smollm2.open("rb") as source:
        cut.write_bytes(source.read(whole.data_offset))
    os.truncate(cut, whole.byte_size - 1)
    with pytest.raises(BadModelFile, match=r"^cut\.gguf: truncated: tensor .* ends at byte 98362432 but the"):
        read_header(cut)


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="needs the kernel's count of bytes read")
def test_reads_only_the_header_of_a_40_gib_file(tmp_path: Path) -> None:
    path = tmp_path / "big.gguf"
    tensors = [Tensor(f"blk.{i}.w", (1 << 20, 1 << 10), F32) for i in range(10)]
    path.write_bytes(header([("general.architecture", text("llama"))], tensors))
    os.truncate(path, 40 * (1 << 30) + 4096)
    before = _bytes_read()
    assert sum(tensor.bytes for tensor in read_header(path).tensors) == 40 * (1 << 30)
    assert _bytes_read() - before < 1 << 20


def _bytes_read() -> int:
    return int(Path("/proc/self/io").read_text().split()[1])


class TestKnowingAFile:
    def test_by_its_magic_not_its_name(self, tmp_path: Path) -> None:
        blob = tmp_path / "sha256-6a0746a1ec1a"
        blob.write_bytes(llama())
        other = tmp_path / "model.gguf"
        other.write_bytes(b"PK\x03\x04")
        assert is_gguf(blob)
        assert not is_gguf(other)

    def test_says_no_to_what_is_no_file(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        for path in (tmp_path, tmp_path / "absent", tmp_path / "pipe", Path("a\0b"), Path("x" * 5000)):
            assert not is_gguf(path)


class TestPaths:
    def sentence(self, path: Path) -> str:
        with pytest.raises(BadModelFile) as caught:
            read_header(path)
        assert caught.value.exit_code == ExitCode.BAD_INPUT
        return str(caught.value)

    def test_missing(self, tmp_path: Path) -> None:
        assert self.sentence(tmp_path / "absent.gguf") == "absent.gguf: no such file; check the path."

    def test_below_a_file(self, save: Save) -> None:
        assert self.sentence(save(b"x") / "y.gguf") == "y.gguf: cannot be read (Not a directory)."

    def test_folder(self, tmp_path: Path) -> None:
        folder = tmp_path / "models"
        folder.mkdir()
        expected = "models: is a folder, not a model file; give the file inside it."
        assert self.sentence(folder) == expected

    def test_pipe_socket_and_device(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(os.path.relpath(tmp_path / "socket"))
            for path in (tmp_path / "pipe", tmp_path / "socket", Path("/dev/zero")):
                expected = f"{path.name}: is a pipe, a socket or a device; give a regular file."
                assert self.sentence(path) == expected

    def test_without_permission(self) -> None:
        with open_folder() as folder:
            path = folder / "m.gguf"
            path.write_bytes(llama())
            with closed(path):
                said = self.sentence(path)
        assert said == "m.gguf: this user may not read it; change its permissions."

    def test_zero_byte(self) -> None:
        assert self.sentence(Path("a\0b")) == r"'a\x00b': a path cannot hold a zero byte."

    def test_name_too_long(self) -> None:
        assert self.sentence(Path("x" * 5000)).endswith("...: cannot be read (File name too long).")

    def test_name_that_would_drive_a_terminal(self, tmp_path: Path) -> None:
        path = tmp_path / "\x1b[31mred.gguf"
        assert self.sentence(path) == r"'\x1b[31mred.gguf': no such file; check the path."


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "is empty; fetch the file again"),
        (b"PK\x03\x04" + b"\0" * 40, "looks like a zip archive (PyTorch checkpoints are zip archives)"),
        (b"\x80\x02\x8a\nl\xfc\x9cF", "looks like a Python pickle (an old PyTorch checkpoint)"),
        (struct.pack("<Q", 60) + b'{"__metadata__":', "looks like a safetensors file"),
        (b"\x08\x08\x12\x07pytorch", "looks like an ONNX model: give the folder that holds it"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "looks like a Git LFS pointer"),
        (b"<!DOCTYPE html><html>", "looks like a web page"),
        (b"\n <HTML><head>", "looks like a web page"),
        (b'{"model_type": "llama"}', "looks like a JSON text"),
        (b"ggjt\x03\0\0\0", "looks like a GGML file from before GGUF"),
        (b"lmgg" + b"\0" * 30, "looks like a GGML file from before GGUF"),
        (b"algg" + b"\0" * 30, "looks like a GGML file from before GGUF"),
        (b"\x1f\x8b\x08\0", "looks like a gzip archive"),
        (b"\0" * 100, "looks like all zero bytes at its start"),
        (b"abcdefgh", "not a GGUF file; it begins with 61 62 63 64"),
        (b"\0", "looks like all zero bytes"),
    ],
)
def test_says_what_another_file_looks_like(refusal: Refusal, data: bytes, expected: str) -> None:
    sentence = refusal(data)
    assert sentence.startswith("m.gguf: ")
    assert expected in sentence


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"GG", "truncated header: the magic does not fit in the 2 bytes of the file"),
        (b"GGUF", "truncated header: the version does not fit in the 4 bytes of the file"),
        (
            b"GGUF\0\0\0\x03" + bytes(16),
            "is a big-endian GGUF file; only little-endian ones are accepted, convert it",
        ),
        (header(version=1), "has GGUF version 1; accepted: 2, 3; convert the original model again"),
        (header(version=4), "has GGUF version 4; accepted: 2, 3; convert the original model again"),
        (header(version=0), "has GGUF version 0; accepted: 2, 3; convert the original model again"),
    ],
)
def test_refuses_other_versions_and_byte_orders(refusal: Refusal, data: bytes, expected: str) -> None:
    assert refusal(data) == f"m.gguf: {expected}."


HUGE = 2**60


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (
            header(tensor_count=10**18),
            "declares 1000000000000000000 tensors, more than its 24 bytes can hold",
        ),
        (
            header(key_count=10**18),
            "declares 1000000000000000000 metadata keys, more than its 24 bytes can hold",
        ),
        (header(key_count=1), "the name of metadata key 1 of 1"),
        (
            header(tensor_count=100_001) + bytes(4_000_000),
            "declares 100001 tensors; at most 100000 are accepted",
        ),
        (
            header(key_count=100_001) + bytes(2_000_000),
            "declares 100001 metadata keys; at most 100000 are accepted",
        ),
        (
            header(key_count=1) + struct.pack("<Q", HUGE) + bytes(16),
            f"the name of metadata key 1 of 1 is {HUGE} bytes long; 1 to 65536 are accepted",
        ),
        (header([("", u32(1))]), "the name of metadata key 1 of 1 is 0 bytes long; 1 to 65536 are accepted"),
        (header([(b"\xff\xfe", u32(1))]), "the name of metadata key 1 of 1 is not valid UTF-8"),
        (header([("k", u32(1)), ("k", u32(2))]), "the metadata key k appears twice"),
        (header([("k", struct.pack("<II", 99, 0))]), "the value of k has the unknown type 99"),
        (header([("k", struct.pack("<IQ", 8, HUGE))]), "truncated header: the value of k does not fit"),
        (header([("k", array(4, HUGE, b""))]), "truncated header: the value of k does not fit"),
        (header([("k", array(8, HUGE, b""))]), "truncated header: the value of k does not fit"),
        (header([("k", array(8, 2**64 - 1, counted("a")))]), "truncated header: the value of k does not fit"),
        (
            header([("k", array(8, 1, struct.pack("<Q", HUGE)))]),
            "truncated header: the value of k does not fit",
        ),
        (header([("k", array(9, 1, u32s([1])[4:]))]), "the value of k is an array of arrays"),
        (header([("k", array(99, 1, bytes(8)))]), "the value of k is an array of the unknown type 99"),
        (header([("\x1b[2J", struct.pack("<II", 99, 0))]), r"the value of '\x1b[2J' has the unknown type 99"),
    ],
)
def test_refuses_metadata_that_cannot_be(refusal: Refusal, data: bytes, expected: str) -> None:
    assert expected in refusal(data)


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        (u32(0), "0"),
        (u32(48), "48"),
        (u32(131072), "131072"),
        (f32(32.0), "32.0"),
        (number(5, "i", -32), "-32"),
        (boolean(True), "True"),
        (text("32"), "not a number"),
    ],
)
def test_refuses_an_absurd_alignment(refusal: Refusal, value: bytes, seen: str) -> None:
    expected = f"m.gguf: general.alignment is {seen}; accepted: a power of two up to 65536."
    assert refusal(gguf([("general.alignment", value)])) == expected


@pytest.mark.parametrize(
    ("tensors", "expected"),
    [
        ([Tensor("a" * 65, (1,))], "the name of tensor 1 of 1 is 65 bytes long; 1 to 64 are accepted"),
        ([Tensor(b"\xc3", (1,))], "the name of tensor 1 of 1 is not valid UTF-8"),
        ([Tensor("a", (1,)), Tensor("a", (1,))], "the tensor a appears twice"),
        ([Tensor("a", ())], "tensor a has 0 dimensions; accepted: 1 to 4"),
        ([Tensor("a", (1,) * 5)], "tensor a has 5 dimensions; accepted: 1 to 4"),
        ([Tensor("a", (4, 0))], "tensor a has the impossible shape 4 x 0"),
        (
            [Tensor("a", (2**32, 2**32), offset=0)],
            "tensor a has the impossible shape 4294967296 x 4294967296",
        ),
        ([Tensor("a", (33,), Q4_0)], "tensor a has rows of 33 weights, but Q4_0 stores blocks of 32"),
        ([Tensor("a", (1,), 4)], "tensor a has the type Q4_2, which engines no longer read"),
        ([Tensor("a", (1,), 999)], "tensor a has the unknown type 999; the file is damaged or too new"),
        ([Tensor("a", (1,), offset=8)], "tensor a starts at 8, which is not aligned to 32"),
        ([Tensor("a", (8,)), Tensor("b", (8,), offset=0)], "the tensors a and b overlap"),
    ],
)
def test_refuses_tensors_that_cannot_be(refusal: Refusal, tensors: list[Tensor], expected: str) -> None:
    assert refusal(header(tensors=tensors) + bytes(4096)).startswith(f"m.gguf: {expected}")


def test_refuses_a_tensor_that_ends_outside_the_file(refusal: Refusal) -> None:
    data = gguf(tensors=[Tensor("blk.3.ffn_up.weight", (64, 2), Q4_0)])
    expected = (
        f"m.gguf: truncated: tensor blk.3.ffn_up.weight ends at byte {len(data)}"
        f" but the file has {len(data) - 1}."
    )
    assert refusal(data[:-1]) == expected


def test_refuses_an_offset_far_outside_the_file(refusal: Refusal) -> None:
    data = header(tensors=[Tensor("a", (1,), offset=2**63)]) + bytes(64)
    assert "truncated: tensor a ends at byte 92233720368547" in refusal(data)


def test_refuses_a_header_longer_than_any_model_needs(save: Save) -> None:
    path = save(header([("k", array(0, 2 * MAX_HEADER_BYTES, b""))]))
    os.truncate(path, 4 * MAX_HEADER_BYTES)
    with pytest.raises(BadModelFile, match=f"the header passes {MAX_HEADER_BYTES} bytes at the value of k"):
        read_header(path)


def test_a_liar_of_a_file_costs_no_memory(save: Save) -> None:
    path = save(header([("k", array(8, HUGE, b""))]))
    os.truncate(path, 1 << 18)
    tracemalloc.start()
    with pytest.raises(BadModelFile):
        read_header(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 19


def test_every_truncation_of_a_file_is_refused(save: Save) -> None:
    path = save(llama())
    for length in reversed(range(path.stat().st_size)):
        os.truncate(path, length)
        with pytest.raises(BadModelFile, match=r"^m\.gguf: (truncated|is empty|declares|the name|not a)"):
            read_header(path)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(flips=st.lists(st.tuples(st.integers(0), st.integers(0, 7)), min_size=1, max_size=4))
def test_flipped_bits_give_a_header_or_a_sentence(save: Save, flips: list[tuple[int, int]]) -> None:
    data = bytearray(llama())
    length = len(header([*LLAMA.items()], LLAMA_TENSORS))
    for place, bit in flips:
        data[place % length] ^= 1 << bit
    _header_or_sentence(save(bytes(data)))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rest=st.binary(max_size=300), version=st.sampled_from([2, 3]))
def test_noise_after_the_magic_gives_a_header_or_a_sentence(save: Save, rest: bytes, version: int) -> None:
    _header_or_sentence(save(b"GGUF" + struct.pack("<I", version) + rest))


def _header_or_sentence(path: Path) -> None:
    try:
        found = read_header(path)
        described = describe(found)
    except BadModelFile as error:
        sentence = str(error)
    else:
        assert all(found.data_offset + t.offset + t.bytes <= found.byte_size for t in found.tensors)
        assert described.weights_bytes <= found.byte_size
        assert math.isfinite(described.read_bytes_per_token(4096))
        return
    assert sentence.startswith("m.gguf: ")
    assert sentence.isprintable()


def test_tensor_types_agree_with_the_engine() -> None:
    import ctypes

    import llama_cpp.llama_cpp

    library = llama_cpp.llama_cpp._lib
    library.ggml_type_size.restype = ctypes.c_size_t
    library.ggml_blck_size.restype = ctypes.c_int64
    for kind, expected in TENSOR_TYPES.items():
        assert library.ggml_blck_size(kind) == expected.block, expected.name
        assert library.ggml_type_size(kind) == expected.block_bytes, expected.name
    assert [library.ggml_blck_size(kind) for kind in REMOVED_TENSOR_TYPES] == [0] * len(REMOVED_TENSOR_TYPES)
