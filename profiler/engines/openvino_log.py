"""What OpenVINO prints of the models it compiles: the only place where it tells what became of what was asked."""

import os
import re
import tempfile
from typing import Any, Callable, Dict, Tuple

VARIABLE, LEVEL = "OPENVINO_LOG_LEVEL", "2"
"""From this level on GenAI prints the properties of every model it compiles, and nothing while it generates."""

MODEL = "model"
_BEGINS = "Model: "
_PROPERTY = re.compile(r"  ([A-Z_]+): (.*)\Z")
_STANDARD_OUTPUT = 1


def printed_by(action: Callable[[], Any]) -> Tuple[Any, str]:
    """The result of `action`, and what native code printed meanwhile."""
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as file:
        kept = os.dup(_STANDARD_OUTPUT)
        os.dup2(file.fileno(), _STANDARD_OUTPUT)
        try:
            result = action()
        finally:
            os.dup2(kept, _STANDARD_OUTPUT)
            os.close(kept)
        file.seek(0)
        return result, file.read()


def compiled(text: str) -> Dict[str, str]:
    """The properties of the model that was compiled last, and its name as `model`; empty if none was told of.

    The tokenizer and the detokenizer are models too, and come first.
    """
    found: Dict[str, str] = {}
    for line in text.splitlines():
        if line.startswith(_BEGINS):
            found = {MODEL: line[len(_BEGINS) :].strip()}
        named = _PROPERTY.match(line)
        if named and found:
            found[named[1]] = named[2].strip()
    return found
