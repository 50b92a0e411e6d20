"""Constructed boards with everything that their kernels tell of their state. All values are our own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests import host_trees, machines
from tests.board_replay import BOOT_ID, BOUND
from tests.host_trees import plant

CPU = "sys/devices/system/cpu"
DEVFREQ = "sys/class/devfreq"
HWMON = "sys/class/hwmon"
RAPL = "sys/class/powercap/intel-rapl"
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


def ina3221(number: int, *channels: tuple[str, int, int], **more: object) -> dict[str, str]:
    """Label, millivolts and milliamperes of each channel; the last voltages are those over the shunts and their sum."""
    files_of = chip(number, "ina3221", in4_input=3, in5_input=2, in6_input=1, in7_input=6, **more)
    files_of |= chip(number, "ina3221", in7_label="sum of shunt voltages")
    for place, (label, millivolts, milliamperes) in enumerate(channels, 1):
        one = {f"in{place}_label": label, f"in{place}_input": millivolts, f"curr{place}_input": milliamperes}
        files_of |= chip(number, "ina3221", **one)
    return files_of


def domain(zone: str, name: str, energy_uj: int) -> dict[str, str]:
    """A counter of an x86 processor that wraps at 50 J."""
    return files(f"{RAPL}:{zone}", name=name, energy_uj=energy_uj, max_energy_range_uj=50_000_000)


def cooling(number: int, kind: str, step: object, highest: object, **more: object) -> dict[str, str]:
    folder = f"{THERMAL}/cooling_device{number}"
    return files(folder, type=kind, cur_state=step, max_state=highest, **more)


def rock_5b(root: Path) -> Path:
    """RK3588 with seven zones, a fan, GPU, NPU and memory at less than their highest clocks; debugfs readable.

    Its USB-C port is listed as a source of power, which it is not.
    """
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
    tree |= chip(0, "tcpm_source_psy_4_0022", in0_input=0, curr1_input=0, power1_input=0)
    return plant(
        root, tree | {"sys/kernel/debug/rknpu/load": "NPU load:  Core0:  0%, Core1: 12%, Core2:  0%,\n"}
    )


def orin_nano(root: Path) -> Path:
    """In mode 25W with its GPU far below, a network chip that reports 95 degrees, over-current counted; takes 10 W."""
    machines.jetson_orin_nano_super(root)
    tree = zone(0, "cpu-thermal", 48_468) | zone(1, "cv0-thermal", -256_000) | zone(2, "tj-thermal", 49_156)
    tree |= chip(0, "eth0_phy", temp1_input=95_700) | chip(1, "cpu_thermal", temp1_input=48_468)
    tree |= chip(2, "pwm_tach", fan1_input=2140)
    tree |= chip(3, "soctherm_oc", oc1_event_cnt=0, oc2_event_cnt=0, oc3_event_cnt=27)
    gpu = f"{DEVFREQ}/17000000.gpu"
    tree |= files(gpu, cur_freq=306_000_000, max_freq=624_750_000, governor="nvhost_podgov", device__load=123)
    tree |= cooling(0, "pwm-fan", 1, 3) | cooling(1, "cpu-throttle-alert", 1, 1)
    parts = (("VDD_CPU_GPU_CV", 5000, 900), ("VDD_SOC", 5000, 400))
    tree |= ina3221(4, ("VDD_IN", 5000, 2000), *parts, update_interval=9)
    return plant(root, tree | {"outputs/nvpmodel.txt": "NV Power Mode: 25W\n1\n"})


def agx_orin(root: Path) -> Path:
    """Three inputs of 6, 1 and 3 W, rails that are parts of them or not connected; a network chip at 100 degrees.

    Its tegrastats is that of JetPack 7, and one of two clusters of the GPU has no power.
    """
    machines.jetson_agx_orin(root)
    inputs = (("VDD_GPU_SOC", 20_000, 300), ("VDD_CPU_CV", 20_000, 50), ("VIN_SYS_5V0", 5000, 600))
    others = (("NC", 0, 0), ("VDDQ_VDD2_1V8AO", 5000, 120), ("NC", 0, 0))
    tree = ina3221(2, *inputs, update_interval=9) | ina3221(3, *others, update_interval=9)
    tree |= chip(0, "stmmac_0_00", temp1_input=100_800, temp1_crit=70_000, temp1_crit_alarm=1)
    tree |= zone(0, "cpu-thermal", 44_031) | zone(1, "gpu-thermal", -256_000)
    line = (
        "03-04-2026 05:06:07 RAM 5100/62840MB (lfb 9x4MB) CPU [3%@1190,off,off,2%@1190] EMC_FREQ 2%@3199 "
        "GR3D_FREQ 8%@[1205,0] cpu@44.031C/44.031C gpu@-256C/-256C VDD_GPU_SOC 6000mW/6000mW/6000mW\n"
    )
    return plant(root, tree | {"outputs/tegrastats.txt": line})


def jetson_nano(root: Path) -> Path:
    """JetPack 4: rails of industrial I/O, powers without a unit, a placeholder of a temperature, cores that are off."""
    chip_of = "sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0"
    rails = {"POM_5V_IN": 2512, "POM_5V_GPU": 40, "POM_5V_CPU": 611}
    tree: dict[str, str] = {}
    for place, (label, milliwatts) in enumerate(rails.items()):
        tree |= files(chip_of, **{f"rail_name_{place}": label, f"in_power{place}_input": milliwatts})
    tree |= zone(0, "CPU-therm", 31_500) | zone(1, "PMIC-Die", 100_000)
    line = (
        "RAM 1400/3956MB (lfb 100x4MB) IRAM 0/252kB(lfb 252kB) CPU [20%@1479,15%@1479,off,off] "
        "GR3D_FREQ 5%@76 PLL@29C CPU@31.5C PMIC@100C POM_5V_IN 2512/2498 POM_5V_GPU 40/41 POM_5V_CPU 611/602\n"
    )
    return plant(root, tree | {"outputs/tegrastats.txt": line})


PI_FIRMWARE = "sys/devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled"
CALM = {"get_throttled": "throttled=0x0", "measure_clock-arm": "frequency(0)=2400009600"}

PMIC = """\
  VDD_CORE_A current(7)=8.00000000A
   3V3_SYS_A current(1)=1.00000000A
  DDR_VDDQ_A current(4)=0.00000000A
  VDD_CORE_V volt(15)=0.75000000V
   3V3_SYS_V volt(9)=4.00000000V
  DDR_VDDQ_V volt(12)=0.60000000V
     EXT5V_V volt(24)=5.10000000V
      BATT_V volt(25)=0.02000000V
