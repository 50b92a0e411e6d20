"""What a captured machine consists of: the kernel files and program outputs that `edgeprof capture` may take.

Nothing else is taken. Not among them: the kernel's command line and log, host name, users, network, serial
numbers, machine id.
"""

from __future__ import annotations

import re

from profiler.host.identity import DMI, DMI_NAMES
from profiler.host.macos import SYSCTL
from profiler.host.programs import Program
from profiler.host.vendors import NVPMODEL, POWERMETRICS, TEGRASTATS, vcgencmd

_CPU = "sys/devices/system/cpu"
_EACH_CPU = f"{_CPU}/cpu[0-9]*"
_CLOCK_FILES = (
    *("cpuinfo_max_freq", "cpuinfo_min_freq", "scaling_cur_freq", "scaling_driver", "scaling_governor"),
    *("scaling_max_freq", "scaling_min_freq"),
)


def _in(folder: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{folder}/{name}" for name in names)


FILES = (
    *_in("etc", "os-release", "nv_tegra_release", "nvpmodel.conf"),
    "run/systemd/container",
    *_in("proc", "cpuinfo", "loadavg", "meminfo", "stat", "1/cgroup", "driver/nvidia/version"),
    *_in("proc/device-tree", "compatible", "model", "hypervisor/compatible"),
    *_in("proc/pressure", "cpu", "io", "memory"),
    *_in("proc/self", "cgroup", "smaps", "smaps_rollup", "status"),
    *_in("proc/sys/kernel", "arch", "osrelease", "perf_event_paranoid"),
    *_in("proc/sys/vm", "nr_hugepages", "overcommit_memory", "swappiness"),
    *_in(_CPU, "online", "possible", "present", "smt/active", "smt/control", "cpufreq/boost"),
    *_in(f"{_CPU}/intel_pstate", "no_turbo", "status"),
    *_in(f"{_CPU}/cpufreq/policy[0-9]*", "related_cpus", *_CLOCK_FILES),
    *_in(f"{_CPU}/cpufreq/policy[0-9]*", "cpuinfo_cur_freq", "energy_performance_preference"),
    f"{_CPU}/cpufreq/policy[0-9]*/scaling_setspeed",
    f"{_EACH_CPU}/cpu_capacity",
    *_in(f"{_EACH_CPU}/cpufreq", *_CLOCK_FILES),
    *_in(f"{_EACH_CPU}/thermal_throttle", "core_throttle_count", "package_throttle_count"),
    *_in(f"{_EACH_CPU}/topology", "core_cpus_list", "core_id", "physical_package_id", "thread_siblings_list"),
    *_in(f"{_EACH_CPU}/cache/index[0-9]", "level", "shared_cpu_list", "size", "type"),
    *_in("sys/devices/system/clocksource/clocksource0", "available_clocksource", "current_clocksource"),
    *_in("sys/devices", "cpu_atom/cpus", "cpu_core/cpus", "cpu_lowpower/cpus"),
    *_in("sys/devices/platform", "soc/soc:firmware/get_throttled", "soc@*/soc@*:firmware/get_throttled"),
    *_in("sys/kernel/mm/transparent_hugepage", "defrag", "enabled", "shmem_enabled"),
    "sys/kernel/mm/hugepages/hugepages-*/nr_hugepages",
    "sys/firmware/acpi/platform_profile",
    "sys/hypervisor/type",
    *("proc/rknpu/load", "sys/kernel/debug/rknpu/load"),
    *_in(DMI, *DMI_NAMES, "board_vendor", "chassis_type", "sys_vendor"),
    *_in("sys/block/zram*", "disksize", "mm_stat"),
    "sys/bus/event_source/devices/*/type",
    *_in("sys/bus/i2c/drivers/ina3221/*/hwmon/hwmon*", "name", "curr*_input", "in*_input", "in*_label"),
    "sys/bus/i2c/drivers/ina3221/*/hwmon/hwmon*/update_interval",
    *_in("sys/bus/iio/devices/iio:device*", "rail_name_*", "in_power*_input"),
    *_in("sys/bus/i2c/drivers/ina3221x/*/iio:device*", "rail_name_*", "in_power*_input"),
    *_in("sys/class/accel/accel*/device", "npu_busy_time_us", "npu_current_frequency_mhz"),
    *_in("sys/class/accel/accel*/device", "npu_max_frequency_mhz", "uevent", "vendor"),
    *_in("sys/class/devfreq/*", "available_frequencies", "cur_freq", "governor", "load", "max_freq"),
    *_in("sys/class/devfreq/*", "device/load", "target_freq"),
    *_in("sys/class/drm/card[0-9]", "gt_act_freq_mhz", "gt_max_freq_mhz"),
    *_in("sys/class/drm/card[0-9]/device", "hwmon/hwmon*/freq1_input", "pp_dpm_sclk"),
    *_in("sys/class/drm/card[0-9]/device/tile0/gt0/freq0", "act_freq", "max_freq"),
    *_in("sys/class/drm/card[0-9]/device", "gpu_busy_percent", "mem_info_vram_total", "mem_info_vram_used"),
    *_in("sys/class/hwmon/hwmon*", "name", "curr*_input", "curr*_label", "energy*_input", "energy*_label"),
    *_in("sys/class/hwmon/hwmon*", "fan*_input", "fan*_label", "in*_input", "in*_label", "in0_lcrit_alarm"),
    *_in("sys/class/hwmon/hwmon*", "power*_average", "power*_input", "power*_interval", "power*_label"),
    *_in("sys/class/hwmon/hwmon*", "oc*_event_cnt", "temp*_fault", "temp*_input", "temp*_label"),
    "sys/class/hwmon/hwmon*/update_interval",
    *_in("sys/class/power_supply/*", "capacity", "charge_now", "current_now", "energy_now", "online"),
    *_in("sys/class/power_supply/*", "power_now", "scope", "status", "type", "voltage_now"),
    *_in("sys/class/powercap/intel-rapl:*", "energy_uj", "max_energy_range_uj", "name"),
    *_in("sys/class/powercap/intel-rapl-mmio:*", "energy_uj", "max_energy_range_uj", "name"),
    *_in("sys/class/thermal/cooling_device*", "cur_state", "max_state", "stats/total_trans", "type"),
    *_in("sys/class/thermal/thermal_zone*", "temp", "type"),
)
"""Patterns below the root."""

GROUP_FILES = {
    "cpu": ("cpu.cfs_period_us", "cpu.cfs_quota_us", "cpu.max", "cpu.stat"),
    "memory": (
        *("memory.current", "memory.limit_in_bytes", "memory.max", "memory.peak", "memory.stat"),
        "memory.usage_in_bytes",
    ),
}
"""By controller: what is taken of the control groups of this process."""

MARKS = (".dockerenv", "run/.containerenv")
"""Files whose being there says enough: they are taken empty."""

FOLDERS = ("sys/block",)
"""Folders whose being there says something, even if nothing in them is taken."""

LINES = {
    "etc/os-release": r"(ID|ID_LIKE|NAME|PRETTY_NAME|VERSION|VERSION_ID)=",
    "proc/cpuinfo": (
        r"$|(processor|vendor_id|cpu family|model|model name|stepping|cpu MHz|cache size|physical id|siblings"
        r"|core id|cpu cores|flags|bugs|bogomips|BogoMIPS|Features|CPU implementer|CPU architecture|CPU variant"
        r"|CPU part|CPU revision|Hardware|Model)\s*:"
    ),
    "proc/driver/nvidia/version": r"NVRM version:",
    "proc/self/smaps": r"KernelPageSize:",
    "proc/self/smaps_rollup": r"(Rss|Pss|Private_Dirty|Anonymous):",
    "proc/self/status": r"(VmHWM|Cpus_allowed_list):",
    "proc/stat": r"cpu\d* ",
    "outputs/powermetrics.txt": (
        r"\*|[A-Z][0-9]?-Cluster |(CPU|GPU|ANE|Combined) Power|Intel energy model |Current pressure level:"
    ),
    "outputs/system_profiler.txt": (
        r" *(Model Name|Model Identifier|Chip|Processor Name|Total Number of Cores|Memory):"
    ),
}
"""Of these only the lines that begin so: the others name processes, addresses or the machine itself."""


PROGRAMS = (
    vcgencmd("get_throttled"),
    vcgencmd("measure_temp"),
    vcgencmd("measure_clock", "arm"),
    vcgencmd("measure_volts", "core"),
    vcgencmd("pmic_read_adc"),
    TEGRASTATS,
    NVPMODEL,
    SYSCTL,
    POWERMETRICS,
    Program(
        name="system_profiler",
        command=("system_profiler", "SPHardwareDataType", "-detailLevel", "mini"),
        system="Darwin",
        limit_s=20.0,
    ),
)
"""What is started where it is installed. All print and change nothing."""


def kept(name: str, text: str) -> str:
    """The lines of a file or an output that are taken: all, but of those in `LINES` the known ones."""
    if name not in LINES:
        return text
    wanted = re.compile(LINES[name])
    return "".join(f"{line}\n" for line in text.split("\n") if wanted.match(line))
