"""Models that other programs keep on this machine, found in the folders where they keep them.

Whatever lies there is hostile: walks are bounded, links to folders are not followed, and what cannot be read or
made sense of is an entry that says why. Nothing is read here but Ollama's manifests.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec
import platformdirs

from profiler.builds.model_file import BadModelFile, is_file, opened
from profiler.builds.onnx_folder import folder_of
from profiler.builds.walk import Entry, name_of, walk

MOST_MODELS = 500
"""Models taken from one store."""

LARGEST_MANIFEST = 1 << 20
WEIGHTS = "application/vnd.ollama.image.model"
DIGEST = re.compile(r"sha256[:-]([0-9a-f]{64})")


class Store(msgspec.Struct, frozen=True, kw_only=True):
    """A folder where the program called `name` keeps models."""

    name: str
    folder: Path
    entries: tuple[Entry, ...]


class Here(msgspec.Struct, frozen=True, kw_only=True):
    """What the places of stores depend on: environment, home, and `sys.platform`."""

    environment: Mapping[str, str]
    home: Path
    platform: str

    def named(self, *variables: str) -> Path | None:
        """The folder in the first of these variables that has one."""
        found = next((self.environment[name] for name in variables if self.environment.get(name)), None)
        return None if found is None else Path(os.path.expandvars(os.path.expanduser(found)))  # noqa: PTH111

    @property
    def cache(self) -> Path:
        """Where programs keep what they can fetch again, by the XDG Base Directory Specification."""
        return self.named("XDG_CACHE_HOME") or self.home / ".cache"


def this_machine() -> Here:
    """The environment, home and platform of this process."""
    return Here(environment=os.environ, home=Path(os.path.expanduser("~")), platform=sys.platform)  # noqa: PTH111


def find(here: Here | None = None) -> list[Store]:
    """The stores on this machine, each folder once, with what lies in them."""
    stores: dict[Path, Store] = {}
    for name, folders, finder in STORES:
        for folder in folders(here or this_machine()):
            if _is_there(folder) and folder.resolve() not in stores:
                entries = tuple(_first_models(finder(folder)))
                stores[folder.resolve()] = Store(name=name, folder=folder, entries=entries)
    return list(stores.values())


def looked_in(here: Here | None = None) -> list[Path]:
    """Every folder that would be a store."""
    return [folder for _, folders, _ in STORES for folder in folders(here or this_machine())]


def hugging_face(here: Here) -> list[Path]:
    """Source: huggingface_hub, constants.py; Hugging Face documentation, "Hub Local Cache"."""
    home = here.named("HF_HOME") or here.cache / "huggingface"
    return [here.named("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE") or home / "hub"]


def ollama(here: Here) -> list[Path]:
    """The user's own, and that of the service on Linux. Source: Ollama, docs/faq.md and docs/linux.md."""
    named = here.named("OLLAMA_MODELS")
    return [named] if named else [here.home / ".ollama/models", Path("/usr/share/ollama/.ollama/models")]


def lm_studio(here: Here) -> list[Path]:
    """PUBLISHER/MODEL/FILE.gguf. Source: LM Studio documentation, "Import Models"; the second is of older versions."""
    return [here.home / ".lmstudio/models", here.cache / "lm-studio/models"]


def llama_cpp(here: Here) -> list[Path]:
    """Source: llama.cpp, `fs_get_cache_directory` in common/common.cpp. Its later versions use Hugging Face's cache."""
    caches = here.home / "Library/Caches" if here.platform == "darwin" else here.cache
    return [here.named("LLAMA_CACHE") or caches / "llama.cpp"]


def own(_: Here) -> list[Path]:
    """What edgeprof itself fetched or made."""
    return [platformdirs.user_cache_path("edgeprof") / "models"]


def files(folder: Path, skipped: Callable[[str], bool] = lambda _: False) -> Iterator[Entry]:
    """GGUF files, and folders with ONNX graphs, by their path in the store; each once, however many links it has."""
    seen: set[tuple[int, int]] = set()
    for entry in walk(folder, _is_model, skipped):
        if entry.path is None:
            yield entry
            continue
        path = entry.path if entry.path.suffix.lower() == ".gguf" else folder_of(entry.path)
        name = name_of(path, folder)
        try:
            found = path.stat()
        except OSError as error:
            broken = "is a broken link" if path.is_symlink() else f"cannot be read ({error.strerror})"
            yield Entry(name=name, problem=broken)
            continue
        if (found.st_dev, found.st_ino) not in seen:
            seen.add((found.st_dev, found.st_ino))
            yield Entry(name=name, path=path)


