"""From a description by Altair to a piece of SVG: drawn by vl-convert, then rebuilt from what a picture needs.

No script, no address, no class and no style of the library is left: only the elements and attributes named here.
Geometry is fixed beforehand, so the fonts of the machine that draws do not move anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import msgspec

from profiler.errors import UserError
from profiler.render.charts.palette import INK, LINE, MUTED, SURFACE

SMALL, TEXT = 11, 12
"""Sizes of text in pixels."""

PER_CHARACTER = 7.2
"""Width of a character of `SMALL` text in pixels, in the widest of usual fonts."""

FONT = "system-ui, sans-serif"
HALO = {"stroke": SURFACE, "stroke-width": "3", "stroke-linejoin": "round", "paint-order": "stroke"}
"""What keeps text readable where lines run below it."""

CONFIG: dict[str, Any] = {
    "background": None,
    "font": FONT,
    "view": {"stroke": None},
    "aria": True,
    "axis": {
        "aria": False,
        "domain": False,
        "ticks": False,
        "grid": False,
        "labelColor": MUTED,
        "labelFontSize": SMALL,
        "labelOverlap": False,
        "labelPadding": 6,
        "titleColor": MUTED,
        "titleFontSize": SMALL,
        "titleFontWeight": "normal",
        "titlePadding": 6,
        "gridColor": LINE,
    },
    "text": {"fontSize": TEXT, "fill": INK, "baseline": "middle"},
}

KEPT = {
    "g": {"transform"},
    "path": {"d", "transform"},
    "line": {"transform", "x2", "y2"},
    "rect": {"x", "y", "width", "height", "transform"},
    "text": {"transform", "text-anchor", "font-size", "font-weight"},
    "tspan": {"x", "dy"},
}
PAINT = {
    "fill": None,
    "stroke": None,
    "stroke-width": "1",
    "stroke-dasharray": None,
    "stroke-linecap": "butt",
    "opacity": "1",
    "fill-opacity": "1",
    "stroke-opacity": "1",
}
"""Attributes of any element, with the value that needs no saying."""

_DECIMALS = re.compile(r"-?\d*\.\d+(?:e-?\d+)?")


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """The plot and the space around it, in pixels."""

    width: int
    height: int
    left: int = 0
    right: int = 0
    top: int = 8
    bottom: int = 8

    @property
    def whole(self) -> tuple[int, int]:
        """Width and height with the space around."""
        return self.left + self.width + self.right, self.top + self.height + self.bottom


def vega() -> Any:
    """Altair, or `UserError` with what to type where it or vl-convert is missing."""
    try:
        import altair
        import vl_convert  # noqa: F401
    except ImportError:
        raise UserError(
            "charts are drawn by altair and vl-convert-python, which are not installed here: "
            "pip install 'edgeprof[charts]'"
        ) from None
    return altair


@contextmanager
def unchecked() -> Iterator[None]:
    """Within it Altair does not check what it is told, which takes longer than to draw it: the tests draw it all."""
    alt = vega()
    from altair.utils.schemapi import debug_mode

    with debug_mode(False), alt.data_transformers.enable(consolidate_datasets=False):
        yield


def table(values: Sequence[Mapping[str, Any]]) -> Any:
    """Data of a chart. Altair copies a list with every chart that it becomes a part of, and a tuple never."""
    return vega().Data(values=tuple(values))


def drawn(layers: Sequence[Any], frame: Frame) -> Element:
    """One plot of these charts over each other, as a group of SVG whose origin is the corner of its frame.

    They become one chart here: Altair's own way copies each of them several times, which takes longer than to draw.
    """
    import vl_convert

    spec = {
        "$schema": vega().SCHEMA_URL,
        "width": frame.width,
        "height": frame.height,
        "autosize": "none",
        "padding": {"left": frame.left, "right": frame.right, "top": frame.top, "bottom": frame.bottom},
        "layer": [layer.to_dict(validate=False, context={"top_level": False}) for layer in layers],
    }
    svg: str = vl_convert.vegalite_to_svg(spec, config=CONFIG, allowed_base_urls=[])
    return _group([_rebuilt(child) for child in ElementTree.fromstring(svg)])  # noqa: S314


def _group(children: Sequence[Element | None]) -> Element:
    group = Element("g")
    group.extend(child for child in children if child is not None)
    return group


def _rebuilt(element: Element) -> Element | None:
    """The element with what is known of it, and all within it; None for what nobody sees."""
    name = element.tag.rpartition("}")[2]
    if name not in KEPT or element.get("display") == "none" or element.get("d") == "":
        return None
    if name == "path" and element.get("class") == "background":
        return None
    rebuilt = Element(name, _attributes(name, element.attrib))
    rebuilt.text = element.text
    if element.get("aria-label") and element.get("role") == "graphics-symbol" and name != "g":
        ElementTree.SubElement(rebuilt, "title").text = element.get("aria-label")
    rebuilt.extend(child for child in map(_rebuilt, element) if child is not None)
    return None if name == "g" and not len(rebuilt) else _without_idle_group(rebuilt)


def _attributes(name: str, found: Mapping[str, str]) -> dict[str, str]:
    kept = {key: _rounded(value) for key, value in found.items() if key in KEPT[name]}
    painted = {key: value for key, value in found.items() if key in PAINT and value != PAINT[key]}
    halo = HALO if name == "text" and found.get("fill") != SURFACE else {}
    return {key: value for key, value in (kept | painted | halo).items() if value != "translate(0,0)"}


def _rounded(value: str) -> str:
    """Tenths of a pixel are finer than any eye."""
    return _DECIMALS.sub(lambda found: f"{float(found[0]):.1f}".removesuffix(".0"), value)


def _without_idle_group(element: Element) -> Element:
    """A group that says nothing of its own stands aside for its only child."""
    return element[0] if element.tag == "g" and not element.attrib and len(element) == 1 else element
