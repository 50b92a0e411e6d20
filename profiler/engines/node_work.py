"""What one node of a graph does, in amounts that no clock is needed for."""

from typing import NamedTuple, Optional


class Work(NamedTuple):
    """Bytes of weights that a node reads, its multiply-adds, and all bytes that it reads and writes."""

    read_bytes: Optional[int] = None
    macs: Optional[int] = None
    moved_bytes: Optional[int] = None


def pairs(depth: int, tokens: int, cells: int) -> int:
    """How many keys so many tokens see after `depth` others, each those before it and itself, up to `cells`."""
    growing = max(0, min(tokens, cells - depth))
    return growing * depth + growing * (growing + 1) // 2 + (tokens - growing) * cells
