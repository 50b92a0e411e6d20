"""tokenizer.json of a direct build against llama.cpp itself, on hard strings, for every kind that is known."""
# ruff: noqa: RUF001

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gguf
import pytest
from tokenizers import Tokenizer

from profiler.builds.gguf import read_header
from profiler.builds.gguf_arrays import read_arrays
from profiler.builds.model_file import BadModelFile
from profiler.builds.onnx_direct.pre_tokenizers import PRE_TOKENIZERS
from profiler.builds.onnx_direct.tokenizer import MERGES, NO_TOKENIZER, TOKENS, TYPES, write_tokenizer
from profiler.engines import llama_cpp

HARD = [
    "", " ", "  ", " a", "a ", "Hello, World! 123 4567", "1234567890", "3.14159", "100,000 1 000", "0x1F 1e-9",
    "don't can't I'LL we've 's 'S", "C'est l'été", "\n\n\n  x\n", " \n a", "ab\n\ncd", "\t\ttab", "  \r\n \r\n",
    "def f(x):\n    return x**2  # c\n", "日本語テキスト", "한국어 텍스트 123", "Привет мир", "مرحبا بالعالم", "שלום",
    "नमस्ते दुनिया", "ไทยภาษา", "👩‍👩‍👧‍👦 🇩🇪 😀", "e\u0301 é ﬁ a\u0300\u0301b", "²³½ ١٢٣", "a\x00b", "\x01\x7f", "x" * 300,
    " " * 37 + "y", "—–“”‘’…", "http://a.b/c?d=e&f=g", "ǅ ß İ ı", "\u200b\u2060", "$100.00 €5", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢",
    "▁under ▁▁", "\u3000full　width", "\xa0no break", "\ufeffmark", "Ωμέγα", "the  quick   brown",
    "fooBar HTTPServer aB Ab ABc'S", "<b>x</b><table> ", "path/to//file/\n", "ÀéÎ ДаНЕт日Ab",
]  # fmt: skip
_draw = random.Random(3)
HARD += ["".join(_draw.choices("ab 12\n\t.'éЖ日😀²-_", k=_draw.randrange(1, 30))) for _ in range(200)]

PIECES = [
    "▁",
    "▁t",
    "he",
    "▁the",
    "in",
    "▁a",
    "er",
    "▁def",
    "▁▁",
    "▁▁▁▁",
    "re",
    "on",
    "ti",
    "tion",
    "1",
    "12",
    "日",
    "本",
    "日本",
]


@pytest.fixture(scope="module", autouse=True)
def library() -> None:
    llama_cpp.import_library()
    llama_cpp.lib.llama_backend_init()


def by_llama_cpp(path: Path) -> list[list[int]]:
    """Ids of all hard strings by llama.cpp on this file."""
    lib: Any = llama_cpp.lib
    params = lib.llama_model_default_params()
    params.vocab_only = True
    model = lib.llama_model_load_from_file(str(path).encode(), params)
    vocabulary = lib.llama_model_get_vocab(model)
    found = []
    for content in (text.encode() for text in HARD):
        room = (lib.llama_token * (len(content) + 16))()
        count = lib.llama_tokenize(vocabulary, content, len(content), room, len(content) + 16, True, False)
        found.append(list(room[:count]))
    lib.llama_model_free(model)
    return found


def by_tokenizer_json(path: Path, folder: Path) -> list[list[int]]:
    write_tokenizer(path, read_header(path), folder)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    return [tokenizer.encode(text).ids for text in HARD]


@pytest.fixture(scope="module")
def vocabulary(smollm2: Path) -> dict[str, Any]:
    """Tokens, types and merges of a real model."""
    return dict(read_arrays(smollm2, (TOKENS, TYPES, MERGES)))


def with_pre(path: Path, vocabulary: dict[str, Any], pre: str) -> Path:
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(vocabulary[TOKENS])
    writer.add_token_types([int(kind) for kind in vocabulary[TYPES]])
    writer.add_token_merges([merge.decode() for merge in vocabulary[MERGES]])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    return _written(writer, path)


def sentence_piece(path: Path, *, prefix: bool, defined: Sequence[str] = ()) -> Path:
    """A vocabulary of SentencePiece's kind: bytes, letters, and pieces whose scores fall with their place. Tokens
    that are `defined` are found in text as they stand."""
    letters = [chr(n) for n in range(32, 127)]
    pieces = [*PIECES, *(letter for letter in letters if letter not in (" ", "1"))]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tokenizer_model("llama")
    writer.add_token_list(["<unk>", "<s>", "</s>", *(f"<0x{n:02X}>" for n in range(256)), *pieces, *defined])
    writer.add_token_types([2, 3, 3, *[6] * 256, *[1] * len(pieces), *[4] * len(defined)])
    writer.add_token_scores([0.0] * 259 + [-float(n) for n in range(len(pieces) + len(defined))])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_add_space_prefix(prefix)
    return _written(writer, path)


def _written(writer: gguf.GGUFWriter, path: Path) -> Path:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    return path


def test_ids_of_a_real_model_are_those_of_llama_cpp(smollm2: Path, tmp_path: Path) -> None:
    assert by_tokenizer_json(smollm2, tmp_path) == by_llama_cpp(smollm2)


@pytest.mark.parametrize("pre", PRE_TOKENIZERS)
def test_ids_with_every_known_split(vocabulary: dict[str, Any], tmp_path: Path, pre: str) -> None:
    path = with_pre(tmp_path / "vocabulary.gguf", vocabulary, pre)
    assert by_tokenizer_json(path, tmp_path) == by_llama_cpp(path)


@pytest.mark.parametrize("prefix", [True, False])
def test_ids_of_sentence_piece(tmp_path: Path, prefix: bool) -> None:
    path = sentence_piece(tmp_path / "vocabulary.gguf", prefix=prefix)
    assert by_tokenizer_json(path, tmp_path) == by_llama_cpp(path)


def test_ids_of_a_vocabulary_like_gemmas(tmp_path: Path) -> None:
    """No space before the text, and tokens of spaces, line ends and tags that no merge makes."""
    defined = [*(" " * n for n in range(2, 32)), *("\n" * n for n in range(1, 32)), "\t\t", "<table>", "<b>"]
    path = sentence_piece(tmp_path / "vocabulary.gguf", prefix=False, defined=defined)
    assert by_tokenizer_json(path, tmp_path) == by_llama_cpp(path)


@pytest.mark.parametrize("kind", NO_TOKENIZER)
def test_kinds_without_a_tokenizer_get_none(tmp_path: Path, kind: str) -> None:
    writer = gguf.GGUFWriter(tmp_path / "vocabulary.gguf", "llama")
    writer.add_tokenizer_model(kind)
    path = _written(writer, tmp_path / "vocabulary.gguf")
    write_tokenizer(path, read_header(path), tmp_path)
    assert [item.name for item in tmp_path.iterdir()] == [path.name]


def test_split_that_is_not_known_is_refused(vocabulary: dict[str, Any], tmp_path: Path) -> None:
    path = with_pre(tmp_path / "vocabulary.gguf", vocabulary, "made-up")
    with pytest.raises(BadModelFile, match=r"tokenizer.ggml.pre is made-up; accepted: gpt-2, mpt, "):
        write_tokenizer(path, read_header(path), tmp_path)
