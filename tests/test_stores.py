"""Local stores: where each program keeps models, and that nothing in a store can end the command."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from profiler.builds import stores, walk
from profiler.builds.local import shelves
from profiler.builds.stores import Here, Store, find
from tests import gguf_builder as gguf

TINY = gguf.llama({"general.license": gguf.text("mit"), "tokenizer.ggml.model": gguf.text("gpt2")})
DIGEST = "ab" * 32

Find = Callable[..., list[Store]]
Put = Callable[..., Path]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without any store; edgeprof's own cache lies in it too."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / ".cache"))
    return tmp_path


@pytest.fixture
def put(home: Path) -> Put:
    """Writes a file below the home."""

    def write(name: str, content: bytes = TINY) -> Path:
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    return write


@pytest.fixture
def found(home: Path) -> Find:
    """The stores of this home, without that of Ollama's service on the machine of the tests."""

    def stores_here(platform: str = "linux", **environment: str) -> list[Store]:
        here = Here(environment=environment, home=home, platform=platform)
        return [store for store in find(here) if store.folder.is_relative_to(home)]

    return stores_here


def told(store: Store) -> dict[str, Path | str | None]:
    """What lies in a store: a path, or the problem."""
    return {entry.name: entry.path or entry.problem for entry in store.entries}


def manifest(*layers: Mapping[str, Any]) -> bytes:
    return json.dumps({"schemaVersion": 2, "layers": layers}).encode()


def weights(digest: str = f"sha256:{DIGEST}") -> dict[str, str]:
    return {"mediaType": "application/vnd.ollama.image.model", "digest": digest}


def test_a_machine_without_stores(found: Find) -> None:
    assert found() == []


class TestHuggingFace:
    HUB = ".cache/huggingface/hub"

    def snapshot(self, put: Put, home: Path, commit: str, blob: str = "b10b") -> Path:
        put(f"{self.HUB}/models--org--tiny-GGUF/blobs/{blob}")
        link = home / self.HUB / "models--org--tiny-GGUF/snapshots" / commit / "tiny.Q4_0.gguf"
        link.parent.mkdir(parents=True)
        link.symlink_to(f"../../blobs/{blob}")
        return link

    def test_a_file_is_named_by_its_repository_and_listed_once(
        self, found: Find, put: Put, home: Path
    ) -> None:
        first = self.snapshot(put, home, "aaaa")
        self.snapshot(put, home, "bbbb")
        (store,) = found()
        assert (store.name, store.folder) == ("Hugging Face", home / self.HUB)
        assert told(store) == {"org/tiny-GGUF/tiny.Q4_0.gguf": first}

    def test_a_folder_with_graphs_is_one_model(self, found: Find, put: Put, home: Path) -> None:
        snapshot = f"{self.HUB}/models--org--web/snapshots/cccc"
        put(f"{snapshot}/config.json", b"{}")
        put(f"{snapshot}/onnx/model.onnx", b"")
        put(f"{snapshot}/onnx/model_q4.onnx", b"")
        assert told(found()[0]) == {"org/web": home / snapshot}

    def test_a_link_without_its_blob_is_told(self, found: Find, put: Put, home: Path) -> None:
        self.snapshot(put, home, "aaaa")
        (home / self.HUB / "models--org--tiny-GGUF/blobs/b10b").unlink()
        assert told(found()[0]) == {"org/tiny-GGUF/tiny.Q4_0.gguf": "is a broken link"}

    def test_data_sets_and_locks_are_not_walked(self, found: Find, put: Put) -> None:
        put(f"{self.HUB}/datasets--org--d/snapshots/aaaa/x.gguf")
        put(f"{self.HUB}/.locks/models--org--x/x.gguf")
        assert told(found()[0]) == {}

    @pytest.mark.parametrize(
        ("variable", "value", "folder"),
        [
            ("HF_HUB_CACHE", "hub", "hub"),
            ("HUGGINGFACE_HUB_CACHE", "old", "old"),
            ("HF_HOME", "hf", "hf/hub"),
            ("XDG_CACHE_HOME", "xdg", "xdg/huggingface/hub"),
        ],
    )
    def test_the_environment_names_the_folder(
        self, found: Find, put: Put, home: Path, variable: str, value: str, folder: str
    ) -> None:
        put(f"{folder}/models--org--m/snapshots/aaaa/m.gguf")
        stores_here = found(**{variable: str(home / value)})
        assert [(store.name, store.folder) for store in stores_here] == [("Hugging Face", home / folder)]
        assert list(told(stores_here[0])) == ["org/m/m.gguf"]


