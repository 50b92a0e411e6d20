"""Where the time goes, as a table for each profiled row: kinds of operations and their members, prompt beside token."""

from __future__ import annotations

from collections.abc import Sequence

from profiler.analyse.plural import plural
from profiler.analyse.profiled import PhaseProfile, RowProfile, Spent
from profiler.analyse.report import Report, Row
from profiler.render import format as fmt
from profiler.render import rows
from profiler.render.columns import Cell, Line, Section, Table
from profiler.runfile import Ceiling

LABELS = {
    "attention": "attention",
    "feed_forward": "feed-forward",
    "experts": "experts",
    "norm": "norms and residual",
    "head": "output head",
    "embedding": "embedding",
    "other": "other",
    "between": "between operations",
    "sampling": "sampling, loop",
    "unexplained": "unexplained",
}
PHASES = {"prefill": "prompt", "decode": "token"}
MOST_SHOWN = 8
"""Profiles with tables; of more rows, JSON has all."""

LEAST_SHARE = 0.0005
"""Of a kind that is worth a line."""

NONE = Cell("-")


def sections(report: Report) -> list[Section]:
    """One for each row with a profile; none where nothing was profiled."""
    names = rows.names(report)
    profiled = [(row, row.profile) for row in report.rows if row.profile is not None and row.profile.phases]
    return [_section(row, found, names[row.id]) for row, found in profiled[:MOST_SHOWN]]


def _section(row: Row, found: RowProfile, name: str) -> Section:
    table = Table(
        title=f"Where the time goes: {fmt.plain(row.id)} {name}",
        names=["part"],
        figures=[column for phase in found.phases for column in _columns(phase, found)],
        lines=[
            Line(
                [_label(kind, member)],
                [cell for phase in found.phases for cell in _cells(phase, found, kind, member)],
            )
            for kind, member in keys(found)
        ],
    )
    return Section(table=table, lines=[(label, fmt.plain(text)) for label, text in _facts(found)])


def keys(found: RowProfile) -> list[tuple[str, str | None]]:
    """Kinds and members that take any time in any phase, in their order; one that is all of its kind is left out."""
    every = [one for phase in found.phases for one in phase.spent]
    shown = dict.fromkeys((one.kind, one.member) for one in every if one.share >= LEAST_SHARE)
    ordered = sorted(shown, key=lambda key: list(LABELS).index(key[0]))
    members = {kind: [m for k, m in ordered if k == kind and m is not None] for kind, _ in ordered}
    return [(kind, member) for kind, member in ordered if member is None or len(members[kind]) > 1]


def spent(phase: PhaseProfile, kind: str, member: str | None = None) -> Spent | None:
    """What this kind took in a phase; None where it has none."""
    return next((one for one in phase.spent if (one.kind, one.member) == (kind, member)), None)


def _label(kind: str, member: str | None) -> str:
    return LABELS[kind] if member is None else f"{LABELS[kind]}: {member}"


def _columns(phase: PhaseProfile, found: RowProfile) -> list[tuple[str, str]]:
    rate = ("weights", "GB/s") if phase.phase == "decode" else ("products", "GFLOP/s")
    limit = [("of the limit", "")] if found.ceiling.bytes_per_s else []
    return [(PHASES[phase.phase], "ms"), ("share", ""), rate, *limit]


def _cells(phase: PhaseProfile, found: RowProfile, kind: str, member: str | None) -> list[Cell]:
    one = spent(phase, kind, member)
    if one is None:
        return [NONE] * len(_columns(phase, found))
    rate = one.read_bytes_per_s if phase.phase == "decode" else one.operations_per_s
    cells = [Cell(fmt.number(one.ms)), Cell(fmt.percent(one.share)), _of(rate)]
    return [*cells, _limit(one)] if found.ceiling.bytes_per_s else cells


def _limit(one: Spent) -> Cell:
    return NONE if one.limit_share is None else Cell(f"{fmt.percent(one.limit_share)} {one.limited_by}")


def _of(per_s: float | None) -> Cell:
    return NONE if per_s is None else Cell(fmt.number(per_s / 1e9))


def _facts(found: RowProfile) -> list[tuple[str, str]]:
    facts = [(phase.phase.capitalize(), told(phase)) for phase in found.phases]
    facts += [("Layers", text) for text in [_layers(found.phases)] if text]
    return [*facts, ("Limits", _ceilings(found.ceiling))]


def _ceilings(ceiling: Ceiling) -> str:
    """Both ceilings with their sources, or how to get to know them."""
    told = [
        f"{fmt.number(factor * per_s / 1e9)} {unit} ({source})"
        for per_s, source, factor, unit in (
            (ceiling.bytes_per_s, ceiling.bytes_source, 1, "GB/s"),
            (ceiling.macs_per_s, ceiling.macs_source, 2, "GFLOP/s"),
        )
        if per_s is not None
    ]
    return "; ".join(told) or "not known of this device: edgeprof calibrate measures those of a CPU"


def told(phase: PhaseProfile) -> str:
    """How much is accounted for, and what looking cost."""
    mean = plural(phase.evaluations, "evaluation")
    of = f"a prompt of {plural(phase.tokens, 'token')}" if phase.phase == "prefill" else "a token"
    cost = (
        f"{fmt.number(phase.overhead)} times the {fmt.number(phase.plain_ms)} ms without"
        if phase.overhead
        else ""
    )
    return (
        f"{of}, {fmt.percent(phase.explained)} explained; {fmt.number(phase.wall_ms)} ms while watched, {cost}; "
        f"{fmt.number(phase.watch_ms)} ms of watching between operations are in no share; "
        f"mean of the fastest {mean}"
    )


def _layers(phases: Sequence[PhaseProfile]) -> str:
    """How evenly the layers share the time of a phase."""
    parts = []
    for phase in phases:
        if phase.layers:
            least, most = (pick(phase.layers, key=lambda layer: layer.ms) for pick in (min, max))
            parts.append(
                f"{phase.phase} {fmt.number(least.ms)} (layer {least.layer}) to {fmt.number(most.ms)} ms "
                f"(layer {most.layer})"
            )
    return f"{len(phases[0].layers)}; {'; '.join(parts)}" if parts else ""
