"""Who vouches for a bundle: a signature by a key, or a hash that came by another way."""

from __future__ import annotations

import msgspec

from profiler.errors import UserError
from profiler.evidence.checks import Check, check
from profiler.evidence.manifest import sha256
from profiler.evidence.signature import fingerprint, signed

UNSIGNED = (
    "there is none: the hashes inside show accidents only, for whoever changes a file can change its hash; compare the "
    "SHA-256 of manifest.json with one that you got by another way (--sha256)"
)


class Trust(msgspec.Struct, frozen=True, kw_only=True):
    """What whoever verifies asks for: the signature of this public key (PEM), any signature, this hash."""

    key: str | None = None
    any_signature: bool = False
    sha256: str | None = None


def trust(manifest: bytes, signature: bytes | None, signer: str | None, asked: Trust) -> list[Check]:
    """The signature, and the hash where one was given. What cannot be checked has failed."""
    passed, said = _signature(manifest, signature, signer, asked)
    checks = [Check(name="signature", passed=passed, found=[said])]
    if asked.sha256 is not None:
        wrong = [] if sha256(manifest) == asked.sha256 else ["manifest.json has another one than was given"]
        checks.append(check("sha256", wrong, ["manifest.json has the one that was given"]))
    return checks


def _signature(
    manifest: bytes, signature: bytes | None, signer: str | None, asked: Trust
) -> tuple[bool | None, str]:
    if signer is None and signature is None:
        wanted = asked.key is not None or asked.any_signature
        return (False, "there is none, and one was asked for") if wanted else (None, UNSIGNED)
    if signer is None or signature is None:
        return False, "manifest.sig and a signer in manifest.json belong together, and one of them is missing"
    try:
        if not signed(signer, signature, manifest):
            return False, "broken: the key in manifest.json did not sign this manifest"
        return _signer(signer, asked)
    except UserError as error:
        return False, f"not checked: {error}"


def _signer(signer: str, asked: Trust) -> tuple[bool | None, str]:
    """A sound signature, judged by its key. Anybody can make one with a key of their own."""
    name = f"signed by the key {fingerprint(signer)}"
    if asked.key is None:
        unknown = f"{name}, not checked against a key that you trust: give --key PUBLIC.pem"
        return (True if asked.any_signature else None), unknown
    if asked.key != signer:
        return False, f"{name}, which is not the one given ({fingerprint(asked.key)})"
    return True, f"{name}, the one given"