class TestOllama:
    MODELS = ".ollama/models"
    QWEN = ".ollama/models/manifests/registry.ollama.ai/library/qwen3/8b"

    @pytest.mark.parametrize(
        ("path", "name"),
        [
            ("registry.ollama.ai/library/qwen3/8b", "qwen3:8b"),
            ("registry.ollama.ai/me/mine/latest", "me/mine:latest"),
            ("hf.co/org/repo/Q4_K_M", "hf.co/org/repo:Q4_K_M"),
        ],
    )
    def test_a_manifest_leads_to_the_blob_of_the_weights(
        self, found: Find, put: Put, path: str, name: str
    ) -> None:
        blob = put(f"{self.MODELS}/blobs/sha256-{DIGEST}")
        licence = {"mediaType": "application/vnd.ollama.image.license", "digest": "sha256:" + "0" * 64}
        put(f"{self.MODELS}/manifests/{path}", manifest(licence, weights()))
        (store,) = found()
        assert store.name == "Ollama"
        assert told(store) == {name: blob}

    def test_two_tags_of_one_blob_are_two_names(self, found: Find, put: Put) -> None:
        put(f"{self.MODELS}/blobs/sha256-{DIGEST}")
        put(self.QWEN, manifest(weights()))
        put(self.QWEN.replace("8b", "latest"), manifest(weights()))
        assert list(told(found()[0])) == ["qwen3:8b", "qwen3:latest"]

    @pytest.mark.parametrize(
        ("content", "problem"),
        [
            (b"", "its manifest is not one of Ollama's"),
            (b"\xff\xfe{", "its manifest is not one of Ollama's"),
            (b"[" * 100_000, "its manifest is not one of Ollama's"),
            (b'{"layers": null}', "its manifest is not one of Ollama's"),
            (b'{"layers": [3]}', "its manifest is not one of Ollama's"),
            (b" " * (stores.LARGEST_MANIFEST + 1), "its manifest is not one of Ollama's"),
            (b"{}", "has no weights here"),
            (manifest({"mediaType": "application/vnd.ollama.image.template"}), "has no weights here"),
            (manifest(weights("sha256:../../../etc/passwd")), "its manifest names its weights by something that is no"),
            (manifest(weights(f"md5:{DIGEST}")), "its manifest names its weights by something that is no digest"),
            (manifest(weights(f"sha256:{DIGEST}/x")), "its manifest names its weights by something that is no digest"),
            (manifest(weights()), "its weights are not there"),
        ],
    )  # fmt: skip
    def test_a_bad_manifest_is_one_line(self, found: Find, put: Put, content: bytes, problem: str) -> None:
        put(self.QWEN, content)
        entry = told(found()[0])["qwen3:8b"]
        assert str(entry).startswith(problem)

    @given(st.binary(max_size=200) | st.builds(manifest, st.dictionaries(st.text(), st.text())))
    @settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_any_manifest_is_one_line(self, found: Find, put: Put, content: bytes) -> None:
        put(self.QWEN, content)
        assert list(told(found()[0])) == ["qwen3:8b"]

    def test_a_manifest_that_is_a_pipe_is_not_opened(self, found: Find, home: Path) -> None:
        (home / self.QWEN).parent.mkdir(parents=True)
        os.mkfifo(home / self.QWEN)
        assert str(told(found()[0])["qwen3:8b"]).startswith("its manifest is a pipe, a socket or a device")

    def test_the_environment_names_the_folder(self, found: Find, put: Put, home: Path) -> None:
        put(f"elsewhere/blobs/sha256-{DIGEST}")
        put("elsewhere/manifests/registry.ollama.ai/library/qwen3/8b", manifest(weights()))
        (store,) = found(OLLAMA_MODELS=str(home / "elsewhere"))
        assert (store.folder, list(told(store))) == (home / "elsewhere", ["qwen3:8b"])

    def test_a_store_that_was_never_used_is_told(self, found: Find, home: Path) -> None:
        (home / self.MODELS).mkdir(parents=True)
        assert told(found()[0]) == {"manifests": "cannot be read (No such file or directory)"}


