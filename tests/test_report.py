"""The report as a value and as the JSON that scripts rely on (DESIGN section 6)."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
import pytest

from profiler.analyse.report import report
from profiler.errors import UserError
from profiler.render import json
from profiler.runfile import Run
from tests.extrapolated import extrapolated_run
from tests.profiles import a_profile
from tests.run_builder import (
    MIB,
    QUIET_PLACE,
    board,
    build,
    case,
    failed,
    memory,
    metered,
    rounds,
    run,
    sensor,
)

EIGHT = [10.0] * 8


class Contract(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Every field is there: a new one is a line in CHANGELOG.md, one that changes or goes a new schema version."""


class JsonEstimate(Contract, frozen=True):
    value: float | None
    low: float | None
    high: float | None
    level: float | None
    unit: Literal["ms", "tok/s", "B/s", "B", "bit", "", "J", "W"]
    processes: int
    passes: int
    excluded: int
    provisional: bool
    reason: str | None


class JsonNotice(Contract, frozen=True):
    code: str
    seen: str
    advice: str


class JsonFailure(Contract, frozen=True):
    kind: Literal[
        "missing_library", "bad_file", "load_failed", "out_of_memory", "timeout", "crashed", "fell_back"
    ]
    message: str


class JsonSpread(Contract, frozen=True):
    within: float
    between: float
    passes: int


class JsonWindow(Contract, frozen=True):
    start_s: float
    end_s: float
    passes: int
    speed: float
    clock_hz: float | None
    temperature_c: float | None
    throttle_events: int | None
    intruded: bool


class JsonSustained(Contract, frozen=True):
    metric: Literal["decode_tps", "prefill_tps", "pp_tps", "tg_tps"]
    asked_s: float
    lasted_s: float
    windows: list[JsonWindow]
    first_minute: float | None
    last_third: float | None
    last_third_low: float | None
    last_third_high: float | None
    settled: float | None
    settled_from_s: float | None
    ratio: float | None
    reason: str | None
    onset_s: float | None
    cause: Literal["throttled", "same_clock", "not_readable"] | None
    ended_early: str | None


class JsonEnergy(Contract, frozen=True):
    sensors: list[str]
    source: str
    scope: Literal["device", "board", "package", "partial", "gpu", "npu"]
    note: str | None
    period_s: float | None
    interval_s: float | None
    prompt_updates: int
    generation_updates: int
    idle_before_w: float | None
    idle_after_w: float | None
    metering_share: float | None


class JsonSeen(Contract, frozen=True):
    low: float | None
    high: float | None
    words: list[str]


class JsonPart(Contract, frozen=True):
    part: str
    asked: JsonSeen | None
    start: JsonSeen | None
    end: JsonSeen | None
    grew: float | None
    new: list[str]


class JsonTopic(Contract, frozen=True):
    topic: str
    unit: Literal["Hz", "C", "ns", "rpm", "bytes", ""]
    parts: list[JsonPart]


class JsonBoard(Contract, frozen=True):
    workers: int
    topics: list[JsonTopic]
    unreadable: dict[str, str]


class JsonSpent(Contract, frozen=True):
    kind: Literal[
        "attention",
        "feed_forward",
        "experts",
        "norm",
        "head",
        "embedding",
        "other",
        "between",
        "sampling",
        "unexplained",
    ]
    member: str | None
    ms: float
    share: float
    read_bytes_per_s: float | None
    operations_per_s: float | None
    limit_share: float | None
    limited_by: Literal["memory", "compute"] | None
    memory_bytes: int | None


class JsonLayerSpent(Contract, frozen=True):
    layer: int
    ms: float
    kinds: dict[str, float]


class JsonPhaseProfile(Contract, frozen=True):
    phase: Literal["prefill", "decode"]
    tokens: int
    evaluations: int
    wall_ms: float
    plain_ms: float
    measured_ms: float | None
    overhead: float | None
    watch_ms: float
    explained: float
    spent: list[JsonSpent]
    layers: list[JsonLayerSpent]


