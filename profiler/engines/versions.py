"""Which versions of an engine's distributions the worker's interpreter has."""

from typing import Dict, Iterable, Optional


def versions(distributions: Iterable[str]) -> Dict[str, Optional[str]]:
    """By distribution; None for one that is not installed."""
    return {name: _version(name) for name in distributions}


def _version(distribution: str) -> Optional[str]:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
