"""The tokenizer of a GGUF file as tokenizer.json, which gives the same ids as llama.cpp.

Source of the rules: src/llama-vocab.cpp of llama.cpp (the release packaged by llama-cpp-python 0.3.36).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from profiler.builds import metadata
from profiler.builds.gguf import GgufHeader
from profiler.builds.gguf_arrays import Array, read_arrays
from profiler.builds.model_file import BadModelFile, shown
from profiler.builds.onnx_direct.pre_tokenizers import PRE_TOKENIZERS

TOKENS, MERGES = "tokenizer.ggml.tokens", "tokenizer.ggml.merges"
TYPES, SCORES = "tokenizer.ggml.token_type", "tokenizer.ggml.scores"
CONTROL, USER_DEFINED, BYTE = 3, 4, 6
NO_TOKENIZER = ("none", "no_vocab", "test")
SPACE = "\u2581"


class Vocabulary(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens by id, with type and score of each, and the merges in their order."""

    tokens: list[str]
    types: list[int]
    scores: list[float]
    merges: list[tuple[str, str]]


def write_tokenizer(source: Path, header: GgufHeader, folder: Path) -> None:
    """Write tokenizer.json and tokenizer_config.json. Raises BadModelFile for a kind that is not known.

    For the kinds of llama.cpp that stand for no tokenizer nothing is written: raw workloads need none.
    """
    kind = metadata.text(header, "tokenizer.ggml.model")
    if kind in NO_TOKENIZER:
        return
    if kind not in ("gpt2", "llama"):
        raise BadModelFile(
            f"{header.file_name}: tokenizer.ggml.model is {shown(kind or 'absent')}; accepted: gpt2, llama; "
            "use --via genai with the original folder."
        )
    vocabulary = _vocabulary(source, header)
    content = _byte_level(header, vocabulary) if kind == "gpt2" else _sentence_piece(header, vocabulary)
    content |= {"version": "1.0", "truncation": None, "padding": None}
    content["added_tokens"] = _added(vocabulary)
    content["post_processor"] = _post_processor(header, vocabulary, content.pop("add_bos"))
    _save(folder / "tokenizer.json", content)
    _save(folder / "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast"})


def _vocabulary(source: Path, header: GgufHeader) -> Vocabulary:
    arrays = read_arrays(source, (TOKENS, MERGES, TYPES, SCORES))
    tokens = _texts(header, TOKENS, arrays.get(TOKENS, []))
    if not tokens or len(set(tokens)) != len(tokens):
        raise BadModelFile(
            f"{header.file_name}: {TOKENS} has no tokens, or one twice; convert the model again."
        )
    merges = [text.split(" ", 1) for text in _texts(header, MERGES, arrays.get(MERGES, []))]
    known = set(tokens)
    for pair in merges:
        if len(pair) != 2 or not {*pair, "".join(pair)} <= known:
            raise BadModelFile(
                f"{header.file_name}: {MERGES} has {shown(' '.join(pair))}, which makes no token; convert it again."
            )
    return Vocabulary(
        tokens=tokens,
        types=[int(value) for value in _numbers(header, TYPES, arrays, len(tokens), 1)],
        scores=_numbers(header, SCORES, arrays, len(tokens), 0),
        merges=[(pair[0], pair[1]) for pair in merges],
    )


def _texts(header: GgufHeader, key: str, array: Array) -> list[str]:
    try:
        return [item.decode("utf-8") for item in array]  # type: ignore[union-attr]
    except (UnicodeDecodeError, AttributeError):
        raise BadModelFile(
            f"{header.file_name}: {key} is not text in UTF-8; convert the model again."
        ) from None


def _numbers(
    header: GgufHeader, key: str, arrays: dict[str, Array], count: int, otherwise: float
) -> list[float]:
    found = arrays.get(key)
    if found is None:
        return [otherwise] * count
    if len(found) != count or isinstance(found[0], bytes):
        raise BadModelFile(f"{header.file_name}: {key} must have one number for each of {count} tokens.")
    return list(found)


def _byte_level(header: GgufHeader, vocabulary: Vocabulary) -> dict[str, Any]:
    """Byte-pair encoding over bytes; `tokenizer.ggml.pre` says where text is split before it."""
    name = metadata.text(header, "tokenizer.ggml.pre") or "default"
    if name not in PRE_TOKENIZERS:
        raise BadModelFile(
            f"{header.file_name}: tokenizer.ggml.pre is {shown(name)}; accepted: {', '.join(PRE_TOKENIZERS)}; "
            "use --via genai with the original folder."
        )
    pre = PRE_TOKENIZERS[name]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    last = {**byte_level, "use_regex": pre.then_gpt2}
    return {
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [*map(dict, pre.splits), last]},
        "decoder": {**byte_level, "use_regex": True},
        "model": _model(vocabulary, vocabulary.merges, ignore_merges=pre.ignore_merges),
        "add_bos": pre.add_bos,
    }


