"""This machine, read from constructed trees of kernel files."""

from __future__ import annotations

import getpass
import os
import socket
from pathlib import Path

import msgspec
import pytest

from profiler.catalogue.devices import DeviceProfile, figures
from profiler.host.machine import MemoryLimit, available_memory, physical_cores, this_machine

SYS_CPU = "sys/devices/system/cpu"
MIB = 2**20
GIB = 2**30


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", "utf-8")


def arm_cpu(
    number: int, part: str, max_khz: int, capacity: int, features: str = "fp asimd"
) -> dict[str, str]:
    """The files of one core of a board, with /proc/cpuinfo's block under its own key."""
    cpu = f"{SYS_CPU}/cpu{number}"
    return {
        f"{cpu}/cpu_capacity": str(capacity),
        f"{cpu}/cpufreq/cpuinfo_min_freq": "408000",
        f"{cpu}/cpufreq/cpuinfo_max_freq": str(max_khz),
        f"{cpu}/topology/core_cpus_list": str(number),
        f"{cpu}/topology/physical_package_id": "0",
        f"{cpu}/topology/core_id": str(number % 4),
        f"block {number}": f"processor\t: {number}\nFeatures\t: {features}\n"
        f"CPU implementer\t: 0x41\nCPU part\t: {part}\n",
    }


def board(root: Path, cpus: list[dict[str, str]], memory_kb: int = 8_245_000) -> Path:
    files = {name: text for cpu in cpus for name, text in cpu.items()}
    blocks = [files.pop(name) for name in sorted(files) if name.startswith("block ")]
    tail = "Revision\t: d04170\nSerial\t\t: 0123456789abcdef\nModel\t\t: Some board\n"
    write(root, {**files, "proc/cpuinfo": "\n".join([*blocks, tail])})
    write(
        root, {"proc/meminfo": f"MemTotal: {memory_kb} kB\nMemFree: 1 kB\nMemAvailable: {memory_kb // 2} kB"}
    )
    return root


def pi5(root: Path) -> Path:
    write(
        root,
        {
            "proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0",
            "proc/device-tree/compatible": "raspberrypi,5-model-b\0brcm,bcm2712\0",
            "proc/device-tree/serial-number": "0123456789abcdef\0",
        },
    )
    return board(root, [arm_cpu(number, "0xd0b", 2_400_000, 1024) for number in range(4)])


def rk3588(root: Path) -> Path:
    """Four little cores, then two pairs of big ones binned a little apart; core ids start again."""
    little = [arm_cpu(number, "0xd05", 1_800_000, 397) for number in range(4)]
    big = [arm_cpu(number, "0xd0b", 2_256_000, 963) for number in (4, 5)]
    return board(root, [*little, *big, *(arm_cpu(number, "0xd0b", 2_400_000, 1024) for number in (6, 7))])


def x86(root: Path, cpus: int = 2, threads_per_core: int = 1) -> Path:
    blocks = []
    for number in range(cpus):
        core = number // threads_per_core
        first, last = core * threads_per_core, (core + 1) * threads_per_core - 1
        siblings = str(first) if first == last else f"{first}-{last}"
        write(root, {f"{SYS_CPU}/cpu{number}/topology/core_cpus_list": siblings})
        names = f"processor\t: {number}\nmodel name\t: Some CPU\nphysical id\t: 0\n"
        blocks.append(f"{names}core id\t\t: {core}\nbugs\t\t:\nflags\t\t: fpu avx2\n")
    meminfo = "MemTotal: 4000000 kB\nMemAvailable: 3000000 kB"
    write(root, {"proc/cpuinfo": "\n".join(blocks), "proc/meminfo": meminfo})
    return root


def hybrid(root: Path) -> Path:
    """Two performance cores of two threads each (0-3) and four efficiency cores (4-7)."""
    x86(root, 8)
    for number in range(4):
        first = number // 2 * 2
        write(root, {f"{SYS_CPU}/cpu{number}/topology/core_cpus_list": f"{first}-{first + 1}"})
    write(root, {"sys/devices/cpu_core/cpus": "0-3", "sys/devices/cpu_atom/cpus": "4-7"})
    return root


def values(profile: DeviceProfile) -> dict[str, object]:
    return {key: fact.value for key, fact in figures(profile) if fact}


def test_a_raspberry_pi_5(tmp_path: Path) -> None:
    profile = this_machine(pi5(tmp_path))
    assert (profile.id, profile.name, profile.kind) == ("this", "Raspberry Pi 5 Model B Rev 1.0", "board")
    assert values(profile) == {
        "soc": "brcm,bcm2712",
        "cpu[0].core": "Cortex-A76",
        "cpu[0].count": 4,
        "cpu[0].part": "0xd0b",
        "cpu[0].min_mhz": 408.0,
        "cpu[0].max_mhz": 2400.0,
        "cpu[0].isa": ("fp", "asimd"),
        "memory.bytes": 8_245_000 * 1024,
    }
    assert {fact.source for _, fact in figures(profile) if fact} == {source.id for source in profile.sources}
    assert profile.sources[0].what == "read on this machine"


