"""A server on this machine that gives files as well or as badly as a test wants it to."""

from __future__ import annotations

import hashlib
import random
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec

CONTENT = random.Random(1).randbytes(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
LONGEST_WAIT_S = 20


class Request(msgspec.Struct, frozen=True):
    """What was asked, header names in small letters."""

    method: str
    path: str
    headers: dict[str, str]


class Answer:
    """One answer on its way out."""

    def __init__(
        self, handler: BaseHTTPRequestHandler, request: Request, number: int, over: threading.Event
    ) -> None:
        self._handler, self.request, self.number, self._over = handler, request, number, over

    def head(self, status: int, headers: Mapping[str, str] = {}) -> None:
        self._handler.send_response(status)
        for name, value in headers.items():
            self._handler.send_header(name, value)
        self._handler.send_header("Connection", "close")
        self._handler.end_headers()

    def body(self, content: bytes) -> None:
        """Nothing for HEAD; a client that has gone does not mind."""
        if self.request.method != "HEAD":
            self._handler.wfile.write(content)

    def wait(self) -> None:
        """Say nothing more, until the test is over."""
        self._handler.wfile.flush()
        self._over.wait(LONGEST_WAIT_S)

    @property
    def start(self) -> int | None:
        """The byte from which the rest is asked for."""
        asked = self.request.headers.get("range")
        return int(asked.removeprefix("bytes=").removesuffix("-")) if asked else None


Route = Callable[[Answer], None]


class Server:
    """What it was asked, in order, and how it answers each path. Without a route it has nothing."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.requests: list[Request] = []
        self.routes: dict[str, Route] = {}
        self.over = threading.Event()

    def at(self, path: str, scheme: str = "http") -> str:
        return f"{scheme}://127.0.0.1:{self.port}{path}"

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        headers = {name.lower(): value for name, value in handler.headers.items()}
        request = Request(handler.command, handler.path, headers)
        number = sum(asked.path == request.path for asked in self.requests)
        self.requests.append(request)
        route = self.routes.get(request.path.partition("?")[0], status(404))
        with suppress(BrokenPipeError, ConnectionResetError):
            route(Answer(handler, request, number, self.over))
        handler.close_connection = True


@contextmanager
def serving(wrap: Callable[[ThreadingHTTPServer], None] = lambda server: None) -> Iterator[Server]:
    """A server in a thread; `wrap` may encrypt its socket."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            ours.answer(self)

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *words: object) -> None:
            """Tests read `requests`."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    wrap(http)
    ours = Server(http.server_port)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield ours
    finally:
        ours.over.set()
        http.shutdown()
        http.server_close()


def whole(
    content: bytes = CONTENT, *, etag: str | None = '"one"', ranges: bool = True, ends: Mapping[int, int] = {}
) -> Route:
    """As a good server does, but the n-th answer breaks off once `ends[n]` bytes of the file are out."""

    def route(answer: Answer) -> None:
        start = answer.start if ranges else None
        if answer.request.headers.get("if-range") not in (None, etag):
            start = None
        tag = {"ETag": etag} if etag else {}
        end = ends.get(answer.number, len(content))
        if start is None:
            answer.head(200, {"Content-Length": str(len(content)), **tag})
        elif start >= len(content):
            return answer.head(416, {"Content-Length": "0", "Content-Range": f"bytes */{len(content)}"})
        else:
            told = f"bytes {start}-{len(content) - 1}/{len(content)}"
            answer.head(206, {"Content-Length": str(len(content) - start), "Content-Range": told, **tag})
        return answer.body(content[start or 0 : max(end, start or 0)])

    return route


def in_turn(*routes: Route) -> Route:
    """The n-th answer as the n-th route gives it; the last one goes on."""
    return lambda answer: routes[min(answer.number, len(routes) - 1)](answer)


def stalling(after: int) -> Route:
    """The first bytes, and then nothing."""

    def route(answer: Answer) -> None:
        start = answer.start or 0
        status = 206 if answer.start else 200
        told = {"Content-Range": f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"} if start else {}
        answer.head(status, {"Content-Length": str(len(CONTENT) - start), "ETag": '"one"', **told})
        answer.body(CONTENT[start : start + after])
        answer.wait()

    return route


def announcing(headers: Mapping[str, str], content: bytes = CONTENT, status: int = 200) -> Route:
    """These headers and this body, whether they fit or not."""

    def route(answer: Answer) -> None:
        answer.head(status, headers)
        answer.body(content)

    return route


def raw(answer: bytes) -> Route:
    """These bytes, which may be no HTTP at all."""
    return lambda out: out.body(answer)


def endless() -> Route:
    """Chunk upon chunk, until the client has gone."""

    def route(answer: Answer) -> None:
        answer.head(200, {"Transfer-Encoding": "chunked", "ETag": '"one"'})
        while True:
            answer.body(b"10000\r\n" + bytes(0x10000) + b"\r\n")

    return route


def redirect(to: str, status: int = 302, headers: Mapping[str, str] = {}) -> Route:
    return announcing({"Location": to, "Content-Length": "0", **headers}, b"", status)


def status(code: int, headers: Mapping[str, str] = {}) -> Route:
    return announcing({"Content-Length": "6", **headers}, b"sorry\n", code)
