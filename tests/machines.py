"""Constructed machines of many kinds, each with what must be found out about it. All values are our own."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from profiler.catalogue.devices import Cluster, Detect, DeviceProfile, Fact, Source
from profiler.host import windows

CPU = "sys/devices/system/cpu"
DMI = "sys/class/dmi/id"
KIB, GIB = 2**10, 2**30

A53 = "fp asimd evtstrm crc32 cpuid"
A76 = "fp asimd evtstrm aes crc32 atomics fphp asimdhp cpuid asimddp"
OF_V9 = f"{A76} sve2 i8mm bf16"
M1 = f"{A76} jscvt fcma sha3"
V1 = f"{A76} sve i8mm bf16"
X86 = "fpu cx8 cmov mmx fxsr sse sse2 syscall lm"
X86_AVX2 = f"{X86} abm avx avx2 bmi1 bmi2 cx16 f16c fma lahf_lm movbe pni popcnt sse4_1 sse4_2 ssse3 xsave"
X86_AVX512 = f"{X86_AVX2} avx512f avx512bw avx512cd avx512dq avx512vl"


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be read from a machine.

    `clusters`: core, cores, highest MHz, kind of core, threads in words. `name` is empty where the
    machine has none. `free_bytes` is what this process may have of the memory now; `allowed` are the CPUs it
    may use. Windows does not tell the page size: there it is that of this process.
    """

    name: str
    kind: str
    clusters: tuple[tuple[str | None, int, float | None, str | None, str | None], ...]
    threads: int
    memory_bytes: int
    free_bytes: int | None
    page_bytes: int
    profiles: tuple[str, ...]
    allowed: frozenset[int]


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """Something that builds a tree, and what is to be read from it."""

    id: str
    build: Callable[[Path], Path]
    expected: Expected


def plant(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text if text.endswith(("\n", "\0")) or not text else text + "\n", "utf-8")
    return root


def memory(total_kib: int, free_kib: int) -> dict[str, str]:
    text = f"MemTotal: {total_kib} kB\nMemAvailable: {free_kib} kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n"
    return {"proc/meminfo": f"{text}HugePages_Total:       0\n"}


def pages(kib: int) -> dict[str, str]:
    first = "5580000000-5580400000 r-xp 00000000 b3:02 1 /usr/bin/python3\nSize: 4096 kB\n"
    return {"proc/self/smaps": f"{first}KernelPageSize:       {kib} kB\nMMUPageSize:          {kib} kB\n"}


def tree(model: str, *compatible: str) -> dict[str, str]:
    """The device tree's texts, which end in zero bytes."""
    joined = "".join(f"{word}\0" for word in compatible)
    return {"proc/device-tree/model": f"{model}\0", "proc/device-tree/compatible": joined}


def linux(cpus: int) -> dict[str, str]:
    return {
        f"{CPU}/online": f"0-{cpus - 1}",
        "proc/self/status": f"VmHWM:\t    8028 kB\nCpus_allowed_list:\t0-{cpus - 1}\n",
        "proc/self/cgroup": "0::/user.slice\n",
        "proc/1/cgroup": "0::/init.scope\n",
        "proc/loadavg": "0.10 0.20 0.30 1/180 911\n",
    } | pages(4)


class Cores(msgspec.Struct, frozen=True):
    """Like cores for `board`: how many, part, feature words, clocks in MHz, capacity."""

    count: int
    part: str
    features: str
    mhz: tuple[int, int] | None = None
    capacity: int | None = None
    implementer: str = "0x41"


def board(root: Path, *groups: Cores) -> Path:
    """Arm cores in order, with a frequency domain for each group; core ids start again in every group."""
    blocks: list[str] = []
    files: dict[str, str] = {}
    for group in groups:
        first = len(blocks)
        for place in range(group.count):
            number = first + place
            blocks.append(
                f"processor\t: {number}\nBogoMIPS\t: 48.00\nFeatures\t: {group.features}\n"
                f"CPU implementer\t: {group.implementer}\nCPU architecture: 8\nCPU part\t: {group.part}\n"
            )
            folder = f"{CPU}/cpu{number}"
            files[f"{folder}/topology/core_cpus_list"] = str(number)
            files[f"{folder}/topology/core_id"] = str(place)
            if group.capacity is not None:
                files[f"{folder}/cpu_capacity"] = str(group.capacity)
            if group.mhz is not None:
                files |= clock(f"{folder}/cpufreq", group.mhz)
        if group.mhz is not None:
            files |= clock(f"{CPU}/cpufreq/policy{first}", group.mhz)
    return plant(root, files | {"proc/cpuinfo": "\n".join(blocks)} | linux(len(blocks)))


