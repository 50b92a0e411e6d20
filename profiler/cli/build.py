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


Source = Annotated[
    Path, typer.Argument(help="A GGUF file; with --via also a Hugging Face folder.", show_default=False)
]
OutputFolder = Annotated[
    Path | None, typer.Option("-o", "--output", help="The folder to make.", show_default="NAME-onnx")
]
Via = Annotated[
    str, typer.Option(help="direct (the same weights), optimum or genai (weights quantized anew).")
]
Quant = Annotated[
    str | None,
    typer.Option(help="With --via optimum: int8, int4 or none; with genai: int4, int8 or fp32."),
]
Static = Annotated[
    bool, typer.Option("--static", help="Graphs of fixed lengths in ordinary operators, for NPUs.")
]
Chunk = Annotated[
    int | None,
    typer.Option(min=1, help="With --static: tokens of a prompt evaluated at once.", show_default="32"),
]
Past = Annotated[
    int | None, typer.Option(min=1, help="With --static: rows of the cache.", show_default="255")
]
Weights = Annotated[
    str | None, typer.Option(help="With --static: int4 (4-bit blocks kept) or float.", show_default="int4")
]
Check = Annotated[
    bool, typer.Option("--check", help="Compare with llama.cpp on the same text; recorded in the build.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Install what --via needs without asking.")]


@build.command()
def onnx(
    source: Source, output: OutputFolder = None, via: Via = "direct", quant: Quant = None,
    static: Static = False, chunk: Chunk = None, past: Past = None, weights: Weights = None,
    check: Check = False, yes: Yes = False,
) -> None:  # fmt: skip
    """Make an ONNX folder that ONNX Runtime and ONNX Runtime GenAI run, from a GGUF file.

    The direct way carries the quantized weights over unchanged, with no torch and no download.

    With --static it is two graphs of fixed lengths, which ONNX Runtime alone runs.

    Example: edgeprof build onnx model.Q4_0.gguf --check
    """
    from profiler.cli.building import Wanted, make
    from profiler.cli.static_build import fixed

    lengths = fixed(static, chunk, past, weights)
    make(Wanted(source=source, output=output, via=via, quant=quant, fixed=lengths, check=check, yes=yes))


@build.command()
def shape(
    model: Annotated[
        str, typer.Argument(help="A model of `edgeprof models`, or a GGUF file.", show_default=False)
    ],
    format: Annotated[str, typer.Option(help="gguf or onnx.")] = "gguf",
    quant: Annotated[
        str | None,
        typer.Option(
            help="A mix that llama.cpp writes, as Q4_K_M.", show_default="the usual one, or the file's own"
        ),
    ] = None,
    layers: Annotated[
        int | None, typer.Option(min=1, help="Keep so many layers, in whole periods.", show_default="all")
    ] = None,
    experts: Annotated[
        int | None, typer.Option(min=1, help="Keep so many experts of a mixture.", show_default="all")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="The file or folder to make.", show_default="NAME-shape.gguf"),
    ] = None,
) -> None:
    """Make a file with the architecture of a model and random weights: its speed and memory without a download.

    The storage type of each tensor is the one that llama.cpp gives it.

    Example: edgeprof build shape llama-3.1-8b --layers 4
    """
    from profiler.cli.shaping import Wanted, make

    make(
        Wanted(model=model, format=format, quantization=quant, layers=layers, experts=experts, output=output)
    )
