"""What the types of a run file cannot refuse: lines that contradict its plan."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from profiler.analyse.report import report
from profiler.errors import UserError
from profiler.runfile import Proof, Route, Run
from tests.run_builder import build, case, rounds, run, text, text_pass, worker


def altered(**changes: Any) -> Run:
    """A run of r1 on build a and r2 on build b, with another plan put in its place."""
    seen = run([case("r1", "a"), case("r2", "b")], rounds("r1", [10]), rounds("r2", [10]))
    plan = msgspec.structs.replace(seen.header.plan, **changes)
    header = msgspec.structs.replace(seen.header, plan=plan)
    return msgspec.structs.replace(seen, header=header)


def refusal(seen: Run) -> str:
    with pytest.raises(UserError) as refused:
        report(seen)
    return str(refused.value)


def test_a_run_as_it_was_written() -> None:
    assert len(report(altered()).rows) == 2


def test_a_case_of_an_unknown_build() -> None:
    said = refusal(altered(builds=[build("a")]))
    assert said == "the run file speaks of a build 'b' that its plan does not have: it was altered"


def test_a_worker_of_an_unknown_case() -> None:
    said = refusal(altered(cases=[case("r1", "a")]))
    assert said == "the run file speaks of a case 'r2' that its plan does not have: it was altered"


def test_passes_of_a_device_that_is_never_timed() -> None:
    imitated = msgspec.structs.replace(case("r1", "a"), route=Route(provider="X", simulated="a program"))
    said = refusal(altered(cases=[imitated, case("r2", "b")]))
    assert said == (
        "the run file has passes of case 'r1', whose device is imitated and is never timed: it was altered"
    )


def test_proofs_of_cases_that_are_not_there_or_are_proven_twice() -> None:
    seen = altered()
    for cases, said in ((["r9"], "speaks of a case 'r9'"), (["r1", "r1"], "has two proofs 'r1'")):
        proofs = [Proof(case=name, tokens=1, same=1) for name in cases]
        header = msgspec.structs.replace(seen.header, proofs=proofs)
        assert said in refusal(msgspec.structs.replace(seen, header=header))


def test_names_that_stand_for_two_things() -> None:
    assert "two builds 'a'" in refusal(altered(builds=[build("a"), build("a"), build("b")]))
    assert "two cases 'r1'" in refusal(altered(cases=[case("r1", "a"), case("r1", "b"), case("r2", "b")]))


def test_one_workload_name_for_two_workloads() -> None:
    cases = [case("r1", "a", workload=text(prompt=1)), case("r2", "b", workload=text(prompt=2))]
    assert "means two different workloads by one name" in refusal(altered(cases=cases))


@pytest.mark.parametrize("checkpoints", [[], [1, 2, 3, 4, 5]])
def test_looks_whose_level_is_not_known(checkpoints: list[int]) -> None:
    said = refusal(altered(rounds=None, checkpoints=checkpoints))
    assert said == f"the run file's plan has {len(checkpoints)} checkpoints: 1 to 4 are accepted"


def test_more_rounds_than_a_plan_can_have() -> None:
    many = [worker("r1", n, text_pass(1)) for n in range(201)]
    assert refusal(run([case("r1")], many)) == "the run file holds 201 rounds: at most 200 are accepted"
