"""A report as one page of HTML: it asks the network for nothing, and runs only the script it carries."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path

from profiler.analyse.shipping import Verdicts
from profiler.analyse.source import Source
from profiler.errors import UserError
from profiler.render.answer import answer
from profiler.render.charts import charts, palette
from profiler.render.html import definitions, grids, opening, sections
from profiler.render.html.parts import Block, Page, Part, Section
from profiler.render.question import question

FOLDER = Path(__file__).parent


def render(sources: Sequence[Source], verdicts: Verdicts | None = None) -> str:
    """The whole page. Raises `UserError` where a package of the extra `charts` is missing."""
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
    except ImportError as error:
        raise UserError(
            f"HTML reports need jinja2, which cannot be imported ({error}): type pip install 'edgeprof[charts]'"
        ) from None
    from markupsafe import Markup

    from profiler.render.html.flags import unbroken

    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["unbroken"] = unbroken
    script = (FOLDER / "page.js").read_text("utf-8")
    return environment.get_template("page.html.jinja").render(
        page=page(sources, verdicts),
        style=Markup((FOLDER / "page.css").read_text("utf-8") + palette.CSS),  # noqa: S704
        script=Markup(script),  # noqa: S704
        script_hash=b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        drawn=Markup,
        numbers=grids.of_table,
    )


def page(sources: Sequence[Source], verdicts: Verdicts | None) -> Page:
    """Everything that the page shows."""
    several = len(sources) > 1
    return Page(
        kicker=opening.kicker(sources),
        question=question(sources, verdicts),
        answer=answer(sources, verdicts),
        first=opening.first(sources, verdicts),
        parts=[_part(source, n if several else None) for n, source in enumerate(sources, 1)],
        shared=[_defined(sources)],
    )


def _part(source: Source, number: int | None) -> Part:
    """A source; of several, each has a number that tells its sections apart, and its own first tables."""
    found = sections.of_source(source, charts(source), "" if number is None else f"{number}-")
    summary = opening.summary(source)
    own = [] if number is None else [_measured(source, number)]
    return Part(id=f"source-{number or 1}", title=summary, sections=[*own, *found])


def _measured(source: Source, number: int) -> Section:
    return Section(id=f"{number}-measured", title="Measured", blocks=opening.headline(source))


def _defined(sources: Sequence[Source]) -> Section:
    found: list[Block] = definitions.blocks([source.report for source in sources])
    return Section(id="definitions", title="How each figure is defined", blocks=found)
