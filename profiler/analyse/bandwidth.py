"""What a decoded token reads from memory, and the share of the device's bandwidth that this takes."""

from __future__ import annotations

from collections.abc import Mapping

from profiler.analyse.estimate import Estimate
from profiler.runfile import Build, Case, Device

_KV_BYTES = {"f32": 4.0, "f16": 2.0, "bf16": 2.0, "q8_0": 34 / 32, "q5_1": 24 / 32, "q4_0": 18 / 32}
"""Bytes of one cached element by type: blocks of 32 with their scales (ggml-common.h)."""


def read_bytes(build: Build, case: Case) -> Estimate:
    """Weights of one decoded token and the KV cache at the middle of the answer, from file and architecture."""
    if build.read_bytes_per_token is None or build.kv_elements_per_token is None:
        return Estimate(value=None, unit="B", reason="the file does not tell")
    each, workload = kv_element_bytes(build, case), case.workload
    if each is None:
        reason = f"the size of a KV cache of type {_kv_type(build, case)} is not known"
        return Estimate(value=None, unit="B", reason=reason)
    depth = workload.depth + workload.prompt_tokens + workload.output_tokens / 2
    kv = build.kv_elements_per_token * each * depth
    return Estimate(value=build.read_bytes_per_token + kv, unit="B")


def kv_element_bytes(build: Build, case: Case) -> float | None:
    """Bytes of one element of the KV cache; None for a type whose size is not known."""
    return _KV_BYTES.get(_kv_type(build, case))


def _kv_type(build: Build, case: Case) -> str:
    return str(case.settings.get("kv") or build.kv_type or "f16")


def bits_read(build: Build) -> Estimate:
    """Bits read for each weight that one decoded token touches, scales and offsets included."""
    bits = build.bits_read_per_weight
    return Estimate(value=bits, unit="bit", reason="the file does not tell" if bits is None else None)


def speed(figures: Mapping[str, Estimate]) -> Estimate | None:
    """The tokens per second among the figures of a case that the bandwidth is compared with."""
    return figures.get("decode_tps") or figures.get("tg_tps")


def bandwidth_share(device: Device, read: Estimate, speed: Estimate | None) -> Estimate:
    """Bytes read for a token, times tokens per second, over the bandwidth of the device."""
    if not device.memory_bandwidth_bytes_per_s:
        return Estimate(value=None, unit="", reason="the bandwidth of this device is not known")
    if read.value is None:
        return Estimate(value=None, unit="", reason=read.reason)
    if speed is None or speed.value is None:
        return Estimate(value=None, unit="", reason="there is no decode speed here")
    return Estimate(value=read.value * speed.value / device.memory_bandwidth_bytes_per_s, unit="")
