"""The calibration of this machine as predictions use it: read once, and only if it is of this processor and engine."""

from __future__ import annotations

from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version

import msgspec

from profiler.host.machine import this_machine
from profiler.predicting.calibration import Calibration, calibration_file, saved

ENGINE = "llama-cpp-python"
MISSING = "this machine is not calibrated: edgeprof calibrate measures it in three minutes"


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """What a calibration holds for: this processor, and this version of the engine if it is installed."""

    cpu: str
    engine: str | None


def identity() -> Identity:
    """Of this machine, now."""
    profile = this_machine()
    cores = [cluster.core.value for cluster in profile.cpu if cluster.core is not None]
    cpu = (
        " + ".join(dict.fromkeys([*([profile.soc.value] if profile.soc else []), *cores]))
        or "unknown processor"
    )
    try:
        return Identity(cpu=cpu, engine=f"{ENGINE} {version(ENGINE)}")
    except PackageNotFoundError:
        return Identity(cpu=cpu, engine=None)


def named(found: Calibration) -> str:
    """What a reader calls it."""
    return f"calibration of this machine, {found.date}"


def usable() -> Calibration | str:
    """The calibration of this machine, or why there is none. Raises `UserError` for a file that is none."""
    path = calibration_file()
    try:
        stamp = path.stat().st_mtime_ns
    except OSError:
        return MISSING
    return _usable(str(path), stamp)


@lru_cache(maxsize=1)
def _usable(_path: str, _stamp: int) -> Calibration | str:
    found = saved()
    if found is None:
        return MISSING
    here = identity()
    if found.cpu != here.cpu:
        return f"the calibration is of {found.cpu} and this is {here.cpu}: edgeprof calibrate"
    if here.engine is not None and found.engine != here.engine:
        return f"the calibration is of {found.engine} and {here.engine} is installed: edgeprof calibrate"
    return found
