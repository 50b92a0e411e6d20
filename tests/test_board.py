"""The state of the board: ranges over workers, what moved, and what it makes worth knowing."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from profiler.analyse.board import ASKED, UNITS, BoardState, Seen, Topic, board_state
from profiler.analyse.comparing import compare_files
from profiler.analyse.report import Row, report
from profiler.runfile import Board, Conditions, Worker
from profiler.telemetry.protocol import TOPICS
from tests.run_builder import board, build, case, counters, run, text_pass, warm_up, worker

MHZ = 1_000_000


def seen(before: Board | None, after: Board | None, round: int = 0, **conditions: Any) -> Worker:
    state = Conditions(**conditions) if conditions else None
    return worker(
        "r1", round, warm_up(), text_pass(1, conditions=state), board_before=before, board_after=after
    )


def state(*workers: Worker) -> BoardState:
    found = board_state(workers)
    assert found is not None
    return found


def topic(found: BoardState, name: str) -> Topic:
    return next(topic for topic in found.topics if topic.topic == name)


def numbers(low: float, high: float) -> Seen:
    return Seen(low=low, high=high, words=[])


def words(*said: str) -> Seen:
    return Seen(low=None, high=None, words=list(said))


class TestState:
    def test_clocks_asked_and_measured_stand_side_by_side(self) -> None:
        asked = {"policy0": 2400 * MHZ}
        found = state(
            seen(board(cpu_clock={"policy0": 1500 * MHZ}, cpu_clock_asked=asked),
                 board(cpu_clock={"policy0": 2398 * MHZ}, cpu_clock_asked=asked)),
            seen(board(cpu_clock={"policy0": 2390 * MHZ}, cpu_clock_asked=asked),
                 board(cpu_clock={"policy0": 2397 * MHZ}, cpu_clock_asked=asked), 1),
        )  # fmt: skip
        [part] = topic(found, "cpu_clock").parts
        assert part.asked == numbers(2400 * MHZ, 2400 * MHZ)
        assert part.start == numbers(1500 * MHZ, 2390 * MHZ)
        assert part.end == numbers(2397 * MHZ, 2398 * MHZ)
        assert (found.workers, topic(found, "cpu_clock").unit) == (2, "Hz")
        assert "cpu_clock_asked" not in [topic.topic for topic in found.topics]

    def test_each_part_stays_its_own(self) -> None:
        """A network chip at 95 degrees says nothing of the processor."""
        found = state(seen(board(temperature={"cpu-thermal": 45.5, "phy": 95}), None))
        assert [(part.part, part.start, part.end) for part in topic(found, "temperature").parts] == [
            ("cpu-thermal", numbers(45.5, 45.5), None),
            ("phy", numbers(95, 95), None),
        ]

    def test_counters_are_differences_over_all_workers(self) -> None:
        found = state(
            seen(board(quota_throttled={"v2": 100}), board(quota_throttled={"v2": 130})),
            seen(board(quota_throttled={"v2": 500}), board(quota_throttled={"v2": 505}), 1),
        )
        assert [part.grew for part in topic(found, "quota_throttled").parts] == [35]

    def test_a_counter_read_on_one_side_only_says_nothing(self) -> None:
        found = state(seen(board(throttle_count={"cores": 100}), None))
        assert [part.grew for part in topic(found, "throttle_count").parts] == [None]

    def test_new_words(self) -> None:
        found = state(
            seen(board(throttled_since_boot={"vcgencmd": "under-voltage"}),
                 board(throttled_since_boot={"vcgencmd": "under-voltage, throttled"}))
        )  # fmt: skip
        assert [part.new for part in topic(found, "throttled_since_boot").parts] == [["throttled"]]

    def test_words_of_all_workers(self) -> None:
        found = state(*(seen(board(governor={"policy0": word}), None, n) for n, word in enumerate("aba")))
        assert topic(found, "governor").parts[0].start == words("a", "b")

    def test_what_no_worker_could_read_has_its_reason(self) -> None:
        found = state(
            seen(board(unreadable={"gpu_clock": "no source", "fan": "not now"}), board(fan={"fan1": 0}))
        )
        assert found.unreadable == {"gpu_clock": "no source"}

    def test_nothing_was_read(self) -> None:
        assert board_state([seen(None, None)]) is None

    def test_a_number_that_no_board_has_is_none(self) -> None:
        found = state(seen(board(throttle_count={"cores": 1e300}), board(throttle_count={"cores": -1e300})))
        assert found.topics == []

    def test_a_topic_of_another_version_is_passed_over(self) -> None:
        assert state(seen(board(flux={"a": 1}), None)).topics == []

    def test_every_topic_that_is_recorded_is_reported(self) -> None:
        assert {name: unit for name, unit in TOPICS.items() if not name.endswith(ASKED)} == UNITS
        asked = [name.removesuffix(ASKED) for name in TOPICS if name.endswith(ASKED)]
        assert set(asked) <= set(UNITS)


def row(*workers: Worker, **facts: Any) -> Row:
    return report(run([case("r1")], workers, **facts)).rows[0]


def told(code: str, *workers: Worker, **facts: Any) -> str | None:
    found = [notice.seen for notice in row(*workers, **facts).notices if notice.code == code]
    assert len(found) < 2
    return found[0] if found else None


NO = {"vcgencmd": "no"}


class TestThrottled:
    @pytest.mark.parametrize(
        ("before", "after"),
        [
            ({"throttled_now": NO}, {"throttled_now": {"vcgencmd": "clock capped, throttled"}}),
            (
                {"throttled_since_boot": NO},
                {"throttled_since_boot": {"vcgencmd": "clock capped, throttled"}},
            ),
        ],
    )
    def test_by_the_words_of_the_firmware(self, before: dict[str, Any], after: dict[str, Any]) -> None:
        assert told("throttled", seen(board(**before), board(**after))) == (
            "the board reports that it is held back: clock capped, throttled"
        )

    def test_what_happened_before_the_run_is_not_told_of_it(self) -> None:
        since = board(throttled_now=NO, throttled_since_boot={"vcgencmd": "throttled, under-voltage"})
        assert told("throttled", seen(since, since)) is None
        assert told("undervoltage", seen(since, since)) is None

    def test_by_a_counter(self) -> None:
        """Parts may count the same event: the one that moved most counts."""
        one = seen(
            board(throttle_count={"cores": 3, "package 0": 5}),
            board(throttle_count={"cores": 7, "package 0": 6}),
        )
        assert told("throttled", one) == "the board slowed itself down 4 times while the workers ran"

    def test_by_a_cooling_device(self) -> None:
        found = told("throttled", seen(None, board(throttled_now={"thermal-cpufreq-0": "2 of 5"})))
        assert found == "the board reports that it is held back: thermal-cpufreq-0 2 of 5"
        assert told("throttled", seen(None, board(throttled_now={"thermal-cpufreq-0": "no"}))) is None

    def test_the_same_is_not_told_twice(self) -> None:
        """The kernel's counter during the passes says it already."""
        passes = text_pass(1, counters=msgspec.structs.replace(counters(), throttle_events=3))
        one = worker(
            "r1", 0, passes, board_before=board(throttle_count={"cores": 0}),
            board_after=board(throttle_count={"cores": 3}),
        )  # fmt: skip
        assert told("throttled", one) == "the processor slowed itself down 3 times during the passes"

    def test_the_board_knows_why_a_clock_fell(self) -> None:
        """At 50 degrees it would be a clock that dropped for no known reason."""
        fallen = [
            text_pass(n, conditions=Conditions(clock_hz=clock * MHZ, temperature_c=50))
            for n, clock in enumerate((2400, 1500), start=1)
        ]
        one = worker("r1", 0, *fallen, board_after=board(throttled_now={"vcgencmd": "clock capped"}))
        assert told("throttled", one) == "the board reports that it is held back: clock capped"
        assert told("clock_dropped", one) is None

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            (None, board(throttled_now={"rpi_volt": "under-voltage"})),
            (board(throttled_since_boot=NO), board(throttled_since_boot={"vcgencmd": "under-voltage"})),
            (board(throttle_count={"under-voltage": 1}), board(throttle_count={"under-voltage": 2})),
        ],
    )
    def test_undervoltage(self, before: Board | None, after: Board) -> None:
        assert told("undervoltage", seen(before, after)) == (
            "the board reports under-voltage while the workers ran"
        )
        assert told("throttled", seen(before, after)) is None

    def test_no_pass_is_left_out_for_it(self) -> None:
        found = row(seen(None, board(throttled_now={"vcgencmd": "under-voltage, throttled"})))
        assert (found.metrics["ttft_ms"].passes, found.metrics["ttft_ms"].excluded) == (1, 0)


