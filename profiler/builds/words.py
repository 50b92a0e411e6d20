"""What a model's own files say of it in words: its tokenizer, its licence, and that there is a chat template.

A template is a program that somebody else wrote: it is never rendered, nor shown.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from profiler.builds import onnx_config
from profiler.builds.gguf import GgufHeader
from profiler.builds.model_file import is_file, shown

LARGEST_TOKENIZER = 64 << 20
LARGEST_CARD = 64 << 10
CHAT_TEMPLATE = "tokenizer.chat_template"
TEMPLATE_FILES = ("chat_template.jinja", "chat_template.json")

KINDS = {
    "llama": "SentencePiece",
    "gpt2": "BPE",
    "bert": "WordPiece",
    "t5": "Unigram",
    "rwkv": "RWKV",
    "gemma4": "BPE",
    "none": "none",
    "no_vocab": "none",
}
"""Words of tokenizer.ggml.model. Source: llama.cpp, `llama_vocab::impl::load` in src/llama-vocab.cpp."""

T = TypeVar("T")

_FRONT_MATTER = re.compile(r"---\r?\n(.*?)\r?\n---", re.DOTALL)
_LICENCE_LINE = re.compile(r"^(license|license_name):[ \t]*[\"']?([^\"'\r\n]+)", re.MULTILINE)


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """`tokenizer` names its kind, `licence` is in the words of the files. What they do not tell is None."""

    tokenizer: str | None
    licence: str | None
    chat_template: bool


def words_of_gguf(header: GgufHeader) -> Words:
    """The words of a GGUF file."""
    return Words(
        tokenizer=_tokenizer(header),
        licence=_licence(_said(header, "general.license"), _said(header, "general.license.name")),
        chat_template=CHAT_TEMPLATE in header.metadata,
    )


def words_of_folder(folder: Path, config: dict[str, Any]) -> Words:
    """The words of a folder as Hugging Face lays it out, whose config.json is `config`.

    The licence is that of config.json or of the front matter of README.md, the model card.
    """
    return Words(
        tokenizer=_tokenizer_kind(folder / "tokenizer.json"),
        licence=licence_of(folder, config),
        chat_template=has_chat_template(folder),
    )


def licence_of(folder: Path, config: dict[str, Any]) -> str | None:
    """The licence that a folder tells."""
    front = _FRONT_MATTER.match(_read(folder / "README.md", LARGEST_CARD).decode("utf-8", "replace"))
    card = {key: value.strip() for key, value in _LICENCE_LINE.findall(front[1])} if front else {}
    told = onnx_config.text(config.get("license")) or card.get("license")
    found = _licence(told, card.get("license_name"))
    return shown(found) if found else None


def has_chat_template(folder: Path) -> bool:
    """Whether a folder has a chat template, in a file of its own or in tokenizer_config.json."""
    if any(is_file(folder / name) for name in TEMPLATE_FILES):
        return True
    content = _read(folder / "tokenizer_config.json", onnx_config.LARGEST_CONFIG, whole=True)
    return bytes(_decoded(content, _TokenizerConfig()).chat_template) not in (b"", b"null")


class _Model(msgspec.Struct, frozen=True):
    type: str | None = None


class _Tokenizer(msgspec.Struct, frozen=True):
    model: _Model = _Model()


class _TokenizerConfig(msgspec.Struct, frozen=True):
    chat_template: msgspec.Raw = msgspec.Raw()


def _tokenizer(header: GgufHeader) -> str | None:
    model, split = _said(header, "tokenizer.ggml.model"), _said(header, "tokenizer.ggml.pre")
    if model is None:
        return None
    kind = KINDS.get(model, model)
    return f"{kind}, text split as {split}" if split and kind == "BPE" else kind


def _said(header: GgufHeader, key: str) -> str | None:
    """A text of the metadata as it may be shown; None for anything else."""
    found = header.metadata.get(key)
    return shown(found) if isinstance(found, str) and found else None


def _licence(identifier: str | None, name: str | None) -> str | None:
    """Hugging Face writes "other" for what it has no identifier of, and then a name."""
    return name or identifier if identifier in (None, "other") else identifier


def _tokenizer_kind(path: Path) -> str | None:
    content = _read(path, LARGEST_TOKENIZER, whole=True)
    return onnx_config.text(_decoded(content, _Tokenizer()).model.type)


def _decoded(content: bytes, otherwise: T) -> T:
    """The JSON in `content` as what `otherwise` is, or `otherwise`: what a stranger left out is not told."""
    try:
        return msgspec.json.decode(content, type=type(otherwise))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return otherwise


def _read(path: Path, most: int, *, whole: bool = False) -> bytes:
    """The first `most` bytes of a file; nothing where there is none, or a longer one that is wanted `whole`."""
    if not is_file(path):
        return b""
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
    except OSError:
        return b""
    return b"" if whole and len(content) > most else content[:most]
