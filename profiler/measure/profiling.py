"""One case profiled in a process of its own, and the many nodes of its evaluations added up for the run file."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import msgspec
from msgspec.structs import replace

from profiler.measure.events import Evaluated, SeenNode
from profiler.runfile import Profile, ProfiledPart, ProfiledPhase
from profiler.runfile.fields import MOST_LAYERS

PHASES = ("prefill", "decode")
LONGEST_NAME = 256
TOO_SHORT = "the workload has no token to profile"


class Unit(msgspec.Struct, frozen=True, kw_only=True):
    """What is compared: all evaluations of one prompt, or of one token."""

    ns: int
    tokens: int
    evaluations: list[Evaluated]


def profile(case_id: str, evaluated: Sequence[Evaluated]) -> Profile:
    """The profile of a case from what its worker told."""
    phases = [found for name in PHASES if (found := _phase(name, evaluated)) is not None]
    return Profile(case=case_id, phases=phases, reason=None if phases else TOO_SHORT)


def _phase(name: str, evaluated: Sequence[Evaluated]) -> ProfiledPhase | None:
    """The fastest quarter of the watched units: what disturbs only ever adds. As many of the plain ones."""
    watched, plain = ([*units(name, evaluated, watched=kind)] for kind in (True, False))
    if not watched or len(plain) < len(watched):
        return None
    kept, beside = fastest_quarter(watched), fastest_quarter(plain[: len(watched)])
    parts = _parts(node for unit in kept for one in unit.evaluations for node in one.nodes)
    between = sum(between_ns(one.nodes) for unit in kept for one in unit.evaluations)
    nodes_ns = sum(sum(part.ns) for part in parts)
    graph = max(nodes_ns + between, sum(one.graph_ns or 0 for unit in kept for one in unit.evaluations))
    return ProfiledPhase(
        phase=name,
        tokens=kept[0].tokens,
        evaluations=len(kept),
        wall_ns=max(graph, sum(unit.ns for unit in kept)),
        plain_ns=sum(unit.ns for unit in beside),
        graph_ns=graph,
        between_ns=between,
        parts=parts,
    )


def units(name: str, evaluated: Iterable[Evaluated], *, watched: bool) -> Iterable[Unit]:
    """The counted units of a phase; a prompt may have been evaluated in several graphs."""
    prompts: dict[int, list[Evaluated]] = {}
    for n, one in enumerate(evaluated):
        if one.phase == name and one.watched == watched and one.number > 0:
            prompts.setdefault(one.number if name == "prefill" else n, []).append(one)
    for parts in prompts.values():
        yield Unit(ns=sum(p.ns for p in parts), tokens=sum(p.tokens for p in parts), evaluations=parts)


def fastest_quarter(found: Sequence[Unit]) -> list[Unit]:
    """The fastest quarter of these, rounded up."""
    return sorted(found, key=lambda unit: unit.ns)[: math.ceil(len(found) / 4)]


def between_ns(nodes: Sequence[SeenNode]) -> int:
    """From the first node's start to the last one's end, less all of them."""
    if not nodes:
        return 0
    begin, end = min(node.start_ns for node in nodes), max(node.start_ns + node.ns for node in nodes)
    return max(0, end - begin - sum(node.ns for node in nodes))


def _parts(nodes: Iterable[SeenNode]) -> list[ProfiledPart]:
    """Nodes added up by operation, part and device, in the order in which they first ran."""
    found: dict[tuple[str, str, str | None], list[SeenNode]] = {}
    for node in nodes:
        found.setdefault((node.op, node.part, node.device), []).append(node)
    return [_part(mine) for mine in found.values()]


def _part(nodes: Sequence[SeenNode]) -> ProfiledPart:
    by_layer: dict[int | None, int] = {}
    for node in nodes:
        layer = node.layer if node.layer is None or 0 <= node.layer < MOST_LAYERS else None
        by_layer[layer] = by_layer.get(layer, 0) + node.ns
    first = nodes[0]
    return ProfiledPart(
        op=first.op[:LONGEST_NAME],
        part=first.part[:LONGEST_NAME],
        device=first.device[:LONGEST_NAME] if first.device else None,
        layers=list(by_layer),
        ns=list(by_layer.values()),
        nodes=len(nodes),
        read_bytes=_sum([node.read_bytes for node in nodes]),
        moved_bytes=_sum([node.moved_bytes for node in nodes]),
        macs=_sum([node.macs for node in nodes]),
        memory_bytes=max(
            (node.memory_bytes for node in nodes if node.memory_bytes is not None), default=None
        ),
    )


def _sum(amounts: Sequence[int | None]) -> int | None:
    """All together; None where any is not known."""
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if len(known) == len(amounts) else None


def last_pass(evaluated: Sequence[Evaluated]) -> list[Evaluated]:
    """The watched evaluations of the last pass, for a trace: the first one starts at 0."""
    number = max((one.number for one in evaluated if one.watched), default=0)
    mine = [one for one in evaluated if one.watched and one.number == number]
    began = mine[0].start_ns if mine else 0
    return [replace(one, start_ns=one.start_ns - began) for one in mine]
