"""The environment record: what four constructed machines give, and what is never in it."""

from __future__ import annotations

import getpass
import platform
import re
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profiler.host.environment import READERS, Environment, environment
from profiler.host.kernel_files import LONGEST_FILE, UnreadableError, entries, read_text, word
from tests.host_trees import SECRETS, cloud_vm, laptop, limited_container, plant, raspberry_pi_5

Machine = Callable[[Path], Path]
MACHINES = (cloud_vm, raspberry_pi_5, laptop, limited_container)


def test_a_cloud_vm_has_no_clock_and_no_sensors_and_says_why(tmp_path: Path) -> None:
    here = environment(cloud_vm(tmp_path))
    assert here.os_name == "Debian GNU/Linux 12 (bookworm)"
    assert here.cpu_model == "AMD EPYC"
    assert (here.cpus_allowed, here.cpus_total) == (2, 2)
    assert here.hypervisor == "kvm"
    assert here.container == "none"
    assert here.smt_active is False
    assert here.memory_total_bytes == 24_683_656 * 1024
    assert here.memory_available_bytes == 24_356_172 * 1024
    assert (here.swap_total_bytes, here.swap_used_bytes, here.zram_bytes) == (0, 0, 0)
    assert here.transparent_huge_pages == "madvise"
    assert here.clocksource == "tsc"
    assert here.load_average == (0.19, 0.85, 0.69)
    assert here.unreadable == {
        "governors": "the kernel does not tell the clock (no cpufreq)",
        "policy_governors": "the kernel does not tell the clock (no cpufreq)",
        "mhz_now": "the kernel does not tell the clock (no cpufreq)",
        "mhz_limit": "the kernel does not tell the clock (no cpufreq)",
        "mhz_max": "the kernel does not tell the clock (no cpufreq)",
        "turbo": "sys/devices/system/cpu/cpufreq/boost: not offered here",
        "huge_pages_total": "proc/meminfo: has no HugePages_Total",
        "cgroup_cpus": "no limit is set",
        "cgroup_memory_bytes": "no limit is set",
        "power_source": "sys/class/power_supply: describes neither a battery nor the mains",
        "battery_percent": "sys/class/power_supply: describes no battery",
        "temperatures": "no thermal zone gives a reading",
    }


def test_a_raspberry_pi_5_tells_its_clock_and_skips_placeholder_temperatures(tmp_path: Path) -> None:
    here = environment(raspberry_pi_5(tmp_path))
    assert here.cpu_model == "Cortex-A76"
    assert here.governors == ("ondemand",)
    assert (here.mhz_now, here.mhz_limit, here.mhz_max) == ((1500,), (2400,), (2400,))
    assert here.temperatures == {"cpu-thermal": 49.925}
    assert here.zram_bytes == 536_854_528
    assert (here.swap_total_bytes, here.swap_used_bytes) == (524_272 * 1024, 0)
    assert here.transparent_huge_pages == "always"
    assert here.hypervisor is None
    assert here.power_source is None


def test_a_laptop_on_battery_is_not_confused_by_the_battery_of_its_mouse(tmp_path: Path) -> None:
    here = environment(laptop(tmp_path))
    assert (here.power_source, here.battery_percent) == ("battery", 41)
    assert here.governors == ("powersave",)
    assert here.mhz_now == (1200, 1300, 1400, 1500)
    assert (here.mhz_limit, here.mhz_max) == ((2800,) * 4, (4700,) * 4)
    assert (here.turbo, here.smt_active) == (True, True)
    assert here.temperatures == {"acpitz": 61.5}
    assert here.swap_used_bytes == 1_000_000 * 1024
    assert (here.hypervisor, here.container) == ("none", "none")


