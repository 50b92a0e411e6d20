"""Runs in the interpreter of an environment, started by path: one order in, progress out, nothing sent.

Order, JSON on standard input: `via`; `source`, a folder; `gguf`, the file in it to read, or None for a
Hugging Face folder; `quant`; `folder`, to be made; `scratch`, an empty folder. What was standard output
carries JSON lines, {"say": step} and {"failed": reason}; what libraries print goes to standard error.
"""

import contextlib
import importlib
import json
import os
import sys
import types
from pathlib import Path

_package = types.ModuleType("profiler")
_package.__path__ = [str(Path(__file__).resolve().parent.parent)]
sys.modules.setdefault("profiler", _package)


def main() -> None:
    """Carry out one order. A foreign library may raise anything: its words are the result."""
    results = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    _be_first_to_be_killed()
    order = json.load(sys.stdin)

    def tell(**line: str) -> None:
        results.write(json.dumps(line) + "\n")
        results.flush()

    try:
        builder = importlib.import_module(f"profiler.environments.via_{order['via']}")
        builder.build(order, lambda step: tell(say=step))
    except MemoryError:
        tell(failed="memory ran out")
    except (Exception, SystemExit) as error:
        tell(failed=f"{type(error).__name__}: {error}")


def _be_first_to_be_killed() -> None:
    """Dense weights may not fit: let the kernel's out-of-memory killer take this process (Linux)."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", "ascii")


if __name__ == "__main__":
    main()
