"""The architectures that the direct writer knows, each by what sets it apart. A new one is a line here."""

from __future__ import annotations

from types import MappingProxyType

import msgspec

from profiler.builds import metadata
from profiler.builds.gguf import GgufHeader
from profiler.builds.model_file import BadModelFile, shown


class Architecture(msgspec.Struct, frozen=True, kw_only=True):
    """How a decoder differs from the plainest one. Source: src/models/*.cpp of llama.cpp.

    Attention: rows of queries and keys are rotary pairs (`paired_rows`), or halves; queries, keys and values may
    have biases; each head of queries and keys has a norm; a part of each head may be rotated; some layers attend
    to a window, or the file names a window that llama.cpp ignores. `wide_scale_layers` is the number of layers at
    which scores are scaled by embedding / heads and not by the length of a head.

    The rest: projections are stored as one matrix (`fused`), as are gate and up; branches have a norm before they
    are added; the gate is a GELU and not a SiLU; embeddings are scaled by the root of their width; logits may have
    a cap. `optional` tensors may be there. `genai_type` is ONNX Runtime GenAI's word for it.
    """

    paired_rows: bool = False
    biases: bool = False
    head_norms: bool = False
    partly_rotated: bool = False
    names_window: bool = False
    wide_scale_layers: int | None = None
    fused: bool = False
    branch_norms: bool = False
    gelu: bool = False
    scaled_embeddings: bool = False
    capped_logits: bool = False
    optional: tuple[str, ...] = ()
    genai_type: str


LONG_FACTORS, SHORT_FACTORS, FACTORS = (
    "rope_factors_long.weight",
    "rope_factors_short.weight",
    "rope_freqs.weight",
)

ANY_DECODER = "decoder"
"""For GenAI's "phi3" it evaluates the whole context again at token 4,097, where some of those models change their
factors; a direct build never does."""

ARCHITECTURES = MappingProxyType(
    {
        "llama": Architecture(paired_rows=True, optional=(FACTORS,), genai_type="llama"),
        "qwen2": Architecture(biases=True, genai_type="qwen2"),
        "qwen3": Architecture(head_norms=True, genai_type="qwen3"),
        "gemma3": Architecture(
            head_norms=True,
            names_window=True,
            wide_scale_layers=62,
            branch_norms=True,
            gelu=True,
            scaled_embeddings=True,
            capped_logits=True,
            genai_type="gemma3_text",
        ),
        "phi3": Architecture(
            partly_rotated=True,
            names_window=True,
            fused=True,
            optional=(LONG_FACTORS, SHORT_FACTORS),
            genai_type=ANY_DECODER,
        ),
    }
)


def architecture_of(header: GgufHeader) -> Architecture:
    """The architecture of a file. Raises BadModelFile for one that is not known."""
    name = metadata.text(header, "general.architecture") or "nothing"
    if name not in ARCHITECTURES:
        raise BadModelFile(
            f"{header.file_name}: its architecture is {shown(name)}; the direct writer knows "
            f"{', '.join(ARCHITECTURES)}; use --via genai or --via optimum."
        )
    return ARCHITECTURES[name]
