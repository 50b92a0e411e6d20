"""What a person sees while a run is on: what, how far, how sure, how long still."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from profiler.analyse.estimate import Estimate
from profiler.analyse.report import Report, Row
from profiler.measure.stop import compares, next_look, planned_rounds
from profiler.render import format as fmt
from profiler.render import rows
from profiler.render.columns import HEADLINES, kind
from profiler.render.spark import spark
from profiler.runfile import Case, Plan, Worker, Workload

REFRESH_S = 1.0
"""Drawing costs a few milliseconds of a core that the worker may want."""

MOST_ROWS = 24

Analyse = Callable[[Sequence[Worker]], Report]


class LiveView:
    """A listener that draws the state of the run, once a second at most."""

    def __init__(self, plan: Plan, analyse: Analyse, workers: Sequence[Worker], console: Console) -> None:
        self._plan, self._analyse, self._console = plan, analyse, console
        self._workers, self._earlier = list(workers), len(workers)
        self._report: Report | None = None
        self._began, self._drawn = time.monotonic(), 0.0
        self._now = "starting"
        self._widths: dict[str, list[float]] = {}
        self._case: Case | None = None
        self._round = 0
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def __enter__(self) -> LiveView:
        self._live.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.__exit__(None, None, None)

    def visiting(self, case: Case, round_number: int, attempt: int) -> None:
        again = f", measured again ({attempt}) because others disturbed it" if attempt else ""
        self._case, self._round = case, round_number
        self._now = f"{_name(case)}: waiting for a quiet moment{again}"
        self._draw()

    def progress(self, pass_number: int, tokens: int) -> None:
        if self._case is None or time.monotonic() - self._drawn < REFRESH_S:
            return
        of = "" if self._plan.sustained_s else f" of {self._plan.passes}"
        where = f"pass {pass_number}{of}" if pass_number else "warm-up"
        total = self._case.workload.output_tokens
        self._now = f"{_name(self._case)}: {where}" + (f", token {tokens} of {total}" if total else "")
        self._draw()

    def visited(self, worker: Worker) -> None:
        self._workers.append(worker)
        small = len(self._plan.cases) <= MOST_ROWS
        if small or len(self._workers) % len(self._plan.cases) == 0:
            self._report = self._analyse(self._workers)
            self._remember(worker.case)
        self._draw()

    def profiling(self, case: Case) -> None:
        self._case, self._now = None, f"{_name(case)}: profile"
        self._draw()

    def _remember(self, case_id: str) -> None:
        """How wide the interval of this case was after each of its rounds: it is seen closing in."""
        for row in self._report.rows if self._report else []:
            figure = _live_figure(self._report, row) if self._report and row.id == case_id else None
            width = fmt.half_width(figure) if figure else None
            if width is not None:
                self._widths.setdefault(case_id, []).append(width)

    def _draw(self) -> None:
        self._drawn = time.monotonic()
        parts: list[RenderableType] = [Text(self._headline(), style="bold")]
        if goal := self._goal():
            parts.append(Text(goal, style="dim"))
        if self._report is not None:
            parts.append(_table(self._report, self._widths))
        parts.append(Text(self._now, style="dim"))
        self._live.update(Group(*parts), refresh=True)

    def _headline(self) -> str:
        elapsed = time.monotonic() - self._began
        so_far = f"round {self._round + 1} of {self._rounds()}, {fmt.duration(elapsed)} so far"
        return f"{so_far}{self._left(elapsed)}"

    def _goal(self) -> str:
        """What the run waits for, and when it is looked at next; nothing where its rounds are fixed."""
        if self._plan.rounds is not None:
            return ""
        deciding = self._plan.until_decided and compares(self._plan)
        goal = "when every comparison is decided" if deciding else f"at ±{fmt.percent(self._plan.within)}"
        return f"stops {goal}; next look after round {next_look(self._plan, self._round)}{self._unseen()}"

    def _unseen(self) -> str:
        """The differences that the ratios of the run cannot show yet: what a comparison waits for."""
        widths = self._report.resolution.values() if self._report else []
        return f"; differences under {fmt.percent(max(widths))} cannot be seen yet" if widths else ""

    def _rounds(self) -> str:
        most = planned_rounds(self._plan)
        return str(most) if self._plan.rounds is not None else f"at most {most}"

    def _left(self, elapsed: float) -> str:
        """How long still, from how long each worker took: at most to the last round or the time limit."""
        visited = len(self._workers) - self._earlier
        if not visited:
            return ""
        per_round = elapsed / visited * len(self._plan.cases)
        left = (planned_rounds(self._plan) - self._round) * per_round
        if self._plan.rounds is None:
            left = min(left, max(self._plan.max_time_s - elapsed, 0) + per_round)
        return f", at most {fmt.duration(left)} still"


class PlainView:
    """A listener for a log: one line for each worker, to standard error."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def __enter__(self) -> PlainView:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def visiting(self, case: Case, round_number: int, attempt: int) -> None:
        """Nothing to say yet."""

    def progress(self, pass_number: int, tokens: int) -> None:
        """A log does not want this."""

    def visited(self, worker: Worker) -> None:
        took = fmt.duration((worker.ended.mono_ns - worker.started.mono_ns) / 1e9)
        failure = worker.failure
        said = f"{failure.kind}: {fmt.plain(failure.message)}" if failure else f"{len(worker.passes)} passes"
        self._console.print(
            f"round {worker.round + 1} {fmt.plain(worker.case)}: {said}, {took}", markup=False, soft_wrap=True
        )

    def profiling(self, case: Case) -> None:
        self._console.print(f"profile {fmt.plain(case.id)}", markup=False, soft_wrap=True)


def _table(report: Report, widths: Mapping[str, Sequence[float]]) -> Table:
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for title in ("case", "workload", "figure", "", "closing in", "processes"):
        grid.add_column(title, no_wrap=True)
    workloads = {workload.id: workload for workload in report.workloads}
    names = rows.names(report)
    for row in report.rows[:MOST_ROWS]:
        name, asked = Text(names[row.id]), Text(fmt.plain(row.workload))
        if row.failure is not None:
            kind_of_failure = fmt.plain(row.failure.kind.replace("_", " "))
            grid.add_row(name, asked, Text(kind_of_failure, style="red"), "", "", "")
            continue
        _, _, unit = _live_metric(workloads[row.workload])
        estimate = _live_figure(report, row)
        value = f"{fmt.figure(estimate)} {unit}" if estimate else "-"
        count = str(estimate.processes) if estimate else "0"
        grid.add_row(name, asked, value, fmt.spread(estimate), spark(widths.get(row.id, [])), count)
    return grid


def _live_figure(report: Report, row: Row) -> Estimate | None:
    workload = next(found for found in report.workloads if found.id == row.workload)
    return row.metrics.get(_live_metric(workload)[0])


def _name(case: Case) -> str:
    return fmt.plain(f"{case.id} {case.build}")


def _live_metric(workload: Workload) -> tuple[str, str, str]:
    """Decode speed for text, else the one figure there is."""
    columns = HEADLINES[kind(workload)]
    return columns[1] if workload.method == "text" else columns[0]
