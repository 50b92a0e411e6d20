"""What a run sets out to do, with which builds, and on which machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec

from profiler.runfile.fields import (
    LARGEST_READING,
    MOST_ASSUMED,
    MOST_CASES,
    MOST_ROUNDS,
    MOST_SHAPES,
    THIS,
    Celsius,
    FailureKind,
    Layers,
    Method,
    Name,
    Natural,
    NotNegative,
    Passes,
    Positive,
    Record,
    Rounds,
    Seconds,
    Sentence,
    Settings,
    Share,
    Tokens,
)

MOST_DEVICES = 64
SMALLEST_PREDICTED = 1e-15
"""Of a predicted figure, so that a ratio to it is a number; characters of what a prediction says."""

PredictedMetric = Annotated[str, msgspec.Meta(pattern=r"^(ttft_ms|(prefill|decode|pp|tg)_tps)\Z")]
PredictedValue = Annotated[float, msgspec.Meta(ge=SMALLEST_PREDICTED, le=LARGEST_READING)]

Rate = Annotated[float, msgspec.Meta(ge=1, le=LARGEST_READING)]


class Closeness(Record, frozen=True, kw_only=True):
    """How near the logits of one path are to those of another, teacher-forced on the same tokens.

    `top1` is the share of positions with the same most likely token, `largest` the largest absolute
    difference of a logit, `kl` the mean Kullback-Leibler divergence in nats, `perplexity` that of this path.
    """

    top1: Share
    largest: NotNegative
    kl: NotNegative
    perplexity: Positive


class Agreement(Record, frozen=True, kw_only=True):
    """What checking a build against the file it was made from has shown.

    `exact` is this build at float32 activations against llama.cpp on the same weights in float32, `fast` this
    build as it is served against llama.cpp on the file itself, `floor` llama.cpp one token at a time against
    llama.cpp in one batch. What could not be compared is None, and `not_compared` says why. `failures` are
    sentences; none means that the build agrees.
    """

    text_sha256: str
    tokens: Tokens
    weights: Natural
    weights_unequal: Natural
    reference_perplexity: Positive | None = None
    exact: Closeness | None = None
    fast: Closeness | None = None
    floor: Closeness | None = None
    not_compared: str | None = None
    failures: list[str] = msgspec.field(default_factory=list)


class RandomWeights(Record, frozen=True, kw_only=True):
    """A build with the architecture of a model and random weights: how much of the model it keeps."""

    layers: Natural
    of_layers: Natural
    experts: Natural | None = None
    of_experts: Natural | None = None


class Build(Record, frozen=True, kw_only=True):
    """One model file or folder, as its own header describes it. A later `Hashes` line has its SHA-256.

    `graph` names the graph within a folder, `source` and `via` what it was made from and how. Of one decoded
    token, `read_bytes_per_token` are the bytes of weights read and `bits_read_per_weight` the same per weight.
    `random_weights` marks a shape, whose speed is a model's and whose answers are nobody's.
    """

    id: Name
    name: Name
    format: Name
    size_bytes: Natural
    quantization: Name | None = None
    architecture: str | None = None
    parameters: Natural | None = None
    weights_bytes: Natural | None = None
    bits_per_weight: float | None = None
    read_bytes_per_token: Natural | None = None
    kv_elements_per_token: Natural | None = None
    context_length: Natural | None = None
    bits_read_per_weight: float | None = None
    kv_type: str | None = None
    graph: str | None = None
    source: str | None = None
    via: str | None = None
    agreement: Agreement | None = None
    random_weights: RandomWeights | None = None


class Workload(Record, frozen=True, kw_only=True):
    """What is asked of the model. `method` is "text" or "raw" (the llama-bench method)."""

    id: Name
    method: Method
    prompt_tokens: Tokens
    output_tokens: Tokens
    depth: Tokens = 0
    text_sha256: str | None = None


class Route(Record, frozen=True, kw_only=True):
    """How an engine reaches a target that is not the CPU, in the engine's own words.

    `provider` is ONNX Runtime's execution provider or llama.cpp's back end, `options` what it is told, `device` the
    device as the engine names it. `simulated` says which software imitates the device, where it is none.
    """

    provider: Name
    options: dict[Name, Name] = msgspec.field(default_factory=dict)
    device: Name | None = None
    simulated: Sentence | None = None


class Case(Record, frozen=True, kw_only=True):
    """Build x settings x workload: one row of a report. `route` leads to a target that is not the CPU."""

    id: Name
    build: Name
    engine: Name
    target: Name
    settings: Settings
    workload: Workload
    route: Route | None = None


def is_simulated(case: Case) -> bool:
    """Whether its device is imitated in software: then it is proven to work, and never timed."""
    return case.route is not None and case.route.simulated is not None


class Placed(Record, frozen=True, kw_only=True):
    """The part of a build that one device has: nodes or layers, and shares of all weights' products and bytes."""

    device: Name
    count: Natural
    unit: Literal["nodes", "layers"]
    arithmetic: Share | None = None
    weights: Share | None = None


