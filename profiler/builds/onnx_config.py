"""The configuration files of an ONNX folder, and values in them that may be anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from profiler.builds.model_file import BadModelFile, is_file, shown_name

LARGEST_CONFIG = 4 << 20


def read_config(folder: Path, name: str) -> dict[str, Any]:
    """A configuration file as a dictionary; empty where there is none. Raises BadModelFile for what is no object."""
    path = folder / name
    if not is_file(path):
        return {}
    try:
        if path.stat().st_size > LARGEST_CONFIG:
            raise BadModelFile(
                f"{shown_name(folder)}/{name}: is larger than a configuration; export the model again."
            )
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except (OSError, UnicodeDecodeError, msgspec.MsgspecError, RecursionError):
        raise BadModelFile(
            f"{shown_name(folder)}/{name}: is not a JSON object; fetch the folder again."
        ) from None


def decoder_of(genai: dict[str, Any]) -> dict[str, Any]:
    """What genai_config.json says of the decoder."""
    return part(part(genai, "model"), "decoder")


def head_size(genai: dict[str, Any], config: dict[str, Any]) -> int | None:
    """The length of a key, told or hidden size over heads."""
    told = count(decoder_of(genai).get("head_size")) or count(config.get("head_dim"))
    hidden, heads = count(config.get("hidden_size")), count(config.get("num_attention_heads"))
    return told or (hidden // heads if hidden and heads else None)


def kv_elements_per_token(genai: dict[str, Any], config: dict[str, Any]) -> int | None:
    """Elements that one token adds to the key-value cache, keys and values."""
    decoder, length = decoder_of(genai), head_size(genai, config)
    layers = count(decoder.get("num_hidden_layers")) or count(config.get("num_hidden_layers"))
    heads = count(decoder.get("num_key_value_heads")) or count(config.get("num_key_value_heads"))
    heads = heads or count(config.get("num_attention_heads"))
    return 2 * layers * heads * length if layers and heads and length else None


def context_length(genai: dict[str, Any], config: dict[str, Any]) -> int | None:
    """The longest context in tokens."""
    return count(part(genai, "model").get("context_length")) or count(config.get("max_position_embeddings"))


def vocabulary(genai: dict[str, Any], config: dict[str, Any]) -> int | None:
    """How many tokens there are."""
    return count(part(genai, "model").get("vocab_size")) or count(config.get("vocab_size"))


def architecture(genai: dict[str, Any], config: dict[str, Any]) -> str | None:
    """The type of model in the words of the configuration."""
    return text(config.get("model_type")) or text(part(genai, "model").get("type"))


def part(said: dict[str, Any], name: str) -> dict[str, Any]:
    """The table called `name`, or an empty one."""
    found = said.get(name)
    return found if isinstance(found, dict) else {}


def text(found: object) -> str | None:
    """A short printable text, or None."""
    return found if isinstance(found, str) and 0 < len(found) <= 256 and found.isprintable() else None


def count(found: object) -> int | None:
    """A whole number from 1 to 2^40, or None."""
    return found if isinstance(found, int) and not isinstance(found, bool) and 0 < found < 2**40 else None
