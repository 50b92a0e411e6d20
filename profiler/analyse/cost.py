"""What a million tokens cost on a device that somebody owns. Plain arithmetic over measured speeds and stated prices.

    price of a second at work = price / (lifetime * duty cycle)
    price of power            = 1e6 * (joules per token) / 3.6e6 * price of a kWh
    cost of a million tokens  = 1e6 / (tokens per second) * price of a second + price of power

Between pieces of work the device idles: each second at work carries (1 - duty) / duty seconds of idle power.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from profiler.analyse.energy_figures import Energy
from profiler.analyse.estimate import Estimate
from profiler.analyse.report import Row
from profiler.analyse.spans import Span, estimate, exact, measured, over, plus, scaled
from profiler.documents.review import Costs

MILLION = 1e6
YEAR_S = 365.25 * 24 * 3600
JOULES_PER_KWH = 3.6e6

OF_THE_DEVICE = ("device_price", "lifetime_years", "duty_cycle")
"""Terms that the price of a second at work is made of."""

WHOLE_SCOPES = ("device", "board")
"""Sensors that see all of the device's power."""


NO_SPEED = "the speed was not measured"
NO_POWER = "no sensor metered it, and the review gives no power_w"


class PowerFrom(StrEnum):
    """Where the power comes from that a cost rests on."""

    MEASURED = "measured, the whole device"
    ASSUMED = "assumed by the review"
    LOWER_BOUND = "measured in part: a lower bound"
    UNKNOWN = "not known"


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What the review says of one device: its own words, or those for devices in general."""

    currency: str
    device_price: float | None
    lifetime_years: float | None
    duty_cycle: float | None
    power_w: float | None
    idle_power_w: float | None
    price_per_kwh: float | None


class Spending(msgspec.Struct, frozen=True, kw_only=True):
    """What a row takes: tokens per second, joules per token, and what a second at work costs beside them.

    `device_per_s` is the device's price, `idle_per_s` power between pieces of work (0 where `idle_w` is None), and
    `power_per_s` power at work where it is assumed and not measured.
    """

    terms: Terms
    prompt_tps: Span | None
    answer_tps: Span | None
    prompt_j: Span | None
    answer_j: Span | None
    power_from: PowerFrom
    device_per_s: float | None
    power_per_s: float
    idle_w: float | None
    idle_per_s: float


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """What a million tokens cost, and its two parts: the device, and power at work and idle."""

    total: Estimate
    device: Estimate
    power: Estimate


def terms(costs: Costs, device_id: str) -> Terms:
    """Prices for one device."""
    own = costs.devices.get(device_id)

    def either(name: str) -> float | None:
        said: float | None = getattr(own, name, None)
        general: float | None = getattr(costs, name)
        return general if said is None else said

    names = ("device_price", "lifetime_years", "duty_cycle", "power_w", "idle_power_w")
    return Terms(
        currency=costs.currency,
        price_per_kwh=costs.price_per_kwh,
        **{name: either(name) for name in names},
    )


def lacking(said: Terms, *names: str) -> str | None:
    """Which of these terms the review does not give, in words; None if it gives all."""
    missing = [name for name in names if getattr(said, name) is None]
    return f"the review gives no {', '.join(missing)}" if missing else None


def spending(row: Row, said: Terms) -> Spending:
    """What this row takes under these terms."""
    power_from = _power_from(row.energy, said)
    metered = power_from in (PowerFrom.MEASURED, PowerFrom.LOWER_BOUND)
    idle_w = _idle_w(row, said)
    kwh = said.price_per_kwh or 0.0
    assumed_w = said.power_w if power_from is PowerFrom.ASSUMED and said.power_w else 0.0
    return Spending(
        terms=said,
        prompt_tps=_figure(row, "prefill_tps", "pp_tps"),
        answer_tps=_figure(row, "decode_tps", "tg_tps"),
        prompt_j=_figure(row, "energy_j_per_prompt_token") if metered else None,
        answer_j=_figure(row, "energy_j_per_token") if metered else None,
        power_from=power_from,
        device_per_s=_device_per_s(said),
        power_per_s=assumed_w / JOULES_PER_KWH * kwh,
        idle_w=idle_w,
        idle_per_s=(idle_w or 0.0) * _idle_share(said) / JOULES_PER_KWH * kwh,
    )


def _power_from(energy: Energy | None, said: Terms) -> PowerFrom:
    if energy is not None and energy.scope in WHOLE_SCOPES:
        return PowerFrom.MEASURED
    if said.power_w is not None:
        return PowerFrom.ASSUMED
    return PowerFrom.LOWER_BOUND if energy is not None else PowerFrom.UNKNOWN


def _idle_w(row: Row, said: Terms) -> float | None:
    """Measured where the sensor sees the whole device, else what the review says; None where no share of time is."""
    if said.duty_cycle is None:
        return None
    whole = row.energy is not None and row.energy.scope in WHOLE_SCOPES
    figure = row.metrics.get("idle_power_w") if whole else None
    return figure.value if figure is not None and figure.value is not None else said.idle_power_w


def _idle_share(said: Terms) -> float:
    """Idle seconds for each second at work."""
    return (1 - said.duty_cycle) / said.duty_cycle if said.duty_cycle else 0.0


def _device_per_s(said: Terms) -> float | None:
    if said.device_price is None or said.lifetime_years is None or said.duty_cycle is None:
        return None
    return said.device_price / (said.lifetime_years * YEAR_S * said.duty_cycle)


def _figure(row: Row, *metrics: str) -> Span | None:
    """The first of these that the row has."""
    spans = (measured(row.metrics.get(metric)) for metric in metrics)
    return next((span for span in spans if span is not None and span.value > 0), None)


def price(spent: Spending, tps: Span | None, joules: Span | None) -> Price:
    """A million tokens at this speed and energy. A part that is not known is absent with its reason, as is the sum."""
    unit = f"{spent.terms.currency} per million tokens"
    seconds = None if tps is None else over(MILLION, tps)
    why_device, why_power = _no_device(spent, seconds), _no_power(spent, seconds, joules)
    device = None if why_device or seconds is None else scaled(seconds, spent.device_per_s or 0.0)
    at_work = None if why_power or seconds is None else power(spent, seconds, joules, MILLION)
    total = None
    if device is not None and at_work is not None and seconds is not None:
        rate = (spent.device_per_s or 0.0) + spent.power_per_s + spent.idle_per_s
        total = plus(scaled(seconds, rate), _energy(spent, joules, MILLION))
    return Price(
        total=_shown(total, unit, why_device or why_power),
        device=_shown(device, unit, why_device),
        power=_shown(at_work, unit, why_power),
    )


def power(spent: Spending, seconds: Span, joules: Span | None, tokens: float) -> Span:
    """The price of the power of so many tokens, which take so many seconds."""
    return plus(scaled(seconds, spent.power_per_s + spent.idle_per_s), _energy(spent, joules, tokens))


def _energy(spent: Spending, joules: Span | None, tokens: float) -> Span:
    """The price of measured energy; nothing where power is assumed."""
    kwh = spent.terms.price_per_kwh or 0.0
    return exact(0.0) if joules is None else scaled(joules, tokens / JOULES_PER_KWH * kwh)


def _shown(span: Span | None, unit: str, reason: str | None) -> Estimate:
    return Estimate(value=None, unit=unit, reason=reason) if span is None else estimate(span, unit)


def _no_device(spent: Spending, seconds: Span | None) -> str | None:
    return NO_SPEED if seconds is None else lacking(spent.terms, *OF_THE_DEVICE)


def _no_power(spent: Spending, seconds: Span | None, joules: Span | None) -> str | None:
    if seconds is None:
        return NO_SPEED
    if missing := lacking(spent.terms, "price_per_kwh"):
        return missing
    if spent.power_from is PowerFrom.UNKNOWN:
        return NO_POWER
    if joules is None and spent.power_from is not PowerFrom.ASSUMED:
        return "the sensor's figure is absent for this part"
    return None
