"""What a prediction says, in tables and plain words. Terminal and Markdown lay them out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from profiler.analyse.amounts import amount
from profiler.predicting.prediction import Figure, Memory, Prediction, Verdict
from profiler.render import format as fmt
from profiler.render.columns import Cell, Line, Table
from profiler.render.rows import bounded
from profiler.runfile import THIS

FIT = {
    "fits": "fits",
    "fits_with_mmap": "from disk",
    "does_not_fit": "does not fit",
    "unknown": "unknown",
}
CPU = "cpu"
SHOWN_SETTINGS = (
    "kv",
    "flash",
    "batch",
    "ubatch",
    "threads",
    "mmap",
    "mlock",
    "repack",
    "accuracy",
    "arena",
    "graph",
)
MEMORY = (
    ("weights", "weights_bytes"),
    ("KV cache", "kv_bytes"),
    ("compute", "compute_bytes"),
    ("rewritten", "rewritten_bytes"),
)
EXACT = "weights, KV cache and compute are the engine's own plan for these settings; compute is what it sets aside"
COUNTED = (
    "the total is what lies in memory when the context is full: of compute only what a prompt touches ({touched}), "
    "and {process} for the process, measured on this machine while it planned"
)
OF_DEVICE = (
    "weights, KV cache and compute, as if all of it lay in the accelerator's memory; "
    "the engine's back end for it may round differently"
)
FIT_LABEL, MOST_BESIDE, MOST_SOURCES = "Fit", 6, 2


def title(found: Sequence[Prediction]) -> str:
    """What is predicted, of where."""
    first = found[0]
    device = "this machine" if first.device == THIS else first.device_name
    return fmt.plain(f"Predicted for {device}, {first.target}")


def tables(found: Sequence[Prediction]) -> list[Table]:
    """Memory, then speeds of what has any. Nothing in them was measured."""
    return [_memory(found), *_speeds(found)]


def _varying(found: Sequence[Prediction]) -> list[str]:
    """Settings that differ where builds have them, in a reader's order; the context is always told."""
    values = {name: {one.settings[name] for one in found if name in one.settings} for name in SHOWN_SETTINGS}
    return [name for name in SHOWN_SETTINGS if len(values[name]) > 1]


def _names(found: Sequence[Prediction]) -> list[str]:
    engines = ["engine"] if len({one.engine for one in found}) > 1 else []
    return ["build", *engines, "context", *_varying(found)]


def _named(one: Prediction, names: Sequence[str]) -> list[str]:
    said = {"build": bounded(one.build), "engine": bounded(one.engine), "context": f"{one.context:,}"}
    said |= {name: fmt.setting(value) for name, value in one.settings.items() if name not in said}
    return [said.get(name, "-") for name in names]


def _memory(found: Sequence[Prediction]) -> Table:
    names = _names(found)
    shown = [(label, field) for label, field in MEMORY if any(_of(one.memory, field) for one in found)]
    return Table(
        title="Memory, predicted",
        names=names,
        figures=[*((label, "") for label, _ in shown), ("total", ""), ("", "")],
        lines=[_memory_line(one, names, [field for _, field in shown]) for one in found],
    )


def _of(memory: Memory | None, field: str) -> int | None:
    value = getattr(memory, field) if memory is not None else None
    return value if isinstance(value, int) else None


def _memory_line(one: Prediction, names: Sequence[str], fields: Sequence[str]) -> Line:
    memory, needed = one.memory, one.fit.needed_bytes
    if memory is None or needed is None:
        return Line(_named(one, names), [], FIT[one.fit.word], fmt.plain(one.fit.beside or one.fit.room))
    sizes = [_of(memory, field) for field in fields]
    cells = [Cell("?" if value is None else fmt.size(value)) for value in sizes]
    total = ("at least " if memory.lower_bound else "") + fmt.size(
        needed if one.target != CPU else memory.total_bytes
    )
    return Line(_named(one, names), [*cells, Cell(total), Cell(FIT[one.fit.word], word=True)])


def _speeds(found: Sequence[Prediction]) -> Iterator[Table]:
    """Decoding at each depth and prompts of each length, of the builds whose speed is known."""
    known, names = [one for one in found if one.speed is not None], _names(found)
    if not known:
        return
    yield Table(
        title="Decoding, predicted",
        names=[*names, "after"],
        figures=[("decode", "tok/s"), ("limited by", "")],
        lines=[
            Line(
                [*_named(one, names), f"{at.depth:,} tokens"],
                [_cell(at.decode_tps), Cell(at.limited_by or "-", word=True)],
            )
            for one in known
            for at in (one.speed.decode if one.speed else [])
        ],
    )
    yield Table(
        title="Prompts, predicted",
        names=[*names, "prompt"],
        figures=[("TTFT", "ms"), ("prefill", "tok/s")],
        lines=[
            Line([*_named(one, names), f"{of.tokens:,} tokens"], [_cell(of.ttft_ms), _cell(of.prefill_tps)])
            for one in known
            for of in (one.speed.prompts if one.speed else [])
        ],
    )


def _cell(figure: Figure) -> Cell:
    if figure.value is None:
        return Cell("-")
    return Cell(fmt.number(figure.value), _range(figure))


