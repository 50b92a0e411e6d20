"""What a person sees while a run is on."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence

import msgspec
from rich.console import Console

from profiler.analyse.report import Report, report
from profiler.render.live import LiveView, PlainView
from profiler.runfile import Run, Worker
from tests.hand_made import hand_made
from tests.run_builder import build, case, rounds, run


def drawn(seen: Run, earlier: int = 0) -> str:
    """Everything that a terminal was sent while the workers after the first few ended one by one."""
    screen = Console(file=io.StringIO(), force_terminal=True, color_system=None, width=100)
    cases = {c.id: c for c in seen.header.plan.cases}

    def so_far(workers: Sequence[Worker]) -> Report:
        return report(msgspec.structs.replace(seen, workers=list(workers), events=[]))

    with LiveView(seen.header.plan, so_far, seen.workers[:earlier], screen) as view:
        for one in seen.workers[earlier:]:
            view.visiting(cases[one.case], one.round, one.attempt)
            view.visited(one)
    output = screen.file
    assert isinstance(output, io.StringIO)
    return output.getvalue()


def test_it_shows_each_case_with_its_figure_or_its_failure() -> None:
    shown = drawn(hand_made())
    assert "round 8 of 8" in shown
    assert "r3 SmolLM2-135M-Q4_0: waiting for a quiet moment" in shown
    assert re.search(r"Q4_0, threads 4 +chat@1 +55\.7 tok/s +±1\.1% +[▁-█]{7} +8", shown)
    assert "stops at" not in shown
    assert re.search(r"Q8_0, threads 4 +chat@1 +out of memory", shown)


def test_an_open_run_says_what_it_waits_for_and_when_it_is_looked_at_next() -> None:
    seen = hand_made()
    plan = msgspec.structs.replace(seen.header.plan, rounds=None, until_decided=True)
    opened = msgspec.structs.replace(seen, header=msgspec.structs.replace(seen.header, plan=plan))
    shown = drawn(opened)
    assert "stops when every comparison is decided; next look after round 8" in shown


def test_a_comparison_says_which_differences_cannot_be_seen_yet() -> None:
    cases = [case("r1", threads=1), case("r2", threads=2)]
    gaps = [10.0, 10.4, 10.1, 10.3, 10.2, 10.5, 10.0, 10.2, 10.1, 10.3]
    seen = run(cases, rounds("r1", gaps), rounds("r2", gaps[::-1]), planned=None)
    assert re.search(r"next look after round 12; differences under\s+[\d.]+% cannot be seen yet", drawn(seen))


def test_the_pace_of_a_resumed_run_is_that_of_its_own_workers() -> None:
    first, *_, last = re.findall(r"round \d.*", drawn(hand_made(), earlier=20))
    assert "still" not in first
    assert "still" in last


def test_names_cannot_move_its_cursor() -> None:
    nasty = "\x1b[31m[red]\u202e"
    seen = run([case("r1", nasty, engine=nasty)], rounds("r1", [10, 11]), builds=[build(nasty, nasty)])
    shown = drawn(seen)
    assert "\x1b[31m" not in shown
    assert "\u202e" not in shown
    assert "?[31m[red]?" in shown


def test_nor_can_the_name_of_a_case_in_a_log() -> None:
    log = io.StringIO()
    (one,) = rounds("\x1b[2Jr1", [10])
    PlainView(Console(file=log)).visited(one)
    assert log.getvalue() == "round 1 ?[2Jr1: 4 passes, 1 s\n"
