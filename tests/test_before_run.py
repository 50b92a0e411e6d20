"""What is asked of a calibration before a run, and that it never keeps one from starting."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from profiler.builds.gguf import GgufHeader
from profiler.catalogue.devices import DeviceProfile
from profiler.cli.foretold import foretold
from profiler.errors import UserError
from profiler.measure.start import Prepared
from profiler.predicting import before_run, speeds
from profiler.predicting.before_run import (
    AT_DEPTH,
    LIMITED,
    NOT_CALIBRATED,
    limit_tps,
    predicted,
    with_predictions,
)
from profiler.predicting.prediction import DecodeAt, Figure, PromptOf, Speed
from profiler.predicting.speeds import Question
from profiler.runfile import THIS, Case, Ceiling, Device, Predicted, PredictedFigure, Workload
from tests import gguf_builder
from tests.run_builder import BOARD, build, case, pp, run, text, tg

SOURCE = "calibration of this machine, 2026-11-29"
CEILING = Ceiling(bytes_per_s=1e6, bytes_source=f"measured by {SOURCE}", macs_per_s=2e6, macs_source=SOURCE)
HERE = Device(id=THIS, name="here")
KNOWN = DeviceProfile(id=THIS, name="here", version=1, kind="laptop")
TINY = build("tiny-Q4_0", read_bytes_per_token=900, kv_elements_per_token=64)


def figure(value: float | None, unit: str = "tok/s", reason: str | None = None) -> Figure:
    if value is None:
        return Figure(value=None, unit=unit, reason=reason)
    return Figure(value=value, unit=unit, low=0.9 * value, high=1.1 * value, level=0.95)


def recorded(value: float) -> PredictedFigure:
    return PredictedFigure(value=value, low=0.9 * value, high=1.1 * value, level=0.95)


def answer(question: Question) -> Speed:
    """Speeds by which a test knows what was asked: decode at the depth, prompts at their tokens."""
    return Speed(
        decode=[
            DecodeAt(depth=d, decode_tps=figure(d or 1), limited_by="memory bandwidth")
            for d in question.depths
        ],
        prompts=[
            PromptOf(tokens=n, prefill_tps=figure(10 * n), ttft_ms=figure(100 * n, "ms"))
            for n in question.prompts
        ],
        source=SOURCE,
    )


Answer = Callable[[Question], Speed | str]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Question]:
    """A calibration that answers every question; the list has those that were asked."""
    return calibrated(monkeypatch, answer)


def calibrated(monkeypatch: pytest.MonkeyPatch, answer: Answer) -> list[Question]:
    asked: list[Question] = []

    def told(header: GgufHeader, question: Question, device: DeviceProfile, target: str) -> Speed | str:
        assert (header.version, target) == (3, "cpu")
        asked.append(question)
        return answer(question)

    monkeypatch.setattr(before_run, "calibration", lambda: SOURCE)
    monkeypatch.setattr(before_run, "measured", lambda: CEILING)
    monkeypatch.setattr(speeds, "speeds", told)
    return asked


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    path = tmp_path / "tiny-Q4_0.gguf"
    path.write_bytes(gguf_builder.llama())
    return path


def prepared(tiny: Path, *cases: Case, device: Device = HERE) -> Prepared:
    header = run(cases, builds=[TINY], device=device).header
    return Prepared(
        header=header, paths={"tiny-Q4_0": tiny}, needs={}, refusals={}, available_bytes=None, way=None
    )


def of(tiny: Path, *cases: Case, **plan: Any) -> list[Predicted]:
    ready = prepared(tiny, *cases)
    return predicted(replace(ready.header.plan, **plan), ready.paths, KNOWN)


class TestAsked:
    @pytest.mark.parametrize(
        ("workload", "depths", "prompts", "figures"),
        [
            (
                text(prompt=128, output=64),
                [160],
                [128],
                {"ttft_ms": 12800, "prefill_tps": 1280, "decode_tps": 160},
            ),
            (pp(512), [], [512], {"pp_tps": 5120}),
            (tg(128), [64], [], {"tg_tps": 64}),
            (replace(tg(128), id="tg128@d1000", depth=1000), [1064], [], {"tg_tps": 1064}),
            (replace(pp(512), id="pp512@d1000", depth=1000), [], [], {}),
        ],
        ids=lambda value: value.id if isinstance(value, Workload) else "",
    )
    def test_the_middle_of_the_answer_and_the_prompt(
        self,
        asked: list[Question],
        tiny: Path,
        workload: Workload,
        depths: list[int],
        prompts: list[int],
        figures: dict[str, float],
    ) -> None:
        [found] = of(tiny, case("r1", workload=workload, threads=2))
        [question] = asked
        assert (question.depths, question.prompts) == (depths, prompts)
        assert (question.engine, question.settings) == ("llama-cpp", {"threads": 2})
        assert found.figures == {name: recorded(value) for name, value in figures.items()}
        assert (found.case, found.source) == ("r1", SOURCE)
        assert found.reason == (None if figures else AT_DEPTH)
        assert found.limited_by == ("memory bandwidth" if depths else None)

    def test_other_engines_and_limited_memory_have_a_reason(self, asked: list[Question], tiny: Path) -> None:
        others = [case("r1", engine="ort"), case("r2", target="vulkan")]
        assert [one.reason for one in of(tiny, *others)] == [NOT_CALIBRATED] * 2
        assert [one.reason for one in of(tiny, case("r1"), memory_limit_bytes=2**30)] == [LIMITED]
        assert asked == []

    def test_a_reason_of_the_calibration_is_kept_and_bounded(
        self, monkeypatch: pytest.MonkeyPatch, tiny: Path
    ) -> None:
        calibrated(monkeypatch, lambda question: "no " * 1000)
        [found] = of(tiny, case("r1"))
        assert (found.figures, found.reason) == ({}, ("no " * 1000)[:1000])

    def test_a_figure_that_is_not_known_leaves_the_others(
        self, monkeypatch: pytest.MonkeyPatch, tiny: Path
    ) -> None:
        def some(question: Question) -> Speed:
            [decode] = answer(question).decode
            return replace(
                answer(question), decode=[replace(decode, decode_tps=figure(None, reason="too deep"))]
            )

        calibrated(monkeypatch, some)
        [found] = of(tiny, case("r1"))
        assert list(found.figures) == ["ttft_ms", "prefill_tps"]
        assert found.reason == "too deep"

    def test_the_limit_is_the_bandwidth_over_what_a_token_reads(
        self, asked: list[Question], tiny: Path
    ) -> None:
        """900 bytes of weights, and 64 elements for each of 100 tokens."""
        workload = text(prompt=90, output=20)
        assert limit_tps(TINY, case("r1", workload=workload)) == pytest.approx(1e6 / (900 + 64 * 100 * 2))
        assert limit_tps(TINY, case("r1", workload=workload, kv="q8_0")) == pytest.approx(
            1e6 / (900 + 64 * 100 * 34 / 32)
        )
        for unknown in (case("r1", workload=pp(512)), case("r1", kv="of tomorrow")):
            assert limit_tps(TINY, unknown) is None
        assert limit_tps(build("tiny-Q4_0"), case("r1")) is None


class TestRunThatStarts:
    def test_the_header_has_what_is_predicted_and_the_measured_bandwidth(
        self, asked: list[Question], tiny: Path
    ) -> None:
        found, why_not = with_predictions(prepared(tiny, case("r1")))
        assert why_not is None
        assert [one.case for one in found.header.predictions] == ["r1"]
        device = found.header.device
        assert (device.memory_bandwidth_bytes_per_s, device.bandwidth_source) == (
            1e6,
            f"measured by {SOURCE}",
        )
        assert device.ceilings == {"cpu": CEILING}

    def test_a_bandwidth_that_the_profile_has_stays(self, asked: list[Question], tiny: Path) -> None:
        stated = replace(HERE, memory_bandwidth_bytes_per_s=5e10, bandwidth_source="theoretical, a sheet")
        found, _ = with_predictions(prepared(tiny, case("r1"), device=stated))
        assert found.header.device == replace(stated, ceilings={"cpu": CEILING})

    def test_without_a_calibration_nothing_is_read(
        self, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
        tiny.unlink()
        ready = prepared(tiny, case("r1"), device=BOARD)
        assert with_predictions(ready) == (ready, None)

    @pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf"), 1e300])
    def test_a_figure_that_no_run_file_takes_is_not_written(
        self, monkeypatch: pytest.MonkeyPatch, tiny: Path, value: float
    ) -> None:
        def wrong(question: Question) -> Speed:
            return replace(
                answer(question), decode=[DecodeAt(depth=130, decode_tps=figure(value), limited_by=None)]
            )

        calibrated(monkeypatch, wrong)
        ready = prepared(tiny, case("r1"))
        found, why_not = with_predictions(ready)
        assert found == ready
        assert why_not is not None

    def test_a_broken_calibration_is_a_line_on_the_screen(
        self, monkeypatch: pytest.MonkeyPatch, tiny: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def broken() -> str:
            raise UserError("calibration.json is broken: calibrate anew")

        monkeypatch.setattr(before_run, "calibration", broken)
        ready = prepared(tiny, case("r1"))
        assert foretold(ready) == ready
        assert capsys.readouterr().err == (
            "nothing is predicted of this run: calibration.json is broken: calibrate anew\n"
        )


CALIBRATED = """
from profiler.predicting import before_run, speeds
from tests.test_before_run import CEILING, SOURCE, answer
before_run.calibration = lambda: SOURCE
before_run.measured = lambda: CEILING
speeds.speeds = lambda header, question, device, target: answer(question)
from profiler.cli.app import main
main()
"""


def test_from_the_command_to_the_report(smollm2: Path, tmp_path: Path, own_folders: dict[str, str]) -> None:
    file = tmp_path / "run.jsonl"
    words = [
        "run",
        smollm2,
        "-p",
        "16",
        "-n",
        "8",
        "--passes",
        "1",
        "--processes",
        "1",
        "--settle",
        "0s",
        "-o",
        file,
    ]
    done = subprocess.run(
        [sys.executable, "-c", CALIBRATED, *map(str, words)],
        env=own_folders | {"PYTHONPATH": str(Path(__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Prediction and measurement" in done.stdout
    header = json.loads(file.read_text().splitlines()[0])
    [found] = header["predictions"]
    assert found["figures"]["decode_tps"]["value"] == 20
    assert found["limit_tps"] > 0
    assert header["device"]["bandwidth_source"] == f"measured by {SOURCE}"
