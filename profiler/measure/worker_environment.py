"""The environment that every worker gets: known, recorded, silent."""

from __future__ import annotations

import re
from collections.abc import Mapping

SET = {
    "ORT_DISABLE_TELEMETRY": "1",
    "GGML_NO_BACKTRACE": "1",
    "HF_HUB_OFFLINE": "1",
    "LC_ALL": "C.UTF-8",
    "PYTHONDONTWRITEBYTECODE": "1",
}
"""What is always set: no telemetry, no debugger started by an abort, no hub, one locale."""

SYSTEM = (
    "PATH",
    "HOME",
    "TMPDIR",
    "TEMP",
    "TMP",
    "SYSTEMROOT",
    "USERPROFILE",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
)
"""What a process needs to start and find libraries. Never recorded: they hold paths of this machine."""

ENGINE_PREFIXES = ("GGML_", "LLAMA_", "CUDA_", "NVIDIA_", "VK_", "HIP_", "ROCR_", "ORT_", "OPENVINO_", "QNN_")
"""What a user sets on purpose to steer an engine. Passed on and recorded."""

_SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL")
_SERIAL = re.compile(r"\b(GPU|MIG)-[0-9a-f][0-9a-f-]+")


def worker_environment(own: Mapping[str, str]) -> dict[str, str]:
    """The worker's environment, from the parent's `own`: nothing else gets through, no stray OMP_* either."""
    kept = {name: own[name] for name in SYSTEM if name in own}
    return kept | _steering(own) | SET


def recorded(own: Mapping[str, str]) -> dict[str, str]:
    """What the run file says of that environment: of a path its last part, of a card not its serial number."""
    shown = {name: _SERIAL.sub(r"\1-...", _without_path(value)) for name, value in _steering(own).items()}
    return dict(sorted((shown | SET).items()))


def _steering(own: Mapping[str, str]) -> dict[str, str]:
    """The user's settings for engines. A service's key with such a name is none, and is not passed on."""
    return {
        name: value
        for name, value in own.items()
        if name.startswith(ENGINE_PREFIXES) and not _SECRET.search(name)
    }


def _without_path(value: str) -> str:
    if "/" not in value and "\\" not in value:
        return value
    return ".../" + value.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