def repositories(folder: Path) -> Iterator[Entry]:
    """models--ORG--NAME/snapshots/COMMIT/..., named ORG/NAME/...; the files are links to blobs beside the snapshots."""
    for entry in files(folder, lambda name: name in ("blobs", "refs") or name.startswith(_NO_MODELS)):
        yield msgspec.structs.replace(entry, name=_repository(entry.name))


def manifests(folder: Path) -> Iterator[Entry]:
    """manifests/HOST/NAMESPACE/MODEL/TAG names the digest of the weights, which lie in blobs/sha256-DIGEST.

    Source: Ollama, manifest and layer in server/manifest.go, GetBlobsPath in server/modelpath.go.
    """
    for entry in walk(folder / "manifests", lambda name: not name.startswith(".")):
        name = _tag(entry.name)
        if entry.path is None:
            yield msgspec.structs.replace(entry, name=name)
        else:
            yield _weights(folder, name, entry.path)


Places = Callable[[Here], list[Path]]
Finder = Callable[[Path], Iterator[Entry]]

STORES: tuple[tuple[str, Places, Finder], ...] = (
    ("Hugging Face", hugging_face, repositories),
    ("Ollama", ollama, manifests),
    ("LM Studio", lm_studio, files),
    ("llama.cpp", llama_cpp, files),
    ("edgeprof", own, files),
)
"""Each program, the folders where it may keep models, and how they lie there."""

_NO_MODELS = (".", "datasets--", "spaces--")


class _Layer(msgspec.Struct, frozen=True):
    media_type: str = msgspec.field(name="mediaType", default="")
    digest: str = ""


class _Manifest(msgspec.Struct, frozen=True):
    layers: list[_Layer] = []


def _is_there(folder: Path) -> bool:
    """Whether this is a folder; one that may not be looked at is there too, and says so when it is walked."""
    try:
        return stat.S_ISDIR(folder.stat().st_mode)
    except PermissionError:
        return True
    except (OSError, ValueError):
        return False


def _first_models(entries: Iterator[Entry]) -> Iterator[Entry]:
    models = 0
    for entry in entries:
        models += entry.path is not None
        if models > MOST_MODELS:
            yield Entry(name="...", problem=f"more than {MOST_MODELS} models; the rest was not looked at")
            return
        yield entry


def _is_model(name: str) -> bool:
    return name.lower().endswith((".gguf", ".onnx"))


def _repository(name: str) -> str:
    parts = name.split("/")
    if not parts[0].startswith("models--"):
        return name
    repository = parts[0].removeprefix("models--").replace("--", "/")
    return "/".join([repository, *(parts[3:] if parts[1:2] == ["snapshots"] else parts[1:])])


def _tag(name: str) -> str:
    """registry.ollama.ai/library/qwen3/8b is what Ollama calls qwen3:8b."""
    model, _, tag = name.removeprefix("registry.ollama.ai/").removeprefix("library/").rpartition("/")
    return f"{model}:{tag}" if model else tag


def _weights(folder: Path, name: str, manifest: Path) -> Entry:
    """The model that a manifest names."""
    try:
        with opened(manifest) as file:
            content = file.read(LARGEST_MANIFEST + 1)
        said = msgspec.json.decode(content, type=_Manifest)
    except BadModelFile as error:
        return Entry(name=name, problem=f"its manifest {str(error).partition(': ')[2].rstrip('.')}")
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Entry(name=name, problem="its manifest is not one of Ollama's")
    digests = [layer.digest for layer in said.layers if layer.media_type == WEIGHTS]
    if not digests:
        return Entry(name=name, problem="has no weights here")
    digest = DIGEST.fullmatch(digests[0])
    if digest is None:
        return Entry(name=name, problem="its manifest names its weights by something that is no digest")
    path = folder / "blobs" / f"sha256-{digest[1]}"
    return (
        Entry(name=name, path=path)
        if is_file(path)
        else Entry(name=name, problem="its weights are not there")
    )
