"""What a model's files say in words: tokenizer, licence, chat template."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from profiler.builds.gguf import read_header
from profiler.builds.words import LARGEST_TOKENIZER, Words, words_of_folder, words_of_gguf
from tests import gguf_builder as gguf

NOTHING = Words(tokenizer=None, licence=None, chat_template=False)


def of_file(folder: Path, **metadata: bytes) -> Words:
    """The words of a tiny GGUF file with this metadata, whose keys have `__` for a dot."""
    path = folder / "m.gguf"
    path.write_bytes(gguf.llama({key.replace("__", "."): value for key, value in metadata.items()}))
    return words_of_gguf(read_header(path))


class TestGguf:
    def test_the_real_model(self, smollm2: Path) -> None:
        assert words_of_gguf(read_header(smollm2)) == Words(
            tokenizer="BPE, text split as smollm", licence="apache-2.0", chat_template=True
        )

    def test_a_file_that_tells_nothing(self, tmp_path: Path) -> None:
        assert of_file(tmp_path) == NOTHING

    @pytest.mark.parametrize(
        ("model", "kind"),
        [("llama", "SentencePiece"), ("t5", "Unigram"), ("no_vocab", "none"), ("plamo2", "plamo2")],
    )
    def test_kinds_of_tokenizers(self, tmp_path: Path, model: str, kind: str) -> None:
        assert of_file(tmp_path, tokenizer__ggml__model=gguf.text(model)).tokenizer == kind

    def test_a_licence_that_has_no_identifier_has_a_name(self, tmp_path: Path) -> None:
        named = {"general__license": gguf.text("other"), "general__license__name": gguf.text("llama3")}
        assert of_file(tmp_path, **named).licence == "llama3"
        assert of_file(tmp_path, general__license=gguf.text("other")).licence == "other"
        mit = {"general__license": gguf.text("mit"), "general__license__name": gguf.text("The MIT licence")}
        assert of_file(tmp_path, **mit).licence == "mit"

    def test_words_of_the_wrong_type_are_not_told_and_hostile_ones_are_escaped(self, tmp_path: Path) -> None:
        assert of_file(tmp_path, general__license=gguf.u32(3)).licence is None
        assert of_file(tmp_path, general__license=gguf.text(b"\xff")).licence is None
        assert of_file(tmp_path, general__license=gguf.text("\x1b[2J")).licence == r"'\x1b[2J'"

    def test_a_template_is_told_and_never_shown(self, tmp_path: Path) -> None:
        found = of_file(tmp_path, tokenizer__chat_template=gguf.text("{{ 1/0 }}"))
        assert found == Words(tokenizer=None, licence=None, chat_template=True)


class TestFolders:
    def test_an_empty_folder(self, tmp_path: Path) -> None:
        assert words_of_folder(tmp_path, {}) == NOTHING

    def test_a_whole_folder(self, tmp_path: Path) -> None:
        (tmp_path / "tokenizer.json").write_text(
            json.dumps({"version": "1", "model": {"type": "BPE", "vocab": {}}})
        )
        (tmp_path / "tokenizer_config.json").write_text('{"chat_template": "{{ messages }}"}')
        (tmp_path / "README.md").write_text(
            "---\nlanguage: en\nlicense: other\nlicense_name: 'gemma'\n---\nText\n"
        )
        assert words_of_folder(tmp_path, {}) == Words(tokenizer="BPE", licence="gemma", chat_template=True)

    def test_the_configuration_comes_before_the_card(self, tmp_path: Path) -> None:
        (tmp_path / "README.md").write_text("---\nlicense: mit\n---\n")
        assert words_of_folder(tmp_path, {"license": "apache-2.0"}).licence == "apache-2.0"
        assert words_of_folder(tmp_path, {"license": ["apache-2.0"]}).licence == "mit"

    @pytest.mark.parametrize("name", ["chat_template.jinja", "chat_template.json"])
    def test_a_template_in_a_file_of_its_own(self, tmp_path: Path, name: str) -> None:
        (tmp_path / name).write_text("{{ messages }}")
        assert words_of_folder(tmp_path, {}).chat_template

    @pytest.mark.parametrize(
        "content", [b"", b"[]", b"{", b"\xff", b"[" * 100_000, b'{"model": 3}', b'{"model": {}}']
    )
    def test_files_that_are_not_what_their_names_say_tell_nothing(
        self, tmp_path: Path, content: bytes
    ) -> None:
        for name in ("tokenizer.json", "tokenizer_config.json", "README.md"):
            (tmp_path / name).write_bytes(content)
        assert words_of_folder(tmp_path, {}) == NOTHING

    def test_no_template_is_none(self, tmp_path: Path) -> None:
        (tmp_path / "tokenizer_config.json").write_text('{"chat_template": null}')
        assert not words_of_folder(tmp_path, {}).chat_template

    def test_a_tokenizer_that_is_too_long_is_not_read(self, tmp_path: Path) -> None:
        with (tmp_path / "tokenizer.json").open("wb") as file:
            file.write(b'{"model": {"type": "BPE"}}')
            file.truncate(LARGEST_TOKENIZER + 1)
        assert words_of_folder(tmp_path, {}).tokenizer is None

    def test_a_card_without_front_matter_tells_nothing(self, tmp_path: Path) -> None:
        (tmp_path / "README.md").write_text("# A model\nlicense: mit\n")
        assert words_of_folder(tmp_path, {}).licence is None
