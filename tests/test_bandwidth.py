"""What a decoded token reads, and the share of the device's bandwidth that this takes."""

from __future__ import annotations

import msgspec
import pytest

from profiler.analyse.estimate import Estimate
from profiler.analyse.report import report
from profiler.runfile import Case, Device, Worker
from tests.run_builder import BOARD, build, case, pp, raw_pass, rounds, run, text, tg, worker

FAST = msgspec.structs.replace(BOARD, memory_bandwidth_bytes_per_s=10e9)
KNOWN = build("a", read_bytes_per_token=80_000_000, kv_elements_per_token=1000)
EIGHT = [10.0] * 8


def cells(asked: Case, seen: list[Worker], device: Device = FAST) -> dict[str, Estimate]:
    return report(run([asked], seen, builds=[KNOWN], device=device)).rows[0].metrics


def test_weights_and_cache_at_the_middle_of_the_answer() -> None:
    """128 + 4/2 tokens of 1000 f16 elements, and 80 MB, 100 times a second, of 10 GB/s."""
    found = cells(case("r1", "a", workload=text(output=4), kv="f16"), rounds("r1", EIGHT))
    assert found["read_bytes_per_token"].value == 80_000_000 + 130 * 1000 * 2
    assert found["bandwidth_share"].value == pytest.approx(80_260_000 * 100 / 10e9)


def test_a_quantized_cache_is_smaller() -> None:
    found = cells(case("r1", "a", workload=text(output=4), kv="q8_0"), rounds("r1", EIGHT))
    assert found["read_bytes_per_token"].value == 80_000_000 + 130 * 1000 * 34 / 32


def test_a_cache_type_that_is_not_known_is_not_guessed() -> None:
    found = cells(case("r1", "a", kv="iq2_s"), rounds("r1", EIGHT))
    said = "the size of a KV cache of type iq2_s is not known"
    assert found["read_bytes_per_token"].reason == found["bandwidth_share"].reason == said


def test_tg_has_one() -> None:
    """Two tokens from an empty cache: one token deep in the middle."""
    seen = [worker("r1", 0, raw_pass(1, evaluated_ms=1, token_ms=[10, 20]))]
    found = cells(case("r1", "a", workload=tg(2)), seen)["bandwidth_share"]
    assert found.value == pytest.approx(80_002_000 * 100 / 10e9)


def test_pp_has_none() -> None:
    found = cells(case("r1", "a", workload=pp(512)), [worker("r1", 0, raw_pass(1, evaluated_ms=1000))])
    assert found["bandwidth_share"].reason == "there is no decode speed here"


@pytest.mark.parametrize("bandwidth", [None, 0.0])
def test_no_bandwidth_no_share(bandwidth: float | None) -> None:
    device = msgspec.structs.replace(BOARD, memory_bandwidth_bytes_per_s=bandwidth)
    found = cells(case("r1", "a"), rounds("r1", EIGHT), device)
    assert found["bandwidth_share"].reason == "the bandwidth of this device is not known"
