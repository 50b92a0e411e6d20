"""Which device profiles a machine looks like, by what it says of itself."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from profiler.catalogue.devices import DeviceProfile


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """What a machine says of itself; none of it tells one machine of a kind from another.

    `compatible`: the device tree's list, the most telling word first. `dmi`: product and board names. `cpu`:
    names of the CPU, or of its kinds of core. `mac`: the model identifier. `flags`: feature words that all of
    its CPUs have, in the spelling of /proc/cpuinfo.
    """

    compatible: tuple[str, ...] = ()
    dmi: tuple[str, ...] = ()
    cpu: tuple[str, ...] = ()
    mac: str | None = None
    flags: frozenset[str] = frozenset()


def matching(identity: Identity, profiles: Iterable[DeviceProfile]) -> list[str]:
    """The ids of the profiles that fit, the most specific first; none if none does.

    A word of the device tree and a Mac's model have to be equal. Part of a name is enough for CPU and DMI,
    where a longer part goes first. Generic profiles stand in if no other fits: those whose feature words
    this machine has, the most words first.
    """
    candidates = list(profiles)
    ranked = [(rank, p.id) for p in candidates if (rank := _rank(identity, p)) is not None]
    return [name for _, name in sorted(ranked)] or _generic(identity, candidates)


def _rank(identity: Identity, profile: DeviceProfile) -> tuple[int, int] | None:
    """The kind of match (0 to 3), and its place within the kind: the lower, the more specific."""
    detect = profile.detect
    places = [place for place, word in enumerate(identity.compatible) if word in detect.compatible]
    if places:
        return 0, places[0]
    if identity.mac is not None and identity.mac in detect.mac:
        return 1, 0
    for kind, names, words in ((2, identity.cpu, detect.cpu), (3, identity.dmi, detect.dmi)):
        longest = _longest_part(names, words)
        if longest:
            return kind, -longest
    return None


def _longest_part(names: Iterable[str], words: Iterable[str]) -> int:
    """Length of the longest of `words` that is part of one of `names`; 0 if none is."""
    plain_names = [_plain(name) for name in names]
    plain_words = [_plain(word) for word in words]
    return max((len(word) for word in plain_words if any(word in name for name in plain_names)), default=0)


def _plain(name: str) -> str:
    """Without the signs that makers put into names, and in small letters."""
    return " ".join(re.sub(r"\((r|tm)\)|[®™]", " ", name.casefold()).split())


def _generic(identity: Identity, profiles: Iterable[DeviceProfile]) -> list[str]:
    words = {p.id: _isa(p) for p in profiles if p.kind == "generic"}
    fitting = [name for name, wanted in words.items() if wanted and wanted <= identity.flags]
    return sorted(fitting, key=lambda name: (-len(words[name]), name))


def _isa(profile: DeviceProfile) -> frozenset[str]:
    isa = profile.cpu[0].isa if profile.cpu else None
    return frozenset(isa.value) if isa else frozenset()
