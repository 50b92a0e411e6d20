"""Runs of models that are measured as shapes: a machine whose time is a + b x layers, and what it is bent by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from profiler.runfile import Case, ExtrapolatedCase, Extrapolation, Run, Truncated, Worker
from tests.run_builder import MIB, build, case, rounds, run

A_MS, B_MS = 4.0, 2.0
"""Milliseconds of one token: beside the layers, and of each layer."""

GIB = 1024 * MIB


def straight(layers: int) -> float:
    """Of a machine without noise."""
    return A_MS + B_MS * layers


def full_case(id: str = "x1", model: str = "big-Q4_0", **settings: Any) -> Case:
    return case(id, model, **settings)


def extrapolation(
    layers: Sequence[int] = (4, 8), of: int = 80, model: str = "big-Q4_0", first: int = 1, **told: Any
) -> Extrapolation:
    """One full model whose shapes are the cases r1, r2, ...; by default it takes 46.5 GiB."""
    names = [f"{model}-{count}" for count in layers]
    memory = {"weights_bytes": 40 * GIB, "kv_bytes": 6 * GIB, "compute_bytes": GIB // 2} | told.pop(
        "memory", {}
    )
    row = ExtrapolatedCase(
        case=full_case(told.pop("row", "x1"), model, **told.pop("settings", {})),
        shapes=[f"r{n}" for n in range(first, first + len(layers))],
        **memory,
    )
    return Extrapolation(
        full=build(
            model, "Q4_0", size_bytes=40 * GIB, read_bytes_per_token=38 * GIB, kv_elements_per_token=1024
        ),
        model=model.split("-")[0],
        mix="Q4_0",
        layers=of,
        shapes=[Truncated(build=name, layers=count) for name, count in zip(names, layers, strict=True)],
        cases=[row],
        **told,
    )


def shape_cases(whole: Extrapolation) -> list[Case]:
    full = whole.cases[0]
    return [
        msgspec.structs.replace(full.case, id=id, build=shape.build)
        for id, shape in zip(full.shapes, whole.shapes, strict=True)
    ]


def shape_rounds(
    whole: Extrapolation,
    time_ms: Callable[[int], float] = straight,
    noise: Sequence[Sequence[float]] | None = None,
    count: int = 8,
    **same: Any,
) -> list[list[Worker]]:
    """Workers of each shape: a gap of `time_ms` times the noise of shape and round, ten times as much for the first
    token."""
    found = []
    for n, (id, shape) in enumerate(zip(whole.cases[0].shapes, whole.shapes, strict=True)):
        factors = noise[n] if noise is not None else [1.0] * count
        gaps = [time_ms(shape.layers) * factor for factor in factors]
        found.append(rounds(id, gaps, ttft_ms=[10 * gap for gap in gaps], **same))
    return found


def extrapolated_run(
    *wholes: Extrapolation,
    time_ms: Callable[[int], float] = straight,
    noise: Sequence[Sequence[float]] | None = None,
    others: Sequence[tuple[Case, list[Worker]]] = (),
    **facts: Any,
) -> Run:
    """A run of these models, and of ordinary cases beside them."""
    known = wholes or (extrapolation(),)
    cases = [one for whole in known for one in shape_cases(whole)]
    workers = [mine for whole in known for mine in shape_rounds(whole, time_ms, noise)]
    seen = run([*cases, *(other for other, _ in others)], *workers, *(mine for _, mine in others), **facts)
    return with_extrapolations(seen, known)


def with_extrapolations(seen: Run, known: Sequence[Extrapolation]) -> Run:
    """The run with other extrapolations in its plan."""
    plan = msgspec.structs.replace(seen.header.plan, extrapolations=list(known))
    return msgspec.structs.replace(seen, header=msgspec.structs.replace(seen.header, plan=plan))
