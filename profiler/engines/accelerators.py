"""Which engine reaches which accelerator, and with which provider and options: the one table of their names.

Device profiles name an accelerator as a fact, as in `hexagon-v73`; what an engine calls it, and what it wants to
be told, stands here and nowhere else. Sources: docs/build.md and docs/backend of llama.cpp; the headers and the
documentation of ONNX Runtime's execution providers (read 2026). Nothing here says that it was tried.
"""

from typing import Dict, List, NamedTuple, Optional, Tuple

CPU = "CPUExecutionProvider"
"""ONNX Runtime's own, which every build of it has."""


class Plugin(NamedTuple):
    """A provider that comes as a package of its own: what to install, what to import, the kind of device it is for."""

    package: str
    module: str
    kind: str


PLUGINS: Dict[str, Plugin] = {
    "QNNExecutionProvider": Plugin("onnxruntime-qnn", "onnxruntime_qnn", "npu"),
    "OpenVINOExecutionProvider": Plugin("onnxruntime-ep-openvino", "onnxruntime_ep_openvino", "npu"),
    "WebGpuExecutionProvider": Plugin("onnxruntime-ep-webgpu", "onnxruntime_ep_webgpu", "gpu"),
    "NvTensorRTRTXExecutionProvider": Plugin(
        "onnxruntime-ep-nv-tensorrt-rtx", "onnxruntime_ep_nv_tensorrt_rtx", "gpu"
    ),
}
OWN: Dict[str, Tuple[str, ...]] = {
    "CUDAExecutionProvider": ("gpu",),
    "TensorrtExecutionProvider": ("gpu",),
    "CoreMLExecutionProvider": ("npu", "gpu"),
    "DmlExecutionProvider": ("gpu",),
    "MIGraphXExecutionProvider": ("gpu",),
    "VitisAIExecutionProvider": ("npu",),
    "XnnpackExecutionProvider": ("cpu",),
}
"""Providers that are built into a wheel of ONNX Runtime, with the kinds of devices they are for."""

OWN_MEMORY: Dict[str, str] = {
    "CUDAExecutionProvider": "cuda",
    "TensorrtExecutionProvider": "cuda",
    "DmlExecutionProvider": "dml",
}
"""What ONNX Runtime's bindings call the memory of a provider's device, where a cache may stay in it."""

OPTIONS: Dict[str, Dict[str, Optional[Tuple[str, ...]]]] = {
    "QNNExecutionProvider": {
        "backend_type": ("htp", "gpu"),
        "htp_arch": ("68", "69", "73", "75", "79", "81"),
        "soc_model": None,
        "htp_performance_mode": (
            *("burst", "balanced", "default", "high_performance", "high_power_saver", "low_balanced"),
            *("low_power_saver", "power_saver", "extreme_power_saver", "sustained_high_performance"),
        ),
        "htp_graph_finalization_optimization_mode": ("0", "1", "2", "3"),
        "vtcm_mb": None,
        "offload_graph_io_quantization": ("0", "1"),
    },
    "OpenVINOExecutionProvider": {
        "device_type": ("NPU", "GPU", "CPU"),
        "precision": ("FP32", "FP16", "ACCURACY"),
        "num_of_threads": None,
    },
    "WebGpuExecutionProvider": {},
    "NvTensorRTRTXExecutionProvider": {},
    "CUDAExecutionProvider": {"device_id": None, "use_tf32": ("0", "1"), "gpu_mem_limit": None},
    "TensorrtExecutionProvider": {"device_id": None, "trt_fp16_enable": ("0", "1")},
    "CoreMLExecutionProvider": {
        "MLComputeUnits": ("CPUAndGPU", "CPUAndNeuralEngine", "CPUOnly", "ALL"),
        "ModelFormat": ("MLProgram", "NeuralNetwork"),
    },
    "DmlExecutionProvider": {"device_id": None},
    "MIGraphXExecutionProvider": {"device_id": None, "migraphx_fp16_enable": ("0", "1")},
    "VitisAIExecutionProvider": {"target": None},
    "XnnpackExecutionProvider": {"intra_op_num_threads": None},
}
"""What a provider may be told: these words, or with None a number or name. ONNX Runtime accepts anything, silently."""


EMULATED: Dict[str, Dict[str, str]] = {
    "QNNExecutionProvider": {"backend_type": "htp", "htp_arch": "75", "soc_model": "57"}
}
"""What a provider must be told where it imitates its device: without these the HTP has no 16-bit floats."""