def test_every_absent_figure_has_a_reason(tmp_path: Path) -> None:
    profile = this_machine(x86(tmp_path))
    assert set(profile.absent) == {key for key, fact in figures(profile) if fact is None}
    assert profile.absent["cpu[0].max_mhz"] == "not readable here"


def test_a_virtual_machine_without_clocks(tmp_path: Path) -> None:
    profile = this_machine(x86(tmp_path))
    assert profile.kind == "generic"
    assert values(profile) == {
        "cpu[0].core": "Some CPU",
        "cpu[0].count": 2,
        "cpu[0].isa": ("fpu", "avx2"),
        "memory.bytes": 4_000_000 * 1024,
    }


def test_big_and_little_cores_are_clusters_in_cpu_order(tmp_path: Path) -> None:
    clusters = this_machine(rk3588(tmp_path)).cpu
    shown = [
        (c.core.value, c.count.value, c.max_mhz.value) for c in clusters if c.core and c.count and c.max_mhz
    ]
    assert shown == [("Cortex-A55", 4, 1800.0), ("Cortex-A76", 2, 2256.0), ("Cortex-A76", 2, 2400.0)]


def test_hybrid_clusters_say_their_kind_and_threads(tmp_path: Path) -> None:
    clusters = this_machine(hybrid(tmp_path)).cpu
    shown = [(c.core.note, c.count.value, c.count.note) for c in clusters if c.core and c.count]
    assert shown == [("performance cores", 2, "4 threads"), ("efficiency cores", 4, None)]


def test_the_chassis_names_the_kind_and_a_placeholder_is_no_name(tmp_path: Path) -> None:
    dmi = "sys/class/dmi/id"
    write(
        x86(tmp_path),
        {f"{dmi}/product_name": "Laptop 14", f"{dmi}/chassis_type": "10", f"{dmi}/product_serial": "SN1"},
    )
    laptop = this_machine(tmp_path)
    assert (laptop.name, laptop.kind) == ("Laptop 14", "laptop")
    write(tmp_path, {f"{dmi}/product_name": "To Be Filled By O.E.M."})
    assert this_machine(tmp_path).name.endswith(" machine")


def test_no_serial_number_host_or_user_is_in_the_profile(tmp_path: Path) -> None:
    text = msgspec.json.encode([this_machine(pi5(tmp_path)), this_machine()]).decode()
    for private in ("0123456789abcdef", "d04170", socket.gethostname(), getpass.getuser()):
        assert f'"{private}"' not in text
    assert "0123456789abcdef" not in text


def test_without_kernel_files_nothing_crashes(tmp_path: Path) -> None:
    profile = this_machine(tmp_path)
    assert profile.cpu[0].isa is None
    assert profile.absent["cpu[0].isa"] == "not readable here"
    assert physical_cores(tmp_path, {0}) == 1
    assert available_memory(tmp_path).limit_source in ("psutil", None)


def test_files_full_of_nonsense_are_not_readable(tmp_path: Path) -> None:
    junk = "\x1b[2J: :\n\n9" * 50
    write(
        tmp_path,
        dict.fromkeys(("proc/cpuinfo", "proc/meminfo", "proc/self/cgroup", "proc/device-tree/model"), junk),
    )
    write(tmp_path, {"sys/devices/cpu_core/cpus": junk, f"{SYS_CPU}/cpu0/cpu_capacity": junk})
    assert this_machine(tmp_path).name.isprintable()
    assert physical_cores(tmp_path, {0, 1}) >= 1
    assert available_memory(tmp_path)


@pytest.mark.parametrize(
    ("allowed", "cores"),
    [({0, 1, 2, 3, 4, 5, 6, 7}, 4), ({0, 1, 2, 3}, 4), ({0, 4, 6}, 2), ({1}, 1)],
    ids=["big cores only", "only little ones allowed", "some of both", "one"],
)
def test_threads_default_to_the_big_cores_allowed(tmp_path: Path, allowed: set[int], cores: int) -> None:
    assert physical_cores(rk3588(tmp_path), allowed) == cores


def test_clocks_tell_big_from_little_where_capacity_is_missing(tmp_path: Path) -> None:
    root = rk3588(tmp_path)
    for path in (root / SYS_CPU).glob("cpu*/cpu_capacity"):
        path.unlink()
    assert physical_cores(root, set(range(8))) == 4


