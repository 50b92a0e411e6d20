"""A profile from few words."""

from __future__ import annotations

from typing import Any

from profiler.runfile import Profile, ProfiledPart, ProfiledPhase
from tests.run_builder import MS


def a_profile(**changed: Any) -> Profile:
    part = ProfiledPart(op="MUL_MAT", part="attn_q", layers=[0], ns=[50 * MS], nodes=1, read_bytes=10**8)
    phase: dict[str, Any] = {
        "phase": "decode",
        "tokens": 1,
        "evaluations": 1,
        "wall_ns": 100 * MS,
        "plain_ns": 90 * MS,
    }
    phase |= {"graph_ns": 98 * MS, "between_ns": 8 * MS, "parts": [part]}
    return Profile(case="r1", phases=[ProfiledPhase(**(phase | changed))])
