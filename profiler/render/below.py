"""What stands below the first table, as plain lines: device, settings, comparisons, resolution, notices."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from profiler.analyse.comparison import Comparison
from profiler.analyse.metrics import PASS_METRICS
from profiler.analyse.report import Report, Row
from profiler.analyse.verdict import Verdict
from profiler.render import format as fmt

_LABELS = {metric.name: metric.label for metric in PASS_METRICS}
_STOPPED = {
    "within": "the intervals were as narrow as asked",
    "rounds": "all planned rounds were run",
    "max_time": "the time was up",
    "all_failed": "no case could be measured",
    None: "not finished",
}


def facts(report: Report) -> list[tuple[str, str]]:
    """Label and text of each fact about the run."""
    found = [
        ("Device", _device(report)),
        ("Engine", _engine(report)),
        ("Settings", _settings(report)),
        ("Run", _run(report)),
        ("Intervals", "95%, of this machine in these minutes; ~ marks a provisional one"),
        ("Resolution", resolution(report)),
    ]
    return [(label, text) for label, text in found if text]


def _device(report: Report) -> str:
    device, environment = report.device, report.environment
    memory = fmt.size(device.memory_bytes) if device.memory_bytes else None
    cores = f"{device.cores} cores" if device.cores else None
    inside = [environment.get(name) for name in ("hypervisor", "container")]
    virtual = [f"inside {name}" for name in inside if name not in (None, "none")]
    governors = environment.get("governors")
    governor = f"governor {'/'.join(governors)}" if governors else None
    parts = [device.cpu or device.name, cores, memory, *virtual, governor]
    return fmt.plain(", ".join(str(part) for part in parts if part))


def _engine(report: Report) -> str:
    shown = []
    for name, said in report.engines.items():
        versions = [f"{part} {version}" for part, version in said.items() if part != "system" and version]
        shown.append(f"{name} ({', '.join(versions)})" if versions else name)
    return fmt.plain("; ".join(shown))


def _settings(report: Report) -> str:
    """The settings that all rows share."""
    common = {k: v for row in report.rows for k, v in row.settings.items() if k not in report.varying}
    return ", ".join(f"{name} {fmt.setting(value)}" for name, value in common.items())


def _run(report: Report) -> str:
    rounds = f"{report.rounds} rounds of {len(report.rows)} cases, {report.passes} passes each"
    took = fmt.duration(report.elapsed_s)
    return f"{rounds}, interleaved, {took}; {_STOPPED.get(report.stopped, 'stopped')}"


def resolution(report: Report) -> str:
    """The smallest difference that this run can show."""
    if not report.resolution:
        return ""
    widths = ", ".join(f"{_LABELS[name]} {fmt.percent(w)}" for name, w in report.resolution.items())
    return f"smaller differences cannot be seen here: {widths}"


class Ratio(msgspec.Struct, frozen=True, kw_only=True):
    """One comparison in words."""

    row: str
    metric: str
    ratio: str
    interval: str
    verdict: str


def comparisons(report: Report) -> list[tuple[str, list[Ratio]]]:
    """For each base a heading, and the ratios of the other rows to it."""
    names = {row.id: row_name(report, row) for row in report.rows}
    bases = dict.fromkeys(item.base for item in report.comparisons)
    return [
        (
            f"Compared with {base} ({names[base]})",
            [_ratio(item, names) for item in report.comparisons if item.base == base],
        )
        for base in bases
    ]


def _ratio(item: Comparison, names: dict[str, str]) -> Ratio:
    row = f"{item.candidate} {names[item.candidate]}"
    if item.verdict is Verdict.NOT_COMPARABLE:
        return Ratio(row=row, metric="", ratio="", interval=item.differs[0], verdict="not comparable")
    bounded = item.ratio is not None and item.low is not None and item.high is not None
    provisional = "~" if item.provisional else ""
    return Ratio(
        row=row,
        metric=_LABELS[item.metric],
        ratio="-" if item.ratio is None else f"x{item.ratio:.3f}",
        interval=f"{provisional}{item.low:.3f} to {item.high:.3f}" if bounded else "too few rounds",
        verdict=item.verdict.value,
    )


def row_name(report: Report, row: Row) -> str:
    """What tells this row from the others: quantization or build, varying settings, workload."""
    builds = {other.build for other in report.rows}
    quantizations = {other.quantization for other in report.rows}
    by_quantization = len(quantizations) == len(builds) and row.quantization
    varying = [f"{name} {fmt.setting(row.settings.get(name))}" for name in report.varying]
    parts = [fmt.plain(str(row.quantization if by_quantization else row.build)), *varying]
    return ", ".join([*parts, row.workload] if len(report.workloads) > 1 else parts)


def notices(report: Report) -> list[str]:
    """Notices of the run and of its rows; one that several rows share is told once."""
    lines = [f"{notice.seen}; {notice.advice}" for notice in report.notices]
    shared: dict[str, list[str]] = {}
    for row in report.rows:
        for notice in row.notices:
            text = f"{notice.seen}; {notice.advice}"
            shared.setdefault(text, []).append(row_name(report, row))
    return lines + [_told(text, rows, len(report.rows)) for text, rows in shared.items()]


def _told(text: str, rows: Iterable[str], total: int) -> str:
    named = list(rows)
    return fmt.plain(text if len(named) == total else f"{', '.join(named)}: {text}")
