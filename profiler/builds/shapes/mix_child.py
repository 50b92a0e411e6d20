"""Asks llama.cpp, in a process of its own, which storage type each tensor gets, and prints it as JSON.

It is started by path with the path of a GGUF file and the numbers of file types, and imports nothing of ours. A dry
run of the quantizer reads no weights and logs one line for each tensor.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import sys
from typing import Any

LINE = re.compile(r"\[ *\d+/ *\d+\] +(\S+) +- \[[^\]]*\], type = *(\w+),[^\n]*?(?:\((\w+)\))?\n")
WANTS_MATRIX = "will require an imatrix"
CONTINUED = 5


def planned(path: str, file_type: int, with_matrix: bool) -> tuple[dict[str, str], str]:
    """The type of each tensor by name, and all that the quantizer logged."""
    import llama_cpp.llama_cpp as lib

    log: list[str] = []
    callback = lib.llama_log_callback(lambda _level, text, _data: log.append(text.decode("utf-8", "replace")))
    lib.llama_log_set(callback, ctypes.c_void_p(0))
    wanted = lib.llama_model_quantize_default_params()
    wanted.ftype, wanted.dry_run = file_type, True
    kept = _matrix(lib) if with_matrix else None
    if kept is not None:
        wanted.imatrix = kept[0]
    failed = lib.llama_model_quantize(os.fsencode(path), os.fsencode(os.devnull), ctypes.byref(wanted))
    text = "".join(log)
    if failed:
        raise ValueError(text.strip().splitlines()[-1] if text.strip() else "llama.cpp gave no reason")
    return {name: (new or old).upper() for name, old, new in LINE.findall(text)}, text


def _matrix(lib: Any) -> tuple[Any, Any]:
    """An importance matrix with nothing in it: mixes that cannot be written without one differ where there is one."""
    one = (ctypes.c_float * 1)(1.0)
    entries = (lib.llama_model_imatrix_data * 2)()
    entries[0].name, entries[0].data, entries[0].size = b"none", one, 1
    return entries, one


def answer(path: str, file_type: int) -> dict[str, Any]:
    """The types of one mix, or an object with an error."""
    try:
        types, log = planned(path, file_type, with_matrix=False)
        if WANTS_MATRIX in log:
            types, _ = planned(path, file_type, with_matrix=True)
        return {"types": types}
    except Exception as error:  # the bindings may raise anything; their words are the answer
        return {"error": f"{type(error).__name__}: {error}"[:200]}


def main() -> None:
    """Print a line for each file type."""
    for number in sys.argv[2:]:
        print(json.dumps(answer(sys.argv[1], int(number))), flush=True)


if __name__ == "__main__":
    main()
