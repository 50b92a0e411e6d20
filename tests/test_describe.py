from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from profiler.builds.attention import LayerCache
from profiler.builds.describe import GgufModel, describe, refuse_non_models
from profiler.builds.gguf import ArraySummary, BadModelFile, GgufHeader, TensorInfo, Value, read_header
from tests.gguf_builder import LLAMA_TENSORS, Q4_0, Tensor, boolean, f32, gguf, llama, text, texts, u32, u32s

Describe = Callable[..., GgufModel]
Refusal = Callable[..., str]

LLAMA_3_1_8B: Mapping[str, Value] = {
    "general.architecture": "llama",
    "general.file_type": 15,
    "llama.block_count": 32,
    "llama.context_length": 131072,
    "llama.embedding_length": 4096,
    "llama.feed_forward_length": 14336,
    "llama.attention.head_count": 32,
    "llama.attention.head_count_kv": 8,
}


@pytest.fixture
def described(tmp_path: Path) -> Describe:
    """The description of the tiny model, with changed metadata or other tensors."""

    def model(*args: object, **changes: object) -> GgufModel:
        path = tmp_path / "m.gguf"
        path.write_bytes(llama(*args, **changes))  # type: ignore[arg-type]
        return describe(read_header(path))

    return model


@pytest.fixture
def refusal(described: Describe) -> Refusal:
    """The sentence with which a changed tiny model is refused."""

    def sentence(*args: object, **changes: object) -> str:
        with pytest.raises(BadModelFile) as caught:
            described(*args, **changes)
        return str(caught.value)

    return sentence


def shape(
    arch: str, layers: int, heads: int, kv_heads: Value, length: int, **others: Value
) -> tuple[GgufModel, list[int]]:
    """A model of a published shape with one stand-in tensor, and the windows of its layers (0: none)."""
    metadata: dict[str, Value] = {
        "general.architecture": arch,
        f"{arch}.block_count": layers,
        f"{arch}.context_length": 8192,
        f"{arch}.embedding_length": 4096,
        f"{arch}.attention.head_count": heads,
        f"{arch}.attention.head_count_kv": kv_heads,
        f"{arch}.attention.key_length": length,
        f"{arch}.attention.value_length": length,
        **{f"{arch}.{key.replace('__', '.')}": value for key, value in others.items()},
    }
    model = describe(header(metadata, tensor("token_embd.weight", 100)))
    return model, [layer.window or 0 for layer in model.cache]


def header(metadata: Mapping[str, Value], *tensors: TensorInfo) -> GgufHeader:
    return GgufHeader(
        file_name="m.gguf",
        version=3,
        byte_size=1 << 30,
        metadata=dict(metadata),
        tensors=tensors,
        data_offset=0,
    )


def tensor(name: str, size: int, type_name: str = "I8") -> TensorInfo:
    return TensorInfo(name=name, shape=(size,), type_name=type_name, bytes=size, offset=0)


def test_describes_a_tiny_model(described: Describe) -> None:
    assert described() == GgufModel(
        architecture="llama",
        name="Tiny",
        parameters=192 + 64 + 4096 + 192,
        weights_bytes=108 + 256 + 2304 + 204,
        bits_per_weight=(108 + 256 + 2304 + 204) * 8 / 4544,
        quantization="Q4_0",
        type_bytes={"Q4_0": 2412, "F32": 256, "Q8_0": 204},
        layers=1,
        embedding=64,
        heads=(4,),
        kv_heads=(2,),
        key_length=16,
        value_length=16,
        feed_forward=(128,),
        vocabulary=3,
        context_length=512,
        experts=None,
        experts_used=None,
        tied_embedding=False,
        sliding_window=None,
        weights_read_per_token=256 + 2304 + 204,
        bits_read_per_weight=(256 + 2304 + 204) * 8 / (64 + 4096 + 192),
        cache=(LayerCache(elements=2 * (16 + 16)),),
    )


def test_describes_the_real_model(smollm2: Path) -> None:
    model = describe(read_header(smollm2))
    assert (model.parameters, model.weights_bytes) == (134_515_008, 96_576_768)
    assert model.quantization == "Q4_1"
    assert model.type_bytes == {"Q4_1": 66_355_200, "Q8_0": 30_081_024, "F32": 140_544}
    assert (model.layers, model.embedding, model.vocabulary) == (30, 576, 49152)
    assert (model.heads, model.kv_heads) == ((9,) * 30, (3,) * 30)
    assert model.tied_embedding
    assert model.kv_elements_per_token == 30 * 2 * 3 * 64
    assert model.read_bytes_per_token() == 96_576_768
    assert model.read_bytes_per_token(512) == 96_576_768 + 512 * 11520 * 2
    assert model.read_bytes_per_token(512, 34 / 32) == 96_576_768 + 512 * 11520 * 34 / 32


