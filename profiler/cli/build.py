"""`edgeprof build`: other builds of a model, made on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

build = typer.Typer(
    help="Make another build of a model, on this machine.",
    epilog="Example: edgeprof build onnx model.gguf --check",
    rich_markup_mode=None,
)


@build.callback()
def _builds() -> None:
    """Keeps `onnx` a word of its own while it is the only build."""


@build.command()
def onnx(
    source: Annotated[
        Path, typer.Argument(help="A GGUF file; with --via also a Hugging Face folder.", show_default=False)
    ],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The folder to make.", show_default="NAME-onnx")
    ] = None,
    via: Annotated[
        str, typer.Option(help="direct (the same weights), optimum or genai (weights quantized anew).")
    ] = "direct",
    quant: Annotated[
        str | None,
        typer.Option(help="With --via optimum: int8, int4 or none; with genai: int4, int8 or fp32."),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Compare with llama.cpp on the same text; recorded in the build.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Install what --via needs without asking.")] = False,
) -> None:
    """Make an ONNX folder that ONNX Runtime and ONNX Runtime GenAI run, from a GGUF file.

    The direct way carries the quantized weights over unchanged, with no torch and no download.

    Example: edgeprof build onnx model.Q4_0.gguf --check
    """
    from profiler.cli.building import Wanted, make

    make(Wanted(source=source, output=output, via=via, quant=quant, check=check, yes=yes))
