"""Cold starts: figures of confirmed ones alone, else the reason; warm and cold stand beside each other."""

from __future__ import annotations

import msgspec
import pytest

from profiler import runfile
from profiler.analyse.notices import Notice
from profiler.analyse.report import report
from profiler.measure import page_cache
from profiler.render import formats
from profiler.runfile import Run, Worker
from tests.conftest import Command, Script
from tests.run_builder import QUIET_PLACE, case, pp, raw_pass, run, text_pass, warm_up, worker

COLD = ("cold_load_ms", "cold_first_ttft_ms", "cold_start_ms")
WHY = "100% of it stayed in the page cache: another process has it mapped"


def starts(evicted: list[bool | None], case_id: str = "r1") -> list[Worker]:
    """Import in 50 ms, load in 250, the first token of the process after 400, then passes of 100 ms."""
    return [
        worker(
            case_id, n, warm_up(400), text_pass(1), import_ms=50.0, load_ms=250.0, evicted=one,
            not_evicted=WHY if one is False else None, cached_share=1.0 if one is False else 0.0,
        )
        for n, one in enumerate(evicted)
    ]  # fmt: skip


def cold(*workers: list[Worker], hypervisor: str | None = None) -> Run:
    ids = list(dict.fromkeys(one.case for several in workers for one in several))
    seen = run(
        [case(name, f"build-{name}") for name in ids], *workers,
        environment=QUIET_PLACE | {"hypervisor": hypervisor},
    )  # fmt: skip
    plan = msgspec.structs.replace(seen.header.plan, cold=True)
    return msgspec.structs.replace(seen, header=msgspec.structs.replace(seen.header, plan=plan))


def notice(notices: list[Notice], code: str) -> Notice:
    return next(found for found in notices if found.code == code)


class TestFigures:
    @pytest.mark.parametrize(("name", "value"), list(zip(COLD, [250, 400, 700], strict=True)))
    def test_by_hand(self, name: str, value: float) -> None:
        """A start is import, loading and the first token together."""
        figure = report(cold(starts([True] * 8))).rows[0].metrics[name]
        assert figure.value == pytest.approx(value)
        assert (figure.low, figure.high) == pytest.approx((value, value))
        assert (figure.processes, figure.unit) == (8, "ms")

    def test_parts_whose_sum_no_number_holds_give_no_start(self) -> None:
        """A run file may claim any number of milliseconds."""
        claimed = [
            msgspec.structs.replace(one, import_ms=1.7e308, load_ms=1.7e308) for one in starts([True] * 2)
        ]
        metrics = report(cold(claimed)).rows[0].metrics
        assert metrics["cold_load_ms"].value == pytest.approx(1.7e308)
        assert metrics["cold_start_ms"].value is None

    def test_starts_that_were_not_cold_are_left_out(self) -> None:
        row = report(cold(starts([True, False, True, True, True, True, True, True]))).rows[0]
        assert row.metrics["cold_load_ms"].processes == 7
        assert row.metrics["load_ms"].processes == 8
        assert notice(row.notices, "not_cold").seen == (
            f"1 of 8 starts was not cold: the build was not evicted: {WHY}"
        )

    def test_without_one_they_are_absent_with_the_reason_that_was_recorded(self) -> None:
        row = report(cold(starts([False] * 8))).rows[0]
        assert [row.metrics[name].value for name in COLD] == [None] * 3
        assert {row.metrics[name].reason for name in COLD} == {f"the build was not evicted: {WHY}"}

    def test_a_run_that_was_not_asked_for_it(self) -> None:
        row = report(run([case("r1")], starts([None] * 8))).rows[0]
        assert [row.metrics[name].value for name in COLD] == [None] * 3
        assert row.metrics["cold_start_ms"].reason == (
            "no worker started without the build in the page cache: ask for it with --cold"
        )

    def test_a_part_that_was_not_timed_leaves_the_whole_absent(self) -> None:
        seen = [msgspec.structs.replace(one, import_ms=None) for one in starts([True] * 8)]
        metrics = report(cold(seen)).rows[0].metrics
        assert metrics["cold_start_ms"].value is None
        assert metrics["cold_load_ms"].value == pytest.approx(250)

    def test_workloads_without_a_first_token_have_the_load_alone(self) -> None:
        seen = [worker("r1", 0, raw_pass(evaluated_ms=2000), load_ms=250.0, evicted=True)]
        metrics = report(run([case("r1", workload=pp(512))], seen)).rows[0].metrics
        assert [name for name in COLD if name in metrics] == ["cold_load_ms"]

    def test_what_the_page_cache_held_is_a_condition_of_the_row(self) -> None:
        rows = report(cold(starts([False] * 8), starts([True] * 8, "r2"))).rows
        assert [row.conditions["cached_share"] for row in rows] == [1, 0]
        assert (
            report(run([case("r1")], [worker("r1", 0, text_pass())])).rows[0].conditions["cached_share"]
            is None
        )


