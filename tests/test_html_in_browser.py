"""The page in a real browser: it draws, sorts, asks for nothing, and fits phones, dark rooms and paper."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from playwright.sync_api import Browser, Locator, Page, sync_playwright

from profiler.analyse.report import report
from profiler.analyse.source import Source
from profiler.render import html
from profiler.runfile import Run
from tests.hand_made import hand_made
from tests.test_hostile_names import hostile

NAMES = ("chromium", "chromium-browser", "google-chrome")
WIDE, PHONE = 1280, 390
A4 = 680
"""Pixels of a sheet's width between its margins."""

DARK = "rgb(20, 23, 26)"
MARKS = """kind => [...document.querySelectorAll(`.${kind} > svg`)].map(svg =>
  [...svg.querySelectorAll('path, rect, line')]
    .map(mark => mark.getBoundingClientRect())
    .filter(at => at.width + at.height > 0).length)"""
"""For each chart the number of its marks that have any extent on the screen."""


class Opened(msgspec.Struct):
    """A page, and all that it said on the console or asked for beside its own file."""

    page: Page
    said: list[str]
    asked: list[str]

    def show(self, width: int = WIDE) -> Page:
        """As a visitor with a screen of this width sees it."""
        self.page.set_viewport_size({"width": width, "height": 900})
        self.page.emulate_media(media="screen", color_scheme="light")
        return self.page


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for all tests. A machine without any skips them, and CI fails."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        told = f"no browser is installed ({', '.join(NAMES)}): type make browser"
        pytest.fail(told) if os.environ.get("CI") else pytest.skip(told)
    with sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield started
        started.close()


def opened(browser: Browser, folder: Path, seen: Run) -> Opened:
    """The report of a run, opened from a file as from a mail."""
    file = folder / "page.html"
    file.write_text(html.render([Source(name="run.jsonl", report=report(seen), run=seen)]), "utf-8")
    page = browser.new_page()
    found = Opened(page=page, said=[], asked=[])
    page.on("console", lambda message: found.said.append(message.text))
    page.on("pageerror", lambda error: found.said.append(str(error)))
    page.on("dialog", lambda dialog: found.said.append(f"dialog {dialog.message}"))
    page.on("request", lambda request: found.asked.append(request.url))
    page.goto(file.as_uri())
    found.asked.remove(file.as_uri())
    return found


