"""What two runs say is not the same between them, whatever they say of themselves."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.analyse.differences import ENVIRONMENT, LONGEST, MOST_DIFFERENCES, differences, same_device
from profiler.analyse.study import Study
from profiler.host.environment import Environment
from profiler.runfile import Case, Run
from tests.run_builder import BOARD, MIB, QUIET_PLACE, build, case, rounds, run
from tests.test_any_run import JSON

OF_THE_MOMENT = {
    "mhz_now", "memory_available_bytes", "swap_used_bytes", "battery_percent", "temperatures", "load_average",
}  # fmt: skip
TOLD_ELSEWHERE = {"cpu_model", "compilers", "edgeprof_version", "policy_governors", "unreadable"}


def told(ours: Run, theirs: Run) -> list[str]:
    rows = [(study, study.plan.cases[0]) for study in (Study(ours), Study(theirs))]
    return differences(*rows)


def one(row: Case | None = None, facts: dict[str, Any] | None = None, **of_run: Any) -> Run:
    shown = row or case("r1", "m")
    return run([shown], rounds(shown.id, [10], facts=facts), **of_run)


def test_nothing_between_a_run_and_itself() -> None:
    assert told(one(), one()) == []


@pytest.mark.parametrize(
    ("entry", "before", "after", "said"),
    [
        ("governors", ["performance"], ["powersave"], "governor: performance -> powersave"),
        ("governors", ["performance"], None, "governor: performance -> not known"),
        ("kernel_release", "6.1", "6.6", "kernel: 6.1 -> 6.6"),
        ("hypervisor", "none", "kvm", "hypervisor: none -> kvm"),
        ("container", "none", "docker", "container: none -> docker"),
        ("cpus_allowed", 4, 2, "CPUs allowed: 4 -> 2"),
        ("memory_total_bytes", 8 * 2**30, 4 * 2**30, "memory: 8192 MiB -> 4096 MiB"),
        ("turbo", True, False, "turbo: on -> off"),
        ("transparent_huge_pages", "madvise", "always", "transparent huge pages: madvise -> always"),
        ("mhz_limit", [2400, 1800], [1500, 1800], "clock limit in MHz: 2400/1800 -> 1500/1800"),
        ("power_source", "mains", "battery", "power source: mains -> battery"),
    ],
)
def test_the_surroundings(entry: str, before: object, after: object, said: str) -> None:
    ours, theirs = (one(environment=QUIET_PLACE | {entry: value}) for value in (before, after))
    assert told(ours, theirs) == [said]


def test_readings_of_the_moment_are_no_difference() -> None:
    ours, theirs = (one(environment=QUIET_PLACE | {"load_average": [n], "mhz_now": [n]}) for n in (1, 2))
    assert told(ours, theirs) == []


def test_every_entry_of_the_environment_is_told_or_left_out_on_purpose() -> None:
    known = {field.name for field in msgspec.structs.fields(Environment)}
    assert set(ENVIRONMENT) | OF_THE_MOMENT | TOLD_ELSEWHERE == known


def test_the_device() -> None:
    other = msgspec.structs.replace(BOARD, id="pi", cpu="Cortex-A72")
    assert told(one(), one(device=other)) == ["device: board -> pi", "CPU: Cortex-A76 -> Cortex-A72"]
    assert not same_device(Study(one()), Study(one(device=other)))
    assert same_device(Study(one()), Study(one()))


@pytest.mark.parametrize(("mib", "same"), [(8000, True), (7900, True), (4000, False), (None, False)])
def test_another_kernel_that_leaves_a_little_less_memory_is_no_other_device(
    mib: int | None, same: bool
) -> None:
    before, after = (
        one(environment={"memory_total_bytes": size}) for size in (8000 * MIB, mib and mib * MIB)
    )
    assert same_device(Study(before), Study(after)) is same


def test_a_build_of_one_name_with_other_content() -> None:
    ours, theirs = (one(sha256={"m": sha256 * 32}) for sha256 in ("8f", "4c"))
    assert told(ours, theirs) == ["build content: sha256 8f8f8f8f8f8f -> sha256 4c4c4c4c4c4c"]


def test_or_of_another_size_where_one_was_not_hashed() -> None:
    theirs = one(builds=[build("m", size_bytes=3)])
    assert told(one(sha256={"m": "8f"}), theirs) == [f"build size: {100 * 2**20} -> 3"]


def test_a_build_of_another_name_is_just_another_build() -> None:
    theirs = one(case("r1", "n"), builds=[build("n", "Q4_0")], sha256={"n": "4c"})
    assert told(one(sha256={"m": "8f"}), theirs) == ["build: m -> n", "quantization: not known -> Q4_0"]


def test_the_second_of_two_files_of_one_name_has_that_name() -> None:
    ours, theirs = (one(case("r1", id), builds=[build(id, name="m.gguf")]) for id in ("m#1", "m#2"))
    assert told(ours, theirs) == []


def test_settings_passes_and_kinds_of_run() -> None:
    ours, theirs = one(case("r1", "m", threads=2, mmap=True)), one(case("r1", "m", threads=4, mmap=False))
    plan = msgspec.structs.replace(theirs.header.plan, passes=5, cold=True, sustained_s=60)
    theirs = msgspec.structs.replace(theirs, header=msgspec.structs.replace(theirs.header, plan=plan))
    assert told(ours, theirs) == [
        "threads: 2 -> 4", "mmap: on -> off", "passes: 3 -> 5", "cold starts: off -> on",
        "sustained for: 0 s -> 60 s",
    ]  # fmt: skip


def test_versions_of_edgeprof_and_engine_and_how_its_library_was_built() -> None:
    ours = one(facts={"versions": {"ggml": "0.9.4"}, "system": "NEON = 1 | DOTPROD = 1 | OPENMP = 1 |"},
               environment=QUIET_PLACE | {"compilers": {"llama-cpp": "GCC 12"}})  # fmt: skip
    theirs = one(facts={"versions": {"ggml": "0.9.5"}, "system": "NEON = 1 | OPENMP = 1 | SVE = 1 |"},
                 environment=QUIET_PLACE | {"compilers": {"llama-cpp": "GCC 14"}}, edgeprof="0.2.0")  # fmt: skip
    assert told(ours, theirs) == [
        "edgeprof: 0.1.0 -> 0.2.0",
        "compiler of llama-cpp: GCC 12 -> GCC 14",
        "ggml: 0.9.4 -> 0.9.5",
        "build of the engine's library: DOTPROD = 1 -> SVE = 1",
    ]


def test_what_steers_the_workers() -> None:
    ours, theirs = one(), one(worker_environment={"LC_ALL": "C", "GGML_X": "1"})
    assert told(ours, theirs) == ["GGML_X of the workers: not set -> 1"]


def test_there_is_an_end_to_it() -> None:
    theirs = one(worker_environment={f"GGML_{n}": "x" * 10_000 for n in range(1000)})
    found = told(one(), theirs)
    assert len(found) == MOST_DIFFERENCES + 1
    assert found[-1] == "961 more differences"
    assert max(map(len, found)) <= 2 * LONGEST + 50


@given(
    st.dictionaries(st.sampled_from([*ENVIRONMENT, "compilers", "cpu_model"]), JSON),
    st.none() | st.dictionaries(st.sampled_from(["versions", "system"]), JSON),
)
def test_whatever_a_run_says_of_itself(
    environment: dict[str, object], facts: dict[str, object] | None
) -> None:
    found = told(one(), one(facts=facts, environment=environment))
    assert all(isinstance(line, str) for line in found)
