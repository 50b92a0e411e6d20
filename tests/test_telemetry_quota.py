"""How long quotas held this process's groups back, in both versions of control groups."""

from __future__ import annotations

from pathlib import Path

import pytest

from profiler.host.kernel_files import UnreadableError
from profiler.telemetry.quota import held_back
from tests.board_trees import container
from tests.host_trees import cloud_vm, plant

NOT_COUNTED = "no control group of this process counts how long its CPUs were held back"


def stat_v2(usec: object) -> str:
    return f"usage_usec 9000\nnr_periods 4\nnr_throttled 2\nthrottled_usec {usec}\nnr_bursts 0\n"


def stat_v1(ns: object) -> str:
    return f"nr_periods 4\nnr_throttled 2\nthrottled_time {ns}\n"


def test_version_2_in_microseconds(tmp_path: Path) -> None:
    """The group of the pod was held back, the one of the container not; they are named by depth alone."""
    assert held_back(container(tmp_path)) == {"v2 depth 3": 0, "v2 depth 2": 2_500_000_000}


def test_version_1_in_nanoseconds(tmp_path: Path) -> None:
    folder = "sys/fs/cgroup/cpu,cpuacct"
    root = plant(
        cloud_vm(tmp_path), {f"{folder}/service/cpu.stat": stat_v1(7), f"{folder}/cpu.stat": stat_v1(0)}
    )
    assert held_back(root) == {"v1 depth 1": 7, "v1 depth 0": 0}


def test_both_versions_side_by_side(tmp_path: Path) -> None:
    groups = {"proc/self/cgroup": "1:cpu:/a\n0::/b\n"}
    files = {"sys/fs/cgroup/cpu/a/cpu.stat": stat_v1(5), "sys/fs/cgroup/unified/b/cpu.stat": stat_v2(6)}
    assert held_back(plant(tmp_path, groups | files)) == {"v1 depth 1": 5, "v2 depth 1": 6000}


def test_a_container_that_sees_only_its_own_group(tmp_path: Path) -> None:
    files = {"proc/self/cgroup": "0::/../../pod7\n", "sys/fs/cgroup/cpu.stat": stat_v2(40)}
    assert held_back(plant(tmp_path, files)) == {"v2 depth 0": 40_000}


@pytest.mark.parametrize(
    "text",
    [
        "usage_usec 9000\n",  # the controller is not switched on
        "",
        stat_v2("<unknown>"),
        stat_v2(-1),
        stat_v2("9" * 19),
        stat_v2("9" * 400),
        "xthrottled_usec 5\n",
    ],
)
def test_a_group_that_does_not_count(tmp_path: Path, text: str) -> None:
    root = plant(tmp_path, {"proc/self/cgroup": "0::/ann\n", "sys/fs/cgroup/ann/cpu.stat": text})
    with pytest.raises(UnreadableError, match=NOT_COUNTED):
        held_back(root)


def test_the_reason_does_not_name_a_users_group(tmp_path: Path) -> None:
    root = plant(tmp_path, {"proc/self/cgroup": "0::/user.slice/anna\n"})
    (root / "sys/fs/cgroup/user.slice/anna/cpu.stat").mkdir(parents=True)
    with pytest.raises(UnreadableError, match=f"^{NOT_COUNTED}$"):
        held_back(root)


def test_no_control_groups(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match=NOT_COUNTED):
        held_back(tmp_path)
