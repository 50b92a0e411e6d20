"""Device profiles: what ships, what is refused, and what the command prints."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from profiler.catalogue.data import data_folder
from profiler.catalogue.devices import DeviceProfile, figures, load_device, load_devices, read_device
from profiler.cli.devices import devices
from profiler.errors import UserError

SHIPPED = sorted(data_folder("device_profiles").glob("*.toml"))

BOARD = """
id = "my-board"
name = "My board"
version = 1
kind = "board"

[memory]
bytes = { value = 1024, source = "LAB", confidence = "H" }

[[sources]]
id = "LAB"
what = "our own bench"
"""


def profile(folder: Path, text: str = BOARD, name: str = "my-board.toml") -> DeviceProfile:
    path = folder / name
    path.write_text(text, "utf-8")
    return read_device(path)


def run(*words: str, columns: int = 100) -> str:
    app = typer.Typer(rich_markup_mode=None)
    app.command()(devices)
    result = CliRunner().invoke(app, words, env={"COLUMNS": str(columns)}, catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_what_ships() -> None:
    assert set(load_devices()) == {
        *("raspberry-pi-4", "raspberry-pi-5", "orange-pi-5", "rock-5b", "imx-8m-plus-evk", "hailo-10h"),
        *("jetson-orin-nano", "jetson-orin-nano-super", "jetson-agx-orin-64gb"),
        *("snapdragon-x-elite", "core-ultra-meteor-lake", "core-ultra-lunar-lake", "rtx-4090-desktop"),
        *("ryzen-ai-300", "ryzen-ai-max-395", "graviton3", "mediatek-dimensity-9300"),
        *("apple-m1", "apple-m2", "apple-m4", "apple-m4-max"),
        *("generic-arm64", "generic-x86-64", "generic-x86-64-avx2", "generic-x86-64-avx512"),
    }


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_profile_is_small_named_like_its_id_and_sourced(path: Path) -> None:
    assert path.stat().st_size < 20_000
    device = read_device(path)
    assert device.id == path.stem
    sources = {source.id for source in device.sources}
    used = {fact.source for _, fact in figures(device) if fact}
    assert used == sources
    assert all((source.what and source.read) or source.link for source in device.sources)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_derived_figure_of_a_shipped_profile_shows_its_arithmetic(path: Path) -> None:
    assert all(fact.note for _, fact in figures(read_device(path)) if fact and fact.confidence == "D")


def test_figures_have_the_keys_of_the_file_and_absent_ones_are_none() -> None:
    found = dict(figures(load_device("raspberry-pi-5")))
    cores, bandwidth = found["cpu[0].count"], found["memory.theoretical_bytes_per_s"]
    assert cores is not None
    assert (cores.value, cores.source, cores.confidence) == (4, "ARMS", "H")
    assert bandwidth is not None
    assert bandwidth.value == 32 * 4267e6 / 8
    assert found["limits.throttle_celsius"] is None
    assert found["accelerators"] is None


def test_peaks_say_precision_and_sparsity() -> None:
    peak = load_device("jetson-orin-nano-super").accelerators["ampere-ga10b"].peaks["int8"]
    assert peak.dense_gops is None
    assert peak.sparse_gops is not None
    assert peak.sparse_gops.value == 67_000


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            'source = "LAB"',
            'source = "LAP"',
            "memory.bytes.source is 'LAP', which no [[sources]] entry has (did you mean LAB?); add or correct it",
        ),
        ('id = "LAB"\nwhat', 'id = "LAB"\nwhta', "unknown key sources[0].whta (did you mean what?)"),
        (
            "[[sources]]",
            '[[sources]]\nid = "LAB"\nwhat = "twice"\n[[sources]]',
            "sources[1].id 'LAB' is there twice; rename or remove one",
        ),
        (
            "value = 1024",
            "value = 1024.5",
            "memory.bytes.value is 1024.5, accepted: a whole number; correct it",
        ),
        (', confidence = "H"', "", "memory.bytes.confidence is missing, accepted: H or M or L or D; add it"),
        (
            '"my-board"',
            '"My Board"',
            "id is 'My Board', accepted: 1 to 64 small letters, digits, dots and dashes",
        ),
        ('"my-board"', '"this"', "id is 'this', which stands for the machine the program runs on"),
        (
            "[[sources]]",
            '[absent]\nsocc = "?"\n[[sources]]',
            "absent names 'socc', which is no absent figure",
        ),
    ],
)
def test_a_wrong_profile_is_refused(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert old in BOARD
    with pytest.raises(UserError) as error:
        profile(tmp_path, BOARD.replace(old, new, 1))
    assert str(error.value).startswith(f"{tmp_path / 'my-board.toml'}: {told}")


def test_a_folder_of_ones_own_comes_first(tmp_path: Path) -> None:
    mine = profile(tmp_path)
    assert next(iter(load_devices(tmp_path).values())) == mine
    assert load_device("my-board", tmp_path) == mine


def test_two_files_with_one_id_are_both_named(tmp_path: Path) -> None:
    profile(tmp_path, BOARD.replace("my-board", "raspberry-pi-5"), "pi.toml")
    with pytest.raises(UserError) as error:
        load_devices(tmp_path)
    shipped = data_folder("device_profiles") / "raspberry-pi-5.toml"
    assert (
        str(error.value)
        == f"{tmp_path / 'pi.toml'} and {shipped} both have the id raspberry-pi-5; rename one"
    )


def test_an_unknown_device_or_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"'rasberry-pi5' \(did you mean raspberry-pi-5 or"):
        load_device("rasberry-pi5")
    with pytest.raises(UserError, match=r"did you mean jetson-agx-orin-64gb or jetson-orin-nano or jetson"):
        load_device("jet")
    with pytest.raises(UserError, match="no such folder"):
        load_devices(tmp_path / "none")


@pytest.mark.parametrize("columns", [60, 100])
def test_the_list_shows_every_device_whole_in_a_narrow_terminal_too(columns: int) -> None:
    lines = run(columns=columns).splitlines()
    assert max(map(len, lines)) <= columns
    for device in load_devices().values():
        assert any(line.startswith(device.id + " ") for line in lines)
    for shown in ("this", "6 x Cortex-A78AE", "17.07 GB/s", "hexagon-v73"):
        assert any(shown in line for line in lines)


def test_the_details_show_each_figure_with_unit_source_and_remark() -> None:
    lines = [" ".join(line.split()) for line in run("raspberry-pi-5", columns=160).splitlines()]
    assert "cpu[0].max_mhz 2400 MHz SBC (H)" in lines
    assert "power_w[0] 12.7 W TOP500 (H) at the wall, HPL, 8 GB board" in lines
    assert "limits.throttle_celsius no source read" in lines


def test_json_has_the_same_shape_for_one_and_for_all(tmp_path: Path) -> None:
    profile(tmp_path)
    everything = json.loads(run("-f", "json", "--profiles", str(tmp_path)))
    one = json.loads(run("my-board", "-f", "json", "--profiles", str(tmp_path)))
    assert everything["schema"] == one["schema"] == "edgeprof.devices/1"
    assert everything["looks_like"] == one["looks_like"]
    assert [device["id"] for device in everything["devices"]][:2] == ["this", "my-board"]
    assert one["devices"] == [everything["devices"][1]]
    assert one["devices"][0]["memory"]["bytes"]["value"] == 1024
    assert one["devices"][0]["soc"] is None


def test_markup_in_a_profile_is_printed_as_it_is(tmp_path: Path) -> None:
    profile(tmp_path, BOARD.replace("My board", "[red]My[/red] :smile:"))
    assert "[red]My[/red] :smile:" in run("my-board", "--profiles", str(tmp_path))


def test_the_help_has_an_example() -> None:
    assert "Example: edgeprof devices raspberry-pi-5" in run("--help")
