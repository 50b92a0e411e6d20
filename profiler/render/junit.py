"""The outcome of a gate as JUnit XML: one test case for each condition and pair of rows."""

from __future__ import annotations

from collections import Counter
from xml.etree import ElementTree

from profiler.analyse.compared import Compared, Pair
from profiler.analyse.gate import Outcome, Result
from profiler.render import format as fmt
from profiler.render.compared_words import by

SUITE = "edgeprof compare"


def render(found: Compared) -> str:
    """A failed condition is a failure, an undecided one is skipped: what to do with it is the reader's choice."""
    counts = Counter(item.result for item in found.conditions)
    suite = ElementTree.Element(
        "testsuite",
        name=SUITE,
        tests=str(len(found.conditions)),
        failures=str(counts[Result.FAILED]),
        errors="0",
        skipped=str(counts[Result.UNDECIDED]),
    )
    for item in found.conditions:
        suite.append(_case(found, item))
    suites = ElementTree.Element("testsuites")
    suites.append(suite)
    ElementTree.indent(suites)
    text = ElementTree.tostring(suites, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _about(pair: Pair) -> str:
    return f"{pair.candidate} {pair.candidate_build}{by(pair.candidate_basis)}, {pair.workload}"


def _case(found: Compared, item: Outcome) -> ElementTree.Element:
    pair = next((p for p in found.pairs if (p.base, p.candidate) == (item.base, item.candidate)), None)
    about = _about(pair) if pair else "no pair of rows"
    case = ElementTree.Element(
        "testcase", classname=fmt.plain(about), name=fmt.plain(f"not {item.condition}"), time="0"
    )
    seen = fmt.plain(item.seen)
    match item.result:
        case Result.FAILED:
            ElementTree.SubElement(case, "failure", message=seen, type=fmt.plain(item.condition)).text = seen
        case Result.UNDECIDED:
            ElementTree.SubElement(case, "skipped", message=f"undecided: {seen}")
        case Result.PASSED:
            ElementTree.SubElement(case, "system-out").text = seen
    return case
