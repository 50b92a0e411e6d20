"""Reads one ONNX graph in a process of its own and prints what it is, as JSON. Weights are never loaded.

It is started by path with the path of the graph as its only argument, and imports `onnx` and nothing of ours:
a protobuf from a stranger is parsed where a crash costs nothing.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

PAST = re.compile(r"past_key_values\.\d+\.(key|value)$")
LARGEST = 2 << 30
MOST_ITEMS = 4096
QUANTIZED = {"MatMulNBits": 1, "GatherBlockQuantized": 0}
"""Operators with quantized weights, and the input that holds their codes."""

PASSED_ON = ("Reshape", "Transpose", "Cast", "Identity", "Unsqueeze", "Squeeze", "DequantizeLinear")
"""Operators behind which a weight is still the same weight."""

NOT_WEIGHTS = {"GroupQueryAttention": (7, 8), "RotaryEmbedding": (2, 3)}
"""Inputs that are tables of cosines and sines."""


class Weights:
    """Initialisers by name, and what the nodes that read them say of them."""

    def __init__(self, graph: Any) -> None:
        self.initializers = {tensor.name: tensor for tensor in graph.initializer}
        self.elements: dict[str, int] = {}
        self.read: dict[str, int] = {}
        self.gathered: dict[str, tuple[int, int]] = {}
        self.bits: Counter[str] = Counter()
        self.producers = {output: node.op_type for node in graph.node for output in node.output}
        self.same = self._other_names(graph)

    def _other_names(self, graph: Any) -> dict[str, str]:
        """Initialisers that only pass through a change of shape or type keep their bytes under another name."""
        found: dict[str, str] = {}
        for node in graph.node:
            source = found.get(node.input[0], node.input[0]) if node.input else ""
            if node.op_type in PASSED_ON and source in self.initializers:
                found[node.output[0]] = source
        return found

    def region(self, name: str) -> str:
        """What tells tensors apart that lie at the same place: a tied table has two names."""
        tensor = self.initializers[name]
        place = {entry.key: entry.value for entry in tensor.external_data}
        return f"{place['location']}@{place.get('offset', '0')}" if "location" in place else name

    def bytes_of(self, name: str) -> int:
        """Bytes that an initialiser takes."""
        tensor = self.initializers[name]
        place = {entry.key: entry.value for entry in tensor.external_data}
        if place.get("length"):
            return int(place["length"])
        return len(tensor.raw_data) or math.prod(tensor.dims) * _item_bytes(tensor)

    def note(self, node: Any) -> None:
        """What this node reads for one token."""
        if node.op_type in PASSED_ON and node.output[0] in self.same:
            return
        inputs = [self.same.get(name, name) for name in node.input]
        found = [name for name in inputs if name in self.initializers]
        if node.op_type in QUANTIZED:
            self._note_quantized(node, inputs, found)
        elif node.op_type == "Gather" and inputs[0] in self.initializers and _axis(node) == 0:
            self._note_gathered(inputs[0], found[:1], math.prod(self._dims(inputs[0])))
        elif node.op_type in ("Gemm", "MatMul") and self.producers.get(inputs[0]) == "ReduceSum":
            self._add_read(found)
        elif node.op_type != "Gather":
            self._note_plain(node, inputs, found)

    def _note_quantized(self, node: Any, inputs: list[str], found: list[str]) -> None:
        told = {attribute.name: attribute.i for attribute in node.attribute}
        codes = inputs[QUANTIZED[node.op_type]]
        count = self._count(codes, told.get("bits", 4))
        if node.op_type == "GatherBlockQuantized":
            self._note_gathered(codes, found, count)
            return
        count = told["N"] * told["K"]
        self.elements[self.region(codes)] = count
        self.bits[f"int{told.get('bits', 4)} block {told.get('block_size', 0)}"] += count
        self._add_read(found)

    def _note_gathered(self, table: str, parts: list[str], count: int) -> None:
        """A table whose rows are looked up is read by a token only where it is the output matrix too.

        One that is there as codes besides, as a static build has it, is the same weights.
        """
        if f"{table}.codes" in self.initializers:
            return
        if self.initializers[table].data_type in _float_types() or len(parts) > 1:
            self.gathered[self.region(table)] = (count, sum(map(self.bytes_of, parts)))

    def _note_plain(self, node: Any, inputs: list[str], found: list[str]) -> None:
        for place, name in enumerate(inputs):
            if name not in found or place in NOT_WEIGHTS.get(node.op_type, ()):
                continue
            tensor = self.initializers[name]
            if tensor.data_type in _weight_types() and math.prod(tensor.dims) > 1:
                self.elements[self.region(name)] = math.prod(tensor.dims)
                self._add_read([name])
                if len(tensor.dims) > 1:
                    self.bits[_weight_types()[tensor.data_type]] += math.prod(tensor.dims)

    def _add_read(self, names: list[str]) -> None:
        for name in names:
            self.read[self.region(name)] = self.bytes_of(name)

    def _count(self, codes: str, bits: int) -> int:
        """Weights in a tensor of codes: several to a byte, unless its type counts them itself."""
        packed = (
            codes in self.initializers and _weight_types().get(self.initializers[codes].data_type) == "int8"
        )
        return math.prod(self._dims(codes)) * (8 // bits if packed else 1)

    def _dims(self, name: str) -> list[int]:
        return list(self.initializers[name].dims) if name in self.initializers else []


def _axis(node: Any) -> int:
    """0 looks up rows of a table; offsets of a table's blocks lie in columns and are no weights of their own."""
    return next((int(attribute.i) for attribute in node.attribute if attribute.name == "axis"), 0)


