"""The work of models by hand: bytes of a token, products of a prompt, attention with and without a window."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from msgspec.structs import replace

from profiler.builds.gguf import read_header
from profiler.builds.shapes.sparse import sparse_build
from profiler.catalogue.models import load_model
from profiler.predicting.call import Call
from profiler.predicting.terms import terms
from profiler.predicting.waiting import busiest, waited_for
from profiler.predicting.work import (
    Attention,
    Matrix,
    Work,
    cached_bytes,
    weights_per_token,
    work_of,
)

ROUTED = Matrix(
    kind="Q4_K", elements=800, row=10, bytes_each=0.5625, role="all_rows", routed=True, experts=8, used=2
)
TWO_LAYERS = Work(
    matrices=(
        Matrix(kind="Q8_0", elements=1000, row=100, bytes_each=34 / 32, role="all_rows"),
        Matrix(kind="F16", elements=500, row=50, bytes_each=2, role="last_row"),
        ROUTED,
    ),
    attention=(
        Attention(heads=4, kv_heads=2, key_length=8, lengths=16),
        Attention(heads=4, kv_heads=4, key_length=200, lengths=16, window=16),
    ),
    layers=2,
    embedding=10,
    vocabulary=50,
    cached_elements=((32, None), (32, 16)),
)


def call(depth: float = 0, tokens: int = 0, ubatch: int = 512, cache: str = "f16:auto") -> Call:
    kv, _, flash = cache.partition(":")
    return Call(depth=depth, tokens=tokens, ubatch=ubatch, threads=2, kv=kv, flash=flash)


def test_a_token_reads_what_is_active() -> None:
    found = terms(TWO_LAYERS, call(depth=100))
    assert found["read:Q8_0"] == 1062.5
    assert found["read:F16"] == 1000
    assert found["read:Q4_K"] == 800 / 8 * 2 * 0.5625
    assert weights_per_token(TWO_LAYERS) == 1062.5 + 1000 + 112.5
    assert (found["call"], found["layer"], found["choose"]) == (1, 2, 2)
    assert found["values"] == 10 * (1 - 100 / 2048) + 10 * (1 - 50 / 2048)
    assert found["values:Q4_K"] == pytest.approx(2 * 10 * (1 - 10 / 2048))
    assert found["attend_short:f16:auto"] == 64 * 100 + 64 * 16
    assert found["fetch"] == 2 * 16 * (2 * 100 + 4 * 16)


@pytest.mark.parametrize(
    ("depth", "window", "cache", "cells"),
    [
        (200, None, "f16:auto", 200),
        (200, None, "f16:off", 256),
        (300, None, "f16:auto", 512),
        (600, None, "f16:auto", 768),
        (600, None, "q8_0:auto", 600),
        (200, 16, "f16:auto", 16),
        (300, 16, "f16:auto", 32),
        (2000, 16, "f16:auto", 32),
        (2000, 512, "f16:auto", 1024),
        (2000, 16, "f16:off", 768),
    ],
)
def test_threads_wait_for_the_one_that_attends_to_most(
    depth: int, window: int | None, cache: str, cells: float
) -> None:
    """Of 300 keys in a graph of 512 cells two threads get 256 and 44: it takes as long as 512."""
    waits = waited_for(8, window, call(depth=depth, cache=cache))
    assert waits.cells == cells
    assert waits.is_short is (cache == "f16:auto" and depth <= 255)


@pytest.mark.parametrize(
    ("heads", "threads", "most"),
    [
        (9, 2, 5),
        (14, 2, 8),
        (15, 2, 8),
        (32, 2, 16),
        (9, 1, 9),
        (15, 1, 15),
        (3, 4, 1),
        (9, 4, 3),
        (40, 8, 6),
    ],
)
def test_a_thread_has_whole_chunks_of_heads(heads: int, threads: int, most: int) -> None:
    """9 heads on 2 threads are chunks of 2, 2, 2, 2 and 1: one thread has 5 of them."""
    assert busiest(heads, threads) == most
    assert waited_for(heads, None, call(depth=100)).cells == 100 * 2 * busiest(heads, 2) / heads


def test_a_prompt_unpacks_once_for_each_part_and_multiplies_every_row() -> None:
    found = terms(TWO_LAYERS, call(tokens=48, ubatch=32))
    assert found["call"] == 2
    assert found["unpack:Q8_0"] == 2 * 1062.5
    assert found["multiply:Q8_0"] == 48 * 1000
    assert found["read:F16"] == 1000
    assert found["route:Q4_K"] == 48 * 112.5
    assert found["experts"] == pytest.approx(56.25 * 8 * ((1 - 0.75**32) + (1 - 0.75**16)))
    assert found["rows"] == 48 * 2 * 10


def test_experts_of_a_last_layer_see_the_last_row() -> None:
    last = replace(TWO_LAYERS, matrices=(replace(ROUTED, role="last_row"),))
    found = terms(last, call(tokens=48, ubatch=32))
    assert found["read:Q4_K"] == 112.5
    assert "route:Q4_K" not in found


@pytest.mark.parametrize(("model", "whole"), [("qwen3-30b-a3b", False), ("gpt-oss-20b", True)])
def test_the_last_layer_is_whole_where_the_engine_has_it_so(model: str, whole: bool) -> None:
    shape = load_model(model).shape
    with sparse_build(shape, model, "Q8_0") as path:
        work = work_of(read_header(Path(path)))
    routed = [matrix.role for matrix in work.matrices if matrix.routed]
    assert routed.count("last_row") == (0 if whole else 3)
    assert len(routed) == 3 * shape.layers
    assert "F32" not in {matrix.kind for matrix in work.matrices}


@pytest.mark.parametrize("depth", [0, 5, 40])
def test_attention_of_a_prompt_is_the_sum_over_its_tokens(depth: int) -> None:
    by_token = sum(
        one.elements * min(depth + n, one.window or math.inf)
        for one in TWO_LAYERS.attention
        for n in range(1, 31)
    )
    assert sum(one.elements_of_prompt(depth, 30) for one in TWO_LAYERS.attention) == by_token


def test_a_window_bounds_what_is_read_of_the_cache() -> None:
    assert cached_bytes(TWO_LAYERS, 100, 2) == 2 * (32 * 100 + 32 * 16)


@pytest.mark.parametrize(
    ("model", "within"), [("llama-3.1-8b", 0.001), ("qwen3-30b-a3b", 0.001), ("gpt-oss-20b", 0.02)]
)
def test_parameters_read_are_those_of_the_catalogue(model: str, within: float) -> None:
    shape = load_model(model).shape
    with sparse_build(shape, model, "Q8_0") as path:
        work = work_of(read_header(Path(path)))
    read = sum(matrix.elements / matrix.experts * matrix.used for matrix in work.matrices)
    assert read == pytest.approx(shape.parameters_read_per_token, rel=within)
    assert sum(n for n, _ in work.cached_elements) == pytest.approx(shape.kv_elements_per_token)
