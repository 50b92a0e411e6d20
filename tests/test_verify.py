"""Verifying: nothing that was changed passes, a signature that cannot be checked fails, and no bundle does harm."""

from __future__ import annotations

import builtins
import io
import json
import struct
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from profiler.cli.app import main
from profiler.errors import UserError
from profiler.evidence import recomputed
from profiler.evidence import signature as sig
from profiler.evidence.figures import alike
from profiler.evidence.told import lines
from tests.bundles import SMALL, checked, failures, made_of, members, repacked
from tests.conftest import Outcome

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))
PUBLIC, OTHERS = (sig.pem(key.public_key()) for key in (KEY, OTHER))
PLAIN, SIGNED = made_of().packed, made_of(key=KEY).packed
WHOLE = {"archive": True, "members": True, "tables": True, "signature": None}


def passed(packed: bytes, **asked: Any) -> dict[str, bool | None]:
    return {check.name: check.passed for check in checked(packed, **asked).checks}


def never_passes(packed: bytes) -> bool:
    """It fails, or is refused in one sentence."""
    try:
        return not checked(packed).holds
    except UserError as error:
        return "\n" not in str(error)


class TestWhole:
    @pytest.mark.parametrize("packed", [PLAIN, SIGNED])
    def test_a_bundle_as_it_was_made_holds(self, packed: bytes) -> None:
        verified = checked(packed)
        assert verified.holds
        assert passed(packed) == WHOLE

    def test_without_a_signature_it_says_what_hashes_inside_cannot_show(self) -> None:
        assert (
            checked(PLAIN)
            .checks[-1]
            .found[0]
            .startswith("there is none: the hashes inside show accidents only")
        )

    def test_the_hash_of_the_manifest_can_be_asked_for(self) -> None:
        known = made_of().sha256
        assert checked(PLAIN).manifest_sha256 == known
        assert checked(PLAIN, sha256=known).holds
        assert failures(checked(PLAIN, sha256="0" * 64)) == {
            "sha256": ["manifest.json has another one than was given"]
        }

    def test_several_run_files(self) -> None:
        assert checked(made_of([("a.jsonl", SMALL), ("b.jsonl", SMALL)]).packed).holds


class TestTouched:
    @given(at=st.integers(0, len(SIGNED) - 1), bit=st.integers(0, 7))
    @settings(max_examples=150, deadline=None)
    def test_no_flipped_bit_passes(self, at: int, bit: int) -> None:
        assert never_passes(SIGNED[:at] + bytes([SIGNED[at] ^ 1 << bit]) + SIGNED[at + 1 :])

    @given(at=st.integers(0, len(PLAIN)), more=st.binary(min_size=1, max_size=40))
    @settings(max_examples=50, deadline=None)
    def test_no_added_byte_passes(self, at: int, more: bytes) -> None:
        assert never_passes(PLAIN[:at] + more + PLAIN[at:])

    @given(at=st.integers(0, len(PLAIN) - 1), count=st.integers(1, 40))
    @settings(max_examples=50, deadline=None)
    def test_no_missing_byte_passes(self, at: int, count: int) -> None:
        assert never_passes(PLAIN[:at] + PLAIN[at + count :])

    @pytest.mark.parametrize("cut", [0, 3, 29, 45, 3000, -1, -22, -100])
    def test_no_truncated_bundle_passes(self, cut: int) -> None:
        assert never_passes(PLAIN[:cut])

    @pytest.mark.parametrize("name", [name for name in members(SIGNED) if name != "manifest.json"])
    def test_a_changed_member_is_named(self, name: str) -> None:
        content = members(SIGNED)[name]
        found = failures(checked(SIGNED.replace(content, content[:-1] + b"~")))
        assert f"in {name}," in found["archive"][0]
        if name not in ("SHA256SUMS", "manifest.sig"):
            assert found["members"] == [f"{name} is changed: its SHA-256 is not the one in manifest.json"]

    def test_a_missing_and_an_added_member_are_named(self) -> None:
        found = members(PLAIN)
        content = found.pop("reports/run.md")
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as opened:
            for name, raw in [*found.items(), ("reports/new.md", content)]:
                opened.writestr(name, raw)
        assert failures(checked(packed.getvalue()))["members"] == [
            "reports/run.md is missing, or cannot be reached",
            "reports/new.md is added: manifest.json does not name it",
        ]

    def test_a_member_that_is_there_twice_is_named(self) -> None:
        packed = io.BytesIO(PLAIN)
        with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(packed, "a") as opened:
            opened.writestr("reports/run.md", "another")
        assert failures(checked(packed.getvalue()))["members"] == ["reports/run.md is there twice"]

    @pytest.mark.parametrize(
        ("touched", "place"),
        [
            (PLAIN + b"more", "behind the last member"),
            (PLAIN[:-2] + b"\x02\0hi", "behind the last member"),
            (PLAIN[:10] + b"\x01" + PLAIN[11:], "in manifest.json"),
        ],
        ids=["bytes at the end", "a comment", "a time"],
    )
    def test_what_is_no_part_of_a_member_is_found_too(self, touched: bytes, place: str) -> None:
        (said,) = failures(checked(touched))["archive"]
        assert said.endswith(f", {place}, is not what a bundle of these members has there")

    def test_members_in_another_order_are_found(self) -> None:
        first, *rest = members(PLAIN).items()
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as opened:
            for name, raw in [first, *reversed(rest)]:
                opened.writestr(name, raw)
        assert "archive" in failures(checked(packed.getvalue()))


