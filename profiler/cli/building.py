"""What `edgeprof build onnx` does, step by step: make the folder aside, check it, put it in its place."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import msgspec
import typer

from profiler import __version__
from profiler.analyse.agreement import findings
from profiler.builds import manifest
from profiler.builds.describe import describe
from profiler.builds.gguf import is_gguf, read_header
from profiler.builds.hashes import sha256
from profiler.builds.identify import identify
from profiler.builds.manifest import Manifest, Source
from profiler.builds.model_file import is_file, is_folder, shown_name
from profiler.builds.onnx_static.lengths import Lengths
from profiler.builds.shapes.stated import random_weights
from profiler.builds.words import words_of_gguf
from profiler.cli.environment import ready
from profiler.cli.progress import Progress, progress
from profiler.cli.static_build import Fixed, refuse_others
from profiler.environments.building import build as build_in_environment
from profiler.errors import ExitCode, UserError, nearest
from profiler.host.machine import default_threads
from profiler.render import format as fmt
from profiler.runfile import Agreement

VIA = ("direct", "optimum", "genai")

Options = dict[str, str | int | bool | None]


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """The parameters of the command."""

    source: Path
    output: Path | None
    via: str
    quant: str | None
    fixed: Fixed | None = None
    check: bool
    yes: bool


def make(wanted: Wanted) -> None:
    """Make the build that is wanted, and say what it is. Raises `UserError`."""
    _refuse(wanted)
    folder = wanted.output or Path(_name(wanted))
    with progress() as shown:
        if not (wanted.check and _is_made_already(wanted, folder)):
            with aside(folder) as unfinished:
                _write(wanted, unfinished, shown)
        agreement = _checked(wanted.source, folder, shown) if wanted.check else None
    for line in _told(wanted, folder, agreement):
        typer.echo(line)
    if agreement is not None and agreement.failures:
        raise typer.Exit(ExitCode.GATE_FAILED)


def _name(wanted: Wanted) -> str:
    name = wanted.source.stem if is_file(wanted.source) else wanted.source.name
    return f"{name}-onnx" + ("-static" if wanted.fixed else "")


def _refuse(wanted: Wanted) -> None:
    if wanted.via not in VIA:
        raise UserError(f"--via {wanted.via}: {nearest(wanted.via, VIA)}")
    if wanted.fixed is not None:
        refuse_others(wanted.via, wanted.check)
    if wanted.via == "direct" and wanted.quant is not None:
        raise UserError(
            "--quant goes with --via optimum or genai: the direct way keeps the weights as they are"
        )
    if wanted.check and not is_gguf(wanted.source):
        raise UserError("--check compares with llama.cpp and needs a GGUF file as its source")
    if wanted.check and wanted.via != "direct":
        raise UserError(f"--check goes with --via direct: {wanted.via} quantizes the weights anew")
    if wanted.via == "direct" and is_folder(wanted.source):
        raise UserError(
            f"{shown_name(wanted.source)} is a folder: name a GGUF file, or use --via optimum or --via genai"
        )


def _is_made_already(wanted: Wanted, folder: Path) -> bool:
    """Whether `folder` is a direct build of this very file, so that it only needs to be checked."""
    found = manifest.read(folder)
    return found is not None and found.via == "direct" and found.source.sha256 == sha256(wanted.source)


@contextmanager
def aside(folder: Path) -> Iterator[Path]:
    """A new folder beside `folder` that takes its place when all is done, and is removed when it is not."""
    if os.path.lexists(folder):
        raise UserError(f"{folder} exists: choose another folder with -o, or remove it")
    unfinished = folder.with_name(f".{folder.name}.part")
    try:
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        yield unfinished
        unfinished.rename(folder)
    except OSError as error:
        raise UserError(
            f"{folder} cannot be written ({error.strerror}): choose another place with -o"
        ) from None
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _write(wanted: Wanted, folder: Path, shown: Progress) -> None:
    if wanted.fixed is not None:
        _write_fixed(wanted.source, folder, wanted.fixed, shown)
        return
    if wanted.via == "direct":
        write_directly(wanted.source, folder, shown)
        return
    ready(wanted.via, yes=wanted.yes)
    options = {"quant": wanted.quant} if wanted.quant else {}
    build_in_environment(wanted.via, wanted.source, folder, options, shown.say)
    name = shown_name(wanted.source)
    manifest.write(folder, Manifest(via=wanted.via, source=Source(name=name), options=dict(options)))


def check_directly(source: Path) -> None:
    """Refuse a GGUF file, whose data may be a hole, that has no ONNX folder. Raises `UserError`."""
    with _onnx_installed():
        from profiler.builds.onnx_direct.write import check
    check(source)


def write_directly(source: Path, folder: Path, shown: Progress) -> None:
    """The ONNX folder of a GGUF file with its manifest. Raises `UserError`."""
    with _onnx_installed():
        from profiler.builds.onnx_direct.write import write
    _record(source, folder, write(source, folder, shown.bytes).gguf_bits_read_per_weight)


def _write_fixed(source: Path, folder: Path, fixed: Fixed, shown: Progress) -> None:
    """The same as a pair of graphs of fixed lengths."""
    with _onnx_installed():
        from profiler.builds.onnx_static.write import write
    lengths = Lengths(chunk=fixed.chunk, past=fixed.past)
    written = write(source, folder, lengths, fixed.weights, shown.bytes)
    _record(source, folder, written.gguf_bits_read_per_weight, fixed.options())


def _record(source: Path, folder: Path, bits_read: float, options: Options | None = None) -> None:
    """The manifest of a folder with the weights of a GGUF file, of which a token reads so many bits per weight."""
    header = read_header(source)
    model = describe(header)
    manifest.write(
        folder,
        Manifest(
            via="direct",
            source=Source(
                name=shown_name(source),
                size_bytes=header.byte_size,
                sha256=sha256(source),
                quantization=model.quantization,
                architecture=model.architecture,
                bits_read_per_weight=bits_read,
                licence=words_of_gguf(header).licence,
                random_weights=random_weights(header),
            ),
            options=options or {},
            versions={"edgeprof": __version__, "onnx": version("onnx")},
        ),
    )


@contextmanager
def _onnx_installed() -> Iterator[None]:
    """Around an import: `UserError` where its library is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise UserError(f"{error.name} is not installed: pip install 'edgeprof[onnx]'") from None


