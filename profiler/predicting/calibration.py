"""A calibration of this machine: what one unit of each term costs here, by number of threads, and how it is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import platformdirs

from profiler.errors import UserError
from profiler.whole_file import read_whole

SCHEMA = "edgeprof.calibration/4"
MOST_BYTES = 4 << 20
ADVICE = "edgeprof calibrate writes a new one"

Amount = Annotated[float, msgspec.Meta(ge=0, le=1e30)]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=1e6)]
Name = Annotated[str, msgspec.Meta(max_length=64, pattern=r"^[A-Za-z0-9_:, ]+\Z")]
Text = Annotated[str, msgspec.Meta(max_length=500)]
Threads = Annotated[int, msgspec.Meta(ge=1, le=4096)]


class Sample(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A call that was timed: a prompt of so many tokens or, if that is 0, one token, after `depth` others.

    `seconds` is the median of its repetitions, `terms` is how much of each term the call has. One that was not
    `fitted` says how well the costs hold.
    """

    trial: Name
    threads: Threads
    prompt: Annotated[int, msgspec.Meta(ge=0, le=1 << 24)]
    depth: Amount
    seconds: Seconds
    terms: dict[Name, Amount]
    fitted: bool = True


class Costs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Seconds that one unit of each term takes with so many threads."""

    threads: Threads
    seconds: dict[Name, Amount]


class Calibration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was measured of a machine. `usual` is the number of threads that all terms were measured with.

    `cpu` and `engine` tell another machine or build of the engine apart. `bytes_per_s` is the highest rate at which
    the engine has read weights. `drift` is by how much the slower of two sweeps was behind, and `left_out` are trials
    that are not part of it.
    """

    schema: Annotated[str, msgspec.Meta(pattern=rf"^{SCHEMA}\Z")]
    edgeprof: Text
    date: Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d\d-\d\d\Z")]
    cpu: Text
    engine: Text
    usual: Threads
    costs: list[Costs]
    bytes_per_s: Annotated[float, msgspec.Meta(gt=0, le=1e18)]
    drift: Annotated[float, msgspec.Meta(ge=1, le=1e6)] | None
    left_out: list[Text]
    samples: list[Sample]


def calibration_file() -> Path:
    """Where the calibration of this machine is kept."""
    return platformdirs.user_data_path("edgeprof") / "calibration.json"


def saved() -> Calibration | None:
    """The calibration of this machine, None if there is none. Raises `UserError` for a file that is none."""
    path = calibration_file()
    if not path.exists():
        return None
    content = read_whole(path, str(path), MOST_BYTES, ADVICE)
    try:
        return msgspec.json.decode(content, type=Calibration)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        if "`$.schema`" in str(error):
            raise UserError(f"{path} was made by another version of edgeprof: {ADVICE}") from None
        raise UserError(f"{path} is no calibration ({error}): {ADVICE}") from None


def save(calibration: Calibration) -> Path:
    """Keep it in the place of one that was there. Raises `UserError` if the disk refuses."""
    path = calibration_file()
    unfinished = path.with_suffix(".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_bytes(msgspec.json.format(msgspec.json.encode(calibration), indent=1))
        unfinished.replace(path)
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror})") from None
    return path


def fastest_read(samples: Sequence[Sample]) -> float:
    """The highest rate at which weights were read for single tokens, in bytes per second."""
    return max(
        sum(amount for name, amount in one.terms.items() if name.startswith("read:")) / one.seconds
        for one in samples
        if not one.prompt
    )


def fastest_products(samples: Sequence[Sample]) -> float | None:
    """The highest rate at which a whole prompt was multiplied with weights, in multiply-adds per second."""
    rates = [
        sum(amount for name, amount in one.terms.items() if name.startswith("multiply:")) / one.seconds
        for one in samples
        if one.prompt
    ]
    return max(rates, default=0.0) or None


def costs_of(samples: Sequence[Sample]) -> list[Costs]:
    """The costs of each number of threads."""
    from profiler.predicting.least_squares import costs

    found = []
    for threads in dict.fromkeys(one.threads for one in samples):
        own = [one for one in samples if one.threads == threads and one.fitted]
        rows: list[Mapping[str, float]] = [one.terms for one in own]
        found.append(Costs(threads=threads, seconds=costs(rows, [one.seconds for one in own])))
    return found
