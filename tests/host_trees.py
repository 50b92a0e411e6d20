"""Constructed /proc and /sys trees: four machines, each with secrets that must never come out."""

from __future__ import annotations

from pathlib import Path

SECRETS = (
    "deadbeef",
    "S3CR3T-SERIAL",
    "host-of-anna",
    "anna@buildbox",
    "f00dcafe0123",
    "52:54:00:ab:cd:ef",
)

PRIVATE_FILES = {
    "etc/hostname": "host-of-anna\n",
    "etc/machine-id": "f00dcafe0123f00dcafe0123f00dcafe\n",
    "proc/sys/kernel/hostname": "host-of-anna\n",
    "proc/version": "Linux version 6.9.0 (anna@buildbox) (gcc 14) #1 SMP\n",
    "sys/class/net/eth0/address": "52:54:00:ab:cd:ef\n",
    "sys/class/dmi/id/product_serial": "S3CR3T-SERIAL\n",
}

READABLE_MEMORY = {
    "proc/self/status": "Name:\tpython\nVmHWM:\t    8028 kB\nCpus_allowed_list:\t0-3\n",
    "proc/self/smaps_rollup": "5600-7fff ---p 00000000 00:00 0   [rollup]\nRss: 40000 kB\nPss: 29944 kB\n",
    "proc/stat": "cpu  1000 10 200 8000 50 5 15 20 0 0\ncpu0 500 5 100 4000 25 2 8 10 0 0\n",
}


def plant(root: Path, files: dict[str, str]) -> Path:
    for name, text in (PRIVATE_FILES | READABLE_MEMORY | files).items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def meminfo(total: int, available: int, swap: int = 0, swap_free: int = 0) -> str:
    return (
        f"MemTotal:       {total} kB\nMemFree:        1000 kB\nMemAvailable:   {available} kB\n"
        f"SwapTotal:      {swap} kB\nSwapFree:       {swap_free} kB\n"
    )


def cloud_vm(root: Path) -> Path:
    """A guest of two CPUs: no cpufreq, no thermal zones, no RAPL, cgroup v1 without limits."""
    cpu = "processor\t: {n}\nmodel name\t: AMD EPYC\ncpu MHz\t: 2445.406\nflags\t\t: fpu sse2 hypervisor avx2\n\n"
    (root / "sys/block").mkdir(parents=True)
    (root / "sys/class/power_supply").mkdir(parents=True)
    return plant(
        root,
        {
            "etc/os-release": 'NAME="Debian GNU/Linux"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
            "proc/cpuinfo": cpu.format(n=0) + cpu.format(n=1),
            "proc/meminfo": meminfo(24_683_656, 24_356_172),
            "proc/loadavg": "0.19 0.85 0.69 1/85 5537\n",
            "proc/1/cgroup": "2:cpu:/\n0::/\n",
            "proc/self/cgroup": "4:memory:/service\n1:cpu,cpuacct:/service\n0::/\n",
            "proc/self/status": "VmHWM:\t    8028 kB\nCpus_allowed_list:\t0-1\n",
            "proc/sys/kernel/perf_event_paranoid": "2\n",
            "sys/bus/event_source/devices/software/type": "1\n",
            "sys/devices/system/cpu/online": "0-1\n",
            "sys/devices/system/cpu/smt/active": "0\n",
            "sys/devices/system/clocksource/clocksource0/available_clocksource": "tsc kvm-clock\n",
            "sys/devices/system/clocksource/clocksource0/current_clocksource": "tsc\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
            "sys/fs/cgroup/memory/memory.usage_in_bytes": "1048576\n",
            "sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never\n",
        },
    )


def raspberry_pi_5(root: Path) -> Path:
    """Four A76 cores at 1500 of 2400 MHz, zram, no power supply described, a serial number in cpuinfo."""
    cpu = "processor\t: {n}\nFeatures\t: fp asimd asimddp\nCPU implementer\t: 0x41\nCPU part\t: 0xd0b\n\n"
    cores = "".join(cpu.format(n=n) for n in range(4))
    policy = "sys/devices/system/cpu/cpufreq/policy0"
    return plant(
        root,
        {
            "etc/os-release": 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
            "proc/cpuinfo": cores + "Revision\t: c04170\nSerial\t\t: 10000000deadbeef\n"
            "Model\t\t: Raspberry Pi 5 Model B Rev 1.0\n",
            "proc/device-tree/compatible": "raspberrypi,5-model-b\0brcm,bcm2712\0",
            "proc/device-tree/serial-number": "10000000deadbeef\0",
            "proc/meminfo": meminfo(8_255_000, 7_500_000, swap=524_272, swap_free=524_272),
            "proc/loadavg": "0.00 0.01 0.05 1/180 911\n",
            "proc/1/cgroup": "0::/init.scope\n",
            "proc/self/cgroup": "0::/user.slice\n",
            "sys/block/zram0/disksize": "536854528\n",
            "sys/bus/event_source/devices/armv8_cortex_a76/type": "8\n",
            "proc/sys/kernel/perf_event_paranoid": "2\n",
            "sys/devices/system/cpu/online": "0-3\n",
            f"{policy}/scaling_governor": "ondemand\n",
            f"{policy}/scaling_cur_freq": "1500000\n",
            f"{policy}/scaling_max_freq": "2400000\n",
            f"{policy}/cpuinfo_max_freq": "2400000\n",
            "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
            "sys/class/thermal/thermal_zone0/temp": "49925\n",
            "sys/class/thermal/thermal_zone1/type": "absent-thermal\n",
            "sys/class/thermal/thermal_zone1/temp": "-256000\n",
            "sys/class/thermal/thermal_zone2/type": "PMIC-Die\n",
            "sys/class/thermal/thermal_zone2/temp": "100000\n",
            "sys/kernel/mm/transparent_hugepage/enabled": "[always] madvise never\n",
        },
    )


