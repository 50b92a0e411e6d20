"""The command line as a whole: which commands there are, and how every error ends."""

from __future__ import annotations

import os
import sys
from typing import cast

import typer

from profiler import __version__
from profiler.cli.board_commands import board
from profiler.cli.build import build
from profiler.cli.bundle import bundle
from profiler.cli.calibrate import calibrate
from profiler.cli.capture import capture
from profiler.cli.compare import compare
from profiler.cli.devices import devices
from profiler.cli.doctor import doctor
from profiler.cli.explain import explain
from profiler.cli.fetch import fetch
from profiler.cli.importing import importing
from profiler.cli.models import models
from profiler.cli.predict import predict
from profiler.cli.report import report
from profiler.cli.run import run
from profiler.cli.setup import setup
from profiler.cli.verdict import verdict
from profiler.cli.verify import verify
from profiler.errors import ExitCode, UserError

_UsageError = cast("type[typer.BadParameter]", typer.BadParameter.__mro__[1])
"""What typer raises for a wrong command line; it comes from click in older versions of typer."""

SILENT = {"ORT_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1"}
"""No library that is used here reports to its makers. All but `fetch` keep Hugging Face's offline, too."""

LONGEST_SENTENCE = 2000
"""Characters of an error."""

app = typer.Typer(
    name="edgeprof",
    help="How fast a language model runs on this device, and how sure that is. Nothing is sent anywhere.",
    epilog="Example: edgeprof run model.gguf",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"edgeprof {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _options(
    context: typer.Context,
    _: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Show the version."),
) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(ExitCode.BAD_INPUT)
    if context.invoked_subcommand != "fetch":
        os.environ["HF_HUB_OFFLINE"] = "1"


app.command()(run)
app.command()(report)
app.command()(compare)
app.command()(verdict)
app.command()(explain)
app.command()(bundle)
app.command()(verify)
app.command()(devices)
app.command()(models)
app.command()(predict)
app.command()(calibrate)
app.add_typer(build, name="build")
app.add_typer(importing, name="import")
app.add_typer(board, name="board")
app.command()(fetch)
app.command()(setup)
app.command()(doctor)
app.command()(capture)


def main() -> int:
    """Run the command of `sys.argv`. Every user error ends as one sentence and its exit code."""
    os.environ |= SILENT
    try:
        code = app(prog_name="edgeprof", standalone_mode=False)
        sys.stdout.flush()
        return code or ExitCode.DONE
    except UserError as error:
        return _refuse(str(error), error.exit_code)
    except _UsageError as error:
        return _refuse(_usage(error), ExitCode.BAD_INPUT)
    except (BrokenPipeError, SystemExit):  # typer exits when the reader of a pipe has gone
        _drop_output()
        return ExitCode.DONE
    except OSError as error:
        _drop_output()
        where = error.filename or "the output"
        return _refuse(f"{where} could not be read or written: {error.strerror}", ExitCode.BAD_INPUT)
    except (KeyboardInterrupt, typer.Abort):
        return ExitCode.INTERRUPTED


def _refuse(sentence: str, code: ExitCode) -> ExitCode:
    sys.stderr.write(f"edgeprof: {printable(bearable(sentence))}\n")
    return code


def bearable(sentence: str) -> str:
    """The sentence without its middle where a name in it has megabytes: its ends say where, and what to do."""
    half = LONGEST_SENTENCE // 2
    return sentence if len(sentence) <= LONGEST_SENTENCE else f"{sentence[:half]} ... {sentence[-half:]}"


def _drop_output() -> None:
    """What is still buffered goes nowhere, so that Python does not fail on it once more while it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _usage(error: typer.BadParameter) -> str:
    said = error.format_message().rstrip(".")
    command = error.ctx.command_path if error.ctx else "edgeprof"
    return f"{said}; see {command} --help"


def printable(text: str) -> str:
    """One line without control characters, however hostile the name in it."""
    return "".join(c if c.isprintable() else "?" for c in " ".join(text.split("\n")))
