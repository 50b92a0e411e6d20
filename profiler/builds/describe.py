"""What a GGUF model is made of, and what one decoded token reads of it, from the header alone."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

import msgspec

from profiler.builds import metadata
from profiler.builds.attention import LayerCache, read_attention
from profiler.builds.gguf import ArraySummary, GgufHeader, TensorInfo
from profiler.builds.gguf_types import FILE_TYPES
from profiler.builds.model_file import BadModelFile, shown
from profiler.builds.non_models import refuse_non_models

__all__ = ["GgufModel", "LayerCache", "describe", "refuse_non_models"]

MAX_LAYERS = 512
GUESSED = 1024
ARCHITECTURE_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
LAYER_TENSOR = re.compile(r"blk\.([0-9]{1,4})\.")
EXPERT_TENSOR = re.compile(r"_(ch)?exps\.")

OUTPUT = "output.weight"
INPUT = "token_embd.weight"
OTHER_INPUTS = ("per_layer_token_embd.weight", "position_embd.weight", "token_types.weight")


class GgufModel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A language model as the header of its file describes it.

    `heads`, `kv_heads`, `feed_forward` and `cache` have one entry per layer. `experts_used` is the largest of
    all layers. Absent in the file is None.
    """

    architecture: str
    name: str | None
    parameters: int
    weights_bytes: int
    bits_per_weight: float
    quantization: str
    type_bytes: dict[str, int]
    layers: int
    embedding: int
    heads: tuple[int, ...]
    kv_heads: tuple[int, ...]
    key_length: int
    value_length: int
    feed_forward: tuple[int, ...] | None
    vocabulary: int | None
    context_length: int
    experts: int | None
    experts_used: int | None
    tied_embedding: bool
    sliding_window: int | None
    weights_read_per_token: int
    bits_read_per_weight: float
    cache: tuple[LayerCache, ...]

    @property
    def kv_elements_per_token(self) -> int:
        """Elements that one more token adds to the key-value cache, window layers included."""
        return sum(layer.elements for layer in self.cache if layer.stored)

    def read_bytes_per_token(self, depth: int = 0, kv_bytes_per_element: float = 2.0) -> float:
        """Bytes read to decode one token after `depth` others: the weights it touches, and the cache.

        The default element is F16. A table of embeddings counts only where it is the output matrix too, and
        of the experts only the active share.
        """
        elements = sum(layer.elements * min(depth, layer.window or depth) for layer in self.cache)
        return self.weights_read_per_token + elements * kv_bytes_per_element


def describe(header: GgufHeader) -> GgufModel:
    """The model in `header`. Raises BadModelFile when it is no language model, or states nonsense."""
    refuse_non_models(header)
    arch = _architecture(header)
    blocks, layers = _layers(header, arch)
    embedding = metadata.required_count(header, f"{arch}.embedding_length")
    attention = read_attention(header, arch, blocks, layers, embedding)
    feed_forward = metadata.per_layer(header, f"{arch}.feed_forward_length", blocks)
    experts, used = _experts(header, arch, blocks)
    name = metadata.text(header, "general.name")
    parameters = sum(math.prod(tensor.shape) for tensor in header.tensors)
    type_bytes = _type_bytes(header.tensors)
    read_bytes, read_weights = _read_for_a_token(header.tensors, layers, experts, used)
    weights_bytes = sum(type_bytes.values())
    return GgufModel(
        architecture=arch,
        name=shown(name) if name else None,
        parameters=parameters,
        weights_bytes=weights_bytes,
        bits_per_weight=weights_bytes * 8 / parameters,
        quantization=_quantization(header, type_bytes),
        type_bytes=type_bytes,
        layers=layers,
        embedding=embedding,
        heads=attention.heads,
        kv_heads=attention.kv_heads,
        key_length=attention.key_length,
        value_length=attention.value_length,
        feed_forward=feed_forward[:layers] if feed_forward else None,
        vocabulary=_vocabulary(header, arch),
        context_length=metadata.required_count(header, f"{arch}.context_length"),
        experts=experts or None,
        experts_used=max(used) or None,
        tied_embedding=_tied(header.tensors),
        sliding_window=attention.sliding_window,
        weights_read_per_token=read_bytes,
        bits_read_per_weight=8 * read_bytes / read_weights if read_weights else 0.0,
        cache=attention.cache,
    )


