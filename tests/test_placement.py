"""Asked against assigned: every form in which an engine's own words show a fall-back, and those that show none."""

from __future__ import annotations

from typing import Any

import pytest

from profiler.engines import llama_log
from profiler.engines.accelerators import CPU
from profiler.engines.placement import device_of, of_device, of_llama_cpp, of_nodes
from tests.run_builder import MIB

LAYERS = 30
"""Repeating ones; llama.cpp counts the output as one more."""


def layers(*devices: str) -> list[str]:
    """What llama.cpp says for debugging: one line a layer, the output last."""
    return [
        f"load_tensors: layer {n:3d} assigned to device {name}, is_swa = 0" for n, name in enumerate(devices)
    ]


def buffer(what: str, where: str, mib: float) -> str:
    function = {"model": "load_tensors", "KV": "llama_kv_cache"}.get(what, "sched_reserve")
    return f"{function}: {where:>12} {what} buffer size = {mib:8.2f} MiB"


ON_CPU = [
    *layers(*["CPU"] * (LAYERS + 1)),
    buffer("model", "CPU_Mapped", 92.1),
    buffer("output", "CPU", 0.19),
    buffer("KV", "CPU", 5.62),
    "llama_kv_cache: size = 5.62 MiB (   256 cells,  30 layers,  1/1 seqs), K (f16): 2.81 MiB, V (f16): 2.81 MiB",
    "llama_context: flash_attn            = enabled",
    buffer("compute", "CPU", 3.07),
    "sched_reserve: graph: nodes = 966, splits = 1, input objects = 6, input tensors = 6",
]
ON_CUDA = [
    *layers(*["CUDA0"] * (LAYERS + 1)),
    "load_tensors: offloading output layer to GPU",
    "load_tensors: offloading 29 repeating layers to GPU",
    "load_tensors: offloaded 31/31 layers to GPU",
    buffer("model", "CUDA0", 92.1),
    buffer("model", "CPU_Mapped", 28.3),
    buffer("output", "CUDA_Host", 0.19),
    buffer("KV", "CUDA0", 5.62),
    buffer("compute", "CUDA0", 96.0),
    buffer("compute", "CUDA_Host", 1.5),
    "sched_reserve: graph (pp bs=512, tg bs=1): nodes = 966 / 936, splits = 2 / 2, input objects = 6",
]


def told(lines: list[str], **asked: Any) -> str | None:
    settings = {"gpu_layers": 0, "kv": "f16", "flash": "auto"} | asked
    return of_llama_cpp(settings, llama_log.read(lines))


def moved(lines: list[str], before: str, after: str) -> list[str]:
    assert any(before in line for line in lines)
    return [line.replace(before, after) for line in lines]


class TestLog:
    def test_layers_by_device(self) -> None:
        lines = layers(*["CPU"] * 11, *["CUDA0"] * 10, *["CUDA1"] * 10)
        assert llama_log.read(lines)["layers"] == {"CPU": 11, "CUDA0": 10, "CUDA1": 10}

    def test_layers_of_a_version_that_says_nothing_of_windows(self) -> None:
        line = "load_tensors: layer   0 assigned to device Vulkan0"
        assert llama_log.read([line])["layers"] == {"Vulkan0": 1}

    @pytest.mark.parametrize(
        ("said", "splits"),
        [
            ("sched_reserve: graph: nodes = 966, splits = 1, input objects = 6, input tensors = 6", 1),
            ("sched_reserve: graph (pp bs=512, tg bs=1): nodes = 966 / 936, splits = 3 / 62, input objects = 6", 62),
            ("sched_reserve: reserve took 1.00 ms, sched copies = 1", None),
        ],
    )  # fmt: skip
    def test_splits_are_those_of_a_token(self, said: str, splits: int | None) -> None:
        assert llama_log.read([said])["splits"] == splits


