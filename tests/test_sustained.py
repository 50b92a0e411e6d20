"""Speed over minutes, on courses that can be worked out by hand: windows, settling, onset, what cannot be told."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import msgspec
import pytest

from profiler.analyse.report import Report, report
from profiler.analyse.sustained import Sustained, sustained
from profiler.render import formats
from profiler.runfile import Conditions, Pass, Plan, Run, Worker
from tests.run_builder import (
    CORES,
    case,
    counters,
    failed,
    pp,
    raw_pass,
    run,
    text,
    text_pass,
    tg,
    worker,
)

GHZ = 1_000_000_000
CASE = case("r1", workload=text(prompt=128, output=101))
ASKED_S = 300.0


def course(
    slow: Callable[[float], float] = lambda _: 1.0,
    *,
    ghz: Callable[[float], float | None] = lambda _: None,
    degrees: Callable[[float], float | None] = lambda _: None,
    foreign: Callable[[float], float] = lambda _: 0.0,
    events: Callable[[float], int | None] = lambda _: None,
    seconds: float = ASKED_S,
) -> list[Pass]:
    """Passes of two seconds: a token after one, then a hundred at 10 ms each, all `slow(t)` times as long."""
    passes: list[Pass] = []
    now_s = 0.0
    while now_s < seconds:
        factor, clock = slow(now_s), ghz(now_s)
        share = counters(foreign_share=foreign(now_s), wall_ms=2000 * factor)
        done = text_pass(
            len(passes) + 1,
            ttft_ms=1000 * factor,
            gap_ms=10 * factor,
            tokens=101,
            counters=msgspec.structs.replace(share, throttle_events=events(now_s)),
            conditions=Conditions(
                clock_hz=None if clock is None else round(clock * GHZ), temperature_c=degrees(now_s)
            ),
        )
        passes.append(msgspec.structs.replace(done, start_ns=7 * 10**9 + round(now_s * 1e9)))
        now_s += 2 * factor
    return passes


def after(seconds: float, then: float, before: float = 1.0) -> Callable[[float], float]:
    return lambda now_s: then if now_s >= seconds else before


def of(passes: Sequence[Pass], asked_s: float = ASKED_S) -> Sustained:
    found = sustained(CASE, [worker("r1", 0, *passes)], asked_s, CORES)
    assert found is not None
    return found


class TestWindows:
    def test_passes_fill_six_seconds(self) -> None:
        found = of(course())
        assert len(found.windows) == 50
        first, second = found.windows[:2]
        assert (first.start_s, first.end_s, first.passes, first.speed) == pytest.approx((0, 6, 3, 100))
        assert (second.start_s, second.end_s) == (6, 12)
        assert found.lasted_s == 300

    def test_a_pass_that_is_longer_is_a_window_of_its_own(self) -> None:
        found = of(course(lambda _: 4.0))
        assert [window.passes for window in found.windows] == [1] * 38
        assert found.windows[1].start_s == 8

    def test_what_is_left_at_the_end_joins_the_last_window(self) -> None:
        assert [window.passes for window in of(course(seconds=20)).windows] == [3, 3, 4]

    def test_speed_is_all_tokens_over_all_their_time(self) -> None:
        """100 tokens in 1 s, in 2 s and in 2 s: 60 a second, not the mean of 100, 50 and 50."""
        found = of(course(after(2, 2.0), seconds=10))
        assert found.windows[0].speed == pytest.approx(300 / 5)

    def test_clock_is_the_mean_and_temperature_the_highest(self) -> None:
        found = of(course(ghz=after(4, 1.4, 2.0), degrees=after(4, 71, 60), events=after(4, 2, 0)))  # type: ignore[arg-type]
        first = found.windows[0]
        assert (first.clock_hz, first.temperature_c, first.throttle_events) == (1.8e9, 71, 2)

    def test_warm_up_and_unfinished_passes_are_no_part_of_it(self) -> None:
        passes = course(seconds=20)
        cut = msgspec.structs.replace(passes[-1], counters=None)
        warm = msgspec.structs.replace(passes[0], number=0)
        assert sum(window.passes for window in of([warm, *passes[1:-1], cut]).windows) == 8


class TestSettled:
    def test_one_that_never_changes(self) -> None:
        found = of(course())
        assert (found.first_minute, found.settled) == pytest.approx((100, 100))
        assert (found.settled_from_s, found.ratio) == pytest.approx((0, 1))
        assert found.reason is None
        assert (found.onset_s, found.cause, found.ended_early) == (None, None, None)

    def test_one_that_slows_down_and_stays_there(self) -> None:
        """From 120 s on 25% longer: 80 tokens a second."""
        found = of(course(after(120, 1.25)))
        assert (found.first_minute, found.settled) == pytest.approx((100, 80))
        assert found.settled_from_s == 120
        assert found.ratio == pytest.approx(0.8)
        assert (found.last_third, found.last_third_low) == pytest.approx((80, 80))

    @pytest.mark.parametrize(("factor", "since"), [(1.029, 0), (1.032, 120)])
    def test_within_three_per_cent_is_settled(self, factor: float, since: float) -> None:
        """100 against 97.2, or 96.9 a second."""
        assert of(course(after(120, factor))).settled_from_s == since

    def test_one_that_changes_within_the_last_third_did_not_settle(self) -> None:
        found = of(course(after(250, 1.25)))
        assert (found.settled, found.settled_from_s, found.ratio) == (None, None, None)
        assert found.reason == "it did not settle"
        assert (found.last_third_low, found.last_third_high) == pytest.approx((80, 100))

    def test_where_passes_are_long_the_last_third_is_what_reaches_into_it(self) -> None:
        """Two passes of 45 s: none begins after the 60th second, and nobody disturbed them."""
        found = of(course(lambda _: 22.5, seconds=90), 90)
        assert [window.start_s for window in found.windows] == pytest.approx([0, 45])
        assert (found.last_third, found.settled, found.ratio) == pytest.approx((100 / 22.5, 100 / 22.5, 1))
        assert found.reason is None

    def test_disturbed_windows_are_marked_and_enter_nothing(self) -> None:
        """Others take a fifth of the machine for one minute in the middle, and it is three times as slow."""

        def busy(now_s: float) -> bool:
            return 90 <= now_s < 150

        found = of(course(lambda s: 3.0 if busy(s) else 1.0, foreign=lambda s: 0.2 if busy(s) else 0.0))
        assert [w.intruded for w in found.windows if busy(w.start_s)] == [True] * 10
        assert sum(w.intruded for w in found.windows) == 10
        assert (found.settled, found.settled_from_s) == pytest.approx((100, 0))
        assert found.onset_s is None

    def test_a_first_minute_that_was_disturbed_is_absent(self) -> None:
        found = of(course(foreign=after(60, 0.0, 0.2)))
        assert (found.first_minute, found.ratio, found.onset_s) == (None, None, None)
        assert found.reason == "others used this machine in every window of the first minute"

    def test_a_last_third_that_was_disturbed_is_absent(self) -> None:
        found = of(course(foreign=after(190, 0.2, 0.0)))
        assert (found.last_third, found.settled) == (None, None)
        assert found.reason == "others used this machine in every window of the last third"


class TestOnset:
    def test_where_most_windows_were_disturbed_it_cannot_be_told(self) -> None:
        """Not "never": the two windows that are left say nothing about the others."""
        found = of(course(after(120, 1.25), foreign=lambda s: 0.2 if 12 <= s < 288 else 0.0))
        assert (found.onset_s, found.cause) == (None, "disturbed")

    def test_throttled_when_the_clock_falls_with_the_speed(self) -> None:
        found = of(course(after(120, 1.25), ghz=after(120, 1.6, 2.0)))
        assert (found.onset_s, found.cause) == (120, "throttled")

    def test_throttled_when_the_counter_moves_with_the_speed(self) -> None:
        found = of(course(after(120, 1.25), events=lambda s: 3 if s >= 120 else 0))
        assert (found.onset_s, found.cause) == (120, "throttled")

    def test_never_throttled_where_neither_can_be_read(self) -> None:
        found = of(course(after(120, 1.25)))
        assert (found.onset_s, found.cause) == (120, "not_readable")

    def test_slower_at_the_same_clock(self) -> None:
        found = of(course(after(120, 1.25), ghz=lambda _: 2.0))
        assert (found.onset_s, found.cause) == (120, "same_clock")

    def test_throttling_that_comes_after_another_slowing_down(self) -> None:
        found = of(course(after(60, 1.25), ghz=after(180, 1.6, 2.0)))
        assert found.cause == "throttled"
        assert found.onset_s == pytest.approx(180, abs=6)

    def test_a_clock_that_falls_without_the_speed_is_none(self) -> None:
        assert of(course(ghz=after(120, 1.6, 2.0))).onset_s is None

    def test_one_slow_window_is_none(self) -> None:
        assert of(course(lambda s: 1.5 if 120 <= s < 125 else 1.0)).onset_s is None

    @pytest.mark.parametrize(("factor", "onset"), [(1.05, None), (1.06, 120)])
    def test_from_five_per_cent_on(self, factor: float, onset: float | None) -> None:
        assert of(course(after(120, factor))).onset_s == onset

    def test_within_the_first_minute(self) -> None:
        """After 18 s: most of the first minute is slow, and its first two windows are not."""
        found = of(course(after(18, 1.5), ghz=after(18, 1.2, 2.0)))
        assert (found.onset_s, found.cause) == (18, "throttled")
        assert found.first_minute == pytest.approx(100 / 1.5)


class TestOtherWork:
    def speeds(self, passes: list[Pass], asked: str) -> tuple[str, float]:
        workloads = {"pp": pp(512), "tg": tg(4), "one": text(prompt=128, output=1)}
        found = sustained(case("r1", workload=workloads[asked]), [worker("r1", 0, *passes)], ASKED_S, CORES)
        assert found is not None
        return found.metric, found.windows[0].speed

    def test_prompts(self) -> None:
        assert self.speeds([raw_pass(evaluated_ms=2000)], "pp") == ("pp_tps", 256)

    def test_generation_by_the_method_of_llama_bench(self) -> None:
        assert self.speeds([raw_pass(evaluated_ms=0, token_ms=[10, 20, 30, 40])], "tg") == ("tg_tps", 100)

    def test_a_single_token_has_the_speed_of_its_prompt(self) -> None:
        done = text_pass(tokens=1, prefill_ms=80)
        metric, speed = self.speeds([done], "one")
        assert (metric, round(speed)) == ("prefill_tps", 1600)


class TestCutShort:
    def test_a_worker_that_died_keeps_its_passes(self) -> None:
        died = failed("r1", 0, "crashed", "the engine aborted", *course(seconds=100))
        found = sustained(CASE, [died], ASKED_S, CORES)
        assert found is not None
        assert (found.lasted_s, found.ended_early) == (100, "the engine aborted")

    def test_one_that_made_as_many_passes_as_it_may(self) -> None:
        assert of(course(seconds=100)).ended_early == (
            "it was interrupted, or had made as many passes as one worker may report"
        )

    def test_without_passes_there_is_none(self) -> None:
        assert sustained(CASE, [failed("r1", 0, "bad_file", "no GGUF")], ASKED_S, CORES) is None
        assert sustained(CASE, [], ASKED_S, CORES) is None


def a_run(*workers: Worker) -> Run:
    cases = [msgspec.structs.replace(CASE, id=one.case, build=f"build-{one.case}") for one in workers]
    seen = run(cases, workers, planned=1)
    plan: Plan = msgspec.structs.replace(seen.header.plan, sustained_s=ASKED_S)
    return msgspec.structs.replace(seen, header=msgspec.structs.replace(seen.header, plan=plan))


def at(case_id: str, degrees: float | None, *passes: Pass) -> Worker:
    return worker(case_id, 0, *passes, conditions=Conditions(temperature_c=degrees))


def codes(found: Report, row: int) -> list[str]:
    return [notice.code for notice in found.rows[row].notices]


class TestReport:
    def test_terminal(self) -> None:
        passes = course(
            after(120, 1.25), ghz=after(120, 1.6, 2.0), degrees=lambda s: min(82.0, 50 + s / 4),
            foreign=lambda s: 0.2 if 30 <= s < 36 else 0.0,
        )  # fmt: skip
        shown = formats.render(report(a_run(at("r1", 50, *passes))), "terminal")
        begin = shown.index("r1 build-r1: decode over 5 min in 44 windows")
        assert shown[begin:].split("\n\n")[0].splitlines()[1:] == [
            "decode        █████x██████████████▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁ 80.0 to 100 tok/s",
            "clock         ████████████████████▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁ 1.60 to 2.00 GHz",
            "temperature   ▁▁▂▂▂▃▃▃▄▄▄▅▅▅▆▆▆▇▇▇████████████████████████ 51.0 to 82.0 °C",
            "first minute  100 tok/s",
            "settled       80.0 tok/s from 2 min on, x0.800 of the first minute (one process, no interval)",
            "slower        from 2 min on: throttled",
            "disturbed     1 of 44 windows by others, marked x and left out of the figures",
        ]

    def test_what_cannot_be_read_or_did_not_settle(self) -> None:
        found = report(a_run(at("r1", None, *course(lambda s: 1.0 if s < 270 else 1.25))))
        shown = formats.render(found, "markdown")
        assert "- **clock**: not readable\n- **temperature**: not readable\n" in shown
        assert "- **settled**: not within 3%: 80.0 to 100 tok/s in the last third, median 100\n" in shown
        assert "- **slower**: from 4 min 30 s on: slowed down, cause not readable\n" in shown
        assert "throttled" not in shown

    def test_a_steady_course_looks_steady(self) -> None:
        shown = formats.render(report(a_run(at("r1", 50, *course(lambda s: 1 + s % 7 / 1000)))), "terminal")
        assert re.search(r"^decode +[▇█]{50} 99\.5 to 99\.8 tok/s$", shown, re.MULTILINE)

    def test_a_course_that_was_disturbed_throughout(self) -> None:
        found = report(a_run(at("r1", 50, *course(foreign=lambda _: 0.2))))
        assert "xxx all windows disturbed\n" in formats.render(found, "terminal")

    def test_nothing_is_judged_and_the_reason_is_told(self) -> None:
        found = report(a_run(at("r1", 50, *course()), at("r2", 50, *course(lambda _: 2.0))))
        assert {item.verdict.value for item in found.comparisons} == {"undecided"}
        assert [notice.code for notice in found.notices] == ["sustained_not_judged"]
        assert codes(found, 0) == []

    def test_a_run_without_it_has_no_course(self) -> None:
        assert report(run([CASE], [worker("r1", 0, *course(seconds=20))])).rows[0].sustained is None

    @pytest.mark.parametrize(
        ("first", "second", "told"),
        [
            (50, 53, []),
            (50, 54, ["started_warm"]),
            (None, None, ["start_temperature_unknown"]),
            (50, None, ["start_temperature_unknown"]),
        ],
    )
    def test_a_case_that_started_warm(
        self, first: float | None, second: float | None, told: list[str]
    ) -> None:
        found = report(a_run(at("r1", first, *course()), at("r2", second, *course())))
        assert (codes(found, 0), codes(found, 1)) == ([], told)

    def test_the_json_has_all_windows(self) -> None:
        found = msgspec.json.decode(formats.render(report(a_run(at("r1", 50, *course()))), "json"))
        assert len(found["rows"][0]["sustained"]["windows"]) == 50
        assert (found["sustained_s"], found["cold"]) == (300, False)
