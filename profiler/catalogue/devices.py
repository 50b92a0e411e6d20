"""Device profiles: what is known of a device, each figure with the source it comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, TypeVar

import msgspec

from profiler.catalogue.data import read_all
from profiler.catalogue.strict_toml import read_toml
from profiler.errors import UserError, nearest
from profiler.runfile import THIS

Confidence = Literal["H", "M", "L", "D"]
"""H: vendor file, raw tool output or maintainer read directly. M: copy of such a source, or one community
source. L: undated, conflicting or aggregated. D: derived by arithmetic that the note shows."""

Id = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[a-z0-9][a-z0-9.-]{0,63}$", description="1 to 64 small letters, digits, dots and dashes"
    ),
]
Precision = Literal["int4", "int8", "fp8", "fp16", "bf16", "tf32", "fp32"]
T = TypeVar("T")


class Source(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something that figures were read from: what it is, the state it was read in, where it lies."""

    id: str
    what: str
    read: str | None = None
    link: str | None = None


class Fact(msgspec.Struct, Generic[T], frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A value and the id of its source. `how` is the method of a measured value. The key names the unit."""

    value: T
    source: str
    confidence: Confidence
    how: str | None = None
    note: str | None = None


class Peak(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Peak compute at one precision, in 10^9 operations a second (a multiply-add is two).

    Vendors quote either all weights (dense) or half of them left out (sparse): never one for the other.
    """

    dense_gops: Fact[float] | None = None
    sparse_gops: Fact[float] | None = None


class Cluster(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Like cores. `part` is the `CPU part` of /proc/cpuinfo, `isa` its feature words."""

    core: Fact[str] | None = None
    count: Fact[int] | None = None
    part: Fact[str] | None = None
    min_mhz: Fact[float] | None = None
    max_mhz: Fact[float] | None = None
    isa: Fact[tuple[str, ...]] | None = None
    peaks: dict[Precision, Peak] = {}


class Memory(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Main memory: its size, its type, and its bandwidth in theory and as measured."""

    bytes: Fact[int] | None = None
    type: Fact[str] | None = None
    theoretical_bytes_per_s: Fact[float] | None = None
    measured_bytes_per_s: tuple[Fact[float], ...] = ()


class Accelerator(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A GPU or NPU. `cores` in the vendor's counting; `memory_bytes` of its own, where it has some;
    `session_bytes`: the most memory one session on it may have; `reached_by`: programs outside edgeprof that
    run language models on it."""

    kind: Literal["gpu", "npu"]
    product: Fact[str] | None = None
    cores: Fact[int] | None = None
    max_mhz: Fact[float] | None = None
    memory_bytes: Fact[int] | None = None
    memory_bytes_per_s: Fact[float] | None = None
    session_bytes: Fact[int] | None = None
    peaks: dict[Precision, Peak] = {}
    reached_by: tuple[Fact[str], ...] = ()


class PowerMode(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A mode the device can be set to, its number in the vendor's tool and its power budget."""

    number: Fact[int] | None = None
    watts: Fact[float] | None = None


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the device keeps itself within."""

    power_min_w: Fact[float] | None = None
    power_max_w: Fact[float] | None = None
    throttle_celsius: Fact[float] | None = None


class Detect(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a machine says of itself if it is this device; one match of any kind is enough.

    `compatible`: words of the device tree's list. `dmi`: part of the product or board name. `cpu`: part of the
    name of the CPU. `mac`: the model identifier, as in `Mac14,2`.
    """

    compatible: tuple[str, ...] = ()
    dmi: tuple[str, ...] = ()
    cpu: tuple[str, ...] = ()
    mac: tuple[str, ...] = ()


class DeviceProfile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One device. What has no source is None; `absent` says why, by dotted key."""

    id: Id
    name: str
    version: Annotated[int, msgspec.Meta(ge=1)]
    kind: Literal["board", "laptop", "desktop", "server", "phone", "generic"]
    soc: Fact[str] | None = None
    cpu: tuple[Cluster, ...] = ()
    memory: Memory = Memory()
    accelerators: dict[str, Accelerator] = {}
    power_modes: dict[str, PowerMode] = {}
    power_w: tuple[Fact[float], ...] = ()
    limits: Limits = Limits()
    detect: Detect = Detect()
    sources: tuple[Source, ...] = ()
    absent: dict[str, str] = {}


def figures(profile: DeviceProfile) -> Iterator[tuple[str, Fact[Any] | None]]:
    """Every figure of `profile` with its dotted key, as in `cpu[0].max_mhz`; None where it is absent."""
    for name in profile.__struct_fields__:
        if name not in ("detect", "sources", "absent"):
            yield from _figures(getattr(profile, name), name)


def _figures(value: object, key: str) -> Iterator[tuple[str, Fact[Any] | None]]:
    if isinstance(value, Fact):
        yield key, value
    elif value is None or value == () or value == {}:
        yield key, None
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from _figures(getattr(value, name), f"{key}.{name}")
    elif isinstance(value, tuple):
        for place, item in enumerate(value):
            yield from _figures(item, f"{key}[{place}]")
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _figures(item, f"{key}.{name}")


def load_devices(extra: Path | None = None) -> dict[str, DeviceProfile]:
    """All profiles by id: those of the folder `extra`, then the user's own, then those that come with the program.

    Raises `UserError` if a file is wrong or two files have the same id.
    """
    return {profile.id: profile for profile in read_all("device_profiles", read_device, extra).values()}


def load_device(device_id: str, extra: Path | None = None) -> DeviceProfile:
    """The profile called `device_id`. Raises `UserError` with the nearest ids if there is none."""
    return called(device_id, load_devices(extra))


def called(device_id: str, profiles: Mapping[str, DeviceProfile]) -> DeviceProfile:
    """That of these profiles. Raises `UserError` with the nearest ids if it is not among them."""
    if device_id not in profiles:
        raise UserError(
            f"no device is called {device_id!r} ({nearest(device_id, profiles)}); `edgeprof devices` lists all"
        )
    return profiles[device_id]


def read_device(path: Path) -> DeviceProfile:
    """The profile in the file at `path`. Raises `UserError` for what is wrong in it."""
    profile = read_toml(path, DeviceProfile)
    wrong = _wrong_id(profile) or _wrong_source(profile) or _wrong_absent(profile)
    if wrong:
        raise UserError(f"{path}: {wrong}")
    return profile


def _wrong_id(profile: DeviceProfile) -> str | None:
    if profile.id == THIS:
        return f"id is {THIS!r}, which stands for the machine the program runs on; choose another"
    return None


def _wrong_source(profile: DeviceProfile) -> str | None:
    ids = [source.id for source in profile.sources]
    for place, one in enumerate(ids):
        if one in ids[:place]:
            return f"sources[{place}].id {one!r} is there twice; rename or remove one"
    for key, fact in figures(profile):
        if fact and fact.source not in ids:
            near = nearest(fact.source, ids) if ids else "there are none"
            return (
                f"{key}.source is {fact.source!r}, which no [[sources]] entry has ({near}); add or correct it"
            )
    return None


def _wrong_absent(profile: DeviceProfile) -> str | None:
    missing = [key for key, fact in figures(profile) if fact is None]
    for key in profile.absent:
        if key not in missing:
            return f"absent names {key!r}, which is no absent figure ({nearest(key, missing)}); correct it"
    return None
