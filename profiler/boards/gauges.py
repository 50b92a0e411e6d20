"""Sensors of a board: it reads their files beside a worker, and what they held is read here, by the same meters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from profiler.boards.link import Link
from profiler.boards.mirror import Mirror, write
from profiler.host.kernel_files import names_read
from profiler.measure.metering import IDLE_SHARE, MOST_READINGS, SHARE, SHORTEST_S
from profiler.runfile import Samples
from profiler.telemetry.protocol import Meter


class Gauges:
    """The meters of one board, whose root is its mirror."""

    def __init__(self, meters: Sequence[Meter], mirror: Mirror) -> None:
        self.meters, self._mirror = meters, mirror
        self._names = [_names_of(meter) for meter in meters]

    def begin(self, link: Link, *, idle: bool = False) -> None:
        """From now on the board reads."""
        if not self.meters:
            return
        every = max([SHORTEST_S, *(meter.sensor.period_s or 0.0 for meter in self.meters)])
        wanted = self._mirror.sampled(set().union(*self._names))
        most = max(1, MOST_READINGS // len(self.meters) // 2)
        link.ask("sample", **wanted, every_s=every, share=IDLE_SHARE if idle else SHARE, most=most)

    def end(self, link: Link) -> tuple[dict[str, Samples], float | None]:
        """What was read since, by the id of each sensor, and the share of a core that it took."""
        if not self.meters:
            return {}, None
        found = link.ask("sampled")
        if found is None:
            return {}, None
        return self._read_again(found["at_ns"], found["texts"]), float(found["share"])

    def _read_again(self, at_ns: Sequence[Any], texts: Sequence[Mapping[str, Any]]) -> dict[str, Samples]:
        taken: dict[str, list[tuple[int, float]]] = {meter.sensor.id: [] for meter in self.meters}
        for at, files in zip(at_ns, texts, strict=True):
            write(self._mirror.root, {name: text for name, text in files.items() if isinstance(text, str)})
            for meter in self.meters:
                value = meter.read()
                if value is not None:
                    taken[meter.sensor.id].append((int(at), value))
        return {
            id: Samples(at_ns=[at for at, _ in pairs], values=[value for _, value in pairs])
            for id, pairs in taken.items()
        }


def _names_of(meter: Meter) -> set[str]:
    """The files of the tree that one reading asks for."""
    with names_read() as names:
        meter.read()
    return names
