"""A BUILD of the command line that is the id of a known build stands for its fetched file."""

from __future__ import annotations

import os
from pathlib import Path

from profiler.errors import UserError


def located(word: str) -> str:
    """`word` itself if it can only be a path, or if no build is called so; else where the build's file lies.

    Raises `UserError` for a known build that was not fetched, and for a fetched file that has changed since.
    """
    if os.path.lexists(word) or os.sep in word or word.lower().endswith((".gguf", ".onnx", ".json")):
        _refuse_changed(word)
        return word
    from profiler.catalogue.models import known_builds

    known = known_builds()
    if word not in known:
        return word
    from profiler.fetching.store import fetched

    path = fetched(known[word])
    if path is None:
        raise UserError(f"the build {word} is not on this machine: edgeprof fetch {word}")
    return str(path)


def _refuse_changed(word: str) -> None:
    if os.path.lexists(f"{word}.edgeprof.json"):
        from profiler.fetching.store import refuse_changed

        refuse_changed(Path(word))