def test_kernel_pages_and_huge_pages_are_those_of_the_tree(tmp_path: Path) -> None:
    root = plant(
        tmp_path,
        {
            "proc/sys/kernel/osrelease": "6.6.51+rpt-rpi-2712\n",
            "proc/sys/kernel/arch": "aarch64\n",
            "proc/self/smaps": "5580000000-5580400000 r-xp 00000000 b3:02 1 /usr/bin/python3\n"
            "Size:               4096 kB\nKernelPageSize:       16 kB\nMMUPageSize:          16 kB\n",
            "proc/meminfo": "MemTotal: 1000 kB\nHugePages_Total:      12\nHugePages_Free:        0\n",
        },
    )
    here = environment(root)
    assert (here.kernel_release, here.architecture) == ("6.6.51+rpt-rpi-2712", "aarch64")
    assert (here.page_size_bytes, here.huge_pages_total) == (16384, 12)


def test_every_frequency_domain_has_its_governor(tmp_path: Path) -> None:
    policy = "sys/devices/system/cpu/cpufreq/policy"
    governors = {0: "schedutil", 4: "performance", 6: "performance"}
    files = {f"{policy}{number}/scaling_governor": f"{name}\n" for number, name in governors.items()}
    here = environment(plant(tmp_path, files))
    assert here.policy_governors == ("schedutil", "performance", "performance")
    assert here.governors == ("performance", "schedutil")


def test_a_plugged_in_laptop_is_on_mains(tmp_path: Path) -> None:
    root = laptop(tmp_path)
    (root / "sys/class/power_supply/BAT0/status").write_text("Charging\n")
    assert environment(root).power_source == "mains"


def test_a_phantom_usb_supply_is_no_power_source(tmp_path: Path) -> None:
    supply = "sys/class/power_supply/tcpm-source-psy-4-0022"
    root = plant(tmp_path, {f"{supply}/type": "USB\n", f"{supply}/online": "0\n"})
    assert environment(root).power_source is None


def test_a_container_is_limited_by_its_own_group_and_those_above(tmp_path: Path) -> None:
    here = environment(limited_container(tmp_path))
    assert here.cgroup_cpus == 1.5
    assert here.cgroup_memory_bytes == 2 * 2**30
    assert here.container == "docker"
    assert here.cpus_allowed == 8


def test_a_v1_quota_is_read_at_the_mount_when_the_path_is_the_hosts(tmp_path: Path) -> None:
    root = plant(
        tmp_path,
        {
            "proc/self/cgroup": "3:cpu,cpuacct:/docker/0123\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "50000\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
        },
    )
    assert environment(root).cgroup_cpus == 0.5


def test_cores_that_differ_are_counted(tmp_path: Path) -> None:
    block = "processor : {n}\nCPU implementer : 0x41\nCPU part : {part}\n\n"
    parts = ["0xd05"] * 4 + ["0xd0b"] * 4
    cpuinfo = "".join(block.format(n=n, part=part) for n, part in enumerate(parts))
    assert (
        environment(plant(tmp_path, {"proc/cpuinfo": cpuinfo})).cpu_model == "4 x Cortex-A55, 4 x Cortex-A76"
    )


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("proc/sys/kernel/osrelease", "5.15.90.1-microsoft-standard-WSL2\n", "wsl2"),
        ("sys/hypervisor/type", "xen\n", "xen"),
        ("proc/device-tree/hypervisor/compatible", "linux,kvm\0", "kvm"),
        ("sys/class/dmi/id/product_name", "VMware Virtual Platform\n", "vmware"),
        ("sys/class/dmi/id/product_name", "VirtualBox\n", "virtualbox"),
        ("proc/cpuinfo", "flags : fpu hypervisor\n", "unknown kind"),
        ("proc/cpuinfo", "flags : fpu\n", "none"),
    ],
)
def test_the_kind_of_virtual_machine(tmp_path: Path, name: str, text: str, kind: str) -> None:
    assert environment(plant(tmp_path, {name: text})).hypervisor == kind


@pytest.mark.parametrize("machine", MACHINES)
def test_every_field_has_a_value_or_a_reason_never_both(machine: Machine, tmp_path: Path) -> None:
    here = environment(machine(tmp_path))
    for name in READERS:
        assert (getattr(here, name) is None) == (name in here.unreadable), name


@pytest.mark.parametrize("machine", MACHINES)
def test_nothing_private_is_recorded(machine: Machine, tmp_path: Path) -> None:
    text = msgspec.json.encode(environment(machine(tmp_path))).decode()
    assert [secret for secret in SECRETS if secret in text] == []
    assert str(tmp_path) not in text


