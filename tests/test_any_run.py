"""Whatever a run file can hold is rendered, and a thousand cases too."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from profiler.analyse.report import Report, report
from profiler.analyse.source import Source
from profiler.render import below, formats, terminal
from profiler.runfile import (
    Board,
    Case,
    Conditions,
    Counters,
    Idle,
    Pass,
    Placed,
    PowerLog,
    Proof,
    Route,
    Run,
    Samples,
    Sensor,
    Worker,
    is_simulated,
)
from profiler.telemetry.protocol import TOPICS
from tests.rendering import EVERY_FORMAT, rendered
from tests.run_builder import (
    START,
    build,
    case,
    counters,
    failed,
    memory,
    pp,
    rounds,
    run,
    text,
    text_pass,
    tg,
    worker,
)

NUMBERS = st.integers(0, 2**63 - 1)
WHOLE = st.integers(-(2**63), 2**63 - 1)
SMALL = st.integers(0, 10**10)
MAYBE = st.none() | NUMBERS
JSON = st.recursive(st.none() | st.booleans() | WHOLE | st.floats(allow_nan=False) | st.text(max_size=8),
                    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
                    max_leaves=4)  # fmt: skip
FACTS = st.dictionaries(st.sampled_from(["versions", "system", "weights_bytes", "kv_bytes", "x"]), JSON)
PLACE = st.dictionaries(st.sampled_from(["cpus_total", "governors", "hypervisor", "container"]), JSON)
WORKLOADS = st.sampled_from(
    [text(), text("code@1", output=1), text("rag@1", prompt=0, output=0), pp(512), tg(4)]
)
CONDITIONS = st.builds(Conditions, clock_hz=MAYBE, temperature_c=st.none() | st.floats(-300, 300))
COUNTERS = st.builds(Counters, wall_ns=NUMBERS, own_cpu_ns=st.none() | WHOLE, busy_ns=st.none() | WHOLE,
                     major_faults=st.none() | WHOLE, throttle_events=st.none() | WHOLE)  # fmt: skip
PASSES = st.builds(
    Pass, number=st.integers(0, 3), start_ns=WHOLE, evaluated_ns=MAYBE | SMALL, tokenized_ns=MAYBE,
    token_ns=st.lists(NUMBERS | SMALL, max_size=5), prompt_bytes=MAYBE, output_bytes=MAYBE,
    output_sha256=st.none() | st.text(max_size=4), counters=st.none() | COUNTERS | st.just(counters()),
    conditions=st.none() | CONDITIONS,
)  # fmt: skip
READINGS = st.lists(
    st.tuples(WHOLE | SMALL, st.floats(-1e15, 1e15) | st.integers(0, 1000).map(float)), max_size=8
).map(lambda read: Samples(at_ns=sorted(at for at, _ in read), values=[value for _, value in read]))
METERS = st.dictionaries(st.sampled_from(["a", "b", "other"]), READINGS, max_size=2)
SENSORS = st.tuples(
    *(
        st.builds(
            Sensor,
            id=st.just(id),
            source=st.sampled_from(["rapl", "power_log", "\x1b[2J"]),
            name=st.text(max_size=8),
            scope=st.sampled_from(["device", "board", "package", "partial", "gpu", "npu", "part"]),
            quantity=st.sampled_from(["energy", "power"]),
            wraps_at_j=st.none() | st.floats(1e-3, 1e9),
            period_s=st.none() | st.floats(1e-6, 1e6),
            note=st.none() | st.text(max_size=8),
        )
        for id in ("a", "b")
    )
).map(list)
BOARDS = st.none() | st.builds(
    Board,
    at=st.just(START),
    readings=st.dictionaries(
        st.sampled_from([*TOPICS, "x"]),
        st.dictionaries(
            st.text(max_size=4),
            WHOLE
            | st.floats(allow_nan=False, allow_infinity=False)
            | st.sampled_from(["no", "throttled", "2 of 5", "under-voltage, \x1b"]),
            max_size=2,
        ),
        max_size=4,
    ),
    unreadable=st.dictionaries(st.sampled_from([*TOPICS, "x"]), st.text(max_size=8), max_size=3),
)
LOGS = st.none() | st.builds(
    PowerLog,
    name=st.text(max_size=8),
    wall_ns=st.lists(WHOLE | SMALL.map(lambda at: START.wall_ns + at), max_size=8),
    watts=st.lists(st.floats(-1e15, 1e15), max_size=8),
)
SETTINGS = st.dictionaries(st.text(max_size=4), st.none() | st.booleans() | WHOLE | st.text(max_size=4))
ROUTES = st.none() | st.builds(
    Route,
    provider=st.text(max_size=4),
    options=st.dictionaries(st.text(max_size=4), st.text(max_size=4), max_size=2),
    simulated=st.none() | st.text(max_size=8),
)
MS_FLOATS = st.none() | st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def any_run(draw: st.DrawFn) -> Run:
    """Up to four cases and up to ten rounds of anything that a run file can hold."""
    names = draw(st.lists(st.text(max_size=8), min_size=1, max_size=3, unique=True))
    ids = draw(st.lists(st.text(max_size=8), min_size=1, max_size=4, unique=True))
    cases = [
        Case(id=name, build=draw(st.sampled_from(names)), engine=draw(st.text(max_size=4)), target="cpu",
             settings=draw(SETTINGS),
             workload=draw(WORKLOADS),
             route=draw(ROUTES))
        for name in ids
    ]  # fmt: skip
    workers = [
        one
        for n in range(draw(st.integers(0, 10)))
        for case in cases
        if not is_simulated(case)
        for one in draw(any_workers(case.id, n))
    ]
    seen = run(
        cases,
        workers,
        builds=[build(name, draw(st.none() | st.text(max_size=4)), read_bytes_per_token=draw(MAYBE),
                      kv_elements_per_token=draw(MAYBE), context_length=draw(MAYBE)) for name in names],
        planned=draw(st.sampled_from([None, 1, 8])),
        ended=draw(st.sampled_from([None, "within", "rounds", "max_time", "all_failed"])),
        environment=draw(PLACE),
        torn=draw(st.booleans()),
        sensors=draw(SENSORS),
        no_sensor=draw(st.dictionaries(st.text(max_size=4), st.text(max_size=8), max_size=2)),
        power_log=draw(LOGS),
        idle=[Idle(when=when, meters=draw(METERS)) for when in ("before", "after", "x")],
    )  # fmt: skip
    plan = replace(seen.header.plan, cold=draw(st.booleans()), sustained_s=draw(st.sampled_from([0.0, 90.0])))
    proofs = [draw(any_proof(case.id)) for case in cases if case.route and draw(st.booleans())]
    return replace(seen, header=replace(seen.header, plan=plan, proofs=proofs))


@st.composite
def any_proof(draw: st.DrawFn, case_id: str) -> Proof:
    shares = st.none() | st.floats(0, 1)
    placed = st.builds(
        Placed,
        device=st.text(max_size=4),
        count=st.integers(0, 9999),
        unit=st.just("nodes"),
        arithmetic=shares,
    )
    return Proof(
        case=case_id,
        tokens=draw(st.integers(0, 8)),
        same=draw(st.integers(0, 8)),
        cosine=draw(st.none() | st.floats(-1, 1)),
        placed=draw(st.lists(placed, max_size=2)),
        compile_ms=draw(st.none() | st.floats(0, 1e9)),
        load_ms=draw(st.none() | st.floats(0, 1e9)),
        failure=draw(st.none() | st.text(max_size=8)),
    )


@st.composite
def any_workers(draw: st.DrawFn, case_id: str, round_number: int) -> list[Worker]:
    if draw(st.integers(0, 9)) == 0:
        return [
            failed(
                case_id, round_number, "crashed", draw(st.text(max_size=8)), attempt=draw(st.integers(0, 1))
            )
        ]
    seen: dict[str, Any] = {
        "load_ms": draw(MS_FLOATS), "import_ms": draw(MS_FLOATS), "facts": draw(st.none() | FACTS),
        "conditions": draw(st.none() | CONDITIONS), "evicted": draw(st.none() | st.booleans()),
        "not_evicted": draw(st.none() | st.text(max_size=8)), "cached_share": draw(st.none() | st.floats(0, 1)),
        "meters": draw(METERS), "board_before": draw(BOARDS), "board_after": draw(BOARDS),
        "metering_share": draw(st.none() | st.floats(0, 1)),
        "phases": draw(st.just([]) | st.integers(0, 10**9).map(memory)),
    }  # fmt: skip
    passes = draw(st.lists(PASSES | st.just(text_pass()), max_size=3))
    return [worker(case_id, round_number, *passes, attempt=draw(st.integers(0, 1)), **seen)]


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(any_run())
def test_any_run_renders_in_every_format(seen: Run) -> None:
    found = report(seen)
    assert all(rendered(found, name) for name in EVERY_FORMAT)
    twice = [Source(name="a", report=found, run=seen)] * 2
    assert all(formats.render_sources(twice, name) for name in formats.SEVERAL)
    for row in json.loads(formats.render(found, "json"))["rows"]:
        assert all(
            (cell["value"] is None) <= (cell["reason"] is not None) for cell in row["metrics"].values()
        )


@pytest.fixture(scope="module")
def thousand() -> Report:
    cases = [case(f"r{n}", f"model-{n % 10}", threads=n // 10 % 10, batch=n // 100) for n in range(1000)]
    return report(run(cases, *(rounds(c.id, [10, 11, 12], tokens=16) for c in cases), planned=3))


class TestThousandCases:
    def test_terminal(self, thousand: Report) -> None:
        assert len(re.findall(r"^r\d+ ", terminal.render(thousand), re.MULTILINE)) == 1000

    def test_cards(self, thousand: Report) -> None:
        assert len(re.findall(r"^r\d+ ", terminal.render(thousand, 60), re.MULTILINE)) == 1000

    def test_markdown_says_how_many_of_them_it_shows(self, thousand: Report) -> None:
        shown = formats.render(thousand, "markdown")
        rows = len(re.findall(r"^\| r\d+ \|", shown, re.MULTILINE))
        assert 250 < rows < 1000
        assert f"\n\nThe first {rows} of 1000 rows are shown: JSON and CSV have all of them.\n\n" in shown

    def test_csv(self, thousand: Report) -> None:
        assert formats.render(thousand, "csv").count("decode_tps") == 1000

    def test_json(self, thousand: Report) -> None:
        assert len(json.loads(formats.render(thousand, "json"))["rows"]) == 1000

    def test_notices_do_not_name_a_thousand_rows(self, thousand: Report) -> None:
        assert len(below.notices(thousand)) <= 3
