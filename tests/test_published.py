"""Decode on devices without a calibration: the evidence, what is refused, and odd figures."""

from __future__ import annotations

import csv
import math
from collections import Counter
from typing import Any

import msgspec
import pytest

from bench import published as bench
from profiler.analyse import distributions
from profiler.catalogue.devices import (
    Accelerator,
    DeviceProfile,
    Fact,
    Memory,
    Peak,
    load_device,
    load_devices,
)
from profiler.catalogue.models import load_models
from profiler.predicting import published_fit as fit
from profiler.predicting.published import Decode, bandwidth_of, decode_on
from profiler.predicting.published_rows import (
    FOLDER,
    Bits,
    Result,
    Target,
    decoded,
    group_of,
    machines,
    published,
    results,
)

TARGETS: tuple[Target, ...] = ("cpu", "gpu", "npu")


def fact(value: Any) -> Fact[Any]:
    return Fact(value=value, source="LAB", confidence="H")


def board(bytes_per_s: float | None, **more: Any) -> DeviceProfile:
    memory = Memory(theoretical_bytes_per_s=None if bytes_per_s is None else fact(bytes_per_s))
    return DeviceProfile(id="my-board", name="My board", version=1, kind="board", memory=memory, **more)


def gpu(product: str, bytes_per_s: float | None = None) -> dict[str, Accelerator]:
    own = None if bytes_per_s is None else fact(bytes_per_s)
    return {"gpu": Accelerator(kind="gpu", product=fact(product), memory_bytes_per_s=own)}


def told(profile: DeviceProfile, target: Target, read_bytes: float) -> Decode:
    found = decode_on(profile, target, read_bytes)
    assert isinstance(found, Decode), found
    return found


def speed(found: Decode) -> tuple[float, float, float]:
    figure = found.tokens_per_s
    assert figure.value is not None
    assert figure.low is not None
    assert figure.high is not None
    return figure.low, figure.value, figure.high


def of_catalogue(row: dict[str, str]) -> str:
    return row["source"].removeprefix("models/architectures.csv: ").split(" ")[0]


@pytest.mark.parametrize("key", ["group", "device"])
def test_devices_that_were_left_out_are_predicted_within_the_bar(key: str) -> None:
    found = bench.left_out_by(lambda row: str(getattr(row, key)))
    assert len(found) == 48
    for some in (found, bench.of("cpu", found), bench.of("gpu", found)):
        assert bench.middle_error(some) <= 0.20
        assert bench.share_covered(some) >= fit.LEVEL


def test_rows_of_a_chip_with_others_are_predicted_better_than_of_one_without() -> None:
    found = bench.left_out_rows()
    assert bench.middle_error(found) < bench.middle_error(bench.left_out_by(lambda row: row.group))
    assert bench.share_covered(found) >= fit.LEVEL


def test_rows_of_an_npu_are_predicted_from_its_other_rows() -> None:
    found = bench.left_out_on_npus()
    assert {one.row.group for one in found} <= {"rk3588", "hailo-10h", "snapdragon-x-elite"}
    assert bench.middle_error(found) <= 0.20
    assert bench.share_covered(found) >= fit.LEVEL


def test_a_chip_takes_all_its_rows_along_when_it_is_left_out() -> None:
    groups = {machine.device: machine.group for machine in machines()}
    siblings = ("Jetson Orin Nano Super 8GB devkit", "Jetson Orin Nano 8GB devkit (original clocks)")
    assert groups[siblings[0]] == groups[siblings[1]] == "orin-nano"
    assert groups["Apple M1 (7-core GPU)"] == groups["Apple M1 (8-core GPU)"]
    assert groups["Raspberry Pi 500+ 16GB"] == groups["Raspberry Pi 5"]


def test_no_law_nearby_fits_better() -> None:
    rows = bench.by_law()
    best = fit.law(rows)

    def loss(law: fit.Law) -> float:
        weights = {key: 1 / count for key, count in Counter((r.group, r.target) for r in rows).items()}
        return sum(
            weights[row.group, row.target]
            * math.log(law.seconds(row.target, row.read_bytes / (row.bytes_per_s or 1)) / row.seconds) ** 2
            for row in rows
        )

    for name in best.__struct_fields__:
        for factor in (0.99, 1.01):
            changed = {name: getattr(best, name) * factor}
            assert loss(msgspec.structs.replace(best, **changed)) > loss(best)