def test_this_very_machine_is_read_and_names_neither_host_nor_user_nor_path() -> None:
    here = environment()
    assert here.cpus_total is not None
    assert here.memory_total_bytes is not None
    text = msgspec.json.encode(here).decode()
    for private in (socket.gethostname(), getpass.getuser()):
        assert not re.search(rf"\b{re.escape(private)}\b", text)
    assert not re.search(r'"/', text)


def test_it_survives_the_trip_through_json() -> None:
    here = environment()
    assert msgspec.json.decode(msgspec.json.encode(here), type=Environment) == here


def test_elsewhere_psutil_answers_and_the_rest_is_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    here = environment(tmp_path)
    assert here.memory_total_bytes is not None
    assert here.memory_total_bytes > 0
    assert here.cpus_total is not None
    assert here.governors is None
    assert here.temperatures is None
    assert here.unreadable["smt_active"] == "sys/devices/system/cpu/smt/active: not offered here"


def test_a_board_is_linux_wherever_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Mac says nothing of the Raspberry Pi that it asks."""
    root = raspberry_pi_5(tmp_path)
    at_home = environment(root)
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    assert environment(root) == at_home


def test_an_empty_tree_gives_reasons_for_all_but_the_facts_of_this_process(tmp_path: Path) -> None:
    here = environment(tmp_path)
    known = {name for name in READERS if getattr(here, name) is not None}
    own = {"kernel_release", "architecture", "libc", "python_version", "edgeprof_version", "page_size_bytes"}
    assert known <= own | {"compilers"}


FILES = sorted(
    {
        "proc/cpuinfo",
        "proc/meminfo",
        "proc/loadavg",
        "proc/1/cgroup",
        "proc/self/cgroup",
        "proc/self/status",
        "sys/fs/cgroup/cpu.max",
        "sys/fs/cgroup/memory.max",
        "sys/fs/cgroup/memory.current",
        "sys/block/zram0/disksize",
        "sys/devices/system/cpu/online",
        "sys/devices/system/cpu/smt/active",
        "sys/devices/system/cpu/cpufreq/policy0/scaling_governor",
        "sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq",
        "sys/class/thermal/thermal_zone0/type",
        "sys/class/thermal/thermal_zone0/temp",
        "sys/class/power_supply/BAT0/type",
        "sys/class/power_supply/BAT0/capacity",
        "sys/kernel/mm/transparent_hugepage/enabled",
        "etc/os-release",
    }
)
KERNEL_LIKE = st.one_of(
    st.binary(max_size=60),
    st.from_regex(rb"(0::/|MemTotal: |PRETTY_NAME=|Cpus_allowed_list: |Battery)?-?[0-9]{0,30}( kB|-9)?\n?"),
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(FILES), KERNEL_LIKE))
def test_whatever_the_files_hold_it_never_raises_and_stays_encodable(files: dict[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        here = environment(Path(folder))
    assert msgspec.json.decode(msgspec.json.encode(here), type=Environment) == here


def test_a_file_is_read_to_a_bound_and_without_terminal_codes(tmp_path: Path) -> None:
    (tmp_path / "long").write_bytes(b"x" * (LONGEST_FILE + 10))
    (tmp_path / "evil").write_bytes(b"\x1b[2Jok\x00\n")
    assert len(read_text(tmp_path, "long")) == LONGEST_FILE
    assert len(word(tmp_path, "long")) == 120
    assert word(tmp_path, "evil") == "[2Jok"


def test_a_folder_in_place_of_a_file_is_a_reason(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(UnreadableError, match=r"^folder: Is a directory$"):
        read_text(tmp_path, "folder")


def test_entries_are_sorted_by_their_numbers(tmp_path: Path) -> None:
    for number in (10, 2, 0):
        (tmp_path / f"sys/policy{number}").mkdir(parents=True)
    assert entries(tmp_path, "sys", "policy*") == ["sys/policy0", "sys/policy2", "sys/policy10"]
