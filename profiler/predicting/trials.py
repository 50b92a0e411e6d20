"""The small models that a calibration times, and what is asked of each.

Each storage type has two models of that type alone, wide enough that its matrices are most of the work: a large one is
read for single tokens, a small one is multiplied with prompts. One model is nothing but layers, one attends with many
heads to long contexts, some send tokens to experts. A last one, of an ordinary mix, is timed and never fitted: it says
how well the costs hold for another model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from profiler.builds.shapes.blueprint import Blueprint, blueprint
from profiler.builds.shapes.header import Tensor, data_bytes
from profiler.catalogue.models import Experts, Shape
from profiler.predicting.terms import IN_SHORT_ROWS

KINDS = (
    *("Q4_K", "Q6_K", "Q8_0", "Q4_0", "F16", "Q5_0", "Q5_K", "Q5_1"),
    *("Q3_K", "Q4_1", "Q2_K", "IQ4_NL", "IQ4_XS", "BF16", "F32"),
)
"""Storage types by how often they are met; those for which time runs out stay unknown."""
FIRST, SECOND = 2, 8
"""The most usual types come before all else, the rarest last."""
ROUTED_KINDS = ("Q4_K", "Q6_K", "Q8_0")
WIDE_ROUTED_KINDS, WIDE_EXPERTS = ("MXFP4", "Q4_K"), 2816
"""Experts too large for the cache of a core, nearly as wide as those of gpt-oss, whose type is MXFP4."""
FEW_KINDS = ("Q4_K", "Q8_0")
"""What is timed at other numbers of threads than the usual one."""
LARGE_BYTES = 320 << 20
"""Of models that are read: memory is not equally fast everywhere, and small models happen to lie well or badly."""
SHARE_OF_MEMORY = 0.125
LEAST_PROMPT_BYTES = 24 << 20
VOCABULARY, SHORT_ROWS = 4096, 65536
CONTEXT, SHORT = 2304, 192
"""Of each model, and the depth at which heads are still divided among the threads."""
WIDE = "wide"
TOKENS = 24
"""Decoded in each round: a busy machine changes from one tenth of a second to the next."""


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


def trials(threads: int, others: Sequence[int], large: int) -> list[Trial]:
    """All trials, those first that matter most. Models that are read are `large` bytes."""
    found = [*_usual(threads, large), *_other_experts(threads, large)]
    for number in others:
        found += _few(number, large)
    return [*found, *_of_every_model(threads), *_other_caches(threads), *_rare(threads, large)]


def large_bytes(memory_bytes: int, cache_bytes: int) -> int:
    """The size of models that are read: beyond the caches, and no burden on a small board."""
    return min(max(LARGE_BYTES, 4 * cache_bytes), int(SHARE_OF_MEMORY * memory_bytes))


def _usual(threads: int, large: int) -> Iterator[Trial]:
    for kind in KINDS[:FIRST]:
        yield from _of_kind(kind, threads, large)
    yield from _of_every_model(threads)
    yield from (_attends(64, threads), _attends(128, threads, heads=16))
    yield from (checking(threads, large), _routed(ROUTED_KINDS[0], threads, large))
    for kind in KINDS[FIRST:SECOND]:
        yield from _of_kind(kind, threads, large)
    yield _attends(64, threads, kv_heads=32)


def _of_every_model(threads: int) -> Iterator[Trial]:
    """What all models have: it is timed twice, so that one bad moment does not spoil every prediction."""
    yield from (_layers(threads), _short_rows(threads), _prompts_attend(threads), _attends(128, threads))


def _other_caches(threads: int) -> Iterator[Trial]:
    both = _attends(128, threads), _prompts_attend(threads)
    yield from (replace(one, name=f"{one.name} over q8_0", kv="q8_0") for one in both)
    yield from (replace(one, name=f"{one.name} without flash", flash="off") for one in both)


def _other_experts(threads: int, large: int) -> Iterator[Trial]:
    yield from (_routed(kind, threads, large, WIDE_EXPERTS) for kind in WIDE_ROUTED_KINDS)
    yield from (_routed(kind, threads, large) for kind in ROUTED_KINDS[1:])


def _rare(threads: int, large: int) -> Iterator[Trial]:
    for kind in KINDS[SECOND:]:
        yield from _of_kind(kind, threads, large)


def _few(threads: int, large: int) -> Iterator[Trial]:
    for kind in FEW_KINDS:
        yield from _of_kind(kind, threads, large)
    yield from (_layers(threads), _short_rows(threads), _attends(128, threads))


def _of_kind(kind: str, threads: int, large: int) -> Iterator[Trial]:
    yield _read(kind, threads, large)
    if kind in IN_SHORT_ROWS:
        yield _in_short_rows(kind, threads, large // 2)
    yield _multiplied(kind, threads)


def _of_one_type(kind: str, least: int) -> Shape:
    """A model of `least` bytes in one storage type, wide enough that its matrices are most of the work."""
    one = _shape(layers=1, embedding=2048, feed_forward=8192, heads=32, kv_heads=8)
    return _grown(one, {WIDE: kind}, least)


def _read(kind: str, threads: int, large: int) -> Trial:
    """A model that is read for single tokens."""
    return Trial(
        name=kind,
        shape=_of_one_type(kind, large),
        kinds={WIDE: kind},
        tasks=(Task(prompt=8, tokens=TOKENS),),
        threads=threads,
    )


def _in_short_rows(kind: str, threads: int, large: int) -> Trial:
    """A model of more rows for each byte, so that both costs can be told apart."""
    one = _shape(layers=1, embedding=1024, feed_forward=1024, heads=16, kv_heads=8)
    return Trial(
        name=f"{kind} in short rows",
        shape=_grown(one, {WIDE: kind}, large),
        kinds={WIDE: kind},
        tasks=(Task(prompt=128, tokens=TOKENS),),
        threads=threads,
    )


def _multiplied(kind: str, threads: int) -> Trial:
    """A model that prompts are multiplied with."""
    return Trial(
        name=f"{kind} in prompts",
        shape=_of_one_type(kind, LEAST_PROMPT_BYTES),
        kinds={WIDE: kind},
        tasks=(Task(prompt=32), Task(prompt=128), Task(prompt=320)),
        threads=threads,
    )


def _grown(shape: Shape, kinds: Mapping[str, str], least: int) -> Shape:
    """The shape with as many layers as make it `least` bytes, two at least."""
    one, two = (data_bytes(tensors(replace(shape, layers=n), kinds)) for n in (1, 2))
    return replace(shape, layers=max(2, -(-(least - one) // (two - one)) + 1))


def _layers(threads: int) -> Trial:
    shape = _shape(layers=64, embedding=256, feed_forward=512, heads=4, kv_heads=2)
    tasks = (Task(prompt=32), Task(prompt=256, tokens=TOKENS))
    return Trial(name="layers", shape=shape, kinds={WIDE: "Q8_0"}, tasks=tasks, threads=threads)


def _short_rows(threads: int) -> Trial:
    """A model with as many rows as the one of layers and few layers, so that both costs can be told apart."""
    shape = _shape(layers=12, embedding=512, feed_forward=1536, heads=8, kv_heads=4, vocabulary=SHORT_ROWS)
    tasks = (Task(prompt=32), Task(prompt=256, tokens=TOKENS))
    return Trial(name="short rows", shape=shape, kinds={WIDE: "Q8_0"}, tasks=tasks, threads=threads)


def _prompts_attend(threads: int) -> Trial:
    shape = _shape(layers=3, embedding=512, feed_forward=512, heads=32, kv_heads=8, head_length=128)
    tasks = (Task(prompt=256), Task(prompt=1024))
    return Trial(name="attention", shape=shape, kinds={WIDE: "Q8_0"}, tasks=tasks, threads=threads)


def _attends(head_length: int, threads: int, *, heads: int = 32, kv_heads: int = 8) -> Trial:
    """A model whose weights, between two layers that attend, drive keys and values out of the caches."""
    shape = _shape(
        layers=4, embedding=1024, feed_forward=4096, heads=heads, kv_heads=kv_heads, head_length=head_length
    )
    return Trial(
        name=f"{heads} heads of {head_length}, {kv_heads} kept",
        shape=shape,
        kinds={WIDE: "Q8_0"},
        tasks=(
            Task(prompt=8, tokens=TOKENS),
            Task(depth=SHORT, tokens=TOKENS),
            Task(depth=1024, tokens=TOKENS),
        ),
        threads=threads,
    )


def _routed(kind: str, threads: int, large: int, wide: int | None = None) -> Trial:
    """A model of many small experts, or of few that are `wide`."""
    experts = (
        Experts(count=16, active=4, feed_forward=wide)
        if wide
        else Experts(count=64, active=8, feed_forward=768)
    )
    shape = _shape(layers=2, embedding=wide or 2048, feed_forward=768, heads=16, kv_heads=4, head_length=128)
    kinds = {WIDE: "Q8_0", "exps": kind}
    shape = replace(shape, gguf_architecture="qwen3moe", qk_norm="rms", experts=experts)
    tasks = (Task(prompt=32), Task(prompt=96, tokens=TOKENS))
    return Trial(
        name=f"{'wide ' if wide else ''}experts in {kind}",
        shape=_grown(shape, kinds, large),
        kinds=kinds,
        tasks=tasks,
        threads=threads,
    )


def checking(threads: int, large: int) -> Trial:
    """A model of two types and other widths, which is timed to see how well it is predicted."""
    shape = _shape(layers=2, embedding=1536, feed_forward=4608, heads=12, kv_heads=4, head_length=128)
    kinds = {WIDE: "Q4_K", "ffn_down": "Q6_K", "attn_v": "Q6_K"}
    tasks = (Task(prompt=128, tokens=TOKENS), Task(depth=512, tokens=TOKENS))
    return Trial(
        name="check",
        shape=_grown(shape, kinds, large // 2),
        kinds=kinds,
        tasks=tasks,
        threads=threads,
        fitted=False,
    )


def _shape(
    *,
    layers: int,
    embedding: int,
    feed_forward: int,
    heads: int,
    kv_heads: int,
    head_length: int = 64,
    vocabulary: int = VOCABULARY,
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
        vocabulary=vocabulary,
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
