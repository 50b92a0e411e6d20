"""Downloads from a server that drops, stalls, lies and changes its mind: whole and right, or not there at all."""

from __future__ import annotations

import json
import os
import shutil
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path

import httpx
import msgspec
import pytest

from profiler.errors import UserError
from profiler.fetching.disk import alone
from profiler.fetching.download import _next
from profiler.fetching.fetch import Fetched, fetch
from profiler.fetching.limits import Limits
from profiler.fetching.partial import partial
from profiler.fetching.words import wanted
from tests import gguf_builder as gguf
from tests.fetch_server import (
    CONTENT,
    SHA256,
    Route,
    Server,
    announcing,
    endless,
    in_turn,
    raw,
    redirect,
    serving,
    stalling,
    status,
    whole,
)

PATIENCE = Limits(stall_s=5, tries=3, pause_s=0, checkpoint_bytes=1 << 16)
HASTE = Limits(stall_s=0.5, tries=1, pause_s=0)
LENGTH = str(len(CONTENT))
HALF = len(CONTENT) // 2


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path / "edgeprof" / "models"


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as found:
        yield found


def get(
    server: Server,
    sha256: str | None = None,
    limits: Limits = PATIENCE,
    path: str = "/m.bin",
    output: Path | None = None,
) -> Fetched:
    return fetch(wanted(server.at(path), sha256), output, lambda what, done, total: None, limits)


def refused(
    server: Server, sha256: str | None = None, limits: Limits = PATIENCE, path: str = "/m.bin"
) -> str:
    """The sentence of a fetch that cannot be."""
    with pytest.raises(UserError) as error:
        get(server, sha256, limits, path)
    assert str(error.value).isprintable()
    return str(error.value)


def left(folder: Path) -> set[str]:
    """What lies in the folder of models."""
    return {path.name for path in folder.iterdir()}


def ranges(server: Server) -> list[str | None]:
    """From where each request asked for the rest."""
    return [request.headers.get("range") for request in server.requests]


class TestWhole:
    def test_file_lies_in_the_cache_beside_its_record(self, server: Server, folder: Path) -> None:
        server.routes["/m.bin"] = whole()
        found = get(server)
        assert found.downloaded
        assert found.path == folder / "m.bin"
        assert found.path.read_bytes() == CONTENT
        assert left(folder) == {"m.bin", "m.bin.edgeprof.json"}
        record = json.loads((folder / "m.bin.edgeprof.json").read_text())
        assert record.pop("fetched").endswith("+00:00")
        assert record == {
            "schema": "edgeprof.fetched/1",
            "source": server.at("/m.bin"),
            "size_bytes": len(CONTENT),
            "sha256": SHA256,
            "verified_against": None,
        }

    def test_progress_ends_at_the_announced_length(self, server: Server) -> None:
        server.routes["/m.bin"] = whole()
        told: list[tuple[str, int, int]] = []
        fetch(wanted(server.at("/m.bin")), None, lambda *step: told.append(step), PATIENCE)
        *parts, checking = told
        assert parts[-1] == ("m.bin", len(CONTENT), len(CONTENT))
        assert [done for _, done, _ in parts] == sorted({done for _, done, _ in parts})
        assert checking == ("checking m.bin", 0, 0)

    def test_hash_that_agrees_is_recorded_as_verified(self, server: Server) -> None:
        server.routes["/m.bin"] = whole()
        assert get(server, SHA256).record.verified_against == "option"

    def test_output_may_be_a_file_or_a_folder(self, server: Server, tmp_path: Path) -> None:
        server.routes["/m.bin"] = whole()
        assert get(server, output=tmp_path / "x.bin").path == tmp_path / "x.bin"
        assert get(server, output=tmp_path).path == tmp_path / "m.bin"

    def test_output_in_a_folder_that_is_not_there_makes_none(self, server: Server, tmp_path: Path) -> None:
        server.routes["/m.bin"] = whole()
        with pytest.raises(UserError, match="cannot be written"):
            get(server, output=tmp_path / "nwe" / "x.bin")
        assert not (tmp_path / "nwe").exists()

    def test_nothing_but_the_request_is_sent(self, server: Server) -> None:
        server.routes["/m.bin"] = whole()
        get(server)
        (request,) = server.requests
        assert set(request.headers) == {"host", "accept", "accept-encoding", "connection", "user-agent"}
        assert request.headers["user-agent"].startswith("edgeprof/")

    def test_name_that_the_server_gives_is_ignored(self, server: Server, folder: Path) -> None:
        headers = {"Content-Length": LENGTH, "Content-Disposition": 'attachment; filename="../../evil"'}
        server.routes["/m.bin"] = announcing(headers)
        assert get(server).path == folder / "m.bin"

    def test_address_without_a_name_needs_one(self, server: Server, tmp_path: Path) -> None:
        server.routes["/"] = whole()
        assert (
            refused(server, path="/")
            == "the address ends with no name that a file could have: choose one with -o"
        )
        assert get(server, path="/", output=tmp_path / "x").path == tmp_path / "x"


