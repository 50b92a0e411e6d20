"""Static builds of tiny models, and the engine on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from profiler.builds.identify import identify
from profiler.builds.onnx_static.lengths import Lengths
from profiler.builds.onnx_static.write import write
from profiler.engines import ort
from profiler.engines.table import ORT

FLOAT_ACTIVATIONS = 0
"""The accuracy level at which an engine on the same weights has the same logits."""


def static(source: Path, lengths: Lengths, weights: str, level: int = FLOAT_ACTIVATIONS) -> Path:
    """The folder of a static build beside `source`."""
    folder = source.with_name(f"{source.stem}-{weights}-{lengths.chunk}-{lengths.past}")
    folder.mkdir()
    write(source, folder, lengths, weights, lambda _what, _done, _total: None, level)
    return folder


def job(folder: Path, prompt: int = 1, output: int = 1, **settings: Any) -> dict[str, Any]:
    """An order for a build as a run gives it."""
    (found,) = identify([str(folder)])
    chosen = {name: setting.default for name, setting in ORT.settings.items()} | {"threads": 1} | settings
    workload = {"prompt_tokens": prompt, "output_tokens": output, "depth": 0}
    build = msgspec.to_builtins(found.build)
    return {"path": str(folder), "settings": chosen, "workload": workload, "build": build}


def loaded(folder: Path, **more: Any) -> Any:
    """The engine on a static build."""
    ort.import_library()
    return ort.load(job(folder, **more))
