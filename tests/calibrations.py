"""Calibrations for tests: of a machine whose costs are known."""

from __future__ import annotations

from collections.abc import Mapping

from profiler import __version__
from profiler.predicting.calibrated import identity
from profiler.predicting.calibration import SCHEMA, Calibration, Costs, Sample

COSTS = {
    **{f"read:{kind}": 1e-10 for kind in ("Q8_0", "Q4_K", "Q6_K", "F16", "Q5_0", "Q4_0")},
    **{f"unpack:{kind}": 1e-10 for kind in ("Q8_0", "Q4_K", "Q6_K", "F16", "Q5_0", "Q4_0")},
    **{f"multiply:{kind}": 5e-12 for kind in ("Q8_0", "Q4_K", "Q6_K", "F16", "Q5_0", "Q4_0")},
    "route:Q4_K": 2e-10,
    "attend:f16:auto": 1e-9,
    "attend_short:f16:auto": 1e-9,
    "attend:q8_0:auto": 2e-9,
    "fetch": 1e-10,
    "experts": 1e-10,
    "attend_prompt:f16:auto": 5e-10,
    "call": 1e-5,
    "layer": 1e-5,
    "values": 1e-10,
    "values:Q4_K": 1e-10,
    "ends": 1e-12,
    "ends:Q4_K": 1e-12,
    "layers_of_prompt": 1e-5,
    "rows": 1e-9,
    "choose": 1e-6,
}
FEW = {
    name: 2 * cost for name, cost in COSTS.items() if name in ("read:Q4_K", "multiply:Q4_K", "call", "layer")
}


def sample(terms: Mapping[str, float], seconds: float, *, prompt: int = 0, fitted: bool = True) -> Sample:
    return Sample(
        trial="a trial", threads=4, prompt=prompt, depth=0, seconds=seconds, terms=dict(terms), fitted=fitted
    )


def calibration(*, samples: list[Sample] | None = None, drift: float | None = None) -> Calibration:
    """With four threads for everything, with one for a few terms, which cost twice as much there."""
    here = identity()
    return Calibration(
        schema=SCHEMA,
        edgeprof=__version__,
        date="2026-11-29",
        cpu=here.cpu,
        engine=here.engine or "llama.cpp",
        usual=4,
        costs=[Costs(threads=4, seconds=COSTS), Costs(threads=1, seconds=FEW)],
        bytes_per_s=1e10,
        drift=drift,
        left_out=[],
        samples=samples or [],
    )
