"""Predictions of builds with settings on a target: memory, whether it fits, and speed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from profiler.analyse.amounts import percent, size
from profiler.catalogue.devices import DeviceProfile
from profiler.engines.table import ENGINES
from profiler.errors import UserError, nearest
from profiler.host.machine import default_threads
from profiler.measure.variants import combinations, engines_for, refuse_too_many
from profiler.predicting.asked import Asked, context_of
from profiler.predicting.fit import CPU, fit
from profiler.predicting.inspection import LLAMA_CPP, Inspected, Refused, inspected
from profiler.predicting.limits import verdicts_of
from profiler.predicting.memory import memory, vocabulary_bytes
from profiler.predicting.onnx_memory import onnx_memory
from profiler.predicting.prediction import Memory, Prediction, Speed
from profiler.predicting.speeds import Question, speeds
from profiler.predicting.subjects import Subject, contexts_of
from profiler.runfile import THIS, Settings

ALL_LAYERS = "-1"
AS_IF = "speeds are as if it fitted in memory: read from the disk for every token it would be far slower"
NO_SPEED_OF_ONNX = "the speed of ONNX builds is not predicted"
Wanted = Mapping[str, Sequence[str]]


def settings_of(subject: Subject, asked: Asked) -> list[tuple[str, Settings]]:
    """Engine and settings of every combination. Raises `UserError` for an engine or a setting that does not fit."""
    build_format = "gguf" if subject.found is None else subject.found.build.format
    engines = [LLAMA_CPP] if subject.found is None else engines_for(subject.found.build, asked.engines)
    if build_format == "gguf" and asked.engines and LLAMA_CPP not in asked.engines:
        raise UserError(f"{_cannot_plan(asked.engines[0], subject.build)}: use --engine llama-cpp")
    contexts = contexts_of(subject, asked.contexts, asked.usual_contexts)
    found = []
    for engine in engines:
        wanted = {"context": [str(context) for context in contexts]} | dict(asked.wanted)
        if asked.target != CPU and "gpu_layers" in ENGINES[engine].settings:
            wanted = {"gpu_layers": [ALL_LAYERS]} | wanted
        _refuse_unknown(engine, wanted)
        found += [(engine, one) for one in combinations(engine, wanted, threads_of(asked.device))]
    refuse_too_many(len(found))
    return found


def _cannot_plan(engine: str, build: str) -> str:
    known = ENGINES.get(engine)
    if known and "gguf" in known.formats:
        return f"engine {engine} does not tell what {build} takes before it has loaded it"
    return f"engine {engine} does not read {build}, which is gguf"


def threads_of(device: DeviceProfile) -> int:
    """The default threads on a device: the cores of its fastest cluster; here, those that this process may use."""
    if device.id == THIS:
        return default_threads()
    counted = [cluster for cluster in device.cpu if cluster.count is not None]
    fastest = max(counted, key=lambda one: one.max_mhz.value if one.max_mhz else 0.0, default=None)
    return fastest.count.value if fastest is not None and fastest.count is not None else default_threads()


def _refuse_unknown(engine: str, wanted: Wanted) -> None:
    known = ENGINES[engine].settings
    for name in wanted:
        if name not in known:
            raise UserError(f"engine {engine} has no setting {name!r}: {nearest(name, known)}")


def predictions(subject: Subject, asked: Asked) -> list[Prediction]:
    """One for every combination of settings. Raises `UserError` for what cannot be asked or its engine refuses."""
    settings = settings_of(subject, asked)
    if subject.header is None:
        return [_of_onnx(subject, asked, engine, one) for engine, one in settings]
    only = [one for _, one in settings]
    found = inspected(subject.path, only, longest_prompt(asked, only), [subject.header])
    if isinstance(found, str):
        raise UserError(f"{subject.build} cannot be loaded: {found}")
    refused = [plan for plan in found.plans if isinstance(plan, Refused)]
    if len(refused) == len(found.plans):
        raise UserError(f"{subject.build}: {refused[0].failure}")
    return of_inspected(subject, asked, only, found, 0)


def longest_prompt(asked: Asked, settings: Sequence[Settings]) -> int:
    """The longest prompt in tokens that is predicted with any of these settings."""
    return max((tokens for one in settings for tokens in asked.prompts_in(context_of(one))), default=1)


def of_inspected(
    subject: Subject, asked: Asked, settings: Sequence[Settings], found: Inspected, place: int
) -> list[Prediction]:
    """Predictions of a GGUF build that the engine was asked about; `place` is that of its header in the question."""
    return [
        _of_plan(subject, asked, one, found, plan_number, place) for plan_number, one in enumerate(settings)
    ]


def _of_plan(
    subject: Subject, asked: Asked, settings: Settings, found: Inspected, number: int, place: int
) -> Prediction:
    plan = found.plans[number]
    if isinstance(plan, Refused):
        return described(subject, asked, LLAMA_CPP, settings, None, plan.failure)
    assert subject.header is not None
    planned = memory(subject.header, settings, found, plan, found.places[place])
    return described(subject, asked, LLAMA_CPP, settings, planned)


def _of_onnx(subject: Subject, asked: Asked, engine: str, settings: Settings) -> Prediction:
    assert subject.found is not None
    found = onnx_memory(subject.found, engine, settings)
    if isinstance(found, str):
        raise UserError(f"{subject.build} cannot be loaded: {found}")
    return described(subject, asked, engine, settings, found)


def described(
    subject: Subject,
    asked: Asked,
    engine: str,
    settings: Settings,
    found: Memory | None,
    why_not: str | None = None,
) -> Prediction:
    """The prediction of one build with its settings, from its memory; or why that is not known."""
    context = context_of(settings)
    speed = why_not or _speed(subject, asked, engine, settings)
    one = Prediction(
        model=subject.model,
        build=subject.build,
        quantization=subject.quantization,
        parameters=_parameters(subject),
        engine=engine,
        device=asked.device.id,
        device_name=asked.device.name,
        target=asked.target,
        settings=settings,
        context=context,
        memory=found,
        fit=fit(found, asked.room, why_not),
        speed=speed if isinstance(speed, Speed) else None,
        notes=[*([speed] if isinstance(speed, str) and speed != why_not else []), *_notes(subject, found)],
    )
    if one.speed is not None and one.fit.word != "fits":
        one = replace(one, notes=[AS_IF, *one.notes])
    return replace(one, verdicts=verdicts_of(subject.header, one, asked, speed))


def _parameters(subject: Subject) -> int | None:
    if subject.gguf is not None:
        return subject.gguf.parameters
    return subject.found.build.parameters if subject.found is not None else None


def _speed(subject: Subject, asked: Asked, engine: str, settings: Settings) -> Speed | str:
    if subject.header is None:
        return NO_SPEED_OF_ONNX
    context = context_of(settings)
    question = Question(
        engine=engine, settings=settings, depths=asked.depths_in(context), prompts=asked.prompts_in(context)
    )
    return speeds(subject.header, question, asked.device, asked.target)


def _notes(subject: Subject, found: Memory | None) -> list[str]:
    """What a reader should know of these figures beside them."""
    notes = []
    if found is not None and found.unknown:
        notes.append(found.unknown)
    if subject.header is not None and (guessed := vocabulary_bytes(subject.header)):
        notes.append(
            f"the shape has no vocabulary: {size(guessed)} are taken for the engine's tables of it, by its length"
        )
    gguf = subject.gguf
    if gguf is not None and gguf.experts:
        share = percent(gguf.weights_read_per_token / gguf.weights_bytes)
        notes.append(
            f"a token uses {gguf.experts_used} of {gguf.experts} experts: {share} of the weights are read for it"
        )
    return notes
