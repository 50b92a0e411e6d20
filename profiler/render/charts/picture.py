"""A whole picture: plots below each other, their key, and what it says to those who do not see it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

import msgspec

from profiler.render.charts.drawing import FONT, PER_CHARACTER, SMALL, Frame, drawn
from profiler.render.charts.palette import CLASS, MUTED

KEY_HEIGHT, SWATCH = 20, 22

HATCHES = {
    "rising": "M0,6L6,0M-1,1L1,-1M5,7L7,5",
    "falling": "M0,0L6,6M-1,5L1,7M5,-1L7,1",
    "dotted": "M2,3h2",
    "level": "M0,3H6",
}
"""Patterns of 6 pixels that are laid over a colour, so that it need not be told from others."""


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of a key: a sample of the mark as the attributes of a path around (11, 0), and its meaning."""

    paths: list[dict[str, str]]
    text: str


class Piece(msgspec.Struct, frozen=True):
    """A group of SVG and its height in pixels."""

    group: Element
    height: int

    @classmethod
    def of(cls, layers: Sequence[Any], frame: Frame) -> Piece:
        """A plot of these charts over each other, drawn."""
        return cls(drawn(layers, frame), frame.whole[1])


def key(entries: Sequence[Key], width: int) -> Piece:
    """Samples and meanings in as many lines as they need."""
    group, x, y = Element("g"), 0.0, KEY_HEIGHT / 2
    for entry in entries:
        length = SWATCH + 6 + len(entry.text) * PER_CHARACTER + 14
        if x and x + length - 14 > width:
            x, y = 0.0, y + KEY_HEIGHT
        one = SubElement(group, "g", {"transform": f"translate({x:.0f},{y:.0f})"})
        for path in entry.paths:
            SubElement(one, "path", path)
        label = SubElement(
            one, "text", {"x": f"{SWATCH + 6}", "y": "4", "font-size": f"{SMALL}px", "fill": MUTED}
        )
        label.text = entry.text
        x += length
    return Piece(group, round(y + KEY_HEIGHT / 2) + 2)


def heading(text: str) -> Piece:
    """A line above one of several plots."""
    label = Element("text", {"y": "16", "font-size": f"{SMALL}px", "fill": MUTED})
    label.text = text
    return Piece(label, 20)


def picture(pieces: Sequence[Piece], width: int, name: str, title: str, says: str) -> str:
    """One SVG of these pieces. `name` makes its ids its own among all that stand in one page."""
    ident = re.sub(r"[^A-Za-z0-9-]", "", name)
    root = Element("svg", _root(ident, width, sum(piece.height for piece in pieces)))
    SubElement(root, "title", {"id": f"{ident}-title"}).text = title
    SubElement(root, "desc", {"id": f"{ident}-desc"}).text = says
    top = 0
    for piece in pieces:
        SubElement(root, "g", {"transform": f"translate(0,{top})"}).append(piece.group)
        top += piece.height
    _hatch(root, ident)
    return ElementTree.tostring(root, encoding="unicode")


def _root(ident: str, width: int, height: int) -> dict[str, str]:
    return {
        "xmlns": "http://www.w3.org/2000/svg",
        "class": CLASS,
        "id": ident,
        "role": "img",
        "aria-labelledby": f"{ident}-title",
        "aria-describedby": f"{ident}-desc",
        "width": f"{width}",
        "height": f"{height}",
        "viewBox": f"0 0 {width} {height}",
        "font-family": FONT,
    }


def hatched(name: str) -> str:
    """The fill that a mark is given to be hatched."""
    return f"url(#{name})"


def _hatch(root: Element, ident: str) -> None:
    """Patterns that marks ask for by name, under ids of this picture."""
    wanted = {hatched(name): name for name in HATCHES}
    found = [element for element in root.iter() if element.get("fill") in wanted]
    names = sorted({wanted[element.get("fill", "")] for element in found})
    for element in found:
        element.set("fill", f"url(#{ident}-{wanted[element.get('fill', '')]})")
    definitions = Element("defs")
    for name in names:
        size = {"width": "6", "height": "6", "patternUnits": "userSpaceOnUse"}
        pattern = SubElement(definitions, "pattern", {"id": f"{ident}-{name}"} | size)
        SubElement(pattern, "path", {"d": HATCHES[name], "stroke": "#ffffff", "stroke-width": "1.4"})
    if names:
        root.insert(2, definitions)