class TestNotices:
    @pytest.mark.parametrize(("hypervisor", "told"), [("kvm", True), ("none", False), (None, False)])
    def test_a_virtual_machine(self, hypervisor: str | None, told: bool) -> None:
        notices = report(cold(starts([True] * 8), hypervisor=hypervisor)).notices
        assert ([found.code for found in notices] == ["cold_in_vm"]) is told

    def test_only_where_cold_starts_were_asked_for(self) -> None:
        seen = run([case("r1")], starts([None] * 8), environment=QUIET_PLACE | {"hypervisor": "kvm"})
        assert report(seen).notices == []


class TestShown:
    def test_cold_and_warm_beside_each_other(self) -> None:
        shown = formats.render(report(cold(starts([True] * 8), starts([False] * 8, "r2"))), "markdown")
        begin = shown.index("### chat@1: 128 tokens in, 5 out: started in a new process")
        assert shown[begin:].split("\n\n")[1].splitlines() == [
            "|  | build | cold load, ms | cold first token, ms | with import, ms | warm TTFT, ms |",
            "| --- | --- | ---: | ---: | ---: | ---: |",
            "| r1 | build-r1 | 250 ±0% | 400 ±0% | 700 ±0% | 100 ±0% |",
            "| r2 | build-r2 | not cold |  |  |  |",
        ]
        assert f"r2: the build was not evicted: {WHY}" in shown

    def test_other_runs_have_no_such_table(self) -> None:
        assert "new process" not in formats.render(report(run([case("r1")], starts([None] * 8))), "terminal")


def test_a_cold_run_evicts_before_every_worker(edgeprof: Command, script: Script) -> None:
    """The hash read the build into the page cache again, after the last worker."""
    build = script("a", virtual_clock=True, load_ms=200, token_ms=2)
    if not page_cache.evict(build).evicted:
        pytest.skip("the file system of the temporary folder keeps its files in memory")
    file = build.parent / "run.jsonl"
    done = edgeprof(
        "run", build, "-p", "4", "-n", "4", "--cold", "--processes", "3", "--passes", "2", "-o", file
    )
    found = runfile.read(file)
    assert done.code == 0
    assert found.header.plan.cold
    assert [(w.evicted, w.not_evicted, w.cached_share) for w in found.workers] == [(True, None, 0)] * 3
    assert [len(w.passes) for w in found.workers] == [3] * 3
    assert "started in a new process, nothing of the build in the page cache" in done.out
    assert page_cache.cached_share(build) == 1


def test_other_runs_record_what_the_page_cache_held(edgeprof: Command, script: Script) -> None:
    build = script("a", virtual_clock=True)
    file = build.parent / "run.jsonl"
    edgeprof("run", build, "-p", "4", "-n", "4", "--processes", "2", "-o", file)
    assert [(w.evicted, w.cached_share) for w in runfile.read(file).workers] == [(None, 1)] * 2


def test_the_plan_says_that_starts_are_cold(edgeprof: Command, script: Script) -> None:
    done = edgeprof("run", script(), "--cold", "--processes", "3", "--dry-run")
    assert done.out.startswith("1 case, 3 rounds, 3 passes in each fresh process, each started cold; ")
