"""Builds with Optimum, whose graphs are of plain operators. Runs inside the environment "optimum"."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from profiler.environments.hugging_face import Order, Say, put_tokenizer, source_folder

GRAPH = "model.onnx"


def build(order: Order, say: Say) -> None:
    """Export with past keys and values, then quantize: "int8", "int4" or "none"."""
    source, folder = source_folder(order, say), Path(order["folder"])
    exported = Path(order["scratch"]) / "exported"
    say("exporting the graph with Optimum")
    _export(source, exported)
    folder.mkdir()
    for path in exported.iterdir():
        if order["quant"] == "none" or not path.name.startswith(GRAPH):
            shutil.move(path, folder)
    if order["quant"] != "none":
        say(f"quantizing to {order['quant']}")
        _QUANTIZERS[order["quant"]](exported / GRAPH, folder / GRAPH)
    put_tokenizer(source, folder)


def _export(source: Path, folder: Path) -> None:
    """Without the post-processing: it ties the head to the embedding by a Transpose, which no quantizer sees."""
    from optimum.exporters.onnx import main_export

    main_export(
        str(source),
        folder,
        task="text-generation-with-past",
        library_name="transformers",
        framework="pt",
        no_post_process=True,
        do_validation=False,
        local_files_only=True,
        trust_remote_code=False,
    )


def _to_int8(source: Path, target: Path) -> None:
    """Weights of each MatMul and Gather to int8, one scale a column; activations to uint8 as they come."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(
        source, target, weight_type=QuantType.QInt8, per_channel=True, use_external_data_format=True
    )


def _to_int4(source: Path, target: Path) -> None:
    """Weights of each MatMul and Gather to 4 bits in blocks of 32 with a scale; activations to int8 (level 4)."""
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

    quantizer = MatMulNBitsQuantizer(
        str(source),
        bits=4,
        block_size=32,
        is_symmetric=True,
        accuracy_level=4,
        op_types_to_quantize=("MatMul", "Gather"),
    )
    quantizer.process()
    quantizer.model.save_model_to_file(str(target), use_external_data_format=True)


_QUANTIZERS: dict[str, Any] = {"int8": _to_int8, "int4": _to_int4}
