"""How fast a build would be on a device, from the best source there is for it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from profiler.builds.gguf import GgufHeader
from profiler.catalogue.devices import DeviceProfile
from profiler.predicting.prediction import Speed
from profiler.runfile import Settings


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of a build: the speed after each of `depths` tokens, and of prompts of `prompts` tokens."""

    engine: str
    settings: Settings
    depths: Sequence[int]
    prompts: Sequence[int]


def speeds(header: GgufHeader, question: Question, device: DeviceProfile, target: str) -> Speed | str:
    """The speed of a GGUF build, real or sparse, on this target of a device; or the reason why none can be told."""
    return "speeds are not predicted yet"
