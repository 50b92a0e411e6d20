"""A model as a Hugging Face folder, for exporters that read nothing else. Runs inside an environment."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Order = dict[str, Any]
"""See `inside`."""

Say = Callable[[str], None]


def source_folder(order: Order, say: Say) -> Path:
    """The folder to export: the source itself, or one written from its GGUF file with float32 weights."""
    source = Path(order["source"])
    if order["gguf"] is None:
        return source
    say("making the weights of the GGUF file float32")
    folder = Path(order["scratch"]) / "hugging_face"
    _save_model(source, order["gguf"], folder)
    _save_tokenizer(source, order["gguf"], folder)
    return folder


def put_tokenizer(source: Path, folder: Path) -> None:
    """Make sure that `folder` holds tokenizer.json, which engines read. Raises `ValueError` if it cannot be."""
    from transformers import AutoTokenizer

    if not (folder / "tokenizer.json").exists():
        AutoTokenizer.from_pretrained(source, trust_remote_code=False).save_pretrained(folder)
    if not (folder / "tokenizer.json").exists():
        raise ValueError("its tokenizer cannot be written as tokenizer.json")


def _save_model(source: Path, name: str, folder: Path) -> None:
    """transformers 5 saves a model from GGUF only if it was told to dequantize; 4 always does."""
    import torch
    import transformers

    more = {}
    if hasattr(transformers, "GgufConfig"):
        more["quantization_config"] = transformers.GgufConfig(dequantize=True)
    model = transformers.AutoModelForCausalLM.from_pretrained(
        source, gguf_file=name, dtype=torch.float32, trust_remote_code=False, **more
    )
    model.save_pretrained(folder)


def _save_tokenizer(source: Path, name: str, folder: Path) -> None:
    from transformers import AutoTokenizer

    adds_bos = _adds_bos(source / name)
    tokenizer = AutoTokenizer.from_pretrained(
        source, gguf_file=name, add_bos_token=adds_bos, trust_remote_code=False
    )
    tokenizer.save_pretrained(folder)
    path = folder / "tokenizer.json"
    content = json.loads(path.read_text("utf-8"))
    content["post_processor"] = _bos_first(tokenizer.bos_token, tokenizer.bos_token_id) if adds_bos else None
    path.write_text(json.dumps(content, ensure_ascii=False), "utf-8")


def _adds_bos(path: Path) -> bool:
    """Whether the file asks for BOS before a prompt: transformers 4 adds it to all, 5 to none.

    Where the file is silent llama.cpp adds it for SentencePiece vocabularies ("llama") alone.
    """
    from gguf import GGUFReader

    reader = GGUFReader(path)
    asked = reader.get_field("tokenizer.ggml.add_bos_token")
    if asked is not None:
        return bool(asked.contents())
    kind = reader.get_field("tokenizer.ggml.model")
    return kind is not None and bool(kind.contents() == "llama")


def _bos_first(token: str, token_id: int) -> dict[str, Any]:
    """The post-processor of tokenizer.json that puts `token` before a text."""
    bos = {"SpecialToken": {"id": token, "type_id": 0}}
    texts = [{"Sequence": {"id": name, "type_id": kind}} for kind, name in enumerate("AB")]
    return {
        "type": "TemplateProcessing",
        "single": [bos, texts[0]],
        "pair": [bos, *texts],
        "special_tokens": {token: {"id": token, "ids": [token_id], "tokens": [token]}},
    }
