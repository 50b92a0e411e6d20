"""Energy as a table for each sensor: what a token took in prompt and answer, and what is to be known of the sensor."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from profiler.analyse.energy import UNREAD
from profiler.analyse.energy_figures import Energy
from profiler.analyse.metrics import IDLE_POWER, METRICS
from profiler.analyse.plural import plural
from profiler.analyse.report import Report, Row
from profiler.render import format as fmt
from profiler.render import rows
from profiler.render.board import NOT_OFFERED
from profiler.render.columns import Cell, Line, Section, Table

FIGURES = (
    ("energy_j_per_prompt_token", "prompt", "J/token"),
    ("energy_j_per_token", "answer", "J/token"),
    ("prompt_power_w", "prompt", "W"),
    ("power_w", "answer", "W"),
)
"""Metric, title and unit of each column."""

COVERS = {
    "device": "the whole device",
    "board": "the whole board",
    "package": "the processor package alone",
    "partial": "a part of the board, the rest unseen",
    "gpu": "the GPU alone",
    "npu": "the NPU alone",
}
SOURCES = {"power_log": "external meter"}
"""What a reader calls a source whose own name says little."""

LONGEST = 200
NO_SENSOR = (
    "not measured: no sensor of power is offered here; the log of a meter is joined with --power-log FILE.csv"
)
MOST_NAMED = 4


def sections(report: Report) -> list[Section]:
    """One for each sensor (source and scope) that speaks for rows of the run; none where nothing was metered."""
    of_sensors: dict[tuple[str, str], list[Row]] = {}
    for row in report.rows:
        if row.energy and row.metrics:
            of_sensors.setdefault((row.energy.source, row.energy.scope), []).append(row)
    return [_section(report, mine) for mine in of_sensors.values()]


def _section(report: Report, shown: Sequence[Row]) -> Section:
    energies = [row.energy for row in shown if row.energy]
    names = rows.names(report)
    table = Table(
        title=f"Energy of {COVERS.get(energies[0].scope, energies[0].scope)}",
        names=["", "build"],
        figures=[(title, unit) for _, title, unit in FIGURES],
        lines=[_line(row, names[row.id]) for row in shown],
    )
    facts = [
        ("Sensor", _sensor(energies[0])),
        ("Updates", _updates(energies)),
        ("Covers", _covered(shown)),
        ("Idle", _idle(shown[0], energies[0])),
        ("Refused", _refused(shown)),
    ]
    return Section(table=table, lines=[(label, fmt.plain(text)) for label, text in facts if text])


def sensor_lines(energy: Energy) -> list[str]:
    """What to know of the sensor behind one figure."""
    return [fmt.plain(_sensor(energy)), fmt.plain(_updates([energy]))]


def _line(row: Row, name: str) -> Line:
    figures = [row.metrics.get(metric) for metric, _, _ in FIGURES]
    return Line(
        [fmt.plain(row.id), name], [Cell(fmt.figure(figure), fmt.spread(figure)) for figure in figures]
    )


def _sensor(energy: Energy) -> str:
    more = len(energy.sensors) - MOST_NAMED
    names = " + ".join(energy.sensors[:MOST_NAMED]) + (f" + {more} more" if more > 0 else "")
    note = f" ({energy.note})" if energy.note else ""
    return _short(f"{SOURCES.get(energy.source, energy.source)}, {energy.scope}: {names}{note}")


def _short(text: str) -> str:
    return textwrap.shorten(text, LONGEST, placeholder=" ...")


def _updates(energies: Sequence[Energy]) -> str:
    """How often the sensor had something new, by itself and within the windows of a row."""
    first = energies[0]
    parts = [
        f"its period is {_time(first.period_s)}" if first.period_s else "its period is not known",
        f"read every {_time(first.interval_s)}" if first.interval_s else "",
        f"{_counts([one.prompt_updates for one in energies])} updates within the prompts of a row, "
        f"{_counts([one.generation_updates for one in energies])} within its answers",
        f"reading took {fmt.percent(first.metering_share)} of one core"
        if first.metering_share is not None
        else "",
    ]
    return "; ".join(part for part in parts if part)


def _time(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds >= 0.9995 else f"{1000 * seconds:.3g} ms"


def _counts(counts: Sequence[int]) -> str:
    low, high = min(counts), max(counts)
    return f"{low}" if low == high else f"{low} to {high}"


def _covered(shown: Sequence[Row]) -> str:
    """Whose processes the sensor missed: a log may end before the run does."""
    told = [(row.id, text) for row in shown if (text := _missed(row))]
    return "; ".join(text if len(shown) == 1 else f"{name}: {text}" for name, text in told)


def _missed(row: Row) -> str:
    """Such as "prompts of 2 of 3 processes"; nothing where every process of the row gave its figure."""
    whole = max(figure.processes for figure in row.metrics.values())
    counts = {title: row.metrics[metric].processes for metric, title, _ in FIGURES if metric in row.metrics}
    missed = [
        f"{title}s of {count} of {plural(whole, 'process')}"
        for title, count in counts.items()
        if 0 < count < whole
    ]
    return ", ".join(missed)


def _idle(row: Row, energy: Energy) -> str:
    figure = row.metrics[IDLE_POWER.name]
    if figure.value is None:
        return "" if figure.reason == IDLE_POWER.absent else figure.reason or ""
    told = [("before", energy.idle_before_w), ("after", energy.idle_after_w)]
    return ", ".join(f"{fmt.number(watts)} W {when} the run" for when, watts in told if watts is not None)


def _refused(shown: Sequence[Row]) -> str:
    """Why figures are missing, but for those that a workload cannot have."""
    reasons: dict[str, list[str]] = {}
    for row in shown:
        for metric, _, _ in FIGURES:
            figure = row.metrics.get(metric)
            if figure and figure.value is None and figure.reason and figure.reason != METRICS[metric].absent:
                reasons.setdefault(figure.reason, []).append(row.id)
    return "; ".join(
        why if len(set(ids)) == len(shown) else f"{_ids(ids)}: {why}" for why, ids in reasons.items()
    )


def _ids(ids: Sequence[str]) -> str:
    names = list(dict.fromkeys(ids))
    return ", ".join(names) if len(names) <= MOST_NAMED else f"{len(names)} rows"


def not_metered(report: Report) -> str:
    """Why a run has no figures of energy, in short; nothing where it has, or where no sensor was looked for."""
    if any(row.energy for row in report.rows) or not report.no_sensor:
        return ""
    told = (row.metrics.get("energy_j_per_token") for row in report.rows)
    unread = next((cell.reason for cell in told if cell and (cell.reason or "").startswith(UNREAD)), None)
    if unread is not None:
        return _short(f"not measured: {unread}")
    telling = [
        f"{source}: {why}" for source, why in report.no_sensor.items() if not why.endswith(NOT_OFFERED)
    ]
    return _short(f"not measured: {'; '.join(telling)}") if telling else NO_SENSOR
