"""Ratios of rows: pairs only inside rounds, verdicts, corrections, and what is never compared."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import pytest

from profiler.analyse.comparison import Comparison, comparable, differs, log_ratios, not_comparable, widest
from profiler.analyse.contrasts import comparisons
from profiler.analyse.report import report
from profiler.analyse.statistics import Interval, signed_rank_interval
from profiler.analyse.stopping import half_width
from profiler.analyse.study import Study
from profiler.analyse.verdict import Verdict
from profiler.runfile import Case, Run, Worker, Workload
from tests.run_builder import build, case, pp, raw_pass, rounds, run, text, worker

DRIFT = [10, 11, 13, 17, 14, 12, 20, 15]
"""A machine that is up to twice as slow from one round to the next."""
NOISE = [0.00, 0.01, -0.02, 0.03, -0.01, 0.02, -0.03, 0.00]


def times(gaps: Sequence[float], factor: float) -> list[float]:
    return [gap * factor for gap in gaps]


def two(
    base: list[Worker], candidate: list[Worker], planned: int | None = 8, ended: str | None = "rounds"
) -> Run:
    return run([case("r1", threads=2), case("r2", threads=4)], base, candidate, planned=planned, ended=ended)


def of(found: Sequence[Comparison], metric: str) -> Comparison:
    return next(item for item in found if item.metric == metric)


def decode(seen: Run) -> Comparison:
    return of(comparisons(Study(seen), None), "decode_tps")


class TestPairs:
    def test_only_rounds_that_have_both(self) -> None:
        base, candidate = {0: 1.0, 1: 2.0, 3: 4.0}, {1: 2.5, 2: 9.0, 3: 4.0}
        assert log_ratios(base, candidate) == [0.5, 0.0]

    def test_what_moves_both_alike_cancels(self) -> None:
        """The machine doubles its time over the run; the candidate takes 0.8 of the time in every round."""
        found = decode(two(rounds("r1", DRIFT), rounds("r2", times(DRIFT, 0.8))))
        assert found.pairs == 8
        assert (found.ratio, found.low, found.high) == pytest.approx((1.25, 1.25, 1.25))

    def test_values_are_never_matched_across_rounds(self) -> None:
        late = [msgspec.structs.replace(seen, round=seen.round + 8) for seen in rounds("r2", DRIFT)]
        found = comparisons(Study(two(rounds("r1", DRIFT), late)), None)
        assert {(item.pairs, item.ratio, item.verdict) for item in found} == {(0, None, Verdict.UNDECIDED)}

    def test_a_round_measured_again_counts_once_and_as_a_whole(self) -> None:
        """In the first attempt at round 0 the candidate was slow; in the second both were as ever."""
        first = [rounds("r1", [10])[0], rounds("r2", [900])[0]]
        again = [rounds("r1", [10])[0], rounds("r2", [8])[0]]
        second = [msgspec.structs.replace(seen, attempt=1) for seen in again]
        base, candidate = rounds("r1", DRIFT)[1:], rounds("r2", times(DRIFT, 0.8))[1:]
        found = decode(two(base + candidate, first + second))
        assert found.pairs == 8
        assert (found.low, found.high) == pytest.approx((1.25, 1.25))


class TestVerdict:
    @pytest.mark.parametrize(
        ("factor", "verdict"),
        [(0.8, Verdict.BETTER), (1.25, Verdict.WORSE), (1.0, Verdict.SAME), (0.999, Verdict.BETTER)],
    )
    def test_of_speed(self, factor: float, verdict: Verdict) -> None:
        assert decode(two(rounds("r1", DRIFT), rounds("r2", times(DRIFT, factor)))).verdict is verdict

    @pytest.mark.parametrize(("ttft", "verdict"), [(80, Verdict.BETTER), (125, Verdict.WORSE)])
    def test_of_a_time(self, ttft: float, verdict: Verdict) -> None:
        seen = two(rounds("r1", DRIFT, ttft_ms=100), rounds("r2", DRIFT, ttft_ms=ttft))
        found = of(comparisons(Study(seen), None), "ttft_ms")
        assert found.ratio == pytest.approx(ttft / 100)
        assert found.verdict is verdict

    def test_undecided_where_noise_reaches_across(self) -> None:
        noisy = [10 * math.exp(3 * noise) for noise in NOISE]
        assert decode(two(rounds("r1", [10] * 8), rounds("r2", noisy))).verdict is Verdict.UNDECIDED

    def test_nothing_is_judged_before_the_planned_stop(self) -> None:
        found = decode(two(rounds("r1", DRIFT), rounds("r2", times(DRIFT, 0.5)), ended=None))
        assert found.ratio == pytest.approx(2.0)
        assert found.verdict is Verdict.UNDECIDED

    def test_nothing_is_judged_on_a_provisional_interval(self) -> None:
        found = decode(two(rounds("r1", DRIFT[:3]), rounds("r2", times(DRIFT[:3], 0.5)), planned=3))
        assert found.provisional
        assert found.verdict is Verdict.UNDECIDED

    def test_one_pair_is_a_ratio_without_an_interval(self) -> None:
        found = decode(two(rounds("r1", [10]), rounds("r2", [5]), planned=1))
        assert found.ratio == pytest.approx(2.0)
        assert (found.low, found.high, found.verdict) == (None, None, Verdict.UNDECIDED)


class TestCorrection:
    def rows(self, count: int, planned: int | None = 8) -> Run:
        """A base and `count` candidates that are 10% slower, with a little noise."""
        candidates = [case(f"r{n}", threads=n) for n in range(2, count + 2)]
        noisy = [11 * math.exp(noise) for noise in NOISE]
        workers = [rounds(candidate.id, noisy) for candidate in candidates]
        return run([case("r1", threads=1), *candidates], rounds("r1", [10] * 8), *workers, planned=planned)

    @pytest.mark.parametrize(
        ("candidates", "planned", "one_look"), [(1, 8, 0.95), (2, 8, 0.95), (1, None, 0.982)]
    )
    def test_the_interval_is_that_of_all_comparisons_and_looks_at_once(
        self, candidates: int, planned: int | None, one_look: float
    ) -> None:
        """Each candidate is compared on two metrics, TTFT and decode speed."""
        ratios = [-math.log(1.1) - noise for noise in NOISE]
        expected = signed_rank_interval(ratios, 1 - (1 - one_look) / (2 * candidates))
        assert expected is not None
        found = decode(self.rows(candidates, planned))
        assert (found.low, found.high) == pytest.approx((math.exp(expected.low), math.exp(expected.high)))
        assert found.verdict is Verdict.WORSE

    def test_more_comparisons_than_the_rounds_carry_are_not_judged(self) -> None:
        """Two to the power of -7 is the smallest error that 8 rounds can hold: 12 candidates ask for less."""
        found = comparisons(Study(self.rows(12)), None)
        assert len(found) == 24
        assert all(item.provisional and item.verdict is Verdict.UNDECIDED for item in found)


class TestComparable:
    LIKE = text("chat@1", prompt=128, output=64, sha256="aa")

    @pytest.mark.parametrize(
        ("other", "said"),
        [
            (text("chat@1", prompt=64, output=64, sha256="aa"), "prompt tokens: 128 -> 64"),
            (text("chat@1", prompt=128, output=32, sha256="aa"), "output tokens: 64 -> 32"),
            (text("chat@1", prompt=128, output=64, sha256="bb"), "text: aa -> bb"),
            (text("chat@2", prompt=128, output=64, sha256="aa"), "workload: chat@1 -> chat@2"),
            (msgspec.structs.replace(LIKE, depth=512), "depth: 0 -> 512"),
        ],
        ids=["P", "n", "text", "version", "depth"],
    )
    def test_what_was_asked_otherwise_is_not_compared_and_it_is_said_why(
        self, other: Workload, said: str
    ) -> None:
        base, candidate = case("r1", workload=self.LIKE), case("r2", workload=other)
        assert not comparable(base, candidate)
        seen = run([base, candidate], rounds("r1", DRIFT), rounds("r2", DRIFT))
        assert comparisons(Study(seen), None) == []
        [found] = comparisons(Study(seen), "r1")
        assert found == not_comparable(base, candidate, {base.build: build(base.build)})
        assert (found.verdict, found.metric, found.ratio) == (Verdict.NOT_COMPARABLE, None, None)
        assert found.differs == [said]

    def test_other_builds_engines_and_settings_are_compared(self) -> None:
        base = case("r1", "a", engine="llama-cpp", threads=2)
        assert comparable(base, case("r2", "b", engine="onnx", target="gpu", threads=4))

    def test_pp_and_tg_do_not_spend_each_others_level(self) -> None:
        cases = [case("r1", workload=pp(512)), case("r2", workload=pp(512), threads=2)]
        seen = [worker(c.id, n, raw_pass(1, evaluated_ms=1000)) for c in cases for n in range(8)]
        found = comparisons(Study(run(cases, seen)), None)
        assert [item.metric for item in found] == ["pp_tps"]


class TestDiffers:
    def said(self, base: Case, candidate: Case) -> list[str]:
        builds = {
            "a": build("a", "Q8_0", parameters=135),
            "b": build("b", "Q4_0", parameters=135),
            "c": build("c", None, parameters=360),
        }
        return differs(base, candidate, builds)

    def test_nothing(self) -> None:
        assert self.said(case("r1", "a", threads=2), case("r2", "a", threads=2)) == []

    def test_build_engine_target_and_settings_in_words(self) -> None:
        base = case("r1", "a", threads=2, flash=None, mmap=True)
        candidate = case("r2", "c", engine="onnx", target="gpu", threads=4, flash="on", mmap=False)
        assert self.said(base, candidate) == [
            "build: a -> c",
            "quantization: Q8_0 -> not known",
            "parameters: 135 -> 360",
            "engine: llama-cpp -> onnx",
            "target: cpu -> gpu",
            "threads: 2 -> 4",
            "flash: auto -> on",
            "mmap: on -> off",
        ]

    def test_a_setting_that_only_one_engine_has(self) -> None:
        assert self.said(case("r1", "a", threads=2), case("r2", "a", threads=2, arena="small")) == [
            "arena: auto -> small"
        ]

    def test_settings_of_another_engine_are_part_of_the_engine(self) -> None:
        candidate = case("r2", "a", engine="ort", threads=4, arena="small")
        assert self.said(case("r1", "a", threads=2, flash="auto"), candidate) == [
            "engine: llama-cpp -> ort",
            "threads: 2 -> 4",
        ]


class TestResolution:
    def test_it_is_the_widest_half_width_of_the_ratios_shown(self) -> None:
        noisy = [10 * math.exp(noise) for noise in NOISE]
        found = report(two(rounds("r1", [10] * 8), rounds("r2", noisy)))
        shown = of(found.comparisons, "decode_tps")
        assert shown.low is not None
        assert shown.high is not None
        assert found.resolution["decode_tps"] == pytest.approx(math.sqrt(shown.high / shown.low) - 1)
        assert found.resolution["ttft_ms"] == pytest.approx(0)

    def test_none_where_no_difference_can_be_judged(self) -> None:
        assert report(two(rounds("r1", DRIFT[:3]), rounds("r2", DRIFT[:3]))).resolution == {}
        assert report(run([case("r1")], rounds("r1", DRIFT))).resolution == {}


class TestHalfWidth:
    """What a run is stopped on."""

    def test_the_widest_of_the_headline_intervals(self) -> None:
        noisy = [10 * math.exp(noise) for noise in NOISE]
        bounds = signed_rank_interval(NOISE, 0.982)
        assert bounds is not None
        seen = run([case("r1")], rounds("r1", noisy), planned=None)
        assert half_width(seen) == pytest.approx(math.expm1((bounds.high - bounds.low) / 2))

    def test_a_prompt_workload_does_not_wait_for_a_decode_speed(self) -> None:
        seen = [worker("r1", n, raw_pass(1, evaluated_ms=1000)) for n in range(8)]
        assert half_width(run([case("r1", workload=pp(512))], seen)) == pytest.approx(0)

    def test_one_token_does_not_wait_for_a_second(self) -> None:
        one = case("r1", workload=text(output=1))
        assert half_width(run([one], rounds("r1", [10] * 8, tokens=1))) == pytest.approx(0)

    def test_none_while_a_case_has_one_round(self) -> None:
        assert half_width(two(rounds("r1", DRIFT), rounds("r2", [10]))) is None

    def test_none_of_nothing(self) -> None:
        assert half_width(two([], [])) is None
        assert widest([]) is None

    def test_an_interval_without_end_is_wide_not_an_error(self) -> None:
        endless = Interval(centre=0, low=-1e6, high=1e6, level=0.95, method="paired-t", provisional=True)
        assert widest([endless]) == math.expm1(700)
