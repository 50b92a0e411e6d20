"""What each engine reaches on this machine beside the CPU, asked in a process of its own."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from profiler.engines.table import ENGINES
from profiler.errors import UserError
from profiler.measure.events import ReachedDevice
from profiler.measure.launch import order_of, run_worker
from profiler.runfile import Workload

STALL_S = 60.0
"""A driver may take long to start, or never come back."""

_NO_WORK = Workload(id="none", method="raw", prompt_tokens=0, output_tokens=0)


def reached(engine: str) -> tuple[ReachedDevice, ...] | str:
    """The devices of an engine, or one sentence: why it cannot be asked. Raises `KeyboardInterrupt` after Ctrl-C.

    Drivers crash: a plug-in that ends its process is one that reaches nothing, and the others are asked all the same.
    """
    own = _asked(engine, None)
    if isinstance(own, str):
        return own
    found = list(own)
    for plugin in ENGINES[engine].plugins:
        told = _asked(engine, plugin)
        found += (
            [ReachedDevice(provider=plugin, kind=None, name=None, reason=told)]
            if isinstance(told, str)
            else told
        )
    return tuple(found)


def _asked(engine: str, plugin: str | None) -> list[ReachedDevice] | str:
    try:
        order = order_of(engine, Path(), {}, mode="devices", plugin=plugin)
    except UserError as error:
        return str(error)
    seen = run_worker(order, _NO_WORK, STALL_S)
    if seen.interrupted:
        raise KeyboardInterrupt
    if seen.devices is not None:
        return seen.devices
    assert seen.failure is not None, "a worker that answers nothing has failed"
    return _not_installed(engine) or seen.failure.message


def _not_installed(engine: str) -> str | None:
    """What to type where none of an engine's packages is there. One that is there and fails says itself why."""
    entry = ENGINES[engine]
    if entry.extra is None or find_spec(entry.libraries[0]) is not None:
        return None
    return f"{engine} is not installed: pip install 'edgeprof[{entry.extra}]'"
