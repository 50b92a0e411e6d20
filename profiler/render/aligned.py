"""Columns of styled text, padded to one width each. Rich's own tables take seconds for a thousand rows."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

GAP = 3


def aligned(columns: Sequence[Sequence[Text]], indent: int = 0) -> list[Text]:
    """One line for each row of these columns, which are all of one length."""
    widths = [max((cell.cell_len for cell in column), default=0) for column in columns]
    starts = [indent + sum(widths[:n]) + GAP * n for n in range(len(columns))]
    return [_line(row, starts) for row in zip(*columns, strict=True)]


def _line(cells: Sequence[Text], starts: Sequence[int]) -> Text:
    line, end = Text(no_wrap=True, overflow="ignore"), 0
    for cell, start in zip(cells, starts, strict=True):
        if cell.plain:
            line.append(" " * (start - end)).append_text(cell)
            end = start + cell.cell_len
    return line


def widest(lines: Sequence[Text]) -> int:
    """How many columns of the terminal these lines take."""
    return max((line.cell_len for line in lines), default=0)
