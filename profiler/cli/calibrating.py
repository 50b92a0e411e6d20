"""What `edgeprof calibrate` does: time the trials, fit the costs, keep them, and say how well they hold."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from importlib.util import find_spec

from profiler import __version__
from profiler.cli.ending import as_interrupts
from profiler.cli.progress import progress
from profiler.cli.show import on_screen
from profiler.cli.swept_folder import swept_folder
from profiler.cli.values import several
from profiler.errors import UserError
from profiler.host.last_level_cache import cache_of_guest, last_level_cache
from profiler.host.machine import available_memory, default_threads
from profiler.predicting.calibrated import identity
from profiler.predicting.calibrating import Timed, timed
from profiler.predicting.calibration import SCHEMA, Calibration, costs_of, fastest_read, save
from profiler.predicting.trials import LARGE_BYTES, Trial, large_bytes, trials
from profiler.render import calibration_terminal

MOST_THREADS = 512


def start(threads: str | None, seconds: float) -> None:
    """The whole command. Raises `UserError`; after Ctrl-C the calibration that was there before is untouched."""
    if find_spec("llama_cpp") is None:
        raise UserError("calibrate measures llama.cpp, which is not installed: pip install 'edgeprof[gguf]'")
    usual, *others = _numbers(threads)
    cache = cache_of_guest() or last_level_cache() or 0
    large = large_bytes(available_memory().available_bytes or LARGE_BYTES, cache)
    wanted = trials(usual, others, large)
    found = _measured(wanted, seconds)
    calibration = _fitted(usual, found)
    path = save(calibration)
    on_screen(
        "terminal",
        lambda: calibration_terminal.render(calibration, path),
        lambda width: calibration_terminal.renderable(calibration, path, width),
    )


def _numbers(text: str | None) -> list[int]:
    """Numbers of threads, the usual one first."""
    if text is None:
        return list(dict.fromkeys([default_threads(), 1]))
    words = several("--threads", text)
    if not all(word.isascii() and word.isdigit() and 1 <= int(word[:9]) <= MOST_THREADS for word in words):
        raise UserError(f"--threads {text[:40]!r}: whole numbers from 1 to {MOST_THREADS} are accepted")
    return list(dict.fromkeys(map(int, words)))


def _measured(wanted: Sequence[Trial], seconds: float) -> Timed:
    with as_interrupts(), swept_folder("calibrations") as folder, progress() as line:
        return timed(
            wanted, folder, seconds, lambda what, gone, all_of_it: line.bytes(what, int(gone), int(all_of_it))
        )


def _fitted(usual: int, found: Timed) -> Calibration:
    fitted = {one.threads for one in found.samples if one.fitted}
    if usual not in fitted:
        reasons = "; ".join(found.left_out[:3]) or "no time was left"
        raise UserError(f"nothing could be measured ({reasons}): give more time with --seconds")
    here = identity()
    return Calibration(
        schema=SCHEMA,
        edgeprof=__version__,
        date=datetime.date.today().isoformat(),
        cpu=here.cpu,
        engine=here.engine or "llama.cpp",
        usual=usual,
        costs=costs_of(found.samples),
        bytes_per_s=fastest_read(found.samples),
        drift=found.drift,
        left_out=found.left_out,
        samples=found.samples,
    )
