"""What a report says about a build that was made from another."""

from __future__ import annotations

import msgspec

from profiler.analyse.agreement import summary
from profiler.analyse.report import report
from profiler.render import markdown, terminal
from profiler.runfile import Agreement, Build, Closeness
from tests.run_builder import build, case, rounds, run

FLOOR = Closeness(top1=0.954, largest=1.3, kl=0.0123, perplexity=39.5)
AGREEMENT = Agreement(
    text_sha256="c0ffee",
    tokens=454,
    weights=134_515_008,
    weights_unequal=0,
    reference_perplexity=39.42,
    exact=Closeness(top1=1.0, largest=1.7e-4, kl=0.0, perplexity=39.42),
    fast=Closeness(top1=0.958, largest=1.8, kl=0.0119, perplexity=39.64),
    floor=FLOOR,
)


def made(agreement: Agreement | None) -> Build:
    facts = {"source": "m.Q4_1.gguf", "via": "direct", "agreement": agreement, "bits_read_per_weight": 6.04}
    return build("m-onnx", "int4", **facts)


def test_a_build_that_was_made_from_nothing_says_nothing() -> None:
    assert summary(build("a")) is None


def test_a_build_that_was_not_checked_says_so() -> None:
    assert summary(made(None)) == (
        "m-onnx was made from m.Q4_1.gguf (direct); whether it agrees with it was not checked"
    )


def test_a_build_of_an_exporter_is_not_compared() -> None:
    exported = msgspec.structs.replace(made(None), via="optimum")
    assert summary(exported) == (
        "m-onnx was made from m.Q4_1.gguf (optimum): its weights are that exporter's own and were not compared"
    )


def test_every_finding_of_a_check_is_told() -> None:
    assert summary(made(AGREEMENT)) == (
        "m-onnx was made from m.Q4_1.gguf (direct): all 134,515,008 weights are equal; with float32 activations "
        "top token equal at 100%, logits within 0.00017 of llama.cpp on the same weights; as served top-1 95.8%, "
        "KL 0.012, perplexity 39.64 against llama.cpp (top-1 95.4%, KL 0.012, perplexity 39.5 is llama.cpp one by "
        "one against its own batch); 454 tokens of shipped text"
    )


def test_what_could_not_be_compared_and_what_failed_are_told() -> None:
    bad = msgspec.structs.replace(
        AGREEMENT, weights_unequal=3, exact=None, fast=None, not_compared="too large", failures=["3 differ"]
    )
    assert summary(made(bad)) == (
        "m-onnx was made from m.Q4_1.gguf (direct): 3 of 134,515,008 weights are not equal; too large; "
        "454 tokens of shipped text; 3 differ"
    )


def test_it_stands_in_reports_with_the_rows_that_it_concerns_and_the_bits_read() -> None:
    cases = [case("r1", "g"), case("r2", "m-onnx", engine="ort", threads=4)]
    builds = [build("g", "Q4_1", bits_read_per_weight=5.0), made(AGREEMENT)]
    found = report(run(cases, rounds("r1", [10] * 8), rounds("r2", [11] * 8), builds=builds))
    shown = terminal.render(found, 160)
    assert "\nAgreement\n  r2: m-onnx was made from m.Q4_1.gguf (direct): all" in shown
    assert "bits read" in shown
    assert "6.04" in shown
    assert "### Agreement" in markdown.render(found)


def test_a_build_that_disagrees_has_a_notice() -> None:
    bad = made(msgspec.structs.replace(AGREEMENT, failures=["3 weights differ"]))
    found = report(run([case("r1", "m-onnx")], rounds("r1", [10] * 8), builds=[bad]))
    assert [notice.code for notice in found.rows[0].notices] == ["disagrees"]