class TestQuota:
    def test_it_held_the_workers_back(self) -> None:
        before = {"v2 depth 1": 0, "v2 depth 2": 10 * MHZ}
        after = {"v2 depth 1": 20 * MHZ, "v2 depth 2": 22 * MHZ}
        two = [seen(board(quota_throttled=before), board(quota_throttled=after), n) for n in range(2)]
        assert told("quota_throttled", *two) == "a CPU quota (cpu.max) held the workers back for 40 ms"

    def test_it_did_not(self) -> None:
        same = board(quota_throttled={"v2 depth 1": 7})
        assert told("quota_throttled", seen(same, same)) is None


class TestModeChanged:
    def test_between_workers(self) -> None:
        two = [seen(board(governor={"policy0": word}), None, n) for n, word in enumerate(("a", "b"))]
        assert told("mode_changed", *two) == "not the same in all workers: governor a and b"

    def test_during_a_worker(self) -> None:
        one = seen(board(power_source={"source": "mains"}), board(power_source={"source": "battery"}))
        assert told("mode_changed", one) == "not the same in all workers: power source mains and battery"

    def test_parts_that_differ_from_each_other_did_not_change(self) -> None:
        mixed = board(governor={"policy0": "schedutil", "policy4": "performance"})
        assert told("mode_changed", seen(mixed, mixed)) is None