def clock(folder: str, mhz: tuple[int, int]) -> dict[str, str]:
    low, high = (1000 * value for value in mhz)
    return {
        f"{folder}/cpuinfo_min_freq": str(low),
        f"{folder}/cpuinfo_max_freq": str(high),
        f"{folder}/scaling_max_freq": str(high),
        f"{folder}/scaling_cur_freq": str(low),
        f"{folder}/scaling_governor": "schedutil",
    }


def pc(root: Path, name: str, flags: str, cores: Iterable[tuple[tuple[int, ...], int | None]]) -> Path:
    """x86: for each core the numbers of its threads and its highest clock in MHz."""
    blocks: dict[int, str] = {}
    files: dict[str, str] = {}
    for core, (threads, mhz) in enumerate(cores):
        for number in threads:
            folder = f"{CPU}/cpu{number}"
            blocks[number] = (
                f"processor\t: {number}\nvendor_id\t: Maker\nmodel name\t: {name}\nphysical id\t: 0\n"
                f"core id\t\t: {core}\nflags\t\t: {flags}\n"
            )
            files[f"{folder}/topology/core_cpus_list"] = ",".join(map(str, threads))
            if mhz is not None:
                files |= clock(f"{folder}/cpufreq", (400, mhz))
                files |= clock(f"{CPU}/cpufreq/policy{number}", (400, mhz))
    cpuinfo = "\n".join(blocks[number] for number in sorted(blocks))
    return plant(root, files | {"proc/cpuinfo": cpuinfo} | linux(len(blocks)))


def raspberry_pi_4(root: Path) -> Path:
    board(root, Cores(4, "0xd08", A53, (600, 1800)))
    named = tree("Raspberry Pi 4 Model B Rev 1.5", "raspberrypi,4-model-b", "brcm,bcm2711")
    return plant(root, named | memory(3_881_000, 3_100_000))


def raspberry_pi_5(root: Path) -> Path:
    """With the kernel whose pages have 16 KiB, and what vcgencmd says."""
    board(root, Cores(4, "0xd0b", A76, (1500, 2400), 1024))
    plant(root, tree("Raspberry Pi 5 Model B Rev 1.1", "raspberrypi,5-model-b", "brcm,bcm2712"))
    said = {
        "outputs/vcgencmd-get_throttled.txt": "throttled=0x50000",
        "outputs/vcgencmd-measure_temp.txt": "temp=51.6'C",
        "outputs/vcgencmd-measure_clock-arm.txt": "frequency(0)=1500345728",
    }
    own = {"proc/sys/kernel/osrelease": "6.12.25+rpt-rpi-2712", "proc/sys/kernel/arch": "aarch64"}
    return plant(root, memory(8_240_000, 7_300_000) | pages(16) | said | own)


def rock_5b(root: Path) -> Path:
    """Four little cores, then two pairs of big ones that are binned a little apart."""
    big = [Cores(2, "0xd0b", A76, (408, mhz), capacity) for mhz, capacity in ((2304, 983), (2400, 1024))]
    board(root, Cores(4, "0xd05", A76, (408, 1800), 390), *big)
    return plant(
        root, tree("Radxa ROCK 5B", "radxa,rock-5b", "rockchip,rk3588") | memory(16_130_000, 15_000_000)
    )


def jetson_orin_nano(root: Path) -> Path:
    board(root, *(Cores(count, "0xd42", A76, (115, 1510), 1024) for count in (4, 2)))
    words = ("nvidia,p3768-0000+p3767-0005", "nvidia,p3767-0005", "nvidia,tegra234")
    hwmon = "sys/class/hwmon/hwmon1"
    rails = {f"{hwmon}/name": "ina3221", f"{hwmon}/in1_label": "VDD_IN", f"{hwmon}/in1_input": "4904"}
    said = {"outputs/nvpmodel.txt": "NV Power Mode: 15W\n0"}
    named = tree("NVIDIA Jetson Orin Nano Developer Kit", *words)
    return plant(root, named | memory(7_803_000, 5_900_000) | rails | said)


