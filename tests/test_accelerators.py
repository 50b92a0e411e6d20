"""Which engine reaches which accelerator: names, and what is said where none does."""

from __future__ import annotations

import pytest

from profiler.catalogue.devices import load_devices
from profiler.engines.accelerators import ROUTES, routes
from profiler.engines.table import ENGINES

PROVIDERS = {
    "CoreMLExecutionProvider",
    "CUDAExecutionProvider",
    "MIGraphXExecutionProvider",
    "OpenVINOExecutionProvider",
    "QNNExecutionProvider",
    "DmlExecutionProvider",
    "NvTensorRTRTXExecutionProvider",
    "TensorrtExecutionProvider",
    "VitisAIExecutionProvider",
    "VSINPUExecutionProvider",
    "WebGpuExecutionProvider",
}
"""As ONNX Runtime spells them, from its constants.h."""


NVIDIA = [
    *("CUDA", "CUDAExecutionProvider", "TensorrtExecutionProvider", "NvTensorRTRTXExecutionProvider"),
    *("Vulkan", "WebGpuExecutionProvider"),
]


def test_every_route_is_of_an_engine_that_exists_and_of_a_provider_as_it_is_spelled() -> None:
    found = [route for family in ROUTES.values() for route in family]
    assert {route.engine for route in found} <= set(ENGINES)
    assert {route.provider for route in found if route.engine == "ort"} == PROVIDERS


@pytest.mark.parametrize(
    ("accelerator", "providers"),
    [
        ("hexagon-v73", ["QNNExecutionProvider", "HTP0"]),
        ("adreno-x1-85", ["GPUOpenCL", "QNNExecutionProvider", "WebGpuExecutionProvider"]),
        ("ampere-ga10b", NVIDIA),
        ("ada-ad102", NVIDIA),
        ("adapter", []),
        ("rknpu-rk3588", []),
        ("hailo-10h", []),
    ],
)
def test_an_accelerator_is_known_by_the_first_words_of_its_name(
    accelerator: str, providers: list[str]
) -> None:
    assert [route.provider for route in routes(accelerator)] == providers


def test_what_no_engine_reaches_names_who_does_or_says_why_nobody_is_named() -> None:
    for device in load_devices().values():
        for name, accelerator in device.accelerators.items():
            key = f"accelerators.{name}.reached_by"
            assert routes(name) or accelerator.reached_by or key in device.absent, (device.id, name)
