"""Which models fit, as one table: models in lines, contexts in columns, the best mix that fits in each cell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from profiler.predicting.prediction import Prediction
from profiler.render import format as fmt
from profiler.render.columns import Cell, Line, Table
from profiler.render.rows import bounded

ORDER = (
    "the largest model first, and of each the mix with most bits that stays in memory at that context, "
    "and the memory it needs there; "
    "-f json has every mix, in the order: fits, what the limits say, parameters, bits, context"
)


def table(found: Sequence[Prediction]) -> Table:
    """The models of which anything fits. What the limits of a use would skip is left out."""
    contexts = _columns(found)
    lines = [
        Line(
            [bounded(model), _parameters(mine)],
            [_cell(mine, context, n == 0) for n, context in enumerate(contexts)],
        )
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
    return f"{count / 1e9:.1f} B" if count >= 0.9995e9 else f"{count / 1e6:.0f} M"


def _columns(found: Sequence[Prediction]) -> list[int]:
    """The contexts of most models: one that takes less than the first of them is told in the first column."""
    counts = Counter(one.context for one in found)
    return sorted(context for context, count in counts.items() if 4 * count >= max(counts.values()))


def _cell(mine: Sequence[Prediction], context: int, first: bool) -> Cell:
    """The best mix at a context. The first column has the longest context of a model that takes less, too."""
    best = next((one for one in mine if one.context == context or (first and one.context < context)), None)
    if best is None or best.memory is None:
        return Cell("-")
    speed = best.speed.decode[0].decode_tps.value if best.speed and best.speed.decode else None
    told = f", {fmt.number(speed)} tok/s" if speed is not None else ""
    at = f" at {best.context:,}" if best.context != context else ""
    return Cell(best.quantization or "-", f"{fmt.size(best.fit.needed_bytes or 0)}{told}{at}", word=True)
