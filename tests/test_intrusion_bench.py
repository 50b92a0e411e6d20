"""What the intrusion bench concludes: the ratio under hogs, the marks, and what a limit finds in a run file."""

from __future__ import annotations

import pytest

from bench.intrusion import Figure, Pair, figures, marks, verdict
from bench.intrusion_limits import FOREIGN, Seen, limits, seen, slowness
from bench.truth import Truth
from tests.run_builder import case, counters, run, text_pass, warm_up, worker


def pair(quiet: float, traced: float, *passes: Truth) -> Pair:
    return Pair(
        quiet=Figure(tokens_per_s=quiet, spread=quiet / 50),
        traced=Figure(tokens_per_s=traced, spread=traced / 20, passes=list(passes)),
    )


def done(took_s: float, hogs_share: float, *, marked: bool) -> Truth:
    return Truth(round=2, number=1, took_s=took_s, hogs_share=hogs_share, foreign_share=0.04, marked=marked)


def test_each_tool_is_judged_by_ratios_inside_pairs() -> None:
    """Every pair loses a tenth, however the machine drifts between them."""
    drifting = [pair(quiet, quiet * 0.9) for quiet in (100, 120, 80, 100, 110, 90)]
    assert figures({"a tool": drifting})[2:] == [
        "| a tool | 100.0 ± 2.0 | 90.0 ± 4.5 | 0.9000 (0.9000 to 0.9000, 6 rounds) | 0.900 to 0.900 |"
    ]
    assert "is NOT within 2%" in verdict(drifting)


@pytest.mark.parametrize(
    ("traced", "words"),
    [
        ([99, 99, 100, 100, 101, 101], ("is within 2%", "is inside")),
        ([95, 95, 100, 100, 105, 105], ("is within 2%", "is NOT inside")),
    ],
)
def test_a_ratio_near_one_is_not_enough_its_interval_counts(
    traced: list[float], words: tuple[str, str]
) -> None:
    said = verdict([pair(100, speed) for speed in traced])
    assert all(word in said for word in words)


def test_marks_are_counted_beside_the_truth_and_misses_are_told() -> None:
    passes = [
        done(0.8, 0.30, marked=True),
        done(0.8, 0.06, marked=False),
        done(0.8, 0.00, marked=False),
        done(0.8, 0.00, marked=True),
        done(0.4, 0.30, marked=False),
    ]
    assert marks([pair(100, 100, *passes)])[2:] == [
        "| longer than 0.5 s, disturbed by hogs | 1 | 1 |",
        "| longer than 0.5 s, not disturbed by hogs | 1 | 1 |",
        "| shorter, disturbed by hogs | 0 | 1 |",
        "| shorter, not disturbed by hogs | 0 | 0 |",
        "| on the quiet machine | 0 | 0 |",
        "",
        "long, disturbed, not marked: 1",
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
