"""Constructed boards with everything that their kernels tell of their state. All values are our own."""

from __future__ import annotations

from pathlib import Path

from tests import host_trees, machines
from tests.host_trees import plant

CPU = "sys/devices/system/cpu"
DEVFREQ = "sys/class/devfreq"
HWMON = "sys/class/hwmon"
THERMAL = "sys/class/thermal"


def files(folder: str, **values: object) -> dict[str, str]:
    """Files of one folder, each with one line; `device__load` lies in a folder of its own."""
    return {f"{folder}/{name.replace('__', '/')}": f"{value}\n" for name, value in values.items()}


def policy(number: int, **values: object) -> dict[str, str]:
    return files(f"{CPU}/cpufreq/policy{number}", **values)


def zone(number: int, kind: str, millidegrees: object) -> dict[str, str]:
    return files(f"{THERMAL}/thermal_zone{number}", type=kind, temp=millidegrees)


def chip(number: int, name: str, **values: object) -> dict[str, str]:
    return files(f"{HWMON}/hwmon{number}", name=name, **values)


def cooling(number: int, kind: str, step: object, highest: object, **more: object) -> dict[str, str]:
    folder = f"{THERMAL}/cooling_device{number}"
    return files(folder, type=kind, cur_state=step, max_state=highest, **more)


def rock_5b(root: Path) -> Path:
    """RK3588 with seven zones, a fan, GPU, NPU and memory at less than their highest clocks; debugfs readable."""
    machines.rock_5b(root)
    kinds = ("soc", "bigcore0", "bigcore1", "littlecore", "center", "gpu", "npu")
    tree: dict[str, str] = {}
    for number, kind in enumerate(kinds):
        tree |= zone(number, f"{kind}_thermal", 41_000 + 500 * number)
    tree |= files(
        f"{DEVFREQ}/fb000000.gpu", cur_freq=300_000_000, max_freq=1_000_000_000, load="7@300000000Hz"
    )
    tree |= files(f"{DEVFREQ}/fdab0000.npu", cur_freq=1_000_000_000, max_freq=1_000_000_000)
    tree |= files(f"{DEVFREQ}/dmc", cur_freq=528_000_000, max_freq=2_112_000_000, governor="dmc_ondemand")
    tree |= cooling(0, "pwm-fan", 2, 4) | cooling(1, "thermal-cpufreq-0", 0, 5)
    tree |= files("sys/class/power_supply/tcpm-source-psy-4-0022", type="USB", online=0)
    return plant(
        root, tree | {"sys/kernel/debug/rknpu/load": "NPU load:  Core0:  0%, Core1: 12%, Core2:  0%,\n"}
    )


def orin_nano(root: Path) -> Path:
    """In mode 25W with its GPU far below, a network chip that reports 95 degrees, over-current counted."""
    machines.jetson_orin_nano_super(root)
    tree = zone(0, "cpu-thermal", 48_468) | zone(1, "cv0-thermal", -256_000) | zone(2, "tj-thermal", 49_156)
    tree |= chip(0, "eth0_phy", temp1_input=95_700) | chip(1, "cpu_thermal", temp1_input=48_468)
    tree |= chip(2, "pwm_tach", fan1_input=2140)
    tree |= chip(3, "soctherm_oc", oc1_event_cnt=0, oc2_event_cnt=0, oc3_event_cnt=27)
    gpu = f"{DEVFREQ}/17000000.gpu"
    tree |= files(gpu, cur_freq=306_000_000, max_freq=624_750_000, governor="nvhost_podgov", device__load=123)
    tree |= cooling(0, "pwm-fan", 1, 3) | cooling(1, "cpu-throttle-alert", 1, 1)
    return plant(root, tree | {"outputs/nvpmodel.txt": "NV Power Mode: 25W\n1\n"})


def raspberry_pi_5(root: Path) -> Path:
    host_trees.raspberry_pi_5(root)
    tree = chip(0, "cpu_thermal", temp1_input=49_925) | chip(1, "rp1_adc", temp1_input=45_203)
    return plant(root, tree | chip(2, "pwmfan", fan1_input=3012) | cooling(0, "pwm-fan", 1, 4))


def laptop(root: Path) -> Path:
    """Intel, on battery, with an NPU that rests and a package that was throttled three times."""
    host_trees.laptop(root)
    npu = "sys/class/accel/accel0/device"
    tree = files(npu, uevent="DRIVER=intel_vpu", vendor="0x8086", npu_current_frequency_mhz=0)
    tree |= files(npu, npu_max_frequency_mhz=1400)
    tree |= chip(0, "coretemp", temp1_input=52_000, temp1_label="Package id 0", temp2_input=50_000)
    tree |= {"sys/firmware/acpi/platform_profile": "low-power\n"}
    for number in range(4):
        count = f"{CPU}/cpu{number}/thermal_throttle"
        tree |= files(count, core_throttle_count=number, package_throttle_count=3)
        tree |= cooling(number, "Processor", 0, 10)
        tree |= policy(number, scaling_driver="intel_pstate", energy_performance_preference="power")
    return plant(root, tree)


def container(root: Path) -> Path:
    """1.5 CPUs of 8: held back for 2.5 seconds so far by the group above."""
    host_trees.limited_container(root)
    group = "sys/fs/cgroup/kubepods/pod7"
    stat = "usage_usec 900\nnr_periods 80\nnr_throttled 25\nthrottled_usec 2500000\n"
    inside = "usage_usec 900\nnr_periods 0\nnr_throttled 0\nthrottled_usec 0\n"
    return plant(root, {f"{group}/cpu.stat": stat, f"{group}/box/cpu.stat": inside})


BOARDS = {
    "rock-5b": rock_5b,
    "orin-nano": orin_nano,
    "raspberry-pi-5": raspberry_pi_5,
    "laptop": laptop,
    "container": container,
}
