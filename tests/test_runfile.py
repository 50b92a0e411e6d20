"""The run file: what is appended is read back, and what was not written by us is refused in one sentence."""

from __future__ import annotations

import getpass
import json
import math
import os
import platform
import re
import resource
from io import FileIO
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from profiler.errors import UserError
from profiler.runfile import (
    Event,
    Hashes,
    Record,
    Returned,
    Run,
    Worker,
    append,
    decode,
    lines,
    read,
    read_boards,
    read_named,
    split,
)
from tests.conftest import Command, Script
from tests.run_builder import START, case, failed, rounds, run

HEADER = run([case("r1"), case("r2")]).header
WORKERS = [
    *rounds("r1", [10, 11], load_ms=1.5, facts={"versions": {"ggml": "0.9"}, "kv_bytes": 7}),
    failed("r2", 0, "crashed", "it did"),
]
RECORDS: list[Record] = [
    HEADER,
    *WORKERS,
    Event(name="end", at=START, reason="rounds"),
    Hashes(sha256={"tiny-Q4_0": "ab"}),
]


def encoded(*records: Record) -> bytes:
    return b"".join(msgspec.json.encode(record) + b"\n" for record in records)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "run.jsonl"


def refusal(file: Path, content: bytes) -> str:
    file.write_bytes(content)
    with pytest.raises(UserError) as raised:
        read(file)
    sentence = str(raised.value)
    assert sentence.startswith("run.jsonl ")
    assert "\n" not in sentence
    return sentence


def changed(record: Record, **fields: Any) -> bytes:
    return json.dumps(json.loads(msgspec.json.encode(record)) | fields).encode() + b"\n"


def test_what_is_appended_is_read_back(file: Path) -> None:
    with file.open("xb", buffering=0) as opened:
        for record in RECORDS:
            append(opened, record)
    assert file.read_bytes() == encoded(*RECORDS)
    found = read(file)
    assert found == Run(
        header=HEADER, workers=WORKERS, events=[Event(name="end", at=START, reason="rounds")],
        sha256={"tiny-Q4_0": "ab"},
    )  # fmt: skip
    assert found.ended is not None
    assert found.ended.reason == "rounds"


def test_a_build_whose_content_changed_in_between_mixes_two_models(file: Path) -> None:
    again = Hashes(sha256={"tiny-Q4_0": "ab", "other": "ef"})
    assert read_from(file, *RECORDS, again).sha256 == {"tiny-Q4_0": "ab", "other": "ef"}
    other = encoded(*RECORDS, Hashes(sha256={"tiny-Q4_0": "cd"}))
    assert "the content of build 'tiny-Q4_0' is not what it was before" in refusal(file, other)


def read_from(file: Path, *records: Record) -> Run:
    file.write_bytes(encoded(*records))
    return read(file)


def test_every_record_is_on_the_disk_when_append_returns(file: Path) -> None:
    with file.open("xb", buffering=0) as opened:
        for count, record in enumerate(RECORDS, start=1):
            append(opened, record)
            assert file.read_bytes() == encoded(*RECORDS[:count])


@pytest.mark.parametrize("cut", [1, 100, len(encoded(WORKERS[-1])) - 1])
def test_torn_last_line_is_dropped_and_noted(file: Path, cut: int) -> None:
    file.write_bytes(encoded(HEADER, *WORKERS)[:-cut])
    found = read(file)
    assert found.torn
    assert found.workers == WORKERS[:-1]


def test_missing_end_is_not_torn(file: Path) -> None:
    file.write_bytes(encoded(HEADER))
    assert read(file) == Run(header=HEADER, workers=[], events=[], sha256={})
    assert read(file).ended is None


@pytest.mark.parametrize("content", [b"", b"{", encoded(HEADER)[:-1]])
def test_file_without_a_whole_header_holds_no_run(file: Path, content: bytes) -> None:
    assert (
        refusal(file, content) == "run.jsonl holds no run, not even its header line: delete it and start anew"
    )