class JsonCeiling(Contract, frozen=True):
    bytes_per_s: float | None
    bytes_source: str | None
    macs_per_s: float | None
    macs_source: str | None


class JsonProfile(Contract, frozen=True):
    phases: list[JsonPhaseProfile]
    ceiling: JsonCeiling
    reason: str | None


class JsonRow(Contract, frozen=True):
    id: str
    device: str
    target: str
    engine: str
    build: str
    quantization: str | None
    workload: str
    settings: dict[str, int | str | bool | None]
    basis: Literal["measured", "extrapolated"]
    conditions: dict[str, Any]
    metrics: dict[str, JsonEstimate]
    spread: dict[str, JsonSpread]
    sustained: JsonSustained | None
    energy: JsonEnergy | None
    board: JsonBoard | None
    notices: list[JsonNotice]
    failure: JsonFailure | None
    profile: JsonProfile | None = None


class JsonComparison(Contract, frozen=True):
    metric: str | None
    base: str
    candidate: str
    ratio: float | None
    low: float | None
    high: float | None
    pairs: int
    provisional: bool
    verdict: Literal["better", "worse", "same", "undecided", "not_comparable"]
    differs: list[str]
    spread: float | None
    rounds_needed: int | None
    rounds_reason: str | None


class JsonShape(Contract, frozen=True):
    build: str
    layers: int


class JsonExtrapolatedCase(Contract, frozen=True):
    case: dict[str, Any]
    shapes: list[str]
    weights_bytes: int | None
    kv_bytes: int | None
    compute_bytes: int | None
    not_planned: str | None


class JsonExtrapolation(Contract, frozen=True):
    full: dict[str, Any]
    model: str
    mix: str
    layers: int
    layer_period: int
    leading_dense_layers: int
    experts: int | None
    shapes: list[JsonShape]
    cases: list[JsonExtrapolatedCase]
    assumed: list[str]


class JsonReport(Contract, frozen=True):
    schema: Literal["edgeprof.report/1"]
    edgeprof: str
    run_id: str
    device: dict[str, Any]
    builds: list[dict[str, Any]]
    sha256: dict[str, str]
    environment: dict[str, Any]
    engines: dict[str, dict[str, str | None]]
    workloads: list[dict[str, Any]]
    varying: list[str]
    rounds: int
    passes: int
    most_passes: int
    cold: bool
    sustained_s: float
    memory_limit_bytes: int | None
    limited_by: str | None
    stopped: str | None
    elapsed_s: float
    resolution: dict[str, float]
    no_sensor: dict[str, str]
    board: JsonBoard | None
    rows: list[JsonRow]
    anchors: list[str]
    best: list[tuple[str, str]]
    comparisons: list[JsonComparison]
    notices: list[JsonNotice]
    origin: None
    extrapolations: list[JsonExtrapolation]


def decoded(seen: Run, base: str | None = None) -> JsonReport:
    return msgspec.json.decode(json.render(report(seen, base)), type=JsonReport)


def two_and_a_failure() -> Run:
    cases = [case("r1", "a", threads=2), case("r2", "b", threads=2), case("r3", "a", threads=4)]
    facts = {"versions": {"bindings": "1.0", "library": None}, "system": "NEON", "weights_bytes": 90 * MIB}
    return run(
        cases,
        rounds("r1", EIGHT, phases=memory(200), facts=facts),
        rounds("r2", [8.0] * 8, phases=memory(120)),
        [failed("r3", 0, "out_of_memory", "killed by the kernel at 7.9 GiB")],
        builds=[build("a", "Q8_0"), build("b", "Q4_0")],
        sha256={"a": "0f", "b": "1e"},
    )


