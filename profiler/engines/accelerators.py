"""Which engine reaches which accelerator, and with which provider and options: the one table of their names.

Device profiles name an accelerator as a fact, as in `hexagon-v73`; what an engine calls it, and what it wants to
be told, stands here and nowhere else. Sources: docs/build.md and docs/backend of llama.cpp; the headers and the
documentation of ONNX Runtime's execution providers (read 2026). Nothing here says that it was tried.
"""

from typing import Dict, List, NamedTuple, Tuple

CPU = "CPUExecutionProvider"
"""ONNX Runtime's own, which every build of it has."""


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


_CUDA = (_llama("CUDA", "GGML_CUDA"), _ort("CUDA", "onnxruntime-gpu"))

ROUTES: Dict[str, Tuple[Route, ...]] = {
    "hexagon": (
        _ort("QNN", "onnxruntime-qnn", backend_type="htp"),
        _llama("HTP0", "GGML_HEXAGON"),
    ),
    "adreno": (
        _llama("GPUOpenCL", "GGML_OPENCL"),
        _ort("QNN", "onnxruntime-qnn", backend_type="gpu"),
        _ort("WebGpu", "onnxruntime-ep-webgpu"),
    ),
    "intel-npu": (
        _ort("OpenVINO", "onnxruntime-ep-openvino", device_type="NPU"),
        _llama("OpenVINO", "GGML_OPENVINO", GGML_OPENVINO_DEVICE="NPU"),
        _openvino("NPU"),
    ),
    "arc": (
        _llama("SYCL", "GGML_SYCL"),
        _llama("Vulkan", "GGML_VULKAN"),
        _ort("OpenVINO", "onnxruntime-ep-openvino", device_type="GPU"),
        _openvino("GPU"),
    ),
    "xdna2": (_ort("VitisAI", "Ryzen AI software", target="X2"),),
    "radeon": (
        _llama("Vulkan", "GGML_VULKAN"),
        _llama("HIP", "GGML_HIP"),
        _ort("MIGraphX", "onnxruntime-migraphx"),
    ),
    "ampere": _CUDA,
    "ada": _CUDA,
    "apple-gpu": (_llama("Metal", "GGML_METAL"), _ort("CoreML", "onnxruntime", MLComputeUnits="CPUAndGPU")),
    "apple-ane": (_ort("CoreML", "onnxruntime", MLComputeUnits="CPUAndNeuralEngine"),),
    "mali": (_llama("Vulkan", "GGML_VULKAN"),),
    "vivante": (_ort("VSINPU", "an ONNX Runtime of one's own build"),),
}
"""By the first words of an accelerator's name. A family that is missing is reached by no engine here."""


def routes(accelerator: str) -> List[Route]:
    """The ways to the accelerator of this name in a profile, the best supported first; none is a fact too."""
    families = [family for family in ROUTES if f"{accelerator}-".startswith(f"{family}-")]
    return [route for family in families for route in ROUTES[family]]