class TestRewritten:
    """Somebody changed a member and every hash: only what follows from the run files gives it away."""

    @pytest.mark.parametrize(
        "name", ["reports/run.json", "reports/run.md", "reports/run.csv", "plan/run.json"]
    )
    def test_a_report_that_does_not_follow_from_its_run_file_is_named(self, name: str) -> None:
        changed = members(PLAIN)[name].replace(b"9", b"8", 1)
        assert failures(checked(repacked(PLAIN, {name: changed}))) == {
            "tables": [f"{name} is not what its run file gives"]
        }

    def test_a_changed_stamp_changes_the_tables(self) -> None:
        edited = SMALL.replace(b"140000000", b"139000000", 1)
        found = failures(checked(repacked(PLAIN, {"runs/run.jsonl": edited})))
        assert "reports/run.json is not what its run file gives" in found["tables"]

    def test_a_run_file_that_is_none_is_one_sentence(self) -> None:
        assert failures(checked(repacked(PLAIN, {"runs/run.jsonl": b"hello\n"})))["tables"] == [
            "they cannot be computed: run.jsonl line 1 is not part of a run file: JSON is malformed: "
            "invalid character (byte 0); accepted is what `edgeprof run` or `edgeprof import` wrote"
        ]

    def test_a_member_that_follows_from_nothing_is_named(self) -> None:
        assert failures(checked(repacked(PLAIN, {"reports/more.md": b"# fast"}))) == {
            "tables": ["reports/more.md does not follow from the run files"]
        }

    def test_a_manifest_that_tells_another_story_is_found(self) -> None:
        raw = members(PLAIN)["manifest.json"].replace(b"ab" * 32, b"cd" * 32)
        found = failures(checked(repacked(PLAIN, {"manifest.json": raw})))
        assert found == {"tables": ["manifest.json does not say what follows from the run files"]}

    def test_another_version_is_judged_by_the_figures(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(recomputed, "__version__", "0.9.9")
        count = len(json.loads(members(PLAIN)["reports/run.json"])["rows"][0]["metrics"])
        looks = members(PLAIN)["reports/run.md"] + b"\n"
        assert checked(repacked(PLAIN, {"reports/run.md": looks})).checks[2].found[:2] == [
            f"made by edgeprof 0.1.0; 0.9.9 computes the same {count} figures from the run files",
            "reports/run.md: by its hash only, this version writes it differently",
        ]
        report = json.loads(members(PLAIN)["reports/run.json"])
        report["rows"][0]["metrics"]["decode_tps"]["value"] *= 1.01
        found = failures(checked(repacked(PLAIN, {"reports/run.json": json.dumps(report).encode()})))
        assert found == {"tables": ["r1 decode_tps is not what its run file gives"]}
        for times in (0, 2):
            raw = json.dumps({**report, "rows": report["rows"] * times}).encode()
            found = failures(checked(repacked(PLAIN, {"reports/run.json": raw})))
            assert found["tables"][0] == "reports/run.json has other rows than its run file"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("a 0.1000000000000001, 5", "a 0.1, 5", True),
        ("a 0.1001", "a 0.1", False),
        ("a 5", "a 6", False),
        ("2000000001 bytes", "2000000000 bytes", False),
        ("1e999", "2e999", False),
        ("1e9995ab", "2e9995ab", False),
        ("a 0.1", "b 0.1", False),
        ("0.1 0.2", "0.1", False),
    ],
)
def test_only_digits_that_do_not_count_may_differ(one: str, other: str, same: bool) -> None:
    assert alike(one, other) is same


