"""The memory of an ONNX build before it is loaded: a lower bound: ONNX Runtime plans its buffers while it loads."""

from __future__ import annotations

from profiler.builds.identify import Found
from profiler.measure.gate import RUNTIME_BYTES
from profiler.predicting.inspection import ask
from profiler.predicting.prediction import Memory
from profiler.runfile import Settings

NAMES = {"ort": "ONNX Runtime", "ort-genai": "ONNX Runtime GenAI", "optimum": "Optimum"}
UNKNOWN = (
    "ONNX Runtime tells neither its compute buffers nor the copies it packs for its kernels before it loads: "
    "the total is the least it can be"
)


def onnx_memory(found: Found, engine: str, settings: Settings) -> Memory | str:
    """Weights of the graph, and the KV cache of the whole context by the engine's rule; or the engine's refusal."""
    facts = ask(found.build, found.path, engine, settings)
    if isinstance(facts, str):
        return facts
    weights, kv = (facts.get(name) for name in ("weights_bytes", "kv_bytes"))
    if not isinstance(weights, int) or not isinstance(kv, int):
        return "its graph does not tell the bytes of its weights or of its KV cache"
    own = kv + RUNTIME_BYTES
    return Memory(
        weights_bytes=weights,
        kv_bytes=kv,
        compute_bytes=None,
        touched_bytes=0,
        mapped_bytes=weights,
        held_bytes=0,
        rewritten_bytes=0,
        spare_bytes=0,
        process_bytes=RUNTIME_BYTES,
        total_bytes=weights + own,
        least_bytes=own,
        device_bytes=weights + kv,
        source=f"the graph, and {NAMES.get(engine, engine)}'s rule for its KV cache",
        lower_bound=True,
        unknown=UNKNOWN,
    )
