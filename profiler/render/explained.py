"""The steps to one cell of a report as text: stamps, values, interval, cell."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from profiler.analyse.estimate import Estimate
from profiler.analyse.explanation import Explanation, OrderSteps
from profiler.analyse.interval_steps import IntervalSteps
from profiler.analyse.plural import plural
from profiler.analyse.steps import PassSteps, ProcessSteps
from profiler.render import energy, extrapolation, prediction
from profiler.render import format as fmt
from profiler.render.worked import precise, quantity, worked

MOST_PROCESSES, MOST_PASSES, MOST_LEFT_OUT, MOST_VALUES = 3, 8, 8, 40
"""How much is shown of each unless everything is asked for."""

Section = tuple[str, list[str]]


def renderable(found: Explanation, every: bool) -> RenderableType:
    """All steps; long lists shortened to their beginning and end unless `every`."""
    title = f"{found.metric} of {found.row} ({found.build}, {found.engine}, {found.workload})"
    sections = [
        ("Meaning", [found.meaning] if found.meaning else []),
        ("Formula", _formula(found)),
        ("Sensor", energy.sensor_lines(found.sensor) if found.sensor else []),
        ("Layers", extrapolation.lines(found, every)),
        ("Stamps", _stamps(found, every)),
        ("Left out", _left_out(found, every)),
        ("Values", _values(found, every)),
        ("Interval", _interval(found)),
        ("Percentile", _order(found.order, found) if found.order else []),
        ("Cell", cell(found.cell, found.best)),
        ("Prediction", prediction.worked(found.prediction, found.metric)),
        ("Basis", extrapolation.basis(found)),
    ]
    return document(title, sections)


def document(title: str, sections: Sequence[Section]) -> RenderableType:
    """A title, and each section that has lines beside its label."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    for label, lines in sections:
        for n, line in enumerate(lines):
            grid.add_row(Text(label if n == 0 else "", style="dim"), _hanging(line))
        if lines:
            grid.add_row("", "")
    return Group(Text(fmt.plain(title), style="bold", overflow="fold"), Text(""), grid)


def _hanging(line: str) -> RenderableType:
    """A line whose names, up to a tab, stand before what wraps."""
    names, tab, rest = line.partition("\t")
    if not tab:
        return Text(fmt.plain(line), overflow="fold")
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(Text(fmt.plain(names)), Text(fmt.plain(rest)))
    return grid


def _formula(found: Explanation) -> list[str]:
    width = max(map(len, found.meanings), default=0)
    known = [f"  {name.ljust(width)}\t{meaning}" for name, meaning in found.meanings.items()]
    unit = f", in {found.cell.unit}" if found.cell.unit else ""
    return [f"{found.formula}{unit}", *known] if found.formula else []


def _stamps(found: Explanation, every: bool) -> list[str]:
    if found.symbols:
        return [_worked(found, found.symbols, found.cell.value)]
    told = [process for process in found.processes if _has_steps(process)]
    shown = told if every or len(told) <= MOST_PROCESSES else [*told[: MOST_PROCESSES - 1], told[-1]]
    lines = [_process(found, process, every) for process in shown]
    if len(shown) < len(told):
        skipped = f"... {plural(len(told) - len(shown), 'process')} more: --all shows them"
        lines.insert(-1, [skipped])
    return [line for several in lines for line in several]


def _has_steps(process: ProcessSteps) -> bool:
    return bool(process.symbols) or any(done.number > 0 for done in process.passes)


def _process(found: Explanation, process: ProcessSteps, every: bool) -> list[str]:
    where = _where(process)
    if not process.passes:
        return [f"{where}\t{_worked(found, process.symbols, process.value)}"]
    passes = [done for done in process.passes if done.number > 0]
    lines = [
        f"{where if n == 0 else ' ' * len(where)}  pass {done.number}\t{_pass(found, done)}"
        for n, done in enumerate(passes)
    ]
    if len(lines) > MOST_PASSES and not every:
        skipped = f"... {len(lines) - MOST_PASSES} passes more: --all shows them"
        lines = [*lines[: MOST_PASSES - 1], skipped, lines[-1]]
    if process.value is not None and len(passes) > 1 and found.order is None:
        lines.append(f"{' ' * len(where)}  median\t{_figure(process.value, found)}{_log(process)}")
    return lines


def _where(process: ProcessSteps) -> str:
    again = f", attempt {process.attempt}" if process.attempt else ""
    return f"round {process.round}{again}"


def _log(process: ProcessSteps) -> str:
    return "" if process.log is None else f", log {process.log:.5f}"


def _pass(found: Explanation, done: PassSteps) -> str:
    why = f" (left out: {done.left_out})" if done.left_out else ""
    return _worked(found, done.symbols, done.value) + why


def _worked(found: Explanation, symbols: dict[str, float | dict[str, float]], value: float | None) -> str:
    if value is None:
        return f"{worked(found.formula, symbols)}: no figure"
    return f"{worked(found.formula, symbols)} = {_figure(value, found)}"


def _figure(value: float, found: Explanation) -> str:
    """Bytes in binary units too; other units stand beside the formula."""
    return quantity(value, found.cell.unit if found.cell.unit == "B" else "")


