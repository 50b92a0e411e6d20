"""The programs that makers of boards and of systems give to tell their state."""

from __future__ import annotations

from profiler.host.programs import Program


def vcgencmd(*words: str) -> Program:
    """A question to the firmware of a Raspberry Pi."""
    return Program(name="-".join(("vcgencmd", *words)), command=("vcgencmd", *words))


TEGRASTATS = Program(name="tegrastats", command=("tegrastats", "--interval", "500"), first_line_only=True)
"""A line every half second, without end."""

NVPMODEL = Program(name="nvpmodel", command=("nvpmodel", "-q"))
"""The power mode of a Jetson, by name and number."""

POWERMETRICS = Program(
    name="powermetrics",
    command=("powermetrics", "--samplers", "cpu_power,gpu_power,thermal", "-i", "1000", "-n", "1"),
    system="Darwin",
)
"""One sample of a second, for root only."""

POWERMETRICS_POWER = Program(
    name="powermetrics",
    command=("powermetrics", "-b", "1", "--samplers", "cpu_power,gpu_power", "-i", "1000"),
    system="Darwin",
)
"""A sample every second, line by line, without end."""