class TestAgain:
    def test_what_is_there_intact_is_not_asked_for(self, server: Server) -> None:
        server.routes["/m.bin"] = whole()
        first, second = get(server), get(server)
        assert not second.downloaded
        assert second.record == first.record
        assert len(server.requests) == 1

    def test_hash_given_later_verifies_what_is_there(self, server: Server) -> None:
        server.routes["/m.bin"] = whole()
        first = get(server).record
        second = get(server, SHA256)
        assert not second.downloaded
        assert (second.record.verified_against, second.record.fetched) == ("option", first.fetched)
        assert get(server).record.verified_against == "option"

    def test_hash_given_later_that_is_another_is_refused_and_leaves_the_file(
        self, server: Server, folder: Path
    ) -> None:
        server.routes["/m.bin"] = whole()
        get(server)
        assert f"its sha256 is {SHA256}, not {'0' * 64} as --sha256 states" in refused(server, "0" * 64)
        assert (folder / "m.bin").read_bytes() == CONTENT

    def test_file_that_has_changed_is_refused(self, server: Server, folder: Path) -> None:
        server.routes["/m.bin"] = whole()
        get(server)
        (folder / "m.bin").write_bytes(CONTENT[:-1] + b"\0")
        assert "has changed since it was fetched on 20" in refused(server)

    def test_file_of_another_source_is_not_replaced(self, server: Server, folder: Path) -> None:
        server.routes["/m.bin"] = server.routes["/other/m.bin"] = whole()
        get(server)
        assert f"came from {server.at('/m.bin')}: choose another name with -o" in refused(
            server, path="/other/m.bin"
        )
        (folder / "m.bin.edgeprof.json").write_text("{}")
        assert "was not fetched by edgeprof" in refused(server)
        assert (folder / "m.bin").read_bytes() == CONTENT

    def test_folder_or_link_in_its_place_is_not_replaced(self, server: Server, folder: Path) -> None:
        server.routes["/m.bin"] = whole()
        folder.mkdir(parents=True)
        (folder / "m.bin").symlink_to(folder / "nowhere")
        assert "is there and is no file" in refused(server)
        (folder / "m.bin").unlink()
        (folder / "m.bin").mkdir()
        assert "is there and is no file" in refused(server)
        assert server.requests == []

    def test_two_do_not_fetch_the_same_file_at_once(self, server: Server, folder: Path) -> None:
        server.routes["/m.bin"] = whole()
        folder.mkdir(parents=True)
        with alone(folder / "m.bin"):
            assert refused(server) == "m.bin is being fetched by another edgeprof: wait for it"
        assert get(server).downloaded


