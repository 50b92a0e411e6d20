"""Whole sessions on three constructed boards: their kernel files are trees, their workers run on this machine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from profiler.analyse.study import Study
from profiler.analyse.timeline import timeline
from profiler.boards.boarding import boarded
from profiler.errors import UserError
from profiler.runfile import Anchor, Run, read, read_named
from tests import board_replay, board_trees
from tests.board_trees import CPU, files, plant_state, zone
from tests.boards import FakeBoard, until
from tests.conftest import Command, Script, command, commands
from tests.host_trees import SECRETS
from tests.machines import KIB
from tests.tiny_models import gguf_file

SHORT = ("-p", "8", "-n", "4", "--processes", "2", "--passes", "2")
BRIEF = ("-p", "8", "-n", "8", "--processes", "2", "--passes", "3")
"""Passes of less than 0.3 s, which nobody judges for intrusion: no round is measured again."""

BRISK = """
import sys
from profiler.boards import there
there.IDLE_S = 1.0
from profiler.cli.app import main
sys.exit(main())
"""
"""The command, which reads sensors for a second while nothing runs."""

KHZ = 1000


@pytest.fixture
def edgeprof(own_folders: dict[str, str], tmp_path: Path) -> Command:
    return commands(own_folders, tmp_path, BRISK)


class Known(msgspec.Struct, frozen=True):
    """A board, and what its report must say of it."""

    make: Callable[[Path], Path]
    profile: str
    name: str
    cpu: str
    threads: int
    bound: list[int]
    clock_hz: int
    celsius: float
    memory_bytes: int
    lines: tuple[str, ...]
    sensor: str | None


PI = Known(
    make=board_trees.whole_raspberry_pi_5,
    profile="raspberry-pi-5",
    name="Raspberry Pi 5",
    cpu="Cortex-A76",
    threads=4,
    bound=[0, 1, 2, 3],
    clock_hz=1_500_000 * KHZ,
    celsius=49.925,
    memory_bytes=8_255_000 * KIB,
    lines=(
        "governor ondemand",
        "policy0 asked 2400 MHz, measured 1500 MHz; firmware 2400 MHz",
        "throttled no since start-up no",
        "cpu-thermal 50 C; rp1_adc temp1 45 C",
    ),
    sensor="pi_pmic",
)
ORIN = Known(
    make=board_trees.whole_orin_nano,
    profile="jetson-orin-nano-super",
    name="NVIDIA Jetson Orin Nano Super Developer Kit",
    cpu="Cortex-A78AE",
    threads=6,
    bound=[0, 1, 2, 3, 4, 5],
    clock_hz=115_000 * KHZ,
    celsius=49.156,
    memory_bytes=7_803_000 * KIB,
    lines=("power mode 25W (mode 1)", "asked 625 MHz, measured 306 MHz", "eth0_phy temp1 96 C"),
    sensor="ina3221",
)
ROCK = Known(
    make=board_trees.whole_rock_5b,
    profile="rock-5b",
    name="Radxa ROCK 5B",
    cpu="4 x Cortex-A55, 4 x Cortex-A76",
    threads=4,
    bound=[0, 1, 2, 3, 4, 5, 6, 7],
    clock_hz=408_000 * KHZ,
    celsius=42.5,
    memory_bytes=16_130_000 * KIB,
    lines=("governor schedutil", "memory clock 528 MHz", "bigcore0_thermal, bigcore1_thermal"),
    sensor=None,
)
BOARDS = {"Pi 5": PI, "Orin Nano": ORIN, "RK3588": ROCK}


class Replayed:
    """One board of a tree."""

    def __init__(self, known: Known, folder: Path) -> None:
        self.known, self.tree = known, folder / "tree"
        self.tree.mkdir()
        known.make(self.tree)
        self.board = FakeBoard(folder, self.tree)

    def changes(self, files: Mapping[str, str]) -> None:
        """From now on these of its files are others."""
        plant_state(self.tree, dict(files))

    def bound(self) -> list[list[int]]:
        """For each of its workers the CPUs that it was bound to."""
        return [json.loads(line) for line in (self.tree / board_replay.BOUND).read_text().split("\n") if line]

    @contextmanager
    def changing(self, files: Mapping[str, str]) -> Iterator[None]:
        """Its files change while its first worker works."""

        def change() -> None:
            until(lambda: bool(self.bound()))
            self.changes(files)

        thread = threading.Thread(target=change)
        thread.start()
        yield
        thread.join()


@pytest.fixture(params=BOARDS)
def replayed(request: pytest.FixtureRequest, tmp_path: Path) -> Replayed:
    return Replayed(BOARDS[request.param], tmp_path)


@pytest.fixture
def pi(tmp_path: Path) -> Replayed:
    return Replayed(PI, tmp_path)


@pytest.fixture
def rock(tmp_path: Path) -> Replayed:
    return Replayed(ROCK, tmp_path)


def run_on(replayed: Replayed, edgeprof: Command, build: Path, *words: str | Path) -> tuple[Run, Any]:
    """A run file, and the report below it."""
    file = build.parent / "b.jsonl"
    asked = (*replayed.board.words, *words, "-o", file, "-f", "json")
    done = edgeprof("run", build, *asked, env=replayed.board.env)
    assert done.code == 0, done.err
    return read(file), json.loads(done.out)


class TestSession:
    """With the real llama.cpp and a tiny model."""

    def test_from_the_first_look_to_the_report(
        self, edgeprof: Command, replayed: Replayed, tmp_path: Path
    ) -> None:
        pytest.importorskip("llama_cpp")
        known = replayed.known
        replayed.board.has_here("nvidia-smi")
        look = json.loads(edgeprof("doctor", *replayed.board.words, "-f", "json", env=replayed.board.env).out)
        assert not {"disturb.disk", "note.memlock"} & {one["code"] for one in look["findings"]}
        assert look["environment"]["cpu_model"] == known.cpu
        assert look["environment"]["architecture"] == "aarch64"
        energy = next(one for one in look["findings"] if one["code"] == "measure.energy")
        assert energy["status"] == ("ok" if known.sensor else "missing")

        run, _ = run_on(replayed, edgeprof, gguf_file(tmp_path / "tiny.gguf", add_bos=True), *SHORT)
        self.is_of(known, run, replayed)
        told = (tmp_path / "b.jsonl").read_text()
        assert not [secret for secret in (*SECRETS, "5f1c", "pi@board") if secret in told]

        shown = " ".join(edgeprof("report", tmp_path / "b.jsonl").out.split())
        page = tmp_path / "b.html"
        assert edgeprof("report", tmp_path / "b.jsonl", "-o", page).code == 0
        assert f"Device {known.name}, {known.cpu}" in shown
        assert [line for line in known.lines if line not in shown] == []
        assert f"How fast does tiny run on {known.name}" in page.read_text()

    def is_of(self, known: Known, run: Run, replayed: Replayed) -> None:
        """Its facts, and its conditions around and within every worker."""
        device, environment = run.header.device, run.header.environment
        assert (device.id, device.name, device.cpu) == (known.profile, known.name, known.cpu)
        assert environment["memory_total_bytes"] == known.memory_bytes
        assert environment["architecture"] == "aarch64"
        assert [case.settings["threads"] for case in run.header.plan.cases] == [known.threads]
        assert replayed.bound()
        assert all(cpus == known.bound for cpus in replayed.bound())
        assert [sensor.source for sensor in run.header.sensors] == ([known.sensor] if known.sensor else [])
        for worker in run.workers:
            assert worker.conditions is not None
            assert worker.board_before is not None
            assert worker.board_after is not None
            assert worker.conditions.clock_hz is not None
            assert worker.conditions.temperature_c == known.celsius


def test_all_of_them_in_one_file(edgeprof: Command, script: Script, tmp_path: Path) -> None:
    """Called by their profiles, each planned for itself."""
    board, hosts = FakeBoard(tmp_path), list[str]()
    for number, known in enumerate(BOARDS.values()):
        tree = tmp_path / f"tree{number}"
        tree.mkdir()
        board.is_at(f"pi@{number}", known.make(tree))
        plant_state(tree, {board_replay.BOOT_ID: f"{number}\n"})
        hosts += ["--on", f"pi@{number}"]
    words = (*hosts, *board.words[2:], *SHORT, "-o", "all.jsonl", "-f", "json")
    done = edgeprof("run", script(), *words, env=board.env)
    assert done.code == 0, done.err
    assert "one machine" not in done.err
    found = json.loads(done.out)
    assert [one["name"] for one in found["reports"]] == [
        "all.jsonl#raspberry-pi-5",
        "all.jsonl#jetson-orin-nano-super",
        "all.jsonl#rock-5b",
    ]
    threads = [
        run.header.plan.cases[0].settings["threads"] for run in read_named(tmp_path / "all.jsonl").values()
    ]
    assert threads == [known.threads for known in BOARDS.values()]
    page = tmp_path / "all.html"
    assert edgeprof("report", "all.jsonl", "-o", page).code == 0
    assert "--on USER@BOARD" in page.read_text()


def test_cores_are_those_of_the_board(edgeprof: Command, script: Script, rock: Replayed) -> None:
    run, _ = run_on(rock, edgeprof, script(), *SHORT, "--cores", "big,little")
    assert [case.settings["threads"] for case in run.header.plan.cases] == [4, 4]
    by_case = {case.id: case.settings["cores"] for case in run.header.plan.cases}
    bound = rock.bound()
    assert set(by_case.values()) == {"big", "little"}
    assert sorted({tuple(cpus) for cpus in bound}) == [(0, 1, 2, 3), (4, 5, 6, 7)]


def test_the_memory_of_the_board_is_the_limit(edgeprof: Command, script: Script, rock: Replayed) -> None:
    """The tree has 14.3 GiB free, and 16 GiB are asked for; then 50 MB, and a worker alone takes more."""
    large = script("large", memory={"weights_bytes": 16 * 2**30})
    refused = edgeprof("run", large, *rock.board.words, *SHORT, env=rock.board.env)
    assert refused.code == 3
    assert "large.json needs 16.10 GiB and 14.31 GiB are free" in " ".join(refused.out.split())
    assert rock.bound() == []
    rock.changes({"proc/meminfo": "MemTotal: 16130000 kB\nMemAvailable: 50000 kB\n"})
    small = edgeprof("run", script("small"), *rock.board.words, *SHORT, env=rock.board.env)
    assert (small.code, rock.bound()) == (3, [])


class TestEnergy:
    """Each board takes 10 W, by what the readers of its own sensor make of its files."""

    OFTEN = """