def _checked(source: Path, folder: Path, shown: Progress) -> Agreement:
    """Compare the build with its source and record the result in its manifest."""
    try:
        from profiler.agreement.check import check
    except ModuleNotFoundError as error:
        raise UserError(f"{error.name} is not installed: pip install 'edgeprof[onnx]'") from None
    agreement = check(source, folder, default_threads(), shown.say)
    found = manifest.read(folder)
    assert found is not None
    manifest.write(folder, msgspec.structs.replace(found, agreement=agreement))
    return agreement


def _told(wanted: Wanted, folder: Path, agreement: Agreement | None) -> Iterator[str]:
    (found,) = (item.build for item in identify([str(folder)]))
    yield f"{folder}: {fmt.size(found.size_bytes)}, {found.quantization}"
    if found.bits_read_per_weight is not None:
        read = f"{found.bits_read_per_weight:.2f} bits read per weight"
        source = manifest.read(folder)
        before = source.source.bits_read_per_weight if source else None
        yield read + (f"; {before:.2f} in {shown_name(wanted.source)}" if before else "")
    if agreement is not None:
        yield from findings(agreement)
    yield f"Next: edgeprof run {_next(wanted, folder)}"


def _next(wanted: Wanted, folder: Path) -> str:
    """Both forms of the weights beside each other, by a workload that the build has room for."""
    if wanted.via != "direct":
        return str(folder)
    if wanted.fixed is None:
        return f"{wanted.source} {folder} --engine llama-cpp,ort-genai,ort"
    half = max(1, wanted.fixed.past // 2)
    return f"{wanted.source} {folder} --engine llama-cpp,ort -p {half} -n {half}"