class TestBroken:
    @pytest.mark.parametrize("cut", [1, 1000, HALF, len(CONTENT) - 1])
    def test_connection_that_drops_is_taken_up_where_it_broke_off(self, server: Server, cut: int) -> None:
        server.routes["/m.bin"] = whole(ends={0: cut})
        assert get(server).path.read_bytes() == CONTENT
        assert ranges(server) == [None, f"bytes={cut}-"]
        assert server.requests[1].headers["if-range"] == '"one"'

    def test_many_drops_are_borne_while_each_brings_enough(self, server: Server) -> None:
        server.routes["/m.bin"] = whole(ends={n: 30_000 * (n + 1) for n in range(9)})
        limits = Limits(tries=1, pause_s=0, enough_bytes=30_000)
        assert get(server, limits=limits).path.read_bytes() == CONTENT
        assert len(server.requests) == 10

    def test_drops_that_bring_too_little_are_given_up_and_what_came_is_kept(
        self, server: Server, folder: Path
    ) -> None:
        server.routes["/m.bin"] = whole(ends=dict.fromkeys(range(3), HALF))
        sentence = refused(server)
        assert sentence == (
            "m.bin could not be fetched from 127.0.0.1 (the connection broke off): 0.1 MB of 0.3 MB are kept, and "
            "the same command goes on from there"
        )
        assert left(folder) == {"m.bin.part", "m.bin.part.json"}
        assert get(server).path.read_bytes() == CONTENT
        assert ranges(server)[-1] == f"bytes={HALF}-"
        assert left(folder) == {"m.bin", "m.bin.edgeprof.json"}

    def test_stall_is_given_up_and_what_came_is_kept(self, server: Server, folder: Path) -> None:
        server.routes["/m.bin"] = in_turn(stalling(HALF), whole())
        assert "(nothing came for 0.5 s): 0.1 MB of 0.3 MB are kept" in refused(server, limits=HASTE)
        assert (folder / "m.bin.part").read_bytes() == CONTENT[:HALF]
        assert get(server).path.read_bytes() == CONTENT

    def test_server_that_never_says_anything_is_given_up(self, server: Server, folder: Path) -> None:
        server.routes["/m.bin"] = lambda answer: answer.wait()
        assert refused(server, limits=HASTE).endswith("(nothing came for 0.5 s): try again later")
        assert left(folder) == set()

    def test_server_that_is_not_there_is_told(self, server: Server, folder: Path) -> None:
        with serving() as other:
            gone = other
        assert "(it cannot be reached: " in refused(gone, limits=HASTE)
        assert left(folder) == set()

    @pytest.mark.parametrize("code", [429, 500, 503])
    def test_passing_trouble_of_the_server_is_tried_again(self, server: Server, code: int) -> None:
        server.routes["/m.bin"] = in_turn(status(code), status(code), whole())
        assert get(server).path.read_bytes() == CONTENT

    def test_lasting_trouble_of_the_server_is_given_up(self, server: Server, folder: Path) -> None:
        server.routes["/m.bin"] = status(500)
        assert "(it answered with status 500): try again later" in refused(server)
        assert len(server.requests) == PATIENCE.tries
        assert left(folder) == set()

    def test_file_of_the_server_that_has_changed_is_fetched_from_its_start(self, server: Server) -> None:
        other = bytes(len(CONTENT))
        server.routes["/m.bin"] = in_turn(whole(ends={0: HALF}), whole(other, etag='"two"'))
        assert get(server).path.read_bytes() == other
        assert ranges(server) == [None, f"bytes={HALF}-"]

    def test_second_half_of_another_file_is_not_taken(self, server: Server) -> None:
        other = bytes(len(CONTENT))
        told = {
            "Content-Length": str(HALF),
            "Content-Range": f"bytes {HALF}-{len(CONTENT) - 1}/{LENGTH}",
            "ETag": '"two"',
        }
        server.routes["/m.bin"] = in_turn(
            whole(ends={0: HALF}), announcing(told, other[HALF:], 206), whole(other, etag='"two"')
        )
        assert get(server).path.read_bytes() == other
        assert ranges(server) == [None, f"bytes={HALF}-", None]

    @pytest.mark.parametrize(
        "told",
        [
            f"bytes 0-{len(CONTENT) - 1}/{LENGTH}",
            f"bytes {HALF}-{len(CONTENT) - 1}/{len(CONTENT) + 1}",
            f"bytes {HALF}-{len(CONTENT) - 1}/*",
            "bytes " + "9" * 5000 + "-1/2",
            "",
        ],
        ids=["other start", "other total", "no total", "huge", "none"],
    )
    def test_answer_that_is_not_the_rest_is_not_taken(self, server: Server, told: str) -> None:
        headers = {"Content-Length": str(HALF), "Content-Range": told, "ETag": '"one"'}
        server.routes["/m.bin"] = in_turn(
            whole(ends={0: HALF}), announcing(headers, CONTENT[HALF:], 206), whole()
        )
        assert get(server).path.read_bytes() == CONTENT
        assert ranges(server) == [None, f"bytes={HALF}-", None]

    def test_server_that_has_become_shorter_is_asked_anew(self, server: Server) -> None:
        short = CONTENT[:1000]
        server.routes["/m.bin"] = in_turn(whole(ends={0: HALF}), status(416), whole(short, etag='"two"'))
        assert get(server).path.read_bytes() == short

    def test_server_that_ignores_ranges_sends_it_all_again(self, server: Server) -> None:
        server.routes["/m.bin"] = whole(ends={0: HALF}, ranges=False)
        assert get(server).path.read_bytes() == CONTENT
        assert ranges(server) == [None, f"bytes={HALF}-"]

    @pytest.mark.parametrize("etag", [None, 'W/"weak"', "bare"])
    def test_without_a_tag_that_vouches_for_it_nothing_is_taken_up(
        self, server: Server, etag: str | None
    ) -> None:
        server.routes["/m.bin"] = whole(etag=etag, ends={0: HALF})
        assert get(server).path.read_bytes() == CONTENT
        assert ranges(server) == [None, None]

    def test_without_a_tag_the_hash_vouches_for_it(self, server: Server) -> None:
        server.routes["/m.bin"] = whole(etag=None, ends={0: HALF})
        assert get(server, SHA256).path.read_bytes() == CONTENT
        assert ranges(server) == [None, f"bytes={HALF}-"]


