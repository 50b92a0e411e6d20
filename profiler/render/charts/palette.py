"""The colours of charts, for light and for dark surfaces.

A chart is drawn in the light colours, so that any viewer shows it, and `RULES` tie each of them to a custom property of
the page. Six colours start from Okabe and Ito's set; those of it that are too pale on white or too dark on black are
replaced by ones found by search, so that every pair stays apart with any kind of colour vision, and all have a contrast
of 3:1 and more on their surface.
"""

from __future__ import annotations

from collections.abc import Mapping

PAGE_LIGHT = {"ink": "#1b1f24", "muted": "#5b6570", "line": "#d9dee3", "surface": "#ffffff"}
PAGE_DARK = {"ink": "#e6e9ec", "muted": "#9aa4ae", "line": "#2f363d", "surface": "#14171a"}
"""Text, quiet text, rules and background; a page defines them for itself."""

LIGHT = {
    "c1": "#0072b2",
    "c2": "#d55e00",
    "c3": "#009e73",
    "c4": "#9b3671",
    "c5": "#72531a",
    "c6": "#42227d",
}
DARK = {
    "c1": "#56b4e9",
    "c2": "#e0661a",
    "c3": "#8de8c4",
    "c4": "#b0709f",
    "c5": "#fbc543",
    "c6": "#7a7cf0",
}

CLASS = "edgeprof-chart"
DRAWN_IN = PAGE_LIGHT | LIGHT
INK, MUTED, LINE, SURFACE = (PAGE_LIGHT[name] for name in ("ink", "muted", "line", "surface"))
COLOURS = tuple(LIGHT.values())


def declared(tokens: Mapping[str, str]) -> str:
    """Custom properties as CSS: --c1:#0072b2;..."""
    return "".join(f"--{name}:{colour};" for name, colour in tokens.items())


def schemes(light: Mapping[str, str], dark: Mapping[str, str]) -> str:
    """The properties for a light page, and for a dark screen; paper is light."""
    return (
        f":root{{{declared(light)}}}"
        f"@media screen and (prefers-color-scheme:dark){{:root{{{declared(dark)}}}}}"
    )


RULES = "".join(
    f'.{CLASS} [{attribute}="{colour}"]{{{attribute}:var(--{name})}}'
    for name, colour in DRAWN_IN.items()
    for attribute in ("fill", "stroke")
)
"""Marks of a chart take the colours of the page."""

CSS = schemes(LIGHT, DARK) + RULES
"""What a page with charts includes beside its own --ink, --muted, --line and --surface."""

STANDALONE = schemes(DRAWN_IN, PAGE_DARK | DARK) + RULES
"""The style of a picture that stands alone."""
