"""Rows on devices beside the CPU: what was proven of them, and those on imitated devices, which have no speed."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from profiler.analyse.amounts import percent
from profiler.analyse.estimate import Estimate
from profiler.analyse.notices import Notice
from profiler.runfile import Case, Header, Proof, is_simulated

BASIS = "simulated"


def proof_of(header: Header, case: Case) -> Proof | None:
    """What a case showed before anything was timed; None on the CPU."""
    return next((proof for proof in header.proofs if proof.case == case.id), None)


def is_proven(header: Header, case: Case) -> bool:
    """Whether a case on an imitated device answers as the CPU does."""
    proof = proof_of(header, case)
    return is_simulated(case) and proof is not None and proof.failure is None


def withheld(case: Case, figures: Mapping[str, Estimate]) -> dict[str, Estimate]:
    """The figures of a case on an imitated device: what its file says, and for all that was not timed the reason."""
    assert case.route is not None, "only a case with a route is simulated"
    reason = f"withheld: {case.route.simulated} says nothing of a device's speed or memory"
    return {
        name: found if found.value is not None else replace(found, reason=reason)
        for name, found in figures.items()
    }


def proof_notices(header: Header, case: Case) -> list[Notice]:
    """Where it runs and that its answers are right; and which software imitates the device."""
    proof, route = proof_of(header, case), case.route
    if proof is None or route is None:
        return []
    found = []
    if route.simulated:
        found.append(
            Notice(
                code="simulated",
                seen=f"{route.simulated} stands for the device of {route.provider}",
                advice="it shows that the build runs there and what it answers; take its speed on the device itself",
            )
        )
    if proof.failure is None:
        found.append(Notice(code="proven", seen=_seen(proof), advice="nothing needs to be done"))
    return found


def _seen(proof: Proof) -> str:
    cosine = "" if proof.cosine is None else f", cosine of logits at least {proof.cosine:.6f}"
    answers = f"{proof.same} of {proof.tokens} tokens are the CPU's{cosine}"
    return "; ".join([answers, *_places(proof), *_times(proof)])


def _places(proof: Proof) -> list[str]:
    return [
        f"{one.device} has {one.count:,} {one.unit}"
        + (f", {percent(one.arithmetic)} of the products" if one.arithmetic is not None else "")
        + (f", {percent(one.weights)} of the weights" if one.weights is not None else "")
        for one in proof.placed
    ]


def _times(proof: Proof) -> list[str]:
    told = {"compiled": proof.compile_ms, "loaded": proof.load_ms}
    return [f"{what} in {ms / 1000:.3g} s" for what, ms in told.items() if ms is not None]