def jetson_orin_nano_super(root: Path) -> Path:
    """The same board with the faster clocks: it names both, the own word first."""
    board(root, *(Cores(count, "0xd42", A76, (115, 1728), 1024) for count in (4, 2)))
    words = ("nvidia,p3768-0000+p3767-0005-super", "nvidia,p3767-0005", "nvidia,tegra234")
    named = tree("NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super", *words)
    return plant(root, named | memory(7_803_000, 6_000_000))


def jetson_agx_orin(root: Path) -> Path:
    board(root, *(Cores(4, "0xd42", A76, (115, 2202), 1024) for _ in range(3)))
    words = ("nvidia,p3737-0000+p3701-0005", "nvidia,p3701-0005", "nvidia,tegra234")
    return plant(root, tree("NVIDIA Jetson AGX Orin Developer Kit", *words) | memory(64_300_000, 60_000_000))


def snapdragon_laptop(root: Path) -> Path:
    board(root, *(Cores(4, "0x001", OF_V9, (710, 3417), 1024, "0x51") for _ in range(3)))
    words = ("lenovo,thinkpad-t14s", "qcom,x1e78100", "qcom,x1e80100")
    dmi = {f"{DMI}/product_name": "21N1S00000", f"{DMI}/product_family": "ThinkPad T14s Gen 6"}
    dmi |= {f"{DMI}/chassis_type": "10", f"{DMI}/product_serial": "PF0SECRET1"}
    return plant(root, tree("Lenovo ThinkPad T14s Gen 6", *words) | dmi | memory(32_100_000, 28_000_000))


def apple_m1_linux(root: Path) -> Path:
    board(
        root,
        Cores(4, "0x022", M1, (600, 2064), 459, "0x61"),
        Cores(4, "0x023", M1, (600, 3204), 1024, "0x61"),
    )
    named = tree("Apple Mac mini (M1, 2020)", "apple,j274", "apple,t8103", "apple,arm-platform")
    return plant(root, named | memory(7_900_000, 6_000_000) | pages(16))


SYSCTL_M2 = """\
hw.ncpu: 8
hw.physicalcpu: 8
hw.logicalcpu: 8
hw.memsize: 17179869184
hw.pagesize: 16384
hw.model: Mac14,2
hw.nperflevels: 2
hw.perflevel0.physicalcpu: 4
hw.perflevel0.logicalcpu: 4
hw.perflevel0.name: Performance
hw.perflevel1.physicalcpu: 4
hw.perflevel1.logicalcpu: 4
hw.perflevel1.name: Efficiency
hw.optional.arm64: 1
hw.optional.arm.FEAT_DotProd: 1
hw.optional.arm.FEAT_I8MM: 1
hw.optional.arm.FEAT_BF16: 1
hw.optional.arm.FEAT_SME: 0
machdep.cpu.brand_string: Apple M2
kern.hv_vmm_present: 0
"""


def apple_m2_macos(root: Path) -> Path:
    return plant(root, {"outputs/sysctl.txt": SYSCTL_M2})


def meteor_lake(root: Path) -> Path:
    """Six performance cores of two threads, eight efficiency cores, two low-power ones among the atoms."""
    performance = [((2 * core, 2 * core + 1), 4800) for core in range(6)]
    efficiency = [((number,), 3800) for number in range(12, 20)]
    low_power = [((number,), 2500) for number in (20, 21)]
    name = "Intel(R) Core(TM) Ultra 7 155H"
    pc(root, name, f"{X86_AVX2} avx_vnni", [*performance, *efficiency, *low_power])
    hybrid = {"sys/devices/cpu_core/cpus": "0-11", "sys/devices/cpu_atom/cpus": "12-21"}
    dmi = {f"{DMI}/product_name": "Laptop 14", f"{DMI}/board_name": "0ABCDE", f"{DMI}/chassis_type": "10"}
    battery = {"sys/class/power_supply/BAT0/type": "Battery", "sys/class/power_supply/BAT0/status": "Full"}
    return plant(root, hybrid | dmi | battery | memory(32_000_000, 20_000_000))


