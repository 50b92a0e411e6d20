"""What the file of a shape says of being one."""

from __future__ import annotations

from profiler.builds import metadata
from profiler.builds.gguf import GgufHeader
from profiler.builds.shapes.header import Value
from profiler.runfile import RandomWeights

PREFIX = "edgeprof.shape"


def random_weights(header: GgufHeader) -> RandomWeights | None:
    """How much of its model the file keeps if its weights are random; None for any other file."""
    if not metadata.flag(header, f"{PREFIX}.random_weights"):
        return None
    return RandomWeights(
        layers=metadata.required_count(header, f"{PREFIX}.layers"),
        of_layers=metadata.required_count(header, f"{PREFIX}.of_layers"),
        experts=metadata.count(header, f"{PREFIX}.experts"),
        of_experts=metadata.count(header, f"{PREFIX}.of_experts"),
    )


def stated_metadata(name: str, random: RandomWeights, file_type: int | None) -> dict[str, Value]:
    """The keys that say it, and the mix where it is one of the engine's; `name` is that of the model."""
    stated: dict[str, Value] = {"general.name": title(name, random), f"{PREFIX}.random_weights": True}
    for field in ("layers", "of_layers", "experts", "of_experts"):
        count = getattr(random, field)
        if count is not None:
            stated[f"{PREFIX}.{field}"] = count
    if file_type is not None:
        stated |= {"general.file_type": file_type, "general.quantization_version": 2}
    return stated


def title(name: str, random: RandomWeights) -> str:
    """The name of a file that keeps so much of the model called `name`."""
    kept = f"{random.layers} of {random.of_layers} layers"
    if random.experts is not None and random.experts != random.of_experts:
        kept += f", {random.experts} of {random.of_experts} experts"
    return f"{name} (shape, random weights, {kept})"
