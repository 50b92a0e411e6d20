"""A bundle: which members it has, that the same files make the same bytes, and what is refused."""

from __future__ import annotations

import hashlib
import io
import json
import os
import stat
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from profiler.analyse.shipping import Verdicts
from profiler.analyse.source import Source
from profiler.cli.app import main
from profiler.cli.sources import read_content
from profiler.documents.limit_text import limit
from profiler.documents.limits import Limits, Use
from profiler.errors import UserError
from profiler.evidence import archive
from profiler.evidence.archive import safe_stem
from profiler.evidence.bundle import bundle
from profiler.evidence.contents import drawn, inputs
from profiler.render import formats
from profiler.runfile.imported import encoded
from tests.bundles import FILES, SMALL, checked, failures, made_of, members, repacked
from tests.conftest import Outcome
from tests.test_imported import three_processes

TEXT = {"manifest.json", "SHA256SUMS", "plan/run.json", "runs/run.jsonl"} | {
    f"reports/run.{suffix}" for suffix in ("csv", "json", "md", "txt")
}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """A folder with a run file, on a machine that draws no pages."""
    (tmp_path / "run.jsonl").write_bytes(SMALL)
    monkeypatch.chdir(tmp_path)
    without_charts(monkeypatch)
    return tmp_path


def without_charts(monkeypatch: pytest.MonkeyPatch) -> None:
    text = formats.render_sources

    def render(sources: Sequence[Source], name: str, *rest: Verdicts | None) -> str:
        if name == "html":
            raise UserError("charts take altair")
        return text(sources, name)

    monkeypatch.setattr(formats, "render_sources", render)


def edgeprof(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str) -> Outcome:
    monkeypatch.setattr(sys, "argv", ["edgeprof", *words])
    code = main()
    return Outcome(code, *capsys.readouterr())


def test_a_bundle_has_the_run_file_its_plan_and_every_report() -> None:
    found = members(made_of().packed)
    assert set(found) == TEXT
    assert found["runs/run.jsonl"] == SMALL
    plan = json.loads(found["plan/run.json"])
    assert plan["plan"]["cases"][0]["id"] == "r1"
    assert "environment" in plan


def test_the_manifest_has_the_size_and_hash_of_every_other_member_and_the_hashes_of_the_builds() -> None:
    made = made_of()
    found = members(made.packed)
    described = json.loads(found["manifest.json"])
    assert described["schema"] == "edgeprof.bundle/1"
    assert described["origins"] == [
        {
            "path": "runs/run.jsonl",
            "name": "run.jsonl",
            "edgeprof": "0.1.0",
            "builds": {"tiny-Q4_0": "ab" * 32},
        }
    ]
    assert {one["path"] for one in described["members"]} == set(found) - {"manifest.json", "SHA256SUMS"}
    for one in described["members"]:
        content = found[one["path"]]
        assert one == {
            "path": one["path"], "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest(),
        }  # fmt: skip
    assert made.sha256 == hashlib.sha256(found["manifest.json"]).hexdigest()


def test_sha256sum_can_check_it_without_edgeprof() -> None:
    found = members(made_of().packed)
    lines = found.pop("SHA256SUMS").decode().splitlines()
    assert lines == sorted(lines, key=lambda line: line[66:])
    assert {line[66:]: line[:64] for line in lines} == {
        name: hashlib.sha256(content).hexdigest() for name, content in found.items()
    }