def ryzen_ai(root: Path) -> Path:
    """Four fast and eight dense cores, each of two threads with numbers that are far apart."""
    cores = [((core, core + 12), 5157 if core < 4 else 3309) for core in range(12)]
    pc(root, "AMD Ryzen AI 9 HX 370 w/ Radeon 890M", X86_AVX512, cores)
    dmi = {f"{DMI}/product_name": "Notebook 13", f"{DMI}/chassis_type": "10"}
    return plant(root, dmi | memory(31_000_000, 24_000_000) | {f"{CPU}/smt/active": "1"})


def graviton3_container(root: Path) -> Path:
    """A virtual machine of eight CPUs without clocks; the container's group above may use four and 8 GiB."""
    board(root, Cores(8, "0xd40", V1))
    group = "sys/fs/cgroup/kubepods.slice"
    limits = {
        f"{group}/cpu.max": "400000 100000",
        f"{group}/memory.max": str(8 * GIB),
        f"{group}/memory.current": str(3 * GIB),
        f"{group}/memory.stat": f"anon 1\ninactive_file {1 * GIB}",
        f"{group}/kubepods-pod7c1f.slice/cpu.max": "max 100000",
        f"{group}/kubepods-pod7c1f.slice/memory.max": "max",
        f"{group}/kubepods-pod7c1f.slice/memory.current": str(GIB),
    }
    groups = "0::/kubepods.slice/kubepods-pod7c1f.slice\n"
    own = {"proc/self/cgroup": groups, "proc/1/cgroup": groups, f"{DMI}/product_name": "c7g.2xlarge"}
    return plant(root, memory(15_800_000, 14_000_000) | limits | own | {f"{DMI}/sys_vendor": "Amazon EC2"})


def old_container(root: Path) -> Path:
    """Control groups of the first version: 2.5 CPUs and 4 GiB of a server, on four of its CPUs.

    The kernel names the controllers in another order than their folder.
    """
    pc(
        root,
        "Intel(R) Xeon(R) CPU E5-2670 0 @ 2.60GHz",
        f"{X86} pni ssse3 avx",
        [((n, n + 8), 3300) for n in range(8)],
    )
    scope = "docker/4b2e7a9c11d05f4e4b2e7a9c11d05f4e"
    limits = {
        "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "250000",
        "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": str(4 * GIB),
        "sys/fs/cgroup/memory/memory.usage_in_bytes": str(1 * GIB),
        "sys/fs/cgroup/memory/memory.stat": "cache 1\ntotal_inactive_file 0",
    }
    groups = f"9:memory:/{scope}\n4:cpuacct,cpu:/{scope}\n1:name=systemd:/{scope}\n"
    status = {"proc/self/status": "VmHWM:\t    8028 kB\nCpus_allowed_list:\t0-3\n"}
    own = {"proc/self/cgroup": groups, "proc/1/cgroup": groups, ".dockerenv": ""}
    return plant(root, memory(65_700_000, 60_000_000) | limits | status | own | {f"{DMI}/chassis_type": "23"})


class FakeWindows:
    """A Windows laptop: two performance cores of two threads, eight efficiency cores."""

    def registry(self, key: str, name: str) -> str | None:
        values = {
            (windows.PROCESSOR, "ProcessorNameString"): "13th Gen Intel(R) Core(TM) i7-1355U",
            (windows.PROCESSOR, "Identifier"): "Intel64 Family 6 Model 186 Stepping 3",
            (windows.BIOS, "SystemProductName"): "Latitude 0000",
        }
        return values.get((key, name))

    def cores(self) -> bytes:
        return (
            core_record(1, 0b11)
            + core_record(1, 0b1100)
            + b"".join(core_record(0, 1 << n) for n in range(4, 12))
        )

    def has(self, feature: int) -> bool:
        return windows.FEATURES[feature] in ("ssse3", "sse4_1", "sse4_2", "avx", "avx2")

    def memory_bytes(self) -> int | None:
        return 16_855_000_000


def core_record(efficiency: int, mask: int) -> bytes:
    """One record of GetLogicalProcessorInformationEx for a core with the threads in `mask`."""
    return struct.pack("<IIBB20xHQ8x", 0, 48, 1, efficiency, 1, mask)


def windows_laptop(root: Path) -> Path:
    return plant(root, {windows.FILE: windows.describe(FakeWindows())})


