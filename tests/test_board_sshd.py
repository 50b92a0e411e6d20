"""The same over OpenSSH's own server on this machine: keys, host keys, and what it says."""

from __future__ import annotations

import getpass
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Command, Script, only_refusal

SSHD = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")

pytestmark = pytest.mark.skipif(SSHD is None, reason="there is no sshd here: make sshd")

CONFIG = """Host board
  HostName 127.0.0.1
  Port {port}
  User {user}
  IdentityFile {folder}/key
  IdentitiesOnly yes
  UserKnownHostsFile {folder}/known_hosts
"""
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
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A server with keys of its own; in its folder an `ssh` that knows how to reach it."""
    folder = tmp_path_factory.mktemp("sshd")
    for name in ("host", "key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = {
        "Port": port,
        "ListenAddress": "127.0.0.1",
        "HostKey": folder / "host",
        "AuthorizedKeysFile": folder / "key.pub",
        "StrictModes": "no",
        "UsePAM": "no",
        "PidFile": "none",
    }
    (folder / "sshd_config").write_text("".join(f"{name} {value}\n" for name, value in options.items()))
    (folder / "config").write_text(CONFIG.format(port=port, user=getpass.getuser(), folder=folder))
    _trust(folder, port, (folder / "host.pub").read_text())
    (folder / "bin").mkdir()
    (folder / "bin/ssh").write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {folder}/config "$@"\n')
    (folder / "bin/ssh").chmod(0o755)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    with subprocess.Popen(
        [str(SSHD), "-D", "-e", "-f", folder / "sshd_config"], stderr=subprocess.DEVNULL
    ) as process:
        _wait_for(port)
        tried = subprocess.run(
            [folder / "bin/ssh", "-o", "BatchMode=yes", "board", "true"], capture_output=True, check=False
        )
        if tried.returncode:
            process.terminate()
            pytest.skip(f"sshd lets nobody in here: {tried.stderr[-200:]!r}")
        yield folder
        process.terminate()


def _trust(folder: Path, port: int, key: str) -> None:
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {key}")


def _wait_for(port: int) -> None:
    for _ in range(100):
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail("sshd does not listen")


@pytest.fixture
def reach(server: Path) -> dict[str, str]:
    """An environment in which our `ssh` is found first."""
    return {"PATH": f"{server}/bin{os.pathsep}{os.environ['PATH']}"}


def test_a_run_over_ssh(edgeprof: Command, script: Script, reach: dict[str, str]) -> None:
    done = edgeprof("run", script(), *WORDS, "-f", "json", env=reach)
    assert done.code == 0, done.err
    (row,) = json.loads(done.out)["rows"]
    assert row["metrics"]["decode_tps"]["value"] > 0
    removed = edgeprof("board", "clean", "board", "--board-python", sys.executable, env=reach)
    assert (removed.code, removed.out) == (0, "board: removed\n")


def test_another_host_key_is_refused(
    edgeprof: Command, script: Script, server: Path, reach: dict[str, str]
) -> None:
    known = (server / "known_hosts").read_text()
    port = int(known.partition("]:")[2].split()[0])
    _trust(server, port, (server / "key.pub").read_text())
    try:
        refused = only_refusal(edgeprof("run", script(), *WORDS, env=reach))
    finally:
        (server / "known_hosts").write_text(known)
    assert refused == "board board: its host key is not the known one: compare it, then ssh-keygen -R board"


def test_a_name_that_nobody_has(edgeprof: Command, script: Script, reach: dict[str, str]) -> None:
    words = ("--on", "no-such-board.invalid", "-p", "8", "-n", "4")
    refused = only_refusal(edgeprof("run", script(), *words, env=reach))
    assert "no machine has this name" in refused
