"""The same over OpenSSH's own server on this machine: keys, host keys, and what it says."""

from __future__ import annotations

import getpass
import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.conftest import Command, Script, only_refusal
from tests.sshd import SSHD, Server, serving

pytestmark = pytest.mark.skipif(SSHD is None, reason="there is no sshd here: make sshd")

WORDS = (
    "-p",
    "8",
    "-n",
    "4",
    "--processes",
    "2",
    "--passes",
    "2",
    "--on",
    "board",
    "--board-python",
    sys.executable,
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("sshd"), getpass.getuser()) as made:
        tried = subprocess.run(
            ["ssh", "-o", "BatchMode=yes", "board", "true"], env=made.env, capture_output=True, check=False
        )
        if tried.returncode:
            pytest.skip(f"sshd lets nobody in here: {tried.stderr[-200:]!r}")
        yield made


def test_a_run_over_ssh(edgeprof: Command, script: Script, server: Server) -> None:
    done = edgeprof("run", script(), *WORDS, "-f", "json", env=server.env)
    assert done.code == 0, done.err
    (row,) = json.loads(done.out)["rows"]
    assert row["metrics"]["decode_tps"]["value"] > 0
    removed = edgeprof("board", "clean", "board", "--board-python", sys.executable, env=server.env)
    assert (removed.code, removed.out) == (0, "board: removed\n")


def test_another_host_key_is_refused(edgeprof: Command, script: Script, server: Server) -> None:
    server.known_as("key")
    try:
        refused = only_refusal(edgeprof("run", script(), *WORDS, env=server.env))
    finally:
        server.known_as("host")
    assert refused == "board board: its host key is not the known one: compare it, then ssh-keygen -R board"


def test_a_host_key_that_was_never_seen(edgeprof: Command, script: Script, server: Server) -> None:
    server.knows_nobody()
    try:
        refused = only_refusal(edgeprof("run", script(), *WORDS, env=server.env))
    finally:
        server.known_as("host")
    assert refused == "board board: its host key is not known here: connect once by ssh board, and compare it"


def test_a_configuration_for_terminals(edgeprof: Command, server: Server) -> None:
    with server.configured("RemoteCommand tmux\nRequestTTY yes\nLocalForward 127.0.0.1:1 127.0.0.1:2\n"):
        done = edgeprof("doctor", "--on", "board", "--board-python", sys.executable, env=server.env)
    assert done.code == 0, done.err


def test_a_name_that_nobody_has(edgeprof: Command, script: Script, server: Server) -> None:
    words = ("--on", "no-such-board.invalid", "-p", "8", "-n", "4")
    refused = only_refusal(edgeprof("run", script(), *words, env=server.env))
    assert "no machine has this name" in refused
