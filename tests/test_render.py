"""What a reader sees: whole reports, and what stands where.

The goldens under tests/golden/ are whole reports of one hand-made run. After a wanted change of the output,
renew them with `EDGEPROF_RENEW_GOLDEN=1 pytest tests/test_render.py` and read the difference. Numbers of full
precision are kept to 9 digits: the last ones are the processor's own.
"""

from __future__ import annotations

import csv
import io
import os
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from profiler.analyse.board import UNITS
from profiler.analyse.report import Report, report
from profiler.errors import UserError
from profiler.render import below, columns, energy, formats, rows, terminal
from profiler.render import board as state
from profiler.render.csv import COLUMNS
from profiler.runfile import Board, Case
from tests.hand_made import hand_made
from tests.rendering import EVERY_FORMAT, rendered
from tests.run_builder import (
    board,
    build,
    case,
    failed,
    idle,
    metered,
    pp,
    raw_pass,
    rounds,
    run,
    sensor,
    text,
    text_pass,
    tg,
    worker,
)

GOLDEN = Path(__file__).parent / "golden"


def few_digits(text: str) -> str:
    """Every number with a point to 9 digits; versions, which have two points, as they are."""
    number = r"(?<![\w.])\d+\.\d+(?:e[-+]?\d+)?(?![\w.])"
    return re.sub(number, lambda found: f"{float(found[0]):.9g}", text)


class TestGolden:
    @pytest.mark.parametrize(
        ("name", "file"),
        [
            ("terminal", "terminal-110.txt"),
            ("terminal at 60", "terminal-60.txt"),
            ("markdown", "report.md"),
            ("csv", "report.csv"),
            ("json", "report.json"),
        ],
    )
    def test_the_whole_text(self, name: str, file: str) -> None:
        found = rendered(report(hand_made()), name)
        found = few_digits(found) if name in ("csv", "json") else found
        if os.environ.get("EDGEPROF_RENEW_GOLDEN"):
            (GOLDEN / file).write_text(found, "utf-8")
        assert found == (GOLDEN / file).read_text("utf-8")

    @pytest.mark.parametrize("name", EVERY_FORMAT)
    def test_twice_gives_the_same_bytes(self, name: str) -> None:
        assert rendered(report(hand_made()), name) == rendered(report(hand_made()), name)


class TestTerminal:
    @pytest.mark.parametrize("width", [60, 80, 110])
    def test_nothing_is_wider_than_the_terminal(self, width: int) -> None:
        assert max(map(len, terminal.render(report(hand_made()), width).splitlines())) <= width

    def test_at_80_columns_it_is_still_a_table_without_the_spare_column(self) -> None:
        lines = terminal.render(report(hand_made()), 80).splitlines()
        assert "prefill" not in "".join(lines)
        assert any(line.startswith("r1   SmolLM2-135M   Q8_0") for line in lines)

    def test_a_long_failure_does_not_turn_the_table_into_cards(self) -> None:
        seen = run(
            [case("r1", threads=2), case("r2", threads=4)],
            rounds("r1", [10] * 8),
            [failed("r2", 0, "crashed", "words " * 60)],
        )
        assert "decode, tok/s" not in terminal.render(report(seen))

    def test_a_row_that_was_not_reached_is_not_called_failed(self) -> None:
        for name in ("terminal", "markdown", "csv"):
            shown = rendered(report(run([case("r1")], ended=None)), name)
            assert "not measured yet" in shown
            assert "failed" not in shown.removeprefix(",".join(COLUMNS)).replace("failure", "")

    def test_a_provisional_interval_wears_a_tilde_and_the_tilde_is_explained(self) -> None:
        few = terminal.render(report(run([case("r1")], rounds("r1", [10, 11, 12], ttft_ms=100))))
        many = terminal.render(report(run([case("r1")], rounds("r1", [10] * 8))))
        assert "~±" in few
        assert "~ marks a provisional one" in few
        assert "~" not in many


def with_energy(**facts: Any) -> Report:
    """Two rows by one sensor; the second has a prompt of no tokens."""
    cases = [case("r1", threads=2), case("r2", threads=4, workload=text("talk@1", prompt=0))]
    workers = [[metered(c.id, n, metering_share=0.0004) for n in range(8)] for c in cases]
    rest = [idle("before", 2, at_ms=-3000), idle("after", 2.1, at_ms=30_000)]
    known: dict[str, Any] = {
        "sensors": [sensor(name="package-0", period_s=0.001, note="a note")],
        "idle": rest,
    }
    return report(run(cases, *workers, **known | facts))