class TestPlace:
    @pytest.mark.parametrize(
        "place",
        ["CPU", "CPU_Mapped", "CPU_REPACK", "CPU_HBM", "CPU_KLEIDIAI", "CPU_RISCV64_SPACEMIT", "AMX", "BLAS"],
    )
    def test_the_cpu_in_all_its_forms(self, place: str) -> None:
        assert device_of(place) is None

    @pytest.mark.parametrize(
        "place", ["CUDA_Host", "Vulkan_Host", "SYCL_Host", "CANN_Host", "OPENVINO0_HOST"]
    )
    def test_pinned_memory_is_the_hosts(self, place: str) -> None:
        assert device_of(place) is None

    @pytest.mark.parametrize(
        ("place", "device"),
        [
            ("CUDA0", "CUDA0"), ("CUDA0_Split", "CUDA0"), ("Vulkan0", "Vulkan0"), ("MTL0", "MTL0"),
            ("MTL0_Mapped", "MTL0"), ("MTL0_Private", "MTL0"), ("Metal_Mapped", "Metal"), ("OpenCL", "OpenCL"),
            ("HTP0", "HTP0"), ("HTP0-REPACK", "HTP0"), ("ROCm1", "ROCm1"), ("SYCL0", "SYCL0"),
        ],
    )  # fmt: skip
    def test_devices(self, place: str, device: str) -> None:
        assert device_of(place) == device


class TestCpuAsked:
    def test_everything_is_there(self) -> None:
        assert told(ON_CPU) is None

    def test_rewritten_weights_are_the_cpus(self) -> None:
        assert told([*ON_CPU, buffer("model", "CPU_REPACK", 60), buffer("model", "AMX", 20)]) is None

    def test_pinned_memory_is_no_fall_back(self) -> None:
        assert told(moved(ON_CPU, " CPU output", "CUDA_Host output")) is None

    @pytest.mark.parametrize(
        ("what", "where", "said"),
        [
            ("compute", "CUDA0", "12.5 MiB of compute buffers lie on CUDA0"),
            ("KV", "Vulkan0", "12.5 MiB of KV buffers lie on Vulkan0"),
            ("RS", "Vulkan0", "12.5 MiB of RS buffers lie on Vulkan0"),
            ("model", "MTL0_Mapped", "12.5 MiB of weights lie on MTL0"),
            ("output", "SYCL0", "12.5 MiB of output buffers lie on SYCL0"),
        ],
    )
    def test_any_buffer_elsewhere(self, what: str, where: str, said: str) -> None:
        assert told([*ON_CPU, buffer(what, where, 12.5)]) == f"asked for the CPU alone, but {said}"

    def test_a_buffer_of_nothing_is_none(self) -> None:
        assert told([*ON_CPU, buffer("compute", "CUDA0", 0)]) is None

    def test_layers_elsewhere_before_anything_is_allocated(self) -> None:
        assert told([*layers(*["CPU"] * 29, "CUDA0", "CUDA0"), buffer("model", "CUDA0", 0)]) == (
            "asked for the CPU alone, but 2 of 31 layers are on CUDA0"
        )


class TestGpuAsked:
    @pytest.mark.parametrize("asked", [-1, 99, 31, 5])
    def test_all_are_there(self, asked: int) -> None:
        assert told(ON_CUDA, gpu_layers=asked) is None

    @pytest.mark.parametrize(
        ("device", "weights"), [("Vulkan0", "Vulkan0"), ("MTL0", "MTL0_Mapped"), ("GPUOpenCL", "OpenCL")]
    )
    def test_all_are_there_under_other_names(self, device: str, weights: str) -> None:
        lines = [*layers(*[device] * 31), buffer("model", weights, 92.1), buffer("compute", weights, 96)]
        assert told(lines, gpu_layers=-1) is None

    @pytest.mark.parametrize(("asked", "words"), [(-1, "all layers"), (99, "99 layers"), (1, "1 layer")])
    def test_none_is_there(self, asked: int, words: str) -> None:
        assert told(ON_CPU, gpu_layers=asked) == (
            f"asked for {words} on a GPU: none of 31 is there: this llama.cpp has no back end for a GPU, or sees none"
        )

    def test_some_are_there(self) -> None:
        some = [*layers(*["CPU"] * 11, *["CUDA0"] * 20), buffer("model", "CUDA0", 60)]
        assert told(some, gpu_layers=-1) == "asked for all layers on a GPU: 20 of 31 are on CUDA0"
        assert told(some, gpu_layers=25) == "asked for 25 layers on a GPU: 20 of 31 are on CUDA0"
        assert told(some, gpu_layers=20) is None

    def test_two_devices_share_them(self) -> None:
        weights = [buffer("model", device, 46) for device in ("CUDA0", "CUDA1")]
        both = [*layers(*["CUDA0"] * 16, *["CUDA1"] * 15), *weights]
        assert told(both, gpu_layers=-1) is None

    def test_what_was_offloaded_by_the_log_is_only_what_was_asked(self) -> None:
        """llama.cpp prints the smaller of the layers asked for and those there are."""
        assert told([*ON_CPU, "load_tensors: offloaded 31/31 layers to GPU"], gpu_layers=-1) is not None

    def test_assigned_but_without_weights(self) -> None:
        lines = [line for line in ON_CUDA if "CUDA0 model" not in line]
        assert told(lines, gpu_layers=-1) == (
            "asked for all layers on a GPU: 31 of 31 are assigned to CUDA0, but no weights lie there"
        )

    def test_an_inspection_allocates_no_weights(self) -> None:
        assert told([*layers(*["CUDA0"] * 31), buffer("model", "CUDA0", 0)], gpu_layers=-1) is None

    def test_a_log_without_layers_is_judged_by_its_buffers(self) -> None:
        assert told([buffer("model", "CUDA0", 0), buffer("compute", "CUDA0", 96)], gpu_layers=-1) is None
        nothing = told([buffer("model", "CPU", 0)], gpu_layers=-1)
        assert nothing is not None
        assert "none of them is there" in nothing

    def test_operations_that_the_device_does_not_know(self) -> None:
        """The graph then changes the device in every layer; else it does twice, for the tokens and the rest."""
        assert told(moved(ON_CUDA, "splits = 2 / 2", "splits = 2 / 62"), gpu_layers=99) == (
            "asked for 99 layers on a GPU: all are assigned to CUDA0, but parts of them run elsewhere: "
            "a token changes device 62 times"
        )


