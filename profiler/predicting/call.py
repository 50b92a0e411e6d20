"""One call of the engine, as its costs depend on it."""

from __future__ import annotations

import msgspec

from profiler.runfile import Settings


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One call of the engine: a prompt of `tokens` after `depth` others, or one token if `tokens` is 0.

    `kv` is the type of the KV cache, `flash` the word for flash attention, `auto` or `off`.
    """

    depth: float
    tokens: int
    ubatch: int
    threads: int
    kv: str
    flash: str

    @property
    def cache(self) -> str:
        """The kind of its terms of attention, such as f16:auto."""
        return f"{self.kv}:{self.flash}"


def call_of(settings: Settings, depth: float, tokens: int) -> Call:
    """The call with these settings of llama.cpp, for which flash attention `auto` is `on` on a CPU."""
    ubatch = min(int(str(settings[name])) for name in ("ubatch", "batch"))
    return Call(
        depth=depth,
        tokens=tokens,
        ubatch=ubatch,
        threads=int(str(settings["threads"])),
        kv=str(settings["kv"]),
        flash="off" if settings["flash"] == "off" else "auto",
    )
