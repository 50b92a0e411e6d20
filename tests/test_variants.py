"""From what a user typed to cases: every combination once, nothing unknown let through."""

from __future__ import annotations

import pytest

from profiler.catalogue.workloads import parse
from profiler.engines.table import ENGINES
from profiler.errors import UserError
from profiler.measure.variants import cases, combinations, engines_for
from profiler.runfile import Build, varying
from tests.run_builder import build, case

GGUF = build("a")
SCRIPT = Build(id="s", name="s.json", format="scripted", size_bytes=1)
ONNX = Build(id="o", name="o", format="onnx-genai", size_bytes=1)
CHAT, TG = parse("chat"), parse("tg128@d512")


def refusal(**wanted: list[str]) -> str:
    with pytest.raises(UserError) as raised:
        cases([GGUF], [CHAT], [], wanted, 4)
    return str(raised.value)


def test_without_wishes_there_is_one_case_of_defaults() -> None:
    (found,) = cases([GGUF], [CHAT], [], {}, 4)
    assert (found.id, found.build, found.engine, found.target) == ("r1", "a", "llama-cpp", "cpu")
    assert found.workload == CHAT
    assert found.settings == {
        "threads": 4, "context": None, "kv": "f16", "flash": "auto", "batch": 2048, "ubatch": 512,
        "mmap": True, "mlock": False, "repack": True, "gpu_layers": 0,
    }  # fmt: skip


def test_every_combination_is_a_case_builds_outermost_in_the_order_typed() -> None:
    wanted = {"kv": ["q8_0", "f16"], "threads": ["2", "4"]}
    found = cases([GGUF, build("b")], [CHAT, TG], [], wanted, 1)
    assert [c.id for c in found] == [f"r{n}" for n in range(1, 17)]
    assert [c.build for c in found] == ["a"] * 8 + ["b"] * 8
    assert [c.workload.id for c in found[:8]] == ["chat@1"] * 4 + ["tg128@d512"] * 4
    assert [(c.settings["threads"], c.settings["kv"]) for c in found[:4]] == [
        (2, "q8_0"), (2, "f16"), (4, "q8_0"), (4, "f16"),
    ]  # fmt: skip


def test_value_typed_twice_is_one_case() -> None:
    assert [s["threads"] for s in combinations("llama-cpp", {"threads": ["2", "2", "02"]}, 1)] == [2]


def test_settings_that_vary_are_named() -> None:
    assert varying([case("r1", threads=2, kv="f16"), case("r2", threads=4, kv="f16")]) == ["threads"]


@pytest.mark.parametrize(
    ("word", "value"), [("on", True), ("TRUE", True), ("1", True), ("off", False), ("No", False)]
)
def test_flags_are_on_or_off(word: str, value: bool) -> None:
    assert combinations("llama-cpp", {"mmap": [word]}, 1)[0]["mmap"] is value


def test_words_are_taken_in_any_case() -> None:
    assert combinations("llama-cpp", {"kv": ["Q8_0"]}, 1)[0]["kv"] == "q8_0"


@pytest.mark.parametrize(
    ("name", "word", "sentence"),
    [
        ("kv", "q8", "kv 'q8' of engine llama-cpp: did you mean q8_0?"),
        ("flash", "maybe", "flash 'maybe' of engine llama-cpp: accepted: auto, off, on"),
        ("mmap", "maybe", "mmap 'maybe' of engine llama-cpp: on or off is accepted"),
        ("threads", "many", "threads 'many' of engine llama-cpp: a whole number is accepted"),
        ("threads", "2.5", "threads '2.5' of engine llama-cpp: a whole number is accepted"),
        ("threads", "0", "threads '0' of engine llama-cpp: whole numbers from 1 on are accepted"),
        (
            "threads",
            "2147483648",
            "threads '2147483648' of engine llama-cpp: whole numbers from 1 on are accepted",
        ),
        ("context", "-1", "context '-1' of engine llama-cpp: whole numbers from 1 on are accepted"),
        (
            "gpu_layers",
            "-2",
            "gpu_layers '-2' of engine llama-cpp: whole numbers from -1 on are accepted",
        ),
        ("treads", "2", "engine llama-cpp has no setting 'treads': did you mean threads?"),
    ],
)
def test_what_is_not_accepted_is_refused_with_what_is(name: str, word: str, sentence: str) -> None:
    assert refusal(**{name: [word]}) == sentence


def test_every_word_and_default_of_the_table_is_accepted() -> None:
    for engine, entry in ENGINES.items():
        wanted = {
            name: list(setting.accepted) for name, setting in entry.settings.items() if setting.accepted
        }
        assert combinations(engine, wanted, 1)


def test_engine_is_the_one_of_the_format_or_the_one_asked_for() -> None:
    assert engines_for(GGUF, []) == ["llama-cpp"]
    assert engines_for(SCRIPT, []) == ["scripted"]
    assert engines_for(SCRIPT, ["scripted"]) == ["scripted"]


def test_engine_that_does_not_exist_or_does_not_read_the_format_is_refused() -> None:
    with pytest.raises(UserError, match="there is no engine 'lama-cpp': did you mean llama-cpp"):
        engines_for(GGUF, ["lama-cpp"])
    with pytest.raises(UserError, match=r"does not read s\.json, which is scripted: use --engine scripted"):
        engines_for(SCRIPT, ["llama-cpp"])


def test_each_build_gets_the_engines_that_read_it() -> None:
    found = cases(
        [GGUF, ONNX], [CHAT], ["llama-cpp", "ort-genai", "ort"], {"kv": ["q8_0"], "graph": ["basic"]}, 1
    )
    assert [(c.build, c.engine) for c in found] == [("a", "llama-cpp"), ("o", "ort-genai"), ("o", "ort")]
    assert found[0].settings["kv"] == "q8_0"
    assert "kv" not in found[1].settings
    assert found[2].settings["graph"] == "basic"
    assert varying(found) == []


def test_engine_asked_for_must_read_one_of_the_builds() -> None:
    with pytest.raises(UserError, match="engine optimum reads none of these builds: it reads onnx"):
        cases([GGUF], [CHAT], ["llama-cpp", "optimum"], {}, 1)


def test_engine_that_generates_whole_texts_only_cannot_do_tg() -> None:
    plain = Build(id="p", name="p", format="onnx", size_bytes=1)
    assert cases([plain], [CHAT], ["optimum"], {}, 1)
    with pytest.raises(
        UserError, match=r"engine optimum generates whole texts only and cannot do tg128@d512: "
    ):
        cases([plain], [TG], ["optimum"], {}, 1)


def test_context_too_short_for_a_workload_is_refused() -> None:
    assert cases([GGUF], [CHAT], [], {"context": ["256"]}, 1)
    with pytest.raises(UserError, match="context 255 is too short for chat@1, which takes 256 tokens"):
        cases([GGUF], [CHAT], [], {"context": ["255", "512"]}, 1)
    with pytest.raises(UserError, match="context 639 is too short for tg128@d512, which takes 640 tokens"):
        cases([GGUF], [TG], [], {"context": ["639"]}, 1)


def test_a_thousand_cases_fit_into_a_run() -> None:
    threads = [str(n) for n in range(1, 501)]
    assert len(cases([GGUF], [CHAT, TG], [], {"threads": threads}, 1)) == 1000
    with pytest.raises(UserError, match="this makes 1002 cases; at most 1000 fit in one run"):
        cases([GGUF], [CHAT, TG], [], {"threads": [*threads, "501"]}, 1)
