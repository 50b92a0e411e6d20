"""`edgeprof capture`: this machine's kernel files in one scrubbed file, to look into, to send, to replay."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from profiler.host.capture import Captured

DEFAULT = Path("edgeprof-capture.tar.gz")
MOST_SHOWN = 10
KINDS = {
    "group": "name of a control group",
    "id": "serial number or identifier",
    "ip": "network address",
    "mac": "hardware address",
    "name": "host or user name",
    "uuid": "UUID",
    "value": "line with a private key word",
}


def capture(
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="A new file: .tar.gz or .zip.")
    ] = DEFAULT,
) -> None:
    """Write what describes this machine to one file, without names, numbers and addresses. Sends nothing.

    Example: edgeprof capture -o my-board.tar.gz
    """
    from profiler.host.capture import capture as read_machine
    from profiler.host.capture import save

    captured = read_machine()
    save(captured, output)
    for line in summary(captured):
        typer.echo(line)
    from profiler.render.format import plain

    typer.echo(
        f"\nWritten to {plain(str(output))}. Nothing was sent. Look into it before you give it to anybody."
    )


def summary(captured: Captured) -> list[str]:
    """What was taken, what was replaced in it and what was left out, as lines for the screen."""
    width = max(map(len, captured.taken), default=0)
    lines = ["Taken", *(f"  {pattern:<{width}}  {count}" for pattern, count in captured.taken.items())]
    replaced = [f"  {KINDS.get(kind, kind)}: {count}" for kind, count in captured.replaced.items()]
    lines += ["", "Replaced", *(replaced or ["  nothing had to be"])]
    if captured.left_out:
        more = len(captured.left_out) - MOST_SHOWN
        lines += ["", "Left out", *(f"  {reason}" for reason in captured.left_out[:MOST_SHOWN])]
        lines += [f"  and {more} more"] if more > 0 else []
    return lines
