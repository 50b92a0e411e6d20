"""Seventeen constructed machines: clusters, threads, memory, pages and profiles of each, exactly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from profiler.catalogue.devices import Cluster, Detect, Fact, load_devices
from profiler.catalogue.matching import matching
from profiler.host.cpus import read_cpus
from profiler.host.environment import environment
from profiler.host.identity import identity
from profiler.host.machine import available_memory, physical_cores, this_machine
from tests.machines import MACHINES, PROFILES, Cores, Machine, board, cpus, plant

every_machine = pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.id)


def value(fact: Fact[Any] | None) -> object:
    return fact.value if fact else None


def seen(cluster: Cluster) -> tuple[object, ...]:
    core, count = cluster.core, cluster.count
    kind, threads = core.note if core else None, count.note if count else None
    return value(core), value(count), value(cluster.max_mhz), kind, threads


def test_there_are_more_than_ten_machines() -> None:
    assert len({machine.id for machine in MACHINES}) == len(MACHINES) == 17


@every_machine
def test_its_name_and_kind(machine: Machine, tmp_path: Path) -> None:
    profile = this_machine(machine.build(tmp_path))
    assert profile.kind == machine.expected.kind
    assert profile.name == (machine.expected.name or profile.name)
    assert machine.expected.name or profile.name.endswith(" machine")


@every_machine
def test_its_clusters(machine: Machine, tmp_path: Path) -> None:
    profile = this_machine(machine.build(tmp_path))
    assert tuple(map(seen, profile.cpu)) == machine.expected.clusters
    assert value(profile.memory.bytes) == machine.expected.memory_bytes


@every_machine
def test_its_default_threads(machine: Machine, tmp_path: Path) -> None:
    root = machine.build(tmp_path)
    assert physical_cores(root, set(machine.expected.allowed)) == machine.expected.threads


@every_machine
def test_its_free_memory_and_page_size(machine: Machine, tmp_path: Path) -> None:
    root = machine.build(tmp_path)
    assert available_memory(root).available_bytes == machine.expected.free_bytes
    assert environment(root).page_size_bytes == machine.expected.page_bytes


@every_machine
def test_the_profiles_it_looks_like(machine: Machine, tmp_path: Path) -> None:
    found = matching(identity(machine.build(tmp_path)), PROFILES)
    assert tuple(found) == machine.expected.profiles


@every_machine
def test_the_profile_that_comes_with_the_program_goes_first(machine: Machine, tmp_path: Path) -> None:
    """As far as one is shipped and says how its device is detected."""
    shipped = load_devices()
    detected = [name for name, p in shipped.items() if p.detect != Detect() or p.kind == "generic"]
    wanted = [name for name in machine.expected.profiles if name in detected]
    found = matching(identity(machine.build(tmp_path)), shipped.values())
    assert found[:1] == wanted[:1] or not wanted


@every_machine
def test_its_identity_has_no_serial_number(machine: Machine, tmp_path: Path) -> None:
    root = machine.build(tmp_path)
    assert "SECRET" not in repr(identity(root))
    assert "SECRET" not in msgspec.json.encode(this_machine(root)).decode()


def test_what_macos_tells_goes_into_the_environment(tmp_path: Path) -> None:
    mac = next(machine for machine in MACHINES if machine.id == "apple-m2-macos")
    here = environment(mac.build(tmp_path))
    assert (here.architecture, here.cpu_model, here.cpus_total) == ("arm64", "Apple M2", 8)
    assert (here.memory_total_bytes, here.hypervisor) == (17_179_869_184, "none")
    assert "cpu_model" not in here.unreadable


def test_a_container_reports_its_limits(tmp_path: Path) -> None:
    old = next(machine for machine in MACHINES if machine.id == "old-container")
    here = environment(old.build(tmp_path))
    assert (here.cgroup_cpus, here.cgroup_memory_bytes) == (2.5, 4 * 2**30)
    assert (here.container, here.cpus_allowed) == ("docker", 4)


@pytest.mark.parametrize(
    ("allowed", "threads"),
    [({0, 1}, 2), ({0, 1, 2, 3}, 2), ({7}, 1), ({0, 5, 6, 7}, 3)],
    ids=["little ones only", "two of each", "the prime core", "one little one less"],
)
def test_a_phone_limited_to_some_cores(tmp_path: Path, allowed: set[int], threads: int) -> None:
    phone = next(machine for machine in MACHINES if machine.id == "phone")
    assert physical_cores(phone.build(tmp_path), allowed) == threads


@pytest.mark.parametrize(
    ("allowed", "threads"),
    [(range(22), 6), (range(12, 22), 8), ((20, 21), 2), ((0, 1, 12), 1)],
    ids=["all", "no performance core", "low-power ones only", "one performance core"],
)
def test_a_hybrid_laptop_limited_to_some_cores(tmp_path: Path, allowed: range, threads: int) -> None:
    laptop = next(machine for machine in MACHINES if machine.id == "meteor-lake")
    assert physical_cores(laptop.build(tmp_path), set(allowed)) == threads


def test_low_power_cores_with_a_list_of_their_own(tmp_path: Path) -> None:
    laptop = next(machine for machine in MACHINES if machine.id == "meteor-lake")
    root = laptop.build(tmp_path)
    plant(root, {"sys/devices/cpu_atom/cpus": "12-19", "sys/devices/cpu_lowpower/cpus": "20-21"})
    for number in (20, 21):
        (root / f"sys/devices/system/cpu/cpu{number}/cpufreq/cpuinfo_max_freq").write_text("3800000\n")
    kinds = [cpu.hybrid for cpu in read_cpus(root)]
    assert kinds == ["core"] * 12 + ["atom"] * 8 + ["lowpower"] * 2


def test_big_cores_that_nobody_knows_are_told_by_their_capacity(tmp_path: Path) -> None:
    root = board(
        tmp_path, Cores(4, "0xfff", "fp asimd", capacity=446), Cores(2, "0xffe", "fp asimd", capacity=1024)
    )
    assert physical_cores(root, set(cpus(6))) == 2


def test_the_real_machine_looks_like_at_most_a_few_profiles() -> None:
    found = matching(identity(), PROFILES)
    assert len(found) == len(set(found)) <= 4
