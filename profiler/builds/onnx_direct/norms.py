"""Norms by the root of the mean square: alone, of a branch, and of the residual stream with a branch added."""

from __future__ import annotations

from profiler.builds.onnx_direct.tensors import Norm, norm
from profiler.builds.onnx_direct.writing import Writing


def alone(to: Writing, found: Norm, x: str, at: str) -> str:
    """x, (rows, length of the norm), normed."""
    to.graph.vector(found.name, to.source.vector(found.tensor, found.length))
    return to.operators.norm(to.graph, x, found.name, to.shape.epsilon, at)


def of_branch(to: Writing, branch: str, layer: int, name: str) -> str:
    """A branch as it is added: normed where the architecture does so."""
    if not to.architecture.branch_norms:
        return branch
    return alone(to, norm(to.shape, layer, name), branch, f"/model/layers.{layer}/{name}")


def added(to: Writing, streams: tuple[str, str], layer: int, name: str) -> tuple[str, str]:
    """The residual stream with a branch added, and its norm."""
    return added_as(to, streams, norm(to.shape, layer, name), f"/model/layers.{layer}/{name}")


def added_as(to: Writing, streams: tuple[str, str], found: Norm, at: str) -> tuple[str, str]:
    """The same with any norm, its nodes named `at`."""
    to.graph.vector(found.name, to.source.vector(found.tensor, found.length))
    return to.operators.added_and_normed(to.graph, streams, found.name, to.shape.epsilon, at)