class Proof(Record, frozen=True, kw_only=True):
    """What a case showed before anything was timed: that it runs on its target, and answers there as on the CPU.

    Both read the same tokens of the case's own text. Of `tokens` positions, `same` have the same most likely token;
    `cosine` is the least of logits about their mean, `largest` the largest difference of a logit. `compile_ms` is what
    making the device's own form of the graph took, `load_ms` what loading took afterwards. `kind` and
    `failure` are what is wrong.
    """

    case: Name
    tokens: Natural
    same: Natural
    cosine: Annotated[float, msgspec.Meta(ge=-1.001, le=1.001)] | None = None
    largest: NotNegative | None = None
    placed: Annotated[list[Placed], msgspec.Meta(max_length=MOST_DEVICES)] = msgspec.field(
        default_factory=list
    )
    compile_ms: NotNegative | None = None
    load_ms: NotNegative | None = None
    versions: dict[Name, Name | None] = msgspec.field(default_factory=dict)
    kind: FailureKind | None = None
    failure: Sentence | None = None


def varying(cases: Sequence[Case]) -> list[str]:
    """The settings that are not the same in all cases that have them, in the engines' own order."""
    names = dict.fromkeys(name for case in cases for name in case.settings)
    found = {name: {case.settings[name] for case in cases if name in case.settings} for name in names}
    return [name for name, values in found.items() if len(values) > 1]


class Truncated(Record, frozen=True, kw_only=True):
    """A shape of an extrapolation: which build of the plan it is, and how many layers of the full model it has."""

    build: Name
    layers: Layers


class ExtrapolatedCase(Record, frozen=True, kw_only=True):
    """A case of the full model, which is never loaded, and the cases it follows from: one of each shape, in order.

    The bytes are those that the engine planned for the full model with these settings; None where `not_planned` says
    why.
    """

    case: Case
    shapes: Annotated[list[Name], msgspec.Meta(min_length=2, max_length=MOST_SHAPES)]
    weights_bytes: Natural | None = None
    kv_bytes: Natural | None = None
    compute_bytes: Natural | None = None
    not_planned: Sentence | None = None


class Extrapolation(Record, frozen=True, kw_only=True):
    """A model that is measured as shapes of few layers: `full` is what its file would be, with all `layers`.

    `model` is its id in the catalogue, `mix` the quantization that was asked for. Shapes have `experts` in each layer
    where those are fewer than the model's.
    The shapes come with the fewest layers first. `layer_period` is the number of layers after which the kinds of
    layers repeat; `leading_dense_layers` are in every shape. `assumed` are sentences: what holds for the shapes and may
    not for the model.
    """

    full: Build
    model: Name
    mix: Name
    layers: Layers
    layer_period: Layers = 1
    leading_dense_layers: Natural = 0
    experts: Natural | None = None
    shapes: Annotated[list[Truncated], msgspec.Meta(min_length=2, max_length=MOST_SHAPES)]
    cases: Annotated[list[ExtrapolatedCase], msgspec.Meta(min_length=1, max_length=MOST_CASES)]
    assumed: Annotated[list[Sentence], msgspec.Meta(max_length=MOST_ASSUMED)] = msgspec.field(
        default_factory=list
    )


