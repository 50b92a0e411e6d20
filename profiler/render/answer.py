"""The answer of a report in one sentence that claims no more than its intervals, and hides nothing that failed."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Sequence

from profiler.analyse.comparison import Comparison
from profiler.analyse.metrics import METRICS, judged_metrics
from profiler.analyse.plural import plural
from profiler.analyse.report import Report, Row
from profiler.analyse.shipping import Verdicts
from profiler.analyse.simulated import BASIS as SIMULATED
from profiler.analyse.source import Source
from profiler.analyse.verdict import Verdict
from profiler.render import below, question, rows, sustained_words, verdict_words
from profiler.render import format as fmt
from profiler.render.columns import kind
from profiler.runfile import Workload

MOST_NAMED = 3
"""More rows, workloads or files than this are counted."""

LONGEST_MESSAGE, LONGEST_NAME = 200, 64
IS_BEST = {
    "ttft_ms": "gives the first token soonest",
    "decode_tps": "decodes fastest",
    "pp_tps": "reads prompts fastest",
    "tg_tps": "generates fastest",
}
VERDICTS = {Verdict.SAME: "the same"}

OPENINGS = {"by", "none", "nothing", "on", "the", "which"}
"""The first word of a sentence is written large if it is ours; a name keeps its letters."""


def answer(sources: Sequence[Source], verdicts: Verdicts | None) -> str:
    """By the limits, if there are any; else from figures and comparisons."""
    if verdicts is not None:
        return verdict_words.answer(verdicts)
    if len(sources) == 1:
        return _sentence(of_report(sources[0].report))
    shown = [f"on {question.where(s.report.device)} ({s.name}) {of_report(s.report)[0]}" for s in sources]
    return _sentence(_some(shown, "more file"))


def of_report(report: Report) -> list[str]:
    """Clauses: what was found, then what a reader must know before believing it."""
    shown = question.own(report)
    simulated = [row for row in shown if row.basis == SIMULATED and row.metrics]
    measured = [row for row in shown if row.metrics and row not in simulated]
    if not measured:
        return _proven(report, simulated) or [_nothing(report, shown)]
    asked = [work for work in report.workloads if any(row.workload == work.id for row in measured)]
    found = [_of_workload(report, work, measured, named=len(report.workloads) > 1) for work in asked]
    found[0] = _unjudged(report, measured) + found[0]
    beside = _beside(report, [row for row in shown if row not in simulated], measured)
    return [*_some(found, "more workload"), *_cold(report, measured), *beside, *_proven(report, simulated)]


def _proven(report: Report, simulated: Sequence[Row]) -> list[str]:
    """Of rows on imitated devices: that they run there and answer rightly, and that their speed is not known."""
    names = _names(report)
    told = [
        f"{names[row.id]} runs on the {row.target.upper()} by {row.route.provider} and answers as on the CPU, its "
        f"speed there is not known: {row.route.simulated} stands for the device"
        for row in simulated
        if row.route is not None
    ]
    return _some(told, "more case")


def _sentence(clauses: Sequence[str]) -> str:
    text = fmt.plain("; ".join(clauses)).rstrip(".")
    ours = re.split(r"\W", text, maxsplit=1)[0] in OPENINGS
    return (text[:1].upper() + text[1:] if ours else text) + "."


def _some(texts: Sequence[str], noun: str) -> list[str]:
    more = len(texts) - MOST_NAMED
    return [*texts[:MOST_NAMED], f"and {plural(more, noun)}"] if more > 0 else list(texts)


def _nothing(report: Report, shown: Sequence[Row]) -> str:
    failed = [row for row in shown if row.failure]
    if not failed:
        return "nothing has been measured yet"
    if len(shown) == 1 and failed[0].failure:
        why = textwrap.shorten(failed[0].failure.message, LONGEST_MESSAGE, placeholder=" ...")
        return f"{_names(report)[failed[0].id]} could not be measured: {why}"
    return f"none of the {plural(len(shown), 'case')} could be measured: {_kinds(failed)}"


def _kinds(failed: Sequence[Row]) -> str:
    counts = Counter(row.failure.kind.replace("_", " ") for row in failed if row.failure)
    if len(counts) == 1:
        return next(iter(counts))
    return ", ".join(f"{count} {kind}" for kind, count in counts.items())


def _unjudged(report: Report, measured: Sequence[Row]) -> str:
    """Why no word of this report is a verdict; nothing where there may be some."""
    other = sorted({row.basis for row in measured} - {"measured", "extrapolated"})
    if other:
        return f"by {' and '.join(other)} figures, of which nothing is judged, "
    if report.stopped is None:
        return "the run did not reach its planned stop, so nothing is judged; so far "
    return ""


def _of_workload(report: Report, workload: Workload, measured: Sequence[Row], *, named: bool) -> str:
    mine = [row for row in measured if row.workload == workload.id]
    said = _found(report, workload, mine)
    return f"{workload.id}: {said}" if named else said


def _found(report: Report, workload: Workload, mine: Sequence[Row]) -> str:
    if report.sustained_s:
        names = _names(report)
        courses = [sustained_words.settled(f"{row.id} {names[row.id]}", row.sustained) for row in mine]
        return "; ".join(_some(courses, "more case"))
    if len(mine) == 1:
        return _alone(report, workload, mine[0])
    judged = [item for item in report.comparisons if item.metric and item.candidate == mine[1].id]
    if len(mine) == 2 and judged and all(item.low for item in judged):
        return _pair(report, mine[1], judged)
    return _leaders(report, workload, mine)


def _alone(report: Report, workload: Workload, row: Row) -> str:
    name, lone = _names(report)[row.id], _lone(row, workload)
    match kind(workload):
        case "pp":
            return f"{name} reads prompts at {_figure(row, 'pp_tps')} by llama-bench's method{lone}"
        case "tg":
            return f"{name} generates {_figure(row, 'tg_tps')} by llama-bench's method{lone}"
        case _:
            first, speed = _figure(row, "ttft_ms"), _figure(row, "decode_tps")
            return f"{name} gives its first token after {first} and then {speed}{lone}"


def _lone(row: Row, workload: Workload) -> str:
    figures = [row.metrics[name] for name in _judged_names(workload) if name in row.metrics]
    alone = any(figure.value is not None and figure.low is None for figure in figures)
    return ", without an interval" if alone else ""


def _judged_names(workload: Workload) -> list[str]:
    """Names of the metrics that verdicts are about, of this kind of workload."""
    names = [metric.name for metric in judged_metrics(workload.method)]
    return [name for name in names if workload.method == "text" or name == f"{kind(workload)}_tps"]


def _figure(row: Row, metric: str) -> str:
    """421 ms ±5.0%."""
    figure = row.metrics.get(metric)
    if figure is None or figure.value is None:
        return "a time not known" if metric == "ttft_ms" else "a speed not known"
    return " ".join(part for part in (fmt.figure(figure), figure.unit, fmt.spread(figure)) if part)


def _pair(report: Report, row: Row, judged: Sequence[Comparison]) -> str:
    names = _names(report)
    told = [
        f"{VERDICTS.get(item.verdict, item.verdict.value)} at {METRICS[item.metric].label} "
        f"({fmt.ratio(item.ratio)}, {below.bounds(item)})"
        for item in judged
        if item.metric
    ]
    base = judged[0].base
    return f"{row.id} ({names[row.id]}) against {base} ({names[base]}) is {' and '.join(told)}"


def _leaders(report: Report, workload: Workload, mine: Sequence[Row]) -> str:
    """What is best beyond doubt, then what only seems to be."""
    metrics = [name for name in _judged_names(workload) if any(_known(row, name) for row in mine)]
    best = {metric: row for metric, row in report.best if row in {one.id for one in mine}}
    told, named = list[str](), set[str]()
    for metric in sorted(metrics, key=lambda metric: metric not in best):
        row = _first(metric, best.get(metric), mine)
        name = row.id if row.id in named else f"{row.id} ({_names(report)[row.id]})"
        told.append(_leader(metric, name, _figure(row, metric), sure=metric in best))
        named.add(row.id)
    return "; ".join(told)


def _leader(metric: str, name: str, figure: str, *, sure: bool) -> str:
    if sure:
        return f"{name} {IS_BEST[metric]} beyond doubt, at {figure}"
    return f"which one {IS_BEST[metric]} is undecided (best figure: {figure}, of {name})"


def _first(metric: str, best: str | None, mine: Sequence[Row]) -> Row:
    """The row that is best, or the one with the best figure."""
    known = [row for row in mine if _known(row, metric)]
    sign = -1 if METRICS[metric].higher_is_better else 1
    seems = min(known, key=lambda row: sign * (row.metrics[metric].value or 0))
    return next((row for row in known if row.id == best), seems)


def _names(report: Report) -> dict[str, str]:
    """What rows are called beside their workload, cut where a name would fill the sentence."""
    return {
        row: name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 4]} ..."
        for row, name in rows.names(report, workload=False).items()
    }


def _known(row: Row, metric: str) -> bool:
    return metric in row.metrics and row.metrics[metric].value is not None


def _cold(report: Report, measured: Sequence[Row]) -> list[str]:
    """How long a start from nothing takes, over all rows."""
    if not report.cold:
        return []
    starts = [row.metrics.get("cold_start_ms") or row.metrics["cold_load_ms"] for row in measured]
    known = [start.value for start in starts if start.value is not None]
    if not known:
        return ["no start was cold"]
    low, high = fmt.number(min(known)), fmt.number(max(known))
    return [f"a cold start takes {low if low == high else f'{low} to {high}'} ms"]


def _beside(report: Report, shown: Sequence[Row], measured: Sequence[Row]) -> list[str]:
    """What must not be left unsaid: failures, doubts, disturbance."""
    failed, codes = [row for row in shown if row.failure], [{n.code for n in row.notices} for row in measured]
    judged = [item for item in report.comparisons if item.metric]
    open_ones = sum(item.verdict is Verdict.UNDECIDED for item in judged)
    waiting, stay = len(shown) - len(measured) - len(failed), "stays" if open_ones == 1 else "stay"
    told = {
        f"{len(failed)} of {plural(len(shown), 'case')} could not be measured ({_kinds(failed)})": failed,
        f"{waiting} of {plural(len(shown), 'case')} not measured yet": waiting,
        f"{open_ones} of {plural(len(judged), 'comparison')} {stay} undecided": open_ones
        and len(judged) > 2
        and report.stopped is not None,
        "the intervals are provisional": any(
            row.metrics[name].provisional for row in measured for name in IS_BEST if name in row.metrics
        ),
        "other programs disturbed nearly every pass": any("disturbed" in seen for seen in codes),
        "not everything ran where it was asked to": any("fell_back" in seen for seen in codes),
    }
    return [text for text, holds in told.items() if holds]