class Route(NamedTuple):
    """A way from an engine to an accelerator.

    `provider` is ONNX Runtime's execution provider or llama.cpp's back end, `needs` what brings it: a package, or
    a switch that the library is built with. `options` are the provider's own.
    """

    engine: str
    provider: str
    needs: str
    options: Dict[str, str]


def _llama(backend: str, switch: str, **options: str) -> Route:
    return Route("llama-cpp", backend, f"llama-cpp-python built with -D{switch}=ON", options)


def _ort(provider: str, package: str, **options: str) -> Route:
    return Route("ort", f"{provider}ExecutionProvider", package, options)


def _openvino(device: str) -> Route:
    return Route("openvino-genai", "OpenVINO", "edgeprof setup openvino", {"device": device})


_VULKAN, _WEBGPU = _llama("Vulkan", "GGML_VULKAN"), _ort("WebGpu", "onnxruntime-ep-webgpu")
_DIRECTML = _ort("Dml", "onnxruntime-directml")
_NVIDIA = (
    _llama("CUDA", "GGML_CUDA"),
    _ort("CUDA", "onnxruntime-gpu"),
    _ort("Tensorrt", "onnxruntime-gpu"),
    _ort("NvTensorRTRTX", "onnxruntime-ep-nv-tensorrt-rtx"),
    _VULKAN,
    _WEBGPU,
)

ROUTES: Dict[str, Tuple[Route, ...]] = {
    "hexagon": (
        _ort("QNN", "onnxruntime-qnn", backend_type="htp"),
        _llama("HTP0", "GGML_HEXAGON"),
    ),
    "adreno": (
        _llama("GPUOpenCL", "GGML_OPENCL"),
        _ort("QNN", "onnxruntime-qnn", backend_type="gpu"),
        _WEBGPU,
    ),
    "intel-npu": (
        _ort("OpenVINO", "onnxruntime-ep-openvino", device_type="NPU"),
        _llama("OpenVINO", "GGML_OPENVINO", GGML_OPENVINO_DEVICE="NPU"),
        _openvino("NPU"),
    ),
    "arc": (
        _llama("SYCL", "GGML_SYCL"),
        _VULKAN,
        _ort("OpenVINO", "onnxruntime-ep-openvino", device_type="GPU"),
        _openvino("GPU"),
        _WEBGPU,
        _DIRECTML,
    ),
    "xdna2": (_ort("VitisAI", "Ryzen AI software", target="X2"),),
    "radeon": (
        _VULKAN,
        _llama("HIP", "GGML_HIP"),
        _ort("MIGraphX", "onnxruntime-migraphx"),
        _WEBGPU,
        _DIRECTML,
    ),
    "ampere": _NVIDIA,
    "ada": _NVIDIA,
    "apple-gpu": (_llama("Metal", "GGML_METAL"), _ort("CoreML", "onnxruntime", MLComputeUnits="CPUAndGPU")),
    "apple-ane": (_ort("CoreML", "onnxruntime", MLComputeUnits="CPUAndNeuralEngine"),),
    "mali": (_VULKAN, _WEBGPU),
    "vivante": (_ort("VSINPU", "an ONNX Runtime of one's own build"),),
}
"""By the first words of an accelerator's name. A family that is missing is reached by no engine here."""


COMMON = ("CUDA", "Vulkan", "QNN", "WebGpu")
"""The ways that are most often meant, where nothing else says which."""

KINDS: Dict[str, str] = {
    **dict.fromkeys(("hexagon", "intel-npu", "xdna2", "apple-ane", "vivante"), "npu"),
    **dict.fromkeys(("adreno", "arc", "radeon", "ampere", "ada", "apple-gpu", "mali"), "gpu"),
}
"""Which families are NPUs and which are GPUs."""


def routes_of_kind(kind: str, system: str) -> List[Route]:
    """The ways to any accelerator of a kind, for a machine of this system whose accelerators nobody has described."""
    families = [
        name for name in ROUTES if KINDS[name] == kind and name.startswith("apple") == (system == "darwin")
    ]
    found = [route for name in families for route in ROUTES[name]]
    each = list({(route.engine, route.provider): route for route in reversed(found)}.values())[::-1]
    return sorted(each, key=lambda route: not route.provider.startswith(COMMON))


def routes(accelerator: str) -> List[Route]:
    """The ways to the accelerator of this name in a profile, the best supported first; none is a fact too."""
    families = [family for family in ROUTES if f"{accelerator}-".startswith(f"{family}-")]
    return [route for family in families for route in ROUTES[family]]
