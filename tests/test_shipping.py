"""Ship, skip, undecided: on the whole interval, with margin, reason, and what would change it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from profiler.analyse.judged import Judged, Word, judge, processes_for
from profiler.analyse.report import report
from profiler.analyse.shipping import Judgement, Verdicts, verdicts
from profiler.analyse.source import Source
from profiler.analyse.study import Study
from profiler.documents.limit_text import limit as in_words
from profiler.documents.limits import Limits, Use
from profiler.runfile import Run
from tests.hand_made import hand_made
from tests.run_builder import (
    BOARD,
    MIB,
    build,
    case,
    counters,
    failed,
    memory,
    pp,
    raw_pass,
    rounds,
    run,
    worker,
)

WOBBLE = [9.9, 10.1, 9.8, 10.2, 10.0, 9.95, 10.05, 10.15]
"""Gaps in ms: 98.0 to 101.0 tokens per second are their interval."""


def asked(*texts: str, workload: str | None = None, device: str | None = None) -> Limits:
    use = Use(
        workload=workload,
        device=device,
        limits=[in_words(text, f"use[0].limits[{n}]") for n, text in enumerate(texts)],
    )
    return Limits(name="own.toml", title="T", question="Q?", uses=[use])


def source(seen: Run, name: str = "run.jsonl") -> Source:
    return Source(name=name, report=report(seen), run=seen)


def judged(seen: Run, *texts: str) -> Verdicts:
    return verdicts([source(seen)], asked(*texts))


def one(seen: Run, text: str) -> Judged:
    return only(seen, text).judged[0]


def only(seen: Run, *texts: str) -> Judgement:
    (found,) = judged(seen, *texts).judgements
    return found


def alone(gaps_ms: list[float] = WOBBLE, **facts: Any) -> Run:
    of_run = {name: facts.pop(name) for name in ("ended", "planned", "builds", "device") if name in facts}
    return run([case("r1")], rounds("r1", gaps_ms, **facts), **of_run)


class TestInterval:
    @pytest.mark.parametrize(
        ("text", "word"),
        [
            ("decode_tps >= 95", Word.SHIP),
            ("decode_tps >= 100", Word.UNDECIDED),
            ("decode_tps >= 105", Word.SKIP),
            ("tpot_ms <= 11", Word.SHIP),
            ("tpot_ms <= 10", Word.UNDECIDED),
            ("tpot_ms <= 9.5", Word.SKIP),
        ],
    )
    def test_the_whole_interval_decides(self, text: str, word: Word) -> None:
        assert one(alone(), text).word is word

    def test_a_bound_that_is_the_limit_keeps_it(self) -> None:
        same = alone([10.0] * 8)
        assert one(same, "decode_tps >= 100").word is Word.SHIP
        assert one(same, "tpot_ms <= 10").word is Word.SHIP

    def test_margin_is_a_share_of_the_limit(self) -> None:
        same = alone([10.0] * 8)
        assert one(same, "decode_tps >= 80").margin == pytest.approx(0.25)
        assert one(same, "decode_tps >= 125").margin == pytest.approx(-0.2)
        assert one(same, "ttft_ms <= 400").margin == pytest.approx(0.75)
        assert one(alone(phases=memory(100)), "swapped_bytes <= 0").margin is None

    def test_few_processes_decide_nothing(self) -> None:
        found = only(alone([10.0, 10.1, 9.9]), "decode_tps >= 1")
        assert (found.word, found.judged[0].reason) == (
            Word.UNDECIDED,
            "3 processes are too few for an interval that decides",
        )
        assert found.turn == [
            "decode_tps: 3 processes are too few for an interval that decides; a fresh run with --processes 12 has one "
            "that decides"
        ]

    def test_one_process_has_no_spread(self) -> None:
        assert one(alone([10.0]), "decode_tps >= 1").reason == "one process has no spread"

    def test_a_run_that_was_cut_short_decides_nothing(self) -> None:
        found = only(alone(ended=None), "decode_tps >= 1")
        assert (found.word, found.judged[0].reason) == (
            Word.UNDECIDED,
            "the run did not reach its planned stop",
        )
        assert found.turn == ["go on with it by edgeprof run --resume, or run it again"]

    def test_a_figure_that_the_workload_does_not_have(self) -> None:
        found = one(alone(), "tg_tps >= 1")
        assert (found.word, found.value, found.reason) == (
            Word.UNDECIDED, None, "tg_tps is not measured by chat@1",
        )  # fmt: skip

    def test_a_figure_without_a_sensor_keeps_its_reason(self) -> None:
        found = only(alone(), "energy_j_per_token <= 1")
        assert found.word is Word.UNDECIDED
        assert found.turn == ["energy_j_per_token: no sensor was looked for; a meter would tell it"]

    @given(limit=st.floats(1, 1000), tighter=st.floats(0, 500))
    def test_a_tighter_limit_never_turns_a_skip_into_a_ship(self, limit: float, tighter: float) -> None:
        order = [Word.SKIP, Word.UNDECIDED, Word.SHIP]
        texts = (f"decode_tps >= {value:.6f}" for value in (limit, limit + tighter))
        loose, tight = (judge(in_words(text, "use"), SEEN.report.rows[0], STUDY) for text in texts)
        assert order.index(tight.word) <= order.index(loose.word)


SEEN = source(alone())
STUDY = Study(alone())


def test_gaps_that_are_too_few_take_more_passes() -> None:
    found = only(alone(), "itl_ms.p99 <= 50")
    assert (found.word, found.turn) == (
        Word.UNDECIDED,
        [
            "itl_ms.p99: the 12 gaps of one process do not carry a p99; "
            "edgeprof run --limits plans enough passes for it"
        ],
    )


class TestFirstTokens:
    def first_tokens(self, count: int, *slow: float) -> Run:
        times = [100.0 + n for n in range(count - len(slow))] + list(slow)
        return alone([10.0] * count, ttft_ms=times, passes=1)

    def test_a_percentile_that_the_samples_do_not_carry(self) -> None:
        found = only(self.first_tokens(9), "ttft_ms.p90 <= 1000")
        assert (found.word, found.judged[0].reason) == (
            Word.UNDECIDED,
            "the first tokens of 9 processes do not carry a p90",
        )
        assert found.turn == [
            "ttft_ms.p90: the first tokens of 9 processes do not carry a p90; a fresh run with --processes 36 would "
            "close its bound"
        ]

    def test_an_open_bound_ships_nothing(self) -> None:
        found = one(self.first_tokens(35), "ttft_ms.p90 <= 1000")
        assert (found.word, found.value, found.high) == (Word.UNDECIDED, 131, None)
        assert found.reason == "open above: 35 processes, and p90 needs 36 for a bound"

    def test_36_processes_close_it(self) -> None:
        found = one(self.first_tokens(36), "ttft_ms.p90 <= 135")
        assert (found.word, found.high) == (Word.SHIP, 135)
        assert one(self.first_tokens(36), "ttft_ms.p90 <= 134").word is Word.UNDECIDED

    def test_a_lower_bound_by_order_statistics_skips_long_before(self) -> None:
        """Of ten values the seventh lies below the 90th percentile with 98.7%, the eighth with 93%."""
        seen = self.first_tokens(10)
        assert one(seen, "ttft_ms.p90 <= 105").low == 106
        assert one(seen, "ttft_ms.p90 <= 105").word is Word.SKIP
        assert one(seen, "ttft_ms.p90 <= 106").word is Word.UNDECIDED

    def test_a_limit_between_the_bounds_takes_more_processes_than_there_were(self) -> None:
        found = only(self.first_tokens(40), "ttft_ms.p50 <= 120")
        assert found.turn == [
            "ttft_ms.p50: the limit lies between the bounds of its first tokens: a fresh run with --processes 80 "
            "narrows them"
        ]

    def test_p99_takes_more_than_any_run_has(self) -> None:
        found = only(self.first_tokens(100), "ttft_ms.p99 <= 1000")
        assert found.judged[0].reason == "open above: p99 needs 368 processes, more than any run has"
        assert found.turn == [
            "ttft_ms.p99: it takes 368 processes, and a run has 200 at most: limit a lower percentile"
        ]

    def test_the_processes_that_close_a_bound(self) -> None:
        assert [processes_for(p) for p in (50, 90, 95, 99)] == [6, 36, 72, 368]


class TestMemory:
    def test_the_largest_seen_is_judged_as_it_is(self) -> None:
        found = one(alone(phases=memory(200)), "pss_bytes <= 150 MiB")
        assert (found.word, found.value, found.low, found.high) == (Word.SHIP, 150 * MIB, None, None)
        assert found.reason == "the largest of 8 processes, no interval"
        assert one(alone(phases=memory(200)), "pss_bytes <= 149 MiB").word is Word.SKIP

    def test_what_others_may_have_taken_a_part_of_does_not_ship_by_pss(self) -> None:
        seen = alone(phases=memory(200))
        seen = replace(seen, workers=[replace(one, other_mappers=["ollama"]) for one in seen.workers])
        assert only(seen, "peak_rss_bytes <= 200 MiB").word is Word.SHIP
        found = only(seen, "pss_bytes <= 150 MiB")
        assert (found.word, found.turn) == (
            Word.UNDECIDED,
            ["limit peak_rss_bytes, or stop what else has loaded this file and run again"],
        )

    def test_a_shorter_context_where_the_kv_cache_is_what_is_too_much(self) -> None:
        facts = {"context": 4096, "kv_bytes": 64 * MIB}
        found = only(alone(phases=memory(200), facts=facts), "pss_bytes <= 134 MiB")
        assert found.turn == [
            "pss_bytes must fall by 11%, to 134 MiB",
            "a context of 3072 tokens instead of 4096 would do: its KV cache takes 64.0 MiB",
        ]

    def test_no_context_is_advised_that_the_workload_does_not_fit_into(self) -> None:
        facts = {"context": 256, "kv_bytes": 64 * MIB}
        found = only(alone(phases=memory(200), facts=facts), "pss_bytes <= 100 MiB")
        assert not [text for text in found.turn if "context" in text]


class TestRow:
    def test_ships_if_every_limit_is_kept(self) -> None:
        found = only(alone(), "decode_tps >= 90", "ttft_ms <= 200")
        assert (found.word, found.why, found.turn, found.basis) == (
            Word.SHIP, "every limit is kept", [], "measured",
        )  # fmt: skip

    def test_is_skipped_if_one_is_broken_whatever_the_others_are(self) -> None:
        found = only(alone(), "decode_tps >= 110", "ttft_ms.p90 <= 1000", "ttft_ms <= 200")
        assert (found.word, found.why) == (Word.SKIP, "broken: decode_tps >= 110")

    def test_is_undecided_if_none_is_broken_and_one_is_open(self) -> None:
        found = only(alone(), "decode_tps >= 90", "decode_tps >= 90", "ttft_ms.p90 <= 1000")
        assert (found.word, found.why) == (Word.UNDECIDED, "not decided: ttft_ms.p90 <= 1000")

    @pytest.mark.parametrize(
        ("kind", "word"),
        [
            ("out_of_memory", Word.SKIP),
            ("load_failed", Word.SKIP),
            ("crashed", Word.SKIP),
            ("fell_back", Word.SKIP),
            ("missing_library", Word.UNDECIDED),
            ("bad_file", Word.UNDECIDED),
            ("timeout", Word.UNDECIDED),
        ],
    )
    def test_a_failure_answers_the_question_if_it_is_the_models(self, kind: str, word: Word) -> None:
        found = only(run([case("r1")], [failed("r1", 0, kind, "as told")]), "decode_tps >= 1")
        assert (found.word, found.why, found.judged) == (word, f"{kind.replace('_', ' ')}: as told", [])
        assert found.turn

    def test_a_build_that_fails_now_and_then_does_not_ship(self) -> None:
        seen = run([case("r1")], rounds("r1", WOBBLE), [failed("r1", 8, "crashed", "signal 11")])
        found = only(seen, "decode_tps >= 1")
        assert found.word is Word.UNDECIDED
        assert found.why == "the limits say ship, but 1 of 9 workers failed: signal 11"

    def test_a_build_that_ran_elsewhere_does_not_ship_as_asked(self) -> None:
        found = only(alone(facts={"fell_back": "no NPU: all layers on the CPU"}), "decode_tps >= 1")
        assert (found.word, found.why) == (
            Word.UNDECIDED,
            "the limits say ship, but no NPU: all layers on the CPU",
        )

    @pytest.mark.parametrize(
        ("text", "word"), [("decode_tps >= 900", "undecided"), ("pss_bytes <= 1 MiB", "skip")]
    )
    def test_what_others_slowed_down_is_not_skipped_for_its_speed(self, text: str, word: str) -> None:
        busy = counters(foreign_share=0.5)
        found = only(alone(counters=busy, phases=memory(100)), text)
        assert found.word.value == word

    def test_a_row_of_which_nothing_was_measured(self) -> None:
        found = only(run([case("r1")], [worker("r1", 0)]), "decode_tps >= 1")
        assert (found.word, found.judged[0].reason) == (Word.UNDECIDED, "nothing of it was measured")


class TestTurn:
    def limited(self, read: int) -> Run:
        device = replace(BOARD, memory_bandwidth_bytes_per_s=10e9, bandwidth_source="theoretical, MAKER")
        made = build(
            "tiny-Q4_0", read_bytes_per_token=read, kv_elements_per_token=0, bits_read_per_weight=4.5
        )
        return alone([10.0] * 8, builds=[made], device=device)

    def test_settings_may_do_what_the_bandwidth_allows(self) -> None:
        assert only(self.limited(50_000_000), "decode_tps >= 125").turn == [
            "decode_tps must rise by 25%, to 125 tok/s",
            "10 GB/s (theoretical, MAKER) allow at most 200 tok/s where a token reads 47.7 MiB; 50% of that is "
            "reached, so other settings or another engine may do",
        ]

    def test_fewer_bits_are_needed_beyond_the_bandwidth(self) -> None:
        assert only(self.limited(90_000_000), "decode_tps >= 125").turn == [
            "decode_tps must rise by 25%, to 125 tok/s",
            "no setting of this build can reach it: 10 GB/s (theoretical, MAKER) allow at most 111 tok/s where a token "
            "reads 85.8 MiB; a build that reads at most 76.3 MiB for a token could, which is 4 bits per weight instead "
            "of 4.5, or a smaller model",
        ]

    def test_a_smaller_kv_cache_is_needed_where_the_weights_alone_would_do(self) -> None:
        """At 130.5 tokens the cache holds 80,000 x 2 x 130.5 bytes: 19.9 MiB of 77.1."""
        device = replace(BOARD, memory_bandwidth_bytes_per_s=10e9, bandwidth_source="theoretical, MAKER")
        made = build("tiny-Q4_0", read_bytes_per_token=60_000_000, kv_elements_per_token=80_000)
        turn = only(alone([10.0] * 8, builds=[made], device=device), "decode_tps >= 130").turn
        assert turn[1:] == [
            "10 GB/s (theoretical, MAKER) allow at most 124 tok/s where a token reads 77.1 MiB, 19.9 MiB of it the KV "
            "cache: a smaller type of it or a shorter context may do"
        ]

    def test_weights_in_a_cache_are_not_bound_by_the_memory(self) -> None:
        assert len(only(self.limited(110_000_000), "decode_tps >= 125").turn) == 1

    def test_a_shorter_prompt_and_rows_that_ship(self) -> None:
        first = judged(hand_made(), "ttft_ms <= 600").judgements[0]
        assert first.word is Word.SKIP
        assert first.turn == [
            "ttft_ms must fall by 35% to ship with its whole interval",
            "a prompt of about 83 tokens instead of 128 would do, if time goes with length",
            "of the same run r3 (SmolLM2-135M-Q4_0, llama-cpp) ships",
        ]

    def test_an_undecided_limit_says_how_many_processes_would_decide_it(self) -> None:
        assert only(alone(), "decode_tps >= 99").turn == [
            "decode_tps: a fresh run with --processes 31 would decide it with 80% chance, if the speed stays what it is"
        ]

    def test_a_row_whose_workload_has_no_such_speed_asks_for_a_better_use(self) -> None:
        seen = run(
            [case("r1", workload=pp(64))], [worker("r1", n, raw_pass(evaluated_ms=80)) for n in range(8)]
        )
        assert only(seen, "tg_tps >= 10").turn == [
            "tg_tps: this workload generates no tokens; name the workload that has it in the [[use]] of this limit"
        ]


class TestBasis:
    def imported(self, **interval: float | None) -> Source:
        made = report(alone())
        row = made.rows[0]
        figure = replace(row.metrics["decode_tps"], **{"low": None, "high": None} | interval)
        told = replace(row, basis="imported", metrics={"decode_tps": figure})
        return Source(name="other.json", report=replace(made, rows=[told], stopped=None), run=None)

    def test_an_imported_mean_alone_is_undecided(self) -> None:
        (found,) = verdicts([self.imported()], asked("decode_tps >= 10")).judgements
        assert (found.word, found.basis, found.judged[0].reason) == (
            Word.UNDECIDED, "imported", "it has no interval",
        )  # fmt: skip
        assert found.turn == [
            "decode_tps: it has no interval; measure it with edgeprof run, which keeps stamps"
        ]

    def test_an_imported_interval_is_judged_and_says_what_it_rests_on(self) -> None:
        (found,) = verdicts([self.imported(low=90.0, high=110.0)], asked("decode_tps >= 10")).judgements
        assert (found.word, found.basis) == (Word.SHIP, "imported")


class TestMatching:
    def test_rows_and_uses_that_do_not_meet_are_told(self) -> None:
        found = verdicts([source(alone())], asked("decode_tps >= 1", workload="code"))
        assert found.judgements == []
        assert found.word is Word.UNDECIDED
        assert found.unmatched == [
            "no limit speaks of chat@1 on device board",
            "no row is of code on any device; the rows are of chat@1 on device board",
        ]

    def test_anchors_are_not_judged(self) -> None:
        seen = run([case("r1"), case("r2")], rounds("r1", WOBBLE), rounds("r2", WOBBLE), anchors=["r2"])
        assert [item.row for item in judged(seen, "decode_tps >= 1").judgements] == ["r1"]

    def test_several_runs_in_the_order_given(self) -> None:
        found = verdicts([source(alone(), "a.jsonl"), source(alone(), "b.jsonl")], asked("decode_tps >= 1"))
        assert [(item.source, item.row) for item in found.judgements] == [
            ("a.jsonl", "r1"),
            ("b.jsonl", "r1"),
        ]
