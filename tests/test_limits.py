"""Files of limits: what a person may write, and one sentence for everything that cannot be meant."""

from __future__ import annotations

from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from profiler.analyse.limit_demand import demand
from profiler.analyse.limit_metrics import check
from profiler.analyse.limit_uses import limits_for
from profiler.catalogue.workloads import parse
from profiler.cli.verdict import verdict
from profiler.documents.limit_text import limit
from profiler.documents.limits import Limits, Relation, Use, read_limits
from profiler.documents.limits_file import ready_sets
from profiler.errors import UserError

HEAD = 'title = "T"\nquestion = "Q?"\n'
READY = ("board-batch", "code-completion", "laptop-chat", "voice-assistant")


def written(folder: Path, *tables: str, head: str = HEAD) -> Path:
    path = folder / "own.toml"
    path.write_text(head + "".join(f"[[use]]\n{table}\n" for table in tables))
    return path


def refused(path: Path) -> str:
    """The sentence without the folder of the test."""
    with pytest.raises(UserError) as caught:
        check(read_limits(str(path)))
    return str(caught.value).replace(f"{path.parent}/", "")


@pytest.mark.parametrize(
    ("text", "metric", "relation", "value", "unit"),
    [
        ("ttft_ms.p90 <= 1000", "ttft_ms.p90", Relation.AT_MOST, 1000, None),
        ("ttft_ms.p90 <= 1 s", "ttft_ms.p90", Relation.AT_MOST, 1000, "ms"),
        ("ttft_ms<=1.5s", "ttft_ms", Relation.AT_MOST, 1500, "ms"),
        ("decode_tps >= 10", "decode_tps", Relation.AT_LEAST, 10, None),
        ("decode_tps >= 10 tok/s", "decode_tps", Relation.AT_LEAST, 10, "tok/s"),
        ('pss_bytes <= "4 GiB"', "pss_bytes", Relation.AT_MOST, 4 * 2**30, "B"),
        ("pss_bytes <= 4 GB", "pss_bytes", Relation.AT_MOST, 4e9, "B"),
        ("energy_j_per_token <= 0.25 J", "energy_j_per_token", Relation.AT_MOST, 0.25, "J"),
    ],
)
def test_a_limit_in_words(text: str, metric: str, relation: Relation, value: float, unit: str | None) -> None:
    found = limit(text, "use[0].limits[0]")
    assert (found.metric, found.relation, found.value, found.unit) == (metric, relation, value, unit)


def test_a_file_with_uses_reasons_and_a_device(tmp_path: Path) -> None:
    found = read_limits(
        str(
            written(
                tmp_path,
                'workload = "chat@1"\nlimits = ["decode_tps >= 10"]\nwhy = { decode_tps = "read aloud" }',
                'device = "raspberry-pi-5"\nlimits = [\'pss_bytes <= "4 GiB"\']',
            )
        )
    )
    assert (found.name, found.title, found.question) == ("own.toml", "T", "Q?")
    first, second = found.uses
    assert (first.workload, first.device, first.limits[0].why) == ("chat@1", None, "read aloud")
    assert (second.workload, second.device, second.limits[0].text) == (
        None,
        "raspberry-pi-5",
        "pss_bytes <= 4 GiB",
    )


