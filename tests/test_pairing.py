"""Which row is compared with which."""

from __future__ import annotations

import pytest

from profiler.analyse.pairing import between, inside
from profiler.analyse.study import Study
from profiler.errors import UserError
from profiler.runfile import Case
from tests.run_builder import build, case, failed, rounds, run, text, tg


def study(*cases: Case, anchors: tuple[str, ...] = ()) -> Study:
    return Study(
        run(cases, anchors=anchors, builds=[build("m#1", name="m.gguf"), build("m#2", name="m.gguf")])
    )


class TestInside:
    THREE = (case("r1", threads=1), case("r2", threads=2), case("r3", threads=4))

    def pairs(
        self, seen: Study, base: str | None = None, candidate: str | None = None
    ) -> list[tuple[str, str]]:
        return [(b.id, c.id) for b, c in inside(seen, base, candidate)]

    def test_every_row_against_the_first_of_its_workload(self) -> None:
        seen = study(*self.THREE, case("r4", workload=tg(4)), case("r5", workload=tg(4), threads=2))
        assert self.pairs(seen) == [("r1", "r2"), ("r1", "r3"), ("r4", "r5")]

    def test_against_a_base_that_was_named(self) -> None:
        seen = study(*self.THREE, case("r4", workload=tg(4)))
        assert self.pairs(seen, "r2") == [("r2", "r1"), ("r2", "r3")]

    def test_a_candidate_that_was_named_against_the_first_row(self) -> None:
        assert self.pairs(study(*self.THREE), None, "r3") == [("r1", "r3")]
        assert self.pairs(study(*self.THREE), None, "r1") == [("r2", "r1")]

    def test_two_that_were_named_even_if_they_were_asked_different_things(self) -> None:
        seen = study(*self.THREE, case("r4", workload=tg(4)))
        assert self.pairs(seen, "r3", "r4") == [("r3", "r4")]

    def test_a_base_that_failed_is_the_base_still(self) -> None:
        seen = Study(
            run(self.THREE, [failed("r1", 0, "crashed", "x")], rounds("r2", [10]), rounds("r3", [10]))
        )
        assert self.pairs(seen) == [("r1", "r2"), ("r1", "r3")]

    def test_an_anchor_is_no_candidate_unless_it_is_named(self) -> None:
        seen = study(*self.THREE, anchors=("r3",))
        assert self.pairs(seen) == [("r1", "r2")]
        assert self.pairs(seen, "r1", "r3") == [("r1", "r3")]

    @pytest.mark.parametrize(("base", "candidate"), [(None, None), ("r1", None), (None, "r1"), ("r1", "r1")])
    def test_one_row_has_nothing_to_be_compared_with(self, base: str | None, candidate: str | None) -> None:
        with pytest.raises(UserError, match="no two rows to compare: name the file of another run as well"):
            inside(study(case("r1"), case("r2", workload=tg(4))), base, candidate)

    def test_an_unknown_row_is_refused_with_the_nearest(self) -> None:
        with pytest.raises(UserError, match="there is no row 'r33' in this run: did you mean r3"):
            inside(study(*self.THREE), "r33", None)


class TestBetween:
    def pairs(
        self, ours: Study, theirs: Study, base: str | None = None, candidate: str | None = None
    ) -> list[tuple[str, str]]:
        return [(b.id, c.id) for b, c in between(ours, theirs, base, candidate)[0]]

    def test_by_workload_build_engine_and_settings(self) -> None:
        ours = study(case("r1", "a", threads=1), case("r2", "a", threads=2), case("r3", "b"))
        theirs = study(case("r1", "b"), case("r2", "a", threads=2), case("r3", "a", threads=1))
        assert self.pairs(ours, theirs) == [("r1", "r3"), ("r2", "r2"), ("r3", "r1")]
        assert between(ours, theirs, None, None)[1] == []

    def test_the_only_row_of_a_workload_belongs_to_the_only_one_whatever_its_build(self) -> None:
        ours = study(case("r1", "a"), case("r2", "a", workload=tg(4)), case("r3", "b", workload=tg(4)))
        theirs = study(case("r1", "b", engine="ort"), case("r2", "b", workload=tg(4)))
        assert self.pairs(ours, theirs) == [("r1", "r1"), ("r3", "r2")]

    def test_rows_alike_in_all_of_it_in_their_order(self) -> None:
        ours, theirs = (
            study(case("r1", "m#1"), case("r2", "m#2")),
            study(case("r5", "m#1"), case("r6", "m#2")),
        )
        assert self.pairs(ours, theirs) == [("r1", "r5"), ("r2", "r6")]

    def test_a_row_that_was_named_finds_its_partner(self) -> None:
        ours = study(case("r1", "a"), case("r2", "b"))
        assert self.pairs(ours, study(case("r7", "a"), case("r8", "b")), "r2") == [("r2", "r8")]
        assert self.pairs(ours, study(case("r7", "c")), "r2") == [("r2", "r7")]

    def test_two_that_were_named_are_a_pair(self) -> None:
        ours, theirs = study(case("r1", "a"), case("r2", "b")), study(case("r1", "a"), case("r2", "b"))
        assert self.pairs(ours, theirs, "r1", "r2") == [("r1", "r2")]

    def test_anchors_are_left_out(self) -> None:
        ours = study(case("r1", "a"), case("r2", "old"), anchors=("r2",))
        theirs = study(case("r1", "b"), case("r2", "old"), anchors=("r2",))
        assert self.pairs(ours, theirs) == [("r1", "r1")]

    def test_what_finds_no_partner_is_said(self) -> None:
        ours = study(case("r1", "a"), case("r2", "b"), case("r3", "c", workload=text("code@1")))
        theirs = study(case("r1", "a"), case("r2", "d"))
        pairs, told = between(ours, theirs, None, None)
        assert [(b.id, c.id) for b, c in pairs] == [("r1", "r1")]
        assert told == [
            "2 rows of the base found no partner asked the same of the same build, engine and settings (r2, r3): "
            "name the two rows to compare, as in BASE#r1 CANDIDATE#r2",
            "1 row of the candidate found no partner asked the same of the same build, engine and settings (r2): "
            "name the two rows to compare, as in BASE#r1 CANDIDATE#r2",
        ]

    def test_many_rows_are_not_all_named(self) -> None:
        ours = study(*(case(f"r{n}", "a", threads=n) for n in range(1, 20)))
        (told, _) = between(ours, study(case("r1", "b"), case("r2", "c")), None, None)[1]
        assert "(r1, r2, r3, r4, r5, r6, r7, r8 and more)" in told
