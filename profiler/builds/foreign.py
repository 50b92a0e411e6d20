"""Names what a file that is not GGUF most likely is, from its first bytes, and what to do about it."""

from __future__ import annotations

import struct

HEAD_BYTES = 512
MAX_SAFETENSORS_HEADER = 100_000_000

OLD_GGML_MAGICS = (b"ggml", b"ggmf", b"ggjt", b"ggla", b"ggsn")

PREFIXES = (
    (b"PK\x03\x04", "a zip archive (PyTorch checkpoints are zip archives): convert it to GGUF first"),
    (b"\x80", "a Python pickle (an old PyTorch checkpoint): convert it to GGUF first"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself: fetch it with `git lfs pull`"),
    (b"\x1f\x8b", "a gzip archive: unpack it first"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive: unpack it first"),
    (b"\x89HDF", "an HDF5 file: convert the model to GGUF first"),
)

ONNX = "an ONNX model: give the folder that holds it"
SAFETENSORS = "a safetensors file: convert it to GGUF first"
OLD_GGML = "a GGML file from before GGUF (2023): convert the original model to GGUF"
WEB_PAGE = "a web page: the download failed or needs a sign-in, fetch the file again"
JSON_TEXT = "a JSON text: give the weights file, not its description"
ZEROS = "all zero bytes at its start: the download is incomplete, fetch the file again"


def likeness(head: bytes) -> str | None:
    """What `head`, the first HEAD_BYTES of a file, looks like and what to do; None when unknown."""
    for prefix, answer in PREFIXES:
        if head.startswith(prefix):
            return answer
    if head[:4] in OLD_GGML_MAGICS or head[:4][::-1] in OLD_GGML_MAGICS:
        return OLD_GGML
    if _is_safetensors(head):
        return SAFETENSORS
    if _is_onnx(head):
        return ONNX
    if not any(head):
        return ZEROS
    return _text_likeness(head.lstrip().lower())


def _text_likeness(text: bytes) -> str | None:
    if text.startswith((b"<!doctype", b"<html", b"<head", b"<?xml")):
        return WEB_PAGE
    return JSON_TEXT if text.startswith(b"{") else None


def _is_safetensors(head: bytes) -> bool:
    """Safetensors: a u64 header length, then a JSON object."""
    return len(head) > 8 and head[8:9] == b"{" and struct.unpack("<Q", head[:8])[0] <= MAX_SAFETENSORS_HEADER


def _is_onnx(head: bytes) -> bool:
    """ONNX ModelProto: field 1 (ir_version, a small varint), then one of the length-delimited 2 to 8."""
    return len(head) > 2 and head[0] == 0x08 and head[1] < 32 and head[2] in range(0x12, 0x43, 0x08)
