"""What stands below the first table, as plain lines: device, settings, comparisons, resolution, notices."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import msgspec

from profiler.analyse import said
from profiler.analyse.agreement import summary
from profiler.analyse.comparison import Comparison
from profiler.analyse.metrics import PASS_METRICS
from profiler.analyse.notices import Notice
from profiler.analyse.plural import plural
from profiler.analyse.report import Report
from profiler.render import advice, energy, origin, rows
from profiler.render import format as fmt
from profiler.render.columns import MEASURED
from profiler.runfile import Settings

MOST_NAMED = 8
"""A notice of more rows than this counts them instead of naming them."""

_BASES = {
    "imported": "told by another tool in its own definitions, without stamps to recompute them from",
    "extrapolated": "a + b x layers through shapes of few layers with random weights, measured here; "
    "as if the model fitted in memory",
    "simulated": "on a device imitated in software: proven to run there and to answer as the CPU does, never timed",
}
_LABELS = {metric.name: metric.label for metric in PASS_METRICS}
STOPPED = {
    "within": "the intervals were as narrow as asked",
    "decided": "every comparison was decided",
    "rounds": "all planned rounds were run",
    "max_time": "the time was up",
    "all_failed": "no case could be measured",
    "simulated": "nothing is timed on a device that is imitated",
    None: "not finished",
}


def facts(report: Report) -> list[tuple[str, str]]:
    """Label and text of each fact about the run; of figures that nobody measured here, what they are instead."""
    found = [
        ("Device", _device(report)),
        ("Basis", basis(report)),
        ("Engine", _engine(report)),
        ("Settings", _settings(report)),
        *_measuring(report),
    ]
    return [(label, fmt.plain(text)) for label, text in found if text]


def basis(report: Report) -> str:
    """Where figures come from that were not measured; nothing where all of them were."""
    others = dict.fromkeys(row.basis for row in report.rows if row.basis != MEASURED)
    return "; ".join(f"{other}: {_BASES.get(other, 'not measured')}" for other in others)


def _measuring(report: Report) -> list[tuple[str, str]]:
    """What was done to get the figures, or where they were taken from."""
    if report.origin is not None:
        return origin.facts(report, report.origin)
    if all(row.basis != MEASURED for row in report.rows):
        return []
    return [
        ("Run", _run(report)),
        ("Intervals", _intervals(report)),
        ("Resolution", _resolution(report)),
        ("Spread", _spread(report)),
        ("Energy", energy.not_metered(report)),
    ]


def _device(report: Report) -> str:
    device, environment = report.device, report.environment
    inside = [said.text(environment, name) for name in ("hypervisor", "container")]
    governors = said.texts(environment, "governors")
    parts = [
        device.label,
        device.cpu if device.cpu and device.cpu != device.label else "",
        plural(device.cores, "core") if device.cores else "",
        fmt.size(device.memory_bytes) if device.memory_bytes else "",
        *(f"inside {name}" for name in inside if name not in (None, "none")),
        f"governor {'/'.join(governors)}" if governors else "",
    ]
    return ", ".join(part for part in parts if part)


def _engine(report: Report) -> str:
    shown = []
    for name, told in report.engines.items():
        versions = [f"{part} {version}" for part, version in told.items() if part != "system" and version]
        shown.append(f"{name} ({', '.join(versions)})" if versions else name)
    return "; ".join(shown)


def _settings(report: Report) -> str:
    """Target and settings that all rows share; where engines differ, those of each engine apart."""
    of_engines = {engine: _settled(report, engine) for engine in dict.fromkeys(r.engine for r in report.rows)}
    first, *others = of_engines.values()
    shared = [name for name in first if all(name in other for other in others)]
    targets = {row.target for row in report.rows}
    parts = [
        ", ".join(
            [*(f"target {target}" for target in targets if len(targets) == 1), *_said(report, first, shared)]
        )
    ]
    groups: dict[tuple[str, ...], list[str]] = {}
    for engine, own in of_engines.items():
        told = (
            *_cache_type(report, engine),
            *_said(report, own, [name for name in own if name not in shared]),
        )
        groups.setdefault(told, []).append(engine)
    parts += [f"{', '.join(engines)}: {', '.join(told)}" for told, engines in groups.items() if told]
    return "; ".join(part for part in parts if part)


def _cache_type(report: Report, engine: str) -> list[str]:
    """The type of the KV cache where the build decides it, and not a setting."""
    of_builds = {build.id: build.kv_type for build in report.builds}
    kinds = {of_builds.get(row.build) for row in report.rows if row.engine == engine}
    return [f"kv {' and '.join(sorted(kind for kind in kinds if kind))} of the build"] if any(kinds) else []


def _settled(report: Report, engine: str) -> Settings:
    """The settings of an engine that do not vary in this run."""
    found: Settings = {}
    for row in report.rows:
        if row.engine == engine:
            found |= {name: value for name, value in row.settings.items() if name not in report.varying}
    return found


def _said(report: Report, settings: Settings, names: Sequence[str]) -> list[str]:
    shown = {name: fmt.setting(settings[name]) for name in names}
    if "context" in shown and settings["context"] is None:
        shown["context"] += _contexts(report)
    return [f"{name} {value}" for name, value in shown.items()]


def _contexts(report: Report) -> str:
    """What "auto" came to: the lengths that the engines made."""
    used = sorted({row.conditions["context"] for row in report.rows if row.conditions["context"]})
    return "" if not used else f" ({used[0]})" if len(used) == 1 else f" ({used[0]} to {used[-1]})"


def _run(report: Report) -> str:
    measured = [row for row in report.rows if row.basis == MEASURED]
    cases = plural(len(measured), "case") + (", interleaved" if len(measured) > 1 else "")
    more = f"{report.passes} to {report.most_passes} passes"
    passes = more if report.most_passes > report.passes else plural(report.passes, "pass")
    size = f"{plural(report.rounds, 'round')} of {cases}, {passes} each"
    if report.sustained_s:
        each = " each" if len(report.rows) > 1 else ""
        size = f"{plural(len(report.rows), 'case')}, one process of {fmt.duration(report.sustained_s)}{each}"
    limit = report.memory_limit_bytes
    size += f"; each process {fmt.limited(limit, report.limited_by)}" if limit else ""
    stopped = STOPPED.get(report.stopped, "stopped")
    return f"{size}; {fmt.duration(report.elapsed_s)} in workers; {stopped}"


def _intervals(report: Report) -> str:
    if report.sustained_s:
        return "none: what passes of one process have in common cannot be told apart"
    provisional = any(figure.provisional for row in report.rows for figure in row.metrics.values())
    mark = "; ~ marks a provisional one" if provisional else ""
    return f"95%, of this machine in these minutes{mark}"


def _resolution(report: Report) -> str:
    """The smallest difference that this run can show."""
    widths = ", ".join(f"{_LABELS[name]} {fmt.percent(width)}" for name, width in report.resolution.items())
    return f"smaller differences cannot be seen in this run: {widths}" if widths else ""


def _spread(report: Report) -> str:
    """Where the variance is, over all rows and judged metrics, and what to have more of."""
    found = [spread for row in report.rows for spread in row.spread.values()]
    if not found:
        return ""
    passes = max(spread.passes for spread in found)
    advice = (
        f"--passes {passes} may narrow the intervals in the same time"
        if passes > report.passes
        else ("more rounds narrow the intervals, more passes hardly")
    )
    within = _range([spread.within for spread in found])
    between = _range([spread.between for spread in found])
    return f"passes of one process differ by {within}, processes by {between} beyond that: {advice}"


def _range(shares: Sequence[float]) -> str:
    least, most = fmt.percent(min(shares)), fmt.percent(max(shares))
    return least if least == most else f"{least} to {most}"


class Ratio(msgspec.Struct, frozen=True, kw_only=True):
    """One comparison in words."""

    row: str
    metric: str
    ratio: str
    interval: str
    verdict: str


def comparisons(report: Report) -> list[tuple[str, list[Ratio]]]:
    """For each base a heading, and the ratios of the other rows to it."""
    names = rows.names(report)
    found: dict[str, list[Ratio]] = {}
    for item in report.comparisons:
        found.setdefault(item.base, []).append(_ratio(item, names[item.candidate]))
    return [(f"Compared with {fmt.plain(base)} ({names[base]})", ratios) for base, ratios in found.items()]


def _ratio(item: Comparison, name: str) -> Ratio:
    return Ratio(
        row=f"{fmt.plain(item.candidate)} {name}",
        metric=_LABELS[item.metric] if item.metric else "",
        ratio=fmt.ratio(item.ratio) if item.metric else "",
        interval=fmt.plain(bounds(item)),
        verdict=item.verdict.value.replace("_", " "),
    )


def bounds(item: Comparison) -> str:
    """The interval of a ratio, or what stands in its place."""
    if item.metric is None:
        return textwrap.shorten(item.differs[0], 60, placeholder=" ...")
    if item.low is None or item.high is None:
        return "too few rounds"
    provisional = "~" if item.provisional else ""
    return f"{provisional}{fmt.ratio(item.low)[1:]} to {fmt.ratio(item.high)[1:]}"


def undecided(report: Report) -> list[str]:
    """What it would take to decide each comparison that is not; a run cut short is told as a notice."""
    return advice.of_comparisons(report.comparisons) if report.stopped is not None else []


def agreements(report: Report) -> list[str]:
    """What is known of each build that was made from another, with the rows that it concerns."""
    found = []
    for build in report.builds:
        text = summary(build)
        ids = [row.id for row in report.rows if row.build == build.id]
        if text is not None:
            found.append(fmt.plain(_of_rows(text, ids, len(report.rows))))
    return found


def notices(report: Report) -> list[str]:
    """Notices of the run and of its rows; one that several rows share is told once."""
    shared: dict[str, list[str]] = {}
    for row in report.rows:
        for notice in row.notices:
            shared.setdefault(_sentence(notice), []).append(row.id)
    told = [_of_rows(text, ids, len(report.rows)) for text, ids in shared.items()]
    return [fmt.plain(text) for text in [*map(_sentence, report.notices), *told]]


def _sentence(notice: Notice) -> str:
    return f"{notice.seen}; {notice.advice}"


def _of_rows(text: str, ids: Sequence[str], total: int) -> str:
    if len(ids) == total:
        return text
    if len(ids) > MOST_NAMED:
        return f"{len(ids)} of {total} rows: {text}"
    return f"{', '.join(ids)}: {text}"
