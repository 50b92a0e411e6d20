"""`edgeprof models`: the models there are, those in local stores, and what a file or folder is by its own contents."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from profiler.errors import UserError, nearest

if TYPE_CHECKING:
    from rich.console import RenderableType

    from profiler.catalogue.models import ModelProfile
    from profiler.cli.model_list import Wanted

SCHEMA = "edgeprof.models/1"
FORMATS = ("json", "terminal")

Words = Annotated[
    list[str] | None,
    typer.Argument(metavar="PATH|WORD", help="Files or folders to describe; or an id, or parts of it."),
]
Arch = Annotated[str | None, typer.Option(help="Only models of this architecture, as GGUF names it.")]
MaxParams = Annotated[str | None, typer.Option(help="Only models of up to so many parameters: 8B.")]
Licence = Annotated[
    str | None,
    typer.Option("--licence", "--license", help="Only models whose licence has this in its name."),
]
Local = Annotated[
    bool,
    typer.Option("--local", help="List what Hugging Face, Ollama, LM Studio, llama.cpp and edgeprof keep."),
]
Context = Annotated[
    int, typer.Option(min=1, max=1 << 30, help="Tokens in the KV cache when a token's bytes are counted.")
]
Format = Annotated[str, typer.Option("-f", "--format", help="terminal or json.")]
Profiles = Annotated[
    Path | None, typer.Option(metavar="FOLDER", help="A folder of your own models (*.toml).")
]


def models(
    words: Words = None,
    arch: Arch = None,
    max_params: MaxParams = None,
    licence: Licence = None,
    local: Local = False,
    context: Context = 4096,
    output: Format = "terminal",
    profiles: Profiles = None,
) -> None:
    """List models, or describe a GGUF file or ONNX folder from its own contents: types, bits, bytes for a token.

    Example: edgeprof models model.gguf model-onnx
    """
    if output not in FORMATS:
        raise UserError(f"-f {output}: no such format; {nearest(output, FORMATS)}")
    from profiler.cli.model_list import Wanted
    from profiler.cli.values import count

    most = None if max_params is None else count("--max-params", max_params)
    wanted = Wanted(words=tuple(words or ()), architecture=arch, most_parameters=most, licence=licence)
    if local:
        _show_stores(wanted, output)
    elif any(map(_is_path, wanted.words)):
        _show_files(wanted, context, output)
    else:
        _show_catalogue(wanted, profiles, output)


def _is_path(word: str) -> bool:
    """Whether this is a path: something is there, or it is spelt as only paths are."""
    return os.path.lexists(word) or os.sep in word or word.lower().endswith((".gguf", ".onnx"))


def _show_files(wanted: Wanted, context: int, output: str) -> None:
    from profiler.builds.identify import identify
    from profiler.cli.model_details import described, table_of_found

    if wanted.filters:
        raise UserError(
            "--arch, --max-params and --licence choose from a list; leave them out to describe files"
        )
    found = identify(wanted.words)
    if output == "json":
        _print_json({"models": [described(model, context) for model in found]})
    else:
        _print(*_apart([table_of_found(model, context) for model in found]))


def _show_catalogue(wanted: Wanted, folder: Path | None, output: str) -> None:
    from profiler.catalogue.models import load_models
    from profiler.cli.model_list import LEGEND, chosen, row_of_profile, table

    known = load_models(folder)
    exact = bool(wanted.words) and not wanted.filters and all(word in known for word in wanted.words)
    found = [known[word] for word in wanted.words] if exact else chosen(known.values(), wanted)
    if output == "json":
        _print_json({"catalogue": [_with_active(model) for model in found]})
    elif exact:
        from profiler.cli.model_details import table_of_profile

        _print(*_apart([table_of_profile(model) for model in found]))
    elif found:
        rows = [row_of_profile(model) for model in found]
        _print(table(rows), f"{LEGEND}; `edgeprof models ID` shows every figure and its source")
    else:
        _print(f"none of {len(known)} models has all of this")


def _with_active(model: ModelProfile) -> dict[str, Any]:
    import msgspec

    told: dict[str, Any] = msgspec.to_builtins(model)
    told["shape"]["active_parameters"] = model.shape.active_parameters
    return told


def _show_stores(wanted: Wanted, output: str) -> None:
    from profiler.builds.local import shelves
    from profiler.builds.stores import looked_in
    from profiler.cli.model_list import LEGEND
    from profiler.cli.model_stores import json_of_shelf, parts_of_shelf

    found = shelves()
    if output == "json":
        _print_json({"stores": [json_of_shelf(shelf, wanted) for shelf in found]})
    elif found:
        for shelf in found:
            _print(*parts_of_shelf(shelf, wanted), "")
        _print(f"{LEGEND}; -f json has the paths")
    else:
        _print("no store is on this machine; looked in:", *(f"  {folder}" for folder in looked_in()))


def _apart(parts: Sequence[RenderableType]) -> list[RenderableType]:
    """The parts with an empty line between each two."""
    return [line for part in parts for line in ("", part)][1:]


def _print(*parts: RenderableType) -> None:
    from rich.console import Console

    console = Console(markup=False, highlight=False, emoji=False)
    for part in parts:
        console.print(part)


def _print_json(content: dict[str, Any]) -> None:
    import msgspec

    typer.echo(msgspec.json.format(msgspec.json.encode({"schema": SCHEMA} | content), indent=2).decode())
