"""Which weights this host's CPU back end of ggml would rewrite for itself, and the bytes of the rewritten copies.

It is asked through ggml's public functions as llama.cpp asks it when it loads a model (`select_weight_buft` in
src/llama-model-loader.cpp): can the device multiply with this weight in that type of buffer? Nothing is allocated.
"""

import ctypes
from typing import Any, Callable, Iterator, List, Optional, Tuple

Weight = Tuple[str, int, List[int]]
"""The operation it is used in ("mul_mat" or "mul_mat_id"), the number of its type, its shape (row length first)."""

_CPU_DEVICE, _F32, _I32, _MOST_EXTRA = 0, 0, 26, 16
_COLUMNS = 512
"""Tokens of the product that llama.cpp tries a buffer type with."""


class _TensorHead(ctypes.Structure):
    """The first fields of struct ggml_tensor of ggml.h."""

    _fields_ = [("type", ctypes.c_int), ("buffer", ctypes.c_void_p)]


class _InitParams(ctypes.Structure):
    """struct ggml_init_params of ggml.h."""

    _fields_ = [("size", ctypes.c_size_t), ("memory", ctypes.c_void_p), ("no_alloc", ctypes.c_bool)]


_POINTER, _SIZE = ctypes.c_void_p, ctypes.c_size_t
_OF_BASE = {
    "ggml_init": (_POINTER, [_InitParams]),
    "ggml_free": (None, [_POINTER]),
    "ggml_tensor_overhead": (_SIZE, []),
    "ggml_new_tensor": (_POINTER, [_POINTER, ctypes.c_int, ctypes.c_int, ctypes.POINTER(ctypes.c_int64)]),
    "ggml_mul_mat": (_POINTER, [_POINTER] * 3),
    "ggml_mul_mat_id": (_POINTER, [_POINTER] * 4),
    "ggml_backend_dev_backend_reg": (_POINTER, [_POINTER]),
    "ggml_backend_reg_get_proc_address": (_POINTER, [_POINTER, ctypes.c_char_p]),
    "ggml_backend_dev_supports_op": (ctypes.c_bool, [_POINTER] * 2),
    "ggml_backend_buft_name": (ctypes.c_char_p, [_POINTER]),
    "ggml_backend_buft_alloc_buffer": (_POINTER, [_POINTER, _SIZE]),
    "ggml_backend_buft_get_alloc_size": (_SIZE, [_POINTER] * 2),
    "ggml_backend_buffer_free": (None, [_POINTER]),
}
"""Result and arguments of the functions of libggml-base that this takes."""


def rewritten(
    library: Callable[[str], Any], weights: List[Weight]
) -> Optional[List[Tuple[Optional[str], int]]]:
    """The buffer type that would hold a rewritten copy of each weight and its bytes there; None and 0 without a copy.

    `library` loads a library of the engine by its name. None as a whole where it has other functions than these.
    """
    try:
        base, devices = library("ggml-base"), library("ggml")
        for name, (result, arguments) in _OF_BASE.items():
            getattr(base, name).restype, getattr(base, name).argtypes = result, arguments
        by_type = devices.ggml_backend_dev_by_type
    except (OSError, AttributeError):
        return None
    by_type.restype, by_type.argtypes = _POINTER, [ctypes.c_int]
    device = by_type(_CPU_DEVICE)
    extra = list(_extra_buffer_types(base, device))
    return [_place(base, device, extra, weight) for weight in weights]


def _extra_buffer_types(base: Any, device: int) -> Iterator[int]:
    """The CPU back end's buffer types of its own, such as AMX and CPU_REPACK, the preferred first."""
    register = base.ggml_backend_dev_backend_reg(device)
    address = base.ggml_backend_reg_get_proc_address(register, b"ggml_backend_dev_get_extra_bufts")
    if not address:
        return
    listed = ctypes.CFUNCTYPE(ctypes.POINTER(_POINTER), _POINTER)(address)(device)
    for n in range(_MOST_EXTRA if listed else 0):
        if not listed[n]:
            return
        yield listed[n]


def _place(base: Any, device: int, extra: List[int], weight: Weight) -> Tuple[Optional[str], int]:
    context = base.ggml_init(_InitParams(8 * base.ggml_tensor_overhead(), None, True))
    tensor, product = _product(base, context, *weight)
    taken = next((one for one in extra if _supports(base, device, tensor, product, one)), None)
    name = base.ggml_backend_buft_name(taken).decode("utf-8", "replace") if taken else None
    size = base.ggml_backend_buft_get_alloc_size(taken, tensor) if taken else 0
    base.ggml_free(context)
    return name, size


def _product(base: Any, context: int, operation: str, kind: int, shape: List[int]) -> Tuple[int, int]:
    """The weight, and the node of the graph that multiplies with it."""
    weight = _tensor(base, context, kind, shape)
    if operation == "mul_mat":
        other = _tensor(base, context, _F32, [shape[0], _COLUMNS, *shape[2:]])
        return weight, base.ggml_mul_mat(context, weight, other)
    other = _tensor(base, context, _F32, [shape[0], 1, _COLUMNS])
    experts = _tensor(base, context, _I32, [1, _COLUMNS])
    return weight, base.ggml_mul_mat_id(context, weight, other, experts)


def _tensor(base: Any, context: int, kind: int, shape: List[int]) -> int:
    tensor: int = base.ggml_new_tensor(context, kind, len(shape), (ctypes.c_int64 * len(shape))(*shape))
    return tensor


def _supports(base: Any, device: int, weight: int, product: int, buffer_type: int) -> bool:
    """With an empty buffer of the type put to the weight for as long as the device is asked."""
    head = _TensorHead.from_address(weight)
    head.buffer = base.ggml_backend_buft_alloc_buffer(buffer_type, 0)
    supported = bool(base.ggml_backend_dev_supports_op(device, product))
    base.ggml_backend_buffer_free(head.buffer)
    head.buffer = None
    return supported
