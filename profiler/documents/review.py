"""A review as a person writes it in a TOML file: votes and quotes of a panel, uses to judge for, and costs."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

Short = Annotated[str, msgspec.Meta(min_length=1, max_length=120, description="text of 1 to 120 characters")]
Long = Annotated[str, msgspec.Meta(min_length=1, max_length=900, description="text of 1 to 900 characters")]
Currency = Annotated[str, msgspec.Meta(min_length=1, max_length=8, description="text such as EUR or $")]
LimitsWord = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z",
        description="the name of a ready set, or of a file beside the review",
    ),
]
DeviceId = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z",
        description="the id of a device, as `edgeprof devices` lists them",
    ),
]
Votes = Annotated[int, msgspec.Meta(ge=0, le=1_000_000, description="a whole number from 0 on")]
PanelSize = Annotated[int, msgspec.Meta(ge=1, le=1_000_000, description="a whole number from 1 on")]
Money = Annotated[float, msgspec.Meta(ge=0, le=1e9, description="a price from 0 to 1e9")]
Years = Annotated[float, msgspec.Meta(gt=0, le=100, description="years above 0, up to 100")]
Share = Annotated[float, msgspec.Meta(gt=0, le=1, description="a share above 0, up to 1")]
Watts = Annotated[float, msgspec.Meta(gt=0, le=100_000, description="watts above 0, up to 100000")]


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every table of a review is: frozen, named, and refused when a key is not known."""


class Quote(Part, frozen=True, kw_only=True):
    """What one reviewer said, in one line, and how that one voted."""

    text: Long
    author: Short
    role: Short | None = None
    verdict: Literal["ship", "skip", "undecided"] | None = None


class Hosted(Part, frozen=True, kw_only=True):
    """What somebody else takes for the same work, for a million tokens of prompt and of answer."""

    name: Short | None = None
    input_per_million: Money
    output_per_million: Money


class ReviewedModel(Part, frozen=True, kw_only=True):
    """One model: what its builds are called, what a panel found, and what is to be known of its licence.

    `match` holds ids of the catalogue, and ids or beginnings of names of builds; without it `name` is the only one.
    """

    name: Short
    match: tuple[Short, ...] = ()
    ship_votes: Votes | None = None
    panel: PanelSize | None = None
    licence: Short | None = None
    restrictions: Long | None = None
    quotes: tuple[Quote, ...] = msgspec.field(name="quote", default=())
    hosted: Hosted | None = None

    @property
    def words(self) -> tuple[str, ...]:
        """What its builds may be called."""
        return self.match or (self.name,)


class ReviewedUse(Part, frozen=True, kw_only=True):
    """Something the models might be used for. `limits` names a ready set, or a file beside the review."""

    name: Short
    limits: LimitsWord


class DeviceCost(Part, frozen=True, kw_only=True):
    """What one device costs to have. `duty_cycle` is the share of its life in which it works.

    `power_w` and `idle_power_w` are assumptions for a device whose whole power was not measured.
    """

    device_price: Money | None = None
    lifetime_years: Years | None = None
    duty_cycle: Share | None = None
    power_w: Watts | None = None
    idle_power_w: Watts | None = None


class Costs(DeviceCost, frozen=True, kw_only=True):
    """Prices in one currency: of power, of devices in general and of single ones by id, and of a hosted model."""

    currency: Currency = "EUR"
    price_per_kwh: Money | None = None
    hosted: Hosted | None = None
    devices: dict[DeviceId, DeviceCost] = msgspec.field(name="device", default_factory=dict)


class Review(Part, frozen=True, kw_only=True):
    """The whole file."""

    title: Short
    question: Long | None = None
    models: tuple[ReviewedModel, ...] = msgspec.field(name="model")
    uses: tuple[ReviewedUse, ...] = msgspec.field(name="use", default=())
    cost: Costs | None = None
