"""No name from a file can do anything but be read, in any format."""

from __future__ import annotations

import csv
import html
import io
import json
import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from profiler.analyse.report import report
from profiler.render import formats, markdown
from profiler.render.csv import COLUMNS, inert
from profiler.render.markdown_room import folded
from profiler.runfile import Run
from profiler.telemetry.protocol import TOPICS
from tests.rendering import EVERY_FORMAT, rendered
from tests.run_builder import BOARD, board, build, case, failed, metered, rounds, run, sensor, text

NASTY = (
    "\x1b[31m|<script>alert(1)</script>[x](javascript:y)![i](https://e.org)\u202egnp\nwww.e.org &amp; `$=1+1"
)

FOLDS = ("details", "summary")


def hostile_board() -> dict[str, Any]:
    """Every topic by a nasty part with a nasty word, and one that is not readable for a nasty reason."""
    told: dict[str, Any] = {topic: {NASTY: NASTY, "b": 1} for topic in TOPICS if topic != "fan"}
    return {"board_before": board(**told), "board_after": board(1, {"fan": NASTY}, **told)}


def hostile() -> Run:
    asked = text(NASTY)
    cases = [
        case("=r1" + NASTY, NASTY, workload=asked, engine=NASTY, target="@" + NASTY, **{"-" + NASTY: NASTY}),
        case("+r2" + NASTY, "b" + NASTY, workload=asked, engine="e", target="t", **{"-" + NASTY: 3}),
        case("r3", NASTY, workload=text("other"), engine="e", target="t", **{"-" + NASTY: None}),
        case("r4", NASTY, workload=asked, engine="e", target="t", **{"-" + NASTY: False}),
    ]
    facts = {"versions": {NASTY: NASTY}, "system": NASTY}
    return run(
        cases,
        *(rounds(c.id, [10, 11], facts=facts) for c in cases[:3]),
        [metered(cases[0].id, n, **hostile_board()) for n in range(2, 4)],
        [failed("r4", 0, "crashed", NASTY), failed("r3", 2, "crashed", NASTY)],
        builds=[build(NASTY, NASTY, name=NASTY), build("b" + NASTY, None, name="=" + NASTY)],
        device=msgspec.structs.replace(BOARD, id=NASTY, name=NASTY, cpu=NASTY),
        environment={"governors": [NASTY], "hypervisor": NASTY, "container": NASTY},
        sha256={NASTY: NASTY},
        sensors=[sensor("rapl", source="=" + NASTY, name=NASTY, note=NASTY)],
        no_sensor={NASTY: NASTY},
        ended=NASTY,
    )


HOSTILE = report(hostile(), "=r1" + NASTY)


class TestHostileNames:
    @pytest.mark.parametrize("name", EVERY_FORMAT)
    def test_no_character_moves_the_cursor_or_the_reading_direction(self, name: str) -> None:
        assert "".join(rendered(HOSTILE, name).split("\n")).isprintable()

    def test_markdown_makes_no_element_of_them(self) -> None:
        page = (
            MarkdownIt("commonmark", {"html": True})
            .enable("table")
            .render(formats.render(HOSTILE, "markdown"))
        )
        ours = {"h2", "h3", "table", "thead", "tbody", "tr", "th", "td", "ul", "li", "p", "strong", *FOLDS}
        assert set(re.findall(r"<(\w+)", page)) == ours
        for table in page.split("<table>")[1:]:
            cells = [
                len(re.findall("<t[hd][ >]", line)) for line in table.split("</table>")[0].split("<tr>")[1:]
            ]
            assert len(set(cells)) == 1

    def test_markdown_makes_no_address_of_them(self) -> None:
        shown = formats.render(HOSTILE, "markdown")
        assert "https://" not in shown
        assert "www.e" not in shown

    def test_csv_makes_no_formula_and_no_column_of_them(self) -> None:
        lines = list(csv.reader(io.StringIO(formats.render(HOSTILE, "csv"))))
        assert {len(line) for line in lines} == {len(COLUMNS)}
        names = [COLUMNS.index(name) for name in ("row", "target", "engine", "build", "settings", "failure")]
        assert not any(line[n].startswith(("=", "+", "-", "@")) for line in lines for n in names)

    def test_json_gives_them_back_as_they_were(self) -> None:
        found = json.loads(formats.render(HOSTILE, "json"))
        assert found["rows"][0]["id"] == "=r1" + NASTY
        assert found["rows"][0]["settings"] == {"-" + NASTY: NASTY}
        assert found["rows"][3]["failure"] == {"kind": "crashed", "message": NASTY}

    @given(st.text())
    def test_any_text_is_only_text_in_markdown(self, text: str) -> None:
        shown = MarkdownIt("commonmark", {"html": True}).render(f"{markdown.escape(f'x{text}x')}\n")
        told = "".join(c if c.isprintable() else "?" for c in text)
        said = shown.removeprefix("<p>").removesuffix("</p>\n").replace("<!-- -->", "")
        assert html.unescape(said) == f"x{told}x"

    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("@ann", "@<!-- -->ann"), ("ann@e.org", "ann@<!-- -->e.org"), ("see #12", "see \\#<!-- -->12"),
            ("e/e#1", "e/e\\#<!-- -->1"), ("a@www.e.org", "a@<!-- -->www\\.e.org"),
            ("chat@1", "chat@1"), ("pp512@d4096", "pp512@d4096"), ("#r2", "\\#r2"),
        ],
    )  # fmt: skip
    def test_no_name_calls_anybody_or_becomes_an_address(self, text: str, shown: str) -> None:
        """Somebody named in a pull request is told of it, and a backslash does not prevent that."""
        assert markdown.escape(text) == shown
        assert shown.replace("\\", "") in folded(text, [])

    @given(st.text())
    def test_any_line_of_text_stays_one_item_of_its_list(self, text: str) -> None:
        shown = MarkdownIt("commonmark", {"html": True}).render(f"- {markdown.escape(text)}\n- end\n")
        assert (shown.count("<ul>"), shown.count("<ol"), shown.count("<li>")) == (1, 0, 2)

    @given(st.text())
    def test_any_text_is_no_formula(self, text: str) -> None:
        assert not inert(text).lstrip().startswith(("=", "+", "-", "@"))

    def test_a_line_that_is_parted_by_semicolons_has_no_formula_either(self) -> None:
        """Where a comma is the decimal sign, spreadsheets part lines by semicolons."""
        assert inert("threads=2;=1+1; @x;kv=f16") == "threads=2;'=1+1;' @x;kv=f16"