class TestReads:
    def test_a_tied_embedding_is_read_whole(self, described: Describe) -> None:
        model = described(tensors=LLAMA_TENSORS[:3])
        assert model.tied_embedding
        assert model.weights_read_per_token == 108 + 256 + 2304

    def test_tables_looked_up_by_row_are_not_read(self) -> None:
        names = ("token_embd.weight", "output.weight", "position_embd.weight", "per_layer_token_embd.weight")
        model = describe(header(LLAMA_3_1_8B, *(tensor(name, 1000) for name in names)))
        assert model.weights_read_per_token == 1000

    def test_only_active_experts_are_read(self) -> None:
        metadata = {**LLAMA_3_1_8B, "llama.expert_count": 8, "llama.expert_used_count": 2}
        tensors = [
            tensor("output.weight", 1),
            tensor("blk.0.ffn_gate_inp.weight", 10),
            tensor("blk.0.ffn_up_exps.weight", 800),
            tensor("blk.0.ffn_down_exps.bias", 80),
            tensor("blk.0.ffn_up_shexp.weight", 1000),
        ]
        model = describe(header(metadata, *tensors))
        assert (model.experts, model.experts_used) == (8, 2)
        assert model.weights_read_per_token == 1 + 10 + 200 + 20 + 1000

    def test_experts_used_may_differ_by_layer(self) -> None:
        used = ArraySummary(element_type="uint32", length=32, values=(1, *[4] * 31))
        metadata = {**LLAMA_3_1_8B, "llama.expert_count": 8, "llama.expert_used_count": used}
        tensors = [tensor("blk.0.ffn_up_exps.weight", 800), tensor("blk.1.ffn_up_exps.weight", 800)]
        model = describe(header(metadata, *tensors))
        assert (model.experts_used, model.weights_read_per_token) == (4, 100 + 400)

    def test_blocks_that_predict_further_tokens_are_not_read(self) -> None:
        metadata = {**LLAMA_3_1_8B, "llama.nextn_predict_layers": 1}
        tensors = [tensor("blk.30.attn_q.weight", 10), tensor("blk.31.attn_q.weight", 100)]
        model = describe(header(metadata, *tensors))
        assert (model.layers, len(model.cache), model.weights_read_per_token) == (31, 31, 10)