def test_torn_line_in_the_middle_is_refused(file: Path) -> None:
    content = encoded(HEADER) + encoded(WORKERS[0])[:-50] + b"\n" + encoded(WORKERS[1])
    assert refusal(file, content).startswith("run.jsonl line 2 is not part of a run file: ")


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (changed(WORKERS[0], color="red"), "unknown field `color`"),
        (changed(WORKERS[0], round="one"), "Expected `int`, got `str` - at `$.round`"),
        (changed(WORKERS[0], round=-1), "Expected `int` >= 0 - at `$.round`"),
        (changed(WORKERS[0], load_ms=math.nan), "JSON is malformed"),
        (changed(WORKERS[0], load_ms=math.inf), "JSON is malformed"),
        (encoded(WORKERS[0]).replace(b'"load_ms":1.5', b'"load_ms":1e999'), "Number out of range"),
        (changed(WORKERS[0], facts={"kv_bytes": math.nan}), "JSON is malformed"),
        (changed(WORKERS[2], failure={"kind": "sad", "message": ""}), "matching regex"),
        (changed(WORKERS[0], type="diary"), "'diary' is no record that this version knows"),
        (b'{"round": 1}\n', "missing required field `type`"),
        (b"[]\n", "Expected `object`, got `array`"),
        (b"\xff\xfe\n", "JSON is malformed"),
        (b"\n", "Input data was truncated"),
    ],
)
def test_line_that_is_no_record_is_refused_with_its_number(file: Path, line: bytes, found: str) -> None:
    sentence = refusal(file, encoded(HEADER) + line)
    assert sentence.startswith("run.jsonl line 2 is not part of a run file: ")
    assert found in sentence


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_deep_nesting_is_refused(file: Path, opening: bytes) -> None:
    line = changed(WORKERS[0], facts="HERE").replace(b'"HERE"', b'{"a":' + opening * 100_000)
    assert "line 2 is not part of a run file" in refusal(file, encoded(HEADER) + line)


def test_line_without_end_is_refused_before_it_is_read_whole(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "LONGEST_LINE", 100_000)
    line = changed(WORKERS[0], facts={"a": "x" * 100_000})
    found = refusal(file, encoded(HEADER) + line)
    assert found == "run.jsonl is no run file: it has a line of more than 100000 bytes"


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (
            changed(HEADER, schema="edgeprof.run/2"),
            "has schema 'edgeprof.run/2'; this version reads 'edgeprof.run/1'",
        ),
        (changed(HEADER, schema=None), "has schema None"),
        (encoded(WORKERS[0]), "'worker' is not the header of a run file"),
        (changed(HEADER, edgeprof=1), "Expected `str`, got `int` - at `$.edgeprof`"),
        (b"GGUF\x03\0\0\0\n", "line 1 is not part of a run file: JSON is malformed"),
    ],
)
def test_first_line_that_is_no_header_of_this_schema_is_refused(file: Path, line: bytes, found: str) -> None:
    assert found in refusal(file, line + encoded(*WORKERS))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("cases", []), ("builds", []), ("checkpoints", []), ("passes", 0), ("passes", 10**9), ("rounds", 0),
        ("rounds", 10**9), ("seed", 10**30), ("within", 0), ("max_time_s", 1e30), ("stall_s", -1),
    ],
)  # fmt: skip
def test_plan_out_of_bounds_is_refused(file: Path, key: str, value: Any) -> None:
    plan = json.loads(msgspec.json.encode(HEADER.plan)) | {key: value}
    assert f"$.plan.{key}" in refusal(file, changed(HEADER, plan=plan))


def test_what_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(UserError, match="is a folder or a device, not a run file"):
            read(path)
    with pytest.raises(UserError, match="absent cannot be read: No such file or directory"):
        read(tmp_path / "absent")


@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
def test_damaged_file_is_read_or_refused_in_one_sentence(file: Path, data: st.DataObject) -> None:
    content = bytearray(encoded(*RECORDS))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    file.write_bytes(content)
    found: Run | UserError
    try:
        found = read(file)
    except UserError as error:
        found = error
    assert isinstance(found, Run) or str(found).startswith("run.jsonl ")


@given(gaps=st.lists(st.integers(1, 10**6), min_size=1, max_size=5), words=st.text())
def test_any_worker_survives_the_file(gaps: list[int], words: str) -> None:
    for worker in [*rounds("r1", gaps), failed("r1", 0, "crashed", words)]:
        assert msgspec.json.decode(encoded(worker), type=Worker) == worker


def test_full_disk_is_one_sentence_and_what_was_written_stays(file: Path) -> None:
    whole = encoded(HEADER, WORKERS[0])
    opened = file.open("xb", buffering=0)
    append(opened, HEADER)
    append(opened, WORKERS[0])
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole) + 50, before[1]))
    try:
        with pytest.raises(UserError) as raised, opened:
            append(opened, WORKERS[1])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert str(raised.value) == (
        f"the run file could not be written (File too large): make room, then go on with --resume {file}"
    )
    assert len(file.read_bytes()) == len(whole) + 50
    assert read(file).workers == [WORKERS[0]]


