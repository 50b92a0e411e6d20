"""`edgeprof verify`: whether a bundle is still what was made, and says what its run files say."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated

import typer

FORMATS = ("json", "terminal")

Hash = Annotated[
    str | None,
    typer.Option(metavar="HEX", help="SHA-256 of its manifest.json, as you got it by another way."),
]


def verify(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="What `edgeprof bundle` wrote.", show_default=False)
    ],
    key: Annotated[
        Path | None,
        typer.Option(metavar="PUBLIC", help="It has to be signed by this public Ed25519 key (PEM)."),
    ] = None,
    require_signature: Annotated[
        bool, typer.Option("--require-signature", help="It has to be signed, by whatever key.")
    ] = False,
    sha256: Hash = None,
    output_format: Annotated[str, typer.Option("-f", "--format", help="terminal or json.")] = "terminal",
) -> None:
    """Check every byte of a bundle and compute its tables anew. Ends with code 1 if anything differs.

    Nothing is unpacked onto the disk, and nothing in it is run.

    Example: edgeprof verify evidence.zip --key public.pem
    """
    from profiler.cli.evidence import content, told_name
    from profiler.cli.sources import read_content
    from profiler.errors import ExitCode
    from profiler.evidence.signature import public_key
    from profiler.evidence.told import lines
    from profiler.evidence.trust import Trust
    from profiler.evidence.verify import verify as check
    from profiler.render import formats, json

    name = formats.chosen(output_format, None, FORMATS)
    asked = Trust(
        key=public_key(key) if key else None,
        any_signature=require_signature,
        sha256=_hash(sha256) if sha256 is not None else None,
    )
    verified = check(told_name(file), content(file), read_content, asked)
    shown = json.encoded(verified) if name == "json" else "\n".join(lines(verified)) + "\n"
    sys.stdout.write(shown)
    if not verified.holds:
        raise typer.Exit(ExitCode.GATE_FAILED)


def _hash(text: str) -> str:
    from profiler.errors import UserError

    if re.fullmatch(r"[0-9a-fA-F]{64}", text) is None:
        raise UserError(f"--sha256 {text[:70]!r}: 64 hexadecimal digits are accepted")
    return text.lower()