def _sentence_piece(header: GgufHeader, vocabulary: Vocabulary) -> dict[str, Any]:
    """SentencePiece: the pair whose token has the highest score is merged first; what is left becomes bytes."""
    spaces: list[dict[str, Any]] = [{"type": "Replace", "pattern": {"String": " "}, "content": SPACE}]
    prefix = metadata.flag(header, "tokenizer.ggml.add_space_prefix")
    if prefix is not False:
        spaces.insert(0, {"type": "Prepend", "prepend": SPACE})
    unknown = metadata.count(header, "tokenizer.ggml.unknown_token_id") or 0
    if unknown >= len(vocabulary.tokens):
        raise BadModelFile(
            f"{header.file_name}: tokenizer.ggml.unknown_token_id is {unknown}, past its {len(vocabulary.tokens)} "
            "tokens; convert the model again."
        )
    decoders: list[dict[str, Any]] = [
        {"type": "Replace", "pattern": {"String": SPACE}, "content": " "},
        {"type": "ByteFallback"},
        {"type": "Fuse"},
    ]
    if prefix is not False:
        decoders.append({"type": "Strip", "content": " ", "start": 1, "stop": 0})
    return {
        "normalizer": {"type": "Sequence", "normalizers": spaces},
        "pre_tokenizer": None,
        "decoder": {"type": "Sequence", "decoders": decoders},
        "model": _model(vocabulary, _merges_by_score(vocabulary), unknown=vocabulary.tokens[unknown]),
        "add_bos": True,
    }


def _merges_by_score(vocabulary: Vocabulary) -> list[tuple[str, str]]:
    """Every way to make a token of two others, in the order of the tokens' scores."""
    known = {
        token
        for token, kind in zip(vocabulary.tokens, vocabulary.types, strict=True)
        if kind not in (CONTROL, USER_DEFINED, BYTE)
    }
    order = sorted(range(len(vocabulary.tokens)), key=lambda n: -vocabulary.scores[n])
    return [
        (token[:cut], token[cut:])
        for token in (vocabulary.tokens[n] for n in order)
        if token in known
        for cut in range(1, len(token))
        if token[:cut] in known and token[cut:] in known
    ]


def _model(
    vocabulary: Vocabulary,
    merges: Sequence[tuple[str, str]],
    *,
    unknown: str | None = None,
    ignore_merges: bool = False,
) -> dict[str, Any]:
    return {
        "type": "BPE",
        "dropout": None,
        "unk_token": unknown,
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": False,
        "byte_fallback": unknown is not None,
        "ignore_merges": ignore_merges,
        "vocab": {token: n for n, token in enumerate(vocabulary.tokens)},
        "merges": [list(pair) for pair in merges],
    }


def _added(vocabulary: Vocabulary) -> list[dict[str, Any]]:
    """Tokens that are found in text as they stand. llama.cpp finds control tokens only where it is told to."""
    shared = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    return [
        {"id": n, "content": token, **shared, "special": kind == CONTROL}
        for n, (token, kind) in enumerate(zip(vocabulary.tokens, vocabulary.types, strict=True))
        if kind in (CONTROL, USER_DEFINED)
    ]


def _post_processor(header: GgufHeader, vocabulary: Vocabulary, add_bos: bool) -> dict[str, Any] | None:
    """The begin and end tokens that llama.cpp puts around a prompt, by the file's flags or its own defaults."""
    begins = metadata.flag(header, "tokenizer.ggml.add_bos_token")
    ends = metadata.flag(header, "tokenizer.ggml.add_eos_token") or False
    template: list[dict[str, Any]] = [{"Sequence": {"id": "A", "type_id": 0}}]
    special = {}
    for wanted, key, place in ((add_bos if begins is None else begins, "bos", 0), (ends, "eos", 2)):
        number = metadata.count(header, f"tokenizer.ggml.{key}_token_id")
        if not wanted or number is None or number >= len(vocabulary.tokens):
            continue
        token = vocabulary.tokens[number]
        template.insert(place, {"SpecialToken": {"id": token, "type_id": 0}})
        special[token] = {"id": token, "ids": [number], "tokens": [token]}
    if not special:
        return None
    return {"type": "TemplateProcessing", "single": template, "pair": template, "special_tokens": special}


def _save(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False) + "\n", "utf-8")
