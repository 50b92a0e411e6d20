"""The energy of one worker's passes, and the windows of a pass that it is counted in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from profiler.analyse.energy_series import NS_PER_S, Series
from profiler.runfile import Pass, Workload

PROMPT, GENERATION = "prompt", "generation"


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """A time of one pass on the clock of the stamps, and the tokens that were worked on in it."""

    number: int
    start_ns: int
    end_ns: int
    tokens: int


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """What the windows of one kind took whose energy is known, by the number of the pass: joules, seconds, tokens.

    `updates` is how often the sensor told something new within them; of several sensors, the one that did least often
    among those that told of any energy: a battery at rest has nothing new to tell.
    """

    joules: dict[str, float] = {}
    seconds: dict[str, float] = {}
    tokens: dict[str, float] = {}
    updates: int = 0

    def per_token(self) -> float | None:
        """Joules of all windows over their tokens."""
        return _quotient(self.joules, self.tokens)

    def watts(self) -> float | None:
        """Joules of all windows over their time."""
        return _quotient(self.joules, self.seconds)


class Spent(msgspec.Struct, frozen=True, kw_only=True):
    """What the counted passes of one worker took for their prompts and for the answers."""

    prompt: Use
    generation: Use

    def of(self, kind: str) -> Use:
        """`PROMPT` or `GENERATION`."""
        return self.prompt if kind == PROMPT else self.generation


def window(done: Pass, workload: Workload, kind: str) -> Window | None:
    """The window of a pass: of the prompt s to evaluated (or t1), of the generation t1 to tn; None where there is none.

    By llama-bench's method the first token is one of those counted, and the window begins at s.
    """
    start_ns, end_ns, tokens = (
        _prompt(done, workload) if kind == PROMPT else _generation(done, workload.method == "raw")
    )
    if tokens <= 0 or end_ns <= start_ns:
        return None
    return Window(
        number=done.number, start_ns=done.start_ns + start_ns, end_ns=done.start_ns + end_ns, tokens=tokens
    )


def _prompt(done: Pass, workload: Workload) -> tuple[int, int, int]:
    first_ns = done.token_ns[0] if done.token_ns else 0
    return 0, first_ns if done.evaluated_ns is None else done.evaluated_ns, workload.prompt_tokens


def _generation(done: Pass, raw: bool) -> tuple[int, int, int]:
    if not done.token_ns:
        return 0, 0, 0
    first = (0, len(done.token_ns)) if raw else (done.token_ns[0], len(done.token_ns) - 1)
    return first[0], done.token_ns[-1], first[1]


def use(windows: Iterable[Window], sensors: Sequence[Series]) -> Use:
    """What these windows took by sensors that add up. A window that one of them leaves open is left out."""
    known: list[tuple[Window, float]] = []
    for one in windows:
        parts = [sensor.between(one.start_ns, one.end_ns) for sensor in sensors]
        told = [part for part in parts if part is not None]
        if told and len(told) == len(parts):
            known.append((one, sum(told)))
    active = [s for s in sensors if any(s.joules)] or sensors
    updates = (sum(s.updates(one.start_ns, one.end_ns) for one, _ in known) for s in active)
    return Use(
        joules={str(one.number): joules for one, joules in known},
        seconds={str(one.number): (one.end_ns - one.start_ns) / NS_PER_S for one, _ in known},
        tokens={str(one.number): one.tokens for one, _ in known},
        updates=min(updates, default=0),
    )


def _quotient(joules: dict[str, float], amounts: dict[str, float]) -> float | None:
    total = sum(amounts.values())
    return sum(joules.values()) / total if total else None