class TestCache:
    """Elements per token of published models: facts of the project, from the engine's own figures."""

    def test_grouped_heads(self) -> None:
        assert describe(header(LLAMA_3_1_8B, tensor("a", 1))).kv_elements_per_token == 65536

    def test_without_kv_heads_every_head_has_its_own(self, described: Describe) -> None:
        assert described({"llama.attention.head_count_kv": None}).kv_heads == (4,)

    def test_gpt_oss_20b_every_second_layer_has_a_window(self) -> None:
        model, windows = shape("gpt-oss", 24, 64, 8, 64, attention__sliding_window=128)
        assert model.kv_elements_per_token == 24576
        assert windows == [128, 0] * 12
        assert model.read_bytes_per_token(100) == 100 + 2 * 24576 * 100
        assert model.read_bytes_per_token(4096) == 100 + 2 * (12288 * 128 + 12288 * 4096)

    def test_gemma_3_1b_every_sixth_layer_sees_all(self) -> None:
        model, windows = shape("gemma3", 26, 4, 1, 256, attention__sliding_window=512)
        assert model.kv_elements_per_token == 13312
        assert windows == ([512] * 5 + [0]) * 4 + [512, 512]

    def test_gemma_3_without_a_window_sees_all(self) -> None:
        assert shape("gemma3", 26, 4, 1, 256)[1] == [0] * 26

    def test_llama_4_scout_has_chunks_of_8192_by_default(self) -> None:
        model, windows = shape("llama4", 48, 40, 8, 128)
        assert model.kv_elements_per_token == 98304
        assert windows == [8192, 8192, 8192, 0] * 12

    def test_a_window_that_the_engine_ignores_is_ignored(self) -> None:
        model, windows = shape("phi3", 32, 32, 32, 96, attention__sliding_window=2047)
        assert (model.sliding_window, windows) == (2047, [0] * 32)

    def test_a_pattern_in_the_file_wins_and_windows_may_have_other_heads(self) -> None:
        pattern = ArraySummary(element_type="bool", length=3, values=(False, True, True))
        model, windows = shape(
            "gemma4",
            3,
            8,
            1,
            512,
            attention__sliding_window=1024,
            attention__sliding_window_pattern=pattern,
            attention__key_length_swa=256,
            attention__value_length_swa=256,
        )
        assert windows == [0, 1024, 1024]
        assert [layer.elements for layer in model.cache] == [1024, 512, 512]

    def test_shared_layers_are_read_but_not_stored(self) -> None:
        model, _ = shape("gemma3n", 35, 8, 2, 256, attention__shared_kv_layers=15)
        assert model.kv_elements_per_token == 20 * 1024
        assert model.read_bytes_per_token(1) == 100 + 35 * 1024 * 2

    def test_deepseek_v3_caches_latent_keys_only(self) -> None:
        lengths: dict[str, Value] = {
            "attention__key_length": 576,
            "attention__value_length": 512,
            "attention__key_length_mla": 192,
            "attention__value_length_mla": 128,
        }
        assert shape("deepseek2", 61, 128, 1, 0, **lengths)[0].kv_elements_per_token == 35136

    def test_recurrent_layers_keep_no_keys(self) -> None:
        by_heads = ArraySummary(element_type="int32", length=4, values=(0, 0, 8, 0))
        by_mark = ArraySummary(element_type="bool", length=4, values=(True, True, False, True))
        assert shape("lfm2", 4, 32, by_heads, 64)[0].kv_heads == (0, 0, 8, 0)
        assert shape("qwen3next", 8, 16, 2, 256)[0].kv_heads == (0, 0, 0, 2) * 2
        assert shape("qwen3next", 4, 16, 2, 256, full_attention_interval=2)[0].kv_heads == (0, 2, 0, 2)
        assert shape("qwen35", 4, 16, 2, 256, attention__recurrent_layers=by_mark)[0].kv_heads == (0, 0, 2, 0)

    def test_a_model_without_attention(self) -> None:
        model, _ = shape("mamba", 24, 0, 0, 0)
        assert (model.kv_elements_per_token, model.read_bytes_per_token(1000)) == (0, 100)


class TestQuantization:
    @pytest.mark.parametrize(
        ("file_type", "largest", "expected"),
        [
            (15, "Q4_K", "Q4_K_M"),
            (15, "Q5_0", "Q4_K_M (mostly Q5_0)"),
            (7, "Q8_0", "Q8_0"),
            (1, "F16", "F16"),
            (0, "F32", "F32"),
            (38, "MXFP4", "MXFP4_MOE"),
            (27, "IQ3_S", "IQ3_M"),
            (1024 + 2, "Q4_0", "Q4_0"),
            (999, "Q4_0", "mostly Q4_0"),
            (None, "Q4_0", "mostly Q4_0"),
        ],
    )
    def test_label(self, file_type: int | None, largest: str, expected: str) -> None:
        metadata = {key: value for key, value in LLAMA_3_1_8B.items() if key != "general.file_type"}
        if file_type is not None:
            metadata["general.file_type"] = file_type
        model = describe(header(metadata, tensor("a", 10, "F32"), tensor("b", 90, largest)))
        assert model.quantization == expected