def _architecture(header: GgufHeader) -> str:
    found = metadata.text(header, "general.architecture")
    if found is None:
        raise BadModelFile(
            f"{header.file_name}: has no general.architecture, which every language model needs."
        )
    if not ARCHITECTURE_NAME.fullmatch(found):
        raise BadModelFile(f"{header.file_name}: general.architecture is {shown(found)}, which is no name.")
    return found


def _layers(header: GgufHeader, arch: str) -> tuple[int, int]:
    """All blocks of the file, and the layers among them: the last blocks may only predict further tokens."""
    blocks = metadata.required_count(header, f"{arch}.block_count")
    layers = blocks - (metadata.count(header, f"{arch}.nextn_predict_layers") or 0)
    if not 0 < layers <= blocks <= MAX_LAYERS:
        raise BadModelFile(
            f"{header.file_name}: {arch}.block_count gives {layers} layers; accepted: 1 to {MAX_LAYERS}."
        )
    return blocks, layers


def _experts(header: GgufHeader, arch: str, blocks: int) -> tuple[int, tuple[int, ...]]:
    """Experts per layer, and how many of them each block uses for one token; zeros for a dense model."""
    experts = metadata.count(header, f"{arch}.expert_count") or 0
    used = metadata.per_layer(header, f"{arch}.expert_used_count", blocks) or (0,) * blocks
    if max(used) > experts or (experts and not max(used)):
        raise BadModelFile(
            f"{header.file_name}: {arch}.expert_count is {experts} and {arch}.expert_used_count {max(used)}; "
            "a model has both or neither, and uses no more than it has."
        )
    return experts, used


def _vocabulary(header: GgufHeader, arch: str) -> int | None:
    tokens = header.metadata.get("tokenizer.ggml.tokens")
    if isinstance(tokens, ArraySummary):
        return tokens.length
    return metadata.count(header, f"{arch}.vocab_size")


def _type_bytes(tensors: Sequence[TensorInfo]) -> dict[str, int]:
    """Bytes per storage type, the largest first."""
    totals: Counter[str] = Counter()
    for tensor in tensors:
        totals[tensor.type_name] += tensor.bytes
    return dict(totals.most_common())


def _quantization(header: GgufHeader, type_bytes: dict[str, int]) -> str:
    """The label of the file, with the type of most bytes where the label does not tell it.

    Rows that do not divide into blocks fall back to another type: a small model's Q4_K_M may be mostly Q5_0.
    """
    dominant = next(iter(type_bytes))
    file_type = metadata.count(header, "general.file_type")
    label = FILE_TYPES.get((file_type or 0) & ~GUESSED) if file_type is not None else None
    if label is None:
        return f"mostly {dominant}"
    family = re.sub(r"_(S|M|L|MOE)$", "", label)
    return label if dominant.startswith(family) else f"{label} (mostly {dominant})"


def _tied(tensors: Sequence[TensorInfo]) -> bool:
    return all(tensor.name != OUTPUT for tensor in tensors)


def _read_for_a_token(
    tensors: Sequence[TensorInfo], layers: int, experts: int, used: tuple[int, ...]
) -> tuple[int, int]:
    """Bytes of the weights that one decoded token touches, and how many weights they are."""
    unread = OTHER_INPUTS if _tied(tensors) else (INPUT, *OTHER_INPUTS)
    read_bytes = read_weights = 0
    for tensor in tensors:
        layer = LAYER_TENSOR.match(tensor.name)
        number = int(layer[1]) if layer else 0
        if tensor.name in unread or number >= layers:
            continue
        routed = experts and EXPERT_TENSOR.search(tensor.name)
        active, of = (used[number], experts) if routed else (1, 1)
        read_bytes += tensor.bytes * active // of
        read_weights += math.prod(tensor.shape) * active // of
    return read_bytes, read_weights
