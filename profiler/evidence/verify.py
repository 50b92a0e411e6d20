"""A bundle checked: every byte of the archive, every hash, every table anew, and the signature."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from profiler.errors import UserError
from profiler.evidence import archive
from profiler.evidence import manifest as man
from profiler.evidence.bundle import whole
from profiler.evidence.checks import Check, Verified, check
from profiler.evidence.contents import LIMITS, Input, Read, inputs, read_limits
from profiler.evidence.recomputed import changes
from profiler.evidence.trust import Trust, trust

MOST_BYTES_OF_MANIFEST = 8 * 1024 * 1024
NOT_WHOLE = Check(name="tables", passed=None, found=["not computed anew, because the bundle is not whole"])


class _Opened(msgspec.Struct, frozen=True):
    """A bundle's bytes, the members found in them, and the manifest among these."""

    packed: bytes
    members: archive.Members
    manifest: man.Manifest


def verify(file: str, packed: bytes, read: Read, asked: Trust) -> Verified:
    """All checks of the bundle called `file`. Raises `UserError` for what is no bundle."""
    opened = _open(file, packed)
    found = opened.members.contents
    checks = [_archive(opened), _members(opened)]
    checks.append(_tables(opened, read) if all(one.passed for one in checks) else NOT_WHOLE)
    checks += trust(found[man.MANIFEST], found.get(man.SIGNATURE), opened.manifest.signer, asked)
    return Verified(
        schema="edgeprof.verified/1",
        file=file,
        holds=all(one.passed is not False for one in checks),
        edgeprof=opened.manifest.edgeprof,
        manifest_sha256=man.sha256(found[man.MANIFEST]),
        members=len(opened.manifest.members),
        checks=checks,
    )


def _open(file: str, packed: bytes) -> _Opened:
    members = archive.walk(packed)
    if next(iter(members.contents), None) != man.MANIFEST:
        raise UserError(
            f"{file} is no bundle, for it does not begin with a {man.MANIFEST} that is stored as it is; "
            "accepted is what edgeprof bundle wrote, never packed again"
        )
    if len(members.contents[man.MANIFEST]) > MOST_BYTES_OF_MANIFEST:
        raise UserError(
            f"{file} is no bundle: its {man.MANIFEST} has more than {MOST_BYTES_OF_MANIFEST} bytes"
        )
    return _Opened(packed, members, man.decode(members.contents[man.MANIFEST], file))


def _archive(opened: _Opened) -> Check:
    """The archive made again from its members: headers, order, sums, directory and nothing between them."""
    found = opened.members.contents
    first = {name: found[name] for name in (man.MANIFEST, man.SIGNATURE) if name in found}
    listed = {one.path: found[one.path] for one in opened.manifest.members if one.path in found}
    expected = archive.pack(whole(first, listed))
    place = archive.first_difference(opened.packed, expected, opened.members.ends)
    wrong = [f"{place}, is not what a bundle of these members has there"] if place else []
    return check("archive", wrong, ["every byte of the archive follows from its members"])


def _members(opened: _Opened) -> Check:
    wrong = [*_differences(opened.manifest, opened.members.contents)]
    wrong += [f"{name} is there twice" for name in opened.members.twice]
    return check("members", wrong, [f"every one is as {man.MANIFEST} names it, and there is no other"])


def _differences(described: man.Manifest, found: dict[str, bytes]) -> Iterator[str]:
    listed = {member.path: member for member in described.members}
    for name, member in listed.items():
        if name not in found:
            yield f"{name} is missing, or cannot be reached"
        elif man.sha256(found[name]) != member.sha256 or len(found[name]) != member.bytes:
            yield f"{name} is changed: its SHA-256 is not the one in {man.MANIFEST}"
    own = {man.MANIFEST, man.SUMS, *([man.SIGNATURE] if described.signer else [])}
    yield from (f"{name} is missing, or cannot be reached" for name in sorted(own - set(found)))
    yield from (
        f"{name} is added: {man.MANIFEST} does not name it" for name in sorted(set(found) - own - set(listed))
    )


def _tables(opened: _Opened, read: Read) -> Check:
    """Everything that follows from the run files, computed anew."""
    found = opened.members.contents
    try:
        given = _inputs(opened, read)
        limits = read_limits(found[LIMITS]) if LIMITS in found else None
        return check("tables", *changes(opened.manifest, found, given, limits))
    except UserError as error:
        return Check(name="tables", passed=False, found=[f"they cannot be computed: {error}"])


def _inputs(opened: _Opened, read: Read) -> list[Input]:
    """The files that the bundle was made of. Raises `UserError`."""
    found = opened.members.contents
    paths = [one.path for one in opened.manifest.origins]
    if odd := [path for path in paths if path not in found or paths.count(path) > 1]:
        raise UserError(f"{man.MANIFEST} names {odd[0]} as an origin, which is missing or named twice")
    return inputs([(one.name, found[one.path]) for one in opened.manifest.origins], read)