class TestClockAsAsked:
    def ended(
        self, ghz: float, asked: dict[str, float], governor: str = "schedutil", **facts: Any
    ) -> str | None:
        """A worker whose passes end at so many GHz, and whose processor rests at 0.6 GHz afterwards."""
        after = board(
            cpu_clock={"policy0": 600 * MHZ},
            cpu_clock_asked={part: round(ghz * 1000) * MHZ for part, ghz in asked.items()},
            governor={"policy0": governor},
        )
        return told("clock_not_as_asked", seen(None, after, clock_hz=round(ghz * 1000) * MHZ), **facts)

    def test_more_than_a_tenth_below(self) -> None:
        assert self.ended(1.5, {"policy0": 2.4}) == (
            "the processor ran at 1.50 GHz at the end, and 2.40 GHz were asked for"
        )

    def test_less_than_a_tenth_below(self) -> None:
        assert self.ended(2.2, {"policy0": 2.4}) is None

    def test_an_idle_processor_rests_unless_its_governor_holds_the_clock(self) -> None:
        assert self.ended(2.4, {"policy0": 2.4}) is None
        assert self.ended(2.4, {"policy0": 2.4}, "performance") == (
            "the processor ran at 0.60 GHz at the end, and 2.40 GHz were asked for"
        )

    def test_of_cores_that_are_asked_for_different_clocks_the_lowest_counts(self) -> None:
        assert self.ended(1.9, {"policy0": 1.8, "policy4": 2.4}) is None

    def test_a_turbo_clock_is_promised_to_none(self) -> None:
        assert self.ended(1.5, {"policy0": 2.4}, environment={"turbo": True}) is None

    def test_half_of_the_workers_must_say_so(self) -> None:
        asked = board(cpu_clock_asked={"policy0": 2400 * MHZ})
        slow, fast = (
            [seen(None, asked, n, clock_hz=clock * MHZ, temperature_c=40) for n in range(3)]
            for clock in (2000, 2400)
        )
        one_slow = [slow[0], *(msgspec.structs.replace(w, round=n) for n, w in enumerate(fast, start=1))]
        assert told("clock_not_as_asked", *one_slow) is None
        assert told("clock_not_as_asked", *slow) is not None

    def test_a_clock_that_fell_is_told_once(self) -> None:
        asked = board(cpu_clock_asked={"policy0": 2400 * MHZ})
        two = [
            seen(None, asked, n, clock_hz=clock * MHZ, temperature_c=50)
            for n, clock in enumerate((2400, 1500, 1500))
        ]
        assert told("clock_dropped", *two) is not None
        assert told("clock_not_as_asked", *two) is None


class TestCompared:
    def differs(self, ours: dict[str, Any], theirs: dict[str, Any]) -> list[str]:
        base, other = (
            run([case("r1", "a")], [seen(board(**said), None)], builds=[build("a")])
            for said in (ours, theirs)
        )
        return compare_files(base, other).pairs[0].differs

    def test_modes_that_differ(self) -> None:
        ours = {"power_mode": {"nvpmodel": "15W (mode 0)"}, "governor": {"policy0": "schedutil"}}
        theirs = {"power_mode": {"nvpmodel": "25W (mode 1)"}, "governor": {"policy0": "performance"}}
        assert self.differs(ours, theirs) == [
            "governor: schedutil -> performance",
            "power mode: 15W (mode 0) -> 25W (mode 1)",
        ]

    def test_power_and_modes_that_are_not_known(self) -> None:
        assert self.differs(
            {"power_source": {"source": "mains"}}, {"power_source": {"source": "battery"}}
        ) == ["power source: mains -> battery"]
        assert self.differs({}, {"temperature": {"cpu": 50}}) == []
