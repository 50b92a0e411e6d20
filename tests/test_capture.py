"""A captured machine: it is read like the original, no secret is in it, no archive of a stranger does harm."""

from __future__ import annotations

import getpass
import gzip
import io
import re
import socket
import stat
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profiler.catalogue.matching import matching
from profiler.errors import UserError
from profiler.host import archive
from profiler.host.capture import ABOUT, TOPS, Captured, capture, save, unpack
from profiler.host.capture_list import FILES, LINES
from profiler.host.environment import environment
from profiler.host.identity import identity
from profiler.host.machine import available_memory, physical_cores, this_machine
from profiler.host.scrubber import USUAL_NAMES, Scrubber, secrets
from tests.conftest import Command, only_refusal
from tests.host_trees import SECRETS, cloud_vm, laptop, limited_container, raspberry_pi_5
from tests.machines import MACHINES, PROFILES, Machine, plant

Build = Callable[[Path], Path]
TREES = (cloud_vm, raspberry_pi_5, laptop, limited_container)


def replayed(root: Path, folder: Path, ending: str = ".tar.gz") -> Path:
    path = folder / f"machine{ending}"
    save(capture(root), path)
    return unpack(path, folder / "unpacked")


def everything_in(root: Path) -> str:
    """Names and texts of all files below `root`."""
    files = [path for path in root.rglob("*") if path.is_file()]
    return "\n".join(f"{path.relative_to(root)}\n{path.read_text('utf-8')}" for path in files)


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.id)
def test_a_replay_is_read_like_the_original(machine: Machine, tmp_path: Path) -> None:
    root = machine.build(tmp_path / "original")
    copy = replayed(root, tmp_path)
    assert this_machine(copy) == this_machine(root)
    assert environment(copy) == environment(root)
    assert available_memory(copy) == available_memory(root)
    allowed = set(machine.expected.allowed)
    assert physical_cores(copy, allowed) == machine.expected.threads
    assert tuple(matching(identity(copy), PROFILES)) == machine.expected.profiles


@pytest.mark.parametrize("build", TREES)
@pytest.mark.parametrize("ending", [".tar.gz", ".zip"])
def test_both_kinds_of_archive_hold_the_same_environment(build: Build, ending: str, tmp_path: Path) -> None:
    root = build(tmp_path / "original")
    assert environment(replayed(root, tmp_path, ending)) == environment(root)


@pytest.mark.parametrize("build", TREES)
def test_no_secret_comes_out(build: Build, tmp_path: Path) -> None:
    found = everything_in(replayed(build(tmp_path / "original"), tmp_path)).lower()
    assert [secret for secret in SECRETS if secret.lower() in found] == []


EVERYWHERE = (
    *("host-of-anna", "f00dcafe0123f00dcafe0123f00dcafe", "S3CR3T-SERIAL", "52:54:00:ab:cd:ef"),
    *(
        "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
        "192.168.178.23",
        "fe80::5054:ff:feab:cdef",
        "2001:db8:0:1:2:3:4:5",
    ),
    *("0123456789abcdef0123", "52-54-00-ab-cd-ef"),
)


@pytest.mark.parametrize("machine", MACHINES[:3], ids=lambda machine: machine.id)
def test_secrets_planted_into_every_file_that_is_taken_do_not_come_out(
    machine: Machine, tmp_path: Path
) -> None:
    """The list keeps most of them away; the scrubber has to find what is left."""
    root = laptop(machine.build(tmp_path / "original"))
    for path in [path for path in root.rglob("*") if path.is_file()]:
        path.write_text(path.read_text("utf-8") + "".join(f"note: {word} .\n" for word in EVERYWHERE))
    (root / "etc/hostname").write_text("host-of-anna\n")
    (root / "etc/machine-id").write_text("f00dcafe0123f00dcafe0123f00dcafe\n")
    (root / "sys/class/dmi/id").mkdir(parents=True, exist_ok=True)
    (root / "sys/class/dmi/id/product_serial").write_text("S3CR3T-SERIAL\n")
    found = everything_in(replayed(root, tmp_path)).lower()
    assert [secret for secret in EVERYWHERE if secret.lower() in found] == []
    assert "note: name-1 ." in found


def test_what_was_replaced_is_counted_and_written_into_the_archive(tmp_path: Path) -> None:
    root = laptop(tmp_path / "original")
    captured = capture(root)
    assert captured.replaced == {"id": 1}
    assert "sys/class/power_supply/hid-id-1-battery/scope" in captured.files
    copy = replayed(root, tmp_path)
    about = msgspec.json.decode((copy / ABOUT).read_bytes())
    assert about["schema"] == "edgeprof.capture/1"
    assert about["replaced"] == {"id": 1}


