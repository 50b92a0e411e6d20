"""Files of ours on a board: what is there, and what comes and goes."""

import glob
import hashlib
import os
import shutil
import zipfile
from typing import Any, Dict, Optional


def sha256(asked: Dict[str, Any]) -> Dict[str, Any]:
    """Of a file: its hash, and how many bytes it has."""
    digest, size = hashlib.sha256(), 0
    with open(asked["path"], "rb") as file:
        for piece in iter(lambda: file.read(1 << 20), b""):
            digest.update(piece)
            size += len(piece)
    return {"sha256": digest.hexdigest(), "bytes": size}


def sizes(asked: Dict[str, Any]) -> Dict[str, Optional[int]]:
    """How many bytes these files have; None for one that is not there."""
    return {path: os.path.getsize(path) if os.path.isfile(path) else None for path in asked["paths"]}


def put(asked: Dict[str, Any]) -> bool:
    """A small text file, whole or not at all."""
    folder({"path": os.path.dirname(asked["path"])})
    part = asked["path"] + ".part"
    try:
        with open(part, "w", encoding="utf-8") as file:
            file.write(asked["text"])
        os.replace(part, asked["path"])
    except OSError:
        if os.path.exists(part):
            os.unlink(part)
        raise
    return True


def folder(asked: Dict[str, Any]) -> bool:
    """A folder of our own, which nobody else may look into."""
    os.makedirs(asked["path"], mode=0o700, exist_ok=True)
    return True


def rename(asked: Dict[str, Any]) -> bool:
    """A file that has arrived gets its name."""
    os.replace(asked["path"], asked["to"])
    return True


def link(asked: Dict[str, Any]) -> bool:
    """Another name for a file beside it."""
    folder({"path": os.path.dirname(asked["path"])})
    if os.path.lexists(asked["path"]):
        os.unlink(asked["path"])
    os.symlink(asked["to"], asked["path"])
    return True


def unpack(asked: Dict[str, Any]) -> bool:
    """A wheel whose names the laptop has looked at takes the place of an earlier one; what describes it comes last."""
    target, info = asked["to"], asked["info"]
    part = os.path.join(target, ".unpacking")
    shutil.rmtree(part, ignore_errors=True)
    with zipfile.ZipFile(asked["path"]) as wheel:
        wheel.extractall(part)
    with open(os.path.join(part, asked["mark"]), "w"):
        pass
    for earlier in glob.glob(os.path.join(glob.escape(target), info.partition("-")[0] + "-*.dist-info")):
        shutil.rmtree(earlier)
    for name in sorted(os.listdir(part), key=lambda name: name == info):
        place = os.path.join(target, name)
        if os.path.isdir(place):
            shutil.rmtree(place)
        os.replace(os.path.join(part, name), place)
    os.rmdir(part)
    os.unlink(asked["path"])
    return True


def forget(asked: Dict[str, Any]) -> bool:
    """One file goes, and its folder if nothing is left there."""
    os.unlink(asked["path"])
    try:
        os.rmdir(os.path.dirname(asked["path"]))
    except OSError:
        pass  # others are there
    return True


def discard(asked: Dict[str, Any]) -> bool:
    """A folder of ours goes, with what lies in it."""
    shutil.rmtree(asked["path"], ignore_errors=True)
    return True
