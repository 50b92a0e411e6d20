"""What a run in progress is asked at its looks."""

from __future__ import annotations

from profiler.analyse.stopping import decided
from tests.run_builder import case, failed, pp, rounds, run

TWO = [case("r1", threads=1), case("r2", threads=2)]
STEADY = [10.0, 10.1, 10.2, 10.1, 10.0, 10.1, 10.2, 10.1]


def test_decided_when_every_comparison_has_its_verdict() -> None:
    faster = rounds("r2", [gap * 0.8 for gap in STEADY], ttft_ms=80)
    assert decided(run(TWO, rounds("r1", STEADY), faster, planned=None, ended=None)) is True


def test_not_while_one_is_open() -> None:
    noisy = rounds("r2", [8.0, 12.0] * 4, ttft_ms=80)
    assert decided(run(TWO, rounds("r1", STEADY), noisy, planned=None, ended=None)) is False


def test_nothing_to_decide() -> None:
    """One case; two that were asked different things; a partner that was not measured."""
    alone = run([case("r1")], rounds("r1", STEADY), planned=None, ended=None)
    unlike = run([case("r1"), case("r2", workload=pp(512))], rounds("r1", STEADY), planned=None, ended=None)
    assert decided(alone) is None
    assert decided(unlike) is None
    assert decided(run(TWO, rounds("r1", STEADY), planned=None, ended=None)) is None


def test_a_case_that_was_given_up_is_not_waited_for() -> None:
    """It is still corrected for: four comparisons take nine rounds."""
    cases, twelve = [*TWO, case("r3", threads=3)], (STEADY * 2)[:12]
    faster = rounds("r2", [gap * 0.8 for gap in twelve], ttft_ms=80)
    crashed = [failed("r3", n, "crashed", "it did") for n in (2, 3)]
    seen = [*rounds("r3", STEADY[:2]), *crashed]
    assert decided(run(cases, rounds("r1", twelve), faster, seen, planned=None, ended=None)) is True
