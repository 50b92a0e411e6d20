"""Wheels by pip, from the index that its user has set up. They are not installed, so nothing of them runs."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from profiler.environments.child import Ended, run
from profiler.errors import UserError

OPTIONS = ("--no-deps", "--only-binary", ":all:", "--no-input", "--disable-pip-version-check")
_PROGRESS = re.compile(r"Progress ([0-9]{1,18}) of ([0-9]{1,18})")


def download(words: Sequence[str], folder: Path, on_bytes: Callable[[int, int], None]) -> Ended:
    """Have pip lay what `words` ask for into `folder`, and nothing that it needs.

    `on_bytes` gets the bytes of one wheel so far and in all. Raises `UserError` where there is no pip.
    """

    def tell(line: str) -> None:
        if found := _PROGRESS.fullmatch(line.strip()):
            on_bytes(int(found[1]), int(found[2]))

    bar = ("--progress-bar", progress_bar())
    command = [sys.executable, "-I", "-m", "pip", "download", *OPTIONS, *bar, "--dest", str(folder), *words]
    return run(command, tell, environment=os.environ | {"TMPDIR": str(folder)})


def progress_bar() -> str:
    """`raw` is for programs to read; pip has it since 24.1."""
    try:
        numbers = re.findall(r"[0-9]+", version("pip"))
    except PackageNotFoundError:
        raise UserError("pip is not installed beside edgeprof: python -m ensurepip") from None
    return "raw" if [int(number) for number in numbers[:2]] >= [24, 1] else "off"
