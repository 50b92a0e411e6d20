"""One file over HTTP: taken up where it broke off, and never longer or other than it was announced."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import httpx
import msgspec

from profiler import __version__
from profiler.builds.model_file import shown
from profiler.errors import UserError
from profiler.fetching.disk import megabytes, require_room
from profiler.fetching.limits import Limits, OnBytes
from profiler.fetching.partial import Partial
from profiler.fetching.words import Expected

LONGEST_ETAG = 1000
_LENGTH = re.compile(r"[0-9]{1,18}")
_RANGE = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18})")
_ALWAYS = {"User-Agent": f"edgeprof/{__version__}", "Accept": "*/*", "Accept-Encoding": "identity"}


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a file lies. `secret` holds headers for the server of `address` and no other; `login` is what to do
    where a server wants to know who asks."""

    address: str
    secret: Mapping[str, str] = {}
    login: str = "download it with a program that you are signed in with"


class _Broken(Exception):
    """An answer that was of no use, or ended too early: another attempt may do better."""


def download(place: Place, part: Partial, expected: Expected, on_bytes: OnBytes, limits: Limits) -> None:
    """Make `part` whole. Raises `UserError` for an answer that cannot be the file, or when every attempt broke."""
    failures, furthest = 0, part.length
    with httpx.Client(timeout=limits.stall_s, headers=_ALWAYS) as client:
        while part.length != part.total:
            try:
                _attempt(client, place, part, expected, on_bytes, limits)
            except httpx.InvalidURL:
                raise UserError(f"{_host(place)} redirects to what is no address: try again later") from None
            except (_Broken, httpx.HTTPError) as error:
                failures = 0 if part.length >= furthest + limits.enough_bytes else failures + 1
                furthest = max(furthest, part.length)
                if failures >= limits.tries:
                    raise UserError(_given_up(place, part, expected, _why(error, limits))) from None
                time.sleep(limits.pause_s * failures)


def _attempt(
    client: httpx.Client, place: Place, part: Partial, expected: Expected, on_bytes: OnBytes, limits: Limits
) -> None:
    if not _can_go_on(part, expected):
        part.begin()
    with _answer(client, place, _range(part), limits) as response:
        _refuse(response, place, part)
        _line_up(response, part, expected)
        assert part.total is not None
        for chunk in response.iter_raw():
            _refuse_more(response, part, part.length + len(chunk))
            part.add(chunk)
            on_bytes(part.name, part.length, part.total)
    if part.length != part.total:
        raise _Broken("it ended early")


def _refuse_more(response: httpx.Response, part: Partial, length: int) -> None:
    total = part.total or 0
    if length > total:
        part.begin()
        raise UserError(
            f"{_server(response)} sends more than the {total:,} bytes of {part.name}: it was deleted"
        )


def _can_go_on(part: Partial, expected: Expected) -> bool:
    """Whether a second half can be told to be of the same file as the first."""
    return part.length > 0 and (part.etag is not None or expected.sha256 is not None)


def _range(part: Partial) -> dict[str, str]:
    if part.length == 0:
        return {}
    only_if = {"If-Range": part.etag} if part.etag else {}
    return {"Range": f"bytes={part.length}-"} | only_if


@contextmanager
def _answer(
    client: httpx.Client, place: Place, asking: Mapping[str, str], limits: Limits
) -> Iterator[httpx.Response]:
    """The answer after the redirects. The secret stays with the server that it is for."""
    first = address = _parsed(place.address)
    for _ in range(limits.redirects + 1):
        secret = place.secret if _origin(address) == _origin(first) else {}
        with client.stream("GET", address, headers={**asking, **secret}) as response:
            if not response.has_redirect_location:
                yield response
                return
            address = _next(address, response.headers["location"])
    raise UserError(f"{first.host} redirects more than {limits.redirects} times: give the address it ends at")


def _parsed(address: str) -> httpx.URL:
    try:
        return httpx.URL(address)
    except httpx.InvalidURL:
        raise UserError(f"{shown(address)} is no address: give it as https://HOST/PATH/FILE") from None


