"""What a panel's votes say of everybody who might have voted."""

from __future__ import annotations

import math

import msgspec

SMALL_PANEL = 30
"""Below so many votes the interval is wider than most differences between models."""

_Z = 1.959963984540054


class Panel(msgspec.Struct, frozen=True, kw_only=True):
    """Votes to ship, and the share with its 95% interval. `small` says that the panel is too small to tell much."""

    ship_votes: int
    votes: int
    share: float
    low: float
    high: float
    small: bool


def panel(ship_votes: int, votes: int) -> Panel:
    """The share of votes to ship with its Wilson score interval (E. B. Wilson 1927), as of a random sample.

    The bounds are the shares p whose distance to what was seen is z standard errors at p itself:
    (k + z^2/2 +- z sqrt(k (n - k) / n + z^2/4)) / (n + z^2). They stay within 0 and 1 for any panel.
    """
    centre = ship_votes + _Z**2 / 2
    reach = _Z * math.sqrt(ship_votes * (votes - ship_votes) / votes + _Z**2 / 4)
    return Panel(
        ship_votes=ship_votes,
        votes=votes,
        share=ship_votes / votes,
        low=max(0.0, (centre - reach) / (votes + _Z**2)),
        high=min(1.0, (centre + reach) / (votes + _Z**2)),
        small=votes < SMALL_PANEL,
    )
