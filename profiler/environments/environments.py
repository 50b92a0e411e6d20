"""The environments there are, what each would download, and how one is made. Nothing is made unasked."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import MappingProxyType

import msgspec
import platformdirs

from profiler.environments.child import OnLine, last_error, run, shortened
from profiler.errors import UserError, nearest

VARIABLE = "EDGEPROF_ENVIRONMENTS"
"""Names another folder for the environments."""

TORCH = "torch==2.13.0"
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
STAMP = "edgeprof-ready.json"
_TOLD = ("Collecting", "Downloading", "  Downloading", "Installing")


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """What an environment is for and what is installed in it.

    `torch` is installed before the requirements, from its builds for CPU. One that is `complete` gets nothing that its
    requirements ask for beside them. `download_bytes` and `disk_bytes` were measured on Linux x86-64 with Python 3.11,
    torch included.
    """

    purpose: str
    requirements: tuple[str, ...]
    download_bytes: int
    disk_bytes: int
    torch: bool = True
    complete: bool = False

    @property
    def pinned(self) -> tuple[str, ...]:
        """All that is asked for by version."""
        return (TORCH, *self.requirements) if self.torch else self.requirements


_BOTH = ("onnxruntime==1.32.0", "onnx==1.23.2", "onnx-ir==1.1.0", "accelerate==1.15.0", "gguf==0.19.0")

ENVIRONMENTS = MappingProxyType(
    {
        "optimum": Environment(
            purpose="builds with Optimum, and runs such builds as ORTModelForCausalLM does",
            requirements=("optimum-onnx[onnxruntime]==0.1.0", "transformers==4.57.6", *_BOTH),
            download_bytes=281_000_000,
            disk_bytes=1_312_000_000,
        ),
        "genai": Environment(
            purpose="builds with the model builder of ONNX Runtime GenAI",
            requirements=("onnxruntime-genai==0.18.0", "transformers==5.23.0", "tqdm==4.70.1", *_BOTH),
            download_bytes=299_000_000,
            disk_bytes=1_389_000_000,
        ),
        "openvino": Environment(
            purpose="runs GGUF files with OpenVINO GenAI",
            requirements=(
                "openvino-genai==2026.4.1.0",
                "openvino==2026.4.1",
                "openvino-tokenizers==2026.4.1.0",
                "numpy==2.4.6",
            ),
            download_bytes=85_000_000,
            disk_bytes=299_000_000,
            torch=False,
            complete=True,
        ),
    }
)
"""Optimum needs transformers 4 and the model builder transformers 5: one environment cannot hold both.

OpenVINO asks for openvino-telemetry too, which would report every import: that environment goes without.
"""


def python_of(name: str) -> Path | None:
    """The interpreter of environment `name`, or None if it has not been made, or not as it should be now."""
    folder = _folder(name)
    python = _interpreter(folder)
    try:
        is_ready = (folder / STAMP).read_bytes() == _stamp(name)
    except OSError:
        return None
    return python if is_ready and python.exists() else None


def plan(name: str) -> str:
    """What making environment `name` would download and take, for the user to agree to."""
    spec = _spec(name)
    torch = (f"{TORCH} for CPU",) if spec.torch else ()
    beside = "nothing else" if spec.complete else "what these need"
    return (
        f"The environment {name} {spec.purpose}. It downloads about {_megabytes(spec.download_bytes)} and takes "
        f"about {_megabytes(spec.disk_bytes)} in {_folder(name)}: "
        f"{', '.join((*torch, *spec.requirements))}, and {beside}."
    )


def make(name: str, on_line: OnLine) -> None:
    """Make environment `name` anew; `on_line` gets pip's progress. Raises `UserError` with pip's last words."""
    spec, folder = _spec(name), _folder(name)
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        _run(name, [sys.executable, "-I", "-m", "venv", str(folder)], on_line)
        if spec.torch:
            _install_torch(name, folder, on_line)
        alone = ("--no-deps",) if spec.complete else ()
        _pip(name, folder, (*alone, *spec.requirements), on_line)
        (folder / STAMP).write_bytes(_stamp(name))
    except OSError as error:
        raise UserError(
            f"the environment {name} cannot be written to {folder} ({error.strerror}): "
            f"name another folder in the variable {VARIABLE}"
        ) from None
    finally:
        if python_of(name) is None:
            shutil.rmtree(folder, ignore_errors=True)


def _spec(name: str) -> Environment:
    if name not in ENVIRONMENTS:
        raise UserError(f"there is no environment {name!r}: {nearest(name, ENVIRONMENTS)}")
    return ENVIRONMENTS[name]


def place() -> Path:
    """The folder that holds the environments."""
    chosen = os.environ.get(VARIABLE)
    return Path(chosen) if chosen else platformdirs.user_data_path("edgeprof") / "environments"


def _folder(name: str) -> Path:
    return place() / name


def _interpreter(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _stamp(name: str) -> bytes:
    """What a whole environment holds in its stamp: when the requirements change, it is made anew."""
    return msgspec.json.encode(_spec(name).pinned)


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.0f} MB"


def _torch_ways() -> Iterator[tuple[str, ...]]:
    """The words for pip, in the order to try. PyPI's torch for Linux is a CUDA build of gigabytes."""
    if platform.system() != "Linux":
        yield (TORCH,)
        return
    yield (f"{TORCH}+cpu",)
    yield (f"{TORCH}+cpu", "--extra-index-url", CPU_INDEX)


def _install_torch(name: str, folder: Path, on_line: OnLine) -> None:
    """From the user's own index, or from PyTorch's index of builds for CPU."""
    *first, last = _torch_ways()
    for words in first:
        try:
            return _pip(name, folder, words, on_line)
        except UserError:
            on_line(f"{words[0]} is not in your package index: asking {CPU_INDEX}")
    return _pip(name, folder, last, on_line)


def _pip(name: str, folder: Path, words: Iterable[str], on_line: OnLine) -> None:
    """Install from wheels alone: nothing that is downloaded runs while it is installed."""
    options = ("--only-binary", ":all:", "--progress-bar", "off", "--no-input", "--disable-pip-version-check")
    command = [str(_interpreter(folder)), "-I", "-m", "pip", "install", *options, *words]
    _run(name, command, lambda line: on_line(line.strip()) if line.startswith(_TOLD) else None)


def _run(name: str, command: list[str], on_line: OnLine) -> None:
    ended = run(command, on_line, environment=os.environ)
    if ended.status != 0:
        raise UserError(f"the environment {name} could not be made: {shortened(last_error(ended))}")
