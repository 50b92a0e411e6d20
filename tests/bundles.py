"""Bundles of runs made by hand, and what verifying them says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from profiler.cli.sources import read_content
from profiler.documents.limits import Limits
from profiler.evidence import manifest as man
from profiler.evidence.archive import pack, walk
from profiler.evidence.bundle import Bundle, bundle, whole
from profiler.evidence.checks import Verified
from profiler.evidence.contents import Pages, inputs
from profiler.evidence.trust import Trust
from profiler.evidence.verify import verify
from profiler.runfile import Hashes, Run
from tests.run_builder import case, rounds, run

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

Files = Sequence[tuple[str, bytes]]


def content(made: Run) -> bytes:
    """The run file of a run."""
    records = [made.header, *made.workers, *made.events, Hashes(sha256=made.sha256)]
    return b"".join(msgspec.json.encode(record) + b"\n" for record in records)


SMALL = content(
    run([case("r1")], rounds("r1", [10.0, 11.0, 10.5], passes=1), sha256={"tiny-Q4_0": "ab" * 32})
)
FILES = [("run.jsonl", SMALL)]


def made_of(
    files: Files = FILES,
    *,
    pages: dict[str, bytes] | None = None,
    limits: Limits | None = None,
    key: Ed25519PrivateKey | None = None,
) -> Bundle:
    """A bundle of these names and contents; drawing pages takes seconds, so there are none unless given."""
    return bundle(inputs(files, read_content), Pages(pages or {}, {}), limits, key)


def members(packed: bytes) -> dict[str, bytes]:
    """What lies in a bundle, by name and in order."""
    return walk(packed).contents


def repacked(packed: bytes, changed: Mapping[str, bytes], key: Ed25519PrivateKey | None = None) -> bytes:
    """The bundle as somebody would make it who changed members and all hashes, and signed it where there is a key."""
    found = members(packed) | dict(changed)
    described = man.decode(found.pop(man.MANIFEST), "bundle")
    contents = {name: raw for name, raw in found.items() if name not in (man.SIGNATURE, man.SUMS)}
    signer = described.signer
    raw = man.encode(
        man.manifest(described.edgeprof, described.origins, contents, described.not_rendered, signer)
    )
    return pack(whole({man.MANIFEST: raw} | ({man.SIGNATURE: key.sign(raw)} if key else {}), contents))


def checked(packed: bytes, **asked: str | bool | None) -> Verified:
    """What verifying these bytes says."""
    return verify("evidence.zip", packed, read_content, msgspec.convert(asked, Trust))


def failures(verified: Verified) -> dict[str, list[str]]:
    """What the checks that failed have found."""
    return {check.name: check.found for check in verified.checks if check.passed is False}