class TestPart:
    """What lies there from an earlier command is trusted as far as it was vouched for."""

    @pytest.fixture
    def part(self, server: Server, folder: Path) -> Path:
        server.routes["/m.bin"] = in_turn(stalling(HALF), whole())
        refused(server, limits=HASTE)
        return folder / "m.bin.part"

    def test_part_that_was_changed_is_thrown_away(self, server: Server, part: Path) -> None:
        part.write_bytes(b"\0" + part.read_bytes()[1:])
        assert get(server).path.read_bytes() == CONTENT
        assert ranges(server) == [None, None]

    def test_part_that_was_cut_is_thrown_away(self, server: Server, part: Path) -> None:
        os.truncate(part, HALF - 1)
        assert get(server).path.read_bytes() == CONTENT
        assert ranges(server) == [None, None]

    def test_bytes_that_nobody_vouched_for_are_cut_off(self, server: Server, part: Path) -> None:
        with part.open("ab") as file:
            file.write(b"torn")
        assert get(server).path.read_bytes() == CONTENT
        assert ranges(server) == [None, f"bytes={HALF}-"]

    @pytest.mark.parametrize("state", [None, b"", b"{", b"\xff", b"[]", b"[" * 100_000, b" " * 100_000])
    def test_part_without_a_sound_state_is_thrown_away(
        self, server: Server, part: Path, state: bytes | None
    ) -> None:
        path = part.with_name("m.bin.part.json")
        path.unlink()
        if state is not None:
            path.write_bytes(state)
        assert get(server).path.read_bytes() == CONTENT
        assert ranges(server) == [None, None]

    def test_part_of_another_source_is_thrown_away(self, server: Server, part: Path) -> None:
        server.routes["/other/m.bin"] = whole()
        assert get(server, path="/other/m.bin").path.read_bytes() == CONTENT
        assert ranges(server) == [None, None]

    def test_whole_part_is_finished_without_a_word_to_the_server(self, server: Server, part: Path) -> None:
        part.write_bytes(CONTENT)
        path = part.with_name("m.bin.part.json")
        state = json.loads(path.read_text())
        path.write_text(json.dumps(state | {"length": len(CONTENT), "sha256": SHA256}))
        assert get(server).path.read_bytes() == CONTENT
        assert len(server.requests) == 1

    def test_link_in_place_of_the_part_is_not_followed(
        self, server: Server, part: Path, tmp_path: Path
    ) -> None:
        victim = tmp_path / "victim"
        victim.write_bytes(b"precious")
        part.unlink()
        part.symlink_to(victim)
        assert "cannot be written" in refused(server)
        assert victim.read_bytes() == b"precious"

    def test_checkpoints_vouch_for_what_came_before_a_command_is_killed(
        self, server: Server, folder: Path
    ) -> None:
        folder.mkdir(parents=True)
        path = folder / "k.bin.part"
        state = path.with_name("k.bin.part.json")
        with partial(path, "s", checkpoint_bytes=100) as growing:
            growing.begin(1000, '"e"')
            growing.add(b"a" * 60)
            assert not state.exists()
            growing.add(b"b" * 60)
            assert json.loads(state.read_text())["length"] == 120
            killed = path.read_bytes(), state.read_bytes()
            growing.add(b"c" * 60)
        path.write_bytes(killed[0] + b"what the system had not written")
        state.write_bytes(killed[1])
        with partial(path, "s", checkpoint_bytes=100) as growing:
            assert (growing.length, growing.total, growing.etag) == (120, 1000, '"e"')
        assert path.read_bytes() == b"a" * 60 + b"b" * 60


