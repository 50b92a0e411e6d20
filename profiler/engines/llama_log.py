"""Memory and placement that llama.cpp states only in its log."""

import re
from typing import Any, Dict, List

MIB = 1024 * 1024
_BUFFER = re.compile(r"^(\w+):\s+(\S+)\s+(model|KV|compute|output|RS) buffer size\s*=\s*([\d.]+) MiB")
_CACHE = re.compile(
    r"^llama_kv_cache\w*: size =\s*([\d.]+) MiB \(\s*(\d+) cells,\s*(\d+) layers.*"
    r"K \((\w+)\):\s*([\d.]+) MiB, V \((\w+)\):\s*([\d.]+) MiB"
)
ASSIGNED = "load_tensors: layer "
"""How the line begins that says where a layer lies. It is a line for debugging."""

_ASSIGNED = re.compile(r"^load_tensors: layer\s+\d+ assigned to device (.+?)(?:, is_swa = \d)?$")
_OFFLOADED = re.compile(r"offloaded (\d+)/(\d+) layers to GPU")
_SPLITS = re.compile(r"graph[^:]*: nodes = .*\bsplits = (\d+)(?: / (\d+))?")
_HOST = re.compile(r"CPU|AMX$|BLAS|.*_host$", re.IGNORECASE)
_FLASH = re.compile(r"Flash Attention (enabled|disabled)|flash_attn\s+= (enabled|disabled)")


def read(lines: List[str]) -> Dict[str, Any]:
    """Buffers with their sizes in bytes, layers by device, KV cells and types, flash attention, splits of the graph.

    llama.cpp prints MiB with two decimals, so each size is exact to about 5 KiB. "CPU_Mapped" is the
    span of file mapped: it overlaps "CPU_REPACK" and is not memory in use.
    The layers are the repeating ones and the output; `gpu_layers` is no more than what was asked for.
    """
    facts: Dict[str, Any] = {"buffers": [], "layers": {}, "kv_bytes": 0, "kv_cells": None, "kv_types": None}
    facts["splits"] = None
    for line in lines:
        _read_line(line, facts)
    return facts


def _read_line(line: str, facts: Dict[str, Any]) -> None:
    buffer = _BUFFER.match(line)
    if buffer:
        facts["buffers"].append(
            {"where": buffer[2], "what": buffer[3].lower(), "bytes": round(float(buffer[4]) * MIB)}
        )
    cache = _CACHE.match(line)
    if cache:
        facts["kv_bytes"] += round(float(cache[1]) * MIB)
        facts["kv_cells"] = max(int(cache[2]), facts["kv_cells"] or 0)
        facts["kv_types"] = [cache[4], cache[6]]
    assigned = _ASSIGNED.match(line)
    if assigned:
        facts["layers"][assigned[1]] = facts["layers"].get(assigned[1], 0) + 1
    offloaded = _OFFLOADED.search(line)
    if offloaded:
        facts["gpu_layers"] = int(offloaded[1])
    splits = _SPLITS.search(line)
    if splits:
        facts["splits"] = int(splits[2] or splits[1])
    flash = _FLASH.search(line)
    if flash:
        facts["flash_attention"] = (flash[1] or flash[2]) == "enabled"


def bytes_of(facts: Dict[str, Any], *kinds: str) -> int:
    """Sum of the buffers of these kinds ("model", "kv", "compute", "output", "rs"), in bytes."""
    return sum(b["bytes"] for b in facts["buffers"] if b["what"] in kinds)


def held_weights_bytes(facts: Dict[str, Any]) -> int:
    """Weights in the process's own memory, repacked ones among them; mapped ones are the file's."""
    return sum(b["bytes"] for b in facts["buffers"] if b["what"] == "model" and _in_process(b["where"]))


def device_bytes(facts: Dict[str, Any], *kinds: str) -> int:
    """Buffers of these kinds, or of all, that lie in the memory of a GPU or NPU."""
    asked = (b for b in facts["buffers"] if not kinds or b["what"] in kinds)
    return sum(b["bytes"] for b in asked if not on_host(b["where"]))


def on_host(where: str) -> bool:
    """Such as CPU, CPU_Mapped, CPU_REPACK, AMX, and memory that a GPU's driver pins, such as CUDA_Host."""
    return bool(_HOST.match(where))


def _in_process(where: str) -> bool:
    return on_host(where) and not where.endswith("_Mapped")
