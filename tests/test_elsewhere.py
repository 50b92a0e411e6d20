"""macOS and Windows, from texts and answers made up for them; nothing of either is needed here."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.host import macos, programs, windows
from profiler.host.elsewhere import told
from profiler.host.environment import environment
from profiler.host.identity import identity
from profiler.host.kernel_files import HERE, UnreadableError
from profiler.host.machine import physical_cores, this_machine
from profiler.host.programs import Program, output, output_lately
from profiler.host.told import CoreClass, Told
from tests.machines import SYSCTL_M2, FakeWindows, core_record, plant

PERFORMANCE = CoreClass(cores=4, threads=4, kind="performance cores")
EFFICIENCY = CoreClass(cores=4, threads=4, kind="efficiency cores")


def test_an_apple_m2() -> None:
    assert macos.told_by(SYSCTL_M2) == Told(
        product="Mac14,2",
        mac="Mac14,2",
        cpu="Apple M2",
        architecture="arm64",
        cores=(PERFORMANCE, EFFICIENCY),
        isa=("fp", "asimd", "bf16", "asimddp", "i8mm"),
        memory_bytes=17_179_869_184,
        page_bytes=16384,
        virtual=False,
    )


def test_an_intel_mac_has_no_levels() -> None:
    mac = macos.told_by(
        "hw.model: MacBookPro16,1\nhw.physicalcpu: 8\nhw.logicalcpu: 16\nhw.memsize: 34359738368\n"
        "machdep.cpu.brand_string: Intel(R) Core(TM) i9-9980HK CPU @ 2.40GHz\n"
        "machdep.cpu.features: FPU SSE3 SSE4.2 AVX1.0 FMA\nmachdep.cpu.leaf7_features: AVX2 BMI1\n"
        "machdep.cpu.extfeatures: SYSCALL EM64T LAHF LZCNT\n"
    )
    assert mac.cores == (CoreClass(cores=8, threads=16, kind=None),)
    assert mac.architecture == "x86_64"
    assert {"pni", "sse4_2", "avx", "fma", "avx2", "bmi1", "lm", "lahf_lm", "abm"} <= set(mac.isa)
    assert (mac.page_bytes, mac.virtual) == (None, None)


def test_a_mac_calls_its_levels_as_it_likes() -> None:
    levels = ("6", "Super"), ("12", "Performance")
    lines = [
        f"hw.perflevel{n}.physicalcpu: {count}\nhw.perflevel{n}.name: {name}"
        for n, (count, name) in enumerate(levels)
    ]
    found = macos.told_by("\n".join(lines)).cores
    assert [(group.cores, group.kind) for group in found] == [(6, "super cores"), (12, "performance cores")]


def test_a_mac_without_names_of_its_levels() -> None:
    found = macos.told_by("hw.perflevel0.physicalcpu: 4\nhw.perflevel1.physicalcpu: 4\n").cores
    assert found == (PERFORMANCE, EFFICIENCY)


def test_a_macbook_is_a_laptop(tmp_path: Path) -> None:
    assert this_machine(plant(tmp_path, {"outputs/sysctl.txt": "hw.model: MacBookAir10,1"})).kind == "laptop"


def test_windows_in_lines() -> None:
    assert windows.describe(FakeWindows()) == (
        "ProcessorNameString: 13th Gen Intel(R) Core(TM) i7-1355U\n"
        "Identifier: Intel64 Family 6 Model 186 Stepping 3\n"
        "SystemProductName: Latitude 0000\n"
        "Class0.Cores: 8\n"
        "Class0.Threads: 8\n"
        "Class1.Cores: 2\n"
        "Class1.Threads: 4\n"
        "Features: ssse3 sse4_1 sse4_2 avx avx2\n"
        "MemoryBytes: 16855000000\n"
    )


def test_windows_on_arm() -> None:
    laptop = windows.told_by(
        "ProcessorNameString: Snapdragon(R) X Elite - X1E80100 - Qualcomm(R) Oryon(TM) CPU\n"
        "Identifier: ARMv8 (64-bit) Family 8 Model 1 Revision 201\nClass0.Cores: 12\nClass0.Threads: 12\n"
        "Features: asimddp i8mm\n"
    )
    assert laptop.architecture == "ARM64"
    assert laptop.isa == ("fp", "asimd", "asimddp", "i8mm")
    assert laptop.cores == (CoreClass(cores=12, threads=12, kind=None),)


def test_three_classes_of_cores_on_windows() -> None:
    lines = "".join(
        f"Class{rank}.Cores: {count}\nClass{rank}.Threads: {count}\n"
        for rank, count in ((0, 2), (1, 8), (2, 6))
    )
    kinds = [(group.cores, group.kind) for group in windows.told_by(lines).cores]
    assert kinds == [(6, "performance cores"), (8, "efficiency cores"), (2, "low-power efficiency cores")]


def test_records_of_other_kinds_and_cut_ones_are_left_out() -> None:
    cache = struct.pack("<II40x", 2, 48)
    two_groups = struct.pack("<IIBB20xHQ8xQ8x", 0, 64, 0, 0, 2, 0b1, 0b11)
    assert windows.core_classes(core_record(1, 0b11) + cache + two_groups) == {1: (1, 2), 0: (1, 3)}
    assert windows.core_classes(core_record(1, 0b11)[:40]) == {}
    assert windows.core_classes(struct.pack("<II40x", 0, 0)) == {}


@given(st.binary(max_size=200))
def test_no_records_make_it_fail(records: bytes) -> None:
    assert all(cores > 0 and threads >= 0 for cores, threads in windows.core_classes(records).values())


@given(st.text(max_size=200))
def test_no_text_makes_it_fail(text: str) -> None:
    assert isinstance(macos.told_by(text), Told)
    assert isinstance(windows.told_by(text), Told)


class SilentWindows:
    """A Windows that answers nothing."""

    def registry(self, key: str, name: str) -> str | None:
        return None

    def cores(self) -> bytes:
        return b""

    def has(self, feature: int) -> bool:
        return False

    def memory_bytes(self) -> int | None:
        return None


def test_a_windows_that_answers_nothing(tmp_path: Path) -> None:
    assert windows.describe(SilentWindows()) == ""
    assert windows.told_by("") == Told()
    root = plant(tmp_path, {windows.FILE: ""})
    profile = this_machine(root)
    assert "not readable here" in profile.absent.values()
    assert physical_cores(root, {0, 1}) >= 1
    assert identity(root).flags == frozenset()
    assert environment(root).os_name is None


@pytest.mark.skipif(sys.platform == "win32", reason="there it has answers")
def test_the_reader_of_windows_has_no_answers_elsewhere() -> None:
    here = windows.Here()
    assert here.registry(windows.PROCESSOR, "ProcessorNameString") is None
    assert (here.cores(), here.has(40)) == (b"", False)


@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells by its files")
def test_on_linux_nothing_is_told_and_nothing_started() -> None:
    assert told() is None


def shell(text: str, **how: object) -> Program:
    """A program that is there wherever these tests run."""
    return Program(name="shell", command=("sh", "-c", text), **how)  # type: ignore[arg-type]


@pytest.mark.skipif(sys.platform != "linux", reason="programs for Linux are started on Linux")
def test_a_program_is_heard_to_its_end() -> None:
    assert output(HERE, shell("echo one; echo two >&2; printf 'three\\033[2J'; exit 3")) == "one\nthree [2J"


@pytest.mark.skipif(sys.platform != "linux", reason="programs for Linux are started on Linux")
def test_one_that_never_ends_is_stopped_after_its_first_line() -> None:
    assert output(HERE, shell("while true; do echo tick; sleep 0.01; done", first_line_only=True)) == "tick\n"


@pytest.mark.skipif(sys.platform != "linux", reason="programs for Linux are started on Linux")
@pytest.mark.parametrize("text", ["sleep 60", "sleep 60 & exit 0", "true"])
def test_one_that_says_nothing_in_time_is_not_readable(text: str) -> None:
    with pytest.raises(UnreadableError, match=r"^sh: says nothing$"):
        output(HERE, shell(text, limit_s=0.2))


def test_a_program_that_is_not_installed_or_for_another_system() -> None:
    absent = Program(name="absent", command=("no-such-program-here",))
    with pytest.raises(UnreadableError, match=r"^no-such-program-here: not offered here$"):
        output(HERE, absent)
    with pytest.raises(UnreadableError, match=r"^sh: not offered here$"):
        output(HERE, shell("echo one", system="BeOS"))


@pytest.mark.skipif(sys.platform != "linux", reason="programs for Linux are started on Linux")
@pytest.mark.parametrize("ending", ["echo told", "true"], ids=["says something", "says nothing"])
def test_readers_of_one_output_share_a_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    monkeypatch.setattr(programs, "LATELY_S", 3600.0)
    counting = shell(f"echo started >> {tmp_path}/starts; {ending}")
    for _ in range(3):
        if ending == "true":
            with pytest.raises(UnreadableError, match=r"^sh: says nothing$"):
                output_lately(HERE, counting)
        else:
            assert output_lately(HERE, counting) == "told\n"
    assert (tmp_path / "starts").read_text() == "started\n"


@pytest.mark.skipif(sys.platform != "linux", reason="programs for Linux are started on Linux")
def test_what_was_said_a_while_ago_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "LATELY_S", -1.0)
    counting = shell(f"echo started >> {tmp_path}/starts; wc -l < {tmp_path}/starts")
    assert [output_lately(HERE, counting).strip() for _ in range(2)] == ["1", "2"]


def test_a_captured_tree_keeps_what_programs_said(tmp_path: Path) -> None:
    plant(tmp_path, {f"{programs.FOLDER}/shell.txt": "kept"})
    assert output(tmp_path, shell("exit 1")) == "kept\n"