@pytest.mark.parametrize("degrees", range(1, 40))
def test_the_quantile_is_that_of_students_t(degrees: int) -> None:
    assert fit.t_quantile(degrees) == pytest.approx(distributions.t_quantile(degrees, fit.LEVEL), rel=5e-3)


def test_every_row_is_used_or_says_why_not() -> None:
    assert len(results()) == 88
    assert len(published()) == sum(row.left_out is None for row in results()) == 64
    assert all(row.bytes_per_s for row in bench.by_law())


def test_bandwidths_of_the_table_are_those_of_the_profiles() -> None:
    profiles = load_devices()
    for row in bench.by_law():
        machine = next(machine for machine in machines() if machine.device == row.device)
        if machine.profile:
            known = bandwidth_of(profiles[machine.profile], row.target)
            assert isinstance(known, Fact)
            assert known.value == row.bytes_per_s
        else:
            assert machine.bandwidth_source


def test_parameters_of_the_table_are_those_of_the_catalogue() -> None:
    lines = (FOLDER / "published_models.csv").read_text("utf-8").splitlines()
    rows = [row for row in csv.DictReader(lines) if row["source"].startswith("models/")]
    shapes = {model.id: model.shape for model in load_models().values()}
    assert len(rows) > 5
    for row in rows:
        shape = shapes[of_catalogue(row)]
        assert int(row["parameters_read"]) == shape.parameters_read_per_token
        assert int(row["output_parameters"]) == shape.vocabulary * shape.embedding


def test_bytes_read_are_those_of_the_file_without_the_table_that_is_looked_up() -> None:
    row = next(
        row for row in published() if row.model == "Llama 3 8B" and row.device == "Raspberry Pi 5 16GB"
    )
    file_bytes, looked_up = 4_912_898_304, 128_256 * 4096 * 4.5 / 8
    assert row.read_bytes == pytest.approx(file_bytes - looked_up, rel=2e-3)


def test_every_profile_is_answered_on_every_target() -> None:
    for profile in load_devices().values():
        for target in TARGETS:
            for read_bytes in (1e7, 5e8, 4e9, 4e10):
                found = decode_on(profile, target, read_bytes)
                if isinstance(found, Decode):
                    low, value, high = speed(found)
                    assert 0 < low < value < high
                    assert "published" in found.source
                else:
                    assert found


def test_nothing_is_faster_than_the_bandwidth() -> None:
    for read_bytes in (1e6, 1e8, 1e9, 1e10, 1e12):
        for target in fit.LAW_TARGETS:
            found = told(board(50e9, accelerators=gpu("NVIDIA Something")), target, read_bytes)
            assert speed(found)[2] <= 50e9 / read_bytes * (1 + 1e-12)


def test_small_builds_are_less_certain() -> None:
    def width(read_bytes: float) -> float:
        low, _, high = speed(told(board(500e9), "cpu", read_bytes))
        return high / low

    assert width(1e8) > 2 * width(1e10)


def test_a_chip_with_published_results_is_more_certain() -> None:
    own = told(load_device("raspberry-pi-5"), "cpu", 4.6e9)
    other = told(msgspec.structs.replace(load_device("raspberry-pi-5"), id="my-board"), "cpu", 4.6e9)
    assert "6 of them on this chip" in own.source
    assert "none like it on this chip" in other.source
    assert speed(own)[2] / speed(own)[0] < speed(other)[2] / speed(other)[0]
    assert speed(own)[1] == pytest.approx(2.17, rel=0.1)


def test_results_of_a_chip_say_nothing_of_builds_of_another_size() -> None:
    assert "none like it" in told(load_device("raspberry-pi-5"), "cpu", 9e7).source


def test_the_source_of_the_bandwidth_is_named() -> None:
    source = told(load_device("apple-m4"), "gpu", 3.8e9).source
    assert source.startswith("120 GB/s (Apple, Mac mini (2024), technical specifications) x efficiency 0.")


