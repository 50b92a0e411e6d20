"""Which models fit, as one table: models in lines, contexts in columns, the best mix that fits in each cell."""

from __future__ import annotations

from collections.abc import Sequence

from profiler.predicting.prediction import Prediction
from profiler.render import format as fmt
from profiler.render.columns import Cell, Line, Table
from profiler.render.rows import bounded

ORDER = (
    "the largest model first, and of each the mix with most bits whose total stays in memory at that context; "
    "-f json has every mix, in the order: fits, what the limits say, parameters, bits, context"
)


def table(found: Sequence[Prediction]) -> Table:
    """The models of which anything fits. What the limits of a use would skip is left out."""
    contexts = sorted({one.context for one in found})
    lines = [
        Line([bounded(model), _parameters(mine)], [_cell(mine, context) for context in contexts])
        for model, mine in _models([one for one in found if fits(one)])
    ]
    return Table(
        title="What fits, predicted",
        names=["model", "parameters"],
        figures=[(f"context {context:,}", "") for context in contexts],
        lines=lines,
    )


def fits(one: Prediction) -> bool:
    """Whether it stays in memory, and no limit would skip it."""
    return one.fit.word == "fits" and not any(verdict.word == "skip" for verdict in one.verdicts)


def without(found: Sequence[Prediction]) -> list[str]:
    """The models of which nothing fits."""
    fitting = {one.model for one in found if fits(one)}
    return list(dict.fromkeys(one.model for one in found if one.model not in fitting))


def _models(found: Sequence[Prediction]) -> list[tuple[str, list[Prediction]]]:
    """Each model with its predictions, in their order: that of usefulness."""
    names = list(dict.fromkeys(one.model for one in sorted(found, key=lambda one: -(one.parameters or 0))))
    return [(name, [one for one in found if one.model == name]) for name in names]


def _parameters(mine: Sequence[Prediction]) -> str:
    count = mine[0].parameters
    if count is None:
        return "-"
    return f"{count / 1e9:.1f} B" if count >= 1e9 else f"{count / 1e6:.0f} M"


def _cell(mine: Sequence[Prediction], context: int) -> Cell:
    best = next((one for one in mine if one.context == context), None)
    if best is None or best.memory is None:
        return Cell("-")
    speed = best.speed.decode[0].decode_tps.value if best.speed and best.speed.decode else None
    told = f", {fmt.number(speed)} tok/s" if speed is not None else ""
    return Cell(best.quantization or "-", f"{fmt.size(best.memory.total_bytes)}{told}", word=True)
