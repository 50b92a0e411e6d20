"""Builds with the model builder of ONNX Runtime GenAI. Runs inside the environment "genai"."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

from profiler.environments.hugging_face import Order, Say, put_tokenizer, source_folder

BLOCKS = ("block_size=32", "accuracy_level=4")
"""Weights in blocks of 32, activations as int8."""


def build(order: Order, say: Say) -> None:
    """Build for the CPU at "int4", "int8" or "fp32"."""
    source, quant = source_folder(order, say), order["quant"]
    say(f"building {quant} with the model builder of ONNX Runtime GenAI")
    options = ["hf_token=false", "hf_remote=false", *(BLOCKS if quant != "fp32" else ())]
    words = ["-i", str(source), "-o", order["folder"], "-p", quant, "-e", "cpu"]
    cache = Path(order["scratch"]) / "cache"
    sys.argv = ["builder", *words, "-c", str(cache), "--extra_options", *options]
    runpy.run_module("onnxruntime_genai.models.builder", run_name="__main__")
    put_tokenizer(source, Path(order["folder"]))
