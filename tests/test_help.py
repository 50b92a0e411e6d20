"""Help is cheap, and every command shows an example."""

from __future__ import annotations

import subprocess
import sys

import pytest

COMMANDS = (
    *("run", "report", "compare", "explain", "devices", "models", "doctor", "setup", "build onnx"),
    *("build shape", "capture", "fetch", "verdict", "import llama-bench", "bundle", "verify", "predict"),
    *("calibrate", "board setup", "board clean"),
)
HEAVY = ("llama_cpp", "onnxruntime", "numpy", "scipy", "rich.table", "rich.live", "msgspec", "psutil")
LOADED = """
import sys
sys.argv = ["edgeprof", *sys.argv[1:]]
from profiler.cli.app import main
main()
print("LOADED", *sorted(sys.modules))
"""


def loaded_by(*words: str) -> tuple[str, set[str]]:
    """What a command printed, and the modules it had imported by then."""
    result = subprocess.run(
        [sys.executable, "-c", LOADED, *words], capture_output=True, text=True, check=True
    )
    printed, _, modules = result.stdout.partition("LOADED")
    return printed, set(modules.split())


@pytest.mark.parametrize("words", [("--help",), *((*command.split(), "--help") for command in COMMANDS)])
def test_help_imports_nothing_heavy_and_has_an_example(words: tuple[str, ...]) -> None:
    printed, modules = loaded_by(*words)
    assert "Example: edgeprof" in printed
    assert not [name for name in HEAVY if name in modules]


def test_the_version_is_shown() -> None:
    printed, _ = loaded_by("--version")
    assert printed.startswith("edgeprof 0.")
