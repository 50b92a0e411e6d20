"""The devices that llama.cpp sees through its own interface, and one of them chosen by name.

Sources: ggml-backend.h. A library whose back ends are files of their own knows none before they are loaded.
"""

import ctypes
import os
import re
from typing import Any, Callable, Dict, List, Optional

from profiler.engines.protocol import EngineFailure

CPU, GPU, INTEGRATED, ACCELERATOR = range(4)
KINDS = {CPU: "cpu", GPU: "gpu", INTEGRATED: "gpu", ACCELERATOR: "npu"}
_SOFTWARE = re.compile(r"llvmpipe|lavapipe|swiftshader|softpipe", re.IGNORECASE)

Library = Callable[[str], Any]


def load_back_ends(library: Library, folder: str) -> None:
    """Load back ends that lie beside the library, where it has none built in."""
    try:
        ggml = library("ggml")
        count, load = ggml.ggml_backend_dev_count, ggml.ggml_backend_load_all_from_path
    except (OSError, AttributeError):
        return
    count.restype, load.restype, load.argtypes = ctypes.c_size_t, None, [ctypes.c_char_p]
    if not count():
        load(os.fsencode(folder))


def devices(library: Library) -> List[Dict[str, Any]]:
    """All but the CPU: back end, kind, name, description, memory in bytes, and what imitates it."""
    return [one for one in _all(library) if one["kind"] != "cpu"]


def pointer(library: Library, provider: str, name: Optional[str]) -> Any:
    """The device of this back end, and of this name if there is one. Raises EngineFailure if it is not there."""
    found = devices(library)
    for one in found:
        if one["provider"] == provider and name in (None, one["name"]):
            return one["pointer"]
    seen = ", ".join(f"{one['name']} ({one['description']})" for one in found)
    raise EngineFailure(
        "load_failed",
        f"this llama.cpp sees no device {name or provider}: it sees {seen or 'the CPU alone'}",
    )


def _all(library: Library) -> List[Dict[str, Any]]:
    try:
        ggml, base = library("ggml"), library("ggml-base")
        count, get = ggml.ggml_backend_dev_count, ggml.ggml_backend_dev_get
        _typed(base)
    except (OSError, AttributeError):
        return []
    count.restype, get.restype, get.argtypes = ctypes.c_size_t, ctypes.c_void_p, [ctypes.c_size_t]
    return [_told(base, get(number)) for number in range(count())]


def _typed(base: Any) -> None:
    pointer, text = ctypes.c_void_p, ctypes.c_char_p
    for name, result in (
        ("ggml_backend_dev_name", text),
        ("ggml_backend_dev_description", text),
        ("ggml_backend_dev_type", ctypes.c_int),
        ("ggml_backend_dev_backend_reg", pointer),
        ("ggml_backend_reg_name", text),
    ):
        getattr(base, name).restype, getattr(base, name).argtypes = result, [pointer]
    sizes = ctypes.POINTER(ctypes.c_size_t)
    base.ggml_backend_dev_memory.restype, base.ggml_backend_dev_memory.argtypes = (
        None,
        [pointer, sizes, sizes],
    )


def _told(base: Any, device: int) -> Dict[str, Any]:
    free, total = ctypes.c_size_t(), ctypes.c_size_t()
    base.ggml_backend_dev_memory(device, ctypes.byref(free), ctypes.byref(total))
    description = base.ggml_backend_dev_description(device).decode("utf-8", "replace")
    return {
        "provider": base.ggml_backend_reg_name(base.ggml_backend_dev_backend_reg(device)).decode(
            "ascii", "replace"
        ),
        "kind": KINDS.get(base.ggml_backend_dev_type(device), "npu"),
        "name": base.ggml_backend_dev_name(device).decode("utf-8", "replace"),
        "description": description,
        "memory_bytes": total.value or None,
        "simulated": f"{description} on this CPU" if _SOFTWARE.search(description) else None,
        "pointer": device,
    }
