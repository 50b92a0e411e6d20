"""Counts of what nodes read, write and multiply, against counting key by key and against events as they stand."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.engines.node_work import Work, pairs
from profiler.engines.ort_weights import Weights
from profiler.engines.ort_work import work

FEW = st.integers(0, 40)


@given(FEW, FEW, st.integers(1, 60))
def test_pairs_are_those_counted_one_by_one(depth: int, tokens: int, cells: int) -> None:
    assert pairs(depth, tokens, cells) == sum(min(depth + 1 + n, cells) for n in range(tokens))


def event(op: str, inputs: list[list[int]], outputs: list[list[int]], stored: int = 0) -> dict[str, Any]:
    """One of float32 tensors, the last input being stored where `stored` is told."""
    return {
        "op_name": op,
        "input_type_shape": [{"float": shape} for shape in inputs],
        "output_type_shape": [{"float": shape} for shape in outputs],
        "activation_size": "100",
        "output_size": "40",
        "parameter_size": str(stored),
    }


@pytest.mark.parametrize(
    ("told", "weights", "found"),
    [
        (event("Add", [[1, 5], [1, 5]], [[1, 5]]), None, Work(moved_bytes=140)),
        (event("MatMulNBits", [[2, 8], [3, 8]], [[2, 3]], 7), Weights(60, 24), Work(60, 48, 200)),
        (event("MatMul", [[2, 4, 8], [2, 8, 5]], [[2, 4, 5]]), None, Work(None, 320, 140)),
        (event("Gather", [[9000, 8], [1]], [[1, 8]], 288000), Weights(288000, 0), Work(moved_bytes=80)),
        (event("Reshape", [[2, 8]], [[16]]), None, Work(moved_bytes=0)),
        ({"op_name": "MatMul"}, None, Work()),
        (event("MatMul", [], []), None, Work()),
        (event("Add", [], []) | {"output_size": "much"}, None, Work()),
    ],
)
def test_an_event(told: dict[str, Any], weights: Weights | None, found: Work) -> None:
    assert work(told, weights, 0) == found


@pytest.mark.parametrize("cells", [12, 4096], ids=["growing cache", "one buffer"])
def test_attention_counts_the_filled_cells(cells: int) -> None:
    """2 tokens after 10; 4 heads of 8 elements, 2 of them in the cache."""
    told = event(
        "GroupQueryAttention", [[1, 2, 64], [1, 2, 10, 8]], [[1, 2, 32], [1, 2, cells, 8], [1, 2, cells, 8]]
    )
    elements = 2 * 64 + 2 * 32 + 2 * (2 * 8 * 12)
    assert work(told, None, 10) == Work(None, 2 * 32 * (11 + 12), 4 * elements)
