"""What is asked of every build that is predicted."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from profiler.catalogue.devices import DeviceProfile
from profiler.documents.limits import Limits
from profiler.errors import UserError
from profiler.predicting.fit import Room
from profiler.runfile import Settings

USUAL_CONTEXT = 4096
USUAL_PROMPTS = (128, 512)


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of every build. None: the usual. `wanted` maps a setting to the values listed for it."""

    device: DeviceProfile
    target: str
    room: Room
    wanted: dict[str, list[str]]
    engines: list[str]
    contexts: list[int] | None = None
    prompts: list[int] | None = None
    depths: list[int] | None = None
    usual_contexts: tuple[int, ...] = (USUAL_CONTEXT,)
    limits: Limits | None = None

    def prompts_in(self, context: int) -> list[int]:
        """Prompts that such a context takes. Raises `UserError` for one asked for that is too long."""
        return _fitting("--prompt", self.prompts, USUAL_PROMPTS, context)

    def depths_in(self, context: int) -> list[int]:
        """Depths to decode at: those asked for, or an empty context and one that is half full."""
        return _fitting("--depth", self.depths, (0, context // 2), context - 1)


def _fitting(flag: str, asked: Sequence[int] | None, usual: Sequence[int], most: int) -> list[int]:
    for tokens in asked or ():
        if tokens > most:
            raise UserError(f"{flag} {tokens} does not fit: such a context takes {most} at most")
    return list(dict.fromkeys(asked if asked is not None else [min(tokens, most) for tokens in usual]))


def context_of(settings: Settings) -> int:
    """The context of these settings in tokens, which every prediction names."""
    context = settings["context"]
    assert isinstance(context, int)
    return context
