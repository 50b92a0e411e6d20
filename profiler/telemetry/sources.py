"""The sources there are. A new one is a file beside this and a line here."""

from __future__ import annotations

from collections.abc import Mapping

from profiler.telemetry import (
    battery,
    cpufreq,
    devfreq,
    fan,
    graphics,
    hwmon_power,
    ina3221,
    intel_npu,
    nvml,
    paging,
    pi_pmic,
    power_mode,
    powermetrics,
    quota,
    rapl,
    raspberry_pi,
    rknpu,
    supply,
    tegrastats,
    thermal,
    throttling,
)
from profiler.telemetry.protocol import MeterSource, StateSource

STATE_SOURCES: Mapping[str, StateSource] = {
    "cpufreq": cpufreq,
    "thermal": thermal,
    "fan": fan,
    "devfreq": devfreq,
    "graphics": graphics,
    "intel_npu": intel_npu,
    "rknpu": rknpu,
    "power_mode": power_mode,
    "supply": supply,
    "paging": paging,
    "quota": quota,
    "throttling": throttling,
    "raspberry_pi": raspberry_pi,
    "tegrastats": tegrastats,
    "nvml": nvml,
    "powermetrics": powermetrics,
}
"""By name; where two tell the same part of a topic, the later one counts."""

METER_SOURCES: Mapping[str, MeterSource] = {
    "rapl": rapl,
    "pi_pmic": pi_pmic,
    "ina3221": ina3221,
    "hwmon_power": hwmon_power,
    "battery": battery,
    "tegrastats": tegrastats,
    "nvml": nvml,
    "powermetrics": powermetrics,
}
