"""Imported figures as a document, as a report in every format, and on the command line."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from profiler.analyse.imported import imported_report
from profiler.analyse.report import Report, report
from profiler.cli import app
from profiler.cli.sources import read_sources
from profiler.errors import UserError
from profiler.importing import llama_bench
from profiler.importing.assemble import document
from profiler.render import formats
from profiler.runfile import Device
from profiler.runfile.imported import Imported, Refused, encoded, is_imported, read_imported
from tests.hand_made import hand_made
from tests.llama_bench_output import as_json, bench_test

HOSTILE = "=cmd()\x1b[31m|<img src=x onerror=alert(1)>`x`\u202e.gguf"


def three_processes(folder: Path, **changed: Any) -> Imported:
    told = []
    for number, tps in enumerate((100.0, 104.0, 98.0)):
        path = folder / f"{number}.json"
        tests = [bench_test(prompt=512, tps=tps, **changed)]
        tests += [] if number else [bench_test(output=128, tps=9.5, **changed)]
        path.write_text(as_json(*tests), "utf-8")
        told.append(llama_bench.read(path))
    return document(llama_bench.TOOL, told, Device(id="board", name="Board"), None)


def shown(folder: Path, **changed: Any) -> Report:
    return imported_report(three_processes(folder, **changed))


def edgeprof(*words: str, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "argv", ["edgeprof", *words])
    return int(app.main())


class TestDocument:
    def test_it_is_read_as_it_was_written(self, tmp_path: Path) -> None:
        path, written = tmp_path / "x.jsonl", three_processes(tmp_path)
        path.write_text(encoded(written), "utf-8")
        assert is_imported(path)
        assert read_imported(path) == written
        assert '"schema":"edgeprof.imported/1"' in encoded(written)
        assert "/home" not in encoded(written)

    @pytest.mark.parametrize(
        "change",
        [
            lambda d: d | {"surprise": 1},
            lambda d: d | {"rows": []},
            lambda d: d | {"origin": d["origin"] | {"files": []}},
            lambda d: d | {"rows": [d["rows"][0] | {"figures": {"pp_tps": [{"file": 0, "value": -1}]}}]},
        ],
    )
    def test_what_was_changed_is_refused_in_one_sentence(self, change: Any, tmp_path: Path) -> None:
        path = tmp_path / "x.jsonl"
        path.write_text(json.dumps(change(json.loads(encoded(three_processes(tmp_path))))), "utf-8")
        with pytest.raises(UserError, match=r"x\.jsonl holds no imported figures: "):
            read_imported(path)

    def test_a_second_line_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "x.jsonl"
        path.write_text(encoded(three_processes(tmp_path)) + "{}\n", "utf-8")
        with pytest.raises(UserError, match="more than the one line"):
            read_imported(path)

    def test_parts_that_do_not_fit_together(self, tmp_path: Path) -> None:
        found = three_processes(tmp_path)
        row = found.rows[0]
        for wrong in (
            replace(row, build="none"),
            replace(row, figures={"ttft_ms": row.figures["pp_tps"]}),
            replace(row, figures={"nothing": row.figures["pp_tps"]}),
            replace(row, figures={"pp_tps": [replace(row.figures["pp_tps"][0], file=3)]}),
        ):
            with pytest.raises(UserError, match="names a build, a metric or a file that is not there"):
                imported_report(replace(found, rows=[wrong]))
        with pytest.raises(UserError, match="have one id"):
            imported_report(replace(found, rows=[row, row]))
        other = replace(row, id="r9", workload=replace(row.workload, prompt_tokens=1))
        with pytest.raises(UserError, match="two workloads pp512"):
            imported_report(replace(found, rows=[row, other]))


class TestReport:
    def test_three_processes_have_an_interval(self, tmp_path: Path) -> None:
        cell = shown(tmp_path).rows[0].metrics["pp_tps"]
        assert (cell.value, cell.low, cell.high) == pytest.approx((100.637, 93.33, 108.52), rel=1e-3)
        assert (cell.level, cell.processes, cell.passes, cell.provisional) == (0.95, 3, 6, True)

    def test_one_process_has_none_whatever_its_repetitions_say(self, tmp_path: Path) -> None:
        cell = shown(tmp_path).rows[1].metrics["tg_tps"]
        assert (cell.value, cell.low, cell.high, cell.processes) == (9.5, None, None, 1)
        assert cell.reason == "one process: 2 repetitions, standard deviation 1.5 tok/s"

    def test_two_processes_have_none_either(self, tmp_path: Path) -> None:
        found = three_processes(tmp_path)
        row = found.rows[0]
        cell = imported_report(
            replace(found, rows=[replace(row, figures={"pp_tps": row.figures["pp_tps"][:2]})])
        )
        assert (
            cell.rows[0].metrics["pp_tps"].reason
            == "2 processes have no interval yet: it takes three of them"
        )
        assert cell.rows[0].metrics["pp_tps"].value == pytest.approx(101.98039)

    def test_it_says_what_it_is(self, tmp_path: Path) -> None:
        found = shown(tmp_path)
        assert {row.basis for row in found.rows} == {"imported"}
        assert found.origin is not None
        assert (found.origin.tool, found.origin.version) == ("llama-bench", "build 5163, commit 8cf427ff")
        assert [file.name for file in found.origin.files] == ["0.json", "1.json", "2.json"]
        assert (found.comparisons, found.best, found.rounds) == ([], [], 0)

    def test_what_the_tool_does_not_state_is_absent(self, tmp_path: Path) -> None:
        cells = shown(tmp_path).rows[0].metrics
        assert (cells["peak_rss_bytes"].value, cells["tg_tps"].value) == (None, None)
        assert cells["peak_rss_bytes"].reason == "llama-bench does not state it"
        assert cells["tg_tps"].reason == "this workload generates no tokens"

    def test_its_rows_have_the_metrics_of_measured_ones(self, tmp_path: Path) -> None:
        measured = report(hand_made()).rows[0]
        found = three_processes(tmp_path)
        row = found.rows[0]
        text = replace(row, workload=replace(row.workload, method="text"))
        text = replace(text, figures={"ttft_ms": row.figures["pp_tps"]})
        (other,) = imported_report(replace(found, rows=[text])).rows
        assert measured.metrics.keys() <= other.metrics.keys()
        assert measured.conditions.keys() == other.conditions.keys()


class TestShown:
    def test_a_table_has_the_basis_in_a_column(self, tmp_path: Path) -> None:
        text = formats.render(shown(tmp_path), "terminal")
        assert "build          quant    basis      pp" in text
        assert "r1   SmolLM2-135M   Q4_K_M   imported   101 ~" in text
        assert (
            "Imported      from llama-bench, build 5163, commit 8cf427ff, not measured here: 0.json (sha256"
            in text
        )
        assert "Not imported  stddev_ts as an interval: " in text
        assert "peak memory" not in text

    def test_markdown_says_the_same(self, tmp_path: Path) -> None:
        text = formats.render(shown(tmp_path), "markdown")
        assert "|  | build | quant | basis | pp, tok/s |" in text
        assert "- **Imported**: from llama-bench, build 5163" in text
        assert "its file was not seen here" in text

    def test_csv_and_json_say_it_in_every_row(self, tmp_path: Path) -> None:
        found = shown(tmp_path)
        rows = list(csv.DictReader(io.StringIO(formats.render(found, "csv"))))
        assert {row["basis"] for row in rows} == {"imported"}
        decoded = json.loads(formats.render(found, "json"))
        assert decoded["origin"]["files"][0]["name"] == "0.json"
        assert decoded["rows"][1]["basis"] == "imported"

    def test_a_measured_report_has_no_such_column(self) -> None:
        assert "basis" not in formats.render(report(hand_made()), "terminal")

    @pytest.mark.parametrize("name", ["terminal", "markdown", "csv"])
    def test_a_hostile_name_is_inert(self, name: str, tmp_path: Path) -> None:
        found = shown(tmp_path, model_filename=HOSTILE, build_commit="\x1b]0;x\x07")
        text = formats.render(found, name)
        assert not any(c in text for c in ("\x1b", "\u202e", "\x07"))
        assert name != "markdown" or "<img" not in text.replace("\\<", "")
        assert name != "csv" or "'=cmd()" in text

    def test_reasons_shared_by_fields_are_told_once(self, tmp_path: Path) -> None:
        found = three_processes(tmp_path)
        both = [Refused(what="a", reason="why"), Refused(what="b", reason="why")]
        text = formats.render(
            imported_report(replace(found, origin=replace(found.origin, refused=both))), "markdown"
        )
        assert "- **Not imported**: a, b: why" in text


class TestCommand:
    def test_from_the_tool_s_file_to_a_report(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        bench, out = tmp_path / "bench.json", tmp_path / "x.jsonl"
        bench.write_text(
            as_json(bench_test(output=128, tps=9.5), bench_test(prompt=512, output=128)), "utf-8"
        )
        words = ("import", "llama-bench", str(bench), "-o", str(out), "--model", "mine")
        assert edgeprof(*words, "--device", "raspberry-pi-5", monkeypatch=monkeypatch) == 0
        told = capsys.readouterr().out.splitlines()
        assert told[0] == "1 row imported into x.jsonl"
        assert told[1].startswith("imported: tg_tps: avg_ts of a test with n_gen alone: ")
        assert told[2].startswith("not imported: pg tests (n_prompt and n_gen in one): ")
        assert edgeprof("report", str(out), monkeypatch=monkeypatch) == 0
        shown = capsys.readouterr().out
        assert "r1   mine    Q4_K_M   imported   9.50" in shown
        assert read_imported(out).device.id == "raspberry-pi-5"

    def test_without_a_device_it_is_called_as_the_tool_does(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bench, out = tmp_path / "bench.json", tmp_path / "x.jsonl"
        bench.write_text(as_json(bench_test(output=128)), "utf-8")
        assert edgeprof("import", "llama-bench", str(bench), "-o", str(out), monkeypatch=monkeypatch) == 0
        device = read_imported(out).device
        assert (device.id, device.name) == ("amd-ryzen-7-7800x3d", "AMD Ryzen 7 7800X3D")

    @pytest.mark.parametrize(
        ("test", "more", "says"),
        [
            ({"cpu_info": ""}, (), "do not say on what machine they were made: name it with --device ID"),
            ({}, ("--device", "raspbery-pi-5"), "no device is called 'raspbery-pi-5' (did you mean"),
        ],
    )
    def test_refusals(
        self,
        test: dict[str, Any],
        more: tuple[str, ...],
        says: str,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        bench, out = tmp_path / "bench.json", tmp_path / "x.jsonl"
        bench.write_text(as_json(bench_test(output=128, **test)), "utf-8")
        assert (
            edgeprof("import", "llama-bench", str(bench), "-o", str(out), *more, monkeypatch=monkeypatch) == 2
        )
        assert says in capsys.readouterr().err
        assert not out.exists()

    def test_the_file_that_is_read_is_not_written_over(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        bench = tmp_path / "bench.json"
        bench.write_text(as_json(bench_test(output=128)), "utf-8")
        assert edgeprof("import", "llama-bench", str(bench), "-o", str(bench), monkeypatch=monkeypatch) == 2
        assert "is a file that is imported" in capsys.readouterr().err

    @pytest.mark.parametrize(
        "words", [("compare", "x.jsonl", "x.jsonl"), ("explain", "x.jsonl", "r1", "pp_tps")]
    )
    def test_nothing_is_compared_with_them(
        self,
        words: tuple[str, ...],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        (tmp_path / "x.jsonl").write_text(encoded(three_processes(tmp_path)), "utf-8")
        monkeypatch.chdir(tmp_path)
        assert edgeprof(*words, monkeypatch=monkeypatch) == 2
        assert "holds figures imported from another tool" in capsys.readouterr().err


class TestSources:
    def test_imported_figures_beside_a_run_in_the_order_given(self, tmp_path: Path) -> None:
        (tmp_path / "x.jsonl").write_text(encoded(three_processes(tmp_path)), "utf-8")
        run = hand_made()
        lines = [msgspec.json.encode(record) for record in (run.header, *run.workers)]
        (tmp_path / "run.jsonl").write_bytes(b"\n".join(lines) + b"\n")
        sources = read_sources([tmp_path / "x.jsonl", tmp_path / "run.jsonl"], base="r2")
        assert [(source.name, source.run is None) for source in sources] == [
            ("x.jsonl", True),
            ("run.jsonl", False),
        ]

    def test_a_base_among_imported_figures_alone_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "x.jsonl").write_text(encoded(three_processes(tmp_path)), "utf-8")
        with pytest.raises(UserError, match="have no rounds and no times"):
            read_sources([tmp_path / "x.jsonl"], base="r2")

    def test_a_file_that_is_not_there_is_no_imported_one(self, tmp_path: Path) -> None:
        assert not is_imported(tmp_path / "none")
        assert not is_imported(tmp_path)


def test_the_report_has_what_an_encoder_takes(tmp_path: Path) -> None:
    assert msgspec.json.encode(shown(tmp_path))
