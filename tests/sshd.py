"""OpenSSH's own server on this machine, another user of it, and what may happen to both."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from tests.boards import until

SSHD = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
USERADD = shutil.which("useradd", path=f"{os.environ['PATH']}:/usr/sbin")
OLD_PYTHON = Path(os.environ.get("EDGEPROF_OLD_PYTHON", "/opt/edgeprof/python3.9")) / "python3.9"

CONFIG = """Host board
  HostName 127.0.0.1
  Port {port}
  User {user}
  IdentityFile {folder}/key
  IdentitiesOnly yes
  UserKnownHostsFile {folder}/known_hosts
"""

SSH = """#!/bin/sh
# As OpenSSH; what lies in {folder}/copying happens before a file is copied.
ssh="{ssh} -F {folder}/config"
for last; do :; done
case "$last" in "dd "*) [ -e {folder}/copying ] && . {folder}/copying;; esac
exec $ssh "$@"
"""

SLOWLY = """{{ head -c {first}; while [ -e {folder}/copying ]; do sleep 0.05; done; cat; }} | $ssh "$@"
exit
"""


class Server:
    """A server with keys of its own. `env` is an environment in which an `ssh` is found that reaches it as `board`.

    With `mounts`, commands that mount something, it has a view of its own of this machine's disks.
    """

    def __init__(self, folder: Path, user: str, mounts: str = "") -> None:
        self._folder, self._port, self._mounts = folder, _free_port(), mounts
        self._process: subprocess.Popen[bytes] | None = None
        for name in ("host", "key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
        options = {
            "Port": self._port,
            "ListenAddress": "127.0.0.1",
            "HostKey": folder / "host",
            "AuthorizedKeysFile": f"{folder}/key.pub .ssh/authorized_keys",
            "StrictModes": "no",
            "UsePAM": "no",
            "PidFile": "none",
        }
        (folder / "sshd_config").write_text("".join(f"{name} {value}\n" for name, value in options.items()))
        (folder / "config").write_text(CONFIG.format(port=self._port, user=user, folder=folder))
        self.known_as("host")
        ssh = folder / "bin/ssh"
        ssh.parent.mkdir()
        ssh.write_text(SSH.format(ssh=shutil.which("ssh"), folder=folder))
        ssh.chmod(0o755)
        self.env = {"PATH": f"{ssh.parent}{os.pathsep}{os.environ['PATH']}"}

    @property
    def key(self) -> str:
        """What lets us in."""
        return (self._folder / "key.pub").read_text()

    def known_as(self, key: str) -> None:
        """From now on this is the host key that our ssh knows: `host`, or another one."""
        (self._folder / "known_hosts").write_text(
            f"[127.0.0.1]:{self._port} {(self._folder / f'{key}.pub').read_text()}"
        )

    def knows_nobody(self) -> None:
        """From now on our ssh knows no host key."""
        (self._folder / "known_hosts").write_text("")

    @contextmanager
    def configured(self, lines: str) -> Iterator[None]:
        """Our ssh has these lines in its configuration too."""
        file = self._folder / "config"
        before = file.read_text()
        file.write_text(lines + before)
        try:
            yield
        finally:
            file.write_text(before)

    def start(self) -> None:
        """It listens."""
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        command = [str(SSHD), "-D", "-e", "-f", str(self._folder / "sshd_config")]
        if self._mounts:
            command = ["unshare", "--mount", "sh", "-c", f'{self._mounts} && exec "$@"', "sh", *command]
        self._process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        until(self._listens)

    def _listens(self) -> bool:
        with socket.socket() as tried:
            return tried.connect_ex(("127.0.0.1", self._port)) == 0

    def stop(self) -> None:
        """It listens no more, and all connections end."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)
            self.cut_off()
            self._process.kill()
            self._process.wait()
            self._process = None

    def cut_off(self) -> None:
        """All connections end at once. What the board runs is not told."""
        if self._process is not None:
            for process in psutil.Process(self._process.pid).children(recursive=True):
                with suppress(psutil.Error):
                    if process.name().startswith("sshd"):
                        process.kill()

    def seen(self, path: Path) -> Path:
        """A path on its disks, as we see it."""
        assert self._process is not None
        return Path(f"/proc/{self._process.pid}/root{path}")

    def when_copying(self, commands: str) -> None:
        """These happen before each file that is copied from now on."""
        (self._folder / "copying").write_text(commands)

    def copies_only(self, first: int) -> None:
        """The next copy stands still after so many bytes, until `copies_all`."""
        self.when_copying(SLOWLY.format(first=first, folder=self._folder))

    def copies_all(self) -> None:
        """Nothing happens before a copy any more."""
        (self._folder / "copying").unlink(missing_ok=True)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


@contextmanager
def serving(folder: Path, user: str, mounts: str = "") -> Iterator[Server]:
    """A server that lets us in."""
    made = Server(folder, user, mounts)
    made.start()
    try:
        yield made
    finally:
        made.stop()


@contextmanager
def another_user() -> Iterator[tuple[str, Path]]:
    """A user of this machine who was not there before, and will not be there afterwards: name and home."""
    name = f"edgeprof-{os.getpid()}"
    home = Path("/home", name)
    subprocess.run(
        [str(USERADD), "--create-home", "--shell", "/bin/sh", "--home-dir", home, name], check=True
    )
    try:
        subprocess.run(["usermod", "-p", "*", name], check=True)
        yield name, home
    finally:
        subprocess.run(["userdel", "--force", "--remove", name], check=True, capture_output=True)
