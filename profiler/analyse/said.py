"""What an engine or a machine said of itself, taken only in the type that is expected."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

Said = Mapping[str, Any]


def number(said: Said, name: str) -> float | None:
    """A finite number, or None."""
    value = said.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if math.isfinite(value) else None


def text(said: Said, name: str) -> str | None:
    """A text that is not empty, or None."""
    value = said.get(name)
    return value if isinstance(value, str) and value else None


def texts(said: Said, name: str) -> list[str]:
    """The texts of a list, or none."""
    value = said.get(name)
    return [item for item in value if isinstance(item, str)] if isinstance(value, list | tuple) else []


def part(said: Said, name: str) -> Said:
    """What is said under this name, or nothing."""
    value = said.get(name)
    return value if isinstance(value, dict) else {}