def _range(figure: Figure) -> str:
    if figure.low is None or figure.high is None:
        return ""
    return f"[{fmt.number(figure.low)} to {fmt.number(figure.high)}]"


def facts(found: Sequence[Prediction]) -> list[tuple[str, str]]:
    """What the tables rest on: the room, what is exact, where each figure comes from."""
    memories = [one.memory for one in found if one.memory is not None]
    told = [("Room", fmt.plain(found[0].fit.room)), *_beside(found), *_of_memory(memories, found[0].target)]
    told += [("Speed", text)] if (text := _speed_source(found)) else []
    told += [("Range", text)] if (text := _ranges(found)) else []
    told += [("Not told", reason) for reason in _reasons(found)]
    told += [("Only here", text) for text in _each(found, _only_here)]
    return told + [("Note", note) for note in _each(found, lambda one: one.notes)]


def _beside(found: Sequence[Prediction]) -> list[tuple[str, str]]:
    """What is to know of single words, where there are few."""
    told = [
        f"{bounded(one.build)}, context {one.context:,}: {fmt.plain(one.fit.beside)}"
        for one in found
        if one.fit.beside and one.memory is not None
    ]
    return [(FIT_LABEL, text) for text in dict.fromkeys(told)][:MOST_BESIDE]


def _of_memory(memories: Sequence[Memory], target: str) -> Iterator[tuple[str, str]]:
    if not memories:
        return
    yield "Memory", _joined([memory.source for memory in memories])
    counted = [memory for memory in memories if memory.compute_bytes is not None]
    if counted:
        yield "Exact", EXACT
        if target != CPU:
            yield "Total", OF_DEVICE
            return
        touched, process = (
            _spread([getattr(one, name) for one in counted]) for name in ("touched_bytes", "process_bytes")
        )
        yield "Estimated", COUNTED.format(touched=touched, process=process)


def _spread(values: Sequence[int]) -> str:
    low, high = fmt.size(min(values)), fmt.size(max(values))
    return low if low == high else f"{low} to {high}"


def _each(found: Sequence[Prediction], texts_of: Callable[[Prediction], Sequence[str]]) -> list[str]:
    """Each text once, with the builds it is of where it is not of all."""
    texts = dict.fromkeys(text for one in found for text in texts_of(one))
    named = {text: list(dict.fromkeys(one.build for one in found if text in texts_of(one))) for text in texts}
    builds = {one.build for one in found}
    return [
        fmt.plain(text if len(named[text]) == len(builds) else f"{_some(named[text])}: {text}")
        for text in texts
    ]


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_BESIDE} more" if len(names) > MOST_BESIDE else ""
    return ", ".join(names[:MOST_BESIDE]) + more


def _only_here(one: Prediction) -> list[str]:
    return [one.memory.only_here] if one.memory is not None and one.memory.only_here else []


def _joined(texts: Sequence[str]) -> str:
    return fmt.plain("; ".join(dict.fromkeys(texts)))


def _speed_source(found: Sequence[Prediction]) -> str:
    """Where speeds come from; of many sources, which differ by build, the first."""
    sources = list(dict.fromkeys(one.speed.source for one in found if one.speed is not None))
    if len(sources) <= MOST_SOURCES:
        return _joined(sources)
    return fmt.plain(
        f"{sources[0]}; {len(sources) - 1} others like it, by build: --format json has that of each row"
    )


def _reasons(found: Sequence[Prediction]) -> list[str]:
    """Why figures are missing that others stand beside."""
    speeds = [one.speed for one in found if one.speed is not None]
    figures = [at.decode_tps for speed in speeds for at in speed.decode]
    figures += [of.prefill_tps for speed in speeds for of in speed.prompts]
    return list(dict.fromkeys(fmt.plain(one.reason) for one in figures if one.value is None and one.reason))


def _ranges(found: Sequence[Prediction]) -> str:
    """What the ranges promise."""
    figures = [at.decode_tps for one in found if one.speed for at in one.speed.decode]
    levels = sorted({figure.level for figure in figures if figure.level is not None})
    said = " or ".join(f"{100 * level:.0f}%" for level in levels)
    return f"holds what would be measured in {said} of like cases" if said else ""


def facts_of_fits(found: Sequence[Prediction]) -> list[tuple[str, str]]:
    """Those that a table of what fits needs below it."""
    return [fact for fact in facts(found) if fact[0] in ("Room", "Memory", "Speed", "Range", "Only here")]


def verdicts(found: Sequence[Prediction]) -> list[tuple[str, Verdict]]:
    """Build with context, and its predicted verdict."""
    return [
        (bounded(f"{one.build}, context {one.context:,}"), verdict)
        for one in found
        for verdict in one.verdicts
    ]


def limit_rows(verdict: Verdict) -> list[list[str]]:
    """Each limit: as it was written, the predicted value, its range, its word and the reason."""
    return [
        [
            fmt.plain(one.limit),
            "-" if one.value is None else amount(one.value, one.unit),
            ""
            if None in (one.low, one.high) or one.low == one.high
            else f"[{_end(one.low, one.unit)} to {_end(one.high, one.unit)}]",
            one.word,
            fmt.plain(one.reason),
        ]
        for one in verdict.judged
    ]


def _end(value: float | None, unit: str) -> str:
    return "-" if value is None else amount(value, unit)