def test_a_page_that_cannot_be_drawn_is_named_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything else is there all the same."""
    without_charts(monkeypatch)
    given = inputs(FILES, read_content)
    made = bundle(given, drawn(given, None))
    assert made.manifest.not_rendered == {"reports/run.html": "charts take altair"}
    assert set(members(made.packed)) == TEXT


def test_a_page_lies_beside_the_other_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "render_sources", lambda *_: "<p>\u2713</p>")
    given = inputs(FILES, read_content)
    assert drawn(given, None).contents == {"reports/run.html": b"<p>\xe2\x9c\x93</p>"}
    packed = made_of(pages={"reports/run.html": b"<p>"}).packed
    assert checked(packed).checks[2].found[1:] == [
        "reports/run.html: by its hash only, pages with charts are not drawn again"
    ]


def limits(text: str) -> Limits:
    use = Use(workload=None, device=None, limits=[limit(text, "use[0].limits[0]")])
    return Limits(name="l.toml", title="Chat", question="Is it fast enough?", uses=[use])


def test_limits_are_kept_with_the_verdicts_that_follow() -> None:
    packed = made_of(limits=limits("ttft_ms <= 90 ms")).packed
    found = members(packed)
    assert set(found) - TEXT == {
        "limits.json",
        *(f"reports/verdict.{suffix}" for suffix in ("json", "md", "txt")),
    }
    assert json.loads(found["reports/verdict.json"])["judgements"][0]["word"] == "undecided"
    assert checked(packed).holds
    other = members(made_of(limits=limits("ttft_ms <= 900 ms")).packed)["limits.json"]
    assert failures(checked(repacked(packed, {"limits.json": other}))) == {
        "tables": [
            f"reports/verdict.{suffix} is not what its run file gives" for suffix in ("txt", "md", "json")
        ]
    }
    lie = found["limits.json"].replace(b'"value": 90.0', b'"value": 900.0')
    assert failures(checked(repacked(packed, {"limits.json": lie})))["tables"] == [
        "they cannot be computed: limits.json means something else than 'ttft_ms <= 90 ms', which it says"
    ]


def test_imported_figures_are_bundled_too(tmp_path: Path) -> None:
    document = encoded(three_processes(tmp_path)).encode()
    packed = made_of([("run.jsonl", SMALL), ("bench.json", document)]).packed
    found = members(packed)
    assert found["runs/bench.json"] == document
    assert "plan/bench.json" not in found
    assert {"reports/bench.md", "reports/all.md"} <= set(found)
    assert checked(packed).holds
    assert json.loads(found["manifest.json"])["origins"][1] == {
        "path": "runs/bench.json", "name": "bench.json", "edgeprof": None, "builds": {},
    }  # fmt: skip


def test_the_same_files_make_the_same_bytes() -> None:
    assert made_of().packed == made_of().packed


def test_every_zip_program_reads_it_and_no_time_no_user_and_no_right_is_in_it() -> None:
    packed = made_of().packed
    with zipfile.ZipFile(io.BytesIO(packed)) as opened:
        assert opened.testzip() is None
        assert {name: opened.read(name) for name in opened.namelist()} == members(packed)
        for entry in opened.infolist():
            assert entry.date_time == (1980, 1, 1, 0, 0, 0)
            assert stat.filemode(entry.external_attr >> 16) == "-rw-r--r--"
            assert (entry.compress_type, entry.extra, entry.comment) == (zipfile.ZIP_STORED, b"", b"")


def test_files_of_the_same_name_get_different_ones() -> None:
    found = members(made_of([("run.jsonl", SMALL), ("Run.jsonl", SMALL), ("../all.jsonl", SMALL)]).packed)
    assert {name for name in found if name.startswith("runs/")} == {
        "runs/run.jsonl", "runs/Run-2.jsonl", "runs/all-2.jsonl",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("../../etc/passwd", "etc-passwd"), ("a\x1b[31m|b.jsonl", "a-31m-b"), (".hidden", "hidden"),
        ("-rf.jsonl", "rf"),
        ("\u202e.jsonl", "run"), ("C:\\x.jsonl", "C-x"), ("x" * 500, "x" * 60), ("all.jsonl", "all-2"),
    ],
)  # fmt: skip
def test_no_name_of_a_file_leads_anywhere(name: str, stem: str) -> None:
    assert safe_stem(name, ["all"]) == stem


def test_more_than_a_bundle_holds_is_refused(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(archive, "MOST_BYTES", len(SMALL))
    done = edgeprof(monkeypatch, capsys, "bundle", "run.jsonl", "-o", "a.zip")
    assert done.code == 2
    assert done.err.startswith("edgeprof: a bundle holds up to 4096 files")
    assert not (here / "a.zip").exists()


def test_the_command_writes_a_new_file_and_says_its_hash(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    done = edgeprof(monkeypatch, capsys, "bundle", "run.jsonl", "-o", "a.zip")
    assert (done.code, done.err) == (0, "")
    manifest = members((here / "a.zip").read_bytes())["manifest.json"]
    assert f"SHA-256 of manifest.json: {hashlib.sha256(manifest).hexdigest()}" in done.out
    assert "Not in it: reports/run.html (charts take altair" in done.out
    again = edgeprof(monkeypatch, capsys, "bundle", "run.jsonl", "-o", "a.zip")
    assert (again.code, again.err) == (2, "edgeprof: a.zip is there already; choose another name with -o\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("absent.jsonl",), "absent.jsonl is not there; give a file that a bundle can hold"),
        ((".",), ". is a folder or a device; give a file that a bundle can hold"),
        (("run.jsonl", "-o", "a.tar"), "a.tar: a bundle is written as .zip; give a name that ends so"),
        (("other.txt",), "other.txt line 1 is not part of a run file: JSON is malformed"),
        (("run.jsonl", "-o", "no/a.zip"), "no/a.zip cannot be written: No such file or directory"),
    ],
)
def test_what_cannot_be_bundled_is_one_sentence(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...], said: str,
) -> None:  # fmt: skip
    (here / "other.txt").write_text("hello\n")
    done = edgeprof(monkeypatch, capsys, "bundle", *words)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"edgeprof: {said}")
    assert done.err.count("\n") == 1
    assert sorted(path.suffix for path in here.iterdir()) == [".jsonl", ".txt"]


def test_a_name_that_is_no_text_is_bundled_and_verified(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = os.fsdecode(b"r\xff.jsonl")
    (here / "run.jsonl").rename(here / odd)
    assert edgeprof(monkeypatch, capsys, "bundle", odd, "-o", "a.zip").code == 0
    assert "runs/r.jsonl" in members((here / "a.zip").read_bytes())
    (here / "a.zip").rename(here / os.fsdecode(b"\xff.zip"))
    done = edgeprof(monkeypatch, capsys, "verify", os.fsdecode(b"\xff.zip"), "-f", "json")
    assert (done.code, done.err) == (0, "")
