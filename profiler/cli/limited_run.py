"""A run that is planned for limits, and judged by them when it is over."""

from __future__ import annotations

import sys

import msgspec
import typer
from msgspec.structs import replace

from profiler.analyse.limit_demand import Demand, demand, together
from profiler.analyse.limit_uses import limits_for, named
from profiler.analyse.plural import plural
from profiler.analyse.shipping import verdicts
from profiler.analyse.source import Source
from profiler.catalogue import workloads
from profiler.cli.app import printable
from profiler.cli.asked import Asked
from profiler.cli.judged_by_limits import checked, exit_code, show
from profiler.documents.limits import Limits
from profiler.errors import ExitCode, UserError
from profiler.measure.request import Request
from profiler.render import verdict_words


class Limited(msgspec.Struct, frozen=True, kw_only=True):
    """Limits, the request that can decide them, and lines that say why it is as it is."""

    limits: Limits
    request: Request
    lines: list[str]


def limited(asked: Asked, request: Request) -> Limited | None:
    """The request made fit for the limits that were asked; None without any. Raises `UserError`."""
    if asked.limits is None:
        return None
    if request.sustained_s:
        raise UserError(
            "--sustained and --limits exclude each other: one long process of each case has no interval to judge"
        )
    if asked.within is not None:
        raise UserError("--within and --limits exclude each other: the limits say how many rounds are made")
    limits = checked(asked.limits)
    request = replace(request, workloads=asked.workload or _workloads(limits, request.device))
    needed = _needed(limits, request)
    return Limited(
        limits=limits,
        request=replace(
            request,
            rounds=request.rounds if request.rounds is not None else needed.rounds,
            passes=request.passes if asked.passes is not None else max(request.passes, needed.passes),
        ),
        lines=[*_of_rounds(asked.processes, needed), *_of_passes(asked.passes, request.passes, needed)],
    )


def judge(source: Source, limits: Limits, name: str) -> ExitCode:
    """Show the verdict below the report, or in one line beside a format that a program reads. Returns its code."""
    found = verdicts([source], limits)
    if name in ("terminal", "markdown"):
        sys.stdout.write("\n")
        show(found, name)
    else:
        typer.echo(printable(f"{limits.name}: {verdict_words.answer(found)}"), err=True)
    return exit_code(found)


def _workloads(limits: Limits, device: str) -> list[str]:
    """Those that the uses on this device name, or the usual one."""
    named = [use.workload for use in limits.uses if use.device in (None, device) and use.workload]
    return list(dict.fromkeys(named)) or ["chat"]


def _needed(limits: Limits, request: Request) -> Demand:
    asked = [workloads.parse(word, request.prompt, request.output_tokens) for word in request.workloads]
    found = {workload: limits_for(workload.id, request.device, limits) for workload in asked}
    try:
        demands = [demand(mine, workload, cold=request.cold) for workload, mine in found.items() if mine]
    except UserError as error:
        raise UserError(f"{limits.name}: {error}") from None
    if not demands:
        names = ", ".join(workload.id for workload in asked)
        raise UserError(
            f"--limits {limits.name}: no limit speaks of {names} on device {request.device}, only of {named(limits)}: "
            "ask for one of these with --workload and --device"
        )
    return together(demands)


def _of_rounds(typed: int | None, needed: Demand) -> list[str]:
    if typed is None:
        return [f"{plural(needed.rounds, 'round')}: {needed.rounds_for}"]
    if typed >= needed.rounds:
        return []
    return [f"--processes {typed} is kept instead of {needed.rounds}: {needed.rounds_for}"]


def _of_passes(typed: int | None, usual: int, needed: Demand) -> list[str]:
    if typed is None and needed.passes > usual:
        return [f"{plural(needed.passes, 'pass')}: {needed.passes_for}"]
    if typed is None or typed >= needed.passes:
        return []
    return [f"--passes {typed} is kept instead of {needed.passes}: {needed.passes_for}"]
