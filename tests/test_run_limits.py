"""`edgeprof run --limits`: a plan that can decide what was asked, and a verdict at its end."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import pytest

from profiler.analyse.limit_demand import demand
from profiler.catalogue.workloads import parse
from profiler.cli.asked import Asked
from profiler.cli.limited_run import Limited, limited
from profiler.cli.run import run as run_command
from profiler.documents.limit_text import limit
from profiler.errors import UserError
from profiler.runfile import read
from tests.conftest import Command, Script, only_refusal

HEAD = 'title = "Own"\nquestion = "Is it quick?"\n'


def own(folder: Path, *limits: str, workload: str = "chat", device: str | None = None) -> str:
    lines = [
        f'workload = "{workload}"',
        f"limits = {list(limits)}",
        *([f'device = "{device}"'] if device else []),
    ]
    path = folder / "own.toml"
    path.write_text("\n".join([HEAD, "[[use]]", *lines]))
    return str(path)


def planned(limits: str, **typed: Any) -> Limited:
    defaults = {name: p.default for name, p in inspect.signature(run_command).parameters.items()}
    asked = Asked(**defaults | {"builds": ["m.gguf"], "limits": limits} | typed)
    found = limited(asked, asked.request())
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("text", "rounds"),
    [
        ("pss_bytes <= 4 GiB", 3),
        ("decode_tps >= 10", 12),
        ("itl_ms.p99 <= 100", 12),
        ("ttft_ms.p50 <= 1 s", 8),
        ("ttft_ms.p90 <= 1 s", 38),
        ("ttft_ms.p95 <= 1 s", 74),
    ],
)
def test_the_rounds_that_a_limit_takes(text: str, rounds: int) -> None:
    assert demand([limit(text, "use")], parse("chat")).rounds == rounds


@pytest.mark.parametrize(
    ("text", "output", "passes"),
    [
        ("itl_ms.p99 <= 9", 128, 1),
        ("itl_ms.p99 <= 9", 21, 5),
        ("itl_ms.p95 <= 9", 11, 2),
        ("ttft_ms <= 9", 2, 0),
    ],
)
def test_the_passes_whose_gaps_carry_a_percentile(text: str, output: int, passes: int) -> None:
    assert demand([limit(text, "use")], parse("chat", output=output)).passes == passes


def test_a_cold_start_is_planned_where_processes_start_cold(tmp_path: Path) -> None:
    assert planned(own(tmp_path, "cold_start_ms <= 3 s"), cold=True).request.rounds == 12


def test_of_pp_and_tg_a_workload_measures_one() -> None:
    assert demand([limit("tg_tps >= 9", "use")], parse("tg128")).rounds == 12
    with pytest.raises(UserError, match="tg128 does not measure it"):
        demand([limit("pp_tps >= 9", "use")], parse("tg128"))


def test_the_plan_follows_the_limit_that_takes_the_most(tmp_path: Path) -> None:
    asked = own(tmp_path, "decode_tps >= 10", "ttft_ms.p90 <= 1 s", "itl_ms.p99 <= 100 ms")
    found = planned(asked, output_tokens=21)
    assert (found.request.rounds, found.request.passes, found.request.workloads) == (38, 5, ["chat"])
    assert found.lines == [
        "38 rounds: ttft_ms.p90 <= 1 s needs 36 first tokens for a closed bound, 2 more in case some are lost",
        "5 passes: itl_ms.p99 <= 100 ms needs 100 gaps in each process",
    ]


def test_what_was_typed_is_kept_and_told(tmp_path: Path) -> None:
    asked = own(tmp_path, "ttft_ms.p90 <= 1 s", "itl_ms.p99 <= 100 ms")
    found = planned(asked, output_tokens=21, processes=8, passes=2)
    assert (found.request.rounds, found.request.passes) == (8, 2)
    assert found.lines == [
        "--processes 8 is kept instead of 38: ttft_ms.p90 <= 1 s needs 36 first tokens for a closed bound, "
        "2 more in case some are lost",
        "--passes 2 is kept instead of 5: itl_ms.p99 <= 100 ms needs 100 gaps in each process",
    ]
    assert planned(asked, output_tokens=21, processes=40, passes=9).lines == []


@pytest.mark.parametrize(("name", "workload"), [("code-completion", "code"), ("board-batch", "rag")])
def test_the_workload_is_that_of_the_limits(name: str, workload: str) -> None:
    assert planned(name).request.workloads == [workload]
    assert planned(name, workload=[f"{workload}@1"]).request.workloads == [f"{workload}@1"]


@pytest.mark.parametrize(
    ("limits", "typed", "sentence"),
    [
        (("ttft_ms.p99 <= 1 s",), {},
         "own.toml: use[0].limits[0] is 'ttft_ms.p99 <= 1 s': it needs 368 processes for a closed bound, and a run has "
         "200 at most; ask for ttft_ms.p95 (72 processes) or a lower one"),
        (("itl_ms.p99 <= 9",), {"output_tokens": 2},
         "own.toml: use[0].limits[0] is 'itl_ms.p99 <= 9': it needs 100 gaps in each process, and 50 passes of 2 "
         "tokens have fewer; ask for longer answers with -n"),
        (("idle_power_w <= 3 W",), {},
         "own.toml: use[0].limits[0] is 'idle_power_w <= 3 W': it is one figure of a whole run, without an interval "
         "that could decide it; limit power_w"),
        (("cold_start_ms <= 3 s",), {},
         "own.toml: use[0].limits[0] is 'cold_start_ms <= 3 s': no process starts cold in this run; add --cold"),
        (("tg_tps >= 9",), {},
         "own.toml: use[0].limits[0] is 'tg_tps >= 9': chat@1 does not measure it; name the workload of this limit in "
         "its [[use]]"),
        (("decode_tps >= 9",), {"workload": ["tg128"]},
         "--limits own.toml: no limit speaks of tg128 on device this, only of chat on any device: ask for one of these "
         "with --workload and --device"),
        (("decode_tps >= 9",), {"sustained": "10m"},
         "--sustained and --limits exclude each other: one long process of each case has no interval to judge"),
        (("decode_tps >= 9",), {"within": "3%"},
         "--within and --limits exclude each other: the limits say how many rounds are made"),
    ],
)  # fmt: skip
def test_what_cannot_be_planned_is_one_sentence(
    tmp_path: Path, limits: tuple[str, ...], typed: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(UserError) as caught:
        planned(own(tmp_path, *limits), **typed)
    assert str(caught.value) == sentence


def test_uses_of_another_device_plan_nothing(tmp_path: Path) -> None:
    asked = own(tmp_path, "decode_tps >= 9", device="raspberry-pi-5")
    assert planned(asked, device="raspberry-pi-5").request.rounds == 12
    with pytest.raises(
        UserError, match="no limit speaks of chat@1 on device this, only of chat on device rasp"
    ):
        planned(asked)


class TestCommand:
    quick = ("-p", "4", "-n", "8", "--passes", "1", "-o", "run.jsonl")

    def test_a_run_that_ships(self, edgeprof: Command, script: Script, tmp_path: Path) -> None:
        fast = script(token_ms=2, virtual_clock=True)
        asked = own(tmp_path, "decode_tps >= 400", "itl_ms.p50 <= 5 ms")
        done = edgeprof("run", fast, "--limits", asked, "--processes", "6", *self.quick)
        assert done.code == 0, done.err
        assert (
            "--processes 6 is kept instead of 12: decode_tps >= 400 needs an interval that outlasts"
            in done.err
        )
        report, verdict = done.out.split("Own: Is it quick?\n")
        assert "decode" in report
        assert verdict.startswith("Ship: the one row keeps every limit.\n")

    def test_a_run_to_skip_is_told_beside_json(
        self, edgeprof: Command, script: Script, tmp_path: Path
    ) -> None:
        asked = own(tmp_path, "peak_rss_bytes <= 1 MiB")
        done = edgeprof("run", script(), "--limits", asked, "-f", "json", *self.quick)
        assert done.code == 1, done.err
        assert json.loads(done.out)["rows"][0]["id"] == "r1"
        assert "own.toml: Skip: 1 row to skip; none ships.\n" in done.err
        assert read(tmp_path / "run.jsonl").header.plan.rounds == 3

    def test_nothing_measured_stays_nothing_measured(
        self, edgeprof: Command, script: Script, tmp_path: Path
    ) -> None:
        broken = script(fail={"at": "load", "how": "raise", "kind": "load_failed", "message": "no"})
        done = edgeprof("run", broken, "--limits", own(tmp_path, "decode_tps >= 1"), *self.quick)
        assert done.code == 3, done.err
        assert "Skip: 1 row to skip; none ships." in done.out

    def test_a_resumed_run_goes_by_its_own_plan(self, edgeprof: Command, script: Script) -> None:
        assert only_refusal(
            edgeprof("run", script(), "--resume", "run.jsonl", "--limits", "laptop-chat")
        ) == ("--limits and --resume exclude each other: a run goes on by the plan in its file")

    def test_limits_are_read_before_anything_is_measured(self, edgeprof: Command, script: Script) -> None:
        assert "laptop: there is no such file of limits" in only_refusal(
            edgeprof("run", script(), "--limits", "laptop")
        )
