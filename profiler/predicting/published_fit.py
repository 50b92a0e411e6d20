"""What published results say of decode in general: how well memory is used, and how far devices lie apart.

A token takes the bytes it reads over the bandwidth it gets, and a time that has nothing to do with memory:

    seconds = read_bytes / (efficiency * bytes_per_s) + overhead(target)

One efficiency for all devices and one overhead each for CPUs and GPUs: least squares of the logs of seconds, every
group of devices with the same weight however many rows it has. What remains is split into a part of the device and a
part of the row, as in a random-effects model. Pure: rows in, numbers out.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from functools import cache
from statistics import NormalDist, fmean

import msgspec

from profiler.predicting.published_rows import Published, Target

LEVEL = 0.8
OVERHEAD_SPREAD = 1.0
"""How far the overhead of a device may lie from that of its kind, as standard deviation of its log: a factor of e. Too
few small builds were published to fit it. With their chips left out, the five rows that take about half of their time
or more for overhead lie 0.3 to 1.7 times as far off as their share of it, 0.9 in root mean square."""

LAW_TARGETS: tuple[Target, ...] = ("cpu", "gpu")

REACH = 2.0
"""Rows of the same chip speak for builds that read from half the least to twice the most of what they read."""

_GOLDEN = (math.sqrt(5) - 1) / 2
_CLOSE = 1e-4
_EFFICIENCY = (math.log(0.02), math.log(2))
_OVERHEAD = (math.log(1e-5), math.log(1))


class Law(msgspec.Struct, frozen=True, kw_only=True):
    """Efficiency as a share of the bandwidth, overhead in seconds a token."""

    efficiency: float
    cpu_overhead_s: float
    gpu_overhead_s: float

    def overhead_s(self, target: Target) -> float:
        """What a token takes on such a device whatever it reads."""
        return self.cpu_overhead_s if target == "cpu" else self.gpu_overhead_s

    def seconds(self, target: Target, ideal_s: float) -> float:
        """Time of a token that would take `ideal_s` at full bandwidth."""
        return ideal_s / self.efficiency + self.overhead_s(target)


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """Variances of the logs of seconds about the law: of devices, of rows on one device, of the devices' means."""

    between: float
    within: float
    of_means: float
    means: dict[str, float]
    rows: dict[str, int]


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds a token with their interval at `LEVEL`, and the results on this chip that pulled them to themselves."""

    seconds: float
    fastest_s: float
    slowest_s: float
    own: tuple[Published, ...]


@cache
def law(rows: tuple[Published, ...]) -> Law:
    """The law that fits these rows of CPUs and GPUs best."""
    parts = {target: _points(rows, target) for target in LAW_TARGETS}

    def overhead(target: Target, log_efficiency: float) -> tuple[float, float]:
        def loss(log_overhead: float) -> float:
            return _loss(parts[target], math.exp(log_efficiency), math.exp(log_overhead))

        best = _lowest(loss, *_OVERHEAD)
        return loss(best), best

    best = _lowest(lambda log_e: sum(overhead(target, log_e)[0] for target in parts), *_EFFICIENCY)
    return Law(
        efficiency=math.exp(best),
        cpu_overhead_s=math.exp(overhead("cpu", best)[1]),
        gpu_overhead_s=math.exp(overhead("gpu", best)[1]),
    )


@cache
def spread(rows: tuple[Published, ...], target: Target) -> Spread:
    """How far the devices of CPUs or of GPUs lie from the law of all rows.

    Rows on one device differ for the same reasons on both (another engine, bits that had to be assumed, rounding), so
    that variance is the one of all rows.
    """
    logs = {kind: _logs(rows, kind) for kind in LAW_TARGETS}
    every = [found for groups in logs.values() for found in groups.values()]
    about = math.fsum((log - fmean(found)) ** 2 for found in every for log in found)
    within = about / (sum(map(len, every)) - len(every))
    means = {group: fmean(found) for group, found in logs[target].items()}
    counts = {group: len(found) for group, found in logs[target].items()}
    of_means = math.fsum(mean**2 for mean in means.values()) / (len(means) - 1)
    between = max(0.0, of_means - within * fmean(1 / count for count in counts.values()))
    return Spread(between=between, within=within, of_means=of_means, means=means, rows=counts)


def _logs(rows: tuple[Published, ...], target: Target) -> dict[str, list[float]]:
    """Of each group, how far its rows lie from the law."""
    found: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        if row.target == target and row.bytes_per_s:
            seconds = law(rows).seconds(target, row.read_bytes / row.bytes_per_s)
            found[row.group].append(math.log(row.seconds / seconds))
    return found


def expected(
    rows: tuple[Published, ...], target: Target, read_bytes: float, bytes_per_s: float, group: str | None
) -> Expected:
    """A token that reads `read_bytes` on a CPU or GPU.

    Where results of the same `group` on builds of that size are among `rows`, they pull the estimate to themselves, by
    as much as devices differ more than rows do (best linear unbiased prediction). Elsewhere the overhead, which
    differs most between devices, widens the interval by its share of the time. Nothing is faster than the bandwidth.
    """
    found, fitted = spread(rows, target), law(rows)
    seconds = fitted.seconds(target, read_bytes / bytes_per_s)
    variance, shift = found.between + found.of_means / len(found.means), 0.0
    own = own_rows(rows, target, read_bytes, group)
    if own and group:
        trust = found.between / (found.between + found.within / found.rows[group])
        variance, shift = variance * (1 - trust), trust * found.means[group]
    else:
        variance += (OVERHEAD_SPREAD * fitted.overhead_s(target) / seconds) ** 2
    half_width = t_quantile(len(found.means) - 1) * math.sqrt(variance + found.within)
    return _around(seconds * math.exp(shift), half_width, own, read_bytes / bytes_per_s)


def own_rows(
    rows: Sequence[Published], target: Target, read_bytes: float, group: str | None
) -> list[Published]:
    """The results on the same chip, if they are of builds that read about as much."""
    own = [row for row in rows if row.group == group and row.target == target]
    read = [row.read_bytes for row in own]
    return own if own and min(read) / REACH <= read_bytes <= max(read) * REACH else []


def in_proportion(own: Sequence[Published], read_bytes: float) -> Expected:
    """A token on the very chip of these rows, in proportion to the bytes it reads; at least two rows are needed."""
    logs = [math.log(row.seconds / row.read_bytes) for row in own]
    mean = fmean(logs)
    variance = math.fsum((log - mean) ** 2 for log in logs) / (len(logs) - 1)
    half_width = t_quantile(len(logs) - 1) * math.sqrt(variance * (1 + 1 / len(logs)))
    return _around(read_bytes * math.exp(mean), half_width, own, 0.0)


def _around(seconds: float, half_width: float, own: Sequence[Published], least_s: float) -> Expected:
    factor = math.exp(half_width)
    return Expected(
        seconds=seconds,
        fastest_s=max(seconds / factor, least_s),
        slowest_s=seconds * factor,
        own=tuple(own),
    )


def t_quantile(degrees: int) -> float:
    """What Student's t exceeds in size with probability 1 - `LEVEL`: Fisher's expansion, within 0.5% from 2 degrees."""
    z = NormalDist().inv_cdf((1 + LEVEL) / 2)
    if degrees == 1:
        return math.tan(math.pi * LEVEL / 2)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / degrees + second / degrees**2 + third / degrees**3


def _points(rows: Sequence[Published], target: Target) -> list[tuple[float, float, float]]:
    """Of each row: seconds at full bandwidth, seconds taken, weight."""
    known = [row for row in rows if row.target == target and row.bytes_per_s]
    counts = Counter(row.group for row in known)
    return [
        (row.read_bytes / row.bytes_per_s, row.seconds, 1 / counts[row.group])
        for row in known
        if row.bytes_per_s
    ]


def _loss(points: Sequence[tuple[float, float, float]], efficiency: float, overhead_s: float) -> float:
    return math.fsum(
        weight * math.log((ideal_s / efficiency + overhead_s) / seconds) ** 2
        for ideal_s, seconds, weight in points
    )


def _lowest(loss: Callable[[float], float], low: float, high: float) -> float:
    """Where a function with one valley is lowest (golden-section search)."""
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_left, at_right = loss(left), loss(right)
    while high - low > _CLOSE:
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - _GOLDEN * (high - low)
            at_left = loss(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + _GOLDEN * (high - low)
            at_right = loss(right)
    return (low + high) / 2
