"""How well decode is predicted on devices that were left out: `python -m bench.published` prints it, writes nothing.

Every group of devices in turn is taken out of the published results, with all its rows, and its rows are predicted from
the rest: first groups of the same chip, then single devices. Then single rows, of chips that have others: what a chip
with published results is worth. Errors are of tokens per second, relative to the published figure.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from statistics import median

import msgspec

from profiler.catalogue.devices import load_devices
from profiler.predicting.published import FEWEST
from profiler.predicting.published_fit import (
    LAW_TARGETS,
    LEVEL,
    Expected,
    expected,
    in_proportion,
    law,
    own_rows,
    spread,
)
from profiler.predicting.published_rows import Published, Target, published, results


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """A row that took no part in its own prediction: relative error of its speed, and whether the interval has it."""

    row: Published
    error: float
    covered: bool


def by_law() -> tuple[Published, ...]:
    """The rows that the law is fitted to: those of CPUs and GPUs."""
    return tuple(row for row in published() if row.target != "npu")


def left_out_by(key: Callable[[Published], str]) -> list[Judged]:
    """Every CPU and GPU row, predicted from the rows with another `key`."""
    found = []
    for name in sorted({key(row) for row in by_law()}):
        rest = tuple(row for row in by_law() if key(row) != name)
        found += [_judged(row, _expected(rest, row)) for row in by_law() if key(row) == name]
    return found


def left_out_rows() -> list[Judged]:
    """Rows of chips that have further rows: predicted from all others, those of the same chip among them."""
    counts = Counter((row.group, row.target) for row in by_law())
    found = []
    for row in by_law():
        if counts[row.group, row.target] > 1:
            rest = tuple(other for other in by_law() if other is not row)
            found.append(_judged(row, _expected(rest, row)))
    return found


def left_out_on_npus() -> list[Judged]:
    """NPU rows, predicted in proportion to the other rows of the same NPU, where the program would predict them."""
    found = []
    rows = [row for row in published() if row.target == "npu"]
    for row in rows:
        others = [other for other in rows if other is not row and other.group == row.group]
        own = own_rows(others, "npu", row.read_bytes, row.group)
        if row.profile and len(own) >= FEWEST - 1:
            found.append(_judged(row, in_proportion(own, row.read_bytes)))
    return found


def prompt_errors() -> list[float]:
    """Relative errors of prompt speeds on GPUs from peak fp32 compute and the median share of the other chips."""
    shares: dict[str, list[float]] = {}
    for row in by_law():
        peak = _fp32_peak(row)
        if row.target == "gpu" and row.prefill_tps and peak:
            shares.setdefault(row.group, []).append(2 * row.parameters * row.prefill_tps / peak)
    middle = {group: median(found) for group, found in shares.items()}
    rest = {group: median(share for other, share in middle.items() if other != group) for group in middle}
    return [abs(rest[group] / share - 1) for group, found in shares.items() for share in found]


def share_covered(found: Sequence[Judged]) -> float:
    """Share of rows whose published figure lies in the interval."""
    return sum(one.covered for one in found) / len(found)


def middle_error(found: Sequence[Judged]) -> float:
    """Median of the absolute errors."""
    return median(abs(one.error) for one in found)


def of(target: Target, found: Iterable[Judged]) -> list[Judged]:
    """Those of one kind of target."""
    return [one for one in found if one.row.target == target]


def _expected(rest: tuple[Published, ...], row: Published) -> Expected:
    assert row.bytes_per_s is not None
    return expected(rest, row.target, row.read_bytes, row.bytes_per_s, row.group)


def _judged(row: Published, found: Expected) -> Judged:
    covered = found.fastest_s <= row.seconds <= found.slowest_s
    return Judged(row=row, error=row.seconds / found.seconds - 1, covered=covered)


def _fp32_peak(row: Published) -> float | None:
    profile = load_devices().get(row.profile or "")
    peaks = [
        one.peaks.get("fp32")
        for one in (profile.accelerators.values() if profile else ())
        if one.kind == "gpu"
    ]
    return next((peak.dense_gops.value * 1e9 for peak in peaks if peak and peak.dense_gops), None)


def _line(name: str, found: Sequence[Judged]) -> str:
    errors = sorted(abs(one.error) for one in found)
    ninth = errors[math.ceil(0.9 * len(errors)) - 1]
    chips, devices = len({one.row.group for one in found}), len({one.row.device for one in found})
    return (
        f"{name:44} {len(found):4} {chips:5} {devices:7} {middle_error(found):9.1%} {ninth:8.1%} "
        f"{share_covered(found):9.1%}"
    )


def _bad(one: Judged) -> str:
    row = one.row
    word = "in " if one.covered else "out"
    return f"  {one.error:+6.0%} {word} {row.target} {row.device}, {row.model}, {row.engine}"


def _print_law() -> None:
    fitted = law(by_law())
    print(
        f"seconds = bytes / ({fitted.efficiency:.3f} x bandwidth) + "
        f"{fitted.cpu_overhead_s * 1e3:.1f} ms (CPU) or {fitted.gpu_overhead_s * 1e3:.1f} ms (GPU)"
    )
    for target in LAW_TARGETS:
        apart = spread(by_law(), target)
        devices, rows = math.sqrt(apart.between), math.sqrt(apart.within)
        print(f"{target}: devices differ by {devices:.2f}, rows by {rows:.2f} (standard deviations of logs)")


def main() -> None:
    """Print the law, the errors and the rows that were left out."""
    _print_law()
    print(f"\n{'left out':44} rows chips devices    median  9 of 10 in {LEVEL:.0%} interval")
    cases = {
        "chip": left_out_by(lambda row: row.group),
        "device": left_out_by(lambda row: row.device),
        "row, of a chip with others": left_out_rows(),
    }
    for name, found in cases.items():
        for target in LAW_TARGETS:
            print(_line(f"{name}, {target}", of(target, found)))
        print(_line(f"{name}, both", found))
    print(_line("row, of an NPU with others", left_out_on_npus()))
    errors = prompt_errors()
    print(
        f"\n{len(errors)} prompts on GPUs from peak fp32 compute, chip left out: median error {median(errors):.0%}"
    )
    print("\nworst of those whose chip was left out")
    print("\n".join(_bad(one) for one in sorted(cases["chip"], key=lambda one: -abs(one.error))[:12]))
    print("\nrows of the table that cannot be compared")
    for reason, count in Counter(row.left_out for row in results() if row.left_out).most_common():
        print(f"  {count:2} {reason}")


if __name__ == "__main__":
    main()
