"""The state of the board as a few labelled lines: asked and measured, start and end, what moved, what is unreadable."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

from profiler.analyse.board import GROWING, Part, Seen, Topic
from profiler.analyse.report import Report
from profiler.render import format as fmt

HEADING = "Board, before the workers -> after them"

LABELS: Mapping[str, str] = {
    "governor": "governor",
    "cpu_clock": "CPU clock",
    "gpu_clock": "GPU clock",
    "npu_clock": "NPU clock",
    "dram_clock": "memory clock",
    "gpu_load": "GPU load",
    "npu_load": "NPU load",
    "power_mode": "power mode",
    "throttled_now": "throttled",
    "throttled_since_boot": "since start-up",
    "throttle_count": "slowed down",
    "temperature": "temperature",
    "fan": "fan",
    "power_source": "power",
    "huge_pages": "huge pages",
    "zram": "zram",
    "quota_throttled": "CPU quota",
}
"""What topics are called, in the order of the lines."""

NAMED = ("temperature", "fan", "huge_pages", "zram")
"""Topics whose parts are different things, so that their names are told even where they say the same."""

LOADS = ("gpu_load", "npu_load")
"""Shares from 0 to 1."""

IN_BYTES = " bytes"
"""How a part that is a size is called, among others that are none."""

UNITS = {"Hz": " MHz", "C": " C", "rpm": " rpm"}

NOT_OFFERED = "not offered here"
"""How a reason ends where a file is not there; which one is told by JSON."""

MOST_PARTS, MOST_NAMED, LONGEST_REASON, LONGEST_WORDS = 6, 3, 60, 80


def lines(report: Report) -> list[tuple[str, str]]:
    """Label and text of each topic that was read, and one line of those that were not; nothing of a run without."""
    if report.board is None:
        return []
    told = [(LABELS[topic.topic], _topic(topic)) for topic in report.board.topics]
    told.append(("not readable", _unreadable(report.board.unreadable)))
    return [(label, fmt.plain(text)) for label, text in told if text]


def _topic(topic: Topic) -> str:
    """What the parts say, those together that say the same."""
    same: dict[str, list[str]] = {}
    for part in topic.parts:
        text = _grown(topic, part) if topic.topic in GROWING else _moved(topic, part)
        if text:
            same.setdefault(text, []).append(part.part)
    if len(same) == 1 and topic.topic not in NAMED:
        return next(iter(same))
    told = [f"{_names(parts)} {text}" for text, parts in same.items()]
    more = [f"{len(told) - MOST_PARTS} more"] if len(told) > MOST_PARTS else []
    return "; ".join([*told[:MOST_PARTS], *more])


def _names(parts: Sequence[str]) -> str:
    more = len(parts) - MOST_NAMED
    named = ", ".join(part.removesuffix(IN_BYTES) for part in parts[:MOST_NAMED])
    return named + (f" and {more} more" if more > 0 else "")


def _moved(topic: Topic, part: Part) -> str:
    unit = "bytes" if part.part.endswith(IN_BYTES) else topic.unit
    sides = [_range(topic, side, unit) for side in (part.start, part.end) if side is not None]
    measured = " -> ".join(dict.fromkeys(sides))
    asked = f"asked {_range(topic, part.asked, unit)}" if part.asked else ""
    if asked:
        measured = f"measured {measured}" if measured else "the measured one is not readable"
    return ", ".join(text for text in (asked, measured) if text)


def _range(topic: Topic, seen: Seen, unit: str) -> str:
    """Lowest to highest, and the words: a clock may be "off" at times."""
    words = [textwrap.shorten(word, LONGEST_WORDS, placeholder=" ...") for word in seen.words[:MOST_NAMED]]
    if seen.low is None or seen.high is None:
        return " / ".join(words)
    low, high = _number(topic, seen.low, unit), _number(topic, seen.high, unit)
    shown = UNITS.get(unit, "")
    return " / ".join([f"{low}{shown}" if low == high else f"{low} to {high}{shown}", *words])


def _number(topic: Topic, value: float, unit: str) -> str:
    if unit == "Hz":
        return f"{value / 1e6:.0f}"
    if unit == "bytes":
        return fmt.size(value)
    return fmt.percent(value) if topic.topic in LOADS else f"{value:.0f}"


def _grown(topic: Topic, part: Part) -> str:
    """Counters since start-up: only what they counted meanwhile is of interest."""
    if part.grew is None:
        return ""
    if topic.unit == "ns":
        return f"held back for {fmt.number(part.grew / 1e6)} ms" if part.grew else "not held back"
    return f"{part.grew:.0f} times" if part.grew else "not while the workers ran"


def _unreadable(reasons: Mapping[str, str]) -> str:
    """Topics of one reason together."""
    same: dict[str, list[str]] = {}
    for topic, why in reasons.items():
        short = NOT_OFFERED if why.endswith(NOT_OFFERED) else why
        same.setdefault(textwrap.shorten(short, LONGEST_REASON, placeholder=" ..."), []).append(LABELS[topic])
    return "; ".join(f"{', '.join(labels)} ({why})" for why, labels in same.items())
