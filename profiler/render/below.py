"""What stands below the first table, as plain lines: device, settings, comparisons, resolution, notices."""

from __future__ import annotations

from collections.abc import Iterable

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
        shown.append(f"{name} ({said.get('engine')} {said.get('version')}, commit {said.get('commit')})")
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


def comparisons(report: Report) -> list[str]:
    """One sentence for each comparison."""
    names = {row.id: row_name(report, row) for row in report.rows}
    return [_comparison(item, names) for item in report.comparisons]


def row_name(report: Report, row: Row) -> str:
    """Build and the settings that vary, enough to tell rows apart."""
    varying = [f"{name} {fmt.setting(row.settings.get(name))}" for name in report.varying]
    parts = [fmt.plain(row.build), *varying]
    return ", ".join([*parts, row.workload] if len(report.workloads) > 1 else parts)


def _comparison(item: Comparison, names: dict[str, str]) -> str:
    pair = f"{names[item.candidate]} against {names[item.base]}"
    if item.verdict is Verdict.NOT_COMPARABLE:
        return f"{pair}: not comparable ({item.differs[0]})"
    if item.ratio is None or item.low is None or item.high is None:
        return f"{pair}: {_LABELS[item.metric]} undecided, too few rounds"
    bounds = f"x{item.ratio:.3f} ({item.low:.3f} to {item.high:.3f})"
    provisional = ", provisional" if item.provisional else ""
    return f"{pair}: {_LABELS[item.metric]} {bounds}, {item.verdict.value}{provisional}"


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
