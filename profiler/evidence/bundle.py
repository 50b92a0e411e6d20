"""A bundle made: contents, manifest, hashes and signature in one archive."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from profiler import __version__
from profiler.documents.limits import Limits
from profiler.evidence import manifest as man
from profiler.evidence import signature
from profiler.evidence.archive import pack
from profiler.evidence.contents import Input, Pages, origin, written

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """A bundle: its bytes, its manifest, and the SHA-256 of the manifest's bytes."""

    packed: bytes
    manifest: man.Manifest
    sha256: str


def bundle(
    inputs: Sequence[Input],
    pages: Pages,
    limits: Limits | None = None,
    key: Ed25519PrivateKey | None = None,
) -> Bundle:
    """These inputs and their pages as evidence, signed if there is a key: the same make the same bytes."""
    contents = written(inputs, limits) | pages.contents
    described = man.manifest(
        __version__,
        [origin(one) for one in inputs],
        contents,
        pages.missing,
        signature.pem(key.public_key()) if key else None,
    )
    raw = man.encode(described)
    first = {man.MANIFEST: raw} | ({man.SIGNATURE: key.sign(raw)} if key else {})
    packed = pack(whole(first, contents))
    return Bundle(packed=packed, manifest=described, sha256=man.sha256(raw))


def whole(first: dict[str, bytes], contents: dict[str, bytes]) -> dict[str, bytes]:
    """Every member in its order: manifest and signature, the contents by name, and the sums of all."""
    members = first | dict(sorted(contents.items()))
    return members | {man.SUMS: man.sums(members)}
