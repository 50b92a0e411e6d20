"""The question that a report answers, in one line."""

from __future__ import annotations

from collections.abc import Sequence

from profiler.analyse.machines import machine_of
from profiler.analyse.plural import plural
from profiler.analyse.report import Report, Row
from profiler.analyse.shipping import Verdicts
from profiler.analyse.source import Source
from profiler.render import format as fmt
from profiler.render import verdict_words
from profiler.runfile import Device


def question(sources: Sequence[Source], verdicts: Verdicts | None) -> str:
    """That of the limits, if there are any; else what these runs can tell."""
    if verdicts is not None:
        return verdict_words.question(verdicts)
    reports = [source.report for source in sources]
    return fmt.plain(of_report(reports[0]) if len(reports) == 1 else _of_several(reports))


def of_report(report: Report) -> str:
    """What one run was made to find out."""
    shown, place = own(report), where(report.device)
    who, does, its = _subject(shown)
    if report.sustained_s:
        return f"{does.capitalize()} {who} keep {its} speed on {place}?"
    if report.cold:
        return f"How fast {does} {who} start from cold on {place}?"
    if len({row.workload for row in shown}) == len(shown):
        return f"How fast {does} {who} run on {place}?"
    return f"{_choice(report, shown)} on {place}?"


def own(report: Report) -> list[Row]:
    """The rows that the run is about: all but its anchors and shapes."""
    return report.own


def where(device: Device) -> str:
    """AMD EPYC (2 cores)."""
    cores = f" ({plural(device.cores, 'core')})" if device.cores else ""
    return f"{device.label}{cores}"


def _subject(shown: Sequence[Row]) -> tuple[str, str, str]:
    builds = _builds(shown)
    return (builds[0], "does", "its") if len(builds) == 1 else (f"these {len(builds)} builds", "do", "their")


def _choice(report: Report, shown: Sequence[Row]) -> str:
    """Which of what is fastest: builds, engines, or values of a setting."""
    builds = _builds(shown)
    if len(builds) > 1:
        cases = len({(row.build, row.engine, row.target, str(row.settings)) for row in shown})
        of = f"{len(builds)} builds" if cases == len(builds) else f"{cases} cases of {len(builds)} builds"
        return f"Which of these {of} runs fastest"
    if len({row.engine for row in shown}) > 1:
        return f"On which engine does {builds[0]} run fastest"
    varied = " and ".join(report.varying) or "target"
    return f"With which {varied} does {builds[0]} run fastest"


def _builds(shown: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(row.build for row in shown))


def _of_several(reports: Sequence[Report]) -> str:
    builds = {row.build for report in reports for row in own(report)}
    devices: list[Device] = []
    for report in reports:
        machine_of(report.device, devices)
    who = next(iter(builds)) if len(builds) == 1 else f"these {len(builds)} builds"
    place = where(devices[0]) if len(devices) == 1 else f"these {len(devices)} devices"
    return f"How fast {'does' if len(builds) == 1 else 'do'} {who} run on {place}?"
