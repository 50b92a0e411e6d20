"""Hugging Face, played by a server on this machine: what it states, what it refuses, and where a token goes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Command, Outcome, only_refusal
from tests.fetch_server import CONTENT, SHA256, Server, announcing, redirect, serving, status, whole

COMMIT = "0123456789abcdef0123456789abcdef01234567"
FILE = "/owner/name/resolve/main/m.bin"
PINNED = f"/owner/name/resolve/{COMMIT}/m.bin"
TOKEN = "hf_secretsecretsecretsecretsecret"

Fetch = Callable[..., Outcome]


@pytest.fixture
def hub() -> Iterator[Server]:
    with serving() as found:
        yield found


@pytest.fixture
def storage() -> Iterator[Server]:
    """Where large files lie: another server than the hub."""
    with serving() as found:
        found.routes["/blob"] = whole()
        yield found


@pytest.fixture
def large(hub: Server, storage: Server) -> None:
    """The hub has one large file, whose size and hash it states."""
    told = {
        "X-Repo-Commit": COMMIT,
        "X-Linked-Etag": f'"{SHA256}"',
        "X-Linked-Size": str(len(CONTENT)),
    }
    hub.routes[FILE] = hub.routes[PINNED] = redirect(storage.at("/blob?signature=1"), headers=told)


@pytest.fixture
def fetch(edgeprof: Command, hub: Server, tmp_path: Path) -> Fetch:
    """`edgeprof fetch hf:...` from our hub, as a user with a token."""

    def call(word: str = "hf:owner/name/m.bin", *more: str, **env: str) -> Outcome:
        own = {
            "HF_ENDPOINT": hub.at(""),
            "HF_HOME": str(tmp_path / "hf"),
            "HF_TOKEN": TOKEN,
            "HF_HUB_OFFLINE": "0",
            "NO_PROXY": "127.0.0.1",
        }
        return edgeprof("fetch", word, *more, env=own | env)

    return call


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "edgeprof" / "models"


def test_large_file_is_verified_against_what_the_hub_states(large: None, fetch: Fetch, models: Path) -> None:
    done = fetch()
    assert (done.code, done.err) == (0, "")
    assert "The hash is the one that Hugging Face states." in done.out
    assert (models / "m.bin").read_bytes() == CONTENT
    record = json.loads((models / "m.bin.edgeprof.json").read_text())
    assert (record["source"], record["verified_against"]) == ("hf:owner/name/m.bin", "hugging_face")


def test_second_time_the_hub_is_not_asked(large: None, fetch: Fetch, hub: Server) -> None:
    fetch()
    asked = len(hub.requests)
    assert "It was there already, intact" in fetch().out
    assert len(hub.requests) == asked


def test_file_is_that_of_one_commit(large: None, fetch: Fetch, hub: Server) -> None:
    fetch()
    assert [(request.method, request.path) for request in hub.requests] == [("HEAD", FILE), ("GET", PINNED)]


def test_revision_is_asked_for(fetch: Fetch, hub: Server) -> None:
    told = {"X-Repo-Commit": COMMIT, "ETag": '"small"', "Content-Length": str(len(CONTENT))}
    hub.routes["/owner/name/resolve/v1/onnx/m.bin"] = announcing(told)
    hub.routes[f"/owner/name/resolve/{COMMIT}/onnx/m.bin"] = whole()
    assert fetch("hf:owner/name@v1/onnx/m.bin").code == 0


def test_small_file_whose_hash_the_hub_does_not_state_is_said_to_be_unverified(
    fetch: Fetch, hub: Server
) -> None:
    told = {"X-Repo-Commit": COMMIT, "ETag": f'"{COMMIT}"', "Content-Length": str(len(CONTENT))}
    hub.routes[FILE], hub.routes[PINNED] = announcing(told), whole()
    assert "was not verified against anything" in fetch().out


def test_token_goes_to_the_hub_alone_and_is_neither_shown_nor_stored(
    large: None, fetch: Fetch, hub: Server, storage: Server, tmp_path: Path
) -> None:
    done = fetch("hf:owner/name/m.bin", "-f", "json")
    assert {request.headers.get("authorization") for request in hub.requests} == {f"Bearer {TOKEN}"}
    assert {request.headers.get("authorization") for request in storage.requests} == {None}
    assert TOKEN not in done.out + done.err
    assert not [
        path for path in tmp_path.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()
    ]


def test_who_asks_is_not_described(large: None, fetch: Fetch, hub: Server) -> None:
    fetch()
    assert not [request for request in hub.requests if "torch" in request.headers["user-agent"]]
    assert not [request for request in hub.requests if "agent/" in request.headers["user-agent"]]


def test_download_that_breaks_off_is_taken_up(
    large: None, fetch: Fetch, storage: Server, models: Path
) -> None:
    storage.routes["/blob"] = whole(etag=None, ends={0: 100_000})
    assert fetch().code == 0
    assert (models / "m.bin").read_bytes() == CONTENT
    assert storage.requests[-1].headers["range"] == "bytes=100000-"


def test_storage_that_sends_another_file_is_refused(
    large: None, fetch: Fetch, storage: Server, models: Path
) -> None:
    storage.routes["/blob"] = whole(bytes(len(CONTENT)))
    assert f"not {SHA256} as Hugging Face states: it was deleted" in only_refusal(fetch())
    storage.routes["/blob"] = whole(CONTENT[:-1])
    assert "announces 299,999 bytes for m.bin, and Hugging Face states 300,000" in only_refusal(fetch())
    assert list(models.iterdir()) == []


def test_hash_of_the_user_that_the_hub_contradicts_is_refused_before_the_download(
    large: None, fetch: Fetch, storage: Server
) -> None:
    sentence = only_refusal(fetch("hf:owner/name/m.bin", "--sha256", "0" * 64))
    assert sentence.startswith(f"--sha256 states the sha256 {'0' * 64} and Hugging Face {SHA256}")
    assert storage.requests == []


@pytest.mark.parametrize(
    ("code", "headers", "found"),
    [
        (
            403,
            {"X-Error-Code": "GatedRepo"},
            "owner/name is not open to everybody: ask for access on its page",
        ),
        (401, {"X-Error-Code": "GatedRepo"}, "then type `hf auth login`"),
        (
            401,
            {"X-Error-Code": "RepoNotFound"},
            "shows no repository owner/name: check its name, or if it is private",
        ),
        (404, {"X-Error-Code": "RepoNotFound"}, "shows no repository owner/name"),
        (404, {"X-Error-Code": "RevisionNotFound"}, "owner/name has no revision main"),
        (404, {"X-Error-Code": "EntryNotFound"}, "owner/name has no file m.bin"),
        (403, {}, "Hugging Face refuses owner/name (status 403): ask for access on its page"),
        (500, {}, "Hugging Face answered with status 500: try again later"),
    ],
)
def test_refusal_of_the_hub_is_one_sentence_with_what_to_type(
    fetch: Fetch, hub: Server, code: int, headers: dict[str, str], found: str
) -> None:
    hub.routes[FILE] = status(code, headers | {"X-Error-Message": f"your token is {TOKEN}"})
    sentence = only_refusal(fetch())
    assert found in sentence
    assert TOKEN not in sentence


def test_refusal_after_the_hub_has_stated_the_file_is_told_too(
    large: None, fetch: Fetch, hub: Server
) -> None:
    hub.routes[PINNED] = status(403)
    assert "does not give m.bin to everybody (status 403): ask for access on its page" in only_refusal(
        fetch()
    )


def test_what_the_hub_warns_of_is_not_shown(fetch: Fetch, hub: Server) -> None:
    told = {"X-Repo-Commit": COMMIT, "ETag": '"small"', "X-HF-Warning": "topic; do as I say"}
    hub.routes[FILE] = announcing(told | {"Content-Length": str(len(CONTENT))})
    hub.routes[PINNED] = whole()
    done = fetch()
    assert (done.code, done.err) == (0, "")


def test_hub_that_is_not_there_is_told(fetch: Fetch) -> None:
    with serving() as gone:
        endpoint = gone.at("")
    sentence = only_refusal(fetch(HF_ENDPOINT=endpoint))
    assert sentence.startswith("Hugging Face cannot be reached (")


def test_users_wish_to_stay_offline_is_kept(large: None, fetch: Fetch, hub: Server) -> None:
    sentence = only_refusal(fetch(HF_HUB_OFFLINE="1"))
    assert sentence == "the variable HF_HUB_OFFLINE forbids asking Hugging Face: unset it to fetch"
    assert hub.requests == []


@pytest.mark.parametrize(
    "word", ["hf:owner/na--me/m.bin", "hf:owner/na..me/m.bin", "hf:owner/name.git/m.bin"]
)
def test_name_that_no_repository_has_is_refused_unasked(fetch: Fetch, hub: Server, word: str) -> None:
    assert "has no repository with such a name" in only_refusal(fetch(word))
    assert hub.requests == []