class TestLies:
    def test_announcement_that_is_too_long_is_never_reached(self, server: Server, folder: Path) -> None:
        server.routes["/m.bin"] = announcing({"Content-Length": str(len(CONTENT) + 1), "ETag": '"one"'})
        assert "the connection broke off" in refused(server)
        assert "m.bin" not in left(folder)

    def test_announcement_that_is_too_short_is_found_by_the_hash(self, server: Server, folder: Path) -> None:
        server.routes["/m.bin"] = announcing({"Content-Length": str(HALF)})
        assert f"not {SHA256} as --sha256 states: it was deleted" in refused(server, SHA256)
        assert left(folder) == set()

    def test_announcement_that_is_too_short_is_found_by_the_header_of_a_gguf_file(
        self, server: Server, folder: Path
    ) -> None:
        content = gguf.llama()
        server.routes["/m.gguf"] = announcing({"Content-Length": str(len(content) - 1)}, content)
        sentence = refused(server, path="/m.gguf")
        assert sentence.startswith("what came as m.gguf was deleted: truncated")
        assert left(folder) == set()
        server.routes["/m.gguf"] = whole(content)
        assert get(server, path="/m.gguf").path.read_bytes() == content

    def test_web_page_is_no_model(self, server: Server, folder: Path) -> None:
        server.routes["/m.gguf"] = whole(b"<!DOCTYPE html><html>please sign in</html>")
        assert "looks like a web page" in refused(server, path="/m.gguf")
        assert left(folder) == set()

    def test_hash_that_does_not_agree_leaves_nothing(self, server: Server, folder: Path) -> None:
        server.routes["/m.bin"] = whole()
        sentence = refused(server, "0" * 64)
        assert sentence == (
            f"m.bin came with the sha256 {SHA256}, not {'0' * 64} as --sha256 states: it was deleted"
        )
        assert left(folder) == set()

    @pytest.mark.parametrize("headers", [{}, {"Transfer-Encoding": "chunked"}], ids=["closes", "chunked"])
    def test_file_of_no_announced_length_is_refused(
        self, server: Server, folder: Path, headers: dict[str, str]
    ) -> None:
        server.routes["/m.bin"] = announcing(headers, b"0\r\n\r\n")
        assert "127.0.0.1 does not say how long m.bin is" in refused(server)
        assert left(folder) == set()

    def test_endless_body_is_refused_before_it_is_read(self, server: Server, folder: Path) -> None:
        server.routes["/m.bin"] = endless()
        assert "does not say how long m.bin is" in refused(server)
        assert left(folder) == set()

    def test_empty_file_is_refused(self, server: Server) -> None:
        server.routes["/m.bin"] = whole(b"")
        assert "has m.bin with no bytes in it" in refused(server)

    def test_compressed_answer_is_refused(self, server: Server) -> None:
        server.routes["/m.bin"] = announcing({"Content-Length": LENGTH, "Content-Encoding": "gzip"})
        assert "sends m.bin compressed" in refused(server)

    def test_more_than_the_disk_holds_is_refused_before_it_is_read(
        self, server: Server, folder: Path
    ) -> None:
        server.routes["/m.bin"] = announcing({"Content-Length": str(10**17)})
        sentence = refused(server)
        assert sentence.startswith("m.bin needs 100,000,000,000.0 MB and ")
        assert sentence.endswith(" MB free: make room, or choose another place with -o")
        assert left(folder) == set()

    @pytest.mark.parametrize("length", ["-1", "1e3", "9" * 5000, "abc"])
    def test_length_that_is_no_number_is_refused(self, server: Server, folder: Path, length: str) -> None:
        server.routes["/m.bin"] = announcing({"Content-Length": length})
        refused(server)
        assert left(folder) == set()


