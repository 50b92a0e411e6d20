"""What is known of one model: of a file by its own contents, of the catalogue's with the source of every figure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from rich.table import Table
from rich.text import Text

from profiler.analyse.agreement import summary
from profiler.builds.describe import GgufModel
from profiler.builds.identify import Found
from profiler.builds.onnx_folder import OnnxModel
from profiler.catalogue.models import ModelProfile, Shape
from profiler.engines.table import ENGINES
from profiler.render.format import percent, plain, size
from profiler.runfile import Build

Facts = list[tuple[str, str | None]]


def described(model: Found, context: int) -> dict[str, Any]:
    """A file or folder as JSON has it. `context` is how many tokens the cache holds when a token is read."""
    found = model.model
    reading = _reading(model, context)
    build: dict[str, Any] = msgspec.to_builtins(model.build)
    return build | {
        "layout": model.layout,
        "engines": engines_of(model.build),
        "type_bytes": found.type_bytes if isinstance(found, GgufModel) else None,
        "type_weights": found.kinds if isinstance(found, OnnxModel) else None,
        "lengths": msgspec.to_builtins(found.lengths) if isinstance(found, OnnxModel) else None,
        "vocabulary": found.vocabulary if found else None,
        "tokenizer": model.words.tokenizer if model.words else None,
        "licence": model.words.licence if model.words else None,
        "chat_template": model.words.chat_template if model.words else None,
        "with_cache": {"tokens": reading[0], "read_bytes_per_token": reading[1]} if reading else None,
    }


def engines_of(build: Build) -> list[str]:
    """The engines that read this format."""
    return [name for name, entry in ENGINES.items() if build.format in entry.formats]


def table_of_found(model: Found, context: int) -> Table:
    """A file or folder, label and text; what it does not tell is said so."""
    facts = [(label, text or "not told by the file") for label, text in _facts(model, context)]
    agreement = summary(model.build)
    return _table("model", model.build.name, [*facts, ("agreement", agreement)])


def table_of_profile(model: ModelProfile) -> Table:
    """A model of the catalogue with its sources, its known builds, and why something is absent."""
    facts = [*_about(model), *_shape(model.shape), ("notes", model.notes)]
    facts += [(f"no {key}", why) for key, why in model.absent.items()]
    for build in model.builds:
        facts.append(
            (build.id, f"{build.quantization} {build.format}, {size(build.size_bytes)}, {build.source}")
        )
        facts.append(("", f"sha256 {build.sha256}"))
    return _table("model", f"{model.id}: {model.name}", facts)


def _table(label: str, title: str, facts: Facts) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", overflow="fold")
    table.add_column(overflow="fold")
    table.add_row(Text(label), Text(plain(title), style="bold"))
    for key, text in facts:
        if text:
            table.add_row(Text(plain(key)), Text(plain(text)))
    return table


def _facts(model: Found, context: int) -> Iterator[tuple[str, str | None]]:
    build, words = model.build, model.words
    yield "format", _format(model)
    yield "architecture", build.architecture
    yield "parameters", f"{build.parameters:,}" if build.parameters else None
    yield "quantization", build.quantization
    yield "mix", _mix(model)
    yield "bits per weight", _bits(build)
    yield "weights", _size(build.weights_bytes)
    yield "read for a token", _read(model, context)
    yield "KV cache", _cache(build)
    yield "context", _context(model)
    yield "tokenizer", _tokenizer(model)
    yield "chat template", ("yes" if words.chat_template else "no") if words else None
    yield "licence", words.licence if words else None
    yield "size", _size(build.size_bytes)
    yield "engines", ", ".join(engines_of(build))


def _format(model: Found) -> str:
    graph = f", graph {model.build.graph}" if model.build.graph else ""
    return model.build.format + graph + (f", folder as {model.layout} lays it out" if model.layout else "")


def _context(model: Found) -> str | None:
    """The longest context, and what the graphs of a static build are written for."""
    most, fixed = (
        model.build.context_length,
        model.model.lengths if isinstance(model.model, OnnxModel) else None,
    )
    if most is None:
        return None
    return f"{most:,} tokens" + (
        f", fixed; {fixed.chunk} of a prompt at once, {fixed.past} rows of the cache" if fixed else ""
    )


def _mix(model: Found) -> str | None:
    """Types of weights by their share, the largest first."""
    if model.model is None:
        return None
    if isinstance(model.model, GgufModel):
        counts, whole = model.model.type_bytes, "bytes"
    else:
        counts, whole = model.model.kinds, "weights in matrices"
    total = sum(counts.values()) or 1
    largest = sorted(counts.items(), key=lambda item: -item[1])
    shares = ", ".join(f"{kind} {percent(count / total)}" for kind, count in largest)
    return f"{shares} of the {whole}" if shares else None


def _bits(build: Build) -> str | None:
    if build.bits_per_weight is None:
        return None
    read = f", {build.bits_read_per_weight:.2f} read for a token" if build.bits_read_per_weight else ""
    return f"{build.bits_per_weight:.2f} stored{read}"


def _read(model: Found, context: int) -> str | None:
    read, reading = _size(model.build.read_bytes_per_token), _reading(model, context)
    if read is None or reading is None:
        return read
    tokens, total = reading
    return f"{read}; {size(total)} with a KV cache of {tokens:,} tokens as {model.build.kv_type or 'f16'}"


def _reading(model: Found, context: int) -> tuple[int, int] | None:
    """Tokens in the cache, no more than the model takes, and the bytes then read for the next one."""
    if model.model is None:
        return None
    tokens = min(context, model.model.context_length or context)
    return tokens, round(model.model.read_bytes_per_token(tokens))


def _cache(build: Build) -> str | None:
    if build.kv_elements_per_token is None:
        return None
    kind = f", as {build.kv_type}" if build.kv_type else ", in the type that the engine is told"
    return f"{build.kv_elements_per_token:,} elements for each token{kind}"


def _tokenizer(model: Found) -> str | None:
    tokens = model.model.vocabulary if model.model else None
    kind = model.words.tokenizer if model.words else None
    return "; ".join(filter(None, [kind, f"{tokens:,} tokens" if tokens else None])) or None


def _size(count: int | None) -> str | None:
    return None if count is None else size(count)


def _about(model: ModelProfile) -> Facts:
    licence = f"{model.licence.value} (source: {model.licence.source})" if model.licence else None
    return [
        ("repository", model.hf_repo),
        ("licence", licence),
        ("shape of", model.base),
        ("shape read from", model.shape.source),
    ]


def _shape(shape: Shape) -> Iterator[tuple[str, str | None]]:
    tied = "tied embedding" if shape.tied_embedding else "output matrix of its own"
    yield "architecture", f"{shape.gguf_architecture}, {shape.layers} layers of {shape.embedding:,}, {tied}"
    yield "feed forward", f"{shape.feed_forward:,}"
    yield "parameters", f"{shape.parameters:,}; {shape.active_parameters:,} active"
    yield "read for a token", f"{shape.parameters_read_per_token:,} weights"
    yield "attention", _attention(shape)
    yield "window", _window(shape)
    yield "experts", _experts(shape)
    yield "context", f"{shape.context_tokens:,} tokens"
    yield "rope", _rope(shape)
    yield "vocabulary", f"{shape.vocabulary:,} tokens"
    elements = shape.kv_elements_per_token
    yield "KV cache", f"{elements:,} elements for each token, {size(2 * elements)} as f16"
    yield "llama.cpp", _reference(shape)


def _attention(shape: Shape) -> str:
    of = f" of {shape.head_length}" if shape.head_length else ""
    extras = ["bias of queries, keys and values"] if shape.qkv_bias else []
    extras += [f"{shape.qk_norm} norm of queries and keys"] if shape.qk_norm != "none" else []
    return ", ".join([f"{shape.heads} heads{of}, {shape.kv_heads} of keys and values", *extras])


def _window(shape: Shape) -> str | None:
    if shape.window is None:
        return None
    return f"{shape.window.tokens:,} tokens, the whole context in 1 of {shape.window.full_attention_every} layers"


def _experts(shape: Shape) -> str | None:
    if shape.experts is None:
        return None
    found = shape.experts
    shared = f", {found.shared} shared" if found.shared else ""
    dense = f", the first {found.leading_dense_layers} layers dense" if found.leading_dense_layers else ""
    every = f", in 1 of {found.every} layers" if found.every > 1 else ""
    return f"{found.active} of {found.count} used{shared}, each of {found.feed_forward:,}{every}{dense}"


def _rope(shape: Shape) -> str | None:
    theta = f"theta {shape.rope_theta:,.0f}" if shape.rope_theta else None
    turned = f"{shape.rope_dimensions} of each head" if shape.rope_dimensions else None
    return ", ".join(filter(None, [theta, shape.rope_scaling, turned])) or None


def _reference(shape: Shape) -> str | None:
    if shape.reference is None:
        return None
    found = shape.reference
    memory = f"{found.quantization} has {size(found.weights_bytes)}, compute buffer {found.compute_buffer_mib:g} MiB"
    return f"{memory} (source: {found.source})"
