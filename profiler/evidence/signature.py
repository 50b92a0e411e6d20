"""Ed25519 signatures over the manifest's bytes. Whatever cannot be checked is not a signature."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from profiler.errors import UserError
from profiler.whole_file import read_whole

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

PASSPHRASE = "EDGEPROF_KEY_PASSPHRASE"  # noqa: S105
"""Name of the environment variable that opens an encrypted key."""

MISSING = "signatures take the package cryptography: pip install 'edgeprof[sign]'"
MAKE_KEY = "make one with: openssl genpkey -algorithm ed25519 -out key.pem"
MAKE_PUBLIC = "make it of the private key with: openssl pkey -in key.pem -pubout -out public.pem"

LARGEST_KEY = 1 << 20
"""Bytes of a file that holds a key."""


def private_key(path: Path) -> Ed25519PrivateKey:
    """The key in a PEM file that nobody else may read. Raises `UserError`."""
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    except ImportError:
        raise UserError(MISSING) from None
    raw = read_whole(path, str(path), LARGEST_KEY, MAKE_KEY)
    if b"PRIVATE KEY" in raw:
        _refuse_open_to_others(path)
    passphrase = os.environ.get(PASSPHRASE)
    try:
        key = load_pem_private_key(
            raw, os.fsencode(passphrase) if passphrase and b"ENCRYPTED" in raw else None
        )
    except TypeError:
        raise UserError(f"{path} is encrypted: put its passphrase into {PASSPHRASE}") from None
    except (ValueError, UnsupportedAlgorithm):
        raise UserError(
            f"{path} cannot be read as a private key in PEM, or {PASSPHRASE} does not open it; {MAKE_KEY}"
        ) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise UserError(f"{path} is no Ed25519 key, and no other kind is accepted; {MAKE_KEY}")
    return key


def public_key(path: Path) -> str:
    """The public key in a PEM file, as `signer` of a manifest has it. Raises `UserError`."""
    raw = read_whole(path, str(path), LARGEST_KEY, MAKE_PUBLIC)
    try:
        return pem(_decoded(raw))
    except ValueError:
        raise UserError(f"{path} is no public Ed25519 key in PEM; {MAKE_PUBLIC}") from None


def pem(key: Ed25519PublicKey) -> str:
    """A public key as text."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def fingerprint(signer: str) -> str:
    """SHA-256 of a public key's DER: what openssl pkey -pubin -outform DER | sha256sum prints."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    der = _decoded(signer.encode()).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()


def signed(signer: str, signature: bytes, content: bytes) -> bool:
    """Whether the owner of this public key signed this content. Raises `UserError` where that cannot be checked."""
    try:
        from cryptography.exceptions import InvalidSignature
    except ImportError:
        raise UserError(MISSING) from None
    try:
        key = _decoded(signer.encode())
        key.verify(signature, content)
    except (ValueError, InvalidSignature):
        return False
    return pem(key) == signer


def _decoded(raw: bytes) -> Ed25519PublicKey:
    """Raises `ValueError` for anything but a public Ed25519 key in PEM, `UserError` without the package."""
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.serialization import load_pem_public_key
    except ImportError:
        raise UserError(MISSING) from None
    try:
        key = load_pem_public_key(raw)
    except UnsupportedAlgorithm:
        raise ValueError from None
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("no Ed25519 key")
    return key


def _refuse_open_to_others(path: Path) -> None:
    if os.name == "posix" and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise UserError(f"{path} is a private key that others may read: chmod 600 {path}")