class Plan(Record, frozen=True, kw_only=True):
    """What a run sets out to do. `rounds` is fixed by `--processes`; None means the checkpoints decide.

    `settle_s` is how long each worker's start may wait for other programs to go quiet. With `until_decided` a run
    that compares stops at the checkpoint where every comparison has its verdict, and not for precision. `more_passes`
    says that a case whose start costs more than three of its passes runs five. `anchors` are cases measured only to
    tie this run to others. `cold` evicts each build before its worker starts. `sustained_s` makes one long worker of
    each case. With `strict`, what runs elsewhere than asked fails. Workers may use `memory_limit_bytes` at most.
    `extrapolations` are the models that some of the cases are shapes of. With `profile`, each case but anchors is
    profiled once after the last round.
    """

    builds: Annotated[list[Build], msgspec.Meta(min_length=1, max_length=MOST_CASES)]
    cases: Annotated[list[Case], msgspec.Meta(min_length=1, max_length=MOST_CASES)]
    seed: Natural
    passes: Passes
    rounds: Rounds | None
    within: Positive
    max_time_s: Seconds
    stall_s: Seconds
    checkpoints: Annotated[list[Rounds], msgspec.Meta(min_length=1, max_length=MOST_ROUNDS)]
    settle_s: Seconds = 10.0
    until_decided: bool = False
    more_passes: bool = False
    anchors: list[str] = msgspec.field(default_factory=list)
    cold: bool = False
    sustained_s: Seconds = 0.0
    strict: bool = False
    profile: bool = False
    memory_limit_bytes: Natural | None = None
    extrapolations: Annotated[list[Extrapolation], msgspec.Meta(max_length=MOST_CASES)] = msgspec.field(
        default_factory=list
    )


def extrapolated_cases(plan: Plan) -> list[Case]:
    """The cases of models that are measured as shapes."""
    return [found.case for extrapolation in plan.extrapolations for found in extrapolation.cases]


def shape_cases(plan: Plan) -> set[str]:
    """The ids of the cases that are measured for the sake of an extrapolation."""
    return {
        id for extrapolation in plan.extrapolations for found in extrapolation.cases for id in found.shapes
    }


def own_cases(plan: Plan) -> list[Case]:
    """The cases that a run is about: those of full models instead of their shapes, and no anchors."""
    beside = {*plan.anchors, *shape_cases(plan)}
    return [*extrapolated_cases(plan), *(case for case in plan.cases if case.id not in beside)]


class Ceiling(Record, frozen=True, kw_only=True):
    """What a target of a device can do at most: bytes from its memory, multiply-adds; and where that is known from."""

    bytes_per_s: Rate | None = None
    bytes_source: Sentence | None = None
    macs_per_s: Rate | None = None
    macs_source: Sentence | None = None


class Device(Record, frozen=True, kw_only=True):
    """The machine the run was made on: a profile's id and name and the facts that reports print.

    `board` is what its user calls this one of several of a kind. From `throttle_celsius` on its processor slows itself
    down. `ceilings` are those of its targets.
    """

    id: Name
    name: Name
    board: Name | None = None
    cpu: Name | None = None
    cores: Natural | None = None
    memory_bytes: Natural | None = None
    memory_bandwidth_bytes_per_s: Positive | None = None
    bandwidth_source: str | None = None
    throttle_celsius: Celsius | None = None
    ceilings: dict[Name, Ceiling] = msgspec.field(default_factory=dict)

    @property
    def label(self) -> str:
        """What a reader calls it: the name of its profile, of a machine without one its processor; and its own."""
        kind = (self.cpu or self.name) if self.id == THIS else self.name
        return kind if self.board is None else f"{kind} ({self.board})"

    @property
    def called(self) -> str:
        """Its name in a run file of several boards."""
        return self.board or self.id


class PredictedFigure(Record, frozen=True, kw_only=True):
    """A figure as it was predicted, and the range that holds the measured one in `level` of like cases."""

    value: PredictedValue
    low: PredictedValue | None = None
    high: PredictedValue | None = None
    level: Share | None = None

    def __post_init__(self) -> None:
        low, high = (self.value if bound is None else bound for bound in (self.low, self.high))
        if not low <= self.value <= high:
            raise ValueError("a predicted figure lies outside of its own range")


class Predicted(Record, frozen=True, kw_only=True):
    """What was predicted of a case before it was measured.

    `source` says by what, for a reader. `figures` are ttft_ms, prefill_tps and decode_tps, or pp_tps and tg_tps of the
    llama-bench method; `reason` says why some or all of them are missing. `limited_by` is what limits decoding, and
    `limit_tps` the tokens per second at which reading weights and KV cache alone takes the whole measured bandwidth.
    """

    case: Name
    source: Sentence
    figures: dict[PredictedMetric, PredictedFigure] = msgspec.field(default_factory=dict)
    limited_by: Name | None = None
    limit_tps: PredictedValue | None = None
    reason: Sentence | None = None
