"""A calibration for a terminal: rates by storage type, bandwidth, and how well another model was predicted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Group, RenderableType

from profiler.analyse.amounts import percent
from profiler.predicting.calibration import Calibration, Sample
from profiler.predicting.cost_model import errors
from profiler.predicting.trials import KINDS, ROUTED_KINDS
from profiler.render import format as fmt
from profiler.render.columns import Cell, Line, Table
from profiler.render.terminal import WIDTH_WITHOUT_TERMINAL, as_text, facts, listed, titled

DRIFTED = 1.05


def render(found: Calibration, path: Path, width: int = WIDTH_WITHOUT_TERMINAL) -> str:
    """The calibration as plain text without colour, for pipes."""
    return as_text(renderable(found, path, width), width)


def renderable(found: Calibration, path: Path, width: int) -> RenderableType:
    """The calibration for a console of this width. `path` is where it is kept."""
    parts: list[RenderableType] = []
    for table in _tables(found):
        parts += titled(table, width)
    parts += listed("Left out", found.left_out)
    return Group(*parts, "", facts(list(_facts(found, path))))


def _tables(found: Calibration) -> Iterator[Table]:
    for one in found.costs:
        own = [sample for sample in found.samples if sample.threads == one.threads]
        yield Table(
            title=f"Calibration with {one.threads} thread{'s' * (one.threads != 1)}",
            names=["weights in"],
            figures=[("single tokens", "GB/s"), ("prompts", "GFLOP/s")],
            lines=list(_lines(own)),
        )


def _lines(samples: Sequence[Sample]) -> Iterator[Line]:
    """Storage types with the rates at which their models were read and multiplied, all other work included."""
    for name in (*KINDS, *(f"experts in {kind}" for kind in ROUTED_KINDS)):
        own = [one for one in samples if one.trial == name]
        if own:
            read = [_amount(one, "read:") / one.seconds / 1e9 for one in own if not one.prompt]
            made = [
                2 * _amount(one, "multiply:") / one.seconds / 1e9
                for one in own
                if one.prompt and name in KINDS
            ]
            yield Line([name], [_most(read), _most(made)])


def _amount(sample: Sample, prefix: str) -> float:
    return sum(amount for name, amount in sample.terms.items() if name.startswith(prefix))


def _most(rates: Sequence[float]) -> Cell:
    return Cell(fmt.number(max(rates)) if rates else "-")


def _facts(found: Calibration, path: Path) -> Iterator[tuple[str, str]]:
    yield "Processor", found.cpu
    yield "Engine", found.engine
    yield "Bandwidth", f"{found.bytes_per_s / 1e9:.3g} GB/s, the most at which the engine has read weights"
    for what, prompt in (("decode", False), ("prompts", True)):
        off = errors(found, prompt=prompt)
        if off:
            yield (
                f"Check, {what}",
                f"{', '.join(f'{error:+.1%}' for error in off)} off, on a model that was not fitted",
            )
    if found.drift is not None:
        more = (
            ", so the machine was busy: stop what else runs and calibrate again"
            if found.drift > DRIFTED
            else ""
        )
        yield "Drift", f"{percent(found.drift - 1)} between two sweeps{more}"
    yield "Kept in", str(path)
