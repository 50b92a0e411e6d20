"""This moment on a board's own clocks."""

import time
from typing import Dict


def anchor() -> Dict[str, int]:
    """This moment on the board's wall clock and on the clock of its stamps."""
    return {"wall_ns": time.time_ns(), "mono_ns": time.perf_counter_ns()}
