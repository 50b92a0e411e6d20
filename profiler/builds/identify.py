"""What the files named on the command line are: known by their content, not by their name."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import msgspec

from profiler.builds import manifest, onnx_config
from profiler.builds.describe import GgufModel, describe, refuse_non_models
from profiler.builds.gguf import is_gguf, read_header
from profiler.builds.manifest import Manifest
from profiler.builds.model_file import BadModelFile, is_folder, shown
from profiler.builds.non_models import ARCHITECTURES
from profiler.builds.onnx_folder import OnnxModel, folder_of, read_folder
from profiler.builds.onnx_static.folder import is_static
from profiler.builds.shapes.stated import random_weights
from profiler.builds.words import Words, has_chat_template, licence_of, words_of_folder, words_of_gguf
from profiler.runfile import Build

LARGEST_SCRIPT = 1024 * 1024
MOST_FILES = 1000
"""No more files of one folder are counted."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A build and where it lies, which stays in this process: it is never recorded.

    `layout` is whose habits an ONNX folder follows: edgeprof, genai, optimum, transformers.js or plain. `model`
    and `words` are what else its own files tell; a script has neither.
    """

    build: Build
    path: Path
    layout: str | None = None
    model: GgufModel | OnnxModel | None = None
    words: Words | None = None


class _Script(msgspec.Struct):
    edgeprof_script: int
    quantization: str | None = None


def identify(words: Sequence[str]) -> list[Found]:
    """The builds of these paths, each with an id of its own. Raises `UserError` for what is no model."""
    found = [_identify(Path(word)) for word in words]
    times = Counter(item.build.id for item in found)
    seen: Counter[str] = Counter()
    named = []
    for item in found:
        base = item.build.id
        seen[base] += 1
        build_id = f"{base}#{seen[base]}" if times[base] > 1 else base
        named.append(msgspec.structs.replace(item, build=msgspec.structs.replace(item.build, id=build_id)))
    return named


def glance(path: Path) -> Found:
    """A GGUF file, or an ONNX folder by its configuration files alone: there may be many, and no graph is opened.

    Raises `UserError` for what is no model.
    """
    return _glance(path) if is_folder(path) else _gguf(path)


def _identify(path: Path) -> Found:
    if is_folder(path) or path.suffix.lower() == ".onnx":
        return _onnx(path)
    if not is_gguf(path):
        script = _script(path)
        if script is not None:
            return Found(build=_scripted(path, script), path=path)
    return _gguf(path)


def _gguf(path: Path) -> Found:
    header = read_header(path)
    refuse_non_models(header)
    model = describe(header)
    build = Build(
        id=_id(path),
        name=_readable(path.name),
        format="gguf",
        size_bytes=header.byte_size,
        quantization=model.quantization,
        architecture=model.architecture,
        parameters=model.parameters,
        weights_bytes=model.weights_bytes,
        bits_per_weight=model.bits_per_weight,
        read_bytes_per_token=round(model.read_bytes_per_token()),
        kv_elements_per_token=model.kv_elements_per_token,
        context_length=model.context_length,
        bits_read_per_weight=model.bits_read_per_weight or None,
        random_weights=random_weights(header),
    )
    return Found(build=build, path=path, model=model, words=words_of_gguf(header))


def _onnx(path: Path) -> Found:
    """A folder with a graph, or one graph of such a folder."""
    model = read_folder(path)
    folder = folder_of(path)
    made = manifest.read(folder)
    name = _readable(path.resolve().name)
    build = Build(
        id=name,
        name=name,
        format=model.format,
        size_bytes=model.size_bytes,
        quantization=_quantization(model, made),
        architecture=model.architecture or _made_from(made),
        parameters=model.parameters,
        weights_bytes=model.weights_bytes,
        bits_per_weight=model.bits_per_weight,
        read_bytes_per_token=model.weights_read_per_token,
        kv_elements_per_token=model.kv_elements_per_token,
        context_length=model.context_length,
        bits_read_per_weight=model.bits_read_per_weight,
        kv_type=model.kv_type,
        graph=model.graph,
        source=made.source.name if made else None,
        via=made.via if made else None,
        agreement=made.agreement if made else None,
        random_weights=made.source.random_weights if made else None,
    )
    said = words_of_folder(folder, onnx_config.read_config(folder, "config.json"))
    if said.licence is None and made is not None and made.source.licence is not None:
        said = msgspec.structs.replace(said, licence=shown(made.source.licence))
    return Found(build=build, path=folder, layout=model.layout, model=model, words=said)


def _glance(folder: Path) -> Found:
    name = _readable(folder.resolve().name)
    genai = onnx_config.read_config(folder, "genai_config.json")
    config = onnx_config.read_config(folder, "config.json")
    architecture = onnx_config.architecture(genai, config)
    if architecture in ARCHITECTURES:
        raise BadModelFile(f"{shown(name)}: is {ARCHITECTURES[architecture]}.")
    build = Build(
        id=name,
        name=name,
        format="onnx-static" if is_static(folder) else "onnx-genai" if genai else "onnx",
        size_bytes=_onnx_bytes(folder),
        architecture=architecture,
        context_length=onnx_config.context_length(genai, config),
        kv_elements_per_token=onnx_config.kv_elements_per_token(genai, config),
    )
    said = Words(
        tokenizer=None,
        licence=licence_of(folder, config),
        chat_template=has_chat_template(folder),
    )
    return Found(build=build, path=folder, words=said)


def _onnx_bytes(folder: Path) -> int:
    """Bytes of all graphs and their files of weights, of which one model may have several kinds."""
    files = islice(
        (path for place in (folder, folder / "onnx") for path in place.glob("*.onnx*")), MOST_FILES
    )
    return sum(path.stat().st_size for path in files if path.is_file())


def _quantization(model: OnnxModel, made: Manifest | None) -> str:
    """That of the file whose weights these are, else how the graph holds them."""
    if made is not None and made.via == "direct" and made.source.quantization is not None:
        return made.source.quantization
    return model.quantization


def _made_from(made: Manifest | None) -> str | None:
    """The architecture of the file that a build without a configuration was made from."""
    found = made.source.architecture if made else None
    return None if found is None else shown(found)


def _script(path: Path) -> _Script | None:
    """A script of the scripted engine, or None. Nothing in it is carried out here."""
    try:
        if path.stat().st_size > LARGEST_SCRIPT or not path.is_file():
            return None
        return msgspec.json.decode(path.read_bytes(), type=_Script)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _scripted(path: Path, script: _Script) -> Build:
    return Build(
        id=_id(path),
        name=_readable(path.name),
        format="scripted",
        size_bytes=path.stat().st_size,
        quantization=script.quantization,
    )


def _id(path: Path) -> str:
    """The file's name without a model suffix: what a table shows."""
    return _readable(path.stem if path.suffix.lower() in (".gguf", ".json") else path.name)


def _readable(name: str) -> str:
    """A file name that is no valid Unicode, as text that can be written."""
    return os.fsencode(name).decode("utf-8", "replace")
