"""The command line as a whole: which commands there are, and how every error ends."""

from __future__ import annotations

import os
import sys

import typer

from profiler import __version__
from profiler.cli.devices import devices
from profiler.cli.doctor import doctor
from profiler.cli.report import report
from profiler.cli.run import run
from profiler.errors import ExitCode, UserError

app = typer.Typer(
    name="edgeprof",
    help="How fast a language model runs on this device, and how sure that is. Nothing is sent anywhere.",
    epilog="Example: edgeprof run model.gguf",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"edgeprof {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Show the version."
    ),
) -> None:
    pass


app.command()(run)
app.command()(report)
app.command()(devices)
app.command()(doctor)


def main() -> int:
    """Run the command of `sys.argv`. Every user error ends as one sentence and its exit code."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    try:
        app()
    except UserError as error:
        sys.stderr.write(f"edgeprof: {printable(str(error))}\n")
        return error.exit_code
    except BrokenPipeError:
        sys.stderr.close()
        return ExitCode.DONE
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    return ExitCode.DONE


def printable(text: str) -> str:
    """One line without control characters, however hostile the name in it."""
    return "".join(c if c.isprintable() else "?" for c in " ".join(text.split("\n")))
