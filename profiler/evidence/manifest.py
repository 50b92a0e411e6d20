"""The manifest of a bundle: what lies in it, by which hash, and what it was made of."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Annotated

import msgspec

from profiler.errors import UserError
from profiler.evidence.archive import MOST_MEMBERS, NAME
from profiler.render import json

SCHEMA = "edgeprof.bundle/1"
MANIFEST, SIGNATURE, SUMS = "manifest.json", "manifest.sig", "SHA256SUMS"

HOW_TO_VERIFY = [
    "edgeprof verify FILE.zip compares every byte and computes the tables anew from the run files.",
    "Without edgeprof: unpack, then sha256sum -c SHA256SUMS (on macOS: shasum -a 256 -c SHA256SUMS).",
    "Signed: openssl pkeyutl -verify -pubin -inkey PUBLIC.pem -rawin -in manifest.json -sigfile manifest.sig.",
    "Hashes in a bundle show accidents only: whoever changes a file can change its hash. Ask the sender, by "
    "another way, for the SHA-256 of manifest.json or for the public key.",
]

Path = Annotated[str, msgspec.Meta(pattern=NAME)]
Sha256 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every part of the manifest: frozen, and refused when a field is not known."""


class Member(Part, frozen=True, kw_only=True):
    """One file of the bundle."""

    path: Path
    bytes: Annotated[int, msgspec.Meta(ge=0)]
    sha256: Sha256


class Origin(Part, frozen=True, kw_only=True):
    """A file that the bundle was made of: where it lies, what it was called, and the builds it tells of.

    `builds` have their SHA-256 as the run file has it, None where it does not. `edgeprof` is the version that
    measured, None for figures of another tool.
    """

    path: Path
    name: str
    edgeprof: str | None
    builds: dict[str, str | None]


class Manifest(Part, frozen=True, kw_only=True):
    """All that a bundle says of itself. `signer` is the public key (PEM) of whoever signed these very bytes.

    `not_rendered` has the reason for each report that is not in it.
    """

    schema: str
    edgeprof: str
    origins: Annotated[list[Origin], msgspec.Meta(min_length=1, max_length=MOST_MEMBERS)]
    members: Annotated[list[Member], msgspec.Meta(max_length=MOST_MEMBERS)]
    not_rendered: dict[Path, str]
    signer: str | None
    how_to_verify: list[str]


class _Schema(msgspec.Struct):
    schema: str


def manifest(
    edgeprof: str,
    origins: Sequence[Origin],
    contents: Mapping[str, bytes],
    not_rendered: Mapping[str, str],
    signer: str | None,
) -> Manifest:
    """The manifest of these contents."""
    return Manifest(
        schema=SCHEMA,
        edgeprof=edgeprof,
        origins=list(origins),
        members=[
            Member(path=name, bytes=len(content), sha256=sha256(content))
            for name, content in sorted(contents.items())
        ],
        not_rendered=dict(sorted(not_rendered.items())),
        signer=signer,
        how_to_verify=HOW_TO_VERIFY,
    )


def sha256(content: bytes) -> str:
    """SHA-256 as hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def encode(value: Manifest) -> bytes:
    """The manifest as it is hashed and signed."""
    return json.encoded(value).encode()


def decode(raw: bytes, file: str) -> Manifest:
    """The manifest of `file`, strictly read. Raises `UserError`."""
    try:
        schema = msgspec.json.decode(raw, type=_Schema).schema
        if schema == SCHEMA:
            return msgspec.json.decode(raw, type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(f"{file} is no whole bundle: {MANIFEST} cannot be read: {error}") from None
    raise UserError(f"{file} has schema {schema[:80]!r}; this version verifies {SCHEMA!r}")


def sums(contents: Mapping[str, bytes]) -> bytes:
    """Hashes as the program sha256sum reads them."""
    return "".join(f"{sha256(content)}  {name}\n" for name, content in sorted(contents.items())).encode()
