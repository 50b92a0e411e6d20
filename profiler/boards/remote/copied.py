"""Modules that the laptop uses for itself too, as they were copied to the board."""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any, Collection, Dict, List, Optional


def own(module: str, code: str) -> Any:
    """One of them, below the folder of our code."""
    path = sys.modules["profiler"].__path__
    if code + "/profiler" not in path:
        path.append(code + "/profiler")
    return import_module("profiler.measure." + module)


def cached(asked: Dict[str, Any]) -> Optional[float]:
    """The share of a build's pages that lie in the page cache; None where the kernel does not say."""
    share: Optional[float] = own("page_cache", asked["code"]).cached_share(Path(asked["path"]))
    return share


def evict(asked: Dict[str, Any]) -> List[Any]:
    """Send a build out of the page cache: whether it went, and if not, why."""
    return list(own("page_cache", asked["code"]).evict(Path(asked["path"])))


def mappers(asked: Dict[str, Any], ours: Collection[int]) -> Any:
    """Who else maps a build's files, beside these processes."""
    return own("mappers", asked["code"]).other_mappers(Path(asked["path"]), ours)