class TestSigned:
    def test_by_the_key_given(self) -> None:
        verified = checked(SIGNED, key=PUBLIC)
        assert verified.holds
        assert verified.checks[-1].found == [f"signed by the key {sig.fingerprint(PUBLIC)}, the one given"]

    def test_by_a_key_that_nobody_vouched_for(self) -> None:
        (said,) = checked(SIGNED, any_signature=True).checks[-1].found
        assert said.endswith("not checked against a key that you trust: give --key PUBLIC.pem")
        assert passed(SIGNED, any_signature=True)["signature"] is True
        assert passed(SIGNED)["signature"] is None

    def test_by_another_key(self) -> None:
        (said,) = failures(checked(SIGNED, key=OTHERS))["signature"]
        assert said.startswith(f"signed by the key {sig.fingerprint(PUBLIC)}, which is not the one given")

    @pytest.mark.parametrize("asked", [{"key": PUBLIC}, {"any_signature": True}])
    def test_an_absent_signature_fails_where_one_is_asked_for(self, asked: dict[str, Any]) -> None:
        assert failures(checked(PLAIN, **asked)) == {"signature": ["there is none, and one was asked for"]}

    def test_a_signature_that_was_taken_away_fails_unasked(self) -> None:
        assert list(failures(checked(repacked(SIGNED, {})))) == ["members", "signature"]

    def test_a_signature_by_another_key_than_the_manifest_names_fails_unasked(self) -> None:
        assert failures(checked(repacked(SIGNED, {}, OTHER)))["signature"] == [
            "broken: the key in manifest.json did not sign this manifest"
        ]

    @pytest.mark.parametrize("signer", ["", "no key", PUBLIC + "more", PUBLIC.replace("BEGIN", "BEGGING")])
    def test_a_signer_that_is_no_key_fails(self, signer: str) -> None:
        raw = members(SIGNED)["manifest.json"]
        described = msgspec.json.encode(json.loads(raw) | {"signer": signer})
        assert "signature" in failures(checked(repacked(SIGNED, {"manifest.json": described}, KEY)))

    def test_it_fails_where_it_cannot_be_checked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        hide_cryptography(monkeypatch)
        assert failures(checked(SIGNED)) == {
            "signature": [
                "not checked: signatures take the package cryptography: pip install 'edgeprof[sign]'"
            ]
        }

    def test_the_private_key_is_not_in_the_bundle(self) -> None:
        for encoding, kind in ((Encoding.Raw, PrivateFormat.Raw), (Encoding.DER, PrivateFormat.PKCS8)):
            assert KEY.private_bytes(encoding, kind, NoEncryption()) not in SIGNED