def imx_8m_plus(root: Path) -> Path:
    """Nothing but little cores, which then are the fast ones."""
    board(root, Cores(4, "0xd03", A53, (1200, 1800)))
    return plant(
        root, tree("NXP i.MX8MPlus EVK board", "fsl,imx8mp-evk", "fsl,imx8mp") | memory(5_900_000, 5_400_000)
    )


def phone(root: Path) -> Path:
    """One prime core, three and two big ones, two little ones."""
    return plant(
        board(
            root,
            Cores(2, "0xd80", OF_V9, (365, 2265), 325),
            Cores(3, "0xd81", OF_V9, (499, 3148), 860),
            Cores(2, "0xd81", OF_V9, (499, 2956), 808),
            Cores(1, "0xd82", OF_V9, (480, 3302), 1024),
        ),
        memory(11_300_000, 6_000_000),
    )


def desktop(root: Path) -> Path:
    """Sixteen cores of two threads with AVX-512, of which there is no profile."""
    pc(
        root,
        "AMD Ryzen 9 7950X 16-Core Processor",
        X86_AVX512,
        [((core, core + 16), 5881) for core in range(16)],
    )
    return plant(root, memory(64_000_000, 60_000_000) | {f"{DMI}/chassis_type": "3"})


def cpus(count: int) -> frozenset[int]:
    return frozenset(range(count))


def a76(count: int, mhz: float) -> tuple[str, int, float, None, None]:
    return ("Cortex-A76", count, mhz, None, None)