class TestEnergy:
    def test_one_line_for_each_row_and_what_to_know_of_the_sensor(self) -> None:
        [found] = energy.sections(with_energy())
        assert found.table.title == "Energy of the processor package alone"
        assert [[cell.value for cell in line.cells] for line in found.table.lines] == [
            ["0.00625", "0.05", "8.00", "5.00"],
            ["-", "0.05", "-", "5.00"],
        ]
        assert found.lines == [
            ("Sensor", "rapl, package: package-0 (a note)"),
            (
                "Updates",
                "its period is 1 ms; read every 10 ms; 0 to 240 updates within the prompts of a row, 240 within its "
                "answers; reading took 0.04% of one core",
            ),
            ("Idle", "2.00 W before the run, 2.10 W after the run"),
        ]

    def test_a_second_is_no_thousand_milliseconds(self) -> None:
        [found] = energy.sections(with_energy(sensors=[sensor(period_s=0.9999)]))
        assert dict(found.lines)["Updates"].startswith("its period is 1 s; ")

    def test_processes_that_the_sensor_missed_are_told(self) -> None:
        """A meter that stopped before the run did: two of eight processes have no reading."""
        workers = [metered("r1", n) for n in range(8)]
        workers[6:] = [msgspec.structs.replace(worker, meters={}) for worker in workers[6:]]
        [found] = energy.sections(report(run([case("r1")], workers, sensors=[sensor()])))
        assert dict(found.lines)["Covers"] == "prompts of 6 of 8 processes, answers of 6 of 8 processes"

    def test_an_external_meter_is_called_one(self) -> None:
        known = with_energy().rows[0].energy
        assert known is not None
        told = energy.sensor_lines(msgspec.structs.replace(known, source="power_log", scope="device"))
        assert told[0] == "external meter, device: package-0 (a note)"

    def test_why_figures_were_refused(self) -> None:
        few = [metered("r1", n, every_ms=100) for n in range(3)]
        [found] = energy.sections(report(run([case("r1")], few, sensors=[sensor()])))
        assert dict(found.lines)["Refused"].startswith(
            "rapl (package) had only 9 updates within the prompt windows, and a figure takes 10: ask"
        )

    def test_without_a_sensor_one_line_of_facts(self) -> None:
        reasons = {"rapl": "needs more rights", "nvml": "nvml: not offered here", "battery": "on mains"}
        found = report(run([case("r1")], rounds("r1", [10] * 8), no_sensor=reasons))
        assert energy.sections(found) == []
        assert (
            dict(below.facts(found))["Energy"] == "not measured: rapl: needs more rights; battery: on mains"
        )

    def test_a_run_that_looked_for_no_sensor_has_no_word_of_it(self) -> None:
        found = report(run([case("r1")], rounds("r1", [10] * 8)))
        assert "Energy" not in dict(below.facts(found))

    @pytest.mark.parametrize("name", ["terminal", "markdown"])
    def test_it_stands_in_the_report(self, name: str) -> None:
        shown = rendered(with_energy(), name)
        assert "Energy of the processor package alone" in shown
        assert "2.00 W before the run, 2.10 W after the run" in shown

    def test_csv_names_the_sensor_beside_every_figure(self) -> None:
        lines = list(csv.DictReader(io.StringIO(formats.render(with_energy(), "csv"))))
        named = {line["metric"]: line["sensor"] for line in lines if line["row"] == "r2" and line["sensor"]}
        assert named == dict.fromkeys(["energy_j_per_token", "power_w", "idle_power_w"], "rapl (package)")

    @pytest.mark.parametrize("width", [60, 80, 110])
    def test_nothing_is_wider_than_the_terminal(self, width: int) -> None:
        assert max(map(len, terminal.render(with_energy(), width).splitlines())) <= width

    def test_at_80_columns_it_is_a_table(self) -> None:
        assert "\nr1   tiny-Q4_0, chat@1, threads 2   0.00625 ±0%" in terminal.render(with_energy(), 80)


MHZ = 1_000_000
ASLEEP = "no source on this system tells it"