"""
"""Rails of 6, 4 and 0 W, and the inputs, which have no current."""


def raspberry_pi_5(root: Path) -> Path:
    """It has been throttled since the kernel last asked the firmware, whose clock is below the wish."""
    host_trees.raspberry_pi_5(root)
    tree = chip(0, "cpu_thermal", temp1_input=49_925) | chip(1, "rp1_adc", temp1_input=45_203)
    tree |= chip(2, "pwmfan", fan1_input=3012) | cooling(0, "pwm-fan", 1, 4)
    tree |= chip(3, "rpi_volt", in0_lcrit_alarm=0)
    said = {"get_throttled": "throttled=0xe0006", "measure_clock-arm": "frequency(0)=1200009600"}
    outputs = {f"outputs/vcgencmd-{name}.txt": f"{text}\n" for name, text in said.items()}
    tree |= outputs | {"outputs/vcgencmd-pmic_read_adc.txt": PMIC, PI_FIRMWARE: "20000\n"}
    return plant(root, tree | machines.pages(16))


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


def metered_laptop(root: Path) -> Path:
    """Intel, at the mains, whose counters may be read: the platform and, within it, a package and its parts."""
    host_trees.cloud_vm(root)
    tree = domain("0", "package-0", 49_000_000) | domain("0:0", "core", 7_000_000)
    tree |= domain("0:1", "dram", 1_000_000) | domain("1", "psys", 49_000_000)
    again = files(f"{RAPL}-mmio:0", name="package-0", energy_uj=5, max_energy_range_uj=50_000_000)
    battery = files("sys/class/power_supply/BAT0", type="Battery", status="Full", power_now=0)
    return plant(root, tree | again | battery | chip(0, "thinkpad", fan1_input=2650, fan1_label="CPU fan"))


def container(root: Path) -> Path:
    """1.5 CPUs of 8: held back for 2.5 seconds so far by the group above."""
    host_trees.limited_container(root)
    group = "sys/fs/cgroup/kubepods/pod7"
    stat = "usage_usec 900\nnr_periods 80\nnr_throttled 25\nthrottled_usec 2500000\n"
    inside = "usage_usec 900\nnr_periods 0\nnr_throttled 0\nthrottled_usec 0\n"
    return plant(root, {f"{group}/cpu.stat": stat, f"{group}/box/cpu.stat": inside})


def whole(root: Path, board: Callable[[Path], Path], cpus: int) -> Path:
    """A board to run on: every CPU is allowed, and it has been started."""
    allowed = {"proc/self/status": f"VmHWM:\t    8028 kB\nCpus_allowed_list:\t0-{cpus - 1}\n"}
    return machines.plant(board(root), allowed | {BOOT_ID: "5f1c", BOUND: ""})


def whole_raspberry_pi_5(root: Path) -> Path:
    """With its cores and their clocks, its memory and its kernel; nothing has been throttled so far."""
    whole(root, lambda root: raspberry_pi_5(machines.raspberry_pi_5(root)), cpus=4)
    said = {f"outputs/vcgencmd-{name}.txt": text for name, text in CALM.items()}
    return machines.plant(root, said | {PI_FIRMWARE: "0"})


def whole_orin_nano(root: Path) -> Path:
    """Nothing slows it down so far."""
    whole(root, orin_nano, cpus=6)
    return plant_state(root, cooling(1, "cpu-throttle-alert", 0, 1))


def whole_rock_5b(root: Path) -> Path:
    """As it is."""
    return whole(root, rock_5b, cpus=8)


def plant_state(root: Path, files: dict[str, str]) -> Path:
    """What changes while a board works. Each file changes at once: another process reads it."""
    for name, text in files.items():
        new = root / f"{name}.new"
        new.write_text(text)
        new.rename(root / name)
    return root


BOARDS = {
    "rock-5b": rock_5b,
    "orin-nano": orin_nano,
    "agx-orin": agx_orin,
    "jetson-nano": jetson_nano,
    "raspberry-pi-5": raspberry_pi_5,
    "laptop": laptop,
    "metered-laptop": metered_laptop,
    "container": container,
}