def test_a_card_reads_its_own_memory() -> None:
    card = board(50e9, accelerators=gpu("NVIDIA Card", 1000e9))
    assert speed(told(card, "gpu", 4e9))[1] > 5 * speed(told(board(50e9), "cpu", 4e9))[1]


@pytest.mark.parametrize("device", ["apple-m4", "ryzen-ai-300", "core-ultra-lunar-lake", "imx-8m-plus-evk"])
def test_no_npu_is_predicted_from_its_tops(device: str) -> None:
    found = decode_on(load_device(device), "npu", 2e9)
    assert isinstance(found, str)
    assert "do not carry" in found
    assert "TOPS" in found


def test_tops_change_nothing_on_an_npu_with_results() -> None:
    profile = load_device("orange-pi-5")
    faster = {
        key: msgspec.structs.replace(one, peaks={"int8": Peak(dense_gops=fact(1e9))})
        for key, one in profile.accelerators.items()
    }
    assert decode_on(profile, "npu", 2e9) == decode_on(
        msgspec.structs.replace(profile, accelerators=faster), "npu", 2e9
    )


def test_boards_with_the_same_npu_are_told_the_same() -> None:
    assert group_of("rock-5b") == group_of("orange-pi-5")
    assert decode_on(load_device("rock-5b"), "npu", 2e9) == decode_on(load_device("orange-pi-5"), "npu", 2e9)


def test_an_npu_is_not_predicted_beyond_the_sizes_that_were_published() -> None:
    found = decode_on(load_device("orange-pi-5"), "npu", 4e10)
    assert isinstance(found, str)
    assert "0.496 GB to 5.98 GB a token, not 40 GB" in found


@pytest.mark.parametrize("device", ["core-ultra-meteor-lake", "generic-arm64", "imx-8m-plus-evk"])
def test_without_a_bandwidth_nothing_is_predicted(device: str) -> None:
    found = decode_on(load_device(device), "cpu", 2e9)
    assert isinstance(found, str)
    assert "do not carry" in found
    assert "bandwidth" in found


def test_gpus_unlike_all_published_ones_are_refused() -> None:
    found = decode_on(load_device("orange-pi-5"), "gpu", 2e9)
    assert isinstance(found, str)
    assert "AMD, Apple, Intel and NVIDIA, none like Arm Mali-G610 MP4" in found
    assert decode_on(board(1e10), "gpu", 2e9) == "the profile of My board has no GPU"


@pytest.mark.parametrize("read_bytes", [0.0, -1.0, math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("target", TARGETS)
def test_bytes_that_cannot_be(target: Target, read_bytes: float) -> None:
    assert isinstance(decode_on(load_device("orange-pi-5"), target, read_bytes), str)


@pytest.mark.parametrize("bytes_per_s", [0.0, -1.0, math.nan, math.inf, 5e-324, None])
def test_bandwidths_that_cannot_be(bytes_per_s: float | None) -> None:
    assert isinstance(decode_on(board(bytes_per_s), "cpu", 2e9), str)


@pytest.mark.parametrize(("read_bytes", "bytes_per_s"), [(1e308, 1e-5), (1e-300, 1e300), (1e300, 1e300)])
def test_extreme_figures_end_in_a_sentence_or_a_figure(read_bytes: float, bytes_per_s: float) -> None:
    found = decode_on(board(bytes_per_s), "cpu", read_bytes)
    assert isinstance(found, str) or all(map(math.isfinite, speed(found)))


GOOD = {"quantization": "Q4_0", "bits": "4.5", "output_bits": "6.5", "assumed": "", "source": "x"}


@pytest.mark.parametrize(
    "change",
    [{"bits": "many"}, {"bits": ""}, {"bits": "0"}, {"bits": "nan"}, {"source": ""}, {"colour": "red"}],
)
def test_tables_are_read_strictly(change: dict[str, str]) -> None:
    assert decoded([GOOD], Bits)[0].assumed is None
    with pytest.raises(msgspec.ValidationError):
        decoded([GOOD | change], Bits)


def test_a_result_without_a_device_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        decoded([{"target": "cpu"}], Result)


def test_the_bench_prints_the_law_and_what_was_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    bench.main()
    out = capsys.readouterr().out
    assert "x bandwidth) + " in out
    assert "no bandwidth: the laptop is not named" in out
