"""A board for tests: an `ssh` of our own that runs what it is given here, in a home of its own, and can be cut off."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import board_replay

SSH = """#!/bin/sh
# ssh OPTIONS -- HOST COMMAND: as OpenSSH does, the command goes to a shell, in the board's home.
while [ "$1" != "--" ]; do shift; done
host="$2"; shift 2
[ -e "{home}/said" ] && {{ cat "{home}/said" >&2; exit 255; }}
case "$1" in dd*) [ -e "{home}/full" ] && {{ echo "dd: error writing: No space left on device" >&2; exit 1; }};; esac
case "$1" in exec*)
  [ -e "{home}/greeting" ] && cat "{home}/greeting"
  echo $$ > "{home}/agent"
  tree="{home}/tree-$host"
  [ -e "$tree" ] || tree="{home}/tree"
  [ -e "$tree" ] && set -- "exec {python} -u {replay} agent $(cat "$tree")";;
esac
[ "$host" = "gone@board" ] && {{ echo "ssh: Could not resolve hostname board" >&2; exit 255; }}
echo "$host" >> "{home}/visits"
export HOME="{home}"
unset XDG_CACHE_HOME XDG_DATA_HOME
cd "{home}" && exec sh -c "$*"
"""


class FakeBoard:
    """`home` is its home folder, `env` what finds our ssh first, `words` what reaches it.

    With a `tree`, its kernel files are those.
    """

    def __init__(self, folder: Path, tree: Path | None = None) -> None:
        self.home, programs = folder / "board-home", folder / "bin"
        self.home.mkdir()
        programs.mkdir()
        ssh = programs / "ssh"
        replay = board_replay.__file__
        ssh.write_text(SSH.format(home=self.home, python=sys.executable, replay=replay))
        ssh.chmod(0o755)
        self.env = {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
        self.words = ("--on", "pi@board", "--board-python", sys.executable)
        if tree is not None:
            (self.home / "tree").write_text(str(tree))

    @property
    def folder(self) -> Path:
        """What edgeprof put there."""
        return self.home / ".cache" / "edgeprof-board"

    def is_at(self, host: str, tree: Path) -> None:
        """Under this name there is another board, whose kernel files are these."""
        (self.home / f"tree-{host}").write_text(str(tree))

    def has_here(self, program: str) -> None:
        """The machine that asks has this program; the board has not."""
        path = Path(self.env["PATH"].partition(os.pathsep)[0]) / program
        path.write_text("#!/bin/sh\nexit 1\n")
        path.chmod(0o755)

    def fills_up(self) -> None:
        """From now on nothing can be written there."""
        (self.home / "full").touch()

    def agent(self) -> int:
        """The process id of the agent that was started last; 0 before the first."""
        noted = self.home / "agent"
        return int(noted.read_text() or 0) if noted.is_file() else 0

    def greets(self, said: str) -> None:
        """From now on a login script says this first."""
        (self.home / "greeting").write_text(said)

    def refuses(self, said: str) -> None:
        """From now on ssh says this and ends."""
        (self.home / "said").write_text(said)


def until(true: Callable[[], bool]) -> None:
    """Waits; the test fails if it never comes to that."""
    for _ in range(600):
        if true():
            return
        time.sleep(0.05)
    pytest.fail("it did not come to that")
