"""Does a direct build agree with its GGUF file? Its weights, and its logits beside llama.cpp's on shipped text."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from profiler.agreement import closeness, weights
from profiler.agreement.closeness import Logits
from profiler.builds.describe import describe
from profiler.builds.gguf import read_header
from profiler.builds.model_file import shown_name
from profiler.builds.onnx_direct.architectures import Architecture, architecture_of
from profiler.builds.onnx_direct.shape import read_shape
from profiler.builds.onnx_direct.write import EXACT_GRAPH, GRAPH
from profiler.catalogue.workloads import text_of
from profiler.engines.ort_library import TOKENIZER
from profiler.errors import UserError
from profiler.runfile import Agreement, Closeness

TEXTS = ("rag@1", "chat@1", "code@1")
MOST_TOKENS = 512
LARGEST_DIFFERENCE = 1e-3
LARGEST_WITH_GELU, TOP_WITH_GELU = 5e-2, 0.99
"""llama.cpp looks GELU up in a table of float16 even where all else is float32 (`ggml_vec_geglu_f32`): logits of 26
random layers differ by two thousandths of their spread. One position of window too many makes them differ by 1."""

LIMIT_S = 3600.0
MOST_EXACT_BYTES = 8 << 30
"""Float32 copies of larger models are not written: comparing those exactly would take hours."""

OnProgress = Callable[[str], None]


class _Told(msgspec.Struct, frozen=True, kw_only=True):
    error: str | None


class Text(msgspec.Struct, frozen=True):
    """What both engines read: the shipped texts, by hash, and their first tokens."""

    sha256: str
    ids: list[int]


def check(
    source: Path, folder: Path, threads: int, on_progress: OnProgress, tokens: int = MOST_TOKENS
) -> Agreement:
    """Compare everything that can be compared here, the logits on the first `tokens` of the text.

    Raises UserError where an engine is missing or fails. Disagreement is no error: it stands in `failures`.
    """
    header = read_header(source)
    tokens = min(tokens, read_shape(header, architecture_of(header)).context)
    on_progress("comparing every weight")
    compared = weights.compare(source, folder)
    with tempfile.TemporaryDirectory() as name:
        run = _Run(source, folder, Path(name), threads)
        text = run.text(tokens)
        on_progress("llama.cpp, one batch")
        batched = run.llama(source, text)
        on_progress("llama.cpp, one token at a time")
        single = run.llama(source, text, one_by_one=True)
        on_progress("ONNX Runtime, as served")
        served = run.ort(GRAPH, text)
        floor = closeness.compare(single, batched, text.ids)
        fast = closeness.compare(served, batched, text.ids)
        own = closeness.compare(batched, batched, text.ids)
        on_progress("both with float32 activations")
        exact, not_compared = _exact(run, text)
    failures = [*_unequal(compared), *_inexact(exact, architecture_of(header))]
    failures += closeness.worse_than_noise(fast, floor, own.surprise)
    return Agreement(
        text_sha256=text.sha256,
        tokens=len(text.ids),
        weights=compared.compared,
        weights_unequal=compared.unequal,
        reference_perplexity=own.summary().perplexity,
        exact=exact,
        fast=fast.summary(),
        floor=floor.summary(),
        not_compared=not_compared,
        failures=failures,
    )


def _exact(run: _Run, text: Text) -> tuple[Closeness | None, str | None]:
    """This build at float32 activations, beside llama.cpp on the same weights written out as float32."""
    reason = run.why_not_exact()
    if reason is not None:
        return None, reason
    theirs = run.llama(run.dequantized(), text, kv="f32", flash="off")
    ours = run.ort(EXACT_GRAPH, text)
    return closeness.compare(ours, theirs, text.ids).summary(), None


def _unequal(found: weights.Weights) -> list[str]:
    return [f"{found.unequal:,} of {found.compared:,} weights are not equal"] if found.unequal else []


def _inexact(exact: Closeness | None, architecture: Architecture) -> list[str]:
    if exact is None:
        return []
    top, largest = (TOP_WITH_GELU, LARGEST_WITH_GELU) if architecture.gelu else (1.0, LARGEST_DIFFERENCE)
    failures = []
    if exact.top1 < top:
        failures.append(f"with float32 activations its top token is the same at {100 * exact.top1:.4g}% only")
    if exact.largest > largest:
        failures.append(f"with float32 activations a logit differs by {exact.largest:.2g}")
    return failures


class _Run:
    """The children of one check, and the folder that they write into."""

    def __init__(self, source: Path, folder: Path, scratch: Path, threads: int) -> None:
        self._source, self._folder, self._scratch, self._threads = source, folder, scratch, threads
        self._outputs = 0
        self._repack = True

    def text(self, tokens: int) -> Text:
        """The shipped texts as the tokens of the build's own tokenizer, which gives llama.cpp's ids."""
        from tokenizers import Tokenizer

        if not (self._folder / TOKENIZER).is_file():
            raise UserError(
                f"{shown_name(self._source)} has no tokenizer to read the shipped text with, so its build cannot be "
                "checked; leave out --check"
            )
        content = "\n\n".join(map(text_of, TEXTS))
        ids = Tokenizer.from_file(str(self._folder / TOKENIZER)).encode(content).ids
        return Text(hashlib.sha256(content.encode()).hexdigest(), list(ids[:tokens]))

    def llama(
        self, path: Path, text: Text, *, one_by_one: bool = False, kv: str = "f16", flash: str = "auto"
    ) -> Logits:
        """llama.cpp with the settings that it is run with, unless others are asked for.

        Where it crashes on weights that it rewrote for this CPU, it is asked without from then on.
        """
        settings = {"kv": kv, "flash": flash, "repack": self._repack}
        try:
            return self._logits("llama", path, text, {"settings": settings, "one_by_one": one_by_one})
        except UserError:
            if not self._repack:
                raise
            self._repack = False
            return self.llama(path, text, one_by_one=one_by_one, kv=kv, flash=flash)

    def ort(self, graph: str, text: Text) -> Logits:
        """ONNX Runtime on a graph of the build."""
        return self._logits("ort", self._folder, text, {"graph": graph})

    def _logits(self, engine: str, path: Path, text: Text, rest: dict[str, Any]) -> Logits:
        self._outputs += 1
        output = self._scratch / f"{self._outputs}.npy"
        self._ask({"engine": engine, "path": str(path), "ids": text.ids, "output": str(output)} | rest)
        found: Logits = np.load(output, mmap_mode="r")
        return found

    def _ask(self, order: dict[str, Any]) -> None:
        reason = _carried_out(order | {"threads": self._threads})
        if reason is not None:
            raise UserError(
                f"the check could not run {order['engine']} on {shown_name(self._source)}: {reason}"
            )

    def why_not_exact(self) -> str | None:
        """Why a float32 copy of the weights is not written, or None if it can be."""
        needed = 4 * describe(read_header(self._source)).parameters
        if needed > MOST_EXACT_BYTES:
            return f"not compared at float32: a copy of the weights would take {needed / 2**30:.0f} GiB"
        free = shutil.disk_usage(self._scratch).free
        if needed > free:
            return f"not compared at float32: it takes {needed / 2**30:.1f} GiB in {tempfile.gettempdir()}"
        return None

    def dequantized(self) -> Path:
        """The same weights as a GGUF file of float32, by llama.cpp's own hand."""
        target = self._scratch / "f32.gguf"
        self._ask({"engine": "dequantize", "path": str(self._source), "output": str(target)})
        return target


def _carried_out(order: dict[str, Any]) -> str | None:
    """Have a child do what is ordered; why it could not, or None."""
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "profiler.agreement.logits_child"],
            check=False,
            input=json.dumps(order).encode(),
            capture_output=True,
            timeout=LIMIT_S,
            env=os.environ | {"ORT_DISABLE_TELEMETRY": "1", "GGML_NO_BACKTRACE": "1", "HF_HUB_OFFLINE": "1"},
        )
        return msgspec.json.decode(done.stdout, type=_Told).error
    except subprocess.TimeoutExpired:
        return f"it did not end within {LIMIT_S / 60:.0f} minutes"
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return f"it ended with status {done.returncode}"
