"""The log of an external meter: whatever its columns are called, its readings become watts at moments (UTC)."""

from __future__ import annotations

import csv
import json
import os
import re
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest

from profiler import runfile
from profiler.cli.power_log import joined, meter_log
from profiler.errors import UserError
from profiler.runfile import PowerLog
from profiler.telemetry import log_overlap, power_log
from profiler.telemetry.log_columns import columns
from profiler.telemetry.log_times import moment, settled, zone
from tests.conftest import Command, Script, only_refusal
from tests.hand_made import hand_made

SECOND = 1_000_000_000
BERLIN = ZoneInfo("Europe/Berlin")
TEN_UTC = 1_795_600_800 * SECOND
"""2026-11-25 10:00:00 UTC, which is 11:00 in Berlin."""

QUICK = ("-p", "4", "-n", "2", "--processes", "1", "--passes", "1")


class Log:
    """Reads what it is given as a log."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "power.csv"

    def write(self, text: str | bytes) -> Path:
        self.path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return self.path

    def read(self, text: str | bytes, zone: tzinfo | None = UTC, offset_s: float = 0.0) -> PowerLog:
        return power_log.read(self.write(text), zone, offset_s)

    def reason(self, text: str | bytes, zone: tzinfo | None = UTC) -> str:
        with pytest.raises(UserError) as refusal:
            self.read(text, zone)
        return str(refusal.value)


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path)


@pytest.fixture
def in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def utc(at: int) -> str:
    return datetime.fromtimestamp(at // SECOND, UTC).strftime("%m-%d %H:%M:%S")


class TestFormats:
    @pytest.mark.parametrize(
        "text",
        [
            "time,power\n2026-11-25T10:00:00Z,5.25\n2026-11-25T10:00:01Z,5.5\n",
            "Timestamp;Power (W)\r\n2026-11-25 10:00:00;5,25\r\n2026-11-25 10:00:01;5,5\r\n",
            "Date\tTime\tP(mW)\n25.11.2026\t10:00:00\t5250\n25.11.2026\t10:00:01\t5500\n",
            "ts,apower\n1795600800,5.25\n1795600801,5.5\n",
            "Unix time (ms),watts\n1795600800000,5.25\n1795600801000,5.5\n",
            "datetime,power_mw,energy_wh\n2026/11/25 10:00:00,5250,1\n2026/11/25 10:00:01,5500,1\n",
            "No,Date Time,U(V),I(A)\n1,2026-11-25 10:00:00,5,1.05\n2,2026-11-25 10:00:01,5,1.1\n",
            "time,voltage_mv,current_ma\n1795600800,5000,1050\n1795600801,5000,1100\n",
            "epoch,Power (kW)\n1795600800,0.00525\n1795600801,0.0055\n",
            "# meter 7\nsep=;\n\nDatum;Zeit;Leistung (W)\n25.11.2026;10:00:00;5,25\n25.11.2026;10:00:01;5,5\n",
            '"Time","Power (W)"\n"2026-11-25T12:00:00+02:00","5.25"\n"2026-11-25T12:00:01+0200","5.5"\n',
            "\ufefftime,Power Factor,Power (VA),W\n1795600800,0.9,6,5.25\n1795600801,0.9,6,5.5\n",
        ],
    )
    def test_the_same_two_readings(self, log: Log, text: str) -> None:
        found = log.read(text)
        assert found.wall_ns == [TEN_UTC, TEN_UTC + SECOND]
        assert found.watts == pytest.approx([5.25, 5.5])
        assert (found.name, found.offset_s) == ("power.csv", 0.0)

    def test_utf_16_as_spreadsheets_write_it(self, log: Log) -> None:
        text = "Time\tPower (W)\r\n2026-11-25 10:00:00\t5,25\r\n2026-11-25 10:00:01\t5,5\r\n"
        assert log.read(text.encode("utf-16")).watts == [5.25, 5.5]

    def test_microwatts_are_no_watts(self, log: Log) -> None:
        found = log.read("time,Power (µW)\n1795600800,5250000\n1795600801,5500000\n")
        assert found.watts == pytest.approx([5.25, 5.5])

    @pytest.mark.parametrize(
        ("text", "ns"),
        [
            ("1795600800", 0),
            ("1795600800.123456789", 123_456_789),
            ("1795600800,5", 500_000_000),
            ("1795600800250", 250_000_000),
            ("1795600800250750", 250_750_000),
            ("1795600800250750125", 250_750_125),
            ("2026-11-25T10:00:00.1Z", 100_000_000),
            ("2026-11-25 10:00:00,250", 250_000_000),
            ("2026-11-25T10:00:00.123456789+00:00", 123_456_789),
            ("2026-11-25T05:30:00-04:30", 0),
            ("25.11.2026 10:00:00", 0),
            ("25.11.2026, 10:00:00", 0),
            ("2026-11-25 10:00:00 UTC", 0),
        ],
    )
    def test_time(self, text: str, ns: int) -> None:
        assert moment(text, UTC) == (TEN_UTC + ns, 0)

    @pytest.mark.parametrize(
        "text",
        ["", "noon", "11/25/2026 10:00:00", "2026-11-25", "10:00:00", "2026-11-25 10:00", "-5", "1.7956E+09",
         "2026-13-01 10:00:00", "2026-02-30 10:00:00", "2026-11-25 24:00:00", "2026-11-25 10:00:61",
         "9999-12-31 23:59:59", "0001-01-01 00:00:00", "9" * 19, "9" * 400,
         "\N{FULLWIDTH DIGIT TWO}026-11-25 10:00:00", "2026-11-25T10:00:00+99:00"],
    )  # fmt: skip
    def test_what_is_no_time(self, text: str) -> None:
        with pytest.raises(ValueError, match=r"time|year|month|day|hour|shift"):
            moment(text, UTC)

    def test_readings_of_one_moment_become_their_mean(self, log: Log) -> None:
        found = log.read("time,power\n1795600800,5\n1795600801,6\n1795600801,8\n1795600802,9\n")
        assert found.wall_ns == [TEN_UTC, TEN_UTC + SECOND, TEN_UTC + 2 * SECOND]
        assert found.watts == [5.0, 7.0, 9.0]

    def test_a_last_line_without_its_end_may_be_cut_and_does_not_count(self, log: Log) -> None:
        found = log.read("time,power\n1795600800,45.3\n1795600801,45.1\n1795600802,4")
        assert found.watts == [45.3, 45.1]

    def test_only_the_columns_that_count_are_named(self) -> None:
        assert columns(["elapsed", "power"]) is None
        assert columns(["time", "energy (Wh)"]) is None
        assert columns(["time", "voltage"]) is None
        assert columns([]) is None


class TestZones:
    def test_default_is_that_of_this_machine(self, log: Log, in_berlin: None) -> None:
        text = "time,power\n2026-11-25 11:00:00,5\n2026-11-25 11:00:01,5\n"
        assert log.read(text, None).wall_ns[0] == TEN_UTC

    def test_one_that_was_asked_for(self, log: Log) -> None:
        text = "time,power\n2026-11-25 11:00:00,5\n2026-11-25 11:00:01,5\n"
        assert log.read(text, BERLIN).wall_ns[0] == TEN_UTC

    def test_one_in_the_row_itself_counts_more(self, log: Log) -> None:
        text = "time,power\n2026-11-25T10:00:00Z,5\n2026-11-25T12:00:01+02:00,5\n"
        assert log.read(text, BERLIN).wall_ns == [TEN_UTC, TEN_UTC + SECOND]

    def test_one_in_the_header_counts_where_none_was_asked_for(self, log: Log, in_berlin: None) -> None:
        text = "Time (UTC),power\n2026-11-25 10:00:00,5\n2026-11-25 10:00:01,5\n"
        assert log.read(text, None).wall_ns[0] == TEN_UTC

    @pytest.mark.parametrize(
        ("word", "hours"),
        [("utc", 0), ("Z", 0), ("+02:00", 2), ("-0330", -3.5), ("+2", 2), ("UTC+5:30", 5.5), ("-14:00", -14)],
    )
    def test_words(self, word: str, hours: float) -> None:
        assert zone(word).utcoffset(None) == timedelta(hours=hours)

    @pytest.mark.parametrize(
        ("word", "found"),
        [
            ("Europe/Berln", "did you mean Europe/Berlin"),
            ("+15:00", "shifts from -14:00 to +14:00 are accepted"),
            ("+01:75", "shifts from -14:00 to +14:00 are accepted"),
            ("../../etc/passwd", "is no time zone"),
            ("/etc/passwd", "is no time zone"),
            ("Europe", "is no time zone"),
            ("", "is no time zone"),
            ("x" * 5000, "is no time zone"),
        ],
    )
    def test_words_that_are_none(self, word: str, found: str) -> None:
        with pytest.raises(UserError, match=re.escape(found)):
            zone(word)

    def test_the_clock_of_the_meter_was_ahead(self, log: Log) -> None:
        found = log.read("time,power\n1795600802.5,5\n1795600803.5,6\n", offset_s=2.5)
        assert found.wall_ns == [TEN_UTC, TEN_UTC + SECOND]
        assert found.offset_s == 2.5

    def test_a_log_that_counts_from_its_own_start_is_placed_by_the_offset(self, log: Log) -> None:
        assert log.read("Time(S),P(W)\n0.0,5\n1.0,6\n", offset_s=-1_795_600_800.0).wall_ns[0] == TEN_UTC


class TestSummerTime:
    """In Berlin, clocks went back from 03:00 to 02:00 on 2026-10-25, at 01:00 UTC."""

    @staticmethod
    def times(log: Log, *rows: str) -> list[str]:
        text = "time,power\n" + "".join(f"2026-10-25 {row},5\n" for row in rows)
        return [utc(at)[6:] for at in log.read(text, BERLIN).wall_ns]

    def test_a_step_back_begins_the_second_hour(self, log: Log) -> None:
        found = self.times(log, "01:59:00", "02:00:00", "02:59:00", "02:00:00", "02:59:00", "03:00:00")
        assert found == ["23:59:00", "00:00:00", "00:59:00", "01:00:00", "01:59:00", "02:00:00"]

    def test_a_log_that_goes_on_into_it_is_in_the_first(self, log: Log) -> None:
        assert self.times(log, "01:59:59", "02:00:00", "02:00:01") == ["23:59:59", "00:00:00", "00:00:01"]

    def test_a_log_that_goes_on_from_it_is_in_the_second(self, log: Log) -> None:
        assert self.times(log, "02:59:58", "02:59:59", "03:00:00") == ["01:59:58", "01:59:59", "02:00:00"]

    def test_a_log_that_begins_and_ends_there_with_a_step_back(self, log: Log) -> None:
        assert self.times(log, "02:50:00", "02:10:00") == ["00:50:00", "01:10:00"]

    def test_a_log_that_lies_wholly_in_it_is_refused(self, log: Log) -> None:
        text = "time,power\n2026-10-25 02:10:00,5\n2026-10-25 02:20:00,5\n"
        assert log.reason(text, BERLIN) == (
            "the power log lies in the hour that came twice when clocks were set back, and its rows do not tell in "
            "which of the two: give the shift of the meter's clock with --power-zone, such as +01:00"
        )
        assert utc(log.read(text, timezone(timedelta(hours=1))).wall_ns[0]) == "10-25 01:10:00"

    def test_time_that_clocks_leap_over_shows_that_the_zone_is_wrong(self, log: Log) -> None:
        text = "time,power\n2026-03-29 01:59:59,5\n2026-03-29 02:30:00,5\n"
        assert "which the clocks of its zone leap over" in log.reason(text, BERLIN)

    def test_without_repeated_hours_nothing_changes(self) -> None:
        assert settled([3, 1, 2], [0, 0, 0]) == [3, 1, 2]

    def test_that_of_this_machine_has_summer_time_too(self, log: Log, in_berlin: None) -> None:
        text = "time,power\n2026-10-25 02:30:00,5\n2026-10-25 02:10:00,6\n"
        assert [utc(at) for at in log.read(text, None).wall_ns] == ["10-25 00:30:00", "10-25 01:10:00"]


def rows(count: int, bad: Sequence[int] = (), text: str = "unavailable") -> str:
    lines = [f"{1795600800 + n},{text if n in bad else 5}\n" for n in range(count)]
    return "time,power\n" + "".join(lines)


class TestWhatIsRefused:
    def test_one_row_of_a_hundred_may_be_bad(self, log: Log) -> None:
        assert len(log.read(rows(100, bad=[7])).watts) == 99

    @pytest.mark.parametrize("text", ["unavailable", "", "nan", "inf", "1e999", "5,5", "0x5", "5 W", "\0"])
    def test_more_are_not(self, log: Log, text: str) -> None:
        reason = log.reason(rows(100, bad=[7, 9], text=text))
        assert reason.startswith("power.csv: 2 of 100 rows cannot be read, first line 9: ")

    def test_rows_that_are_too_short(self, log: Log) -> None:
        reason = log.reason("power,time\n5,1795600800\n5\n")
        assert reason == (
            "power.csv: 1 of 2 rows cannot be read, first line 3: it has too few columns; "
            "take them out if the others are sound"
        )

    def test_time_that_runs_backwards(self, log: Log) -> None:
        reason = log.reason("time,power\n1795600801,5\n\n1795600800,5\n")
        assert reason == (
            "power.csv line 4: its time is before that of the row above; sort the rows by time, or cut out those "
            "before the meter's clock was set"
        )

    @pytest.mark.parametrize(("watts", "said"), [("-0.5", "-0.5"), ("100001", "100001"), ("1e30", "1e+30")])
    def test_power_that_no_device_takes(self, log: Log, watts: str, said: str) -> None:
        reason = log.reason(f"time,power\n1795600800,5\n1795600801,{watts}\n")
        assert reason == f"power.csv line 3 says {said} W: 0 to 100000 W are accepted"

    def test_volts_times_amperes_of_the_mains(self, log: Log) -> None:
        reason = log.reason("time,voltage,current\n1795600800,230.1,0.1\n1795600801,230.2,0.1\n")
        assert "230.1 V are alternating current, whose volts times amperes are not its power" in reason

    def test_two_columns_of_power(self, log: Log) -> None:
        reason = log.reason("time,power,Active Power (W)\n1795600800,5,5\n")
        assert reason == (
            "the power log has both 'power' and 'Active Power (W)': leave the column that counts"
        )

    @pytest.mark.parametrize(
        "content",
        [b"", b"\n" * 50, b"\0" * 5000, b"<!DOCTYPE html><html>\n", b"a,b\n1,2\n", b"1795600800,5\n1795600801,6\n",
         b"\xff\xfe\x00", bytes(range(256)) * 10, b'"time,power\n' * 3],
    )  # fmt: skip
    def test_file_without_a_header(self, log: Log, content: bytes) -> None:
        assert log.reason(content).startswith(
            "power.csv is no power log: none of its first 20 lines names a column"
        )

    def test_one_reading_is_none(self, log: Log) -> None:
        reason = log.reason("time,power\n1795600800,5\n")
        assert reason == "power.csv has 1 readings: at least two at different times are needed"

    def test_quote_that_is_never_closed(self, log: Log) -> None:
        reason = log.reason('time,power\n"1795600800,5\n' + "1795600801,5\n" * 20_000)
        assert reason == f"power.csv is no CSV file: field larger than field limit ({csv.field_size_limit()})"

    def test_size(self, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
        log.write(b"")
        os.truncate(log.path, power_log.MOST_BYTES + 1)
        with pytest.raises(UserError, match=r"power\.csv is larger than 64 MiB: cut out the time of the run"):
            power_log.read(log.path, UTC, 0.0)
        monkeypatch.setattr(power_log, "MOST_ROWS", 10)
        assert log.reason(rows(11)) == "power.csv has more than 10 rows: cut out the time of the run"

    @pytest.mark.parametrize(
        ("name", "found"),
        [
            ("absent.csv", "absent.csv cannot be read: No such file or directory"),
            ("folder", "folder is a folder or a device: give the CSV file of the meter"),
            ("pipe", "pipe is a folder or a device: give the CSV file of the meter"),
            ("a" * 300, "cannot be read: File name too long"),
        ],
    )
    def test_name_that_is_no_file(self, tmp_path: Path, name: str, found: str) -> None:
        (tmp_path / "folder").mkdir()
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(UserError, match=found):
            power_log.read(tmp_path / name, UTC, 0.0)

    def test_a_file_name_is_shown_without_what_a_terminal_obeys(self, tmp_path: Path) -> None:
        path = tmp_path / "\x1b[2Jlog\udcff.csv"
        path.write_text(rows(3))
        assert power_log.read(path, UTC, 0.0).name == "?[2Jlog?.csv"


def of_the_run(first_s: float, count: int, step_s: float = 1.0) -> PowerLog:
    """Readings from so many seconds after the start of the hand-made run."""
    began = hand_made().header.started.wall_ns
    walls = [began + round((first_s + n * step_s) * SECOND) for n in range(count)]
    return PowerLog(name="power.csv", wall_ns=walls, watts=[5.0] * count)


class TestOverlap:
    """The hand-made run lasts 15 s."""

    def test_the_run_and_a_minute_around_it_are_kept(self) -> None:
        kept = log_overlap.within(of_the_run(-100, 300), hand_made())
        began, ended = log_overlap.span(hand_made())
        assert (ended - began) // SECOND == 15
        assert (kept.wall_ns[0], kept.wall_ns[-1]) == (began - 60 * SECOND, ended + 60 * SECOND)
        assert len(kept.watts) == len(kept.wall_ns) == 136

    @pytest.mark.parametrize("first_s", [-100, 16])
    def test_a_log_of_another_time_is_refused_with_both_spans(self, first_s: int) -> None:
        with pytest.raises(UserError) as refusal:
            log_overlap.within(of_the_run(first_s, 50), hand_made())
        said = str(refusal.value)
        assert (
            "and the run was from 2025-10-09 08:53:20 to 2025-10-09 08:53:35: if they are of this run" in said
        )
        assert said.endswith("with --power-zone, or with --power-offset the seconds that its clock was ahead")

    def test_times_that_count_from_the_beginning_of_the_log_are_told_from_another_zone(self) -> None:
        with pytest.raises(UserError) as refusal:
            log_overlap.within(
                PowerLog(name="power.csv", wall_ns=[0, 50 * SECOND], watts=[5, 5]), hand_made()
            )
        assert str(refusal.value) == (
            "power.csv has times from 0 s to 50 s, which are not since 1970: if they count from the beginning of the "
            "log, give that moment with a minus, as in --power-offset -1760000000 (date +%s tells it)"
        )

    def test_a_log_of_a_part_of_the_run_is_one(self) -> None:
        assert len(log_overlap.within(of_the_run(10, 50), hand_made()).watts) == 50


@pytest.fixture
def run_file(tmp_path: Path) -> Path:
    path = tmp_path / "run.jsonl"
    made = hand_made()
    with path.open("wb", buffering=0) as file:
        for record in (made.header, *made.workers, *made.events):
            runfile.append(file, record)
    return path


def wall_log(path: Path, first_s: float, seconds: int, watts: float = 5.0) -> Path:
    """A log with one reading each second from this time on, as seconds since 1970."""
    path.write_text("time,power\n" + "".join(f"{first_s + n:.1f},{watts}\n" for n in range(seconds)))
    return path


class TestReport:
    def test_is_joined_in_memory_only(self, edgeprof: Command, run_file: Path, tmp_path: Path) -> None:
        before = run_file.read_bytes()
        log = wall_log(tmp_path / "power.csv", 1_760_000_000 - 10, 40)
        outcome = edgeprof("report", run_file, "-f", "json", "--power-log", log)
        assert outcome.code == 0, outcome
        assert json.loads(outcome.out)
        assert run_file.read_bytes() == before

    def test_a_later_log_counts_instead_of_an_earlier_one(self, tmp_path: Path) -> None:
        run = msgspec.structs.replace(hand_made(), power_log=of_the_run(0, 10))
        log = wall_log(tmp_path / "again.csv", 1_760_000_000, 20, watts=7.0)
        found = joined(run, meter_log(log, "utc", "0")).power_log
        assert found is not None
        assert (found.name, set(found.watts)) == ("again.csv", {7.0})
        assert joined(run, None) is run

    def test_log_of_another_time(self, edgeprof: Command, run_file: Path, tmp_path: Path) -> None:
        log = wall_log(tmp_path / "power.csv", 1_760_003_600, 40)
        sentence = only_refusal(edgeprof("report", run_file, "--power-log", log))
        assert sentence.startswith(
            "power.csv has readings from 2025-10-09 09:53:20 to 2025-10-09 09:53:59 (UTC)"
        )
        assert edgeprof("report", run_file, "--power-log", log, "--power-offset", "3600").code == 0
        assert edgeprof("report", run_file, "--power-log", log, "--power-offset", "-3600").code == 2

    @pytest.mark.parametrize(
        ("words", "found"),
        [
            (["--power-log", "absent.csv"], "absent.csv cannot be read: No such file or directory"),
            (["--power-log", "x.csv", "--power-zone", "Mars"], "--power-zone 'Mars' is no time zone"),
            (["--power-log", "x.csv", "--power-offset", "nan"], "--power-offset 'nan': seconds are accepted"),
            (["--power-log", "x.csv", "--power-offset", "9999999999"], "seconds are accepted, such as 2.5"),
            (["--power-zone", "utc"], "--power-zone says how to read a power log: name it with --power-log"),
        ],
    )
    def test_words_that_are_not_accepted(
        self, edgeprof: Command, run_file: Path, words: list[str], found: str
    ) -> None:
        assert found in only_refusal(edgeprof("report", run_file, *words))


class TestRun:
    def test_the_log_is_read_after_the_last_worker_and_kept(
        self, edgeprof: Command, script: Script, tmp_path: Path
    ) -> None:
        log = wall_log(tmp_path / "power.csv", time.time() - 300, 900)
        outcome = edgeprof(
            "run", script(), *QUICK, "-o", "run.jsonl", "--power-log", log, "--power-offset", "-1.5"
        )
        assert outcome.code == 0, outcome
        kept = runfile.read(tmp_path / "run.jsonl").power_log
        assert kept is not None
        assert (kept.name, kept.offset_s) == ("power.csv", -1.5)
        assert 120 <= len(kept.watts) <= 220

    def test_a_log_that_is_not_there_loses_nothing(
        self, edgeprof: Command, script: Script, tmp_path: Path
    ) -> None:
        outcome = edgeprof(
            "run",
            script(),
            *QUICK,
            "-o",
            "run.jsonl",
            "--power-log",
            "later on.csv",
            "--power-zone",
            "+02:00",
        )
        assert outcome.code == 0
        assert "script" in outcome.out
        assert outcome.err.splitlines()[-1] == (
            "The power log is not joined: later on.csv cannot be read: No such file or directory. "
            "Later: edgeprof report run.jsonl --power-log 'later on.csv' --power-zone +02:00"
        )
        run = runfile.read(tmp_path / "run.jsonl")
        assert run.ended is not None
        assert run.power_log is None

    def test_a_bad_word_is_refused_before_anything_is_measured(
        self, edgeprof: Command, script: Script, tmp_path: Path
    ) -> None:
        words = ("--power-log", "power.csv", "--power-zone", "Europe/Berln")
        assert "did you mean Europe/Berlin" in only_refusal(edgeprof("run", script(), *QUICK, *words))
        assert not (tmp_path / "data").exists()

    @pytest.mark.parametrize("behind", [-3, -1], ids=["cut before its last worker", "cut before its hashes"])
    def test_a_run_that_goes_on_takes_a_log_too(
        self, edgeprof: Command, script: Script, tmp_path: Path, behind: int
    ) -> None:
        file, build = tmp_path / "run.jsonl", script()
        assert edgeprof("run", build, "-p", "4", "-n", "2", "--processes", "2", "-o", file).code == 0
        lines = [line for line in file.read_bytes().splitlines(keepends=True) if b'"type":"idle"' not in line]
        file.write_bytes(b"".join(lines[:behind]))
        log = wall_log(tmp_path / "power.csv", time.time() - 300, 900)
        assert edgeprof("run", build, "--resume", file, "--power-log", log).code == 0
        run = runfile.read(file)
        assert run.power_log is not None
        assert (run.power_log.name, len(run.workers)) == ("power.csv", 2)

    def test_of_two_logs_in_a_run_file_the_later_one_counts(self, run_file: Path) -> None:
        with run_file.open("ab", buffering=0) as file:
            runfile.append(file, of_the_run(0, 5))
            runfile.append(file, msgspec.structs.replace(of_the_run(0, 6), name="second.csv"))
        found = runfile.read(run_file).power_log
        assert found is not None
        assert found.name == "second.csv"