class TestKnownBeforehand:
    """The catalogue knows the size of a build: a server cannot send another one."""

    def get(self, server: Server, size: int) -> Fetched:
        asked = wanted(server.at("/m.bin"), SHA256)
        asked = msgspec.structs.replace(
            asked, expected=msgspec.structs.replace(asked.expected, size_bytes=size)
        )
        return fetch(asked, None, lambda what, done, total: None, PATIENCE)

    def test_server_that_announces_another_size_is_refused_at_once(
        self, server: Server, folder: Path
    ) -> None:
        server.routes["/m.bin"] = whole()
        with pytest.raises(
            UserError, match=r"announces 300,000 bytes for m.bin, and --sha256 states 299,999"
        ):
            self.get(server, len(CONTENT) - 1)
        assert left(folder) == set()

    def test_endless_body_ends_at_the_known_size(self, server: Server, folder: Path) -> None:
        server.routes["/m.bin"] = endless()
        with pytest.raises(UserError, match=r"sends more than the 300,000 bytes of m.bin: it was deleted"):
            self.get(server, len(CONTENT))
        assert left(folder) == set()

    def test_chunked_file_of_the_known_size_is_taken(self, server: Server) -> None:
        body = f"{len(CONTENT):x}\r\n".encode() + CONTENT + b"\r\n0\r\n\r\n"
        server.routes["/m.bin"] = announcing({"Transfer-Encoding": "chunked"}, body)
        assert self.get(server, len(CONTENT)).path.read_bytes() == CONTENT