@pytest.fixture(scope="module")
def plain(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Opened:
    return opened(browser, tmp_path_factory.mktemp("plain"), hand_made())


@pytest.fixture(scope="module")
def nasty(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Opened:
    return opened(browser, tmp_path_factory.mktemp("nasty"), hostile())


def overflow(page: Page) -> int:
    """By how many pixels the page is wider than its window, with everything unfolded."""
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    found: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return found


def column(page: Page, number: int) -> list[str]:
    """A column of the first table, from above."""
    return page.locator("table").first.locator(f"tbody tr > :nth-child({number})").all_text_contents()


def head(page: Page, title: str) -> Locator:
    return page.locator("table").first.locator("thead th", has_text=title)


class TestItOpens:
    def test_without_a_word_on_the_console(self, plain: Opened) -> None:
        assert plain.said == []

    def test_without_asking_for_anything(self, plain: Opened) -> None:
        assert [url for url in plain.asked if not url.startswith("data:")] == []

    def test_small_enough_for_a_mail(self, plain: Opened) -> None:
        assert len(plain.page.content()) < 2_000_000

    def test_with_no_address_given_twice(self, plain: Opened) -> None:
        ids = plain.page.locator("[id]").evaluate_all("found => found.map(one => one.id)")
        assert len(ids) == len(set(ids))

    def test_question_answer_and_table_are_on_the_first_screen(self, plain: Opened) -> None:
        page = plain.show()
        page.evaluate("scrollTo(0, 0)")
        for words in ("h1", ".answer", "table >> nth=0"):
            box = page.locator(words).first.bounding_box()
            assert box is not None
            assert box["y"] + box["height"] < 900

    @pytest.mark.parametrize(
        ("width", "shown", "hidden"), [(WIDE, "wide", "narrow"), (PHONE, "narrow", "wide")]
    )
    def test_every_chart_is_drawn_at_the_width_of_the_screen(
        self, plain: Opened, width: int, shown: str, hidden: str
    ) -> None:
        page = plain.show(width)
        marks = page.evaluate(MARKS, shown)
        assert len(marks) >= 4
        assert min(marks) > 0
        assert not page.locator(f".{hidden} > svg").first.is_visible()


class TestTables:
    def test_are_sorted_by_a_click(self, plain: Opened) -> None:
        page = plain.show()
        head(page, "decode").get_by_role("button").click()
        assert column(page, 1) == ["r1", "r2", "r3", "r4"]
        head(page, "decode").get_by_role("button").click()
        assert column(page, 1) == ["r3", "r2", "r1", "r4"]
        assert head(page, "decode").get_attribute("aria-sort") == "descending"

    def test_are_sorted_by_the_keyboard_alone(self, plain: Opened) -> None:
        page = plain.show()
        head(page, "TTFT").get_by_role("button").focus()
        page.keyboard.press("Enter")
        assert column(page, 1) == ["r3", "r2", "r1", "r4"]
        assert head(page, "TTFT").get_attribute("aria-sort") == "ascending"
        assert head(page, "decode").get_attribute("aria-sort") == "none"
        page.keyboard.press("Space")
        assert column(page, 1) == ["r1", "r2", "r3", "r4"]

    def test_sizes_are_sorted_as_sizes(self, plain: Opened) -> None:
        page = plain.show()
        head(page, "peak memory").get_by_role("button").click()
        assert column(page, 1) == ["r2", "r3", "r1", "r4"]

    def test_what_is_equal_keeps_its_order(self, plain: Opened) -> None:
        page = plain.show()
        head(page, "row").get_by_role("button").click()
        head(page, "quant").get_by_role("button").click()
        assert column(page, 1) == ["r2", "r3", "r1", "r4"]

    def test_the_first_key_leads_to_the_answer(self, plain: Opened) -> None:
        page = plain.show()
        page.reload()
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the answer"
        assert page.locator(".skip[href]").bounding_box()["x"] >= 0  # type: ignore[index]


class TestOtherScreens:
    @pytest.mark.parametrize("width", [WIDE, 800, PHONE, 320])
    def test_the_page_never_scrolls_sideways(self, plain: Opened, width: int) -> None:
        assert overflow(plain.show(width)) == 0

    def test_on_a_phone_every_figure_of_a_row_is_there_without_scrolling_sideways(
        self, plain: Opened
    ) -> None:
        page = plain.show(PHONE)
        row = page.locator("table").first.locator("tbody tr").first
        boxes = [cell.bounding_box() for cell in row.locator("th, td").all()]
        assert len(boxes) >= 6
        assert all(box and box["x"] >= 0 and box["x"] + box["width"] <= PHONE for box in boxes)
        label = "cell => getComputedStyle(cell, '::before').content"
        assert row.locator("td.n").first.evaluate(label) == '"TTFT ms"'

    def test_no_table_scrolls_sideways_on_a_phone(self, plain: Opened) -> None:
        page = plain.show(PHONE)
        page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        wide = "found => found.filter(one => one.scrollWidth > one.clientWidth).map(one => one.ariaLabel)"
        assert page.locator(".scroll").evaluate_all(wide) == []

    def test_a_long_name_has_a_line_of_its_own_on_a_phone(self, plain: Opened) -> None:
        row = plain.show(PHONE).locator("#settings table tbody tr").first
        name, after = (row.locator("> *").nth(n).bounding_box() for n in (0, 1))
        assert name is not None
        assert after is not None
        assert name["y"] + name["height"] <= after["y"] + 1

    def test_cards_stay_tables_for_those_who_hear_them(self, plain: Opened) -> None:
        page = plain.show(PHONE)
        table = page.get_by_role("table").first
        assert table.get_by_role("row").count() == 5
        assert table.get_by_role("rowheader").all_text_contents() == ["r1", "r2", "r3", "r4"]

    @pytest.mark.parametrize("width", [WIDE, PHONE])
    def test_each_chart_is_one_image_with_its_title_and_its_sentence(self, plain: Opened, width: int) -> None:
        page = plain.show(width)
        chart = page.get_by_role("img", name="Time to first token", exact=True)
        assert chart.count() == 1
        assert page.locator(f"#{chart.get_attribute('aria-describedby')}").text_content() == (
            "r3 answers first: 456 ms (451 to 461)."
        )

    def test_between_phone_and_desk_tables_scroll_alone_and_keep_their_first_column(
        self, plain: Opened
    ) -> None:
        page = plain.show(720)
        scroll = page.locator(".scroll").first
        first = scroll.locator("tbody th").first
        before = first.bounding_box()
        assert scroll.evaluate("one => { one.scrollLeft = 20; return one.scrollLeft }") == 20
        assert before is not None
        assert first.bounding_box() == before

    def test_dark_rooms(self, plain: Opened) -> None:
        page = plain.show()
        page.emulate_media(color_scheme="dark")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == DARK

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_all_text_stands_out_from_its_ground(self, plain: Opened, scheme: str) -> None:
        """A contrast of 4.5 to 1, as WCAG asks for at level AA."""
        page = plain.show()
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        tokens = ("ink", "muted", "accent", "ship", "skip", "undecided")
        read = "name => getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim()"
        surfaces = [page.evaluate(read, name) for name in ("surface", "raised")]
        low = min(contrast(page.evaluate(read, token), surface) for token in tokens for surface in surfaces)
        assert low >= 4.5

    def test_paper_is_white_and_shows_what_is_folded(self, plain: Opened) -> None:
        page = plain.show()
        page.emulate_media(media="print", color_scheme="dark")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert not page.locator("nav").is_visible()
        page.set_viewport_size({"width": A4, "height": 900})
        assert overflow(page) == 0
        assert page.locator(".wide > svg").first.is_visible()
        page.evaluate("for (const one of document.querySelectorAll('details')) one.open = false")
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert page.evaluate("[...document.querySelectorAll('details')].every(one => one.open)")


def contrast(one: str, other: str) -> float:
    """The ratio of two colours' luminances by WCAG 2."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


class TestHostileNames:
    def test_do_nothing(self, nasty: Opened) -> None:
        assert nasty.said == []
        assert [url for url in nasty.asked if not url.startswith("data:")] == []

    def test_make_no_element(self, nasty: Opened) -> None:
        page = nasty.show()
        assert page.locator("script").count() == 1
        assert page.locator("main img, main iframe, main [onerror], main [onload]").count() == 0
        links = page.locator("a[href]").evaluate_all("links => links.map(one => one.getAttribute('href'))")
        assert [link for link in links if not link.startswith("#")] == []

    def test_are_read_as_they_are(self, nasty: Opened) -> None:
        assert "<script>alert(1)</script>" in nasty.show().locator("h1").inner_text()

    @pytest.mark.parametrize("width", [WIDE, PHONE])
    def test_do_not_widen_the_page(self, nasty: Opened, width: int) -> None:
        assert overflow(nasty.show(width)) == 0
