"""Before anything is timed on a device: does the build run there, wholly, and answer as it does on the CPU?

Assignment is no proof: an export is known whose 1,915 nodes all ran on an NPU, with wrong answers. So both are asked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from profiler.errors import UserError
from profiler.measure.asking import THIS_MACHINE, Asking
from profiler.measure.endings import printable
from profiler.measure.launch import Seen, job
from profiler.runfile import Build, Case, Failure, Placed, Plan, Proof, Workload

PROMPT, TOKENS = 24, 8
LEAST_COSINE, LEAST_SAME = 0.99, 0.75
"""16-bit floats on a device gave cosines from 0.9991 on and the same tokens; 8-bit activations gave 0.967, and a mask
that overflows 16-bit floats -0.86."""

LOGITS = "logits"
"""The file by which the worker on the CPU leaves its answers to that on the device."""

STALL_S = 1800.0
"""A compiler for an NPU says nothing while it works, for minutes."""

Tell = Callable[[str], None]


def proofs(
    plan: Plan, paths: Mapping[str, Path], compiled: Path, tell: Tell, asking: Asking = THIS_MACHINE
) -> list[Proof]:
    """A proof of each case whose target is not the CPU; cases that ask the same of the same build share one.

    What a device's compiler makes of a build goes into the folder `compiled`, where later workers find it; on a board
    it stands for one there.
    """
    builds = {build.id: build for build in plan.builds}
    found: list[Proof] = []
    known: dict[str, Proof] = {}
    for case in plan.cases:
        if case.route is None:
            continue
        question = repr((case.build, case.engine, case.settings, case.route))
        if question not in known:
            tell(f"{case.build} on {case.target} beside the CPU ({case.route.provider})")
            known[question] = prove(case, builds[case.build], paths[case.build], compiled, asking)
        found.append(replace(known[question], case=case.id))
    return found


def prove(case: Case, build: Build, path: Path, compiled: Path, asking: Asking = THIS_MACHINE) -> Proof:
    """What this case shows. Raises `UserError` where the CPU itself cannot run the build."""
    small = _small(case.workload, build)
    asked = replace(case, workload=small, settings=dict(case.settings, context=None))
    kept = str(compiled / LOGITS)
    on_cpu = replace(asked, target="cpu", route=None, settings=_of_cpu(asked.settings))
    reference = _asked(on_cpu, build, path, asking, output=kept)
    if reference.proved is None:
        reason = _why(reference)
        raise UserError(f"{build.name} does not run on the CPU, which targets are held against: {reason}")
    fed = reference.proved.tokens
    mine = str(compiled_of(case, compiled))
    seen = _asked(asked, build, path, asking, reference=kept, fed=fed, compiled=mine)
    return _judged(case, seen, fed)


def _small(workload: Workload, build: Build) -> Workload:
    """A short prompt of the case's own text and some tokens, as many as the build has a context for."""
    context = build.context_length or PROMPT + TOKENS
    tokens = max(1, min(TOKENS, context // 2))
    prompt = max(1, min(PROMPT, context - tokens))
    return Workload(id=workload.id, method=workload.method, prompt_tokens=prompt, output_tokens=tokens)


def compiled_of(case: Case, folder: Path) -> Path:
    """The folder for what is compiled of one case: made for its build, its settings and its route alone."""
    asked = repr((case.build, case.settings, case.route)).encode()
    mine = folder / hashlib.sha256(asked).hexdigest()[:16]
    mine.mkdir(exist_ok=True)
    return mine


def _of_cpu(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {name: 0 if name == "gpu_layers" else value for name, value in settings.items()}


def _asked(case: Case, build: Build, path: Path, asking: Asking, **more: object) -> Seen:
    order = job(case, build, path, mode="prove", round_number=0, passes=0, seed=0)
    order |= {"tokens": case.workload.output_tokens} | more
    seen = asking.run(order, case.workload, STALL_S)
    if seen.interrupted:
        raise KeyboardInterrupt
    return seen


def _why(seen: Seen) -> str:
    return seen.failure.message if seen.failure else "it gave no answer"


def _judged(case: Case, seen: Seen, fed: list[int]) -> Proof:
    proved = seen.proved
    if proved is None:
        kind = seen.failure.kind if seen.failure else "crashed"
        return Proof(case=case.id, tokens=0, same=0, kind=kind, failure=_why(seen))
    same = sum(a == b for a, b in zip(proved.tokens, fed, strict=True))
    facts = proved.facts
    compile_ms = facts.get("compile_ms")
    elsewhere, wrong = _elsewhere(facts), _wrong(proved.cosine, same, len(fed))
    return Proof(
        case=case.id,
        tokens=len(fed),
        same=same,
        cosine=proved.cosine,
        largest=proved.largest,
        placed=_placed(facts),
        compile_ms=compile_ms if isinstance(compile_ms, float) else None,
        load_ms=proved.load_ms,
        versions=dict(facts.get("versions") or {}),
        kind="fell_back" if elsewhere else "wrong_answers" if wrong else None,
        failure=elsewhere or wrong,
    )


def _elsewhere(facts: Mapping[str, Any]) -> str | None:
    told = facts.get("fell_back")
    return printable(told) if isinstance(told, str) else None


def _wrong(cosine: float | None, same: int, tokens: int) -> str | None:
    """Why these are not the CPU's answers; None if they are."""
    if (cosine is None or cosine >= LEAST_COSINE) and same >= LEAST_SAME * tokens:
        return None
    seen = (
        ""
        if cosine is None
        else f"the cosine of its logits falls to {cosine:.3f} ({LEAST_COSINE} is needed), and "
    )
    return f"it answers otherwise than the CPU: {seen}{same} of {tokens} tokens are the same"


def _placed(facts: Mapping[str, Any]) -> list[Placed]:
    """Where the build lies, as its engine told: the strict decoding of a line of the run file is still to come."""
    shares = facts.get("shares") or {}
    return [
        Placed(
            device=printable(name, 256),
            count=share["count"],
            unit=share["unit"],
            arithmetic=share["arithmetic"],
            weights=share["weights"],
        )
        for name, share in shares.items()
    ]


def refused(proof: Proof) -> Failure | None:
    """Why a case is not measured, by its proof."""
    if proof.failure is None or proof.kind is None:
        return None
    return Failure(kind=proof.kind, message=proof.failure)
