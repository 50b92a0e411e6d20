"""Asked against assigned: whether an engine works elsewhere, or otherwise, than it was asked to, in one sentence.

Engines fall back silently. What they were given proves nothing (ONNX Runtime's `get_providers` lists what was asked
for); what they assigned does: layers and buffers in llama.cpp's log, nodes in ONNX Runtime's record.
"""

import re
from typing import Any, Dict, Optional

from profiler.engines.llama_log import MIB, on_host

CPU = "CPU"
SHARE_ELSEWHERE = 0.0
"""Of a graph's nodes: what may run on another provider before it is called a fall-back."""

_DEVICE = re.compile(r"(.+?)(_Private|_Mapped|_Split|[-_]REPACK)?$")
"""A device in the name of its buffer: MTL0 in MTL0_Mapped."""


def of_llama_cpp(settings: Dict[str, Any], log: Dict[str, Any]) -> Optional[str]:
    """What llama.cpp does otherwise than `settings` ask, by the facts of its log; None if nothing is seen."""
    asked = settings["gpu_layers"]
    return (
        (_off_the_cpu(log) if asked == 0 else _off_the_gpu(asked, log))
        or _other_cache(settings["kv"], log)
        or _other_attention(settings["flash"], log)
    )


def of_nodes(asked: str, assigned: Dict[str, int], share_elsewhere: float = SHARE_ELSEWHERE) -> Optional[str]:
    """The nodes of a graph that run on another provider than `asked`, if they are more than this share."""
    elsewhere = {name: count for name, count in assigned.items() if name != asked and count}
    count, total = sum(elsewhere.values()), sum(assigned.values())
    if count <= share_elsewhere * total:
        return None
    places = [f"{few} of {total} nodes run on {name}" for name, few in sorted(elsewhere.items())]
    return f"asked for {asked}: {' and '.join(places)}"


def of_device(asked: str, device: str) -> Optional[str]:
    """An engine that tells the kind of its device and nothing of its nodes."""
    return None if device == asked else f"asked for {asked}: the engine runs on {device}"


def shares(log: Dict[str, Any]) -> Dict[str, Any]:
    """Layers by device, and shares of all layers and of all weights; the CPU is one device."""
    layers: Dict[str, int] = {}
    weights: Dict[str, int] = {}
    for place, count in log["layers"].items():
        name = device_of(place) or CPU
        layers[name] = layers.get(name, 0) + count
    for buffer in log["buffers"]:
        if buffer["what"] == "model":
            name = device_of(buffer["where"]) or CPU
            weights[name] = weights.get(name, 0) + buffer["bytes"]
    return {
        name: {
            "count": layers.get(name, 0),
            "unit": "layers",
            "arithmetic": layers.get(name, 0) / (sum(layers.values()) or 1),
            "weights": weights.get(name, 0) / (sum(weights.values()) or 1),
        }
        for name in {**layers, **weights}
    }


def of_openvino(device: str, asked: Dict[str, Any], told: Dict[str, str]) -> Optional[str]:
    """Another device, or another value of a property, than OpenVINO was `asked` for, by what it tells of the model."""
    runs_on = told.get("EXECUTION_DEVICES", device)
    if device not in (runs_on, runs_on.split(".")[0]):
        return of_device(device, runs_on)
    for name, value in asked.items():
        if told.get(name, str(value)) != str(value):
            return f"asked for {name} {value}: OpenVINO made it {told[name]}"
    return None


def device_of(place: str) -> Optional[str]:
    """The device that a buffer or a layer of llama.cpp lies on; None for the CPU.

    Pinned memory such as CUDA_Host is the host's, whoever allocated it: the CPU computes in it.
    """
    found = _DEVICE.match(place)
    return None if on_host(place) or not found else found[1]


def _off_the_cpu(log: Dict[str, Any]) -> Optional[str]:
    """Buffers, or layers, on a device although the CPU alone was asked for."""
    for buffer in log["buffers"]:
        device = device_of(buffer["where"])
        if device and buffer["bytes"]:
            size = f"{buffer['bytes'] / MIB:.1f} MiB of {_buffers(buffer['what'])}"
            return f"asked for the CPU alone, but {size} lie on {device}"
    on_devices, total = _layers_on_devices(log), sum(log["layers"].values())
    if on_devices:
        return f"asked for the CPU alone, but {sum(on_devices.values())} of {total} layers are on {_named(on_devices)}"
    return None


def _buffers(what: str) -> str:
    return "weights" if what == "model" else f"{what.upper() if what in ('kv', 'rs') else what} buffers"


def _off_the_gpu(asked: int, log: Dict[str, Any]) -> Optional[str]:
    """Layers that are not where they were asked to be, or parts of them that are elsewhere."""
    on_devices, total = _layers_on_devices(log), sum(log["layers"].values())
    found, wanted = sum(on_devices.values()), total if asked < 0 else min(asked, total)
    if not found and not any(device_of(buffer["where"]) for buffer in log["buffers"]):
        missed = f"none of {total or 'them'} is there: this llama.cpp has no back end for a GPU, or sees none"
    elif found < wanted:
        missed = f"{found} of {total} are on {_named(on_devices)}"
    elif _weights(log) and not _weights(log, on_devices=True):
        missed = f"{found} of {total} are assigned to {_named(on_devices)}, but no weights lie there"
    elif 0 < total == found and (log["splits"] or 0) > total:
        where, splits = _named(on_devices), log["splits"]
        missed = f"all are assigned to {where}, but parts of them run elsewhere: a token changes device {splits} times"
    else:
        return None
    return f"asked for {_asked_layers(asked)} on a GPU: {missed}"


def _asked_layers(asked: int) -> str:
    return "all layers" if asked < 0 else "1 layer" if asked == 1 else f"{asked} layers"


def _weights(log: Dict[str, Any], on_devices: bool = False) -> int:
    """Bytes of weights, all or those on devices. An inspection allocates none."""
    found = [buffer for buffer in log["buffers"] if buffer["what"] == "model"]
    return sum(b["bytes"] for b in found if not on_devices or device_of(b["where"]))


def _layers_on_devices(log: Dict[str, Any]) -> Dict[str, int]:
    return {name: count for name, count in log["layers"].items() if device_of(name)}


def _named(on_devices: Dict[str, int]) -> str:
    return " and ".join(sorted(on_devices))


def _other_cache(asked: str, log: Dict[str, Any]) -> Optional[str]:
    other = [kind for kind in log["kv_types"] or [] if kind != asked]
    return f"asked for a KV cache of {asked}: it is of {other[0]}" if other else None


def _other_attention(asked: str, log: Dict[str, Any]) -> Optional[str]:
    made = log.get("flash_attention")
    if asked == "auto" or made is None or made is (asked == "on"):
        return None
    return f"asked for flash attention {asked}: it is {'on' if made else 'off'}"
