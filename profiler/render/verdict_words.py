"""What a verdict says, in plain words. Terminal and Markdown lay it out."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import msgspec

from profiler.analyse.amounts import amount
from profiler.analyse.judged import Judged, Word
from profiler.analyse.limit_metrics import LIMITABLE
from profiler.analyse.plural import plural
from profiler.analyse.shipping import Judgement, Verdicts
from profiler.render import format as fmt

LONGEST_STORY = 300
MOST_NAMED = 8
"""Rows in the line that answers; the blocks below have the others."""

TITLES = ("limit", "value", "interval", "margin", "verdict")
RULE = (
    "a row ships if every limit is kept by the whole interval, and is skipped if one is broken by the whole interval; "
    "a bound of a 95% interval is wrong in 2.5% of cases, so a false ship is at most that likely, a false skip that "
    "for each limit; it speaks of this machine in these minutes, and of memory as the largest seen"
)


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One limit in words, in the order of the table's columns."""

    limit: str
    value: str
    interval: str
    margin: str
    word: str


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """One row: its word, what it is, its limits, and the story of what is beside them."""

    word: str
    heading: str
    lines: list[Line]
    stories: list[str]
    turn: list[str]


def question(found: Verdicts) -> str:
    """Title and question in one line."""
    return _shortened(f"{found.title}: {found.question}")


def answer(found: Verdicts) -> str:
    """One line: which rows ship, and how many do not."""
    judgements = found.judgements
    if not judgements:
        return (
            "Undecided: no row is one that these limits speak of; "
            f"`edgeprof run` with --limits {fmt.plain(found.limits)} measures those."
        )
    ships = [item for item in judgements if item.word is Word.SHIP]
    if len(ships) == len(judgements):
        verb = "keeps" if len(ships) == 1 else "keep"
        return f"Ship: {_all(len(ships))} {verb} every limit{_by(ships)}."
    rest = [_rest(judgements, word) for word in (Word.SKIP, Word.UNDECIDED)]
    others = ", ".join(filter(None, rest))
    if not ships:
        return f"{found.word.value.capitalize()}: {others}; none ships."
    names = ", ".join(f"{_name(item, found)}{_by([item])}" for item in ships[:MOST_NAMED])
    more = f" and {len(ships) - MOST_NAMED} more" if len(ships) > MOST_NAMED else ""
    verb = "ships" if len(ships) == 1 else "ship"
    return f"{len(ships)} of {plural(len(judgements), 'row')} {verb}: {names}{more}; {others}."


def _all(count: int) -> str:
    return "the one row" if count == 1 else f"all {count} rows"


def _by(ships: Sequence[Judgement]) -> str:
    """What a ship rests on, where that was not measured."""
    others = [item for item in ships if item.basis != "measured"]
    if not others:
        return ""
    bases = " and ".join(sorted({fmt.plain(item.basis) for item in others}))
    share = "" if len(others) == len(ships) else f"{len(others)} of them "
    return f" ({share}by {bases} figures)"


def _rest(judgements: Sequence[Judgement], word: Word) -> str:
    count = sum(item.word is word for item in judgements)
    told = {Word.SKIP: "to skip", Word.UNDECIDED: "undecided"}[word]
    return f"{plural(count, 'row')} {told}" if count else ""


def _name(item: Judgement, found: Verdicts) -> str:
    several = len({other.source for other in found.judgements}) > 1
    return fmt.plain(f"{item.source} {item.row}" if several else item.row)


def blocks(found: Verdicts) -> list[Block]:
    """Every judged row, in the order of the files and their rows."""
    return [_block(item, found) for item in found.judgements]


def _block(item: Judgement, found: Verdicts) -> Block:
    settings = [f"{name} {fmt.setting(value)}" for name, value in item.settings.items()]
    made = ", ".join([item.build, item.engine, *settings])
    stories = [_shortened(item.why)] if _says_more(item) else []
    if item.basis != "measured":
        more = ": as if the model fitted in memory" if item.basis == "extrapolated" else ""
        stories.append(fmt.plain(f"rests on figures that are {item.basis}, not measured here{more}"))
    return Block(
        word=item.word.value,
        heading=fmt.plain(f"{_name(item, found)}  {made}; {_asked(item)} on {item.device_name}"),
        lines=[_line(one) for one in item.judged],
        stories=stories,
        turn=[_shortened(text) for text in item.turn],
    )


def _says_more(item: Judgement) -> bool:
    """Whether the sentence is more than the words of its limits."""
    return item.word is not Word.SHIP and not any(one.limit in item.why for one in item.judged)


def _asked(item: Judgement) -> str:
    return f"{item.workload} ({item.prompt_tokens} in, {item.output_tokens} out)"


def _line(one: Judged) -> Line:
    return Line(
        limit=fmt.plain(one.limit),
        value="-" if one.value is None else amount(one.value, one.unit),
        interval=_interval(one),
        margin=_margin(one),
        word=one.word.value,
    )


def _interval(one: Judged) -> str:
    """Or what a limit was judged on without one."""
    if one.low is None and one.high is None:
        return "-" if one.word is Word.UNDECIDED else fmt.plain(one.reason)
    if one.high is None:
        return f"from {amount(one.low or 0.0, one.unit)}, open above"
    if one.low is None:
        return f"up to {amount(one.high, one.unit)}"
    return f"{fmt.number(one.low)} to {amount(one.high, one.unit)}"


def _margin(one: Judged) -> str:
    if one.margin is None:
        return "-"
    return f"{fmt.percent(abs(one.margin))} {'inside' if one.margin >= 0 else 'beyond'}"


def reasons(found: Verdicts) -> list[str]:
    """Why each limit is what it is, where its file says so."""
    judged = [one for item in found.judgements for one in item.judged if one.why]
    told = {one.limit: f"{LIMITABLE[one.metric].label}, {one.limit}: {one.why}" for one in judged}
    return [_shortened(text) for text in told.values()]


def not_judged(found: Verdicts) -> list[str]:
    """Rows that no limit speaks of, and uses that no row is."""
    return [_shortened(text) for text in found.unmatched]


def cells(line: Line) -> list[str]:
    """In the order of the table's columns."""
    return list(msgspec.structs.astuple(line))


def turn_title(word: str) -> str:
    """What the advice of a row with this word is for."""
    return "to turn it" if word == Word.SKIP.value else "to decide it"


def _shortened(text: str) -> str:
    return textwrap.shorten(fmt.plain(text), LONGEST_STORY, placeholder=" ...")