class TestPlainFolders:
    @pytest.mark.parametrize("folder", [".lmstudio/models", ".cache/lm-studio/models"])
    def test_lm_studio(self, found: Find, put: Put, folder: str) -> None:
        path = put(f"{folder}/publisher/model/model-Q4_0.GGUF")
        (store,) = found()
        assert (store.name, told(store)) == ("LM Studio", {"publisher/model/model-Q4_0.GGUF": path})

    @pytest.mark.parametrize(
        ("platform", "folder"), [("linux", ".cache/llama.cpp"), ("darwin", "Library/Caches/llama.cpp")]
    )
    def test_llama_cpp(self, found: Find, put: Put, platform: str, folder: str) -> None:
        path = put(f"{folder}/org_repo_m.gguf")
        put(f"{folder}/org_repo_m.gguf.json", b"{}")
        (store,) = found(platform)
        assert (store.name, told(store)) == ("llama.cpp", {"org_repo_m.gguf": path})

    def test_llama_cpp_where_the_environment_says(self, found: Find, put: Put, home: Path) -> None:
        put("mine/m.gguf")
        assert [store.folder for store in found(LLAMA_CACHE=str(home / "mine"))] == [home / "mine"]

    def test_edgeprof(self, found: Find, put: Put, home: Path) -> None:
        put(".cache/edgeprof/models/m.gguf")
        put(".cache/edgeprof/models/m-onnx/model.onnx", b"")
        (store,) = found()
        assert store.name == "edgeprof"
        folder = home / ".cache/edgeprof/models"
        assert told(store) == {"m.gguf": folder / "m.gguf", "m-onnx": folder / "m-onnx"}

    def test_a_folder_of_two_programs_is_one_store(self, found: Find, put: Put, home: Path) -> None:
        put("models/m.gguf")
        both = str(home / "models")
        assert [store.name for store in found(HF_HUB_CACHE=both, LLAMA_CACHE=both)] == ["Hugging Face"]


