"""The state of the board over workers: what it was at their starts and ends, what moved, and what cannot be read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from profiler.runfile import Board, Worker

UNITS: Mapping[str, str] = {
    "governor": "",
    "cpu_clock": "Hz",
    "gpu_clock": "Hz",
    "npu_clock": "Hz",
    "dram_clock": "Hz",
    "gpu_load": "",
    "npu_load": "",
    "power_mode": "",
    "throttled_now": "",
    "throttled_since_boot": "",
    "throttle_count": "",
    "temperature": "C",
    "fan": "rpm",
    "power_source": "",
    "huge_pages": "",
    "zram": "bytes",
    "quota_throttled": "ns",
}
"""The topics of a report and the units of their numbers. What is asked of a clock stands beside the clock."""

ASKED = "_asked"
GROWING = ("throttle_count", "quota_throttled")
"""Counters since start-up: what happened during a worker is a difference."""

MODES = {"governor": "governor", "power_mode": "power mode", "power_source": "power source"}
"""Topics that a user or a system chooses, as they are called: what changes in them changes the device."""

NOTHING = "no"
"""The word of a source that has nothing to tell."""

LARGEST = 2**63
"""No counter and no clock of a board is beyond it."""

Value = int | float | str
Readings = Mapping[str, Value]
Pair = tuple[Readings, Readings]
"""What was said of one topic before a worker and after it, by part."""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One part at one moment of several workers: the range of its numbers, and its words."""

    low: float | None
    high: float | None
    words: list[str]


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One part of a topic: what was asked for, what was read at the starts and at the ends of the workers.

    `grew` is how far a counter moved during all workers together, `new` the words that came up during one of them.
    """

    part: str
    asked: Seen | None
    start: Seen | None
    end: Seen | None
    grew: float | None
    new: list[str]


class Topic(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one topic, part by part."""

    topic: str
    unit: str
    parts: list[Part]


class BoardState(msgspec.Struct, frozen=True, kw_only=True):
    """The board over some workers. `unreadable` has the topics that no worker could read, with the reason."""

    workers: int
    topics: list[Topic]
    unreadable: dict[str, str]


def board_state(workers: Iterable[Worker]) -> BoardState | None:
    """The board over these workers; None where its state was not read."""
    read = [worker for worker in workers if boards(worker)]
    if not read:
        return None
    found = [_topic(topic, unit, read) for topic, unit in UNITS.items()]
    topics = [topic for topic in found if topic.parts]
    known = {topic.topic for topic in topics}
    reasons = {
        topic: why for worker in read for board in boards(worker) for topic, why in board.unreadable.items()
    }
    unreadable = {topic: reasons[topic] for topic in UNITS if topic in reasons and topic not in known}
    return BoardState(workers=len(read), topics=topics, unreadable=unreadable)


def boards(worker: Worker) -> list[Board]:
    """What was read before and after this worker."""
    return [board for board in (worker.board_before, worker.board_after) if board is not None]


def pairs(workers: Iterable[Worker], topic: str) -> list[Pair]:
    """What each worker's boards say of one topic, before it and after it; nothing where they say nothing."""
    return [(_said(worker.board_before, topic), _said(worker.board_after, topic)) for worker in workers]


def _said(board: Board | None, topic: str) -> Readings:
    told = board.readings.get(topic, {}) if board else {}
    return {part: value for part, value in told.items() if isinstance(value, str) or abs(value) <= LARGEST}


def _topic(topic: str, unit: str, workers: Sequence[Worker]) -> Topic:
    told, asked = pairs(workers, topic), pairs(workers, topic + ASKED)
    names = dict.fromkeys(part for pair in (*told, *asked) for side in pair for part in side)
    parts = [
        Part(
            part=name,
            asked=_seen(side.get(name) for pair in asked for side in pair),
            start=_seen(before.get(name) for before, _ in told),
            end=_seen(after.get(name) for _, after in told),
            grew=_grew(name, told) if topic in GROWING else None,
            new=new_words(name, told),
        )
        for name in names
    ]
    return Topic(topic=topic, unit=unit, parts=parts)


def _seen(told: Iterable[Value | None]) -> Seen | None:
    values = [value for value in told if value is not None]
    numbers = [value for value in values if not isinstance(value, str)]
    words = dict.fromkeys(value for value in values if isinstance(value, str))
    if not values:
        return None
    return Seen(low=min(numbers, default=None), high=max(numbers, default=None), words=list(words))


def _grew(part: str, told: Sequence[Pair]) -> float | None:
    steps = [step for pair in told if (step := growth(part, pair)) is not None]
    return sum(steps) if steps else None


def growth(part: str, pair: Pair) -> float | None:
    """How far a counter moved during one worker; None where it was not read on both sides."""
    before, after = (side.get(part) for side in pair)
    if before is None or after is None or isinstance(before, str) or isinstance(after, str):
        return None
    return max(0, after - before)


def new_words(part: str, told: Iterable[Pair]) -> list[str]:
    """The words that a part says after a worker and did not say before it."""
    found = [
        word
        for before, after in told
        if part in before
        for word in words_of(after.get(part))
        if word not in words_of(before[part])
    ]
    return list(dict.fromkeys(found))


def words_of(value: Value | None) -> list[str]:
    """The words of a reading such as "under-voltage, throttled"; none of "no" or of a number."""
    return [word for word in value.split(", ") if word != NOTHING] if isinstance(value, str) else []
