"""Energy of prompts and answers: exact figures from readings made by hand, or the reason why there are none."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from profiler.analyse.comparing import compare_files
from profiler.analyse.estimate import Estimate
from profiler.analyse.explanation import explain
from profiler.analyse.gate import Relation, Result, condition
from profiler.analyse.metrics import ENERGY_METRICS
from profiler.analyse.report import Row, report
from profiler.analyse.sensors import groups
from profiler.analyse.verdict import Verdict
from profiler.errors import UserError
from profiler.render import explained
from profiler.render.energy import not_metered
from profiler.render.terminal import as_text
from profiler.runfile import Anchor, Idle, PowerLog, Run, Samples, Sensor, Worker
from tests.run_builder import (
    MS,
    START,
    case,
    counter,
    counters,
    idle,
    metered,
    pp,
    raw_pass,
    run,
    sensor,
    text_pass,
    tg,
    worker,
)

S = 1_000_000_000
NAMES = ("energy_j_per_token", "energy_j_per_prompt_token", "power_w", "prompt_power_w")


def measured(workers: list[Worker], **facts: Any) -> Run:
    return run([case("r1")], workers, **{"sensors": [sensor()]} | facts)


def row(workers: list[Worker], **facts: Any) -> Row:
    return report(measured(workers, **facts)).rows[0]


def cell(found: Row, name: str) -> Estimate:
    return found.metrics[name]


def codes(found: Row) -> list[str]:
    return [notice.code for notice in found.notices]


class TestFigures:
    """Prompts of 128 tokens at 8 W for 100 ms, then 10 tokens at 5 W in another 100 ms."""

    FOUND = row([metered("r1", n) for n in range(8)])

    @pytest.mark.parametrize(
        ("name", "value", "unit"),
        [
            ("energy_j_per_token", 0.5 / 10, "J"),
            ("energy_j_per_prompt_token", 0.8 / 128, "J"),
            ("power_w", 5.0, "W"),
            ("prompt_power_w", 8.0, "W"),
        ],
    )
    def test_by_hand(self, name: str, value: float, unit: str) -> None:
        found = cell(self.FOUND, name)
        assert (found.value, found.low, found.high) == pytest.approx((value, value, value))
        assert (found.unit, found.reason, found.processes, found.passes) == (unit, None, 8, 24)

    def test_the_sensor_is_named_with_its_scope(self) -> None:
        energy = self.FOUND.energy
        assert energy is not None
        assert (energy.sensors, energy.source, energy.scope) == (["rapl package"], "rapl", "package")
        assert energy.interval_s == pytest.approx(0.01)

    def test_updates_are_counted_inside_the_windows(self) -> None:
        """Ten readings in each of 24 windows."""
        energy = self.FOUND.energy
        assert energy is not None
        assert (energy.prompt_updates, energy.generation_updates) == (240, 240)

    def test_a_worker_has_one_value_from_all_its_passes_together(self) -> None:
        """Passes of 10 and of 20 tokens: their joules over their tokens, not the mean of two quotients."""
        done = [
            text_pass(1, tokens=11, start_ns=0),
            text_pass(2, tokens=21, start_ns=200 * MS),
        ]
        steps = [(100.0, 8.0), (100.0, 4.0), (100.0, 8.0), (200.0, 10.0), (100.0, 1.0)]
        found = row([worker("r1", 0, *done, meters={"rapl": counter(0, steps)})])
        assert cell(found, "energy_j_per_token").value == pytest.approx((0.4 + 2.0) / 30)
        assert cell(found, "power_w").value == pytest.approx(2.4 / 0.3)

    def test_the_interval_is_that_of_the_workers(self) -> None:
        found = cell(row([metered("r1", n, generation_w=5 + n % 2) for n in range(8)]), "power_w")
        assert (found.low, found.high) == pytest.approx((5, 6))

    def test_power_of_the_prompt_is_not_divided_by_the_speed_of_decoding(self) -> None:
        """With a prompt at 80 W a token of the answer costs what it did before."""
        hungry = row([metered("r1", n, prompt_w=80) for n in range(8)])
        assert cell(hungry, "energy_j_per_token").value == pytest.approx(0.05)

    def test_disturbed_passes_do_not_count(self) -> None:
        seen = [metered("r1", n) for n in range(8)]
        loud = msgspec.structs.replace(
            seen[0].passes[0],
            counters=counters(foreign_share=0.5),
            token_ns=[k * 100 * MS for k in range(1, 9)],
        )
        found = row([msgspec.structs.replace(seen[0], passes=[loud, *seen[0].passes[1:]]), *seen[1:]])
        assert (cell(found, "power_w").passes, cell(found, "power_w").excluded) == (23, 1)


class TestRaw:
    """The llama-bench method counts from s on, and all tokens."""

    def test_tg(self) -> None:
        done = msgspec.structs.replace(raw_pass(1, evaluated_ms=0, token_ms=[100, 200]), start_ns=0)
        seen = worker("r1", 0, done, meters={"rapl": counter(0, [(300, 6)])})
        [found] = report(run([case("r1", workload=tg(2))], [seen], sensors=[sensor()])).rows
        assert cell(found, "energy_j_per_token").value == pytest.approx(6 * 0.2 / 2)
        assert cell(found, "prompt_power_w").reason == "this workload has no prompt"

    def test_pp(self) -> None:
        seen = worker("r1", 0, raw_pass(1, evaluated_ms=200), meters={"rapl": counter(0, [(300, 6)])})
        [found] = report(run([case("r1", workload=pp(64))], [seen], sensors=[sensor()])).rows
        assert cell(found, "energy_j_per_prompt_token").value == pytest.approx(6 * 0.2 / 64)
        assert cell(found, "power_w").reason == "this workload generates no tokens, or only one"


class TestRefused:
    def reason(self, workers: list[Worker], name: str = "energy_j_per_token", **facts: Any) -> str:
        found = cell(row(workers, **facts), name)
        assert found.value is None
        assert found.reason is not None
        return found.reason

    def test_below_ten_updates(self) -> None:
        """Windows of 100 ms and a reading each 100 ms: three updates in each worker."""
        three = [metered("r1", n, every_ms=100) for n in range(3)]
        assert self.reason(three) == (
            "rapl (package) had only 9 updates within the generation windows, and a figure takes 10: ask for a longer "
            "answer (-n) or more passes (--passes), or use a sensor that tells more often"
        )
        assert "ask for a longer prompt (-p)" in self.reason(three, "prompt_power_w")

    def test_ten_updates_are_enough(self) -> None:
        four = [metered("r1", n, every_ms=100) for n in range(4)]
        assert cell(row(four), "energy_j_per_token").value == pytest.approx(0.05)

    def test_what_was_refused_is_not_compared_either(self) -> None:
        three = [metered("r1", n, every_ms=100) for n in range(3)]
        assert explain(measured(three), "r1", "power_w").interval is None

    def test_nothing_readable_is_told_with_every_reason(self) -> None:
        told = self.reason(
            [metered("r1", 0)], sensors=[], no_sensor={"rapl": "needs more rights", "nvml": "no"}
        )
        assert told == "no sensor of power or energy is readable: rapl: needs more rights; nvml: no"

    def test_a_run_that_looked_for_none(self) -> None:
        assert self.reason([metered("r1", 0)], sensors=[]) == "no sensor was looked for"

    def test_a_sensor_that_was_never_read(self) -> None:
        told = self.reason([metered("r1", 0, sensor="other")])
        assert told == "no sensor that covers this row has readings of it: rapl (package)"
        unread = report(
            measured([metered("r1", 0, sensor="other")], no_sensor={"ina3221": "not offered here"})
        )
        assert not_metered(unread) == f"not measured: {told}"

    def test_a_sensor_that_died_before_the_passes(self) -> None:
        seen = worker(
            "r1", 0, text_pass(1, tokens=11, start_ns=500 * MS), meters={"rapl": counter(0, [(400, 5)])}
        )
        assert self.reason([seen]) == "the readings of rapl (package) do not cover the generation windows"

    def test_a_counter_that_stands_still(self) -> None:
        assert "do not cover" in self.reason([metered("r1", n, generation_w=0, prompt_w=0) for n in range(8)])


class TestWhichSensor:
    """The widest that was read often enough. What overlaps is never added."""

    def two(self, *sensors: Sensor, watts: dict[str, float], every_ms: float = 10, log: Any = None) -> Row:
        seen = []
        for n in range(8):
            one = metered("r1", n)
            meters = {
                id: counter(2000 * n, [(1000, watt)], every_ms if id == sensors[0].id else 10)
                for id, watt in watts.items()
            }
            seen.append(msgspec.structs.replace(one, meters=meters))
        return row(seen, sensors=list(sensors), power_log=log)

    @pytest.mark.parametrize(
        ("scopes", "chosen"),
        [
            (("package", "device"), "device"),
            (("package", "board"), "board"),
            (("partial", "package"), "package"),
            (("package", "partial", "board", "device"), "device"),
            (("part", "partial"), "partial"),
            (("gpu", "package"), "package"),
        ],
    )
    def test_the_widest_scope(self, scopes: tuple[str, ...], chosen: str) -> None:
        sensors = [sensor(f"s-{scope}", scope=scope) for scope in scopes]
        found = self.two(*sensors, watts={f"s-{scope}": 1 + n for n, scope in enumerate(scopes)})
        assert found.energy is not None
        assert found.energy.scope == chosen
        assert cell(found, "power_w").value == pytest.approx(1 + scopes.index(chosen))

    def test_sensors_of_one_source_and_scope_add_up(self) -> None:
        rails = [sensor(id, scope="board", source="ina3221") for id in ("gpu_soc", "cpu_cv", "sys_5v")]
        part = sensor("core", scope="part", source="ina3221")
        found = self.two(*rails, part, watts={"gpu_soc": 5, "cpu_cv": 3, "sys_5v": 4, "core": 100})
        assert cell(found, "power_w").value == pytest.approx(12)
        assert found.energy is not None
        assert len(found.energy.sensors) == 3

    def test_of_sensors_that_add_up_the_one_that_was_updated_least_counts(self) -> None:
        rails = [sensor(id, scope="board", source="ina3221") for id in ("slow", "fast")]
        found = self.two(*rails, watts={"slow": 5, "fast": 3}, every_ms=50)
        assert found.energy is not None
        assert found.energy.generation_updates == 8 * 3 * 2

    def test_a_battery_at_rest_is_part_of_the_sum_and_needs_no_news(self) -> None:
        both = [sensor(id, scope="device", source="battery") for id in ("BAT0", "BAT1")]
        found = self.two(*both, watts={"BAT0": 0, "BAT1": 9})
        assert cell(found, "power_w").value == pytest.approx(9)
        assert found.energy is not None
        assert found.energy.generation_updates == 240

    def test_one_that_is_missing_from_a_sum_leaves_no_sum(self) -> None:
        rails = [sensor(id, scope="board", source="ina3221") for id in ("a", "b")]
        found = self.two(*rails, watts={"a": 5})
        assert cell(found, "power_w").value is None

    def test_a_battery_that_tells_too_little_leaves_it_to_the_processor(self) -> None:
        battery, rapl = sensor("battery", scope="device"), sensor("rapl")
        found = self.two(battery, rapl, watts={"battery": 20, "rapl": 5}, every_ms=1000)
        assert found.energy is not None
        assert found.energy.source == "rapl"

    def test_a_part_alone_says_nothing(self) -> None:
        found = self.two(sensor("core", scope="part"), watts={"core": 5})
        assert found.energy is None
        assert cell(found, "power_w").reason == (
            "no sensor that covers this row has readings of it: core (part)"
        )

    def test_an_idle_gpu_says_nothing_of_a_row_on_the_cpu(self) -> None:
        gpu, package = sensor("nvml", scope="gpu"), sensor("rapl")
        assert [g.source for g in groups([gpu, package], None, case("r1"))] == ["rapl"]
        assert [g.source for g in groups([package, gpu], None, case("r1", gpu_layers=-1))] == ["nvml", "rapl"]
        assert [g.source for g in groups([gpu], None, case("r1", target="gpu"))] == ["nvml"]

    def test_a_name_twice_is_refused(self) -> None:
        with pytest.raises(UserError, match="has two sensors 'rapl'"):
            row([metered("r1", 0)], sensors=[sensor(), sensor()])


def log_of(watts: float, *, from_s: float, to_s: float, every_s: float = 0.05) -> PowerLog:
    """Seconds are those since the run began."""
    count = round((to_s - from_s) / every_s) + 1
    at = [START.wall_ns + round((from_s + n * every_s) * S) for n in range(count)]
    return PowerLog(name="plug.csv", wall_ns=at, watts=[watts] * count)


class TestPowerLog:
    def test_it_goes_before_every_other_sensor(self) -> None:
        log = log_of(9, from_s=-1, to_s=20)
        found = row(
            [metered("r1", n) for n in range(8)], power_log=log, sensors=[sensor("battery", scope="device")]
        )
        assert cell(found, "power_w").value == pytest.approx(9)
        assert found.energy is not None
        assert (found.energy.source, found.energy.scope) == ("power_log", "device")
        assert found.energy.sensors == ["plug.csv"]
        assert found.energy.metering_share is None

    def test_a_wall_clock_that_gains_is_followed(self) -> None:
        """It gains 100 parts in a million of each worker; 9 W stay 9 W, and all windows are covered."""
        seen = [
            msgspec.structs.replace(
                w, ended=Anchor(wall_ns=w.ended.wall_ns + 100_000, mono_ns=w.ended.mono_ns)
            )
            for w in (metered("r1", n) for n in range(8))
        ]
        found = cell(row(seen, sensors=[], power_log=log_of(9, from_s=-1, to_s=20)), "power_w")
        assert found.value == pytest.approx(9)
        assert found.passes == 24

    def test_one_of_other_minutes_leaves_it_to_the_sensors(self) -> None:
        found = row([metered("r1", n) for n in range(8)], power_log=log_of(9, from_s=3600, to_s=3620))
        assert found.energy is not None
        assert found.energy.source == "rapl"

    def test_of_other_minutes_and_alone(self) -> None:
        found = row([metered("r1", 0)], sensors=[], power_log=log_of(9, from_s=3600, to_s=3620))
        assert cell(found, "power_w").reason == (
            "no sensor that covers this row has readings of it: only the power log was given"
        )

    def test_idle_is_joined_by_its_own_anchors(self) -> None:
        rest = Idle(
            when="before",
            meters={},
            started=Anchor(wall_ns=START.wall_ns - 5 * S, mono_ns=-5 * S),
            ended=Anchor(wall_ns=START.wall_ns - 3 * S, mono_ns=-3 * S),
        )
        log = log_of(9, from_s=-6, to_s=20)
        found = row([metered("r1", n) for n in range(8)], sensors=[], power_log=log, idle=[rest])
        assert cell(found, "idle_power_w").value == pytest.approx(9)

    def test_what_the_device_took_just_before_and_after_an_idle_time_is_no_part_of_it(self) -> None:
        """A line a second, half a second off: 5 W while nothing runs, 25 W on either side."""
        rest = Idle(
            when="before",
            meters={},
            started=Anchor(wall_ns=START.wall_ns - 13 * S, mono_ns=-13 * S),
            ended=Anchor(wall_ns=START.wall_ns - 1 * S, mono_ns=-1 * S),
        )
        moments = [n - 19.5 for n in range(50)]
        log = PowerLog(
            name="meter.csv",
            wall_ns=[START.wall_ns + round(at * S) for at in moments],
            watts=[5.0 if -13 < at < -1 else 25.0 for at in moments],
        )
        found = row([metered("r1", n) for n in range(8)], sensors=[], power_log=log, idle=[rest])
        assert cell(found, "idle_power_w").value == pytest.approx(5)


class TestIdle:
    def found(self, before: float, after: float) -> Row:
        rest = [idle("before", before, at_ms=-3000), idle("after", after, at_ms=30_000)]
        return row([metered("r1", n) for n in range(8)], idle=rest)

    def test_the_mean_of_before_and_after_and_both(self) -> None:
        found = self.found(2.0, 2.1)
        assert cell(found, "idle_power_w").value == pytest.approx(2.05)
        assert found.energy is not None
        assert (found.energy.idle_before_w, found.energy.idle_after_w) == pytest.approx((2.0, 2.1))
        assert "idle_moved" not in codes(found)

    @pytest.mark.parametrize(("before", "after"), [(2.0, 2.3), (2.3, 2.0)])
    def test_it_is_told_when_it_moved(self, before: float, after: float) -> None:
        found = self.found(before, after)
        [notice] = [notice for notice in found.notices if notice.code == "idle_moved"]
        assert notice.seen == f"idle power was {before:.3g} W before the run and {after:.3g} W after it"

    def test_one_of_both(self) -> None:
        found = row([metered("r1", 0)], idle=[idle("after", 2, at_ms=30_000)])
        assert cell(found, "idle_power_w").value == pytest.approx(2)

    def test_below_ten_updates(self) -> None:
        rest = [idle("before", 2, at_ms=-3000, every_ms=500)]
        found = cell(row([metered("r1", n) for n in range(8)], idle=rest), "idle_power_w")
        assert found.reason == ("rapl (package) had only 5 updates in the idle times, and a figure takes 10")

    def test_of_a_run_that_went_on_the_last_time_counts_and_its_updates_alone(self) -> None:
        """Twice before the first worker; an idle time in which nothing was read hides none."""
        again = [idle("before", 2, at_ms=-9000), idle("before", 3, at_ms=-3000, every_ms=500)]
        unread = Idle(when="before", meters={})
        found = cell(row([metered("r1", n) for n in range(8)], idle=[*again, unread]), "idle_power_w")
        assert found.reason == ("rapl (package) had only 5 updates in the idle times, and a figure takes 10")

    def test_none(self) -> None:
        assert cell(row([metered("r1", 0)]), "idle_power_w").reason == "no idle time was metered"


class TestExplained:
    RUN = measured([metered("r1", n) for n in range(8)], idle=[idle("before", 2, at_ms=-3000)])

    @pytest.mark.parametrize("name", NAMES)
    def test_from_joules_to_the_cell(self, name: str) -> None:
        found = explain(self.RUN, "r1", name)
        assert found.cell == cell(report(self.RUN).rows[0], name)
        assert len(found.processes) == 8
        assert all(process.log is not None for process in found.processes)

    def test_in_words(self) -> None:
        shown = as_text(explained.renderable(explain(self.RUN, "r1", "energy_j_per_token"), False), 110)
        assert "sum(generation_j) / sum(generated), in J" in shown
        assert "sum(0.500, 0.500, 0.500) / sum(10, 10, 10) = 0.050000" in shown

    def test_idle_power_has_no_processes(self) -> None:
        found = explain(self.RUN, "r1", "idle_power_w")
        assert (found.processes, found.interval) == ([], None)
        [before] = found.symbols["idle_w"].values() if isinstance(found.symbols["idle_w"], dict) else []
        assert before == pytest.approx(2)


def test_every_metric_of_energy_is_better_low() -> None:
    assert {metric.unit for metric in ENERGY_METRICS} == {"J", "W"}
    assert not any(metric.higher_is_better for metric in ENERGY_METRICS)


@pytest.mark.parametrize(
    "hostile",
    [
        Samples(at_ns=[2**63 - 1, -(2**63)], values=[1e15, -1e15]),
        Samples(at_ns=[0, 1, 2], values=[1.0]),
        Samples(at_ns=[0, 2**62, 2**63 - 1], values=[-1e15, 1e15, 0.0]),
    ],
)
@pytest.mark.parametrize("quantity", ["energy", "power"])
def test_readings_that_make_no_sense_are_no_figure(hostile: Samples, quantity: str) -> None:
    seen = msgspec.structs.replace(metered("r1", 0), meters={"rapl": hostile})
    rest = Idle(when="before", meters={"rapl": hostile})
    found = row([seen], sensors=[sensor(quantity=quantity, wraps_at_j=1.0)], idle=[rest])
    assert all(cell(found, name).reason for name in NAMES)


class TestCompared:
    """Joules of one sensor and scope against the same; of others never."""

    MORE = condition("energy_j_per_token", Relation.ABOVE, 0.05, "energy_j_per_token > +5%")

    def two(self, **theirs: Any) -> list[Run]:
        rows = [metered("r1", n) for n in range(8)], [metered("r1", n, generation_w=6) for n in range(8)]
        return [measured(rows[0]), measured(rows[1], **theirs)]

    def test_of_one_run(self) -> None:
        cases = [case("r1", threads=2), case("r2", threads=4)]
        workers = [[metered(c.id, n, generation_w=5 + k) for n in range(8)] for k, c in enumerate(cases)]
        found = compare_files(run(cases, *workers, sensors=[sensor()]), conditions=[self.MORE])
        compared = next(c for c in found.pairs[0].comparisons if c.metric == "energy_j_per_token")
        assert (compared.ratio, compared.low, compared.high) == pytest.approx((1.2, 1.2, 1.2))
        assert (compared.verdict, found.result) == (Verdict.WORSE, Result.FAILED)

    def test_of_two_runs_by_one_sensor(self) -> None:
        base, other = self.two()
        found = compare_files(base, other, conditions=[self.MORE])
        assert "energy_j_per_token" in [c.metric for c in found.pairs[0].comparisons]
        assert found.pairs[0].differs == []

    def test_a_package_is_not_a_device(self) -> None:
        base, other = self.two(sensors=[sensor(source="battery", scope="device")])
        found = compare_files(base, other, conditions=[self.MORE])
        assert "energy_j_per_token" not in [c.metric for c in found.pairs[0].comparisons]
        assert found.pairs[0].differs == ["energy by: rapl (package) -> battery (device)"]
        assert found.result is Result.UNDECIDED