def test_the_command_line_of_the_kernel_and_the_network_are_not_taken(tmp_path: Path) -> None:
    private = (
        "proc/cmdline",
        "proc/net/arp",
        "proc/self/environ",
        "etc/passwd",
        "etc/shadow",
        "proc/version",
    )
    root = plant(raspberry_pi_5(tmp_path), dict.fromkeys(private, "root=/dev/mapper/anna cryptkey=1234\n"))
    captured = capture(root)
    assert not set(private) & set(captured.files)
    assert "cryptkey" not in str(captured.files)


def test_only_known_lines_of_files_that_hold_more(tmp_path: Path) -> None:
    files = capture(raspberry_pi_5(tmp_path)).files
    assert "Serial" not in files["proc/cpuinfo"]
    assert files["proc/self/status"] == "VmHWM:\t    8028 kB\nCpus_allowed_list:\t0-3\n".replace("\t", " ")
    assert set(LINES) <= {*FILES, "outputs/powermetrics.txt", "outputs/system_profiler.txt"}


def test_groups_lose_the_names_of_users_and_keep_what_tells_a_container(tmp_path: Path) -> None:
    group = "user.slice/user-1000.slice/anna.service"
    root = plant(
        tmp_path / "original",
        {
            "proc/self/cgroup": f"4:memory:/{group}\n0::/{group}\n",
            "proc/1/cgroup": "0::/system.slice/docker-4b2e7a9c11d0.scope\n",
            f"sys/fs/cgroup/{group}/memory.max": "1073741824",
            f"sys/fs/cgroup/{group}/memory.current": "1048576",
        },
    )
    assert capture(root).replaced == {"group": 3}
    copy = replayed(root, tmp_path)
    assert "anna" not in everything_in(copy)
    assert "4b2e7a9c11d0" not in everything_in(copy)
    assert environment(copy).cgroup_memory_bytes == 2**30
    assert environment(copy).container == environment(root).container == "docker"


def test_a_board_keeps_its_name_where_its_host_is_called_like_it(tmp_path: Path) -> None:
    rock = next(machine for machine in MACHINES if machine.id == "rock-5b")
    root = plant(rock.build(tmp_path / "original"), {"etc/hostname": "rock-5b"})
    assert identity(replayed(root, tmp_path)) == identity(root)


def test_files_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = laptop(tmp_path)
    monkeypatch.setattr(archive, "MOST_FILES", 12)
    captured = capture(root)
    assert len(captured.files) == 10
    assert captured.left_out[0].endswith(": no room")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such files")
def test_this_very_machine(tmp_path: Path) -> None:
    copy = replayed(Path("/"), tmp_path)
    text = everything_in(copy)
    for private in (socket.gethostname(), getpass.getuser()):
        if private.lower() not in USUAL_NAMES and private.lower() not in " ".join(FILES):
            assert not re.search(rf"\b{re.escape(private)}\b", text)
    for path in (Path("/etc/machine-id"), Path("/proc/sys/kernel/random/boot_id")):
        assert not path.exists() or not path.read_text().strip() or path.read_text().strip() not in text
    assert this_machine(copy) == this_machine()
    assert identity(copy) == identity()
    here, there = environment(), environment(copy)
    same = (
        "cpu_model",
        "cpus_total",
        "governors",
        "smt_active",
        "memory_total_bytes",
        "transparent_huge_pages",
    )
    assert [getattr(there, name) for name in same] == [getattr(here, name) for name in same]
    assert (there.container, there.hypervisor, there.cgroup_cpus) == (
        here.container,
        here.hypervisor,
        here.cgroup_cpus,
    )


def clean(text: str, **known: str) -> str:
    return Scrubber({secret: kind for kind, secret in known.items()}).clean(text)


