"""What a board says of itself."""

import mmap
import os
import platform
import shutil
import struct
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any, Dict, Optional

from profiler.boards.remote.moment import anchor
from profiler.boards.remote.texts import text

BOOT_ID = "/proc/sys/kernel/random/boot_id"


def hello(asked: Dict[str, Any]) -> Dict[str, Any]:
    """What the laptop must know before it sends anything."""
    folder = os.path.expanduser(asked["folder"])
    there = folder
    while not os.path.isdir(there):
        there = os.path.dirname(there) or os.curdir
    return {
        "python": platform.python_version(),
        "bits": 8 * struct.calcsize("P"),
        "system": platform.system(),
        "machine": platform.machine(),
        "libc": " ".join(platform.libc_ver()),
        "page_bytes": mmap.PAGESIZE,
        "folder": folder,
        "free_bytes": shutil.disk_usage(there).free,
        "cpus": sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [],
        "boot_id": (text(BOOT_ID) or "").strip() or None,
        "anchor": anchor(),
    }


def modules(asked: Dict[str, Any]) -> Dict[str, Optional[str]]:
    """Versions of the packages that a worker would find, "" where one does not say; None for what is not there."""
    if asked["folder"] not in sys.path:
        sys.path.insert(0, asked["folder"])
    return {name: _version(name) if find_spec(name) is not None else None for name in asked["names"]}


def _version(module: str) -> str:
    names = {"llama_cpp": "llama-cpp-python", "onnxruntime_genai": "onnxruntime-genai"}
    try:
        return version(names.get(module, module))
    except PackageNotFoundError:
        return ""
