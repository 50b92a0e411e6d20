"""Where the time of one case went: a profile of its own, taken after the last round, in no measured process."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from profiler.runfile.fields import MOST_LAYERS, MOST_TOKENS, Name, Natural, Record, Sentence

MOST_PARTS, MOST_EVALUATIONS = 2000, 1000
"""Operations by their part of the model in one phase of a profile, and evaluations that it rests on."""

PhaseName = Annotated[str, msgspec.Meta(pattern=r"^(prefill|decode)\Z")]
Layer = Annotated[int, msgspec.Meta(ge=0, lt=MOST_LAYERS)]
Evaluations = Annotated[int, msgspec.Meta(ge=1, le=MOST_EVALUATIONS)]
PromptTokens = Annotated[int, msgspec.Meta(ge=1, le=MOST_TOKENS)]


class ProfiledPart(Record, frozen=True, kw_only=True):
    """All nodes with the same operation and part of the model, layer by layer; None is outside of all layers.

    `ns`, `read_bytes` (of weights), `moved_bytes` (all that is read and written) and `macs` (multiply-adds) are those
    of all evaluations together, `memory_bytes` the most that the engine had in use when one of them ended.
    """

    op: Name
    part: Name
    device: Name | None = None
    layers: Annotated[list[Layer | None], msgspec.Meta(min_length=1, max_length=MOST_LAYERS + 1)]
    ns: Annotated[list[Natural], msgspec.Meta(min_length=1, max_length=MOST_LAYERS + 1)]
    nodes: Natural
    read_bytes: Natural | None = None
    moved_bytes: Natural | None = None
    macs: Natural | None = None
    memory_bytes: Natural | None = None

    def __post_init__(self) -> None:
        if len(self.layers) != len(self.ns) or len(set(self.layers)) != len(self.layers):
            raise ValueError("a part of a profile does not have one time for each of its layers")


class ProfiledPhase(Record, frozen=True, kw_only=True):
    """One phase, all its kept evaluations together: prompts of `tokens`, or single tokens.

    `wall_ns` is what they took, watched; `plain_ns` what as many took without. `graph_ns` lies within the engine's
    graph, and of that `between_ns` between its nodes: the watch itself, and starting the next one.
    """

    phase: PhaseName
    tokens: PromptTokens
    evaluations: Evaluations
    wall_ns: Natural
    plain_ns: Natural
    graph_ns: Natural
    between_ns: Natural
    parts: Annotated[list[ProfiledPart], msgspec.Meta(max_length=MOST_PARTS)]

    def __post_init__(self) -> None:
        nodes_ns = sum(sum(part.ns) for part in self.parts)
        if not nodes_ns + self.between_ns <= self.graph_ns <= self.wall_ns:
            raise ValueError("the nodes of a profile take longer than the whole of it")


class Profile(Record, frozen=True, kw_only=True):
    """The profile of one case, or the `reason` why there is none."""

    type: Literal["profile"] = "profile"
    case: Name
    phases: Annotated[list[ProfiledPhase], msgspec.Meta(max_length=2)] = msgspec.field(default_factory=list)
    reason: Sentence | None = None

    def __post_init__(self) -> None:
        if len({phase.phase for phase in self.phases}) != len(self.phases):
            raise ValueError("a profile has one of its phases twice")
