"""What of a case runs where, as its engine assigned it: nodes, layers and buffers by place."""

from __future__ import annotations

from collections import Counter

from profiler.analyse import said

MIB = 1024 * 1024
MOST_PLACES = 8


def assigned(facts: said.Said) -> str | None:
    """Such as "CPUExecutionProvider: 391 nodes", or "CPU: 31 layers, 9.1 MiB; CPU_Mapped: 92.1 MiB"."""
    log = said.part(facts, "log")
    nodes, layers, sizes = said.part(facts, "assigned"), said.part(log, "layers"), _buffers(log)
    places = list(dict.fromkeys(name for name in [*nodes, *layers, *sizes] if isinstance(name, str)))
    told = [_place(name, _counts(name, nodes, layers), sizes.get(name)) for name in places[:MOST_PLACES]]
    return "; ".join(told) or None


def _place(name: str, counts: list[str], size: float | None) -> str:
    parts = [*counts, *([f"{size / MIB:.1f} MiB"] if size else [])]
    return f"{name}: {', '.join(parts)}" if parts else name


def _counts(name: str, nodes: said.Said, layers: said.Said) -> list[str]:
    counted = [("nodes", said.number(nodes, name)), ("layers", said.number(layers, name))]
    return [f"{count:.0f} {what}" for what, count in counted if count is not None]


def _buffers(log: said.Said) -> Counter[str]:
    """Bytes by place. What overlaps stays apart, since places are not added up."""
    found: Counter[str] = Counter()
    buffers = log.get("buffers")
    for buffer in buffers if isinstance(buffers, list) else []:
        if isinstance(buffer, dict) and (where := said.text(buffer, "where")):
            found[where] += round(said.number(buffer, "bytes") or 0)
    return found
