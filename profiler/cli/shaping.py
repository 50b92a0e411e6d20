"""What `edgeprof build shape` does, step by step: plan the file, write it or a folder of it, and say what it is."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import typer

from profiler.builds.gguf import is_gguf
from profiler.builds.identify import identify
from profiler.builds.model_file import shown_name
from profiler.builds.shapes.from_file import of_file
from profiler.builds.shapes.header import data_bytes, write_hollow
from profiler.builds.shapes.mixes import mix_named
from profiler.builds.shapes.planning import ShapeFile, of_catalogue
from profiler.catalogue.models import ModelProfile, load_model
from profiler.cli.building import aside, check_directly, write_directly
from profiler.cli.ending import as_interrupts
from profiler.cli.progress import Progress, progress
from profiler.errors import UserError, nearest
from profiler.render import format as fmt
from profiler.runfile import RandomWeights

FORMATS = ("gguf", "onnx")


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """The parameters of the command."""

    model: str
    format: str
    quantization: str | None
    layers: int | None
    experts: int | None
    output: Path | None


def make(wanted: Wanted) -> None:
    """Make the shape that is wanted, and say what it is. Raises `UserError`."""
    if wanted.format not in FORMATS:
        raise UserError(f"--format {wanted.format}: {nearest(wanted.format, FORMATS)}")
    planned, name = _planned(wanted)
    output = wanted.output or Path(name + (".gguf" if wanted.format == "gguf" else "-onnx"))
    with as_interrupts(), progress() as shown:
        if wanted.format == "onnx":
            _write_folder(planned, output, shown)
        else:
            _write_file(planned, output, shown)
    for line in _told(planned, output):
        typer.echo("".join(letter if letter.isprintable() else "?" for letter in line))


def _planned(wanted: Wanted) -> tuple[ShapeFile, str]:
    """The file, and a name for it."""
    source = Path(wanted.model)
    if is_gguf(source):
        if wanted.experts is not None:
            raise UserError("--experts goes with a model of the catalogue: a file keeps its experts")
        planned = of_file(source, wanted.quantization, wanted.layers)
        words = [source.stem] + ([mix_named(wanted.quantization)] if wanted.quantization is not None else [])
    else:
        model = _model(wanted.model)
        mix = model.shape.usual_mix if wanted.quantization is None else wanted.quantization
        planned = of_catalogue(model.shape, model.name, mix, wanted.layers, wanted.experts)
        words = [model.id, mix_named(mix)]
    return planned, "-".join([*words, *_cut_words(planned.random), "shape"])


def _cut_words(random: RandomWeights) -> Iterator[str]:
    if random.layers < random.of_layers:
        yield f"{random.layers}-layers"
    if random.experts != random.of_experts:
        yield f"{random.experts}-experts"


def _model(name: str) -> ModelProfile:
    if name.lower().endswith(".gguf") or Path(name).is_dir():
        raise UserError(
            f"{shown_name(Path(name))} is no GGUF file; name one, or a model of `edgeprof models`"
        )
    return load_model(name)


def _write_file(planned: ShapeFile, path: Path, shown: Progress) -> None:
    try:
        from profiler.builds.shapes.write import write_random
    except ModuleNotFoundError as error:
        raise UserError(f"{error.name} is not installed: pip install 'edgeprof[gguf]'") from None
    write_random(path, planned.metadata, planned.tensors, planned.known, shown.bytes)


def _write_folder(planned: ShapeFile, folder: Path, shown: Progress) -> None:
    """The ONNX folder of the file, which is written beside it and removed."""
    with aside(folder) as unfinished, _place_beside(unfinished) as place:
        source = Path(place) / "shape.gguf"
        _check_onnx(planned, source)
        _write_file(planned, source, shown)
        write_directly(source, unfinished, shown)


def _check_onnx(planned: ShapeFile, source: Path) -> None:
    """Refuse, before the file is written, what would be refused once it is there."""
    write_hollow(source, planned.metadata, planned.tensors)
    check_directly(source)
    source.unlink()
    needed, free = 2 * data_bytes(planned.tensors), shutil.disk_usage(source.parent).free
    if needed > free:
        raise UserError(
            f"an ONNX folder takes a GGUF file first, about {fmt.size(needed)} in all, and {fmt.size(free)} are free: "
            "make room, or choose fewer --layers"
        )


def _place_beside(unfinished: Path) -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(dir=unfinished.parent, prefix=".edgeprof-")


def _told(planned: ShapeFile, output: Path) -> Iterator[str]:
    (found,) = (item.build for item in identify([str(output)]))
    bits = f", {found.bits_per_weight:.2f} bits per weight" if found.bits_per_weight is not None else ""
    yield f"{output}: {fmt.size(found.size_bytes)}, {found.quantization}{bits}"
    yield from _kept(planned)
    yield "All weights, biases and routers are random: its speed and memory are a model's, its answers are noise"
    yield f"Next: edgeprof run {output}"


def _kept(planned: ShapeFile) -> Iterator[str]:
    random = planned.random
    cut = random.layers < random.of_layers
    aside = ", experts aside" if random.experts != random.of_experts else ""
    off = (
        f"; the types of a layer take {planned.bytes_off:+.1%} bytes against the model{aside}" if cut else ""
    )
    yield f"Layers: {random.layers} of {random.of_layers}{off}"
    if random.experts is not None:
        yield f"Experts: {random.experts} of {random.of_experts}"