MACHINES = (
    Machine(
        id="raspberry-pi-4",
        build=raspberry_pi_4,
        expected=Expected(
            name="Raspberry Pi 4 Model B Rev 1.5",
            kind="board",
            clusters=(("Cortex-A72", 4, 1800.0, None, None),),
            threads=4,
            memory_bytes=3_881_000 * KIB,
            free_bytes=3_100_000 * KIB,
            page_bytes=4096,
            profiles=("raspberry-pi-4",),
            allowed=cpus(4),
        ),
    ),
    Machine(
        id="raspberry-pi-5",
        build=raspberry_pi_5,
        expected=Expected(
            name="Raspberry Pi 5 Model B Rev 1.1",
            kind="board",
            clusters=(a76(4, 2400.0),),
            threads=4,
            memory_bytes=8_240_000 * KIB,
            free_bytes=7_300_000 * KIB,
            page_bytes=16384,
            profiles=("raspberry-pi-5",),
            allowed=cpus(4),
        ),
    ),
    Machine(
        id="rock-5b",
        build=rock_5b,
        expected=Expected(
            name="Radxa ROCK 5B",
            kind="board",
            clusters=(("Cortex-A55", 4, 1800.0, None, None), a76(2, 2304.0), a76(2, 2400.0)),
            threads=4,
            memory_bytes=16_130_000 * KIB,
            free_bytes=15_000_000 * KIB,
            page_bytes=4096,
            profiles=("rock-5b",),
            allowed=cpus(8),
        ),
    ),
    Machine(
        id="jetson-orin-nano",
        build=jetson_orin_nano,
        expected=Expected(
            name="NVIDIA Jetson Orin Nano Developer Kit",
            kind="board",
            clusters=(("Cortex-A78AE", 6, 1510.0, None, None),),
            threads=6,
            memory_bytes=7_803_000 * KIB,
            free_bytes=5_900_000 * KIB,
            page_bytes=4096,
            profiles=("jetson-orin-nano",),
            allowed=cpus(6),
        ),
    ),
    Machine(
        id="jetson-orin-nano-super",
        build=jetson_orin_nano_super,
        expected=Expected(
            name="NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super",
            kind="board",
            clusters=(("Cortex-A78AE", 6, 1728.0, None, None),),
            threads=6,
            memory_bytes=7_803_000 * KIB,
            free_bytes=6_000_000 * KIB,
            page_bytes=4096,
            profiles=("jetson-orin-nano-super", "jetson-orin-nano"),
            allowed=cpus(6),
        ),
    ),
    Machine(
        id="jetson-agx-orin",
        build=jetson_agx_orin,
        expected=Expected(
            name="NVIDIA Jetson AGX Orin Developer Kit",
            kind="board",
            clusters=(("Cortex-A78AE", 12, 2202.0, None, None),),
            threads=12,
            memory_bytes=64_300_000 * KIB,
            free_bytes=60_000_000 * KIB,
            page_bytes=4096,
            profiles=("jetson-agx-orin-64gb",),
            allowed=cpus(12),
        ),
    ),
    Machine(
        id="snapdragon-x-elite",
        build=snapdragon_laptop,
        expected=Expected(
            name="Lenovo ThinkPad T14s Gen 6",
            kind="laptop",
            clusters=(("Oryon", 12, 3417.0, None, None),),
            threads=12,
            memory_bytes=32_100_000 * KIB,
            free_bytes=28_000_000 * KIB,
            page_bytes=4096,
            profiles=("snapdragon-x-elite",),
            allowed=cpus(12),
        ),
    ),
    Machine(
        id="apple-m1-linux",
        build=apple_m1_linux,
        expected=Expected(
            name="Apple Mac mini (M1, 2020)",
            kind="board",
            clusters=(("Icestorm-M1", 4, 2064.0, None, None), ("Firestorm-M1", 4, 3204.0, None, None)),
            threads=4,
            memory_bytes=7_900_000 * KIB,
            free_bytes=6_000_000 * KIB,
            page_bytes=16384,
            profiles=("apple-m1",),
            allowed=cpus(8),
        ),
    ),
    Machine(
        id="apple-m2-macos",
        build=apple_m2_macos,
        expected=Expected(
            name="Mac14,2",
            kind="generic",
            clusters=(
                ("Apple M2", 4, None, "performance cores", None),
                ("Apple M2", 4, None, "efficiency cores", None),
            ),
            threads=4,
            memory_bytes=17_179_869_184,
            free_bytes=None,
            page_bytes=16384,
            profiles=("apple-m2",),
            allowed=cpus(8),
        ),
    ),
    Machine(
        id="meteor-lake",
        build=meteor_lake,
        expected=Expected(
            name="Laptop 14",
            kind="laptop",
            clusters=(
                ("Intel(R) Core(TM) Ultra 7 155H", 6, 4800.0, "performance cores", "12 threads"),
                ("Intel(R) Core(TM) Ultra 7 155H", 8, 3800.0, "efficiency cores", None),
                ("Intel(R) Core(TM) Ultra 7 155H", 2, 2500.0, "low-power efficiency cores", None),
            ),
            threads=6,
            memory_bytes=32_000_000 * KIB,
            free_bytes=20_000_000 * KIB,
            page_bytes=4096,
            profiles=("core-ultra-meteor-lake",),
            allowed=cpus(22),
        ),
    ),
    Machine(
        id="ryzen-ai",
        build=ryzen_ai,
        expected=Expected(
            name="Notebook 13",
            kind="laptop",
            clusters=(
                ("AMD Ryzen AI 9 HX 370 w/ Radeon 890M", 4, 5157.0, None, "8 threads"),
                ("AMD Ryzen AI 9 HX 370 w/ Radeon 890M", 8, 3309.0, None, "16 threads"),
            ),
            threads=4,
            memory_bytes=31_000_000 * KIB,
            free_bytes=24_000_000 * KIB,
            page_bytes=4096,
            profiles=("ryzen-ai-300",),
            allowed=cpus(24),
        ),
    ),
    Machine(
        id="graviton3-container",
        build=graviton3_container,
        expected=Expected(
            name="c7g.2xlarge",
            kind="generic",
            clusters=(("Neoverse-V1", 8, None, None, None),),
            threads=4,
            memory_bytes=15_800_000 * KIB,
            free_bytes=6 * GIB,
            page_bytes=4096,
            profiles=("graviton3",),
            allowed=cpus(8),
        ),
    ),
    Machine(
        id="old-container",
        build=old_container,
        expected=Expected(
            name="",
            kind="server",
            clusters=(("Intel(R) Xeon(R) CPU E5-2670 0 @ 2.60GHz", 8, 3300.0, None, "16 threads"),),
            threads=2,
            memory_bytes=65_700_000 * KIB,
            free_bytes=3 * GIB,
            page_bytes=4096,
            profiles=("generic-x86-64",),
            allowed=cpus(4),
        ),
    ),
    Machine(
        id="windows-laptop",
        build=windows_laptop,
        expected=Expected(
            name="Latitude 0000",
            kind="generic",
            clusters=(
                ("13th Gen Intel(R) Core(TM) i7-1355U", 2, None, "performance cores", "4 threads"),
                ("13th Gen Intel(R) Core(TM) i7-1355U", 8, None, "efficiency cores", None),
            ),
            threads=2,
            memory_bytes=16_855_000_000,
            free_bytes=None,
            page_bytes=mmap.PAGESIZE,
            profiles=("generic-x86-64-avx2", "generic-x86-64"),
            allowed=cpus(12),
        ),
    ),
    Machine(
        id="imx-8m-plus",
        build=imx_8m_plus,
        expected=Expected(
            name="NXP i.MX8MPlus EVK board",
            kind="board",
            clusters=(("Cortex-A53", 4, 1800.0, None, None),),
            threads=4,
            memory_bytes=5_900_000 * KIB,
            free_bytes=5_400_000 * KIB,
            page_bytes=4096,
            profiles=("imx-8m-plus-evk",),
            allowed=cpus(4),
        ),
    ),
    Machine(
        id="phone",
        build=phone,
        expected=Expected(
            name="",
            kind="generic",
            clusters=(
                ("Cortex-A520", 2, 2265.0, None, None),
                ("Cortex-A720", 3, 3148.0, None, None),
                ("Cortex-A720", 2, 2956.0, None, None),
                ("Cortex-X4", 1, 3302.0, None, None),
            ),
            threads=6,
            memory_bytes=11_300_000 * KIB,
            free_bytes=6_000_000 * KIB,
            page_bytes=4096,
            profiles=("generic-arm64",),
            allowed=cpus(8),
        ),
    ),
    Machine(
        id="desktop",
        build=desktop,
        expected=Expected(
            name="",
            kind="desktop",
            clusters=(("AMD Ryzen 9 7950X 16-Core Processor", 16, 5881.0, None, "32 threads"),),
            threads=16,
            memory_bytes=64_000_000 * KIB,
            free_bytes=60_000_000 * KIB,
            page_bytes=4096,
            profiles=("generic-x86-64-avx512", "generic-x86-64-avx2", "generic-x86-64"),
            allowed=cpus(32),
        ),
    ),
)


