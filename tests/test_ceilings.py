"""What a device can do at most: from the figures of its profile, and from a calibration."""

from __future__ import annotations

import msgspec
import pytest

from profiler.catalogue.devices import load_device
from profiler.measure.ceilings import ceilings
from profiler.predicting.calibration import Sample, fastest_products
from profiler.runfile import Ceiling


def test_a_board_with_both() -> None:
    """17.1 GB/s and 613.8 thousand million operations of 8 bits, two for a multiply-add."""
    found = ceilings(load_device("raspberry-pi-5"))["cpu"]
    assert found.macs_per_s == pytest.approx(306.9e9)
    assert found.macs_source == "peak in int8, CPUFP"
    assert found.bytes_per_s == pytest.approx(17.1e9, rel=0.01)
    assert (found.bytes_source or "").startswith("theoretical, ")


def test_an_accelerator_has_its_own() -> None:
    every = ceilings(load_device("rtx-4090-desktop"))
    found = every["gpu"]
    assert list(every.values()).count(found) == 2, "by its kind and by its name"
    assert found.bytes_per_s == pytest.approx(1008e9, rel=0.01)
    assert found.macs_per_s is not None


def test_what_nobody_states_is_not_there() -> None:
    assert "cpu" not in ceilings(load_device("generic-x86-64"))


def sample(prompt: int, seconds: float, products: float) -> Sample:
    terms = {"multiply:Q4_0": products, "multiply:Q8_0": products, "rows": 5.0}
    return Sample(trial="x", threads=1, prompt=prompt, depth=0, seconds=seconds, terms=terms)


def test_the_fastest_prompt_of_a_calibration() -> None:
    samples = [sample(512, 2, 1e9), sample(512, 1, 1e9), sample(0, 0.1, 1e9)]
    assert fastest_products(samples) == 2e9
    assert fastest_products(samples[2:]) is None


@pytest.mark.parametrize("rate", [0, 0.5, -1, 1e300, float("nan")])
def test_a_rate_that_no_device_has_is_refused(rate: float) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"bytes_per_s": rate}, Ceiling)
