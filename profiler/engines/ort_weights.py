"""What the nodes of an ONNX graph read and multiply: the weights of each, by its name."""

import math
from typing import Any, Dict, NamedTuple

MATRICES = frozenset(
    {"MatMul", "MatMulNBits", "MatMulInteger", "DynamicQuantizeMatMul", "Gemm", "FusedMatMul", "FusedGemm"}
)


class Weights(NamedTuple):
    """Of one node: bytes, and the products that one token does with them."""

    bytes: int
    products: int


def weights_of_nodes(path: str) -> Dict[str, Weights]:
    """Those of every node of the graph that has any; none where the graph cannot be read."""
    try:
        import onnx

        graph = onnx.load(path, load_external_data=False).graph
    except Exception:  # missing, or protobufs by strangers: a session is worth having without
        return {}
    stored = {tensor.name: tensor for tensor in graph.initializer}
    found = {}
    for node in graph.node:
        mine = [stored[name] for name in node.input if name in stored]
        size = sum(_bytes(onnx, tensor) for tensor in mine)
        if node.name and size:
            found[node.name] = Weights(size, _products(node, mine))
    return found


def _bytes(onnx: Any, tensor: Any) -> int:
    size = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize * math.prod(tensor.dims)
    packed = tensor.data_type in (onnx.TensorProto.UINT4, onnx.TensorProto.INT4)
    return int(size) // 2 if packed else int(size)


def _products(node: Any, weights: Any) -> int:
    if node.op_type not in MATRICES:
        return 0
    lengths = {item.name: item.i for item in node.attribute}
    if node.op_type == "MatMulNBits":
        return int(lengths["K"] * lengths["N"])
    return max((math.prod(tensor.dims) for tensor in weights if len(tensor.dims) > 1), default=0)