def hide_cryptography(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.startswith("cryptography"):
            raise ModuleNotFoundError(name=name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)


def key_file(folder: Path, content: bytes, mode: int = 0o600) -> Path:
    path = folder / "key.pem"
    path.write_bytes(content)
    path.chmod(mode)
    return path


def written(key: Any = KEY, passphrase: bytes | None = None) -> bytes:
    protected = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    raw: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protected)
    return raw


class TestKeys:
    def test_a_key_file_and_an_encrypted_one(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        assert sig.pem(sig.private_key(key_file(tmp_path, written())).public_key()) == PUBLIC
        encrypted = key_file(tmp_path, written(passphrase=b"secret"))
        with pytest.raises(UserError, match="is encrypted: put its passphrase into EDGEPROF_KEY_PASSPHRASE"):
            sig.private_key(encrypted)
        monkeypatch.setenv(sig.PASSPHRASE, "secret")
        assert sig.pem(sig.private_key(encrypted).public_key()) == PUBLIC
        monkeypatch.setenv(sig.PASSPHRASE, "wrong")
        with pytest.raises(UserError, match="EDGEPROF_KEY_PASSPHRASE does not open it"):
            sig.private_key(encrypted)

    @pytest.mark.parametrize(
        ("content", "mode", "said"),
        [
            (b"", 0o600, "cannot be read as a private key in PEM"),
            (PUBLIC.encode(), 0o644, "cannot be read as a private key in PEM"),
            (
                written(generate_private_key(SECP256R1())),
                0o600,
                "is no Ed25519 key, and no other kind is accepted",
            ),
            (written(), 0o640, "is a private key that others may read: chmod 600"),
        ],
    )
    def test_what_is_no_key_is_one_sentence(
        self, tmp_path: Path, content: bytes, mode: int, said: str
    ) -> None:
        with pytest.raises(UserError, match=said):
            sig.private_key(key_file(tmp_path, content, mode))

    def test_an_absent_key_says_how_to_make_one(self, tmp_path: Path) -> None:
        with pytest.raises(
            UserError, match=r"make one with: openssl genpkey -algorithm ed25519 -out key\.pem"
        ):
            sig.private_key(tmp_path / "key.pem")
        with pytest.raises(UserError, match=r"openssl pkey -in key\.pem -pubout -out public\.pem"):
            sig.public_key(tmp_path / "public.pem")

    def test_a_private_key_is_no_public_one(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="is no public Ed25519 key in PEM"):
            sig.public_key(key_file(tmp_path, written()))


def zipped(*members: tuple[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as opened:
        for name, content in members:
            opened.writestr(name, content)
    return packed.getvalue()


def with_member(name: str, content: bytes = b"x") -> bytes:
    return zipped(*members(PLAIN).items(), (name, content))


def described(**changed: Any) -> bytes:
    return zipped(
        ("manifest.json", json.dumps(json.loads(members(PLAIN)["manifest.json"]) | changed).encode())
    )


NO_BUNDLES: dict[str, bytes] = {
    "nothing": b"",
    "a run file": SMALL,
    "another zip": zipped(("a.txt", b"hello")),
    "packed again": zipped(*members(PLAIN).items(), method=zipfile.ZIP_DEFLATED),
    "a bomb": zipped(("manifest.json", bytes(50_000_000)), method=zipfile.ZIP_DEFLATED),
    "a prefix": b"#!/bin/sh\n" + PLAIN,
    "no manifest in it": zipped(("manifest.json", b"hello")),
    "nested deeply": zipped(("manifest.json", b'{"schema":' + b"[" * 100_000)),
    "not a number": zipped(("manifest.json", b'{"schema":NaN}')),
    "invalid UTF-8": zipped(("manifest.json", b'{"schema":"\xff"}')),
    "a newer schema": described(schema="edgeprof.bundle/2"),
    "an unknown field": described(color="red"),
    "a path out of the folder": described(members=[{"path": "runs/../../x", "bytes": 1, "sha256": "0" * 64}]),
    "a size that lies": PLAIN[:18] + struct.pack("<II", 2**32 - 1, 2**32 - 1) + PLAIN[26:],
    "an encrypted member": PLAIN[:6] + b"\x01" + PLAIN[7:],
}


@pytest.mark.parametrize("packed", NO_BUNDLES.values(), ids=NO_BUNDLES)
def test_what_is_no_bundle_is_one_sentence(packed: bytes) -> None:
    with pytest.raises(UserError) as raised:
        checked(packed)
    assert str(raised.value).startswith("evidence.zip ")
    assert len(str(raised.value)) < 300


@pytest.mark.parametrize(
    "name",
    ["../x", "/etc/passwd", "runs/../x", "C:\\x", "a\\b", "runs/x\x1b[31m", "runs/", "x" * 300, "runs/nul\n"],
)
def test_no_member_leads_elsewhere(name: str) -> None:
    """Nothing is unpacked here; other programs would do it."""
    assert list(failures(checked(with_member(name)))) == ["archive"]


def test_a_link_is_found() -> None:
    entry = zipfile.ZipInfo("runs/run.jsonl", (1980, 1, 1, 0, 0, 0))
    entry.external_attr = 0o120777 << 16
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as opened:
        for name, content in members(PLAIN).items():
            opened.writestr(
                entry if name == entry.filename else zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content
            )
    assert list(failures(checked(packed.getvalue()))) == ["archive"]


def test_a_directory_of_a_hundred_thousand_members_is_not_read() -> None:
    entry = PLAIN[PLAIN.index(b"PK\x01\x02") :][:59]
    assert "archive" in failures(checked(PLAIN + entry * 100_000))


class TestCommand:
    @pytest.fixture
    def run(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> Callable[..., Outcome]:
        def call(packed: bytes, *words: str) -> Outcome:
            (tmp_path / "evidence.zip").write_bytes(packed)
            (tmp_path / "public.pem").write_text(PUBLIC)
            monkeypatch.chdir(tmp_path)
            monkeypatch.setattr(sys, "argv", ["edgeprof", "verify", "evidence.zip", *words])
            return Outcome(main(), *capsys.readouterr())

        return call

    def test_it_tells_what_was_checked(self, run: Callable[..., Outcome]) -> None:
        done = run(SIGNED, "--key", "public.pem")
        assert (done.code, done.err) == (0, "")
        assert done.out.splitlines() == lines(checked(SIGNED, key=PUBLIC))
        assert [line.split()[:2] for line in done.out.splitlines()[2:6]] == [
            ["ok", "archive"], ["ok", "members"], ["ok", "tables"], ["ok", "signature"],
        ]  # fmt: skip
        assert done.out.endswith("It holds.\n")

    def test_it_ends_with_1_where_something_differs(self, run: Callable[..., Outcome]) -> None:
        done = run(PLAIN + b"\0", "-f", "json")
        assert (done.code, done.err) == (1, "")
        assert json.loads(done.out)["schema"] == "edgeprof.verified/1"
        assert json.loads(done.out)["holds"] is False

    @pytest.mark.parametrize(
        ("packed", "words", "said"),
        [
            (b"hello", (), "evidence.zip is no bundle, for it does not begin with a manifest.json"),
            (PLAIN, ("--sha256", "ab"), "--sha256 'ab': 64 hexadecimal digits are accepted"),
            (
                PLAIN,
                ("--key", "no.pem"),
                "no.pem is not there; make it of the private key with: openssl pkey",
            ),
            (PLAIN, ("-f", "xml"), "there is no format 'xml'"),
        ],
    )
    def test_it_ends_with_2_where_there_is_no_bundle(
        self, run: Callable[..., Outcome], packed: bytes, words: tuple[str, ...], said: str
    ) -> None:
        done = run(packed, *words)
        assert (done.code, done.out) == (2, "")
        assert done.err.startswith(f"edgeprof: {said}")
        assert done.err.count("\n") == 1
