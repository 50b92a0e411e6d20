"""What the fields of records may hold: types with their bounds, and the limits of a plan."""

from __future__ import annotations

from typing import Annotated

import msgspec

SCHEMA = "edgeprof.run/1"
IMPORTED_SCHEMA = "edgeprof.imported/1"
"""That of a document of figures from another tool, which is no run; see `runfile/imported.py`."""

MOST_CASES, MOST_ROUNDS, MOST_PASSES, MOST_TOKENS = 1000, 200, 50, 1_048_576
"""Limits of a plan: cases, rounds, passes of one worker, tokens of a prompt, an answer or a depth."""

MOST_LAYERS, MOST_SHAPES, MOST_ASSUMED = 512, 8, 50
"""Layers of a model (the most that llama.cpp loads), shapes that one model is measured as, and what may be assumed."""

MOST_BOARDS = 100
"""Boards of which one file may hold the runs."""

THIS = "this"
"""The id of the machine a program runs on, as it describes itself; no profile may take it."""

MOST_SECONDS = 30 * 24 * 3600
"""The longest time that a plan may set for anything."""

LARGEST_READING = 1e15
"""Joules or watts that no sensor tells: a reading beyond is a mistake."""

FAILURE_KINDS = (
    "missing_library",
    "bad_file",
    "load_failed",
    "out_of_memory",
    "timeout",
    "crashed",
    "fell_back",
    "wrong_answers",
    "link_lost",
    "rebooted",
)

Name = Annotated[str, msgspec.Meta(max_length=256)]
"""What is repeated in every line of a table: a name of megabytes would make gigabytes of it."""

LONGEST_SENTENCE = 1000
Sentence = Annotated[str, msgspec.Meta(max_length=LONGEST_SENTENCE)]
Settings = dict[Name, int | Name | bool | None]
Whole = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
Natural = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Tokens = Annotated[int, msgspec.Meta(ge=0, le=MOST_TOKENS)]
Layers = Annotated[int, msgspec.Meta(ge=1, le=MOST_LAYERS)]
Passes = Annotated[int, msgspec.Meta(ge=1, le=MOST_PASSES)]
Rounds = Annotated[int, msgspec.Meta(ge=1, le=MOST_ROUNDS)]
Positive = Annotated[float, msgspec.Meta(gt=0)]
Finite = Annotated[float, msgspec.Meta(ge=-LARGEST_READING, le=LARGEST_READING)]
NotNegative = Annotated[float, msgspec.Meta(ge=0)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Celsius = Annotated[float, msgspec.Meta(ge=-300, le=1000)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=MOST_SECONDS)]
Method = Annotated[str, msgspec.Meta(pattern=r"^(text|raw)\Z")]
Scope = Annotated[str, msgspec.Meta(pattern=r"^(device|board|package|partial|gpu|npu|part)\Z")]
Quantity = Annotated[str, msgspec.Meta(pattern=r"^(energy|power)\Z")]
FailureKind = Annotated[str, msgspec.Meta(pattern=rf"^({'|'.join(FAILURE_KINDS)})\Z")]


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every part of the run file is: frozen, named, and refused when a field is not known."""