def test_short_writes_are_completed(file: Path) -> None:
    class Slow(FileIO):
        def write(self, data: Any, /) -> int:
            return super().write(bytes(data)[:7])

    with Slow(str(file), "xb") as opened:
        append(opened, HEADER)
    assert read(file).header == HEADER


def texts(value: object) -> list[str]:
    """Every text of a decoded JSON value, keys included."""
    match value:
        case str():
            return [value]
        case dict():
            return [found for pair in value.items() for part in pair for found in texts(part)]
        case list():
            return [found for part in value for found in texts(part)]
    return []


ABSOLUTE = re.compile(r"(?<![\w.])(/\w+|[A-Za-z]:[\\/]|~/)")


def test_run_file_names_no_path_no_host_and_no_user(
    edgeprof: Command, script: Script, tmp_path: Path
) -> None:
    """Crashes included: an engine's last words hold paths."""
    file = tmp_path / "run.jsonl"
    bad = script(
        "bad", fail={"at": "load", "how": "raise", "message": f"cannot open {tmp_path}/my models/a.gguf"}
    )
    library = {"LLAMA_CPP_LIB_PATH": str(tmp_path / "lib")}
    edgeprof(
        "run", script("good"), bad, "-n", "2", "--processes", "1", "--passes", "1", "-o", file, env=library
    )
    found = [text for line in file.read_text().splitlines() for text in texts(json.loads(line))]
    assert "RuntimeError: cannot open a.gguf" in found
    assert ".../lib" in found
    assert [text for text in found if ABSOLUTE.search(text)] == []
    words = {word for text in found for word in re.findall(r"[\w-]+", text)}
    assert words.isdisjoint({platform.node(), getpass.getuser(), str(tmp_path)})


class TestSeveralBoards:
    """A header for each board, and a line where the run of an earlier one goes on."""

    ONE, TWO = (
        msgspec.structs.replace(HEADER, device=msgspec.structs.replace(HEADER.device, board=name))
        for name in ("one", "two")
    )
    END = Event(name="end", at=START, reason="rounds")

    def content(self) -> bytes:
        first, second, *_ = WORKERS
        return encoded(self.ONE, first, self.TWO, second, Returned(board="one"), self.END)

    def test_each_has_its_own_lines(self, file: Path) -> None:
        file.write_bytes(self.content())
        found = read_boards(file)
        assert {name: (len(run.workers), run.ended) for name, run in found.items()} == {
            "one": (1, self.END),
            "two": (1, None),
        }
        assert read_named(file) == {f"run.jsonl#{name}": run for name, run in found.items()}
        assert read(file.with_name("run.jsonl#two")) == found["two"]

    def test_a_file_whose_own_name_has_a_mark_is_found_first(self, tmp_path: Path) -> None:
        file = tmp_path / "a#one"
        file.write_bytes(encoded(self.TWO))
        assert [*read_named(file)] == ["a#one"]

    def test_parts_are_files_of_their_own(self) -> None:
        parts = split("run.jsonl", self.content())
        assert parts == {
            "one": encoded(self.ONE, WORKERS[0], self.END),
            "two": encoded(self.TWO, WORKERS[1]),
        }
        assert decode("one.jsonl", parts["one"]).header == self.ONE
        with pytest.raises(UserError, match=r"run\.jsonl holds the runs of 2 boards, where one is accepted"):
            decode("run.jsonl", self.content())

    def test_a_torn_line_belongs_to_the_run_before_it(self, file: Path) -> None:
        file.write_bytes(self.content()[:-5])
        assert {name: run.torn for name, run in read_boards(file).items()} == {"one": True, "two": False}

    @pytest.mark.parametrize(
        ("records", "said"),
        [
            ((ONE, ONE), "line 2 is not part of a run file: board 'one' has a header before"),
            ((ONE, Returned(board="two")), "it goes on with board 'two', which has no header before"),
            ((Returned(board="one"),), "'returned' is not the header of a run file"),
        ],
    )
    def test_what_does_not_fit_is_refused(self, file: Path, records: tuple[Record, ...], said: str) -> None:
        assert said in refusal(file, encoded(*records))

    def test_too_many(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(lines, "MOST_BOARDS", 1)
        assert "it is the header of a board beyond 1" in refusal(file, encoded(self.ONE, self.TWO))