class TestStrictness:
    @pytest.mark.parametrize(
        ("key", "value", "expected"),
        [
            ("llama.block_count", text("2"), "is the string 2; accepted: a whole number from 0"),
            ("llama.block_count", f32(2.0), "is the number 2.0; accepted: a whole number from 0"),
            ("llama.block_count", boolean(True), "is a boolean; accepted: a whole number from 0"),
            ("llama.block_count", u32s([1]), "is an array of 1 x uint32; accepted: a whole number from 0"),
            ("general.name", u32(3), "is the number 3; accepted: a string"),
            ("general.name", text(b"\xff"), "is a string of 1 bytes, not valid UTF-8; accepted: a string"),
            (
                "llama.attention.head_count_kv",
                u32s([2, 2]),
                "is an array of 2 x uint32; accepted: a whole number, or an array of one for each of 1 layers",
            ),
            (
                "llama.attention.head_count",
                texts(["4"]),
                "is an array of 1 x string; accepted: a whole number, or an array of one for each of 1 layers",
            ),
        ],
    )
    def test_a_key_of_the_wrong_type(self, refusal: Refusal, key: str, value: bytes, expected: str) -> None:
        assert refusal({key: value}) == f"m.gguf: {key} {expected}."

    @pytest.mark.parametrize(
        "key",
        [
            "general.architecture",
            "llama.block_count",
            "llama.context_length",
            "llama.embedding_length",
            "llama.attention.head_count",
        ],
    )
    def test_a_needed_key_that_is_missing(self, refusal: Refusal, key: str) -> None:
        assert refusal({key: None}).startswith(f"m.gguf: has no {key}, which")

    @pytest.mark.parametrize("layers", [0, 513, 2**32 - 1])
    def test_layers_without_measure(self, refusal: Refusal, layers: int) -> None:
        expected = f"m.gguf: llama.block_count gives {layers} layers; accepted: 1 to 512."
        assert refusal({"llama.block_count": u32(layers)}) == expected

    def test_an_architecture_that_is_no_name(self, refusal: Refusal) -> None:
        sentence = refusal({"general.architecture": text("\x1b[2J")})
        assert sentence == r"m.gguf: general.architecture is '\x1b[2J', which is no name."

    @pytest.mark.parametrize(("count", "used"), [(0, 2), (8, 0), (8, 9)])
    def test_experts_that_do_not_add_up(self, refusal: Refusal, count: int, used: int) -> None:
        sentence = refusal({"llama.expert_count": u32(count), "llama.expert_used_count": u32(used)})
        assert sentence == (
            f"m.gguf: llama.expert_count is {count} and llama.expert_used_count {used}; "
            "a model has both or neither, and uses no more than it has."
        )

    def test_a_name_is_shown_without_what_a_terminal_obeys(self, described: Describe) -> None:
        assert described({"general.name": text("a\x1b[2Jb")}).name == r"'a\x1b[2Jb'"
        assert described({"general.name": text("n" * 200)}).name == "n" * 77 + "..."
        assert described({"general.name": None}).name is None

    def test_a_missing_feed_forward_or_vocabulary_is_none(self, described: Describe) -> None:
        model = described({"llama.feed_forward_length": None, "tokenizer.ggml.tokens": None})
        assert (model.feed_forward, model.vocabulary) == (None, None)
        assert described({"tokenizer.ggml.tokens": None, "llama.vocab_size": u32(9)}).vocabulary == 9


class TestNonModels:
    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            ({"general.architecture": text("clip")}, "a vision or audio projector (mmproj)"),
            ({"general.type": text("mmproj")}, "a vision or audio projector (mmproj)"),
            ({"general.type": text("adapter")}, "an adapter (LoRA), not a model"),
            ({"general.type": text("imatrix")}, "an importance matrix made for quantizing"),
            ({"general.architecture": text("controlvector")}, "a control vector, not a model"),
            ({"general.architecture": text("bert")}, "an embedding or encoder model"),
            ({"general.architecture": text("nomic-bert-moe")}, "an embedding or encoder model"),
            ({"llama.attention.causal": boolean(False)}, "an embedding or encoder model"),
            ({"llama.pooling_type": u32(3)}, "an embedding or encoder model"),
            ({"general.architecture": text("t5")}, "an encoder-decoder model"),
            ({"general.architecture": text("llada")}, "a diffusion language model"),
            ({"general.architecture": text("eagle3")}, "a draft head for speculative decoding"),
            ({"general.architecture": text("wavtokenizer-dec")}, "a speech codec"),
        ],
    )
    def test_are_refused_by_what_they_are(
        self, refusal: Refusal, changes: dict[str, bytes], expected: str
    ) -> None:
        assert refusal(changes).startswith(f"m.gguf: is {expected}")

    def test_a_vocabulary_is_refused(self, refusal: Refusal) -> None:
        assert refusal(tensors=()) == "m.gguf: is a vocabulary without weights; give the model file."

    def test_a_part_is_refused_even_without_tensors(self, refusal: Refusal) -> None:
        assert refusal({"split.count": u32(3), "split.no": u32(0)}, tensors=()) == (
            "m.gguf: is part 1 of 3 of a split model; merge the parts with "
            "`llama-gguf-split --merge FIRST_PART WHOLE.gguf` and give the merged file."
        )

    def test_a_split_of_one_is_whole(self, described: Describe) -> None:
        assert described({"split.count": u32(1)}).layers == 1

    def test_an_adapter_without_an_architecture_is_still_an_adapter(self, tmp_path: Path) -> None:
        path = tmp_path / "lora.gguf"
        path.write_bytes(gguf([("general.type", text("adapter"))], [Tensor("a", (32,), Q4_0)]))
        with pytest.raises(BadModelFile, match=r"^lora\.gguf: is an adapter"):
            refuse_non_models(read_header(path))
