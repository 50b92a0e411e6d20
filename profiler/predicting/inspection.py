"""Asks the engine, in a child process, what buffers a build would have with several settings. Nothing is allocated."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from profiler.builds.gguf import GgufHeader, TensorInfo
from profiler.builds.gguf_types import TENSOR_TYPES
from profiler.engines.table import ENGINES
from profiler.errors import UserError
from profiler.measure.gate import inspection
from profiler.runfile import Build, Case, Settings, Workload

PLANNER = "profiler.engines.llama_planned"
LLAMA_CPP = "llama-cpp"
OUTPUT, INPUT = "output.weight", "token_embd.weight"

_NUMBERS = {kind.name: number for number, kind in TENSOR_TYPES.items()}
_NO_WORK = Workload(id="none", method="raw", prompt_tokens=0, output_tokens=0, depth=0)

Weight = tuple[str, int, tuple[int, ...]]
Place = tuple[str | None, int]


class Use(msgspec.Struct, frozen=True):
    """A weight that is multiplied with: its tensor, and as what the engine is asked about it."""

    tensor: TensorInfo
    weight: Weight


class Buffers(msgspec.Struct, frozen=True, kw_only=True):
    """The engine's buffers for one settings in bytes. `touched_bytes` is what a prompt writes to of the compute
    buffer, `device_bytes` what of the compute buffer lies on a GPU."""

    kv_bytes: int
    compute_bytes: int
    touched_bytes: int
    device_bytes: int


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """The engine makes no context with these settings."""

    failure: str


class Inspected(msgspec.Struct, frozen=True, kw_only=True):
    """What the engine says of one file. `places` has an entry for each header that was asked about.

    It maps a weight to the buffer type of its rewritten copy and the bytes of that; None where the engine cannot tell.
    `refused` is why the engine fails with weights rewritten for this host: all was then planned without.
    """

    plans: list[Buffers | Refused]
    weights_bytes: int
    process_bytes: int | None
    system: str
    places: list[dict[Weight, Place] | None]
    refused: str | None = None


class _Told(msgspec.Struct, frozen=True, kw_only=True):
    plans: list[dict[str, Any]]
    weights_bytes: int
    process_bytes: int | None
    system: str
    rewritten: list[list[Place] | None]


def uses(header: GgufHeader) -> list[Use]:
    """The weights of a file that the engine multiplies with: no tables that are looked up, no norms, no biases.

    A table of embeddings that is the output matrix too is used as such.
    """
    matrices = [one for one in header.tensors if len(one.shape) > 1 and not one.name.endswith(".bias")]
    found = [_use(one) for one in matrices if "_embd" not in one.name]
    if not any(one.name == OUTPUT for one in matrices):
        found += [_use(one) for one in matrices if one.name == INPUT]
    return found


def _use(tensor: TensorInfo) -> Use:
    routed = len(tensor.shape) == 3 and "exps." in tensor.name
    operation = "mul_mat_id" if routed else "mul_mat"
    return Use(tensor, (operation, _NUMBERS[tensor.type_name], tensor.shape))


def inspected(
    path: Path, settings: Sequence[Settings], prompt: int, headers: Sequence[GgufHeader]
) -> Inspected | str:
    """What llama.cpp says of the file at `path` with each of these settings, or why it refuses the file.

    `prompt` is the longest prompt that is expected, in tokens. Raises `UserError` when the engine is not installed.
    """
    found = _inspected(path, settings, prompt, headers)
    if isinstance(found, Inspected) or not any(one.get("repack") for one in settings):
        return found
    plain = _inspected(path, [one | {"repack": False} for one in settings], prompt, headers)
    if isinstance(plain, str):
        return found
    return replace(plain, places=[None for _ in headers], refused=found)


def _inspected(
    path: Path, settings: Sequence[Settings], prompt: int, headers: Sequence[GgufHeader]
) -> Inspected | str:
    weights = [list(dict.fromkeys(use.weight for use in uses(header))) for header in headers]
    build = Build(id="asked", name=path.name, format="gguf", size_bytes=path.stat().st_size)
    more = {"module": PLANNER, "asked": list(settings), "prompt": prompt, "weights": weights}
    facts = ask(build, path, LLAMA_CPP, settings[0], more)
    if isinstance(facts, str):
        return facts
    try:
        told = msgspec.convert(facts, _Told)
        plans = [_plan(plan) for plan in told.plans]
    except msgspec.ValidationError:
        return "the engine's answer makes no sense"
    places = [
        None if found is None else dict(zip(asked, found, strict=True))
        for asked, found in zip(weights, told.rewritten, strict=True)
    ]
    return Inspected(
        plans=plans,
        weights_bytes=told.weights_bytes,
        process_bytes=told.process_bytes,
        system=told.system,
        places=places,
    )


def _plan(told: dict[str, Any]) -> Buffers | Refused:
    return msgspec.convert(told, Refused) if "failure" in told else msgspec.convert(told, Buffers)


def ask(
    build: Build, path: Path, engine: str, settings: Settings, more: dict[str, Any] | None = None
) -> dict[str, Any] | str:
    """The facts of one inspection in a child process, or the engine's refusal in one sentence."""
    case = Case(id="r1", build=build.id, engine=engine, target="cpu", settings=settings, workload=_NO_WORK)
    seen = inspection(case, build, path, **(more or {}))
    if seen.failure is not None and seen.failure.kind == "missing_library":
        raise UserError(
            f"engine {engine} is not installed ({seen.failure.message}): "
            f"pip install 'edgeprof[{ENGINES[engine].extra}]'"
        )
    if seen.failure is not None or seen.facts is None:
        return seen.failure.message if seen.failure else "the engine gave no answer"
    return seen.facts
