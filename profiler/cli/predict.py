"""`edgeprof predict`: memory and speed of a build before it is there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from profiler.cli.file_options import Format, Output

Models = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="MODEL|FILE...",
        help="Ids of models or known builds, GGUF files, ONNX folders. With --fits: models to try.",
        show_default=False,
    ),
]
Device = Annotated[str, typer.Option(help="A device profile; `this` is this machine.")]
Target = Annotated[str, typer.Option(help="cpu, or an accelerator of the device: gpu, npu or its name.")]
Quant = Annotated[
    str | None,
    typer.Option(help="Mixes of a model, such as Q4_K_M,Q8_0.", show_default="the model's usual one"),
]
Context = Annotated[
    str | None,
    typer.Option(help="Context lengths in tokens, such as 4096,32768.", show_default="4096 at most"),
]
Prompt = Annotated[
    str | None, typer.Option(help="Prompts in tokens, such as 128,2048.", show_default="128,512")
]
Depth = Annotated[
    str | None,
    typer.Option(
        help="Tokens before the one that is decoded, such as 0,4096.", show_default="0, half the context"
    ),
]
Kv = Annotated[str | None, typer.Option(help="Types of the KV cache, such as f16,q8_0.")]
Flash = Annotated[str | None, typer.Option(help="Flash attention, such as auto,off.")]
Threads = Annotated[str | None, typer.Option("-t", "--threads", help="Such as 2,4.")]
Engine = Annotated[str | None, typer.Option(help="Engines for ONNX folders, such as ort-genai,ort.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("-s", "--set", metavar="KEY=VALUE", help="Any other engine setting, such as ubatch=256."),
]
LimitsOf = Annotated[
    str | None,
    typer.Option(
        "--limits", metavar="FILE|NAME", help="Hold the figures against limits: a TOML file or a ready set."
    ),
]
Fits = Annotated[
    bool, typer.Option("--fits", help="Which models of the catalogue fit, in which mix and context.")
]
Profiles = Annotated[
    Path | None, typer.Option(metavar="FOLDER", help="A folder of your own models (*.toml).")
]


def predict(
    models: Models = None, device: Device = "this", target: Target = "cpu", quant: Quant = None,
    context: Context = None, prompt: Prompt = None, depth: Depth = None, kv: Kv = None, flash: Flash = None,
    threads: Threads = None, engine: Engine = None, setting: Settings = None, limits: LimitsOf = None,
    fits: Fits = False, profiles: Profiles = None, output_format: Format = None, output: Output = None,
) -> None:  # fmt: skip
    """Memory by the engine's own account and speed, of a model or a file that was never loaded here.

    Nothing is downloaded, and no weights are read. With --limits the exit code is that of a verdict.

    Example: edgeprof predict llama-3.1-8b --device raspberry-pi-5 --context 4096,16384
    """
    typed = locals()
    from profiler.cli.predicting import Typed, start

    start(Typed(**typed))
