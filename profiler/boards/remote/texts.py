"""What a board's kernel files and programs say."""

import glob
import os
import shutil
import subprocess
import threading
from typing import Any, Dict, Optional

from profiler.boards.remote.moment import anchor

LONGEST_TEXT = 1 << 20
MOST_FILES = 4000
PROGRAM_S = 5.0


def texts(asked: Dict[str, Any]) -> Dict[str, Any]:
    """Kernel files that these patterns below the root match, and what these programs print."""
    root = asked["root"]
    found: Dict[str, str] = {}
    for pattern in asked["patterns"]:
        for path in sorted(glob.glob(os.path.join(root, pattern)))[:MOST_FILES]:
            content = text(path)
            if content is not None and len(found) < MOST_FILES:
                found[os.path.relpath(path, root)] = content
    for name, program in asked["programs"].items():
        content = printed(program) if root == "/" else None
        if content is not None:
            found[name] = content
    return {"files": found, "anchor": anchor()}


def text(path: str) -> Optional[str]:
    """Of a file; None where it cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read(LONGEST_TEXT).decode("utf-8", "replace")
    except OSError:
        return None


def printed(program: Dict[str, Any]) -> Optional[str]:
    """All that a program prints, or its first line if it never ends by itself."""
    command, first_line = program["command"], program["first_line"]
    path = shutil.which(command[0])
    if path is None:
        return None
    try:
        process = subprocess.Popen(
            [path, *command[1:]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        return None
    timer = threading.Timer(PROGRAM_S, process.kill)
    timer.start()
    assert process.stdout is not None
    try:
        said = process.stdout.readline(LONGEST_TEXT) if first_line else process.stdout.read(LONGEST_TEXT)
    finally:
        timer.cancel()
        if first_line:
            process.kill()
        process.stdout.close()
        ended = process.wait()
    return said.decode("utf-8", "replace") if first_line or ended == 0 else None