def _float_types() -> set[int]:
    import onnx

    return {onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16}


def _weight_types() -> dict[int, str]:
    import onnx

    kinds = onnx.TensorProto
    return {
        kinds.FLOAT: "float32",
        kinds.FLOAT16: "float16",
        kinds.BFLOAT16: "bfloat16",
        kinds.INT8: "int8",
        kinds.UINT8: "int8",
        kinds.INT4: "int4",
        kinds.UINT4: "int4",
    }


def _item_bytes(tensor: Any) -> float:
    from onnx import helper

    return float(helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize)


def _value(item: Any) -> dict[str, Any]:
    tensor = item.type.tensor_type
    shape = [dim.dim_value if dim.HasField("dim_value") else None for dim in tensor.shape.dim]
    return {"name": item.name, "type": tensor.elem_type, "shape": shape}


def _data(weights: Weights) -> list[dict[str, Any]]:
    """Each data file once, with how far into it the graph reaches."""
    ends: dict[str, int] = {}
    for tensor in weights.initializers.values():
        place = {entry.key: entry.value for entry in tensor.external_data}
        if "location" in place:
            end = int(place.get("offset") or 0) + int(place.get("length") or 0)
            ends[place["location"]] = max(end, ends.get(place["location"], 0))
    return [{"location": name, "end": end} for name, end in ends.items()]


def described(model: Any) -> dict[str, Any]:
    """What the parent wants to know of a graph."""
    graph = model.graph
    weights = Weights(graph)
    for node in graph.node:
        weights.note(node)
    tied = {region for region in weights.gathered if region in weights.read}
    tables = {region: found for region, found in weights.gathered.items() if region not in tied}
    regions = {weights.region(name): weights.bytes_of(name) for name in weights.initializers}
    read_weights = sum(weights.elements.get(region, 0) for region in weights.read)
    return {
        "ir_version": model.ir_version,
        "opsets": {item.domain or "ai.onnx": item.version for item in model.opset_import},
        "producer": model.producer_name[:64],
        "inputs": [_value(item) for item in list(graph.input)[:MOST_ITEMS]],
        "outputs": [item.name for item in list(graph.output)[:MOST_ITEMS]],
        "operators": Counter(node.op_type for node in graph.node),
        "domains": sorted({node.domain or "ai.onnx" for node in graph.node}),
        "data": _data(weights),
        "parameters": sum(weights.elements.values()) + sum(count for count, _ in tables.values()),
        "weights_bytes": round(sum(regions.values())),
        "read_bytes": round(sum(weights.read.values())),
        "read_weights": read_weights,
        "kinds": dict(weights.bits),
    }


def main() -> None:
    """Print the description, or an object with an error."""
    import onnx

    path = sys.argv[1]
    try:
        if Path(path).stat().st_size > LARGEST:
            raise ValueError("larger than a protobuf can be")
        answer = described(onnx.load(path, load_external_data=False))
    except Exception as error:
        answer = {"error": f"{type(error).__name__}: {error}"[:200]}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