def profile(
    device_id: str,
    *,
    compatible: tuple[str, ...] = (),
    dmi: tuple[str, ...] = (),
    cpu: tuple[str, ...] = (),
    mac: tuple[str, ...] = (),
    isa: str = "",
) -> DeviceProfile:
    """A profile with nothing but what it is detected by; with feature words a generic one."""
    words = Fact(value=tuple(isa.split()), source="own", confidence="H") if isa else None
    return DeviceProfile(
        id=device_id,
        name=device_id,
        version=1,
        kind="generic" if isa else "board",
        cpu=(Cluster(isa=words),) if words else (),
        detect=Detect(compatible=compatible, dmi=dmi, cpu=cpu, mac=mac),
        sources=(Source(id="own", what="made up for a test"),),
    )


PROFILES = (
    profile("apple-m1", compatible=("apple,t8103",), mac=("Macmini9,1",)),
    profile("apple-m2", compatible=("apple,t8112",), mac=("Mac14,2",)),
    profile("core-ultra-meteor-lake", cpu=("Ultra 7 155H",)),
    profile("generic-arm64", isa="fp asimd"),
    profile("generic-x86-64", isa=X86),
    profile("generic-x86-64-avx2", isa=X86_AVX2),
    profile("generic-x86-64-avx512", isa=X86_AVX512),
    profile("graviton3", cpu=("Neoverse-V1",)),
    profile("imx-8m-plus-evk", compatible=("fsl,imx8mp-evk",)),
    profile("jetson-agx-orin-64gb", compatible=("nvidia,p3701-0005",)),
    profile("jetson-orin-nano", compatible=("nvidia,p3767-0005",)),
    profile("jetson-orin-nano-super", compatible=("nvidia,p3768-0000+p3767-0005-super",)),
    profile("orange-pi-5", compatible=("xunlong,orangepi-5",)),
    profile("raspberry-pi-4", compatible=("raspberrypi,4-model-b",)),
    profile("raspberry-pi-5", compatible=("raspberrypi,5-model-b",)),
    profile("rock-5b", compatible=("radxa,rock-5b",)),
    profile("ryzen-ai-300", cpu=("Ryzen AI 9 HX 370",)),
    profile("snapdragon-x-elite", compatible=("qcom,x1e80100",), cpu=("Snapdragon X Elite",)),
)
"""Profiles of those devices, with the words that the constructed machines say of themselves."""
