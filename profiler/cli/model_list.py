"""The list of models, those of the catalogue and those in local stores in the same columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import msgspec
from rich.table import Table
from rich.text import Text

from profiler.errors import UserError, nearest
from profiler.render.format import plain, size

if TYPE_CHECKING:
    from profiler.builds.identify import Found
    from profiler.catalogue.models import ModelProfile

KV_BYTES = 2
"""Bytes of one element of the key-value cache as f16."""

LEGEND = "- : not known; weights in numbers, not in bytes; KV cache as f16"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One model. `below` are lines under its name: builds with a known hash, or what kind of file it is."""

    name: str
    below: tuple[str, ...] = ()
    architecture: str | None = None
    parameters: int | None = None
    read_per_token: int | None = None
    context_tokens: int | None = None
    kv_elements: int | None = None
    licence: str | None = None


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which models are asked for: all of these words in the name, and what is not None."""

    words: tuple[str, ...] = ()
    architecture: str | None = None
    most_parameters: float | None = None
    licence: str | None = None

    @property
    def filters(self) -> bool:
        """Whether anything but words is asked."""
        return (self.architecture, self.most_parameters, self.licence) != (None, None, None)

    def takes(self, row: Row) -> bool:
        """Whether `row` is asked for. What is not known of it does not match."""
        names = " ".join([row.name, *row.below]).lower()
        return (
            all(word.lower() in names for word in self.words)
            and self.architecture in (None, row.architecture)
            and (self.most_parameters is None or (row.parameters or float("inf")) <= self.most_parameters)
            and (self.licence is None or self.licence.lower() in (row.licence or "").lower())
        )


def row_of_profile(model: ModelProfile) -> Row:
    """A model of the catalogue."""
    return Row(
        name=model.id,
        below=tuple(build.id for build in model.builds),
        architecture=model.shape.gguf_architecture,
        parameters=model.shape.parameters,
        read_per_token=model.shape.parameters_read_per_token,
        context_tokens=model.shape.context_tokens,
        kv_elements=model.shape.kv_elements_per_token,
        licence=model.licence.value if model.licence else None,
    )


def row_of_found(found: Found) -> Row:
    """A model of a local store."""
    build = found.build
    return Row(
        name=build.name,
        below=(f"{build.quantization or build.format}, {size(build.size_bytes)}",),
        architecture=build.architecture,
        parameters=build.parameters,
        read_per_token=_weights_read(found),
        context_tokens=build.context_length,
        kv_elements=build.kv_elements_per_token,
        licence=found.words.licence if found.words else None,
    )


def _weights_read(found: Found) -> int | None:
    """Weights that one token reads, from their bytes and the bits of each."""
    read, bits = found.build.read_bytes_per_token, found.build.bits_read_per_weight
    return round(8 * read / bits) if read and bits else None


def chosen(models: Iterable[ModelProfile], wanted: Wanted) -> list[ModelProfile]:
    """The models that are asked for. Raises `UserError` for a word that no name has, and an unknown architecture."""
    rows = [(row_of_profile(model), model) for model in models]
    architectures = {row.architecture for row, _ in rows if row.architecture}
    if wanted.architecture is not None and wanted.architecture not in architectures:
        near = nearest(wanted.architecture, architectures)
        raise UserError(f"--arch {wanted.architecture!r}: no model of the catalogue has it; {near}")
    for word in wanted.words:
        if not any(Wanted(words=(word,)).takes(row) for row, _ in rows):
            near = nearest(word, [row.name for row, _ in rows])
            raise UserError(f"{word!r} is no file, no folder and no part of the id of a model; {near}")
    return [model for row, model in rows if wanted.takes(row)]


def table(rows: Sequence[Row]) -> Table:
    """The rows as a table of 80 columns, where the names allow it."""
    shown = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    shown.add_column("model,\nbuilds", overflow="fold")
    for header in ("weights", "read for\na token", "context", "KV for\na token"):
        shown.add_column(header, overflow="fold", justify="right")
    shown.add_column("licence", overflow="fold")
    for row in rows:
        shown.add_row(_names(row), *map(Text, _figures(row)))
    return shown


def _names(row: Row) -> Text:
    names = Text(plain(row.name))
    for line in row.below:
        names.append(f"\n  {plain(line)}", style="dim")
    return names


def _figures(row: Row) -> tuple[str, ...]:
    return (
        number_of(row.parameters),
        number_of(row.read_per_token),
        "-" if row.context_tokens is None else f"{row.context_tokens:,}",
        "-" if row.kv_elements is None else size(row.kv_elements * KV_BYTES),
        plain(row.licence.removeprefix("LicenseRef-")) if row.licence else "-",
    )


def number_of(parameters: int | None) -> str:
    """Parameters as people say them: 8.03B, 135M."""
    if parameters is None:
        return "-"
    for unit, name in ((1e12, "T"), (1e9, "B"), (1e6, "M")):
        if parameters >= 0.9995 * unit:
            return f"{parameters / unit:.3g}{name}"
    return f"{parameters:,}"
