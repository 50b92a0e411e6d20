"""The first thing that a board's Python reads: makes the modules that follow importable under their own names."""

import sys
import types
from typing import List, Tuple

PACKAGE = "__path__ = []"
"""The source of a package, whose modules are loaded one by one."""


def load(modules: List[Tuple[str, str]]) -> None:
    """Names and sources, each after those that it imports."""
    for name, source in modules:
        module = types.ModuleType(name)
        sys.modules[name] = module
        exec(compile(source, name, "exec"), vars(module))  # noqa: S102 - ours, from the laptop
