"""The files of shapes: written for a run, and removed when it is over."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import typer
from msgspec.structs import replace

from profiler.builds.identify import identify
from profiler.builds.shapes.header import data_bytes, write_hollow
from profiler.builds.shapes.planning import ShapeFile, of_catalogue
from profiler.builds.shapes.write import write_random
from profiler.catalogue.models import ModelProfile
from profiler.cli.ending import as_interrupts
from profiler.cli.shape_choice import Chosen, Wish, assumptions, choose
from profiler.cli.swept_folder import swept_folder
from profiler.errors import UserError
from profiler.host.kernel_files import HERE
from profiler.measure.layer_counts import Room, room_of
from profiler.measure.request import Shaped


@contextlib.contextmanager
def shapes_of(
    words: Sequence[str], models: Mapping[str, ModelProfile], wishes: Mapping[str, Wish], room: Room | None
) -> Iterator[tuple[list[str], list[Shaped]]]:
    """The words with the files of shapes in the place of models, which are gone when the block ends however it does.

    `room` is that of the board which measures them.
    """
    with as_interrupts(), swept_folder("shapes") as folder:
        chosen = [choose(model, wishes[word], _room(folder, room)) for word, model in models.items()]
        made = {one.model.id: _made(one, folder, hollow=wishes[one.model.id].hollow) for one in chosen}
        placed = [list(map(str, made[word].shapes)) if word in made else [word] for word in words]
        yield [path for paths in placed for path in paths], list(made.values())


def _room(folder: Path, board: Room | None) -> Room:
    """That of this machine, or of a board: what is measured there has to lie on our disk too."""
    free = shutil.disk_usage(folder).free
    if board is not None:
        return replace(board, disk_bytes=min(free, board.disk_bytes))
    return room_of(HERE, free)


def _made(one: Chosen, folder: Path, *, hollow: bool) -> Shaped:
    """The files of a model's shapes, and that of all of it, which has no data."""
    model, shape = one.model, one.model.shape
    paths = {folder / f"{model.id}-{one.mix}-{count}of{shape.layers}.gguf": count for count in one.counts}
    for path, count in paths.items():
        file = of_catalogue(shape, model.id, one.mix, count, one.experts)
        if hollow:
            _write_hollow(path, file)
        else:
            typer.echo(f"writing {path.name}, {data_bytes(file.tensors) / 2**30:.2f} GiB", err=True)
            write_random(path, file.metadata, file.tensors, file.known, _silent)
            _on_the_disk(path)
    whole = folder / f"{model.id}-{one.mix}.gguf"
    _write_hollow(whole, of_catalogue(shape, model.id, one.mix, None, None))
    (full,) = identify([str(whole)])
    return Shaped(
        full=full.build,
        path=whole,
        model=model.id,
        mix=one.mix,
        layers=shape.layers,
        layer_period=shape.layer_period,
        leading_dense_layers=shape.leading_layers,
        experts=one.experts,
        shapes=paths,
        assumed=assumptions(one),
    )


def _on_the_disk(path: Path) -> None:
    """Nothing of it is still to be written when the first worker starts."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _write_hollow(path: Path, file: ShapeFile) -> None:
    """A file with its header, and a hole for its data."""
    try:
        write_hollow(path, file.metadata, file.tensors)
    except OSError as error:
        raise UserError(
            f"{path.parent} takes no file of this size ({error.strerror}): use another disk"
        ) from None


def _silent(_what: str, _done: int, _total: int) -> None:
    """It is written at the speed of the disk: one line for each file says enough."""
