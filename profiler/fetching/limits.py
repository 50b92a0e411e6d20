"""How patient a download is, and how it tells how far it is."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

OnBytes = Callable[[str, int, int], None]
"""Gets what is being done, the bytes done so far and their total, which is 0 where it is not known."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a server may do before it is given up.

    `stall_s`: the longest wait for a byte. `tries`: so many attempts in a row may bring less than
    `enough_bytes`; between them `pause_s` is waited, longer each time. After every `checkpoint_bytes` what has
    come is made safe, so that a later command takes it up even if this one is killed.
    """

    stall_s: float = 60.0
    tries: int = 3
    pause_s: float = 1.0
    enough_bytes: int = 1 << 20
    checkpoint_bytes: int = 32 << 20
    redirects: int = 5