@pytest.mark.parametrize(
    "text",
    [
        "fpu vme sse4_1 avx512_vnni",
        "MemTotal:       24683656 kB",
        "9223372036854771712",
        "0-3,8-11",
        "04-27-2026 14:59:41 RAM 775/7620MB (lfb 3x4MB) CPU [1%@729,off] cpu@48.468C VDD_IN 4761mW/4778mW",
        "throttled=0x50005",
        "frequency(48)=1800457088",
        "0::/user.slice",
        "4:memory:/docker\n0::/",
        "6.6.51+rpt-rpi-2712",
        "nvidia,p3768-0000+p3767-0005 nvidia,tegra234",
        "intel-rapl:0:0",
        "0000:00:02.0",
        "soc@107c000000",
        "240422366267",
        "ffffffff",
    ],
)
def test_what_kernels_and_tools_print_stays_as_it_is(text: str) -> None:
    assert clean(text) == text


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("at 52:54:00:AB:cd:ef,", "at mac-1,"),
        ("10.0.0.1 and 10.0.0.2 and 10.0.0.1", "ip-1 and ip-2 and ip-1"),
        ("::1 fe80::1", "ip-1 ip-2"),
        ("6BA7B810-9dad-11d1-80b4-00c04fd430c8", "uuid-1"),
        ("docker-4b2e7a9c11d0.scope", "docker-id-1.scope"),
        ("Serial Number (system): C02XG0\nChip: M2", "Serial Number (system): value-1\nChip: M2"),
        ("Anna's board of annabel", "name-1's board of annabel"),
    ],
)
def test_what_is_replaced(text: str, cleaned: str) -> None:
    assert clean(text, name="anna") == cleaned


