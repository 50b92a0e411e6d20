"""When a device that is bought becomes cheaper than a hosted model, for the mix of tokens that was measured.

saving per token = hosted price - price of power, both for the same mix of prompt and answer
tokens           = price of the device / saving per token
months           = tokens / (tokens per second * duty cycle * seconds of a month)
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from profiler.analyse.cost import (
    MILLION,
    NO_POWER,
    NO_SPEED,
    OF_THE_DEVICE,
    YEAR_S,
    PowerFrom,
    Spending,
    lacking,
    power,
)
from profiler.analyse.estimate import Estimate
from profiler.analyse.spans import Span, estimate, less, over, plus, scaled
from profiler.documents.review import Hosted

MONTH_S = YEAR_S / 12


class Outcome(StrEnum):
    """How owning compares with hosting, judged on the interval."""

    PAYS = "pays off within its lifetime"
    LATE = "does not pay off within its lifetime"
    NEVER = "never: power alone costs more"
    OPEN = "undecided: no interval shows it"
    UNKNOWN = "not known"


class BreakEven(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens, prompt and answer together, after which owning is cheaper, and the months they take at this duty.

    `prompt_tokens` and `answer_tokens` are the mix, `hosted` its hosted price for a million, `power` that of our power.
    """

    outcome: Outcome
    prompt_tokens: int
    answer_tokens: int
    hosted: float | None
    power: Estimate
    tokens: Estimate
    months: Estimate
    reason: str | None = None


def break_even(spent: Spending, mix: tuple[int, int], hosted: Hosted | None) -> BreakEven:
    """For a mix of tokens of prompt and of answer."""
    reason = _unknown(spent, mix, hosted)
    if reason is not None or hosted is None or spent.prompt_tps is None or spent.answer_tps is None:
        return _absent(spent, mix, reason or NO_SPEED)
    seconds = _mixed(over(1, spent.prompt_tps), over(1, spent.answer_tps), mix)
    if seconds is None:
        return _absent(spent, mix, NO_SPEED)
    joules = _mixed(spent.prompt_j, spent.answer_j, mix)
    running = power(spent, scaled(seconds, MILLION), joules, MILLION)
    theirs = (mix[0] * hosted.input_per_million + mix[1] * hosted.output_per_million) / sum(mix)
    saving = less(theirs, running)
    tokens = over((spent.terms.device_price or 0.0) * MILLION, saving)
    months = None if tokens is None else _months(spent, tokens, seconds)
    return BreakEven(
        outcome=_outcome(spent, saving, months),
        prompt_tokens=mix[0],
        answer_tokens=mix[1],
        hosted=theirs,
        power=estimate(running, f"{spent.terms.currency} per million tokens"),
        tokens=_shown(tokens, "tokens"),
        months=_shown(months, "months"),
    )


def _unknown(spent: Spending, mix: tuple[int, int], hosted: Hosted | None) -> str | None:
    if hosted is None:
        return "the review gives no hosted price"
    if missing := lacking(spent.terms, *OF_THE_DEVICE, "price_per_kwh"):
        return missing
    if not all(mix):
        return "its workload has no prompt or no answer, so there is no mix"
    if spent.power_from is PowerFrom.UNKNOWN:
        return NO_POWER
    if spent.power_from is not PowerFrom.ASSUMED and None in (spent.prompt_j, spent.answer_j):
        return "the sensor's figure is absent for prompt or answer"
    return None


def _absent(spent: Spending, mix: tuple[int, int], reason: str) -> BreakEven:
    return BreakEven(
        outcome=Outcome.UNKNOWN,
        prompt_tokens=mix[0],
        answer_tokens=mix[1],
        hosted=None,
        power=Estimate(value=None, unit=f"{spent.terms.currency} per million tokens", reason=reason),
        tokens=Estimate(value=None, unit="tokens", reason=reason),
        months=Estimate(value=None, unit="months", reason=reason),
        reason=reason,
    )


def _mixed(prompt: Span | None, answer: Span | None, mix: tuple[int, int]) -> Span | None:
    """What one token of the mix takes, where each kind of token takes so much."""
    if prompt is None or answer is None:
        return None
    return scaled(plus(scaled(prompt, mix[0]), scaled(answer, mix[1])), 1 / sum(mix))


def _months(spent: Spending, tokens: Span, seconds: Span) -> Span:
    """Tokens times seconds each, over the seconds of a month at work; bounds multiplied at their worst."""
    factor = 1 / ((spent.terms.duty_cycle or 1.0) * MONTH_S)
    lows, highs = (tokens.low, seconds.low), (tokens.high, seconds.high)
    return Span(
        value=tokens.value * seconds.value * factor,
        low=None if lows[0] is None or lows[1] is None else lows[0] * lows[1] * factor,
        high=None if highs[0] is None or highs[1] is None else highs[0] * highs[1] * factor,
        intervals=tokens.intervals + (0 if _speed_is_in(spent) else seconds.intervals),
        provisional=tokens.provisional or seconds.provisional,
    )


def _speed_is_in(spent: Spending) -> bool:
    """Whether the price of power rests on the speed already, so that its intervals are not counted twice."""
    return spent.power_per_s + spent.idle_per_s > 0


def _outcome(spent: Spending, saving: Span, months: Span | None) -> Outcome:
    """Bounds that are not known, or provisional, decide nothing.

    Power of which only a part was seen can show that owning does not pay, never that it does.
    """
    if saving.provisional:
        return Outcome.OPEN
    if saving.high is not None and saving.high <= 0:
        return Outcome.NEVER
    if months is None or months.provisional:
        return Outcome.OPEN
    life = (spent.terms.lifetime_years or 0.0) * 12
    if months.high is not None and months.high <= life and spent.power_from is not PowerFrom.LOWER_BOUND:
        return Outcome.PAYS
    return Outcome.LATE if months.low is not None and months.low > life else Outcome.OPEN


def _shown(span: Span | None, unit: str) -> Estimate:
    if span is None:
        return Estimate(
            value=None, unit=unit, reason="as measured, power alone costs more than the hosted price"
        )
    return estimate(span, unit)