ONE = 'limits = ["decode_tps >= 10"]'
FAULTS = [
    ('limits = ["decode_tsp >= 10"]',
     "own.toml: use[0].limits[0] is 'decode_tsp >= 10': there is no metric 'decode_tsp': did you mean decode_tps or "
     "device_bytes?"),
    ('limits = ["decode_tps <= 10"]',
     "own.toml: use[0].limits[0] is 'decode_tps <= 10': of decode_tps more is better, so a limit on it is written "
     "with >="),
    ('limits = ["ttft_ms >= 10 ms"]',
     "own.toml: use[0].limits[0] is 'ttft_ms >= 10 ms': of ttft_ms less is better, so a limit on it is written "
     "with <="),
    ('limits = ["ttft_ms <= 4 GiB"]',
     "own.toml: use[0].limits[0] is 'ttft_ms <= 4 GiB': ttft_ms is no amount of B; give it in ms"),
    ('limits = ["pss_bytes <= 4"]',
     "own.toml: use[0].limits[0] is 'pss_bytes <= 4': that is 4 bytes; write the unit too, as in '4 GiB' or '500 MB'"),
    ('limits = ["pss_bytes <= 4 Gib"]',
     "own.toml: use[0].limits[0] is 'pss_bytes <= 4 Gib': there is no unit 'Gib': did you mean GiB?"),
    ('limits = ["decode_tps > 10"]',
     "own.toml: use[0].limits[0] is 'decode_tps > 10': a metric, one of <= >= and a number with its unit are accepted, "
     "as in 'ttft_ms <= 1 s'"),
    ('limits = ["ttft_ms <= 1", "ttft_ms <= 2"]',
     "own.toml: use[0].limits[0] and use[0].limits[1] both limit ttft_ms; keep the stricter one"),
    ("limits = []", "own.toml: use[0].limits has 0 limits, accepted: 1 to 30, as in 'ttft_ms <= 1 s'"),
    ("limits = 10", "own.toml: use[0].limits is 10, accepted: a list; correct it"),
    (f'{ONE}\nwhy = {{ ttft_ms = "x" }}',
     "own.toml: use[0].why.ttft_ms is the reason of no limit here; rename or remove it"),
    (f'{ONE}\nwokload = "chat"', "own.toml: unknown key use[0].wokload (did you mean workload?); rename or remove it"),
]  # fmt: skip


@pytest.mark.parametrize(("table", "sentence"), FAULTS)
def test_what_cannot_be_meant_is_one_sentence_with_file_and_key(
    tmp_path: Path, table: str, sentence: str
) -> None:
    assert refused(written(tmp_path, table)) == sentence


def test_two_uses_of_the_same_rows_are_one(tmp_path: Path) -> None:
    path = written(tmp_path, ONE, 'limits = ["ttft_ms <= 10"]')
    assert refused(path) == (
        "own.toml: use[0] and use[1] name the same workload and device; put their limits into one table"
    )


def test_limits_without_a_question_or_a_use(tmp_path: Path) -> None:
    assert "question is missing" in refused(written(tmp_path, ONE, head='title = "T"\n'))
    assert refused(written(tmp_path)) == "own.toml: use is missing, accepted: a list; add it"


def test_a_title_is_a_title(tmp_path: Path) -> None:
    """A page repeats it in every heading: one of a megabyte would make eight of it."""
    file = tmp_path / "limits.toml"
    file.write_text(f'title = "{"x" * 121}"\nquestion = "q"\n[[use]]\nlimits = ["ttft_ms <= 1 s"]\n')
    with pytest.raises(UserError, match=r"title is 'x+.*, accepted: text of 1 to 120 characters; correct it"):
        read_limits(str(file))


def test_neither_file_nor_ready_set() -> None:
    assert refused(Path("laptop-caht")) == (
        "laptop-caht: there is no such file of limits, and no ready set of that name: "
        "give a TOML file or a ready set (did you mean laptop-chat?)"
    )


def test_the_ready_sets_are_named_in_the_help() -> None:
    assert tuple(ready_sets()) == READY
    (_, option) = get_args(get_type_hints(verdict, include_extras=True)["limits"])
    assert all(name in option.help for name in READY)


@pytest.mark.parametrize("name", READY)
def test_a_ready_set_can_be_asked_and_each_limit_has_its_reason(name: str) -> None:
    found = read_limits(name)
    check(found)
    assert found.name == name
    assert found.question.endswith("?")
    for use in found.uses:
        assert use.workload is not None
        assert all(one.why for one in use.limits)
        assert demand(use.limits, parse(use.workload)).rounds <= 38


def of(*uses: tuple[str | None, str | None, float]) -> Limits:
    return Limits(
        name="own.toml", title="T", question="Q?",
        uses=[Use(workload=w, device=d, limits=[limit(f"decode_tps >= {v}", "use")]) for w, d, v in uses],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("workload", "device", "expected"),
    [
        ("chat@1", "board", 4),
        ("chat@1", "laptop", 3),
        ("chat@2", "laptop", 3),
        ("rag@1", "laptop", 1),
        ("rag@1", "board", 2),
        ("tg128@d512", "laptop", 1),
    ],
)
def test_the_use_that_says_more_of_a_row_replaces_the_others(
    workload: str, device: str, expected: float
) -> None:
    asked = of(
        (None, None, 1), (None, "board", 2), ("chat", None, 3), ("chat@1", "board", 4), ("tg128", None, 5)
    )
    (found,) = limits_for(workload, device, asked)
    assert found.value == expected
