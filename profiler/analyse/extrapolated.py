"""Rows of models that are measured as shapes of few layers: figures, notices, failures.

Times come from the lines of `extrapolated_lines`, memory from what the engine planned for the full model, what a token
reads from its header. All else would take the full model, and is absent.
"""

from __future__ import annotations

from profiler.analyse import extrapolated_lines
from profiler.analyse.amounts import size
from profiler.analyse.bandwidth import bandwidth_share, bits_read, read_bytes, speed
from profiler.analyse.estimate import Estimate
from profiler.analyse.extrapolated_lines import EXTRAPOLATED
from profiler.analyse.metrics import ENERGY_METRICS, IDLE_POWER, OF_WORKERS, PASS_METRICS, Metric
from profiler.analyse.notices import Notice, row_notices
from profiler.analyse.percentiles import FIRST_TOKENS, GAPS
from profiler.analyse.study import Study
from profiler.runfile import Case, ExtrapolatedCase, Extrapolation, Failure

BASIS = "extrapolated"

NOT_LOADED = "of a full model that was not loaded"
NOT_ITS_TEXT = "a shape has no tokenizer of the model, and random text"
PLANNED = "planned by the engine for the full model, not measured"
TEXTS = frozenset({"tokenize_ms", "ttft_e2e_ms", "text_bps", "prompt_bps"})

DOES_NOT_FIT = "as_if_it_fitted"
"""The code of the notice that a full model takes more memory than the machine of the run has."""


def figures(study: Study, case: Case) -> dict[str, Estimate]:
    """Every cell of an extrapolated case by the name of its metric."""
    method, build = case.workload.method, study.builds[case.build]
    found = {m.name: figure(study, case, m) for m in PASS_METRICS if method in m.methods}
    elsewhere = [
        *OF_WORKERS,
        *(FIRST_TOKENS if method == "text" else []),
        *(GAPS if method == "text" else []),
    ]
    absent = [*elsewhere, *ENERGY_METRICS, IDLE_POWER]
    found |= {m.name: _absent(m, NOT_LOADED) for m in absent if method in m.methods}
    found |= _planned(study.extrapolated[case.id][1])
    read = read_bytes(build, case)
    share = bandwidth_share(study.run.header.device, read, speed(found))
    return found | {
        "read_bytes_per_token": read,
        "bits_read_per_weight": bits_read(build),
        "bandwidth_share": share,
    }


def figure(study: Study, case: Case, metric: Metric) -> Estimate:
    """One time or rate, from the line of each round."""
    if metric.name not in EXTRAPOLATED:
        return _absent(metric, NOT_ITS_TEXT if metric.name in TEXTS else NOT_LOADED)
    lines = study.lines(metric, case)
    shapes = [study.samples[shape.id] for shape in study.shapes_of(case)]
    passes = sum(len(shape.passes[line.round]) for line in lines.rounds for shape in shapes)
    excluded = sum(shape.excluded for shape in shapes)
    return extrapolated_lines.estimate(metric, lines, study.level, passes, excluded)


def _absent(metric: Metric, reason: str) -> Estimate:
    return Estimate(value=None, unit=metric.unit, reason=reason)


def _planned(found: ExtrapolatedCase) -> dict[str, Estimate]:
    """The memory of the full model by the words of a measured row."""
    told = {
        "weights_bytes": found.weights_bytes,
        "kv_bytes": found.kv_bytes,
        "compute_reserved_bytes": found.compute_bytes,
    }
    why = found.not_planned or NOT_LOADED
    return {
        name: Estimate(
            value=None if count is None else float(count), unit="B", reason=why if count is None else PLANNED
        )
        for name, count in told.items()
    }


def planned_bytes(found: ExtrapolatedCase) -> int | None:
    """What the full model takes in all; None where its engine did not plan it."""
    parts = [found.weights_bytes, found.kv_bytes, found.compute_bytes]
    known = [part for part in parts if part is not None]
    return sum(known) if found.weights_bytes is not None else None


def notices(study: Study, case: Case) -> list[Notice]:
    """What a row is extrapolated from and under which assumptions, whether it would fit; then those of its shapes."""
    whole, found = study.extrapolated[case.id]
    shapes = [notice for shape in study.shapes_of(case) for notice in row_notices(study, shape)]
    own = [_basis(study, case, whole), _fits(study, found), *_assumed(whole)]
    return list(dict.fromkeys([*(notice for notice in own if notice is not None), *shapes]))


def notices_of(study: Study, case: Case) -> list[Notice]:
    """The notices of any row with figures, measured or extrapolated."""
    return notices(study, case) if case.id in study.extrapolated else row_notices(study, case)


def _basis(study: Study, case: Case, whole: Extrapolation) -> Notice:
    rows = [
        f"{shape.id} {taken.layers}" for shape, taken in zip(study.shapes_of(case), whole.shapes, strict=True)
    ]
    return Notice(
        code="extrapolated",
        seen=f"extrapolated to {whole.layers} layers from shapes with random weights (row and layers: "
        f"{', '.join(rows)}); its intervals hold {_allowed(study, case)}",
        advice="edgeprof explain shows the line through each round",
    )


def _allowed(study: Study, case: Case) -> str:
    """By how much intervals are widened, over all figures of the row."""
    metrics = [m for m in PASS_METRICS if m.name in EXTRAPOLATED and case.workload.method in m.methods]
    found = [study.lines(metric, case) for metric in metrics]
    bent = max((lines.error for lines in found if lines.error_is == "lack_of_fit"), default=None)
    shares = sorted({study.allowance(metric, case) for metric in metrics})
    usual = f"{' and '.join(f'{100 * share:g}%' for share in shares)} for what a line may be wrong by"
    if study.extrapolated[case.id][0].experts is not None:
        usual += ", since its shapes have fewer experts"
    return usual if bent is None else f"{usual}, and up to {100 * bent:.2g}% where the shapes lie on no line"


def _fits(study: Study, found: ExtrapolatedCase) -> Notice | None:
    needed, here = planned_bytes(found), study.run.header.device.memory_bytes
    if needed is None or here is None:
        return None
    if needed <= here:
        return Notice(
            code="would_fit",
            seen=f"the full model needs {size(needed)}, and this machine has {size(here)}",
            advice="a file of it can be measured whole",
        )
    return Notice(
        code=DOES_NOT_FIT,
        seen=f"as if it fitted: the full model needs {size(needed)}, and this machine has {size(here)}",
        advice="here it would read its weights from the disk, and be far slower; "
        "a smaller quantization or more memory would do",
    )


def _assumed(whole: Extrapolation) -> list[Notice]:
    return [
        Notice(code="assumed", seen=sentence, advice="the full model may differ in this")
        for sentence in whole.assumed
    ]


def failure(study: Study, case: Case) -> Failure | None:
    """Why an extrapolated row has no figures: the last failure of one of its shapes."""
    whole, _ = study.extrapolated[case.id]
    for shape, taken in zip(study.shapes_of(case), whole.shapes, strict=True):
        failures = [worker.failure for worker in study.workers[shape.id] if worker.failure is not None]
        if failures and not study.has_figures(shape):
            told = f"its shape of {taken.layers} layers ({shape.id}): {failures[-1].message}"
            return Failure(kind=failures[-1].kind, message=told)
    return None
