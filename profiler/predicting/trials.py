"""The small models that a calibration times, and what is asked of each.

Each storage type has a model of that type alone, wide enough that its matrices are most of the work and larger than
the caches. One model is nothing but layers, one attends with many heads to long contexts, one sends tokens to experts.
A last one, of an ordinary mix, is timed and never fitted: it says how well the costs hold for another model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from profiler.builds.shapes.blueprint import Blueprint, blueprint
from profiler.builds.shapes.header import Tensor, data_bytes
from profiler.catalogue.models import Experts, Shape

KINDS = (
    *("Q4_K", "Q6_K", "Q8_0", "Q4_0", "F16", "Q5_0", "Q5_K", "Q5_1"),
    *("Q3_K", "Q4_1", "Q2_K", "IQ4_NL", "IQ4_XS", "BF16", "F32"),
)
"""Storage types by how often they are met; those for which time runs out stay unknown."""
ROUTED_KINDS = ("Q4_K", "MXFP4", "Q6_K", "Q8_0")
FEW_KINDS = ("Q4_K", "Q8_0")
"""What is timed at other numbers of threads than the usual one."""
LEAST_BYTES = 96 << 20
VOCABULARY = 4096
CONTEXT = 2304
WIDE = "wide"


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """A prompt of `prompt` tokens after `depth` others, 0 for none, and then `tokens` single ones."""

    depth: int = 0
    prompt: int = 0
    tokens: int = 0


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """One small model with settings, and what is timed of it. `fitted` is False for the model that only checks."""

    name: str
    shape: Shape
    kinds: Mapping[str, str]
    tasks: tuple[Task, ...]
    threads: int
    kv: str = "f16"
    flash: str = "auto"
    fitted: bool = True


def trials(threads: int, others: Sequence[int], cache_bytes: int) -> list[Trial]:
    """All trials, those first that matter most. `cache_bytes` is what models have to be larger than."""
    found = [*_usual(threads, cache_bytes)]
    for number in others:
        found += _few(number, cache_bytes)
    return found


def _usual(threads: int, cache_bytes: int) -> Iterator[Trial]:
    attends = _attends(threads)
    first, *rest = [_wide(kind, threads, cache_bytes) for kind in KINDS]
    second, *later = rest
    yield from (first, second, _layers(threads), attends, checking(threads, cache_bytes))
    yield _routed(ROUTED_KINDS[0], threads)
    yield from later[:6]
    yield replace(attends, name="attention over q8_0", kv="q8_0")
    yield replace(attends, name="attention without flash", flash="off")
    yield from (_routed(kind, threads) for kind in ROUTED_KINDS[1:])
    yield from later[6:]


def _few(threads: int, cache_bytes: int) -> Iterator[Trial]:
    yield from (_wide(kind, threads, cache_bytes) for kind in FEW_KINDS)
    yield from (_layers(threads), _attends(threads))


def _wide(kind: str, threads: int, cache_bytes: int) -> Trial:
    one = _shape(layers=1, embedding=2048, feed_forward=8192, heads=32, kv_heads=8)
    least = max(LEAST_BYTES, 2 * cache_bytes)
    layers = next(
        n for n in range(1, 65) if data_bytes(tensors(replace(one, layers=n), {WIDE: kind})) >= least
    )
    tasks = (Task(prompt=32), Task(prompt=128, tokens=10), Task(prompt=512))
    return Trial(
        name=kind, shape=replace(one, layers=layers), kinds={WIDE: kind}, tasks=tasks, threads=threads
    )


def _layers(threads: int) -> Trial:
    shape = _shape(layers=64, embedding=256, feed_forward=512, heads=4, kv_heads=2)
    tasks = (Task(prompt=32), Task(prompt=256, tokens=24))
    return Trial(name="layers", shape=shape, kinds={WIDE: "Q8_0"}, tasks=tasks, threads=threads)


def _attends(threads: int) -> Trial:
    shape = _shape(layers=3, embedding=512, feed_forward=512, heads=32, kv_heads=8, head_length=128)
    tasks = (Task(prompt=256), Task(prompt=1024), Task(depth=1024, tokens=8), Task(depth=2048, tokens=8))
    return Trial(name="attention", shape=shape, kinds={WIDE: "Q8_0"}, tasks=tasks, threads=threads)


def _routed(kind: str, threads: int) -> Trial:
    experts = Experts(count=32, active=4, feed_forward=768)
    shape = _shape(layers=2, embedding=2048, feed_forward=768, heads=16, kv_heads=4, head_length=128)
    tasks = (Task(prompt=32), Task(prompt=128, tokens=12))
    return Trial(
        name=f"experts in {kind}",
        shape=replace(shape, gguf_architecture="qwen3moe", qk_norm="rms", experts=experts),
        kinds={WIDE: "Q8_0", "exps": kind},
        tasks=tasks,
        threads=threads,
    )


def checking(threads: int, cache_bytes: int) -> Trial:
    """A model of two types and other widths, which is timed to see how well it is predicted."""
    one = _shape(layers=2, embedding=1536, feed_forward=4608, heads=12, kv_heads=4, head_length=128)
    kinds = {WIDE: "Q4_K", "ffn_down": "Q6_K", "attn_v": "Q6_K"}
    least = max(LEAST_BYTES, 2 * cache_bytes)
    layers = next(n for n in range(2, 256) if data_bytes(tensors(replace(one, layers=n), kinds)) >= least)
    tasks = (Task(prompt=256, tokens=10), Task(depth=1024, tokens=8))
    return Trial(
        name="check",
        shape=replace(one, layers=layers),
        kinds=kinds,
        tasks=tasks,
        threads=threads,
        fitted=False,
    )


def _shape(
    *, layers: int, embedding: int, feed_forward: int, heads: int, kv_heads: int, head_length: int = 64
) -> Shape:
    return Shape(
        source="calibration",
        gguf_architecture="llama",
        layers=layers,
        embedding=embedding,
        feed_forward=feed_forward,
        heads=heads,
        kv_heads=kv_heads,
        head_length=head_length,
        rope_theta=10000,
        vocabulary=VOCABULARY,
        context_tokens=CONTEXT,
        tied_embedding=True,
        parameters=1,
        parameters_read_per_token=1,
        kv_elements_per_token=1,
    )


def plan(shape: Shape) -> Blueprint:
    """Metadata and tensors of a small model, which has no tokenizer."""
    found = blueprint(shape, "calibration")
    metadata = found.metadata | {
        "tokenizer.ggml.model": "none",
        f"{shape.gguf_architecture}.vocab_size": shape.vocabulary,
    }
    return replace(found, metadata=metadata)


def tensors(shape: Shape, kinds: Mapping[str, str]) -> list[Tensor]:
    """The tensors of `shape` in these storage types, each by the first word of its name that `kinds` has."""
    return [
        Tensor(
            name=spec.name, shape=spec.shape, type_name="F32" if spec.plain else _kind_of(spec.name, kinds)
        )
        for spec in plan(shape).specs
    ]


def _kind_of(name: str, kinds: Mapping[str, str]) -> str:
    return next((kind for word, kind in kinds.items() if word in name), kinds[WIDE])
