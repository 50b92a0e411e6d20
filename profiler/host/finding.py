"""One thing that a look at this machine found."""

from __future__ import annotations

from typing import Literal

import msgspec

Status = Literal["ok", "warn", "missing", "info"]


class Finding(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was seen, why it matters and what to type or do.

    `code` is a subject and a name: `measure.energy`, `disturb.governor`, `engine.llama-cpp`, `note.memlock`.
    `warn` would disturb a measurement now, `missing` cannot be had here, `info` is worth knowing.
    """

    code: str
    status: Status
    seen: str
    why: str | None = None
    advice: str | None = None
