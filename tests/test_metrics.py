"""Every formula of DESIGN section 3, on stamps that can be worked out by hand."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.analyse.gaps import gaps_ns
from profiler.analyse.memory import accounted
from profiler.analyse.metrics import MEMORY_METRICS, MEMORY_PARTS, OF_WORKERS, PASS_METRICS, judged_metrics
from profiler.runfile import Account, Memory, Pass, Phase, Worker, Workload
from tests.run_builder import (
    MIB,
    MS,
    memory,
    of,
    pp,
    raw_pass,
    text,
    text_pass,
    tg,
    unfinished,
    warm_up,
    worker,
)

PASS_FORMULAS = {metric.name: formula for metric, formula in PASS_METRICS.items()}
WORKER_FORMULAS = {metric.name: formula for metric, formula in OF_WORKERS.items()}
METRICS = {metric.name: metric for metric in [*PASS_METRICS, *OF_WORKERS]}

DONE = Pass(
    number=1,
    start_ns=7_000_000_000,
    tokenized_ns=2 * MS,
    evaluated_ns=80 * MS,
    token_ns=[100 * MS, 110 * MS, 125 * MS, 145 * MS],
    prompt_bytes=400,
    output_bytes=20,
)


def figure(name: str, done: Pass, workload: Workload) -> float | None:
    return PASS_FORMULAS[name](done, workload)


def of_worker(name: str, seen: Worker) -> float | None:
    return WORKER_FORMULAS[name](seen)


class TestText:
    """128 tokens of prompt, evaluated after 80 ms; tokens at 100, 110, 125 and 145 ms."""

    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("ttft_ms", 100.0),  # t1 - s
            ("prefill_tps", 1600.0),  # 128 / 0.080 s
            ("tpot_ms", 15.0),  # (145 - 100) / 3
            ("decode_tps", 1000 / 15),
            ("tokenize_ms", 2.0),
            ("ttft_e2e_ms", 102.0),
            ("text_bps", 20 * 3 / 4 / 0.045),  # the bytes of the last three of four tokens, from t1 to t4
            ("prompt_bps", 5000.0),  # 400 / 0.080 s
        ],
    )
    def test_by_hand(self, name: str, expected: float) -> None:
        assert figure(name, DONE, text(prompt=128)) == pytest.approx(expected, rel=1e-12)

    def test_the_gaps(self) -> None:
        assert gaps_ns(DONE) == [10 * MS, 15 * MS, 20 * MS]

    def test_decode_does_not_see_the_prompt(self) -> None:
        """No subtraction of a mean prefill, which can go negative elsewhere: only t1 and tn count."""
        slow = text_pass(ttft_ms=60_000, gap_ms=10, tokens=5)
        assert figure("decode_tps", slow, text()) == 100.0

    def test_when_the_worker_read_its_clock_first_does_not_matter(self) -> None:
        later = msgspec.structs.replace(DONE, start_ns=DONE.start_ns + 10**12)
        assert all(figure(name, later, text()) == figure(name, DONE, text()) for name in PASS_FORMULAS)


class TestAbsent:
    """Absent is None, never 0."""

    @pytest.mark.parametrize("tokens", [0, 1])
    @pytest.mark.parametrize("name", ["tpot_ms", "decode_tps", "text_bps"])
    def test_a_gap_takes_two_tokens(self, name: str, tokens: int) -> None:
        assert figure(name, text_pass(tokens=tokens, output_bytes=4), text()) is None

    def test_no_token_no_first_token(self) -> None:
        assert figure("ttft_ms", text_pass(tokens=0), text()) is None

    def test_one_token_has_a_first_token(self) -> None:
        assert figure("ttft_ms", text_pass(ttft_ms=100, tokens=1), text()) == 100.0

    @pytest.mark.parametrize("name", ["tokenize_ms", "ttft_e2e_ms", "text_bps", "prompt_bps"])
    def test_what_was_not_recorded(self, name: str) -> None:
        assert figure(name, text_pass(), text()) is None

    def test_no_end_of_prompt_no_prefill(self) -> None:
        cut = Pass(number=1, start_ns=0, evaluated_ns=None, token_ns=[])
        assert figure("prefill_tps", cut, text()) is None
        assert figure("pp_tps", cut, pp(512)) is None

    def test_a_span_of_no_time_has_no_rate(self) -> None:
        at_once = Pass(number=1, start_ns=0, evaluated_ns=0, token_ns=[5, 5], output_bytes=3)
        assert figure("prefill_tps", at_once, text()) is None
        assert figure("decode_tps", at_once, text()) is None
        assert figure("text_bps", at_once, text()) is None

    def test_every_metric_has_a_reason_for_being_absent(self) -> None:
        assert all(metric.absent for metric in METRICS.values())


class TestLlamaBench:
    def test_pp_is_prompt_tokens_over_their_evaluation(self) -> None:
        assert figure("pp_tps", raw_pass(evaluated_ms=2000), pp(512)) == 256.0

    def test_tg_counts_every_evaluation_from_the_start(self) -> None:
        """Four evaluations in 40 ms: unlike decode_tps, the first is one of them."""
        assert figure("tg_tps", raw_pass(evaluated_ms=0, token_ms=[10, 20, 30, 40]), tg(4)) == 100.0

    def test_pp_has_no_tg_and_tg_no_pp(self) -> None:
        assert figure("tg_tps", raw_pass(evaluated_ms=2000), pp(512)) is None
        assert figure("pp_tps", raw_pass(evaluated_ms=0.001, token_ms=[10, 20]), tg(2)) is None

    def test_their_names_are_never_mixed_with_those_of_text(self) -> None:
        text_names = {metric.name for metric in PASS_METRICS if "text" in metric.methods}
        raw_names = {metric.name for metric in PASS_METRICS if "raw" in metric.methods}
        assert raw_names == {"pp_tps", "tg_tps"}
        assert not text_names & raw_names


class TestWorker:
    def test_the_first_token_of_the_process_is_that_of_the_warm_up(self) -> None:
        seen = worker("r1", 0, warm_up(ttft_ms=400), text_pass(1, ttft_ms=100))
        assert of_worker("first_ttft_ms", seen) == 400.0

    def test_without_a_warm_up_there_is_none(self) -> None:
        assert of_worker("first_ttft_ms", worker("r1", 0, text_pass(1))) is None

    def test_load_and_import_are_apart(self) -> None:
        seen = worker("r1", 0, load_ms=250.0, import_ms=40.0)
        assert (of_worker("load_ms", seen), of_worker("import_ms", seen)) == (250.0, 40.0)


class TestMemory:
    def test_the_largest_of_the_phases(self) -> None:
        seen = worker("r1", 0, phases=memory(peak_mib=200))
        assert of_worker("peak_rss_bytes", seen) == 200 * MIB
        assert of_worker("pss_bytes", seen) == 150 * MIB

    def test_parts_add_up_to_pss(self) -> None:
        """Of 150 MiB: 81.5 mapped, 20 held, 6 of KV, 10 while computing, 11 + 10 + 9 + 2 of runtime: 0.5 are left."""
        seen = accounted_worker()
        assert of_worker("weights_bytes", seen) == (81.5 + 20) * MIB
        assert of_worker("compute_bytes", seen) == 10 * MIB
        assert of_worker("runtime_bytes", seen) == (11 + 10 + 9 + 2) * MIB
        assert of_worker("unexplained_bytes", seen) == 0.5 * MIB

    def test_a_cache_that_grows_with_the_context_is_not_counted_as_computing_too(self) -> None:
        seen = accounted_worker(kv_in_place=False)
        assert of_worker("compute_bytes", seen) == 4 * MIB
        assert of_worker("unexplained_bytes", seen) == 6.5 * MIB

    def test_a_cache_on_a_device_takes_none_of_the_process(self) -> None:
        seen = accounted_worker(device_kv_bytes=6 * MIB)
        assert of_worker("kv_bytes", seen) == 6 * MIB
        assert of_worker("unexplained_bytes", seen) == 6.5 * MIB

    def test_a_cache_that_grows_is_not_there_before_the_first_prompt(self) -> None:
        """Where memory was fullest when loading ended, there was none: 150 MiB - 101.5 - 0 - 32 are left."""
        phases = [*memory(200)[:1], msgspec.structs.replace(memory(200)[2], name="loaded")]
        seen = msgspec.structs.replace(accounted_worker(kv_in_place=False), phases=phases)
        assert of_worker("unexplained_bytes", seen) == 16.5 * MIB

    def test_swapped_memory_is_in_the_parts_and_not_in_pss(self) -> None:
        """Another 5 MiB of the weights lie in swap: the parts are the same, and so is what is left."""
        seen = accounted_worker()
        last = seen.phases[-1]
        out = msgspec.structs.replace(
            last.memory, swapped_bytes=5 * MIB, anon_bytes=(last.memory.anon_bytes or 0) - 5 * MIB,
            pss_bytes=(last.memory.pss_bytes or 0) - 5 * MIB,
        )  # fmt: skip
        swapped = msgspec.structs.replace(
            seen, phases=[*seen.phases[:-1], msgspec.structs.replace(last, memory=out)]
        )
        assert of_worker("compute_bytes", swapped) == 10 * MIB
        assert of_worker("unexplained_bytes", swapped) == of_worker("unexplained_bytes", seen) == 0.5 * MIB
        assert of_worker("swapped_bytes", swapped) == 5 * MIB

    def test_what_is_held_may_come_from_the_account(self) -> None:
        account = Account(held_weights_bytes=30 * MIB, held_compute_bytes=7 * MIB)
        seen = worker("r1", 0, phases=memory(200), facts={"kv_bytes": 6 * MIB}, account=account)
        assert of_worker("weights_bytes", seen) == (81.5 + 30) * MIB
        assert of_worker("compute_reserved_bytes", seen) == 7 * MIB

    def test_the_account_of_a_case_is_that_of_all_its_workers(self) -> None:
        account = Account(bookkeeping_bytes=9 * MIB)
        several = [worker("r1", 0), worker("r1", 1, account=account), worker("r1", 2)]
        assert [one.account for one in accounted(several)] == [account] * 3

    def test_memory_that_shrinks_while_it_computes_is_nothing_computed(self) -> None:
        moments = {"before_load": 12.0, "loaded": 60.0, "after_decode": 50.0}
        phases = [
            Phase(name=name, memory=of(pss=70, anon=anon, file=10, build=0, freed=0, peak=80))
            for name, anon in moments.items()
        ]
        assert of_worker("compute_bytes", worker("r1", 0, phases=phases)) == 0

    def test_where_too_much_is_claimed_it_is_negative(self) -> None:
        assert of_worker("unexplained_bytes", accounted_worker(held_weights_bytes=30 * MIB)) == -9.5 * MIB

    def test_one_unknown_part_leaves_it_unknown(self) -> None:
        assert of_worker("unexplained_bytes", accounted_worker(held_weights_bytes=None)) is None

    def test_private_and_mapped_memory_are_of_the_same_moment(self) -> None:
        """Under a limit mapped pages leave while private ones come: their maxima together were never there."""
        moments = [("loaded", 155, 102, 53), ("after_decode", 132, 107, 25)]
        told = [
            Phase(name=name, memory=Memory(pss_bytes=pss, anon_bytes=anon, file_bytes=file))
            for name, pss, anon, file in moments
        ]
        seen = worker("r1", 0, phases=told)
        assert [of_worker(name, seen) for name in ("pss_bytes", "anon_bytes", "file_bytes")] == [155, 102, 53]

    def test_zero_is_a_figure(self) -> None:
        none_shared = [Phase(name="loaded", memory=Memory(pss_bytes=1, shmem_bytes=0))]
        assert of_worker("shmem_bytes", worker("r1", 0, phases=none_shared)) == 0

    def test_unreadable_is_none(self) -> None:
        unreadable = worker("r1", 0, phases=[Phase(name="loaded", memory=Memory())])
        assert all(of_worker(metric.name, unreadable) is None for metric in MEMORY_METRICS | MEMORY_PARTS)

    @pytest.mark.parametrize("nonsense", ["many", None, [1], {"a": 1}, True, float("nan"), float("inf")])
    def test_what_an_engine_says_is_a_number_or_nothing(self, nonsense: object) -> None:
        assert of_worker("kv_bytes", worker("r1", 0, facts={"kv_bytes": nonsense})) is None


def accounted_worker(**facts: object) -> Worker:
    """Peak 200 MiB: PSS 150, of which the engine and its account explain all but half a MiB."""
    told = {"kv_bytes": 6 * MIB, "held_weights_bytes": 20 * MIB, **facts}
    return worker("r1", 0, phases=memory(200), facts=told, account=Account(bookkeeping_bytes=9 * MIB))


class TestTable:
    def test_judged_are_the_headlines(self) -> None:
        assert [metric.name for metric in judged_metrics("text")] == ["ttft_ms", "decode_tps"]
        assert [metric.name for metric in judged_metrics("raw")] == ["pp_tps", "tg_tps"]

    def test_times_and_bytes_are_better_low_and_rates_high(self) -> None:
        assert {m.unit for m in METRICS.values() if m.higher_is_better} == {"tok/s", "B/s"}
        assert {m.unit for m in METRICS.values() if not m.higher_is_better} == {"ms", "B"}


STAMPS = st.lists(st.integers(1, 10**13), min_size=2, max_size=40, unique=True).map(sorted)


@given(STAMPS)
def test_decode_is_the_inverse_of_the_time_per_token(stamps: list[int]) -> None:
    done = Pass(number=1, start_ns=0, evaluated_ns=1, token_ns=stamps)
    tpot, decode = figure("tpot_ms", done, text()), figure("decode_tps", done, text())
    assert tpot is not None
    assert decode is not None
    assert tpot * decode == pytest.approx(1000)


@given(STAMPS)
def test_the_gaps_add_up_to_the_time_after_the_first_token(stamps: list[int]) -> None:
    done = Pass(number=1, start_ns=0, evaluated_ns=1, token_ns=stamps)
    tpot = figure("tpot_ms", done, text())
    assert tpot == pytest.approx(sum(gaps_ns(done)) / MS / (len(stamps) - 1))


def test_an_unfinished_pass_still_says_when_its_first_token_came() -> None:
    """Formulas speak of stamps; which passes count is decided elsewhere (test_samples)."""
    assert figure("ttft_ms", unfinished(2, tokens=3), text()) == 100.0