class TestBoard:
    def lines(self, before: Board, after: Board | None = None) -> dict[str, str]:
        seen = [worker("r1", 0, text_pass(), board_before=before, board_after=after or before)]
        return dict(state.lines(report(run([case("r1")], seen))))

    def test_clocks_as_asked_and_as_measured(self) -> None:
        asked = {"policy0": 2400 * MHZ}
        before, after = (
            board(cpu_clock={"policy0": clock * MHZ}, cpu_clock_asked=asked) for clock in (1500, 2398)
        )
        assert self.lines(before, after)["CPU clock"] == "asked 2400 MHz, measured 1500 MHz -> 2398 MHz"

    def test_parts_that_say_the_same_are_told_once(self) -> None:
        assert self.lines(board(governor={"policy0": "a", "policy4": "a"}))["governor"] == "a"
        assert (
            self.lines(board(governor={"policy0": "a", "policy4": "b"}))["governor"] == "policy0 a; policy4 b"
        )

    def test_temperatures_keep_their_names(self) -> None:
        zones = {"cpu-thermal": 45.0, **{f"core {n}": 50.0 for n in range(5)}}
        assert self.lines(board(temperature=zones))["temperature"] == (
            "cpu-thermal 45 C; core 0, core 1, core 2 and 2 more 50 C"
        )

    def test_numbers_have_their_units(self) -> None:
        found = self.lines(
            board(fan={"fan1": 0, "pwm-fan": "2 of 4"}, zram={"size": 2**30}, gpu_load={"gpu": 0.25}),
            board(fan={"fan1": 3000, "pwm-fan": "2 of 4"}, zram={"size": 2**30}, gpu_load={"gpu": 0.5}),
        )
        assert found == {
            "GPU load": "25% -> 50%",
            "fan": "fan1 0 rpm -> 3000 rpm; pwm-fan 2 of 4",
            "zram": "size 1.0 GiB",
        }

    def test_a_clock_that_is_off_in_some_workers(self) -> None:
        seen = [
            worker("r1", n, text_pass(), board_before=board(gpu_clock={"gpu": clock}))
            for n, clock in enumerate((600 * MHZ, "off"))
        ]
        assert dict(state.lines(report(run([case("r1")], seen)))) == {"GPU clock": "600 MHz / off"}

    def test_of_many_parts_some_are_told(self) -> None:
        zones = {f"zone {n}": 40.0 + n for n in range(9)}
        assert self.lines(board(temperature=zones))["temperature"].endswith("; zone 5 45 C; 3 more")

    def test_counters_tell_what_they_counted_meanwhile(self) -> None:
        before = board(throttle_count={"cores": 5}, quota_throttled={"v2 depth 1": 10 * MHZ})
        after = board(throttle_count={"cores": 12}, quota_throttled={"v2 depth 1": 40 * MHZ})
        moved, still = self.lines(before, after), self.lines(before)
        assert (moved["slowed down"], moved["CPU quota"]) == ("7 times", "held back for 30.0 ms")
        assert (still["slowed down"], still["CPU quota"]) == ("not while the workers ran", "not held back")

    def test_what_is_not_readable_is_one_line(self) -> None:
        unreadable = {
            "gpu_clock": ASLEEP,
            "fan": "hwmon: not offered here",
            "npu_clock": ASLEEP,
            "zram": "x/zram: not offered here",
        }
        assert self.lines(board(unreadable=unreadable)) == {
            "not readable": f"GPU clock, NPU clock ({ASLEEP}); fan, zram (not offered here)"
        }

    def test_every_topic_has_its_label(self) -> None:
        assert list(state.LABELS) == list(UNITS)

    def test_a_run_without_has_no_section(self) -> None:
        assert "Board" not in terminal.render(report(run([case("r1")], rounds("r1", [10]))))

    @pytest.mark.parametrize("name", ["terminal", "markdown"])
    def test_it_stands_in_the_report(self, name: str) -> None:
        seen = [worker("r1", 0, text_pass(), board_before=board(power_source={"source": "mains"}))]
        shown = rendered(report(run([case("r1")], seen)), name)
        assert "Board, before the workers" in shown
        assert "mains" in shown


