"""Files of limits, strictly read: the user's own, and the ready sets that come with the program."""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec.structs import replace

from profiler.catalogue.strict_toml import read_toml
from profiler.documents.limit_text import limit
from profiler.documents.limits import Limit, Limits, Use
from profiler.documents.review import Long, Short
from profiler.errors import UserError, nearest

FOLDER = Path(__file__).parent / "ready"
MOST_USES, MOST_LIMITS = 100, 30
"""Of one file, and of one use: every row is judged by all that concern it."""


class _Use(msgspec.Struct, frozen=True, kw_only=True):
    """A `[[use]]`; `why` gives reasons by metric."""

    limits: list[str]
    workload: Long | None = None
    device: Long | None = None
    why: dict[str, Long] = {}


class _File(msgspec.Struct, frozen=True, kw_only=True):
    title: Short
    question: Long
    use: list[_Use]


def ready_sets() -> dict[str, Path]:
    """The ready sets by name."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.toml"))}


def read(word: str) -> Limits:
    """A ready set by its name, or a file by its path. Raises `UserError` in one sentence."""
    ready = ready_sets()
    path = ready.get(word) or Path(word)
    if not path.exists():
        raise UserError(
            f"{word}: there is no such file of limits, and no ready set of that name: "
            f"give a TOML file or a ready set ({nearest(word, ready)})"
        )
    found = read_toml(path, _File)
    try:
        uses = _uses(found.use)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    name = word if word in ready else path.name
    return Limits(name=name, title=found.title, question=found.question, uses=uses)


def _uses(written: list[_Use]) -> list[Use]:
    if not 1 <= len(written) <= MOST_USES:
        raise UserError(f"there are {len(written)} tables [[use]], accepted: 1 to {MOST_USES}")
    uses = [_use(use, f"use[{place}]") for place, use in enumerate(written)]
    places: dict[tuple[str | None, str | None], int] = {}
    for place, use in enumerate(uses):
        first = places.setdefault((use.workload, use.device), place)
        if first != place:
            raise UserError(
                f"use[{first}] and use[{place}] name the same workload and device; put their limits into one table"
            )
    return uses


def _use(written: _Use, key: str) -> Use:
    if not 1 <= len(written.limits) <= MOST_LIMITS:
        raise UserError(
            f"{key}.limits has {len(written.limits)} limits, accepted: 1 to {MOST_LIMITS}, as in 'ttft_ms <= 1 s'"
        )
    limits = [limit(text, f"{key}.limits[{place}]") for place, text in enumerate(written.limits)]
    _refuse_two(limits)
    for metric in written.why:
        if metric not in {one.metric for one in limits}:
            raise UserError(f"{key}.why.{metric} is the reason of no limit here; rename or remove it")
    limits = [replace(one, why=written.why.get(one.metric)) for one in limits]
    return Use(workload=written.workload, device=written.device, limits=limits)


def _refuse_two(limits: list[Limit]) -> None:
    keys: dict[str, str] = {}
    for one in limits:
        first = keys.setdefault(one.metric, one.key)
        if first != one.key:
            raise UserError(f"{first} and {one.key} both limit {one.metric}; keep the stricter one")
