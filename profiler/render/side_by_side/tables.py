"""Latency by device, and costs, as tables of text."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from profiler.analyse.break_even import Outcome
from profiler.analyse.cost import PowerFrom, Terms
from profiler.analyse.estimate import Estimate
from profiler.analyse.latency_tables import LatencyLine, LatencyTable
from profiler.analyse.metrics import METRICS
from profiler.analyse.side_by_side import RowCost, SideBySide
from profiler.render import format as fmt
from profiler.render.side_by_side.view import Cell, Column, Table, cell

SPEEDS = ("ttft_ms", "decode_tps", "prefill_tps", "pp_tps", "tg_tps")
"""In the order of their columns."""

HOW_COST = (
    "price of the device over the seconds it works in its life, and power; bounds are those of speed and energy, 95% "
    "each, at their worst"
)


def tables(found: SideBySide) -> list[Table]:
    """Every table of the page but the cards."""
    shown = [_latency(table) for table in found.latency]
    return [*shown, *([_costs(found.costs), *_break_even(found.costs)] if found.costs else [])]


def _latency(table: LatencyTable) -> Table:
    metrics = [name for name in SPEEDS if any(name in line.metrics for line in table.lines)]
    columns = [
        Column("Model"),
        Column("Build"),
        *(Column(METRICS[name].label, METRICS[name].unit, figures=True) for name in metrics),
        Column("memory", figures=True),
        Column("Basis"),
    ]
    notes = [*(f"not here: {name} has no row of this workload on this device" for name in table.missing)]
    return Table(
        heading=fmt.plain(f"Latency on {table.device_name}"),
        facts=[fmt.plain(_asked(table))],
        columns=columns,
        rows=[_line(line, metrics, table.varying) for line in table.lines],
        notes=[fmt.plain(note) for note in [*notes, *table.differs]],
    )


def _asked(table: LatencyTable) -> str:
    text = f", text {table.text_sha256[:12]}" if table.text_sha256 else ""
    lengths = f"{table.prompt_tokens} tokens in, {table.output_tokens} out"
    return f"{table.workload}: {lengths}{text}; device id {table.device}"


def _line(line: LatencyLine, metrics: Sequence[str], varying: Sequence[str]) -> list[Cell]:
    settings = [f"{name} {fmt.setting(line.settings[name])}" for name in varying if name in line.settings]
    context = [f"context {line.context:,}"] if line.context is not None and "context" not in varying else []
    target = [line.target] if line.target != "cpu" else []
    detail = ", ".join([line.engine, *target, *settings, *context])
    names = [cell(line.model), cell(line.build, detail)]
    basis = cell(line.basis, f"{line.source} {line.row}")
    if line.failure is not None:
        blank = [Cell("-")] * len(metrics)
        return [*names, cell("failed", line.failure), *blank, basis] if metrics else [*names, blank[0], basis]
    figures = [_figure(line.metrics.get(name)) for name in metrics]
    return [*names, *figures, _memory(line), basis]


def _figure(figure: Estimate | None) -> Cell:
    if figure is None or figure.value is None:
        return cell("-", figure.reason or "" if figure else "")
    return cell(fmt.figure(figure), fmt.spread(figure))


def _memory(line: LatencyLine) -> Cell:
    return cell("-") if line.memory is None else cell(fmt.figure(line.memory), line.memory_is or "")


def _costs(costs: Sequence[RowCost]) -> Table:
    unit = f"{costs[0].terms.currency} per million"
    columns = [
        Column("Model"),
        Column("Build"),
        Column("Device"),
        Column("tokens in", unit, figures=True),
        Column("tokens out", unit, figures=True),
        Column("power's part, out", unit, figures=True),
        Column("Power is"),
    ]
    return Table(
        heading="Cost of a million tokens",
        facts=[fmt.plain(line) for line in [HOW_COST, *dict.fromkeys(_terms(cost) for cost in costs)]],
        columns=columns,
        rows=[_cost(cost) for cost in costs],
        notes=_cost_notes(costs),
    )


def _terms(cost: RowCost) -> str:
    said: Terms = cost.terms
    parts = [
        _part("device {} " + said.currency, said.device_price),
        _part("lifetime {} years", said.lifetime_years),
        "" if said.duty_cycle is None else f"at work {fmt.percent(said.duty_cycle)} of it",
        _part("power {} " + said.currency + " per kWh", said.price_per_kwh),
        _part("{} W at work assumed", said.power_w if cost.power_from == PowerFrom.ASSUMED else None),
        _part("{} W idle", cost.idle_w),
    ]
    return f"{cost.device_name}: " + (
        ", ".join(part for part in parts if part) or "the review gives no terms"
    )


def _part(text: str, value: float | None) -> str:
    return "" if value is None else text.format(f"{value:g}")


def _cost(cost: RowCost) -> list[Cell]:
    where = f"{cost.source} {cost.row}, {cost.basis}"
    return [
        cell(cost.model),
        cell(cost.build, f"{cost.workload}, {where}"),
        cell(cost.device_name),
        _money(cost, cost.prompt.total),
        _money(cost, cost.answer.total),
        _money(cost, cost.answer.power),
        cell(cost.power_from),
    ]


def _money(cost: RowCost, figure: Estimate) -> Cell:
    if figure.value is None:
        return cell("-", figure.reason or "")
    least = "at least " if cost.power_from == PowerFrom.LOWER_BOUND else ""
    return cell(least + fmt.number(figure.value), fmt.spread(figure))


def _cost_notes(costs: Sequence[RowCost]) -> list[str]:
    notes = []
    if any(cost.idle_w is None and (cost.terms.duty_cycle or 1) < 1 for cost in costs):
        notes.append(
            "power between pieces of work is left out where no idle power is known: set idle_power_w in the review"
        )
    if any(cost.power_from == PowerFrom.LOWER_BOUND for cost in costs):
        notes.append(
            "a sensor of the processor package or an accelerator misses the rest of the device: costs are at least so "
            "high; set power_w in the review for the whole device"
        )
    return notes


def _break_even(costs: Sequence[RowCost]) -> list[Table]:
    """Nothing where no price of a hosted model is known."""
    if not any(cost.hosted for cost in costs):
        return []
    unit = f"{costs[0].terms.currency} per million"
    columns = [
        Column("Model"),
        Column("Build"),
        Column("hosted", unit, figures=True),
        Column("power of owning", unit, figures=True),
        Column("break-even", "tokens", figures=True),
        Column("that is", "months", figures=True),
        Column("Owning"),
    ]
    told = dict.fromkeys([*map(_hosted, costs), *map(_mix, costs)])
    return [
        Table(
            heading="Owning against hosting",
            facts=[fmt.plain(line) for line in told if line],
            columns=columns,
            rows=[_even(cost) for cost in costs],
            notes=[
                "months are those at the duty cycle above, bounds those of speed and energy at their worst"
            ],
        )
    ]


def _hosted(cost: RowCost) -> str:
    if cost.hosted is None:
        return ""
    currency = cost.terms.currency
    prices = (
        f"{cost.hosted.input_per_million:g} {currency} per million tokens in, "
        f"{cost.hosted.output_per_million:g} out"
    )
    return f"{cost.hosted.name or 'the hosted price of the review'}: {prices}"


def _mix(cost: RowCost) -> str:
    even = cost.break_even
    mixed = f"{even.prompt_tokens} tokens in to {even.answer_tokens} out"
    return f"prices of both for the mix that was measured, {cost.workload}: {mixed}" if even.hosted else ""


def _even(cost: RowCost) -> list[Cell]:
    even = cost.break_even
    never = even.outcome is Outcome.NEVER
    return [
        cell(cost.model),
        cell(cost.build, f"{cost.device_name}; {cost.source} {cost.row}"),
        cell("-" if even.hosted is None else fmt.number(even.hosted)),
        _money(cost, even.power),
        cell("never") if never else _open(cost, even.tokens, _tokens),
        cell("-") if never else _open(cost, even.months, fmt.number),
        cell(even.outcome.value, even.reason or ""),
    ]


def _open(cost: RowCost, figure: Estimate, shown: Callable[[float], str]) -> Cell:
    """The value above its bounds, of which the upper one may be open."""
    if figure.value is None:
        return cell("-", figure.reason or "")
    least = "at least " if cost.power_from == PowerFrom.LOWER_BOUND else ""
    if figure.low is None:
        return cell(least + shown(figure.value))
    high = f"to {shown(figure.high)}" if figure.high is not None else "and more"
    return cell(least + shown(figure.value), f"{shown(figure.low)} {high}")


def _tokens(count: float) -> str:
    """12.3 million, 4.56 billion."""
    for size, name in ((1e12, "trillion"), (1e9, "billion"), (1e6, "million")):
        if count >= size:
            return f"{fmt.number(count / size)} {name}"
    return fmt.number(count)