class TestRows:
    """What rows are called where they are spoken of."""

    def named(self, *cases: Case, quantizations: tuple[str | None, ...] = ("Q8_0", "Q4_0")) -> list[str]:
        builds = [build(name, q) for name, q in zip(("a", "b"), quantizations, strict=True)]
        return list(rows.names(report(run(cases, builds=builds))).values())

    def test_by_quantization_where_that_tells_the_build(self) -> None:
        assert self.named(case("r1", "a"), case("r2", "b")) == ["Q8_0", "Q4_0"]

    def test_by_build_where_it_does_not(self) -> None:
        assert self.named(case("r1", "a"), case("r2", "b"), quantizations=("Q8_0", "Q8_0")) == ["a", "b"]
        assert self.named(case("r1", "a"), case("r2", "b"), quantizations=("Q8_0", None)) == ["a", "b"]

    def test_with_engine_target_and_settings_that_vary(self) -> None:
        one = case("r1", "a", threads=2, mmap=True)
        other = case("r2", "a", engine="onnx", target="gpu", threads=2, mmap=False)
        assert self.named(one, other) == ["Q8_0, llama-cpp, cpu, mmap on", "Q8_0, onnx, gpu, mmap off"]

    def test_with_the_workload_where_there_are_several(self) -> None:
        assert self.named(case("r1", "a"), case("r2", "a", workload=tg(4))) == ["Q8_0, chat@1", "Q8_0, tg4"]

    def test_engine_and_target_are_columns_where_they_vary(self) -> None:
        cases = [case("r1", "a"), case("r2", "a", engine="onnx", target="gpu")]
        [table] = columns.tables(report(run(cases, builds=[build("a", "Q8_0")])))
        assert table.names == ["", "build", "quant", "engine", "target"]
        assert table.lines[1].names == ["r2", "a", "Q8_0", "onnx", "gpu"]

    def test_the_quantization_has_a_column_and_leaves_the_name(self) -> None:
        [table] = columns.tables(report(hand_made()))
        assert table.names == ["", "build", "quant", "threads"]
        assert table.lines[0].names == ["r1", "SmolLM2-135M", "Q8_0", "2"]

    def test_each_workload_has_its_table_and_its_columns(self) -> None:
        cases = [case("r1"), case("r2", workload=pp(512)), case("r3", workload=tg(4))]
        seen = [
            *rounds("r1", [10]),
            worker("r2", 0, raw_pass(1, evaluated_ms=1000)),
            worker("r3", 0, raw_pass(1, evaluated_ms=0, token_ms=[10, 20, 30, 40])),
        ]
        found = columns.tables(report(run(cases, seen)))
        assert [[title for title, _ in table.figures] for table in found] == [
            ["TTFT", "decode", "prefill", "peak memory"],
            ["pp", "peak memory"],
            ["tg", "peak memory"],
        ]
        assert [table.lines[0].cells[0].value for table in found] == ["100", "512", "100"]


class TestNotices:
    def told(self, measured_in_one_round: int, of: int) -> list[str]:
        cases = [case(f"r{n}", threads=n) for n in range(of)]
        several = [rounds(c.id, [10] * (1 if n < measured_in_one_round else 8)) for n, c in enumerate(cases)]
        return [line for line in below.notices(report(run(cases, *several))) if "1 round: " in line]

    def test_rows_are_named(self) -> None:
        [line] = self.told(2, of=3)
        assert line.startswith("r0, r1: 1 round: the intervals are provisional")

    def test_of_many_rows_they_are_counted(self) -> None:
        [line] = self.told(9, of=10)
        assert line.startswith("9 of 10 rows: 1 round")

    def test_of_all_rows_it_is_said_once(self) -> None:
        [line] = self.told(6, of=6)
        assert line.startswith("1 round")


class TestNotComparable:
    def test_it_is_said_in_the_place_of_a_ratio(self) -> None:
        cases = [case("r1"), case("r2", workload=text("chat@2"))]
        found = report(run(cases, rounds("r1", [10] * 8), rounds("r2", [10] * 8)), base="r1")
        assert "not comparable" in terminal.render(found)
        assert "| workload: chat@1 -\\> chat@2 | not comparable |" in formats.render(found, "markdown")


class TestChosen:
    @pytest.mark.parametrize(
        ("name", "file", "expected"),
        [
            (None, None, "terminal"),
            ("csv", None, "csv"),
            (None, "a.md", "markdown"),
            (None, "a.JSON", "json"),
            (None, "a.b.csv", "csv"),
            (None, "a.txt", "terminal"),
            ("json", "a.md", "json"),
        ],
    )
    def test_by_name_else_by_suffix(self, name: str | None, file: str | None, expected: str) -> None:
        assert formats.chosen(name, Path(file) if file else None) == expected

    def test_an_unknown_name_is_refused_with_the_nearest(self) -> None:
        with pytest.raises(UserError, match="there is no format 'markdwon': did you mean markdown"):
            formats.chosen("markdwon", None)

    @pytest.mark.parametrize("file", ["a", "a.docx", ".csv"])
    def test_an_unknown_suffix_is_refused(self, file: str) -> None:
        with pytest.raises(UserError, match="its suffix names no format"):
            formats.chosen(None, Path(file))
