"""Refuses GGUF files that hold something other than one whole language model."""

from __future__ import annotations

from profiler.builds import metadata
from profiler.builds.gguf import GgufHeader
from profiler.builds.model_file import BadModelFile

PROJECTOR = "a vision or audio projector (mmproj); give the language model that it belongs to"
ADAPTER = "an adapter (LoRA), not a model; merge it into its base model and give the result"
IMATRIX = "an importance matrix made for quantizing, not a model; give the model"
CONTROL_VECTOR = "a control vector, not a model; give the model that it steers"
ENCODER = "an embedding or encoder model, which generates no text; give a language model"
ENCODER_DECODER = "an encoder-decoder model, which is not supported; give a decoder-only language model"
DIFFUSION = "a diffusion language model, which does not generate token by token; give an autoregressive one"
DRAFT = "a draft head for speculative decoding, not a model of its own; give the model that it serves"
SPEECH = "a speech codec, not a language model; give the language model"
NO_TENSORS = "a vocabulary without weights; give the model file"

TYPES = {"mmproj": PROJECTOR, "adapter": ADAPTER, "imatrix": IMATRIX}

ARCHITECTURES = {
    "clip": PROJECTOR,
    "controlvector": CONTROL_VECTOR,
    "t5": ENCODER_DECODER,
    "wavtokenizer-dec": SPEECH,
    **dict.fromkeys(("dream", "llada", "llada-moe", "rnd1"), DIFFUSION),
    **dict.fromkeys(("eagle3", "dflash", "gemma4-assistant"), DRAFT),
    **dict.fromkeys(
        (
            "bert",
            "eurobert",
            "gemma-embedding",
            "jina-bert-v2",
            "jina-bert-v3",
            "llama-embed",
            "modern-bert",
            "neo-bert",
            "nomic-bert",
            "nomic-bert-moe",
            "t5encoder",
        ),
        ENCODER,
    ),
}


def refuse_non_models(header: GgufHeader) -> None:
    """Raises BadModelFile unless `header` is of one whole decoder-only language model."""
    kind = TYPES.get(metadata.text(header, "general.type") or "")
    architecture = metadata.text(header, "general.architecture") or ""
    kind = kind or ARCHITECTURES.get(architecture) or _encoder(header, architecture)
    if kind:
        raise BadModelFile(f"{header.file_name}: is {kind}.")
    _refuse_parts(header)
    if not header.tensors:
        raise BadModelFile(f"{header.file_name}: is {NO_TENSORS}.")


def _encoder(header: GgufHeader, architecture: str) -> str | None:
    """Encoders that share an architecture with language models say so by their attention or pooling."""
    causal = metadata.flag(header, f"{architecture}.attention.causal")
    pooling = metadata.count(header, f"{architecture}.pooling_type")
    return ENCODER if causal is False or pooling else None


def _refuse_parts(header: GgufHeader) -> None:
    parts = metadata.count(header, "split.count") or 1
    if parts > 1:
        part = (metadata.count(header, "split.no") or 0) + 1
        raise BadModelFile(
            f"{header.file_name}: is part {part} of {parts} of a split model; merge the parts with "
            "`llama-gguf-split --merge FIRST_PART WHOLE.gguf` and give the merged file."
        )