class TestRefused:
    @pytest.mark.parametrize(
        ("code", "found"),
        [
            (404, "127.0.0.1 has no m.bin there (status 404): check what you typed"),
            (410, "127.0.0.1 has no m.bin there (status 410): check what you typed"),
            (
                401,
                "does not give m.bin to everybody (status 401): download it with a program that you are signed in",
            ),
            (
                403,
                "does not give m.bin to everybody (status 403): download it with a program that you are signed in",
            ),
            (204, "answered with status 204 instead of m.bin"),
            (206, "answered with status 206 instead of m.bin"),
            (304, "answered with status 304 instead of m.bin"),
            (418, "answered with status 418 instead of m.bin"),
        ],
    )
    def test_status_that_brings_no_file_is_told_at_once(
        self, server: Server, folder: Path, code: int, found: str
    ) -> None:
        server.routes["/m.bin"] = announcing({}, b"", code)
        assert found in refused(server)
        assert len(server.requests) == 1
        assert left(folder) == set()

    def test_redirects_are_followed(self, server: Server, folder: Path) -> None:
        server.routes["/m.bin"] = redirect("/b/evil.exe?key=1")
        server.routes["/b/evil.exe"] = whole()
        found = get(server)
        assert found.path == folder / "m.bin"
        assert "key" not in (folder / "m.bin.edgeprof.json").read_text()

    def test_redirects_have_an_end(self, server: Server) -> None:
        server.routes["/m.bin"] = redirect("/m.bin")
        assert refused(server) == "127.0.0.1 redirects more than 5 times: give the address it ends at"
        assert len(server.requests) == 6

    @pytest.mark.parametrize("to", ["file:///etc/passwd", "ftp://e.org/m", "javascript:x"])
    def test_redirect_to_what_is_no_web_address_is_refused(self, server: Server, to: str) -> None:
        server.routes["/m.bin"] = redirect(to)
        assert "redirects to " in refused(server)

    @pytest.mark.parametrize(
        "to", ["data:,x", "http://[", "\x7f://", "http://a:b:c", "//\xff", "http://e.org:0x1/"]
    )
    def test_redirect_to_what_is_no_address_at_all_is_refused(self, server: Server, to: str) -> None:
        server.routes["/m.bin"] = redirect(to)
        refused(server, limits=HASTE)

    @pytest.mark.parametrize(
        "answer",
        [
            b"",
            b"\r\n\r\n",
            b"SSH-2.0-OpenSSH_9.9\r\n",
            b"HTTP/1.1 99999 OK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
            b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nX: " + b"x" * 2_000_000,
            b'HTTP/1.1 200 OK\r\nETag: "\xff\xfe"\r\nContent-Range: \xff\r\n\r\n',
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\nxyz\r\n",
            b"HTTP/1.1 100 Continue\r\n\r\n" * 1000,
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        ],
        ids=lambda answer: repr(answer[:40]),
    )
    def test_answer_that_is_no_sound_http_is_refused(
        self, server: Server, folder: Path, answer: bytes
    ) -> None:
        server.routes["/m.bin"] = raw(answer)
        refused(server, limits=HASTE)
        assert left(folder) == set()

    def test_redirect_from_https_to_http_is_refused(
        self, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: Path
    ) -> None:
        server.routes["/m.bin"] = whole()
        with serving(encrypted(tmp_path, monkeypatch)) as secure:
            secure.routes["/m.bin"] = redirect(server.at("/m.bin"))
            secure.routes["/good.bin"] = whole()
            words = [secure.at(path, "https") for path in ("/good.bin", "/m.bin")]
            found = fetch(wanted(words[0]), None, lambda what, done, total: None, PATIENCE)
            assert found.path.read_bytes() == CONTENT
            with pytest.raises(UserError, match="redirects from https to http, which is not followed"):
                fetch(wanted(words[1]), None, lambda what, done, total: None, PATIENCE)
        assert server.requests == []
        assert "m.bin" not in left(folder)

    def test_certificate_that_nobody_vouches_for_is_refused(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        wrap = encrypted(tmp_path, monkeypatch)
        monkeypatch.delenv("SSL_CERT_FILE")
        with serving(wrap) as secure, pytest.raises(UserError, match="CERTIFICATE_VERIFY_FAILED"):
            fetch(wanted(secure.at("/m.bin", "https")), None, lambda what, done, total: None, HASTE)

    def test_redirect_keeps_or_gains_encryption(self) -> None:
        plain, secure = httpx.URL("http://e.org/a"), httpx.URL("https://e.org/a")
        assert _next(plain, "https://e.org/b") == httpx.URL("https://e.org/b")
        assert _next(secure, "//other.org/b") == httpx.URL("https://other.org/b")


def encrypted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[ThreadingHTTPServer], None]:
    """Makes a server speak https with a certificate of its own, which is trusted here from now on."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl to make a certificate")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=127.0.0.1"]
    words += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(["openssl", *words], check=True, capture_output=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))

    def wrap(http: ThreadingHTTPServer) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        http.socket = context.wrap_socket(http.socket, server_side=True)

    return wrap


def test_missing_library_is_told_with_what_to_type(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("profiler.fetching.download")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "httpx", None)
    assert refused(server) == "httpx is not installed: pip install 'edgeprof[fetch]'"


def test_routes_are_as_bad_as_they_should_be(server: Server) -> None:
    """The server itself: what the tests above rest on."""
    good: Route = whole()
    server.routes["/m.bin"] = good
    assert httpx.get(server.at("/m.bin")).content == CONTENT
    rest = httpx.get(server.at("/m.bin"), headers={"Range": "bytes=10-"})
    assert (rest.status_code, rest.content) == (206, CONTENT[10:])
    server.routes["/m.bin"] = whole(ends={2: 10})
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(server.at("/m.bin"))
