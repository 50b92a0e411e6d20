"""What verifying a bundle has shown."""

from __future__ import annotations

import msgspec


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was looked at. `passed` is None where there was nothing to check it by; `found` are sentences."""

    name: str
    passed: bool | None
    found: list[str]


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """All checks of one bundle. It `holds` only if none has failed.

    `manifest_sha256` stands for every byte of the bundle: compare it with one received by another way.
    """

    schema: str
    file: str
    holds: bool
    edgeprof: str
    manifest_sha256: str
    members: int
    checks: list[Check]


def check(name: str, wrong: list[str], right: list[str]) -> Check:
    """Passed, and `right` said of it, unless something is wrong."""
    return Check(name=name, passed=not wrong, found=wrong or right)
