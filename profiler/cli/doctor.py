"""`edgeprof doctor`: what can be measured here, what would disturb it now, and what to type."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING, Annotated

import typer

from profiler.errors import UserError, nearest

if TYPE_CHECKING:
    from rich.console import Console

    from profiler.host.counters import BusyNow
    from profiler.host.environment import Environment
    from profiler.host.finding import Finding

SCHEMA = "edgeprof.doctor/1"
FORMATS = ("json", "terminal")
LABEL_WIDTH = 21
LEAST_WIDTH = 20

TITLES = {
    "Can measure": "bold green",
    "Cannot measure": "bold yellow",
    "Would disturb now": "bold red",
    "Engines": "bold cyan",
    "Worth knowing": "bold",
}
"""The groups in the order they are shown, each with the style of its heading."""


def doctor(
    output: Annotated[str, typer.Option("-f", "--format", help="terminal or json.")] = "terminal",
    on: Annotated[
        str | None, typer.Option("--on", metavar="USER@BOARD", help="A board that OpenSSH reaches.")
    ] = None,
    board_python: Annotated[
        str, typer.Option(metavar="COMMAND", help="Python 3.9 or later there.")
    ] = "python3",
) -> None:
    """Says what can be measured on this machine or on a board, what would disturb it now, and what to type.

    Example: edgeprof doctor
    """
    if output not in FORMATS:
        raise UserError(f"-f {output}: no such format; {nearest(output, FORMATS)}")
    from rich.console import Console

    from profiler.host.counters import busy_now
    from profiler.host.environment import environment
    from profiler.host.preflight import findings

    if on is not None:
        here, found, busy = of_board(on, board_python)
    else:
        here, busy = environment(), busy_now()
        found = [*findings(here=here, busy=busy), *environments()]
    if output == "json":
        typer.echo(as_json(here, found))
    else:
        show(Console(highlight=False), found, busy)


def of_board(host: str, python: str) -> tuple[Environment, list[Finding], BusyNow]:
    """The same of a board."""
    from profiler.boards.boarding import boarded
    from profiler.cli.ending import as_interrupts

    with as_interrupts(), boarded(host, python) as board:
        seen = board.look()
        found = [*seen.findings, *board.reaches()]
    return seen.environment, found, seen.busy


def environments() -> list[Finding]:
    """One finding for each environment of its own: whether it was made, and what to type if not."""
    from profiler.environments.environments import ENVIRONMENTS, python_of
    from profiler.host.finding import Finding

    return [
        Finding(code=f"engine.setup_{name}", status="ok", seen="made", why=spec.purpose)
        if python_of(name)
        else Finding(
            code=f"engine.setup_{name}",
            status="missing",
            seen="not made",
            why=spec.purpose,
            advice=f"edgeprof setup {name}",
        )
        for name, spec in ENVIRONMENTS.items()
    ]


def as_json(here: Environment, found: list[Finding]) -> str:
    """The report for a script. Like everything that is written, it names no process."""
    import msgspec

    report = {"schema": SCHEMA, "environment": here, "findings": found}
    return msgspec.json.format(msgspec.json.encode(report), indent=2).decode()


def show(console: Console, found: list[Finding], busy: BusyNow) -> None:
    """The report for a person: a heading and a few lines per group."""
    from rich.text import Text

    for title, style in TITLES.items():
        group = [finding for finding in found if _title(finding) == title]
        if group:
            console.print(Text(title, style=style))
            for finding in group:
                _show_finding(console, finding, busy)
            console.print()
    if not any(_title(finding) == "Would disturb now" for finding in found):
        console.print("Nothing seen that would disturb a measurement now.")


def _show_finding(console: Console, finding: Finding, busy: BusyNow) -> None:
    """Seen and why beside the label; the advice below, unbroken, so that a command can be copied whole."""
    from rich.text import Text

    width = max(console.width - LABEL_WIDTH, LEAST_WIDTH)
    names = ", ".join(f"{name} {cores:.1f}" for name, cores in busy.busiest)
    seen = finding.seen
    if finding.code == "disturb.processes" and names:
        seen += f" (cores: {names})"
    paragraphs = ((seen, ""), (finding.why or "", "dim"))
    lines = [(line, style) for text, style in paragraphs for line in wrap(text, width)]
    labels = [_label(finding)] + [""] * (len(lines) - 1)
    for label, (line, style) in zip(labels, lines, strict=True):
        console.print(Text(f"  {label}".ljust(LABEL_WIDTH)) + Text(line, style=style))
    if finding.advice:
        console.print(Text("    -> " + finding.advice), soft_wrap=True)


def _title(finding: Finding) -> str | None:
    """The group a finding is shown in; what was looked at and does not disturb is not shown."""
    match finding.code.partition(".")[0], finding.status:
        case "engine", _:
            return "Engines"
        case "note", _:
            return "Worth knowing"
        case _, "missing":
            return "Cannot measure"
        case "measure", _:
            return "Can measure"
        case _, "warn":
            return "Would disturb now"
    return None


def _label(finding: Finding) -> str:
    return finding.code.partition(".")[2].replace("_", " ")