def laptop(root: Path) -> Path:
    """On battery at 41%, powersave governor, clock capped, swap in use, RAPL that this user may not read."""
    cpu = "processor\t: {n}\nmodel name\t: Intel(R) Core(TM) i7-1165G7\nflags\t\t: fpu sse2 avx512_vnni\n\n"
    cores = "".join(cpu.format(n=n) for n in range(4))
    files = {
        "etc/os-release": 'PRETTY_NAME="Fedora Linux 41"\n',
        "proc/cpuinfo": cores,
        "proc/meminfo": meminfo(16_000_000, 900_000, swap=8_000_000, swap_free=7_000_000),
        "proc/loadavg": "1.00 0.75 0.50 3/900 4242\n",
        "proc/1/cgroup": "0::/init.scope\n",
        "proc/self/cgroup": "0::/user.slice\n",
        "proc/sys/kernel/perf_event_paranoid": "4\n",
        "sys/bus/event_source/devices/cpu/type": "4\n",
        "sys/devices/system/cpu/online": "0-3\n",
        "sys/devices/system/cpu/smt/active": "1\n",
        "sys/devices/system/cpu/intel_pstate/no_turbo": "0\n",
        "sys/class/power_supply/AC/type": "Mains\n",
        "sys/class/power_supply/AC/online": "0\n",
        "sys/class/power_supply/BAT0/type": "Battery\n",
        "sys/class/power_supply/BAT0/status": "Discharging\n",
        "sys/class/power_supply/BAT0/capacity": "41\n",
        "sys/class/power_supply/BAT0/power_now": "4830000\n",
        "sys/class/power_supply/BAT0/serial_number": "S3CR3T-SERIAL\n",
        "sys/class/power_supply/hid-52:54:00:ab:cd:ef-battery/type": "Battery\n",
        "sys/class/power_supply/hid-52:54:00:ab:cd:ef-battery/scope": "Device\n",
        "sys/class/power_supply/hid-52:54:00:ab:cd:ef-battery/capacity": "3\n",
        "sys/class/power_supply/hid-52:54:00:ab:cd:ef-battery/status": "Charging\n",
        "sys/class/powercap/intel-rapl:0/name": "package-0\n",
        "sys/class/thermal/thermal_zone0/type": "acpitz\n",
        "sys/class/thermal/thermal_zone0/temp": "48000\n",
        "sys/class/thermal/thermal_zone1/type": "acpitz\n",
        "sys/class/thermal/thermal_zone1/temp": "61500\n",
        "sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never\n",
    }
    for number in range(4):
        policy = f"sys/devices/system/cpu/cpufreq/policy{number}"
        files[f"{policy}/scaling_governor"] = "powersave\n"
        files[f"{policy}/scaling_cur_freq"] = f"{1_200_000 + 100_000 * number}\n"
        files[f"{policy}/scaling_max_freq"] = "2800000\n"
        files[f"{policy}/cpuinfo_max_freq"] = "4700000\n"
    return plant(root, files)


def limited_container(root: Path) -> Path:
    """cgroup v2: 1.5 CPUs of 8 from the pod's group above, 2 GiB of memory, on a machine without sensors."""
    cpu = "processor\t: {n}\nmodel name\t: Intel(R) Xeon(R)\nflags\t\t: fpu sse2\n\n"
    cores = "".join(cpu.format(n=n) for n in range(8))
    group = "sys/fs/cgroup/kubepods/pod7"
    return plant(
        root,
        {
            ".dockerenv": "",
            "proc/cpuinfo": cores,
            "proc/meminfo": meminfo(64_000_000, 32_000_000),
            "proc/1/cgroup": "0::/kubepods/pod7/box\n",
            "proc/self/cgroup": "0::/kubepods/pod7/box\n",
            "proc/self/status": "VmHWM:\t    8028 kB\nCpus_allowed_list:\t0-7\n",
            "sys/devices/system/cpu/online": "0-7\n",
            f"{group}/cpu.max": "150000 100000\n",
            f"{group}/memory.max": "max\n",
            f"{group}/memory.current": "1048576\n",
            f"{group}/box/cpu.max": "max 100000\n",
            f"{group}/box/memory.max": "2147483648\n",
            f"{group}/box/memory.current": "1048576\n",
        },
    )
