"""What compiled the libraries of the installed engines, as they say themselves. No engine is imported."""

from __future__ import annotations

from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from profiler.host.elf import comments
from profiler.host.kernel_files import UnreadableError

LIBRARIES = {
    "llama-cpp": ("llama_cpp", ("lib/libggml-cpu*.so*", "lib/libllama.so*")),
    "ort-genai": ("onnxruntime_genai", ("onnxruntime_genai*.so",)),
    "ort": ("onnxruntime", ("capi/onnxruntime_pybind11_state*.so",)),
}
"""By engine: its module, and where in it the library that computes lies; the first that is there is read."""


def compilers() -> dict[str, str]:
    """By engine, as in `GCC: (Debian 12.2.0-14) 12.2.0`; several compilers are joined by a semicolon.

    An engine whose library is not there or says nothing is left out. Raises `UnreadableError` if all are.
    """
    found = {}
    for engine, (module, patterns) in LIBRARIES.items():
        library = _library(module, patterns)
        with suppress(UnreadableError):
            if library is not None:
                found[engine] = "; ".join(comments(library))
    if not found:
        raise UnreadableError("no engine's library names its compiler")
    return found


def _library(module: str, patterns: tuple[str, ...]) -> Path | None:
    try:
        spec = find_spec(module)
    except (ImportError, ValueError):
        return None
    folders = [Path(folder) for folder in (spec and spec.submodule_search_locations) or ()]
    found = [path for folder in folders for pattern in patterns for path in sorted(folder.glob(pattern))]
    return found[0] if found else None