class TestJson:
    def test_it_keeps_the_contract(self) -> None:
        found = decoded(two_and_a_failure())
        assert [row.id for row in found.rows] == ["r1", "r2", "r3"]
        assert (found.run_id, found.rounds, found.passes, found.stopped) == (
            "0123456789abcdef",
            8,
            3,
            "rounds",
        )

    def test_it_keeps_the_contract_for_models_measured_as_shapes(self) -> None:
        found = decoded(extrapolated_run())
        assert [row.basis for row in found.rows] == ["extrapolated", "measured", "measured"]
        assert [shape.layers for shape in found.extrapolations[0].shapes] == [4, 8]

    def test_it_keeps_the_contract_with_a_profile(self) -> None:
        made = msgspec.structs.replace(two_and_a_failure(), profiles=[a_profile()])
        first, second, _ = decoded(made).rows
        assert first.profile is not None
        assert [phase.phase for phase in first.profile.phases] == ["decode"]
        assert second.profile is None

    def test_a_row(self) -> None:
        row = decoded(two_and_a_failure()).rows[1]
        assert (row.id, row.device, row.target, row.engine) == ("r2", "board", "cpu", "llama-cpp")
        assert (row.build, row.quantization, row.workload) == ("b", "Q4_0", "chat@1")
        assert (row.settings, row.basis, row.failure) == ({"threads": 2}, "measured", None)
        assert row.conditions == {
            "governor": "performance",
            "context": None,
            "assigned": None,
            "cached_share": None,
            "memory_limit_bytes": None,
            "limit_peak_bytes": None,
        }

    def test_a_cell(self) -> None:
        cell = decoded(two_and_a_failure()).rows[1].metrics["decode_tps"]
        assert (cell.value, cell.low, cell.high) == pytest.approx((125, 125, 125))
        assert (cell.level, cell.unit, cell.reason, cell.provisional) == (0.95, "tok/s", None, False)
        assert (cell.processes, cell.passes, cell.excluded) == (8, 24, 0)

    def test_an_absent_cell_is_null_with_a_reason(self) -> None:
        cells = decoded(two_and_a_failure()).rows[0].metrics.values()
        assert all((cell.value is None) == (cell.reason is not None) for cell in cells)

    def test_the_metrics_of_text_in_their_order(self) -> None:
        assert list(decoded(two_and_a_failure()).rows[0].metrics) == [
            *("ttft_ms", "decode_tps", "prefill_tps", "tpot_ms", "tokenize_ms", "ttft_e2e_ms", "text_bps"),
            *("prompt_bps", "itl_ms.first_tenth", "itl_ms.middle_tenth", "itl_ms.last_tenth"),
            *("load_ms", "import_ms", "first_ttft_ms"),
            *("cold_load_ms", "cold_first_ttft_ms", "cold_start_ms", "peak_rss_bytes", "pss_bytes"),
            *("device_bytes", "anon_bytes", "file_bytes", "shmem_bytes", "swapped_bytes", "weights_bytes"),
            *("mapped_weights_bytes", "held_weights_bytes", "kv_bytes", "compute_bytes"),
            *("compute_reserved_bytes", "runtime_bytes", "unexplained_bytes"),
            *(
                "ttft_ms.p50",
                "ttft_ms.p90",
                "ttft_ms.p95",
                "ttft_ms.p99",
                "itl_ms.p50",
                "itl_ms.p90",
                "itl_ms.p95",
                "itl_ms.p99",
            ),
            *("read_bytes_per_token", "bits_read_per_weight", "bandwidth_share"),
            *("energy_j_per_token", "energy_j_per_prompt_token", "power_w", "prompt_power_w", "idle_power_w"),
        ]

    def test_the_sensor_and_the_board(self) -> None:
        state = board(cpu_clock={"policy0": 2_400_000_000}, unreadable={"fan": "there is none"})
        seen = [metered("r1", n, board_before=state, board_after=state) for n in range(8)]
        found = decoded(run([case("r1")], seen, sensors=[sensor()], no_sensor={"nvml": "not installed"}))
        [row] = found.rows
        assert row.energy == JsonEnergy(
            sensors=["rapl package"],
            source="rapl",
            scope="package",
            note=None,
            period_s=None,
            interval_s=0.01,
            prompt_updates=240,
            generation_updates=240,
            idle_before_w=None,
            idle_after_w=None,
            metering_share=None,
        )
        clock = JsonSeen(low=2.4e9, high=2.4e9, words=[])
        assert row.board == JsonBoard(
            workers=8,
            topics=[
                JsonTopic(
                    topic="cpu_clock",
                    unit="Hz",
                    parts=[JsonPart(part="policy0", asked=None, start=clock, end=clock, grew=None, new=[])],
                )
            ],
            unreadable={"fan": "there is none"},
        )
        assert (found.board, found.no_sensor) == (row.board, {"nvml": "not installed"})

    def test_a_failed_row_has_its_failure_and_no_metrics(self) -> None:
        row = decoded(two_and_a_failure()).rows[2]
        assert row.failure == JsonFailure("out_of_memory", "killed by the kernel at 7.9 GiB")
        assert row.metrics == {}

    def test_a_row_that_was_not_visited_yet_has_neither(self) -> None:
        row = decoded(run([case("r1")], ended=None)).rows[0]
        assert (row.metrics, row.failure) == ({}, None)

    def test_a_comparison(self) -> None:
        found = next(c for c in decoded(two_and_a_failure()).comparisons if c.metric == "decode_tps")
        assert (found.base, found.candidate, found.verdict, found.pairs) == ("r1", "r2", "better", 8)
        assert (found.ratio, found.low, found.high) == pytest.approx((1.25, 1.25, 1.25))
        assert found.differs == ["build: a -> b", "quantization: Q8_0 -> Q4_0"]

    def test_a_failed_row_is_not_compared(self) -> None:
        assert {c.candidate for c in decoded(two_and_a_failure()).comparisons} == {"r2"}

    def test_what_varies_and_what_is_best(self) -> None:
        found = decoded(two_and_a_failure())
        assert found.varying == ["threads"]
        assert found.best == [("decode_tps", "r2")]

    def test_builds_hashes_engines_and_surroundings(self) -> None:
        found = decoded(two_and_a_failure())
        assert [b["id"] for b in found.builds] == ["a", "b"]
        assert found.sha256 == {"a": "0f", "b": "1e"}
        assert found.engines == {"llama-cpp": {"bindings": "1.0", "library": None, "system": "NEON"}}
        assert found.environment == QUIET_PLACE | {"worker": {"LC_ALL": "C"}}

    def test_time_is_that_of_the_workers(self) -> None:
        """17 workers of one second each."""
        assert decoded(two_and_a_failure()).elapsed_s == 17


