"""`edgeprof bundle`: run files, plans, reports and hashes in one file that can be checked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from profiler.cli.file_options import Runs

if TYPE_CHECKING:
    from profiler.evidence.bundle import Bundle

DEFAULT = Path("edgeprof-bundle.zip")

NewFile = Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="A new file: .zip.")]
Limits = Annotated[
    str | None,
    typer.Option(help="Limits to judge by, kept in the bundle: a TOML file or a ready set, see `verdict`."),
]
Sign = Annotated[
    Path | None,
    typer.Option(
        metavar="KEY",
        help="Sign with this private Ed25519 key (PEM). Make one: openssl genpkey -algorithm ed25519 -out key.pem; "
        "an encrypted one is opened with the passphrase in EDGEPROF_KEY_PASSPHRASE.",
    ),
]


def bundle(
    runs: Runs,
    output: NewFile = DEFAULT,
    limits: Limits = None,
    sign: Sign = None,
) -> None:
    """Put run files, their plans, every report and all hashes into one file, for `edgeprof verify`.

    The same files make the same bytes. The private key is read and never kept.

    Example: edgeprof bundle run.jsonl -o evidence.zip
    """
    from profiler.cli.evidence import contents, write_new
    from profiler.cli.sources import read_content
    from profiler.documents.limits import read_limits
    from profiler.errors import UserError
    from profiler.evidence.bundle import bundle as made_of
    from profiler.evidence.contents import drawn, inputs
    from profiler.evidence.signature import private_key

    if output.suffix != ".zip":
        raise UserError(f"{output}: a bundle is written as .zip; give a name that ends so")
    key = private_key(sign) if sign else None
    judged_by = read_limits(limits) if limits is not None else None
    given = inputs([one for path in runs for one in contents(path)], read_content)
    made = made_of(given, drawn(given, judged_by), judged_by, key)
    write_new(output, made.packed)
    for line in summary(made, output):
        typer.echo(line)


def summary(made: Bundle, output: Path) -> list[str]:
    """What was written, and what was left out, as lines for the screen."""
    from profiler.render.format import plain

    left_out = [f"Not in it: {name} ({plain(why)})" for name, why in made.manifest.not_rendered.items()]
    signed = "signed" if made.manifest.signer else "not signed"
    return [
        f"Written to {plain(str(output))}: {len(made.manifest.members)} files, {signed}.",
        *left_out,
        f"SHA-256 of manifest.json: {made.sha256}",
        "Give it to whoever gets the bundle, by another way. To check: edgeprof verify " + plain(str(output)),
    ]
