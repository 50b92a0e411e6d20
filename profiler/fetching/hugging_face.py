"""Where a file of Hugging Face lies and what it must be. The address of the hub is that of HF_ENDPOINT.

A token is found by `huggingface_hub`, as its user set it up, and goes to that address alone.
"""

from __future__ import annotations

import logging
import re

from huggingface_hub import get_hf_file_metadata, hf_hub_url
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.file_download import HfFileMetadata
from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

from profiler.errors import UserError
from profiler.fetching.download import Place
from profiler.fetching.words import Expected, HubFile

LOGIN = "ask for access on its page at Hugging Face, then type `hf auth login`"
_SHA256 = re.compile(r"[0-9a-f]{64}")


def locate(file: HubFile, timeout_s: float) -> tuple[Place, Expected]:
    """Where the file lies in the newest commit of its revision, and what Hugging Face states of it.

    It states the hash of large files only. Raises `UserError` when there is no such file for this user.
    """
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    stated = _stated(file, timeout_s)
    headers = build_hf_headers(library_name="edgeprof")
    place = Place(
        address=hf_hub_url(file.repo, file.file, revision=stated.commit_hash or file.revision),
        secret={name: value for name, value in headers.items() if name.lower() == "authorization"},
        login=LOGIN,
    )
    is_hash = stated.etag is not None and _SHA256.fullmatch(stated.etag)
    return place, Expected(
        size_bytes=stated.size, sha256=stated.etag if is_hash else None, authority="hugging_face"
    )


def _stated(file: HubFile, timeout_s: float) -> HfFileMetadata:
    try:
        address = hf_hub_url(file.repo, file.file, revision=file.revision)
        return get_hf_file_metadata(address, timeout=timeout_s, library_name="edgeprof")
    except OfflineModeIsEnabled:
        raise UserError(
            "the variable HF_HUB_OFFLINE forbids asking Hugging Face: unset it to fetch"
        ) from None
    except HfHubHTTPError as error:
        raise UserError(_refusal(file, error)) from None
    except HFValidationError:
        raise UserError(f"Hugging Face has no repository with such a name: {file.repo}") from None
    # A connection that fails raises whatever the HTTP client of the installed version raises.
    except Exception as error:
        raise UserError(
            f"Hugging Face cannot be reached ({type(error).__name__}): check the connection, or HF_ENDPOINT"
        ) from None


def _refusal(file: HubFile, error: HfHubHTTPError) -> str:
    """What the hub's refusal means, and what to type. The words of the library name tokens; ours never do."""
    status = error.response.status_code if error.response is not None else None
    match error:
        case GatedRepoError():
            return f"{file.repo} is not open to everybody: {LOGIN}"
        case RepositoryNotFoundError():
            return (
                f"Hugging Face shows no repository {file.repo}: check its name, or if it is private "
                "type `hf auth login`"
            )
        case RevisionNotFoundError():
            return f"{file.repo} has no revision {file.revision or 'main'}: check what stands after the @"
        case EntryNotFoundError():
            return f"{file.repo} has no file {file.file}: see the list of its files at Hugging Face"
    if status in (401, 403):
        return f"Hugging Face refuses {file.repo} (status {status}): {LOGIN}"
    return f"Hugging Face answered with status {status}: try again later"
