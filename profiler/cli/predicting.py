"""What `edgeprof predict` does: read what was typed, ask, show, and end as the limits say."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import typer

from profiler import __version__
from profiler.analyse.judged import Word
from profiler.analyse.shipping import overall
from profiler.builds.shapes.mixes import mix_named
from profiler.catalogue.devices import load_device
from profiler.catalogue.models import ModelProfile, load_models
from profiler.cli.judged_by_limits import EXIT_CODES, checked
from profiler.cli.known_builds import located
from profiler.cli.progress import progress
from profiler.cli.show import on_screen, write
from profiler.cli.values import assignments, several
from profiler.errors import ExitCode, UserError
from profiler.fetching.store import fetched
from profiler.host.machine import this_machine
from profiler.predicting.asked import USUAL_CONTEXT, Asked
from profiler.predicting.fit import room_of
from profiler.predicting.fits_search import CONTEXTS, search
from profiler.predicting.limits import workloads_of
from profiler.predicting.predict import predictions
from profiler.predicting.prediction import SCHEMA, Prediction, Predictions
from profiler.predicting.subjects import called, is_path, of_model, of_path
from profiler.render import formats, predicted_terminal
from profiler.render.predicted_formats import RENDERERS
from profiler.runfile import THIS

MOST_TOKENS = 1 << 24


class Typed(msgspec.Struct, frozen=True, kw_only=True):
    """The parameters of the command, as typer read them."""

    models: list[str] | None
    device: str
    target: str
    quant: str | None
    context: str | None
    prompt: str | None
    depth: str | None
    kv: str | None
    flash: str | None
    threads: str | None
    engine: str | None
    setting: list[str] | None
    limits: str | None
    fits: bool
    profiles: Path | None
    output_format: str | None
    output: Path | None

    @property
    def words(self) -> list[str]:
        """The models and files that were named."""
        return self.models or []

    @property
    def settings(self) -> dict[str, str]:
        """The settings that have an option of their own."""
        own = {"threads": self.threads, "kv": self.kv, "flash": self.flash}
        return {name: text for name, text in own.items() if text is not None}


def start(typed: Typed) -> None:
    """The whole command. Raises `UserError`; with limits it ends with the exit code of the verdict."""
    name = formats.chosen(typed.output_format, typed.output, RENDERERS)
    asked = _asked(typed)
    models = load_models(typed.profiles)
    found = _search(typed, asked, models) if typed.fits else _each(typed, asked, models)
    document = Predictions(schema=SCHEMA, edgeprof=__version__, predictions=found)
    if typed.output is not None:
        write(typed.output, RENDERERS[name](document, typed.fits))
    else:
        on_screen(
            name,
            lambda: RENDERERS[name](document, typed.fits),
            lambda width: predicted_terminal.renderable(document, typed.fits, width),
        )
    if asked.limits is not None and not typed.fits:
        raise typer.Exit(_exit_code(found))


def _exit_code(found: Sequence[Prediction]) -> ExitCode:
    return EXIT_CODES[overall(Word(verdict.word) for one in found for verdict in one.verdicts)]


def _asked(typed: Typed) -> Asked:
    device = this_machine() if typed.device == THIS else load_device(typed.device)
    wanted = {name: several(f"--{name}", text) for name, text in typed.settings.items()}
    limits = checked(typed.limits) if typed.limits is not None else None
    if limits is not None:
        workloads_of(limits, device.id)
    more = assignments("--set", typed.setting or [])
    if "context" in more:
        raise UserError("--set context: give it with --context")
    return Asked(
        device=device,
        target=typed.target,
        room=room_of(device, typed.target),
        wanted=wanted | more,
        engines=several("--engine", typed.engine) if typed.engine else [],
        contexts=_tokens("--context", typed.context, 1),
        prompts=_tokens("--prompt", typed.prompt, 1),
        depths=_tokens("--depth", typed.depth, 0),
        usual_contexts=CONTEXTS if typed.fits else (USUAL_CONTEXT,),
        limits=limits,
    )


def _tokens(flag: str, text: str | None, least: int) -> list[int] | None:
    """A comma list of numbers of tokens."""
    if text is None:
        return None
    words = several(flag, text)
    if not all(word.isascii() and word.isdigit() and least <= int(word[:9]) <= MOST_TOKENS for word in words):
        raise UserError(
            f"{flag} {text[:40]!r}: whole numbers of tokens from {least} to {MOST_TOKENS} are accepted"
        )
    return [int(word) for word in words]


def _mixes(typed: Typed) -> list[str] | None:
    """The mixes that were typed. Raises `UserError` for one that there is not."""
    if typed.quant is None:
        return None
    return list(dict.fromkeys(mix_named(word) for word in several("--quant", typed.quant)))


def _each(typed: Typed, asked: Asked, models: dict[str, ModelProfile]) -> list[Prediction]:
    """Predictions of every word in every mix."""
    if not typed.words:
        raise UserError(
            "name a model or a file to predict, such as llama-3.1-8b, or ask --fits what fits this device"
        )
    mixes: Sequence[str | None] | None = _mixes(typed)
    found: list[Prediction] = []
    for word in typed.words:
        path, named = _path_of(word, models), _model_of(word, models)
        if path is not None:
            _refuse_mix(word, typed)
            found += predictions(of_path(path), asked)
            continue
        model, own = named or (called(word, models), None)
        for mix in mixes or [own]:  # None is the model's usual mix
            with of_model(model, mix) as subject:
                found += predictions(subject, asked)
    return found


def _path_of(word: str, models: dict[str, ModelProfile]) -> str | None:
    """Where a word lies that is a path, or a known build that was fetched; None for any other."""
    if is_path(word):
        return located(word)
    build = next((one for model in models.values() for one in model.builds if one.id == word), None)
    path = fetched(build) if build is not None and word not in models else None
    return None if path is None else str(path)


def _model_of(word: str, models: dict[str, ModelProfile]) -> tuple[ModelProfile, str | None] | None:
    """The model of this id with its usual mix, or that of a known GGUF build, not fetched, with the build's mix."""
    if word in models:
        return models[word], None
    for model in models.values():
        for build in model.builds:
            if build.id == word and build.format == "gguf":
                return model, mix_named(build.quantization)
            if build.id == word:
                raise UserError(f"the build {word} is not on this machine: edgeprof fetch {word}")
    return None


def _refuse_mix(word: str, typed: Typed) -> None:
    if typed.quant is not None:
        raise UserError(
            f"--quant chooses the mix of a model; {word} is a file, whose mix is in it: leave it out"
        )


def _search(typed: Typed, asked: Asked, models: dict[str, ModelProfile]) -> list[Prediction]:
    chosen = [called(word, models) for word in dict.fromkeys(typed.words)] or list(models.values())
    with progress() as line:
        return search(
            chosen,
            _mixes(typed),
            asked,
            lambda done, total: line.bytes(f"{done} of {total} models", done, total),
        )
