"""What a comment on GitHub has room for: whole sections by their importance, and a line that names what is left out."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from itertools import accumulate

import msgspec

from profiler.analyse.plural import plural
from profiler.render import format as fmt

LIMIT = 65_536
"""A comment on GitHub has fewer characters than this."""

FOR_THE_REST = 1000
"""Characters kept for the line that names what is left out."""

MOST_NAMED = 8

_NAMING = re.compile(r"(?<![A-Za-z0-9])@(?=[A-Za-z0-9])|@(?=[A-Za-z0-9_.\\-]*\.[A-Za-z0-9])|#(?=[0-9])")
"""Where GitHub makes a mention, an address of mail or the number of an issue, escaped or not; not in pp512@d4096."""


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a document that is shown whole or not at all. Those of a lower `rank` find room first.

    `name` is what it is called where it is left out, and Markdown as `text` is.
    """

    name: str
    text: str
    rank: int


def fitted(sections: Sequence[Section]) -> str:
    """The sections in their order; where not all of them fit, the last line names those that are left out."""
    room, kept = LIMIT - FOR_THE_REST, set[int]()
    for number in sorted(range(len(sections)), key=lambda number: sections[number].rank):
        if len(sections[number].text) + 2 < room:
            room -= len(sections[number].text) + 2
            kept.add(number)
    shown = [section.text for number, section in enumerate(sections) if number in kept]
    missing = [section.name for number, section in enumerate(sections) if number not in kept]
    return "\n\n".join([*shown, *([_left_out(missing)] if missing else [])]) + "\n"


def _left_out(names: Sequence[str]) -> str:
    named = list(dict.fromkeys(names))
    more = [f"{len(named) - MOST_NAMED} more"] if len(named) > MOST_NAMED else []
    return (
        f"**Left out**, because a comment on GitHub has fewer than {LIMIT:,} characters: "
        f"{', '.join([*named[:MOST_NAMED], *more])}. `-f json` has all of it, `-f csv` every figure."
    )


def room_for(lines: Sequence[str], room: int) -> int:
    """How many of these lines, from the first on, fit into so many characters."""
    ends = accumulate(len(line) + 1 for line in lines)
    return sum(end <= room for end in ends)


def within(lines: Sequence[str], room: int) -> list[str]:
    """As many of these lines as there is room for, and how many are not shown."""
    kept = room_for(lines, room)
    left = [f"and {plural(len(lines) - kept, 'line')} more, which JSON has"] if kept < len(lines) else []
    return [*lines[:kept], *left]


def folded(summary: str, parts: Sequence[str]) -> str:
    """Parts that show when a reader asks for them. The blank lines make Markdown of what stands inside."""
    inside = "\n\n".join(parts)
    shown = unlinked(html.escape(fmt.plain(summary), quote=False))
    return f"<details><summary>{shown}</summary>\n\n{inside}\n\n</details>"


def unlinked(text: str) -> str:
    """The text with a comment that nobody sees where a name would call somebody or become a link."""
    return _NAMING.sub(r"\g<0><!-- -->", text)
