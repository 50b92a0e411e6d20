"""Models beside each other as one page of HTML: no script, nothing loaded, everything from a file escaped."""

from __future__ import annotations

from pathlib import Path

from profiler.analyse.side_by_side import SideBySide
from profiler.errors import UserError
from profiler.render.side_by_side.page import page

_HERE = Path(__file__).parent


def render(found: SideBySide) -> str:
    """The page. Raises `UserError` where jinja2 is missing."""
    try:
        from jinja2 import Environment, StrictUndefined
    except ImportError:
        raise UserError("a page of HTML takes jinja2: type pip install 'edgeprof[charts]'") from None
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string((_HERE / "page.html.jinja").read_text("utf-8"))
    return template.render(page=page(found), style=(_HERE / "page.css").read_text("utf-8")) + "\n"
