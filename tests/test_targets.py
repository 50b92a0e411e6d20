"""From the word for a target to an engine's way there, and what is said where there is none."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from profiler.catalogue.devices import load_device
from profiler.engines.accelerators import EMULATED, KINDS, OPTIONS, OWN, PLUGINS, ROUTES
from profiler.engines.table import ENGINES
from profiler.errors import UserError
from profiler.host.machine import this_machine
from profiler.measure.events import ReachedDevice
from profiler.measure.targets import check, chosen, ways, with_options, words
from profiler.runfile import Route
from tests.conftest import Command, Script, only_refusal

QNN = "QNNExecutionProvider"
SNAPDRAGON = "snapdragon-x-elite"
HTP = ReachedDevice(provider=QNN, kind="npu", name="Hexagon NPU")
EMULATOR = ReachedDevice(provider=QNN, kind="npu", name="emulation", simulated="an emulation")
CARD = ReachedDevice(provider="Vulkan", kind="gpu", name="Vulkan0", memory_bytes=1 << 30)


def sees(**devices: ReachedDevice) -> Callable[[str], tuple[ReachedDevice, ...] | str]:
    """Engines that see one device each, and others that are not installed."""
    return lambda engine: (devices[engine],) if engine in devices else f"{engine} is not installed"


def test_every_family_is_a_kind_and_every_plug_in_has_options() -> None:
    assert set(KINDS) == set(ROUTES)
    assert set(KINDS.values()) == {"npu", "gpu"}
    assert {*PLUGINS, *OWN} == set(OPTIONS)
    for family in ROUTES.values():
        for route in family:
            if route.engine == "ort" and route.provider in OPTIONS:
                assert all(name in OPTIONS[route.provider] for name in route.options), route


def test_a_profile_names_targets_of_its_own() -> None:
    assert words(load_device(SNAPDRAGON)) == ["cpu", "npu", "gpu", "hexagon-v73", "adreno-x1-85"]


@pytest.mark.parametrize(
    ("device", "target", "sentence"),
    [
        ("raspberry-pi-5", "tpu", "device raspberry-pi-5 has no target 'tpu': did you mean npu or gpu?"),
        ("rock-5b", "hexagon-v73", "device rock-5b has no target 'hexagon-v73'"),
        (
            "hailo-10h",
            "gpu",
            "device hailo-10h has no GPU: its profile names hailo-10h; use --target cpu or npu",
        ),
    ],
)
def test_a_target_that_the_profile_lacks(device: str, target: str, sentence: str) -> None:
    with pytest.raises(UserError) as refused:
        check(target, load_device(device))
    assert str(refused.value).startswith(sentence)


def test_the_profile_chooses_engine_provider_and_options() -> None:
    profile = load_device(SNAPDRAGON)
    for target in ("npu", "hexagon-v73"):
        assert chosen(target, [], "onnx-genai", profile, sees(ort=HTP)) == [
            ("ort", Route(provider=QNN, options={"backend_type": "htp"}, device="Hexagon NPU"))
        ]


def test_an_emulator_is_told_what_it_needs_and_says_what_it_is() -> None:
    ((engine, route),) = chosen("npu", ["ort"], "onnx", this_machine(), sees(ort=EMULATOR))
    assert (engine, route.simulated) == ("ort", "an emulation")
    assert route.options == {"backend_type": "htp", **EMULATED[QNN]}


def test_the_engines_that_were_asked_for_are_all_used() -> None:
    asked = chosen("gpu", ["llama-cpp"], "gguf", this_machine(), sees(**{"llama-cpp": CARD}))
    assert asked == [("llama-cpp", Route(provider="Vulkan", device="Vulkan0"))]


def test_one_of_several_devices_is_chosen_by_its_name() -> None:
    other = ReachedDevice(provider="Vulkan", kind="gpu", name="Vulkan1")

    def both(engine: str) -> tuple[ReachedDevice, ...]:
        return (CARD, other) if engine == "llama-cpp" else ()

    ((_, route),) = chosen("gpu", [], "gguf", this_machine(), both, "Vulkan1")
    assert route.device == "Vulkan1"
    with pytest.raises(UserError, match="Vulkan sees Vulkan0 and Vulkan1, and no Vulkan2"):
        chosen("gpu", [], "gguf", this_machine(), both, "Vulkan2")


@pytest.mark.parametrize(
    ("target", "engines", "build_format", "told"),
    [
        ("gpu", [], "gguf", "Vulkan needs CMAKE_ARGS=-DGGML_VULKAN=ON pip install"),
        ("npu", [], "onnx", "QNNExecutionProvider needs pip install onnxruntime-qnn"),
        ("npu", ["optimum"], "onnx", "no engine of optimum that reads onnx is known to reach it"),
    ],
)
def test_what_is_missing_is_said_with_what_to_type(
    target: str, engines: list[str], build_format: str, told: str
) -> None:
    with pytest.raises(UserError) as refused:
        chosen(target, engines, build_format, this_machine(), lambda _engine: ())
    assert f"target {target} is not reached with this build" in str(refused.value)
    assert told in str(refused.value)


def test_a_provider_that_is_there_and_reaches_nothing_says_why() -> None:
    silent = ReachedDevice(provider=QNN, kind=None, name=None, reason="it sees no device of its own")
    reasons = {way.provider: way.reason for way in ways("npu", this_machine(), sees(ort=silent))}
    assert reasons[QNN] == "QNNExecutionProvider is installed, but it sees no device of its own"
    assert reasons["HTP0"] == "llama-cpp is not installed"


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ({"htp_arc": "73"}, "QNNExecutionProvider has no option 'htp_arc': did you mean htp_arch?"),
        ({"backend_type": "saver"}, "option backend_type of QNNExecutionProvider is 'saver'"),
        ({"backend_type": "bogus"}, "option backend_type of QNNExecutionProvider is 'bogus'"),
        ({"backend_type": "ir"}, "option backend_type of QNNExecutionProvider is 'ir'"),
        ({"backend_type": "cpu"}, "option backend_type of QNNExecutionProvider is 'cpu'"),
        ({"htp_arch": "99"}, "option htp_arch of QNNExecutionProvider is '99'"),
        ({"backend_path": "libNone.so"}, "QNNExecutionProvider has no option 'backend_path'"),
    ],
)
def test_options_that_a_provider_does_not_know(typed: dict[str, str], sentence: str) -> None:
    """The library accepts them all: with `saver` it returns what was in memory, with `bogus` it runs on the HTP."""
    with pytest.raises(UserError) as refused:
        with_options(Route(provider=QNN), typed)
    assert str(refused.value).startswith(sentence)


def test_options_that_it_knows_are_added() -> None:
    route = with_options(Route(provider=QNN, options={"backend_type": "htp"}), {"htp_arch": "73"})
    assert route.options == {"backend_type": "htp", "htp_arch": "73"}


def test_every_target_of_this_machine_is_listed(edgeprof: Command) -> None:
    found = json.loads(edgeprof("devices", "this", "--targets", "-f", "json").out)
    assert found["schema"] == "edgeprof.targets/1"
    ways_here = {(one["target"], one["engine"], one["provider"]): one for one in found["targets"]}
    assert ways_here["cpu", "llama-cpp", "cpu"]["reached"]
    assert ways_here["cpu", "ort", "cpu"]["reached"]
    assert {engine for _, engine, _ in ways_here} == set(ENGINES) - {"scripted"}
    assert {(target, engine) for target, engine, _ in ways_here} >= {
        (target, engine) for target in ("cpu", "npu", "gpu") for engine in set(ENGINES) - {"scripted"}
    }
    missing = ways_here["npu", "ort", "VitisAIExecutionProvider"]
    assert not missing["reached"]
    assert missing["reason"] == "VitisAIExecutionProvider needs Ryzen AI software"
    assert "llama-cpp" in edgeprof("devices", "--targets").out


def test_targets_of_another_device_cannot_be_asked(edgeprof: Command) -> None:
    assert "asks the engines of this machine" in only_refusal(
        edgeprof("devices", "jetson-orin-nano", "--targets")
    )


@pytest.mark.parametrize(
    ("words_typed", "sentence"),
    [
        (["--provider-option", "htp_arch=73"], "--provider-option htp_arch has no provider to go to"),
        (["--target", "npu", "--provider-option", "x"], "--provider-option 'x': key=value is accepted"),
        (
            ["--target", "npu"],
            "target npu is not reached with this build on this: ",
        ),
        (["--target", "gpu,tpu"], "device this has no target 'tpu'"),
    ],
)
def test_bad_words_are_one_sentence(
    edgeprof: Command, script: Script, words_typed: list[str], sentence: str
) -> None:
    assert sentence in only_refusal(edgeprof("run", script(), *words_typed))


def test_an_engine_that_reaches_it_and_reads_other_builds_is_named() -> None:
    with pytest.raises(
        UserError, match="engine ort reaches it, and reads onnx-genai, onnx, onnx-static: edgeprof build"
    ):
        chosen("npu", [], "gguf", this_machine(), sees(ort=EMULATOR))
    with pytest.raises(UserError, match="engine ort reaches it: --engine ort"):
        chosen("npu", ["ort-genai"], "onnx-genai", this_machine(), sees(ort=EMULATOR))
