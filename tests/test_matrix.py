"""Models by devices: what meets in one cell, and what never does."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from profiler.analyse.machines import labels, same_machine
from profiler.analyse.matrix import NOT_THERE, Grid, Matrix, matrix, unique
from profiler.analyse.report import NOT_YET, report
from profiler.analyse.source import Source
from tests.run_builder import case, pp, raw_pass, rounds, run, text, worker
from tests.several import GIB, LAPTOP, LLAMA, PI, QWEN, ROCK, SMOL, TOO_LARGE, source, three


def rows_of(grid: Grid) -> list[list[str | None]]:
    return [[entry.row for entry in entries] for entries in grid.entries]


def only(found: Matrix) -> Grid:
    [grid] = found.grids
    return grid


class TestCells:
    FOUND = matrix(three())

    def test_lines_are_builds_and_columns_devices(self) -> None:
        assert [family.build for family in only(self.FOUND).families] == [
            ".".join(model) for model in (SMOL, QWEN, LLAMA)
        ]
        assert [place.machine for place in self.FOUND.places] == [
            "Raspberry Pi 5",
            "Radxa ROCK 5B",
            "AMD Ryzen 7 7840U",
        ]

    def test_each_row_is_named_with_its_file(self) -> None:
        assert rows_of(only(self.FOUND)) == [
            ["pi5.jsonl:r1", "rk3588.jsonl:r1", "laptop.json:r1"],
            ["pi5.jsonl:r2", "rk3588.jsonl:r2", "laptop.json:r2"],
            ["pi5.jsonl:r3", None, "laptop.json:r3"],
        ]

    def test_figures_are_those_of_the_report(self) -> None:
        cell, row = only(self.FOUND).entries[0][0], three()[0].report.rows[0]
        assert list(cell.figures) == ["ttft_ms", "decode_tps", "peak_rss_bytes"]
        assert all(figure == row.metrics[name] for name, figure in cell.figures.items())

    def test_a_failure_a_gap_and_an_import_say_what_they_are(self) -> None:
        failed, absent, imported = only(self.FOUND).entries[2]
        assert failed.failure is not None
        assert (failed.failure.kind, failed.failure.message) == ("out_of_memory", TOO_LARGE)
        assert (absent.row, absent.basis, absent.figures, absent.reason) == (None, None, {}, NOT_THERE)
        assert (imported.basis, imported.reason) == ("imported", None)

    def test_a_case_that_was_not_reached_is_not_one_that_is_missing(self) -> None:
        cut = run([case("r1"), case("r2", "other")], rounds("r1", [10]), ended=None)
        found = matrix([Source(name="a", report=report(cut), run=cut)])
        assert only(found).entries[1][0].reason == NOT_YET


class TestMachines:
    def test_unknown_machines_have_one_id_and_are_two(self) -> None:
        other = replace(LAPTOP, cpu="Intel Core Ultra 7")
        found = matrix([source("a", LAPTOP), source("b", other)])
        assert [place.machine for place in found.places] == ["AMD Ryzen 7 7840U", "Intel Core Ultra 7"]

    def test_what_is_called_the_same_is_numbered(self) -> None:
        small = replace(PI, memory_bytes=4 * GIB)
        assert labels([PI, ROCK, small]) == ["Raspberry Pi 5 #1", "Radxa ROCK 5B", "Raspberry Pi 5 #2"]

    def test_a_kernel_may_keep_some_memory_for_itself(self) -> None:
        assert same_machine(PI, replace(PI, memory_bytes=round(7.8 * GIB)))
        assert not same_machine(PI, replace(PI, memory_bytes=4 * GIB))
        assert not same_machine(PI, replace(PI, cores=8))
        assert not same_machine(PI, replace(PI, memory_bytes=None))

    def test_two_runs_of_one_machine_that_share_no_build_are_one_column(self) -> None:
        found = matrix([source("a", models=[SMOL]), source("b", models=[QWEN])])
        assert [(place.file, place.sources) for place in found.places] == [(None, ["a", "b"])]
        assert rows_of(only(found)) == [["a:r1"], ["b:r1"]]

    def test_two_runs_of_one_build_are_two_columns_and_never_a_mean(self) -> None:
        found = matrix([source("a", models=[SMOL, QWEN]), source("b", pace=1.1, models=[SMOL])])
        assert [(place.machine, place.file) for place in found.places] == [
            ("Raspberry Pi 5", "a"),
            ("Raspberry Pi 5", "b"),
        ]
        assert rows_of(only(found)) == [["a:r1", "b:r1"], ["a:r2", None]]

    def test_columns_of_one_machine_stand_together(self) -> None:
        found = matrix([source("a"), source("b", ROCK), source("c")])
        assert [(place.machine, place.file) for place in found.places] == [
            ("Raspberry Pi 5", "a"),
            ("Raspberry Pi 5", "c"),
            ("Radxa ROCK 5B", None),
        ]

    def test_targets_are_columns(self) -> None:
        seen = run([case("r1"), case("r2", target="gpu")], rounds("r1", [10]), rounds("r2", [5]))
        found = matrix([Source(name="a", report=report(seen), run=seen)])
        assert [place.target for place in found.places] == ["cpu", "gpu"]
        assert rows_of(only(found)) == [["a:r1", "a:r2"]]


class TestWorkloads:
    def test_another_text_of_the_same_name_has_a_grid_of_its_own(self) -> None:
        found = matrix([source("a"), source("b", ROCK, workload=text(sha256="0ddba11"))])
        assert [grid.workload.text_sha256 for grid in found.grids] == ["c0ffee", "0ddba11"]
        assert rows_of(found.grids[1])[0] == [None, "b:r1"]

    def test_another_length_too(self) -> None:
        assert len(matrix([source("a"), source("b", ROCK, workload=text(prompt=64))]).grids) == 2

    def test_the_llama_bench_method_has_its_own_figures(self) -> None:
        seen = run([case("r1", workload=pp(512))], [worker("r1", 0, raw_pass(1, evaluated_ms=1000))])
        [entry] = only(matrix([Source(name="a", report=report(seen), run=seen)])).entries[0]
        assert entry.figures["pp_tps"].value == pytest.approx(512)


class TestBuilds:
    def builds(self, *sources: Source) -> list[tuple[str, str | None]]:
        return [(family.build, family.content) for family in only(matrix(sources)).families]

    def test_by_content_where_it_was_hashed_whatever_the_file_is_called(self) -> None:
        other = source("b", ROCK, models=[SMOL])
        renamed = replace(
            other.report,
            builds=[replace(other.report.builds[0], id="blob")],
            rows=[replace(row, build="blob") for row in other.report.rows],
            sha256={"blob": next(iter(other.report.sha256.values()))},
        )
        blob = Source(name="b", report=renamed, run=other.run)
        assert self.builds(source("a", models=[SMOL]), blob) == [("SmolLM2-135M.Q4_0", None)]

    def test_one_name_and_two_contents_are_two_lines(self) -> None:
        other = source("b", ROCK, models=[SMOL], sha256={"SmolLM2-135M.Q4_0": "5e" * 32})
        assert self.builds(source("a", models=[SMOL]), other) == [
            ("SmolLM2-135M.Q4_0", "sha256 536d6f6c4c4d"),
            ("SmolLM2-135M.Q4_0", "sha256 5e5e5e5e5e5e"),
        ]

    def test_one_name_and_two_sizes_are_two_lines_where_one_was_not_hashed(self) -> None:
        other = source("b", ROCK, models=[SMOL], digests=False, sizes=2)
        assert self.builds(source("a", models=[SMOL]), other)[1] == ("SmolLM2-135M.Q4_0", "188743680 bytes")

    def test_imported_figures_know_no_size_of_a_file(self) -> None:
        other = source("b", ROCK, models=[SMOL], digests=False, sizes=2, basis="imported")
        assert self.builds(source("a", models=[SMOL]), other) == [("SmolLM2-135M.Q4_0", None)]


class TestLines:
    def test_settings_that_vary_within_a_run_make_lines(self) -> None:
        found = matrix([source("a", models=[SMOL], threads=[2, 4]), source("b", ROCK, models=[SMOL])])
        assert [family.settings for family in only(found).families] == [{"threads": 2}, {"threads": 4}]
        assert rows_of(only(found)) == [["a:r1", None], ["a:r2", "b:r1"]]

    def test_lines_of_one_build_stand_together(self) -> None:
        found = matrix([source("a", models=[SMOL, QWEN]), source("b", ROCK, models=[SMOL], threads=[2, 4])])
        assert [(family.build, family.settings["threads"]) for family in only(found).families] == [
            ("SmolLM2-135M.Q4_0", 4),
            ("SmolLM2-135M.Q4_0", 2),
            ("Qwen2.5-0.5B.Q4_K_M", 4),
        ]

    def test_settings_that_vary_only_between_runs_do_not(self) -> None:
        found = matrix([source("a", models=[SMOL]), source("b", ROCK, models=[SMOL], threads=[8])])
        assert rows_of(only(found)) == [["a:r1", "b:r1"]]

    def test_engines_do(self) -> None:
        seen = run([case("r1"), case("r2", engine="ort")], rounds("r1", [10]), rounds("r2", [5]))
        found = matrix([Source(name="a", report=report(seen), run=seen)])
        assert [family.engine for family in only(found).families] == ["llama-cpp", "ort"]

    def test_rows_alike_in_everything_are_counted(self) -> None:
        seen = run([case("r1"), case("r2")], rounds("r1", [10]), rounds("r2", [5]))
        found = matrix([Source(name="a", report=report(seen), run=seen)])
        assert [family.turn for family in only(found).families] == [1, 2]


def test_files_of_one_name_are_numbered() -> None:
    assert unique(["run", "run", "run (2)", "b"]) == ["run", "run (2)", "run (2) (2)", "b"]


def test_the_first_colon_of_a_row_ends_its_file() -> None:
    assert unique(["a:r1", "a"]) == ["a_r1", "a"]
