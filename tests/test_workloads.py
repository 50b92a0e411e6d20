"""Workloads by id and version: their lengths and texts cannot change unnoticed."""

from __future__ import annotations

import hashlib

import pytest

from profiler.catalogue.workloads import LONGEST, parse, text_of, text_workloads
from profiler.errors import UserError
from profiler.runfile import Workload

SHIPPED = {
    "chat@1": (128, 128, "a89e4166fc0b8be84f0bed7e9a800f81a76cd288fe295832fa074990ee9097a3"),
    "code@1": (1024, 256, "fc0eab475bc046b2836b97731aa9de09c467172103c0bc71e1eb481e8c780821"),
    "rag@1": (2048, 128, "66c49e49780869f751f6663eb4c2c7c3f8450ed1b431715aafca05902e3b8d33"),
}
"""Prompt tokens, output tokens, hash of the text. A change of any is a new version, and a new line here."""


def refusal(word: str, prompt: int | None = None, output: int | None = None) -> str:
    with pytest.raises(UserError) as raised:
        parse(word, prompt, output)
    return str(raised.value)


def test_these_workloads_ship_and_are_what_they_were() -> None:
    assert {
        name: (found.prompt_tokens, found.output_tokens, found.text_sha256)
        for name, found in ((name, parse(name)) for name in text_workloads())
    } == SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_texts_are_ascii_and_long_enough_not_to_be_repeated(name: str) -> None:
    text = text_of(name)
    assert text.isascii()
    assert len(text) >= 3 * text_workloads()[name].prompt_tokens
    assert hashlib.sha256(text.encode()).hexdigest() == SHIPPED[name][2]


def test_id_without_a_version_is_the_newest() -> None:
    assert parse("chat") == parse("chat@1")
    assert parse("chat").id == "chat@1"


def test_lengths_of_a_text_can_be_changed_and_its_name_stays() -> None:
    found = parse("chat", prompt=32, output=8)
    assert (found.id, found.prompt_tokens, found.output_tokens) == ("chat@1", 32, 8)
    assert found.text_sha256 == parse("chat").text_sha256


@pytest.mark.parametrize(
    ("word", "prompt_tokens", "output_tokens", "depth"),
    [("pp512", 512, 0, 0), ("tg128", 0, 128, 0), ("tg128@d512", 0, 128, 512), ("pp64@d32", 64, 0, 32)],
)
def test_llama_bench_names_say_their_lengths(
    word: str, prompt_tokens: int, output_tokens: int, depth: int
) -> None:
    assert parse(word) == Workload(
        id=word, method="raw", prompt_tokens=prompt_tokens, output_tokens=output_tokens, depth=depth
    )


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("chta", "there is no workload 'chta': did you mean chat or chat@1?"),
        ("chat@2", "there is no workload 'chat@2': did you mean chat@1 or chat?"),
        ("tg", "there is no workload 'tg': did you mean tg128 or tg128@d512?"),
        ("pp0", f"workload pp0: lengths from 1 to {LONGEST} tokens are accepted"),
        ("tg9999999", f"workload tg9999999: lengths from 1 to {LONGEST} tokens are accepted"),
        ("tg1@d9999999", f"workload tg1@d9999999: lengths from 1 to {LONGEST} tokens are accepted"),
    ],
)
def test_unknown_names_and_lengths_are_refused(word: str, sentence: str) -> None:
    assert refusal(word) == sentence


def test_lengths_are_bounded() -> None:
    assert refusal("chat", prompt=0) == f"-p 0: lengths from 1 to {LONGEST} tokens are accepted"
    assert refusal("chat", output=LONGEST + 1).startswith(f"-n {LONGEST + 1}: ")
    assert parse("chat", output=1).output_tokens == 1


def test_llama_bench_lengths_cannot_be_changed_beside_their_names() -> None:
    assert refusal("pp512", prompt=64).startswith("workload pp512 names its own length: ")
