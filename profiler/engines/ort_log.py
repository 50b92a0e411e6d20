"""What ONNX Runtime logs while it does one thing: the exception rarely names the cause, the log does.

The log goes to standard error, which of a worker is a file: it is read from where it ended before.
"""

import os
import re
import stat
from typing import Optional

_ERROR = re.compile(r"\[E:onnxruntime:[^\]]*\] (.*?)(?:\x1b\[m)?$", re.MULTILINE)
_INVALID = re.compile(r"\[W:onnxruntime:[^\]]* Parse\w+\] (Invalid .*?)(?:\x1b\[m)?$", re.MULTILINE)
_GENERAL = ("fallback to CPU EP has been explicitly disabled",)
_LEADS = ("QNN SetupBackend failed ",)
NOT_LOADED = "Failed to load library"
UNSUPPORTED = "Unsupported nodes in QNN EP"
MOST_KINDS = 5
MOST_BYTES = 1 << 20


def mark() -> Optional[int]:
    """Where standard error ends now; None where it is no file."""
    try:
        found = os.fstat(2)
    except OSError:
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def since(begin: Optional[int]) -> str:
    """What was written there after `begin`; nothing where that cannot be read."""
    if begin is None:
        return ""
    try:
        return os.pread(2, MOST_BYTES, begin).decode("utf-8", "replace")
    except OSError:
        return ""


def cause(text: str) -> Optional[str]:
    """The first error of a log that says more than that something was not done."""
    for found in (*_ERROR.findall(text), *_INVALID.findall(text)):
        sentence = found.strip().rstrip(", ")
        if not any(word in sentence for word in _GENERAL):
            for lead in _LEADS:
                sentence = sentence[len(lead) :] if sentence.startswith(lead) else sentence
            return _unsupported(sentence) or str(sentence.rsplit(" : ", 1)[-1])
    return None


def _unsupported(sentence: str) -> Optional[str]:
    """A list of nodes as the kinds of them."""
    if not sentence.startswith(UNSUPPORTED):
        return None
    kinds = list(dict.fromkeys(re.findall(r"type: (\w+)", sentence)))
    more = f" and {len(kinds) - MOST_KINDS} more" if len(kinds) > MOST_KINDS else ""
    return f"{UNSUPPORTED}: {', '.join(kinds[:MOST_KINDS])}{more}"