class TestBase:
    def test_another_row(self) -> None:
        found = decoded(two_and_a_failure(), base="r2")
        assert {(c.base, c.candidate) for c in found.comparisons} == {("r2", "r1")}

    @pytest.mark.parametrize("base", ["r4", "b", ""])
    def test_unknown(self, base: str) -> None:
        with pytest.raises(UserError, match=f"no row '{base}' in this run: its rows are r1, r2, r3$"):
            report(two_and_a_failure(), base)

    def test_not_all_of_a_thousand_rows_are_named(self) -> None:
        cases = [case(f"r{n}", threads=n) for n in range(1000)]
        with pytest.raises(UserError, match=r"its rows are r0, r1, r2, r3, r4, r5, r6, r7, \.\.\.$"):
            report(run(cases), "x")


class TestHostile:
    """What the types of a run file cannot refuse."""

    @pytest.mark.parametrize("nonsense", ["four", None, 0, -3, [], 2.5, True])
    def test_cores_that_are_none(self, nonsense: object) -> None:
        seen = run([case("r1")], rounds("r1", EIGHT), environment={"cpus_total": nonsense, "governors": 3})
        assert report(seen).rows[0].metrics["decode_tps"].value == pytest.approx(100)

    @pytest.mark.parametrize("facts", [{}, {"versions": []}, {"versions": {"a": [1]}, "system": {}}])
    def test_facts_of_an_engine_that_are_none(self, facts: dict[str, Any]) -> None:
        found = report(run([case("r1")], rounds("r1", EIGHT, facts=facts)))
        assert set(found.engines["llama-cpp"].values()) == {None}

    def test_a_run_of_nothing(self) -> None:
        found = decoded(run([], ended="all_failed"))
        assert (found.rows, found.comparisons, found.workloads) == ([], [], [])
