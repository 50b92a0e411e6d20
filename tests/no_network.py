"""Code for a child process that tells when a socket of a network is asked for: by Python, C++, a thread or a fork."""

from __future__ import annotations

import platform
import sys

import pytest

ASKED = "a socket of a network was asked for"
"""What the child says on standard error."""

_SOCKET = {"x86_64": 41, "aarch64": 198}
"""The number of the system call."""

_FORBID = """
import ctypes, os, signal, struct
signal.signal(signal.SIGSYS, lambda *_: os.write(2, b"{asked}\\n"))
def _step(code, value, met=0, missed=0):
    return struct.pack("HBBI", code, met, missed, value)
_LOAD, _EQUAL, _RETURN, _NUMBER, _FAMILY = 0x20, 0x15, 0x06, 0, 16
_steps = [
    _step(_LOAD, _NUMBER), _step(_EQUAL, {number}, 0, 3),
    _step(_LOAD, _FAMILY), _step(_EQUAL, 2, 2, 0), _step(_EQUAL, 10, 1, 0),
    _step(_RETURN, 0x7FFF0000), _step(_RETURN, 0x00030000),
]
_filter = ctypes.create_string_buffer(b"".join(_steps))
_program = struct.pack("HxxxxxxP", len(_steps), ctypes.addressof(_filter))
_prctl = ctypes.CDLL(None, use_errno=True).prctl
assert _prctl(38, 1, 0, 0, 0) == 0
assert _prctl(22, 2, ctypes.c_char_p(_program), 0, 0) == 0, ctypes.get_errno()
"""


def forbidding() -> str:
    """Lines to run first. No such socket comes to be (seccomp). Skips where the kernel has no such thing."""
    number = _SOCKET.get(platform.machine())
    if sys.platform != "linux" or number is None:
        pytest.skip("system calls are forbidden in Linux's way")
    return _FORBID.replace("{number}", str(number)).replace("{asked}", ASKED)