class TestHostileFolders:
    STUDIO = ".lmstudio/models"

    def test_links_to_folders_are_not_followed(self, found: Find, put: Put, home: Path) -> None:
        put(f"{self.STUDIO}/p/m.gguf")
        (home / self.STUDIO / "p/loop").symlink_to("..")
        link = "is a link to a folder, which is not followed"
        assert told(found()[0]) == {"p/loop": link, "p/m.gguf": home / self.STUDIO / "p/m.gguf"}

    def test_a_link_to_itself_is_broken(self, found: Find, home: Path) -> None:
        (home / self.STUDIO).mkdir(parents=True)
        (home / self.STUDIO / "m.gguf").symlink_to("m.gguf")
        assert told(found()[0]) == {"m.gguf": "is a broken link"}

    def test_more_entries_than_are_looked_at(
        self, found: Find, put: Put, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(walk, "MOST_ENTRIES", 3)
        for name in "abcde":
            put(f"{self.STUDIO}/{name}.gguf")
        assert told(found()[0])["models"] == "has more than 3 entries; the rest was not looked at"
        assert len(told(found()[0])) <= 5

    def test_folders_that_are_too_deep(self, found: Find, put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(walk, "DEEPEST", 1)
        put(f"{self.STUDIO}/a/b/m.gguf")
        assert told(found()[0]) == {"a": "has folders more than 1 deep; the rest was not looked at"}

    def test_more_models_than_are_described(
        self, found: Find, put: Put, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(stores, "MOST_MODELS", 2)
        for name in "abc":
            put(f"{self.STUDIO}/{name}.gguf")
        assert list(told(found()[0])) == ["a.gguf", "b.gguf", "..."]

    def test_a_folder_that_may_not_be_read(
        self, found: Find, put: Put, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Permissions do not stop root, who runs the tests in a container."""
        put(f"{self.STUDIO}/a/m.gguf")
        put(f"{self.STUDIO}/b/m.gguf")
        real = os.scandir

        def scandir(path: Path) -> Any:
            if Path(path).name == "a":
                raise PermissionError(13, "Permission denied", str(path))
            return real(path)

        monkeypatch.setattr("profiler.builds.walk.os.scandir", scandir)
        assert told(found()[0]) == {
            "a": "cannot be read (Permission denied)",
            "b/m.gguf": home / self.STUDIO / "b/m.gguf",
        }

    def test_a_name_that_is_no_unicode(self, found: Find, put: Put) -> None:
        put(f"{self.STUDIO}/" + os.fsdecode(b"m-\xff.gguf"))
        assert list(told(found()[0])) == ["m-\ufffd.gguf"]


class TestShelves:
    STUDIO = ".lmstudio/models"

    def shelf(self, home: Path) -> Any:
        here = Here(environment={}, home=home, platform="linux")
        return next(shelf for shelf in shelves(here) if shelf.folder.is_relative_to(home))

    def test_models_are_described_under_the_names_of_the_store(self, put: Put, home: Path) -> None:
        path = put(f"{self.STUDIO}/p/tiny.gguf")
        (model,) = self.shelf(home).models
        assert (model.build.name, model.build.id, model.path) == ("p/tiny.gguf", "p/tiny.gguf", path)
        assert (model.build.quantization, model.build.parameters) == ("Q4_0", 4544)
        assert model.words.licence == "mit"

    def test_what_is_no_model_is_one_line(self, put: Put, home: Path) -> None:
        put(f"{self.STUDIO}/junk.gguf", b"junk")
        put(f"{self.STUDIO}/mmproj.gguf", gguf.llama({"general.type": gguf.text("mmproj")}))
        put(f"{self.STUDIO}/short.gguf", TINY[:-1])
        os.mkfifo(home / self.STUDIO / "pipe.gguf")
        shelf = self.shelf(home)
        assert shelf.models == ()
        problems = {entry.name: entry.problem for entry in shelf.problems}
        assert problems["junk.gguf"] == "not a GGUF file; it begins with 6a 75 6e 6b"
        assert problems["mmproj.gguf"].startswith("is a vision or audio projector (mmproj)")
        assert problems["short.gguf"].startswith("truncated: tensor output.weight ends at byte")
        assert problems["pipe.gguf"] == "is a pipe, a socket or a device; give a regular file"

    def test_an_onnx_folder_is_described_without_its_graph(self, put: Put, home: Path) -> None:
        folder = f"{self.STUDIO}/org/web"
        config = {"model_type": "llama", "num_hidden_layers": 2, "num_key_value_heads": 3, "head_dim": 8}
        put(f"{folder}/config.json", json.dumps(config | {"max_position_embeddings": 512}).encode())
        put(f"{folder}/README.md", b"---\nlicense: apache-2.0\n---\n# Web\n")
        put(f"{folder}/onnx/model.onnx", b"no protobuf at all")
        put(f"{folder}/onnx/model.onnx_data", bytes(100))
        (model,) = self.shelf(home).models
        build = model.build
        assert (build.name, build.format, build.architecture) == ("org/web", "onnx", "llama")
        assert (build.context_length, build.kv_elements_per_token, build.size_bytes) == (
            512,
            2 * 2 * 3 * 8,
            118,
        )
        assert (build.parameters, build.quantization) == (None, None)
        assert model.words.licence == "apache-2.0"

    @pytest.mark.parametrize("config", [b"[]", b"{", b"\xff", b'{"model_type": "bert"}'])
    def test_an_onnx_folder_that_is_none_is_one_line(self, put: Put, home: Path, config: bytes) -> None:
        put(f"{self.STUDIO}/m/config.json", config)
        put(f"{self.STUDIO}/m/model.onnx", b"")
        shelf = self.shelf(home)
        assert (shelf.models, [entry.name for entry in shelf.problems]) == ((), ["m"])
