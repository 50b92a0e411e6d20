"""A chart as a file of its own: heading, background, and colours for light and for dark."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from profiler.render.charts.drawing import FONT, PER_CHARACTER, SMALL
from profiler.render.charts.palette import CLASS, INK, MUTED, STANDALONE, SURFACE

EDGE, TITLE_HEIGHT, LINE_HEIGHT = 16, 26, 16
"""Pixels around everything, of the title, and of each line of what the picture says."""


def standalone(svg: str, title: str, says: str) -> str:
    """The picture `svg` below its title and what it says."""
    width, height = (int(found) for found in re.findall(r' (?:width|height)="(\d+)"', svg)[:2])
    said = textwrap.wrap(says, int(width / PER_CHARACTER))
    top = EDGE + TITLE_HEIGHT + LINE_HEIGHT * len(said)
    head = _page(width + 2 * EDGE, top + height + EDGE)
    _words(head, title, said)
    opened = ElementTree.tostring(head, encoding="unicode").removesuffix("</svg>")
    return opened + svg.replace("<svg ", f'<svg x="{EDGE}" y="{top}" ', 1) + "</svg>\n"


def _page(width: int, height: int) -> Element:
    whole = {"width": f"{width}", "height": f"{height}"}
    place = whole | {"viewBox": f"0 0 {width} {height}"}
    page = Element(
        "svg", {"xmlns": "http://www.w3.org/2000/svg", "class": CLASS, "font-family": FONT} | place
    )
    SubElement(page, "style").text = STANDALONE
    SubElement(page, "rect", whole | {"fill": SURFACE})
    return page


def _words(page: Element, title: str, said: Sequence[str]) -> None:
    large = {"font-size": "16px", "font-weight": "600", "fill": INK}
    SubElement(page, "text", {"x": f"{EDGE}", "y": f"{EDGE + 14}"} | large).text = title
    for n, words in enumerate(said):
        place = {"x": f"{EDGE}", "y": f"{EDGE + TITLE_HEIGHT + LINE_HEIGHT * n + 8}"}
        SubElement(page, "text", place | {"font-size": f"{SMALL}px", "fill": MUTED}).text = words