import sys
import msgspec
from profiler.boards import gauges, there
from profiler.telemetry import pi_pmic
pi_pmic.SENSOR = msgspec.structs.replace(pi_pmic.SENSOR, period_s=0.1)
gauges.SHARE, there.IDLE_S = 1.0, 1.5
from profiler.cli.app import main
sys.exit(main())
"""
    """The command, which reads as often as it can: its tests are short, and machines of tests are slow."""

    @pytest.mark.parametrize("name", ["Pi 5", "Orin Nano"])
    @pytest.mark.alone
    def test_joules_of_a_token(
        self, own_folders: dict[str, str], script: Script, tmp_path: Path, name: str
    ) -> None:
        there = Replayed(BOARDS[name], tmp_path)
        build = script(token_ms=20, prefill_ms_per_token=5)
        words = ("-p", "20", "-n", "8", "--processes", "2", "--passes", "12", "--settle", "0s", "-f", "json")
        done = subprocess.run(
            [sys.executable, "-c", self.OFTEN, "run", build, *there.board.words, *words],
            env=own_folders | there.board.env,
            capture_output=True,
            check=False,
        )
        (row,) = json.loads(done.stdout)["rows"]
        metrics, energy = row["metrics"], row["energy"]
        assert energy["source"] == there.known.sensor
        assert metrics["power_w"]["value"] == pytest.approx(10, rel=0.02)
        joules = metrics["energy_j_per_token"]["value"]
        assert joules == pytest.approx(10 / metrics["decode_tps"]["value"], rel=0.05)
        assert metrics["energy_j_per_prompt_token"]["value"] == pytest.approx(10 * 0.005, rel=0.1)


@pytest.mark.alone
class TestWhatHappensMeanwhile:
    """The board changes while its workers work, and the report says what that was."""

    def test_a_raspberry_pi_is_short_of_voltage(
        self, edgeprof: Command, script: Script, pi: Replayed
    ) -> None:
        """It gets hot too, and its clock falls."""
        clocks = {f"{CPU}/cpu{n}/cpufreq/scaling_cur_freq": "1000000\n" for n in range(4)}
        said = {
            "outputs/vcgencmd-get_throttled.txt": "throttled=0x50005\n",
            board_trees.PI_FIRMWARE: "50005\n",
        }
        hot = files(f"{board_trees.THERMAL}/thermal_zone0", temp=84_000)
        with pi.changing(clocks | said | hot):
            _, report = run_on(pi, edgeprof, script(token_ms=20), *BRIEF)
        (row,) = report["rows"]
        notices = {notice["code"]: notice["seen"] for notice in row["notices"]}
        assert notices["undervoltage"] == "the board reports under-voltage while the workers ran"
        assert "throttled" in notices
        assert notices["hot"] == "the processor reached 84 degrees"
        topics = {topic["topic"]: topic["parts"] for topic in row["board"]["topics"]}
        words = {part["part"]: part for part in topics["throttled_now"]}
        assert words["vcgencmd"]["end"]["words"] == ["under-voltage, throttled"]
        (cpu,) = [part for part in topics["temperature"] if part["part"] == "cpu-thermal"]
        assert (cpu["start"]["low"], cpu["end"]["high"]) == (49.925, 84)

    def test_an_rk3588_slows_down(self, edgeprof: Command, script: Script, rock: Replayed) -> None:
        slower = files(f"{board_trees.THERMAL}/cooling_device1", cur_state=2) | zone(
            1, "bigcore0_thermal", 86_000
        )
        with rock.changing(slower):
            _, report = run_on(rock, edgeprof, script(token_ms=20), *BRIEF)
        notices = {notice["code"]: notice["seen"] for notice in report["rows"][0]["notices"]}
        assert "throttled" in notices
        assert "hot" in notices

    def test_the_power_mode_of_an_orin_changes(
        self, edgeprof: Command, script: Script, tmp_path: Path
    ) -> None:
        orin = Replayed(ORIN, tmp_path)
        with orin.changing({"outputs/nvpmodel.txt": "NV Power Mode: 15W\n0\n"}):
            _, report = run_on(orin, edgeprof, script(token_ms=20), *BRIEF)
        notices = {notice["code"]: notice["seen"] for notice in report["rows"][0]["notices"]}
        assert "power mode 25W (mode 1) and 15W (mode 0)" in notices["mode_changed"]


class TestReboot:
    """Another boot id, and a clock that begins anew."""

    def test_the_board_starts_anew_while_it_works(
        self, own_folders: dict[str, str], edgeprof: Command, script: Script, rock: Replayed, tmp_path: Path
    ) -> None:
        file = tmp_path / "b.jsonl"
        words = ("-p", "8", "-n", "8", "--processes", "2", "--passes", "4", "-o", file)
        asked = command("run", script(token_ms=40), *rock.board.words, *words)
        with subprocess.Popen(asked, env=own_folders | rock.board.env, stderr=subprocess.PIPE) as process:
            until(lambda: len(rock.bound()) == 1)
            time.sleep(1.5)
            began = str(time.perf_counter_ns())
            rock.changes({board_replay.BOOT_ID: "6a07\n", board_replay.STARTED: began})
            os.kill(rock.board.agent(), signal.SIGKILL)
            _, said = process.communicate(timeout=60)
        assert process.returncode == 0, said
        first, *rest = read(file).workers
        assert first.failure is not None
        assert first.failure.kind == "rebooted"
        assert "mostly for too little voltage: look at its power supply" in first.failure.message
        assert first.passes
        assert first.board_after is None
        assert 0 < first.ended.mono_ns - first.started.mono_ns < 60e9
        assert max(done.start_ns for done in first.passes) <= first.ended.mono_ns
        assert [worker.failure for worker in rest] == [None] * len(rest)
        assert all(worker.ended.mono_ns < 120e9 for worker in rest)
        self.is_reported(edgeprof, file)

    def is_reported(self, edgeprof: Command, file: Path) -> None:
        """Durations add up, and nothing lies before its start."""
        report = json.loads(edgeprof("report", file, "-f", "json").out)
        (row,) = report["rows"]
        assert row["metrics"]["decode_tps"]["value"] == pytest.approx(25, rel=0.1)
        spans = timeline(Study(read(file)), ["r1"])
        assert spans is not None
        assert all(0 <= one.start_min <= one.end_min <= spans.length_min for one in spans.spans)
        assert edgeprof("report", file, "-f", "html", "-o", file.with_suffix(".html")).code == 0

    def test_a_log_is_joined_when_its_clock_is_set(
        self, rock: Replayed, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A board without a battery wakes up in the past."""
        monkeypatch.setenv("PATH", rock.board.env["PATH"])
        with boarded("pi@board", rock.board.words[-1]) as reached:
            machine = reached.machine({}, [], lambda *_: None, external_meter=True)
            past: dict[str, Any] = {"anchor": Anchor(wall_ns=0, mono_ns=0), "boot_id": "6a07"}
            awake = msgspec.structs.replace(reached.board, **past)
            with pytest.raises(UserError, match="its clock has not been set"):
                machine._take(machine.link, awake)
            machine._take(machine.link, msgspec.structs.replace(reached.board, **past | {"boot_id": "5f1c"}))

    def test_a_link_that_breaks_is_no_reboot(
        self, own_folders: dict[str, str], script: Script, rock: Replayed, tmp_path: Path
    ) -> None:
        file = tmp_path / "b.jsonl"
        words = ("-p", "8", "-n", "8", "--processes", "1", "--passes", "4", "-o", file)
        asked = command("run", script(token_ms=40), *rock.board.words, *words)
        with subprocess.Popen(asked, env=own_folders | rock.board.env, stderr=subprocess.PIPE) as process:
            until(lambda: len(rock.bound()) == 1)
            os.kill(rock.board.agent(), signal.SIGKILL)
            process.communicate(timeout=60)
        failures = [worker.failure.kind for worker in read(file).workers if worker.failure]
        assert failures == ["link_lost"]
