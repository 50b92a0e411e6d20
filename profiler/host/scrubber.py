"""Takes out of texts what could name a person, or one single machine among its like."""

from __future__ import annotations

import getpass
import os
import re
import socket
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path

from profiler.host.kernel_files import UnreadableError, read_text

IDENTIFIERS = (
    "etc/machine-id",
    "var/lib/dbus/machine-id",
    "proc/device-tree/serial-number",
    "proc/sys/kernel/random/boot_id",
    "sys/class/dmi/id/*_serial",
    "sys/class/dmi/id/*_asset_tag",
    "sys/class/dmi/id/product_uuid",
    "sys/class/net/*/address",
    "sys/class/power_supply/*/serial_number",
    "sys/block/*/device/serial",
    "sys/block/*/device/wwid",
    "sys/bus/usb/devices/*/serial",
)
"""Files that are read only to know what must not be in any other; they are never taken themselves."""

HOST_NAMES = ("etc/hostname", "proc/sys/kernel/hostname")
USER_VARIABLES = ("USER", "LOGNAME", "SUDO_USER", "USERNAME")

USUAL_NAMES = frozenset(
    [
        "admin",
        "alarm",
        "android",
        "debian",
        "ec2-user",
        "fedora",
        "jetson",
        "linaro",
        "linux",
        "localdomain",
        "localhost",
        "nvidia",
        "orangepi",
        "pi",
        "radxa",
        "raspberrypi",
        "rock",
        "root",
        "runner",
        "ubuntu",
        "user",
        "none",
        "(none)",
    ]
)
"""Names that systems come with: they say nothing about anybody, and stand in the names of boards."""

MOST_OF_A_KIND = 256
FEWEST_SIGNS = 6

_HEX = r"[0-9a-f]"
_FIELD = rf"{_HEX}{{1,4}}"
PATTERNS = (
    ("uuid", rf"(?<![0-9a-z]){_HEX}{{8}}(-{_HEX}{{4}}){{3}}-{_HEX}{{12}}(?![0-9a-z])"),
    ("mac", rf"(?<![0-9a-z:]){_HEX}{{2}}([:_-]){_HEX}{{2}}(\1{_HEX}{{2}}){{4,6}}(?![0-9a-z:])"),
    ("ip", rf"(?<![0-9a-z:])({_FIELD}:){{3,7}}(:?{_FIELD}|:)(?![0-9a-z:])"),
    ("ip", rf"(?<![0-9a-z:])({_FIELD}(:{_FIELD}){{0,5}})?::({_FIELD}:){{0,5}}{_FIELD}(?![0-9a-z:])"),
    ("ip", r"(?<![\w.])(\d{1,3}\.){3}\d{1,3}(?![\w.])"),
    ("id", rf"(?<![0-9a-z])(?=\d*[a-f])(?=[a-f]*\d){_HEX}{{12,}}(?![0-9a-z])"),
)
"""Kind, and what looks like it: identifiers, addresses of hardware and network, long hexadecimal words."""

KEYED = re.compile(
    r"^([^\n:=]*\b(?:serial|uuid|udid|asset|host ?name|computer name|user name|password|secret)\b[^\n:=]*[:=])"
    r"[ \t]*[^\s\0].*$",
    re.IGNORECASE | re.MULTILINE,
)
"""Lines whose key alone says that the value must go."""


class Scrubber:
    """Replaces secrets, the same one always by the same word, and counts by kind how many different ones."""

    def __init__(self, known: Mapping[str, str]) -> None:
        """`known` has the kind of every secret that is known beforehand."""
        self._kinds = {secret.casefold(): kind for secret, kind in known.items()}
        self._words: dict[str, str] = {}
        self._patterns = [(kind, re.compile(text, re.IGNORECASE)) for kind, text in PATTERNS]
        if known:
            longest_first = sorted(map(re.escape, self._kinds), key=len, reverse=True)
            text = rf"(?<![0-9a-z])({'|'.join(longest_first)})(?![0-9a-z])"
            self._patterns.insert(0, ("name", re.compile(text, re.IGNORECASE)))

    def clean(self, text: str) -> str:
        """`text` with a word such as `mac-1` in place of every secret."""
        for kind, pattern in self._patterns:
            text = pattern.sub(self._replacement(kind), text)
        return KEYED.sub(lambda found: f"{found[1]} {self._word('value', found[0])}", text)

    def replaced(self) -> dict[str, int]:
        """How many different secrets of each kind were replaced so far."""
        return dict(sorted(Counter(word.rpartition("-")[0] for word in self._words.values()).items()))

    def _replacement(self, kind: str) -> Callable[[re.Match[str]], str]:
        return lambda found: self._word(kind, found[0])

    def _word(self, kind: str, secret: str) -> str:
        plain = secret.casefold()
        kind = self._kinds.get(plain, kind)
        if plain not in self._words:
            self._words[plain] = f"{kind}-{self.replaced().get(kind, 0) + 1}"
        return self._words[plain]


def secrets(root: Path, spared: Iterable[str] = ()) -> dict[str, str]:
    """What this user and the machine at `root` are called and numbered, by kind: none of it may come out.

    Left alone: the names that systems come with, and the words `spared`, which are no one's own.
    """
    common = USUAL_NAMES | {word.casefold() for word in spared}
    names = [name for name in _names(root) if len(name) > 1 and name.casefold() not in common]
    numbers = [text for pattern in IDENTIFIERS for text in _texts(root, pattern) if _tells_apart(text)]
    return dict.fromkeys(numbers, "id") | dict.fromkeys(names, "name")


def _names(root: Path) -> list[str]:
    hosts = [socket.gethostname(), *(text for name in HOST_NAMES for text in _texts(root, name))]
    users = [os.environ.get(name, "") for name in USER_VARIABLES]
    with suppress(OSError, KeyError, ImportError):
        users.append(getpass.getuser())
    with suppress(RuntimeError):
        users.append(Path.home().name)
    return [part for host in hosts for part in (host, host.partition(".")[0])] + users


def _texts(root: Path, pattern: str) -> list[str]:
    """The first lines of the files that match, without those that cannot be read."""
    found = []
    with suppress(OSError):
        for path in islice(sorted(root.glob(pattern)), MOST_OF_A_KIND):
            with suppress(UnreadableError):
                found.append(
                    read_text(root, path.relative_to(root).as_posix()).strip().partition("\n")[0].strip()
                )
    return found


def _tells_apart(text: str) -> bool:
    """Not for placeholders such as `Default string` and a row of zeros."""
    return len(text) >= FEWEST_SIGNS and bool(re.search(r"[1-9]", text))
