"""`edgeprof models`: what a model file or folder on this machine is, by its own contents."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from profiler.errors import UserError, nearest

if TYPE_CHECKING:
    from rich.table import Table

    from profiler.builds.identify import Found
    from profiler.runfile import Build

SCHEMA = "edgeprof.models/1"
FORMATS = ("json", "terminal")


def models(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="GGUF files and ONNX folders.", show_default=False)
    ],
    output: Annotated[str, typer.Option("-f", "--format", help="terminal or json.")] = "terminal",
) -> None:
    """Describe models from their own contents: quantization, bits and bytes read for a token, engines that run them.

    Example: edgeprof models model.gguf model-onnx
    """
    if output not in FORMATS:
        raise UserError(f"-f {output}: no such format; {nearest(output, FORMATS)}")
    from profiler.builds.identify import identify

    found = identify([str(path) for path in paths])
    if output == "json":
        typer.echo(_json(found))
        return
    from rich.console import Console

    console = Console(markup=False, highlight=False, emoji=False)
    for number, model in enumerate(found):
        console.print(*([""] if number else []), _table(model))


def _json(models: list[Found]) -> str:
    import msgspec

    shown = [
        msgspec.to_builtins(model.build) | {"layout": model.layout, "engines": engines_of(model.build)}
        for model in models
    ]
    return msgspec.json.format(msgspec.json.encode({"schema": SCHEMA, "models": shown}), indent=2).decode()


def engines_of(build: Build) -> list[str]:
    """The engines that read this format."""
    from profiler.engines.table import ENGINES

    return [name for name, entry in ENGINES.items() if build.format in entry.formats]


def _table(model: Found) -> Table:
    from rich.table import Table
    from rich.text import Text

    from profiler.render.format import plain

    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0), title_justify="left")
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    table.add_row(Text("model"), Text(plain(model.build.name), style="bold"))
    for label, value in _facts(model):
        table.add_row(Text(label), Text(plain(value)))
    return table


def _facts(model: Found) -> list[tuple[str, str]]:
    """What is known, label and text; what the file does not tell is said so."""
    from profiler.analyse.agreement import summary

    build = model.build
    found = [
        ("format", _format(model)),
        ("architecture", build.architecture),
        ("parameters", f"{build.parameters:,}" if build.parameters else None),
        ("quantization", build.quantization),
        ("bits per weight", _bits(build)),
        ("weights", _size(build.weights_bytes)),
        ("read for a token", _size(build.read_bytes_per_token)),
        ("KV cache", _cache(build)),
        ("context", f"{build.context_length:,} tokens" if build.context_length else None),
        ("size", _size(build.size_bytes)),
        ("engines", ", ".join(engines_of(build))),
    ]
    agreement = summary(build)
    return [(label, text or "not told by the file") for label, text in found] + (
        [("agreement", agreement)] if agreement else []
    )


def _format(model: Found) -> str:
    graph = f", graph {model.build.graph}" if model.build.graph else ""
    return model.build.format + graph + (f", folder as {model.layout} lays it out" if model.layout else "")


def _size(count: int | None) -> str | None:
    from profiler.render.format import size

    return None if count is None else size(count)


def _bits(build: Build) -> str | None:
    if build.bits_per_weight is None:
        return None
    read = f", {build.bits_read_per_weight:.2f} read for a token" if build.bits_read_per_weight else ""
    return f"{build.bits_per_weight:.2f} stored{read}"


def _cache(build: Build) -> str | None:
    if build.kv_elements_per_token is None:
        return None
    kind = f", as {build.kv_type}" if build.kv_type else ", in the type that the engine is told"
    return f"{build.kv_elements_per_token:,} elements for each token{kind}"
