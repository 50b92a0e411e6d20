"""What the intrusion bench concludes: the ratio under hogs, the marks, and what a limit finds in a run file."""

from __future__ import annotations

import math
import time
from pathlib import Path

import pytest

from bench.hogs import read_log
from bench.intrusion import Compared, Figure, Hogs, figures, marks, verdict
from bench.intrusion_limits import FOREIGN, Seen, limits, seen, slowness
from bench.truth import Truth
from tests.run_builder import case, counters, run, text_pass, warm_up, worker


def compared(quiet: float, hogged: float, *ratios: float) -> Compared:
    return Compared(
        quiet=Figure(tokens_per_s=quiet, spread=2.0),
        hogged=Figure(tokens_per_s=hogged, spread=4.5),
        logs=[math.log(ratio) for ratio in ratios],
    )


def done(took_s: float, hogs_share: float, *, marked: bool) -> Truth:
    return Truth(
        build="hogged",
        round=2,
        number=1,
        took_s=took_s,
        hogs_share=hogs_share,
        foreign_share=0.04,
        marked=marked,
    )


def test_each_tool_has_its_figures_and_the_interval_of_their_ratio_over_rounds() -> None:
    assert figures({"a tool": compared(100, 90, 0.8, *[0.9] * 6, 1.0)})[2:] == [
        "| a tool | 100.0 ± 2.0 | 90.0 ± 4.5 | 0.900 | 0.849 to 0.949 | 0.800 to 1.000 |"
    ]


def test_five_rounds_give_no_interval() -> None:
    assert figures({"a tool": compared(100, 90, *[0.9] * 5)})[2:] == [
        "| a tool | 100.0 ± 2.0 | 90.0 ± 4.5 | 0.900 | too few rounds | 0.900 to 0.900 |"
    ]


@pytest.mark.parametrize(
    ("found", "stands", "sure"),
    [
        (compared(100, 99, *[0.99] * 6), True, True),
        (compared(100, 99, 0.9, *[0.99] * 4, 1.1), True, False),
        (compared(100, 99, *[0.99] * 5), True, False),
        (compared(100, 90, *[0.9] * 6), False, False),
    ],
    ids=["stands", "in doubt", "too few rounds", "fell"],
)
def test_the_headline_stands_within_two_hundredths(found: Compared, stands: bool, sure: bool) -> None:
    said = verdict(found)
    assert ("is within 2%" if stands else "is NOT within 2%") in said
    assert ("lies inside" if sure else "does not lie inside") in said


def test_the_time_of_the_trace_goes_on_only_while_it_is_played(tmp_path: Path) -> None:
    """A spell at 0.2 s of the trace, the rest of which is left for the second time."""
    trace, log = tmp_path / "trace.toml", tmp_path / "hogs.jsonl"
    trace.write_text("period_s = 60\n[[hog]]\nstart_s = 0.2\nseconds = 0.6\ncores = 1\n")
    hogs = Hogs(trace, log)
    with hogs.at_work():
        time.sleep(0.4)
    first = read_log(log)
    with hogs.at_work():
        again_ns = time.time_ns()
        time.sleep(0.8)
    rest = read_log(log)[len(first) :]
    assert rest[0].began_ns - again_ns < 200_000_000, "the spell had begun before"
    assert rest[-1].ended_ns - rest[0].began_ns < 590_000_000, "and was not begun anew"


def test_marks_are_counted_beside_the_truth_and_misses_are_told() -> None:
    passes = [
        done(0.8, 0.30, marked=True),
        done(0.8, 0.06, marked=False),
        done(0.8, 0.00, marked=False),
        done(0.8, 0.00, marked=True),
        done(0.4, 0.30, marked=False),
    ]
    assert marks([], passes)[2:] == [
        "| under hogs, longer than 0.5 s, disturbed by hogs | 1 | 1 |",
        "| under hogs, longer than 0.5 s, not disturbed by hogs | 1 | 1 |",
        "| under hogs, shorter, disturbed by hogs | 0 | 1 |",
        "| under hogs, shorter, not disturbed by hogs | 0 | 0 |",
        "| on the quiet machine | 0 | 0 |",
        "",
        "longer than 0.5 s, disturbed, not marked: 1",
        "round 2, pass 1, 0.80 s: hogs used 6.0% of all cores, the kernel says 4.0%",
    ]


def test_a_pass_is_slow_beside_those_around_it_not_beside_the_whole_run() -> None:
    """The machine slows down for good after a minute; only the pass of 3 s stands out."""
    moments = [(0.0, 1.0), (1.0, 1.0), (2.0, 3.0), (5.0, 1.0), (60.0, 2.0), (61.0, 2.0)]
    assert slowness(moments) == [1.0, 1.0, 3.0, 1.0, 1.0, 1.0]


def test_shares_are_read_from_every_counted_pass() -> None:
    passes = [text_pass(n, counters=counters(foreign_share=share)) for n, share in ((1, 0.0), (2, 0.3))]
    quiet, loud = seen(run([case("r1")], [worker("r1", 0, warm_up(), *passes)]))
    assert quiet.shares[FOREIGN] == pytest.approx(0.0)
    assert loud.shares[FOREIGN] == pytest.approx(0.3)
    assert quiet.shares["steal"] is None


def test_a_limit_is_judged_alone_and_beside_the_one_on_others_cpu() -> None:
    """Steal finds both slow passes, of which others' CPU time has found one already, and flags one that is not slow."""

    def one(slow: float, foreign: float, steal: float) -> Seen:
        return Seen(slowness=slow, shares={FOREIGN: foreign, "steal": steal} | dict.fromkeys(OTHERS))

    lines = limits([one(1.6, 0.2, 0.1), one(1.6, 0.0, 0.1), one(1.0, 0.0, 0.1), one(1.0, 0.0, 0.0)])
    (row,) = [line for line in lines if line.startswith("| steal > 5.0%")]
    assert row == ("| steal > 5.0% | 2 of 2 | 2 of 2 | 0 of 0 | 1 of 2 | 1 of 1 | 1 of 1 | 0 of 0 | 1 of 2 |")


OTHERS = (
    *("CPU pressure", "memory pressure", "I/O pressure", "pages swapped in", "pages swapped out"),
    *("major faults", "involuntary switches"),
)