def _left_out(found: Explanation, every: bool) -> list[str]:
    """The warm-ups in one line, and a line for every other pass that counts for nothing."""
    if not any(process.passes for process in found.processes):
        return []
    left = [
        f"{_where(process)}, pass {done.number}\t{done.left_out}"
        for process in found.processes
        for done in process.passes
        if done.left_out and done.number > 0
    ]
    lines = ["the warm-up of each process", *(left if every else left[:MOST_LEFT_OUT])]
    if found.all_count:
        lines.append("nothing else, although other programs disturbed nearly all passes")
    if len(left) > MOST_LEFT_OUT and not every:
        lines.append(f"... {plural(len(left) - MOST_LEFT_OUT, 'pass')} more: --all shows them")
    return lines


def _values(found: Explanation, every: bool) -> list[str]:
    """The value of each process; of bytes the largest, which is the cell."""
    values = [(one.value, one.round) for one in found.processes if one.value is not None]
    if not values:
        return []
    if found.cell.unit == "B":
        largest, where = max(values)
        return [f"the largest of {plural(len(values), 'process')}: round {where}, {quantity(largest, 'B')}"]
    told = [f"{number}:{precise(value)}" for value, number in values]
    shown = told if every or len(told) <= MOST_VALUES else [*told[:20], "...", *told[-19:]]
    return [f"of each process, as round:value, {found.cell.unit}", "  ".join(shown)]


def _interval(found: Explanation) -> list[str]:
    """Of an extrapolated figure that of its time, which is then widened."""
    lined = found.extrapolation
    if lined is None:
        return interval(found.interval, found.cell.unit) if found.interval else []
    steps = interval(found.interval, extrapolation.unit(found)) if found.interval else []
    return [*steps, *extrapolation.widening(found)]


def interval(steps: IntervalSteps, unit: str) -> list[str]:
    """From logs to centre and bounds. `unit` is "" for a ratio."""
    if steps.k is None:
        return [
            f"the mean of {plural(steps.n, 'log')} is the centre: {_exp(steps.centre, unit)}",
            f"too few for a signed-rank interval at {_level(steps.level)}: Student's t gives {_exp(steps.low, unit)} "
            f"to {_exp(steps.high, unit)}, provisional, and no verdict rests on it",
            _why_this_level(steps),
        ]
    return [
        f"{steps.n} logs have {steps.n} x {steps.n + 1} / 2 = {len(steps.averages)} averages of two (Walsh averages)",
        f"their median is the centre (Hodges-Lehmann): {_exp(steps.centre, unit)}",
        f"at {_level(steps.level)}, k = {steps.k} (signed-rank): the {_nth(steps.k)} average from below, "
        f"{_exp(steps.low, unit)}, and from above, {_exp(steps.high, unit)}, are the interval",
        _why_this_level(steps),
    ]


def _exp(log: float, unit: str) -> str:
    shown = quantity(math.exp(log), unit) if log < 700 else "beyond any number"
    return f"exp({log:.5f}) = {shown}"


def _level(level: float) -> str:
    return f"{100 * level:.4g}%"


def _nth(k: int) -> str:
    ending = "th" if 10 <= k % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(k % 10, "th")
    return f"{k}{ending}"


def _why_this_level(steps: IntervalSteps) -> str:
    many = [
        f"{plural(steps.looks, 'planned look')}" if steps.looks > 1 else "",
        f"{plural(steps.comparisons, 'comparison')}" if steps.comparisons > 1 else "",
    ]
    why = " and ".join(part for part in many if part)
    if not why:
        return f"{_level(steps.level)}: one look was planned"
    return f"{_level(steps.level)} each, so that all hold at once at {_level(steps.promised)}: {why}"


def _order(order: OrderSteps, found: Explanation) -> list[str]:
    n = len(order.samples)
    if found.cell.value is None:
        return []
    bound = (
        f"number {order.bound_rank}, {quantity(order.samples[order.bound_rank - 1], found.cell.unit)}"
        if order.bound_rank <= n
        else "open above: no sample is high enough"
    )
    return [
        f"{n} samples, sorted: {', '.join(precise(value) for value in order.samples[-MOST_VALUES:])}",
        f"number {order.rank} of them, {quantity(found.cell.value, found.cell.unit)}, is the percentile",
        f"its 95% upper bound (order statistics) is {bound}",
    ]


def cell(figure: Estimate, best: bool) -> list[str]:
    """The cell as the report shows it, and what else its JSON says."""
    shown = " ".join(
        part for part in (fmt.figure(figure), fmt.spread(figure), "best" if best else "") if part
    )
    if figure.value is None:
        return [f"{shown}\t{figure.reason}"]
    exact = [("value", figure.value), ("low", figure.low), ("high", figure.high)]
    told = ", ".join(f"{name} {precise(value)}" for name, value in exact if value is not None)
    return [
        shown,
        f"{told} {figure.unit}".strip(),
        *_rests_on(figure),
        *([figure.reason] if figure.reason else []),
    ]


def _rests_on(figure: Estimate) -> list[str]:
    counts = [plural(figure.processes, "process")] if figure.processes else []
    counts += [plural(figure.passes, "pass"), f"{figure.excluded} left out"] if figure.passes else []
    return [", ".join(counts)] if counts else []
