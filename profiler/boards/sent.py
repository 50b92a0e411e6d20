"""The agent's modules as one source, which a board's Python reads before anything else of ours is there."""

from __future__ import annotations

from pathlib import Path

from profiler.boards import remote
from profiler.boards.remote.loader import PACKAGE

PACKAGES = ("profiler", "profiler.boards", "profiler.boards.remote")
MODULES = (
    *("moment", "texts", "greeting", "files", "copied", "alone", "sampling", "work", "cleaning"),
    "agent",
)
"""Each after those that it imports."""

START = f"if __name__ == '__main__':\n    sys.modules['{remote.__name__}.agent'].main()\n"


def source() -> bytes:
    """The loader, the modules, and the start of the agent."""
    folder = Path(remote.__file__).parent
    loader = (folder / "loader.py").read_text("utf-8")
    packages = [(name, PACKAGE) for name in PACKAGES]
    modules = [(f"{remote.__name__}.{name}", (folder / f"{name}.py").read_text("utf-8")) for name in MODULES]
    return f"{loader}\n\nload({[*packages, *modules]!r})\n{START}".encode()
