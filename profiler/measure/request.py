"""What a user asks of a run, and whether it can be asked at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import msgspec

from profiler.errors import UserError
from profiler.measure.memory_limit import LARGEST_BYTES, SMALLEST_BYTES
from profiler.measure.sustaining import LONGEST_S, SHORTEST_S
from profiler.runfile import MOST_PASSES, MOST_ROUNDS, Build

MOST_SEED = 2**63 - 1


class Shaped(msgspec.Struct, frozen=True, kw_only=True):
    """A model to be measured as shapes: what its file would be, the number of layers of each shape by its path.

    `path` is of a file with the full model's header and no data, which an engine can plan with. The other fields are
    those of an `Extrapolation`.
    """

    full: Build
    path: Path
    model: str
    mix: str
    layers: int
    layer_period: int
    leading_dense_layers: int
    experts: int | None
    shapes: dict[Path, int]
    assumed: list[str]


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What the user asked for, decoded but not yet checked against builds and engines."""

    builds: list[str]
    workloads: list[str]
    prompt: int | None
    output_tokens: int | None
    engines: list[str]
    settings: dict[str, list[str]]
    cores: Sequence[str] = ()
    device: str
    targets: list[str]
    within: float
    until_decided: bool
    max_time_s: float | None
    rounds: int | None
    passes: int
    more_passes: bool
    seed: int
    stall_s: float
    settle_s: float
    cold: bool
    sustained_s: float
    force: bool
    anchor: str | None = None
    memory_limit_bytes: int | None = None
    strict: bool = False
    provider_options: Mapping[str, str] = MappingProxyType({})
    profile: bool = False
    shaped: Sequence[Shaped] = ()

    @property
    def named(self) -> list[str]:
        """Every build that was named, the anchor last."""
        return [*self.builds, *([self.anchor] if self.anchor is not None else [])]


def check(request: Request) -> None:
    """Raises `UserError` for a number that no plan may have."""
    _between("--processes", request.rounds, MOST_ROUNDS)
    _between("--passes", request.passes, MOST_PASSES)
    _between("--seed", request.seed, MOST_SEED, least=0)
    if request.max_time_s == 0 or request.stall_s <= 0:
        raise UserError("--max-time and --stall must be longer than 0 s")
    if request.sustained_s:
        _check_sustained(request)
    limit = request.memory_limit_bytes
    if limit is not None and not SMALLEST_BYTES <= limit <= LARGEST_BYTES:
        raise UserError(
            f"--memory-limit of {limit / 2**20:.10g} MiB: from {SMALLEST_BYTES // 2**20}M (no engine runs in less) to "
            f"{LARGEST_BYTES // 2**40}T are accepted"
        )


def _check_sustained(request: Request) -> None:
    if request.rounds is not None:
        raise UserError("--sustained runs one long process of each case: leave out --processes")
    if not SHORTEST_S <= request.sustained_s <= LONGEST_S:
        raise UserError(
            f"--sustained {request.sustained_s:g} s: {SHORTEST_S:g} s (more than the first minute, which the rest is "
            f"compared with) to {LONGEST_S / 3600:g} h are accepted"
        )


def refuse_with_shapes(request: Request) -> None:
    """Raises `UserError` for what a run of shapes cannot show: before any of them is written."""
    other = {
        "--sustained": request.sustained_s > 0,
        "--memory-limit": request.memory_limit_bytes is not None,
        "--cold": request.cold,
    }
    flag = next((flag for flag, asked in other.items() if asked), None)
    if flag is not None:
        raise UserError(
            f"{flag} and --as-shape exclude each other: what it would show of a shape says nothing of the full model"
        )


def _between(flag: str, value: int | None, most: int, least: int = 1) -> None:
    if value is not None and not least <= value <= most:
        raise UserError(f"{flag} {value}: numbers from {least} to {most} are accepted")