class TestSettings:
    def test_another_type_of_the_cache(self) -> None:
        assert told(moved(ON_CPU, "V (f16)", "V (q8_0)")) == "asked for a KV cache of f16: it is of q8_0"
        assert told(ON_CPU, kv="q8_0") == "asked for a KV cache of q8_0: it is of f16"

    def test_a_model_without_a_cache_has_no_type(self) -> None:
        assert told([line for line in ON_CPU if "llama_kv_cache: size" not in line], kv="q8_0") is None

    @pytest.mark.parametrize("asked", ["on", "off"])
    def test_flash_attention(self, asked: str) -> None:
        lines = moved(ON_CPU, "= enabled", "= disabled" if asked == "on" else "= enabled")
        made = "off" if asked == "on" else "on"
        assert told(lines, flash=asked) == f"asked for flash attention {asked}: it is {made}"

    @pytest.mark.parametrize("state", ["enabled", "disabled"])
    def test_automatic_flash_attention_is_never_a_fall_back(self, state: str) -> None:
        assert told(moved(ON_CPU, "= enabled", f"= {state}")) is None

    def test_where_it_runs_comes_first(self) -> None:
        found = told(moved(ON_CPU, "V (f16)", "V (q8_0)"), gpu_layers=-1)
        assert found is not None
        assert found.startswith("asked for all layers on a GPU")


class TestNodes:
    QNN = "QNNExecutionProvider"

    def test_all_where_they_were_asked_to_be(self) -> None:
        assert of_nodes(CPU, {CPU: 391}) is None
        assert of_nodes(self.QNN, {self.QNN: 391, CPU: 0}) is None

    def test_all_elsewhere(self) -> None:
        assert of_nodes(self.QNN, {CPU: 391}) == (
            "asked for QNNExecutionProvider: 391 of 391 nodes run on CPUExecutionProvider"
        )

    def test_some_in_two_other_places(self) -> None:
        assert of_nodes(self.QNN, {self.QNN: 380, "XnnpackExecutionProvider": 2, CPU: 9}) == (
            "asked for QNNExecutionProvider: 9 of 391 nodes run on CPUExecutionProvider "
            "and 2 of 391 nodes run on XnnpackExecutionProvider"
        )

    @pytest.mark.parametrize(("elsewhere", "told"), [(5, False), (6, True)])
    def test_a_share_that_may_be_elsewhere(self, elsewhere: int, told: bool) -> None:
        """As borders of a graph that always stay on the CPU."""
        found = of_nodes(self.QNN, {self.QNN: 100 - elsewhere, CPU: elsewhere}, share_elsewhere=0.05)
        assert (found is not None) is told

    def test_nothing_told_is_nothing_known(self) -> None:
        assert of_nodes(self.QNN, {}) is None


def test_a_device_that_tells_nothing_of_its_nodes() -> None:
    assert of_device("CPU", "CPU") is None
    assert of_device("CUDA", "CPU") == "asked for CUDA: the engine runs on CPU"


def test_sizes_are_those_of_the_log() -> None:
    assert llama_log.bytes_of(llama_log.read(ON_CUDA), "kv") == round(5.62 * MIB)
