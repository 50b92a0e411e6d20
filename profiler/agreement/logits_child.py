"""Logits of one engine on given tokens, teacher-forced, in a process of its own.

Order, JSON on standard input: `engine` ("llama", "ort" or "dequantize"), `path`, `threads`, `output`, and `ids`;
for llama `settings` and `one_by_one`, for ort `graph`. Logits of all positions are float32, (positions,
vocabulary), in a .npy file; "dequantize" writes the weights as a GGUF file of float32 instead.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Logits = npt.NDArray[np.float32]


def write_llama(order: dict[str, Any]) -> None:
    """The logits of llama.cpp."""
    np.save(order["output"], llama(order))


def write_ort(order: dict[str, Any]) -> None:
    """The logits of ONNX Runtime."""
    np.save(order["output"], ort(order))


def dequantize(order: dict[str, Any]) -> None:
    """The weights as float32, by llama.cpp's own hand."""
    from llama_cpp import llama_cpp as bindings

    params = bindings.llama_model_quantize_default_params()
    params.ftype, params.allow_requantize, params.nthread = 0, True, order["threads"]
    words = (os.fsencode(order["path"]), os.fsencode(order["output"]), ctypes.byref(params))
    if bindings.llama_model_quantize(*words) != 0:
        raise RuntimeError("llama.cpp could not write the weights as float32")


def llama(order: dict[str, Any]) -> Logits:
    """llama.cpp, the whole text in one batch or one token at a time."""
    from profiler.engines import llama_cpp
    from profiler.engines.table import LLAMA_CPP

    llama_cpp.import_library()
    lib, ids = llama_cpp.lib, order["ids"]
    settings = {name: setting.default for name, setting in LLAMA_CPP.settings.items()}
    settings |= {"threads": order["threads"]} | order["settings"]
    workload = {"prompt_tokens": len(ids), "output_tokens": 0, "depth": 0}
    engine = llama_cpp.load({"path": order["path"], "settings": settings, "workload": workload})
    vocabulary = lib.llama_vocab_n_tokens(engine.vocabulary)
    if order["one_by_one"]:
        rows = []
        for token in ids:
            engine.feed(token)
            rows.append(_row(lib, engine.context, -1, vocabulary))
        return np.stack(rows)
    batch = _batch(lib, ids)
    if lib.llama_decode(engine.context, batch) != 0:
        raise RuntimeError("llama_decode refused the text")
    return np.stack([_row(lib, engine.context, n, vocabulary) for n in range(len(ids))])


def _batch(lib: Any, ids: list[int]) -> Any:
    """A batch that asks for the logits of every position."""
    batch = lib.llama_batch_init(len(ids), 0, 1)
    batch.n_tokens = len(ids)
    for n, token in enumerate(ids):
        batch.token[n], batch.pos[n], batch.logits[n] = token, n, 1
        batch.n_seq_id[n], batch.seq_id[n][0] = 1, 0
    return batch


def _row(lib: Any, context: Any, position: int, vocabulary: int) -> Logits:
    found = lib.llama_get_logits_ith(context, position)
    return np.ctypeslib.as_array(found, shape=(vocabulary,)).copy()


def ort(order: dict[str, Any]) -> Logits:
    """ONNX Runtime on the written graph, changed in memory to give the logits of every position."""
    import onnxruntime

    from profiler.engines.accelerators import CPU

    ids = order["ids"]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = order["threads"]
    options.log_severity_level = 3
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", order["path"])
    graph = every_position(Path(order["path"]) / order["graph"])
    session = onnxruntime.InferenceSession(graph, options, providers=[CPU])
    feeds = {
        "input_ids": np.array([ids], np.int64),
        "attention_mask": np.ones((1, len(ids)), np.int64),
    }
    for item in session.get_inputs():
        if item.name.startswith("past_key_values"):
            feeds[item.name] = np.zeros((1, item.shape[1], 0, item.shape[3]), np.float32)
    return np.asarray(session.run(["logits"], feeds)[0][0], np.float32)


def every_position(path: Path) -> bytes:
    """The graph without the step that keeps the last position only; everything else stays as it was written."""
    import onnx

    model = onnx.load(path, load_external_data=False)
    slices = {node.output[0]: node.input[0] for node in model.graph.node if node.op_type == "Slice"}
    assert len(slices) == 2, "a direct build keeps the last position of stream and branch"
    for node in model.graph.node:
        for place, name in enumerate(node.input):
            if name in slices:
                node.input[place] = slices[name]
    kept = [node for node in model.graph.node if node.op_type != "Slice"]
    del model.graph.node[:]
    model.graph.node.extend(kept)
    _let_logits_vary(model)
    return bytes(model.SerializeToString())


def _let_logits_vary(model: Any) -> None:
    """The last reshape, to (batch, 1, vocabulary), becomes (1, positions, vocabulary)."""
    import onnx

    constant = next(item for item in model.graph.initializer if item.name == "one_each")
    shape = onnx.numpy_helper.to_array(constant).copy()
    shape[:2] = 1, -1
    constant.CopyFrom(onnx.numpy_helper.from_array(shape, "one_each"))
    logits = next(item for item in model.graph.output if item.name == "logits")
    logits.type.tensor_type.shape.dim[1].dim_param = "positions"


def main() -> None:
    """Carry out the order and write the logits, or one line about what went wrong."""
    sys.stdout.flush()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    order = json.load(sys.stdin)
    try:
        {"llama": write_llama, "ort": write_ort, "dequantize": dequantize}[order["engine"]](order)
        answers.write(json.dumps({"error": None}))
    except Exception as error:
        answers.write(json.dumps({"error": f"{type(error).__name__}: {error}"[:300]}))
    answers.flush()


if __name__ == "__main__":
    main()