def _next(address: httpx.URL, location: str) -> httpx.URL:
    """Where a redirect leads. What was asked for encrypted is not taken unencrypted."""
    target = address.join(location)
    if target.scheme not in ("http", "https") or not target.host:
        raise UserError(f"{address.host} redirects to {shown(location)}, which is neither http nor https")
    if address.scheme == "https" and target.scheme == "http":
        raise UserError(
            f"{address.host} redirects from https to http, which is not followed: anyone could change the file"
        )
    return target


def _origin(address: httpx.URL) -> tuple[str, str, int | None]:
    return address.scheme, address.host, address.port


def _refuse(response: httpx.Response, place: Place, part: Partial) -> None:
    """Raises for every status that brings no file; `_Broken` where the next attempt may bring one."""
    status, server = response.status_code, _server(response)
    if status == 200 or (status == 206 and part.length > 0):
        return
    if status == 416 and part.length > 0:
        part.begin()
        raise _Broken("it did not go on where it broke off")
    if status == 429 or status >= 500:
        raise _Broken(f"it answered with status {status}")
    if status in (401, 403):
        raise UserError(f"{server} does not give {part.name} to everybody (status {status}): {place.login}")
    if status in (404, 410):
        raise UserError(f"{server} has no {part.name} there (status {status}): check what you typed")
    raise UserError(f"{server} answered with status {status} instead of {part.name}: check what you typed")


def _line_up(response: httpx.Response, part: Partial, expected: Expected) -> None:
    """Make the part ready for the bytes of this answer, which begin where it ends, or at the start of a file."""
    if response.headers.get("content-encoding", "identity") != "identity":
        raise UserError(f"{_server(response)} sends {part.name} compressed, though it was asked not to")
    if response.status_code == 200:
        part.begin(_announced(response, part.name, expected), _strong_etag(response))
    elif not _goes_on(response, part):
        part.begin()
        raise _Broken("it did not go on where it broke off")
    assert part.total is not None
    require_room(part.path.parent, part.total - part.length, part.name)


def _announced(response: httpx.Response, name: str, expected: Expected) -> int:
    """The length of the file in bytes, which must be known: else its end could not be told from a broken connection."""
    length = response.headers.get("content-length", "")
    announced = int(length) if _LENGTH.fullmatch(length) else expected.size_bytes
    if announced is None:
        raise UserError(
            f"{_server(response)} does not say how long {name} is, so that a whole file could not be told from a "
            "part of it: download it another way"
        )
    if announced == 0:
        raise UserError(f"{_server(response)} has {name} with no bytes in it: check what you typed")
    if expected.size_bytes not in (None, announced):
        raise UserError(
            f"{_server(response)} announces {announced:,} bytes for {name}, and {expected.stater} states "
            f"{expected.size_bytes:,}: it is another file"
        )
    return announced


def _goes_on(response: httpx.Response, part: Partial) -> bool:
    """Whether a partial answer is the rest of the very file that the part is of."""
    found = _RANGE.fullmatch(response.headers.get("content-range", ""))
    if found is None or (int(found[1]), int(found[2])) != (part.length, part.total):
        return False
    return part.etag is None or response.headers.get("etag") == part.etag


def _strong_etag(response: httpx.Response) -> str | None:
    """The tag that changes with every byte of the file; a weak one may stay, and vouches for nothing."""
    etag = response.headers.get("etag", "")
    is_strong = etag.startswith('"') and etag.isprintable() and etag.isascii() and len(etag) <= LONGEST_ETAG
    return etag if is_strong else None


def _host(place: Place) -> str:
    return shown(_parsed(place.address).host)


def _server(response: httpx.Response) -> str:
    return shown(response.url.host)


def _why(error: Exception, limits: Limits) -> str:
    """In our words: the library's may hold what was sent, and that may be secret."""
    if isinstance(error, httpx.TimeoutException):
        return f"nothing came for {limits.stall_s:g} s"
    if isinstance(error, httpx.ConnectError):
        return f"it cannot be reached: {shown(str(error))}"
    return str(error) if isinstance(error, _Broken) else "the connection broke off"


def _given_up(place: Place, part: Partial, expected: Expected, why: str) -> str:
    server = _host(place)
    if not _can_go_on(part, expected):
        return f"{part.name} could not be fetched from {server} ({why}): try again later"
    came = f"{megabytes(part.length)} of {megabytes(part.total or 0)} are kept"
    return f"{part.name} could not be fetched from {server} ({why}): {came}, and the same command goes on from there"
