"""Two rows that are compared, each with its run, and what ties them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from profiler.analyse.across import SESSION_SD, common_anchor
from profiler.analyse.compared import Design
from profiler.analyse.comparison import comparable, differs
from profiler.analyse.differences import differences, same_device
from profiler.analyse.metrics import Metric
from profiler.analyse.pairing import between, inside
from profiler.analyse.study import Study
from profiler.runfile import Case

_WIDENED = (
    f"intervals of speeds are widened by the {100 * SESSION_SD:g}% by which each session of a build moves"
)
NO_ANCHOR = (
    "the rows are of two runs without an anchor in common, so what the machine did between them is not known: "
    f"{_WIDENED}; measure both in one run, or each with the same --anchor BUILD"
)
ANCHORED = (
    "ratios are those of each row to the anchor of its own run; the two values beside them are as measured, and what "
    "the machine did between the runs is still in them"
)
OTHER_DEVICE = (
    "the runs are of different devices: an anchor would cancel what one machine did, not what another one is, so none "
    f"is used, and {_WIDENED}"
)


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """Two rows that belong together, each with its run, and the anchors that tie their runs."""

    base: tuple[Study, Case]
    candidate: tuple[Study, Case]
    anchors: tuple[Case, Case] | None = None

    @property
    def paired(self) -> bool:
        """Whether both are rows of one run, so that pairs are formed inside its rounds."""
        return self.base[0] is self.candidate[0]

    @property
    def alike(self) -> bool:
        """Whether both were asked the same."""
        return comparable(self.base[1], self.candidate[1])

    @property
    def method(self) -> str:
        """How the base was measured: "text" or "raw"."""
        return self.base[1].workload.method

    @property
    def measured(self) -> bool:
        """Whether both rows have figures."""
        return all(study.has_figures(case) for study, case in (self.base, self.candidate))

    @property
    def design(self) -> Design:
        """How their ratios are formed."""
        return "paired" if self.paired else "anchored" if self.anchors else "unanchored"

    def logs(self, metric: Metric) -> tuple[dict[int, float], dict[int, float]]:
        """The log of one value for each process, on either side."""
        (ours, case), (theirs, other) = self.base, self.candidate
        return ours.logs(metric, case), theirs.logs(metric, other)

    def differs(self) -> list[str]:
        """What is not the same, in words."""
        if self.paired:
            return differs(self.base[1], self.candidate[1], self.base[0].builds)
        return differences(self.base, self.candidate)


def matches(ours: Study, theirs: Study, rows: tuple[str | None, str | None]) -> tuple[list[Match], list[str]]:
    """The rows that belong together, and what found no partner, in sentences. Raises `UserError` where none can."""
    found, unmatched = (inside(ours, *rows), []) if ours is theirs else between(ours, theirs, *rows)
    matched = [
        Match(base=(ours, base), candidate=(theirs, other), anchors=_tie(ours, theirs, base))
        for base, other in found
    ]
    return matched, unmatched


def _tie(ours: Study, theirs: Study, base: Case) -> tuple[Case, Case] | None:
    """The common anchor. Inside one run none is needed; an anchor compared through itself would always be the same."""
    if ours is theirs or base.id in ours.plan.anchors:
        return None
    return common_anchor(ours, theirs, base.workload)


def notes(matched: Sequence[Match]) -> list[str]:
    """What to know of comparisons across runs; nothing inside one."""
    across = [match for match in matched if not match.paired and match.alike]
    if across and not same_device(across[0].base[0], across[0].candidate[0]):
        return [OTHER_DEVICE]
    found = [NO_ANCHOR] if any(match.anchors is None for match in across) else []
    return found + ([ANCHORED] if any(match.anchors is not None for match in across) else [])