def test_usual_names_and_placeholders_are_no_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("USER", "LOGNAME", "SUDO_USER", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("socket.gethostname", lambda: "pi")
    monkeypatch.setattr("getpass.getuser", lambda: "root")
    monkeypatch.setattr(Path, "home", lambda: Path("/root"))
    dmi = "sys/class/dmi/id"
    root = plant(tmp_path, {"etc/hostname": "anna.home.example", f"{dmi}/board_serial": "Default string"})
    plant(root, {f"{dmi}/product_serial": "00000000", f"{dmi}/chassis_serial": "PF1X2Y3Z"})
    assert secrets(root) == {"anna.home.example": "name", "anna": "name", "PF1X2Y3Z": "id"}
    assert secrets(root, ["anna"]) == {"anna.home.example": "name", "PF1X2Y3Z": "id"}


def tar_of(*entries: tarfile.TarInfo, text: bytes = b"x") -> bytes:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as packed:
        for entry in entries:
            entry.size = len(text) if entry.isreg() else 0
            packed.addfile(entry, io.BytesIO(text))
    return gzip.compress(plain.getvalue())


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, link
    return made


def zip_of(name: str, text: bytes = b"x", mode: int = 0) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as made:
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        info.compress_type = zipfile.ZIP_DEFLATED
        made.writestr(info, text)
    return packed.getvalue()


HOSTILE = {
    "up.tar.gz": tar_of(entry("proc/../../evil")),
    "absolute.tar.gz": tar_of(entry("/proc/cpuinfo")),
    "elsewhere.tar.gz": tar_of(entry("home/anna/.profile")),
    "control.tar.gz": tar_of(entry("proc/\x1b[2J")),
    "long.tar.gz": tar_of(entry("proc/" + "x" * 600)),
    "deep.tar.gz": tar_of(entry("proc/" + "x/" * 40)),
    "symlink.tar.gz": tar_of(entry("proc/cpuinfo", tarfile.SYMTYPE, "/etc/passwd")),
    "hardlink.tar.gz": tar_of(entry("proc/a"), entry("proc/b", tarfile.LNKTYPE, "proc/a")),
    "through.tar.gz": tar_of(entry("proc", tarfile.SYMTYPE, "/tmp"), entry("proc/evil")),
    "device.tar.gz": tar_of(entry("proc/zero", tarfile.CHRTYPE)),
    "pipe.tar.gz": tar_of(entry("proc/pipe", tarfile.FIFOTYPE)),
    "twice.tar.gz": tar_of(entry("proc/cpuinfo"), entry("proc/cpuinfo")),
    "file-as-folder.tar.gz": tar_of(entry("proc/a"), entry("proc/a/b")),
    "large.tar.gz": tar_of(entry("proc/cpuinfo"), text=bytes(2**20 + 1)),
    "no-gzip.tar.gz": b"hello",
    "no-tar.tar.gz": gzip.compress(b"hello" * 1000),
    "cut.tar.gz": tar_of(entry("proc/cpuinfo"), text=bytes(range(256)) * 40)[:-40],
    "up.zip": zip_of("proc/../../evil"),
    "absolute.zip": zip_of("/proc/cpuinfo"),
    "backslash.zip": zip_of("proc\\..\\evil"),
    "symlink.zip": zip_of("proc/cpuinfo", b"/etc/passwd", stat.S_IFLNK | 0o777),
    "large.zip": zip_of("proc/cpuinfo", bytes(2**20 + 1)),
    "no-zip.zip": b"PK",
    "empty.zip": b"",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_is_refused_in_one_sentence_and_leaves_nothing_elsewhere(
    name: str, tmp_path: Path
) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    path = inside / name
    path.write_bytes(HOSTILE[name])
    with pytest.raises(UserError) as refused:
        unpack(path, inside / "new")
    assert str(refused.value).startswith(name)
    assert str(refused.value).isprintable()
    assert {place.name for place in tmp_path.iterdir()} == {"inside"}
    assert not any(place.is_symlink() for place in inside.rglob("*"))


def test_more_files_than_a_capture_has_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST_FILES", 3)
    path = tmp_path / "many.tar.gz"
    path.write_bytes(tar_of(*(entry(f"proc/{number}") for number in range(4))))
    with pytest.raises(UserError, match=r"^many\.tar\.gz holds more than a capture does: up to 3 files"):
        unpack(path, tmp_path / "new")


def test_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Zeros that would fill many times what a capture may have."""
    monkeypatch.setattr(archive, "MOST_BYTES_IN_ALL", 2**20)
    path = tmp_path / "bomb.tar.gz"
    path.write_bytes(gzip.compress(bytes(2**26)))
    assert path.stat().st_size < 2**20
    unpack(path, tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []
    path.write_bytes(tar_of(*(entry(f"proc/{number}") for number in range(3)), text=bytes(2**19)))
    with pytest.raises(UserError, match="holds more than a capture does"):
        unpack(path, tmp_path / "newer")


def test_a_folder_with_something_in_it_is_not_unpacked_into(tmp_path: Path) -> None:
    path = tmp_path / "machine.tar.gz"
    save(capture(raspberry_pi_5(tmp_path / "original")), path)
    with pytest.raises(UserError, match=r"is not empty; give a new folder to unpack machine\.tar\.gz into$"):
        unpack(path, tmp_path / "original")


def test_a_missing_archive(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"none\.zip: no such file; give an archive that edgeprof capture wrote$"
    ):
        unpack(tmp_path / "none.zip", tmp_path / "new")


GOOD = {"machine.tar.gz": tar_of(entry("proc/cpuinfo")), "machine.zip": zip_of("proc/cpuinfo")}


@settings(max_examples=150, deadline=None)
@given(name=st.sampled_from(sorted(GOOD)), place=st.integers(0, 10_000), byte=st.integers(0, 255))
def test_a_damaged_archive_is_unpacked_or_refused_and_never_fails(
    tmp_path_factory: pytest.TempPathFactory, name: str, place: int, byte: int
) -> None:
    content = bytearray(GOOD[name])
    content[place % len(content)] = byte
    folder = tmp_path_factory.mktemp("damaged")
    (folder / name).write_bytes(content)
    said = name
    try:
        unpack(folder / name, folder / "new")
    except UserError as refused:
        said = str(refused)
    assert name in said


def test_the_archive_holds_no_time_no_user_and_is_the_same_each_time(tmp_path: Path) -> None:
    captured = capture(raspberry_pi_5(tmp_path / "original"))
    for ending in archive.ENDINGS:
        first, second = (tmp_path / f"{name}{ending}" for name in ("a", "b"))
        save(captured, first)
        save(captured, second)
        assert first.read_bytes() == second.read_bytes()
    with tarfile.open(tmp_path / "a.tar.gz") as packed:
        assert {(item.mtime, item.uid, item.uname, item.gname) for item in packed} == {(0, 0, "", "")}


def test_names_of_a_capture_begin_as_the_list_says() -> None:
    assert set(TOPS) == {ABOUT, "outputs", ".dockerenv", "run", "etc", "proc", "sys"}


def nothing() -> Captured:
    return Captured(files={}, folders=(), taken={}, replaced={}, left_out=())


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("a.rar", "a capture is written as .tar.gz or .zip; give a name that ends so"),
        ("taken.zip", "is there already; choose another name with -o"),
        ("no/such.zip", "cannot be written: No such file or directory"),
    ],
)
def test_where_it_cannot_be_written(name: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "taken.zip").touch()
    with pytest.raises(UserError, match=re.escape(sentence)):
        save(nothing(), tmp_path / name)


def test_the_command_lists_what_it_took_and_where_it_is(edgeprof: Command, tmp_path: Path) -> None:
    done = edgeprof("capture", "-o", tmp_path / "mine.zip")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("Taken\n")
    assert "\nReplaced\n" in done.out
    assert done.out.endswith(
        f"Written to {tmp_path / 'mine.zip'}. Nothing was sent. Look into it before you give it to anybody.\n"
    )
    assert unpack(tmp_path / "mine.zip", tmp_path / "new")
    assert "is there already" in only_refusal(edgeprof("capture", "-o", tmp_path / "mine.zip"))
