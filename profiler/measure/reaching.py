"""What each engine reaches beside the CPU, here or on a board, asked in a process of its own."""

from __future__ import annotations

from importlib.util import find_spec

from profiler.engines.table import ENGINES
from profiler.errors import UserError
from profiler.measure.asking import THIS_MACHINE, Asking
from profiler.measure.events import ReachedDevice
from profiler.measure.launch import order_of
from profiler.runfile import Workload

STALL_S = 60.0
"""A driver may take long to start, or never come back."""

_NO_WORK = Workload(id="none", method="raw", prompt_tokens=0, output_tokens=0)


def reached(engine: str, asking: Asking = THIS_MACHINE) -> tuple[ReachedDevice, ...] | str:
    """The devices of an engine, or one sentence: why it cannot be asked. Raises `KeyboardInterrupt` after Ctrl-C.

    Drivers crash: a plug-in that ends its process is one that reaches nothing, and the others are asked all the same.
    """
    own = _asked(engine, None, asking)
    if isinstance(own, str):
        return own
    found = list(own)
    for plugin in ENGINES[engine].plugins:
        told = _asked(engine, plugin, asking)
        found += (
            [ReachedDevice(provider=plugin, kind=None, name=None, reason=told)]
            if isinstance(told, str)
            else told
        )
    return tuple(found)


def _asked(engine: str, plugin: str | None, asking: Asking) -> list[ReachedDevice] | str:
    order = order_of(engine, None, {}, mode="devices", plugin=plugin)
    try:
        seen = asking.run(order, _NO_WORK, STALL_S)
    except UserError as error:
        if asking.board is not None:
            raise
        return str(error)
    if seen.interrupted:
        raise KeyboardInterrupt
    if seen.devices is not None:
        return seen.devices
    assert seen.failure is not None, "a worker that answers nothing has failed"
    return (_not_installed(engine) if asking.board is None else None) or seen.failure.message


def _not_installed(engine: str) -> str | None:
    """What to type where none of an engine's packages is there. One that is there and fails says itself why."""
    entry = ENGINES[engine]
    if entry.extra is None or find_spec(entry.libraries[0]) is not None:
        return None
    return f"{engine} is not installed: pip install 'edgeprof[{entry.extra}]'"
