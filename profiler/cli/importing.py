"""`edgeprof import`: figures that other tools measured, as rows that say so."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from profiler.importing.assemble import Told, Tool
    from profiler.runfile import Device
    from profiler.runfile.imported import Imported

LONGEST_ID = 60

importing = typer.Typer(
    help="Take over what another tool measured, where its definitions are ours.",
    epilog="Example: edgeprof import llama-bench bench.json -o bench.jsonl",
    rich_markup_mode=None,
)

Files = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE...", help="What the tool wrote, a file for each process.", show_default=False
    ),
]
DeviceId = Annotated[
    str | None,
    typer.Option("--device", help="The machine: the id of a profile, or `this`.", show_default="as told"),
]
Model = Annotated[
    str | None, typer.Option("--model", help="Name of the only model in them.", show_default="as told")
]
Output = Annotated[
    Path,
    typer.Option("-o", "--output", help="The file to write; `edgeprof report` reads it.", show_default=False),
]


@importing.command("llama-bench")
def llama_bench(files: Files, output: Output, device: DeviceId = None, model: Model = None) -> None:
    """Take over pp and tg of llama-bench, from its json, jsonl, csv or sql.

    From three files of three processes on, rows have an interval over them.

    Example: edgeprof import llama-bench a.json b.json c.json -o bench.jsonl
    """
    from profiler.importing import llama_bench as tool

    _take_over(tool.TOOL, tool.read, files, output, device, model)


@importing.command("genai")
def genai(files: Files, output: Output, device: DeviceId = None, model: Model = None) -> None:
    """Take over what ONNX Runtime GenAI's benchmark_e2e.py measured, from its json or csv.

    The file does not say on what machine it was made: name it with --device.

    Example: edgeprof import genai genai_e2e.json --device raspberry-pi-5 --model phi-4-mini -o genai.jsonl
    """
    from profiler.importing import genai as tool

    _take_over(tool.TOOL, tool.read, files, output, device, model)


def _take_over(
    tool: Tool,
    read: Callable[[Path], Told],
    files: Sequence[Path],
    output: Path,
    device: str | None,
    model: str | None,
) -> None:
    """Write the document and say what is in it and what was refused."""
    from profiler.cli.show import write
    from profiler.importing.assemble import document, machine_of
    from profiler.runfile.imported import encoded

    _refuse_to_overwrite(output, files)
    told = [read(path) for path in files]
    found = document(tool, told, _device(device, machine_of(told)), model)
    write(output, encoded(found))
    _tell(found, output)


def _tell(found: Imported, output: Path) -> None:
    from profiler.analyse.plural import plural
    from profiler.render.format import plain
    from profiler.render.origin import refusals

    typer.echo(f"{plural(len(found.rows), 'row')} imported into {plain(output.name)}")
    for name, text in found.origin.taken.items():
        typer.echo(f"imported: {name}: {text}")
    for refused in refusals(found.origin):
        typer.echo(plain(f"not imported: {refused}"))


def _refuse_to_overwrite(output: Path, files: Sequence[Path]) -> None:
    """A file that is read is somebody's only copy."""
    from profiler.errors import UserError

    if output.exists() and any(path.exists() and path.samefile(output) for path in files):
        raise UserError(f"{output.name} is a file that is imported: write to another one with -o")


def _device(named: str | None, told: str | None) -> Device:
    """The profile that was named, or a device of no profile under the name that the tool gives it."""
    from profiler.catalogue.devices import load_device
    from profiler.errors import UserError
    from profiler.host.machine import this_machine
    from profiler.measure.start import device_of
    from profiler.runfile import THIS, Device

    if named is not None:
        return device_of(this_machine() if named == THIS else load_device(named), told)
    if told is None:
        raise UserError("these files do not say on what machine they were made: name it with --device ID")
    return Device(id=_slug(told), name=told, cpu=told)


def _slug(name: str) -> str:
    """A word that stands for a device without a profile."""
    words = "".join(c.lower() if c.isascii() and c.isalnum() else " " for c in name).split()
    return "-".join(words)[:LONGEST_ID].rstrip("-") or "device"