def test_threads_of_a_core_count_once(tmp_path: Path) -> None:
    root = x86(tmp_path, cpus=8, threads_per_core=2)
    assert physical_cores(root, set(range(8))) == 4
    assert physical_cores(root, {0, 1}) == 1


def test_core_ids_serve_where_there_is_no_topology(tmp_path: Path) -> None:
    root = x86(tmp_path, cpus=4, threads_per_core=2)
    for path in (root / SYS_CPU).glob("cpu*/topology/core_cpus_list"):
        path.unlink()
    assert physical_cores(root, set(range(4))) == 2


def test_hybrid_counts_performance_cores(tmp_path: Path) -> None:
    assert physical_cores(hybrid(tmp_path), set(range(8))) == 2
    assert physical_cores(tmp_path, {4, 5, 6}) == 3


@pytest.mark.parametrize(
    ("group", "quota", "cores"),
    [
        ("job", "200000 100000", 2),
        ("job/step", "350000 100000", 3),
        ("job", "50000 100000", 1),
        ("job", "max 100000", 4),
    ],
    ids=["two CPUs", "set by the parent", "half a CPU", "none"],
)
def test_a_v2_quota_caps_the_threads(tmp_path: Path, group: str, quota: str, cores: int) -> None:
    write(x86(tmp_path, 4), {"proc/self/cgroup": f"0::/{group}", "sys/fs/cgroup/job/cpu.max": quota})
    assert physical_cores(tmp_path, set(range(4))) == cores


@pytest.mark.parametrize(("quota", "cores"), [("100000", 1), ("-1", 4)])
def test_a_v1_quota_caps_the_threads_inside_a_container(tmp_path: Path, quota: str, cores: int) -> None:
    cpu = "sys/fs/cgroup/cpu/cpu.cfs"
    write(x86(tmp_path, 4), {f"{cpu}_quota_us": quota, f"{cpu}_period_us": "100000"})
    write(tmp_path, {"proc/self/cgroup": "1:cpu:/docker/abc"})
    assert physical_cores(tmp_path, set(range(4))) == cores


FREE = MemoryLimit(total_bytes=4_096_000_000, available_bytes=3_072_000_000, limit_source="MemAvailable")


def within(available_mib: int) -> MemoryLimit:
    return MemoryLimit(total_bytes=GIB, available_bytes=available_mib * MIB, limit_source="cgroup")


def test_memory_without_a_cgroup_is_what_the_kernel_has_available(tmp_path: Path) -> None:
    assert available_memory(x86(tmp_path)) == FREE


@pytest.mark.parametrize(
    ("limit", "usage", "memory"),
    [
        (str(GIB), 700 * MIB, within(624)),
        (str(GIB), 2 * GIB, within(0)),
        ("max", 700 * MIB, FREE),
        (str(8 * GIB), 700 * MIB, FREE),
    ],
)
def test_memory_within_a_v2_cgroup(tmp_path: Path, limit: str, usage: int, memory: MemoryLimit) -> None:
    job = "sys/fs/cgroup/job/memory"
    write(x86(tmp_path), {"proc/self/cgroup": "0::/job/step"})
    write(tmp_path, {f"{job}.max": limit, f"{job}.current": str(usage)})
    write(tmp_path, {f"{job}.stat": f"anon 1\nfile 2\ninactive_file {300 * MIB}"})
    assert available_memory(tmp_path) == memory


@pytest.mark.parametrize(("limit", "memory"), [(GIB, within(624)), (9223372036854771712, FREE)])
def test_memory_within_a_v1_cgroup_inside_a_container(
    tmp_path: Path, limit: int, memory: MemoryLimit
) -> None:
    group = "sys/fs/cgroup/memory/memory"
    write(x86(tmp_path), {"proc/self/cgroup": "4:memory:/docker/abc\n0::/"})
    write(tmp_path, {f"{group}.limit_in_bytes": str(limit), f"{group}.usage_in_bytes": str(700 * MIB)})
    write(tmp_path, {f"{group}.stat": f"inactive_file {MIB}\ntotal_inactive_file {300 * MIB}"})
    assert available_memory(tmp_path) == memory


def test_an_old_kernel_does_not_say_what_is_available(tmp_path: Path) -> None:
    write(tmp_path, {"proc/meminfo": "MemTotal: 1000 kB\nMemFree: 500 kB"})
    unknown = MemoryLimit(total_bytes=1_024_000, available_bytes=None, limit_source=None)
    assert available_memory(tmp_path) == unknown


def test_the_real_machine() -> None:
    allowed = set(range(os.cpu_count() or 1))
    assert 1 <= physical_cores(Path("/"), allowed) <= len(allowed)
    memory = available_memory()
    assert memory.total_bytes is not None
    assert memory.available_bytes is not None
    assert 0 < memory.available_bytes <= memory.total_bytes
    assert this_machine().id == "this"
