"""What was typed after `edgeprof run`, and the request it makes."""

from __future__ import annotations

from pathlib import Path

import msgspec

from profiler.cli.known_builds import located
from profiler.cli.power_log import MeterLog, meter_log
from profiler.cli.values import assignments, memory, options, seconds, several, share
from profiler.measure.passes import PASSES
from profiler.measure.request import Request

WITHIN = "2%"


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The parameters of the command, as typer read them."""

    builds: list[str]
    workload: list[str] | None
    prompt: int | None
    output_tokens: int | None
    engine: str | None
    threads: str | None
    kv: str | None
    context: str | None
    flash: str | None
    setting: list[str] | None
    device: str
    target: str
    within: str | None
    max_time: str | None
    processes: int | None
    passes: int | None
    seed: int
    stall: str
    settle: str
    cold: bool
    sustained: str | None
    memory_limit: str | None
    strict: bool
    force: bool
    anchor: str | None
    resume: Path | None
    dry_run: bool
    output: Path | None
    output_format: str | None
    power_log: Path | None
    power_zone: str | None
    power_offset: str | None
    limits: str | None = None
    as_shape: bool = False
    quant: str | None = None
    layers: str | None = None
    experts: int | None = None
    provider_option: list[str] | None = None
    profile: bool = False
    trace: Path | None = None
    on: list[str] | None = None
    board_python: str = "python3"
    cores: str | None = None

    def request(self) -> Request:
        """The request behind these words. Raises `UserError` for a word that cannot be read."""
        return Request(
            builds=[located(word) for word in self.builds],
            workloads=self.workload or ["chat"],
            prompt=self.prompt,
            output_tokens=self.output_tokens,
            engines=several("--engine", self.engine) if self.engine else [],
            settings=self._settings(),
            cores=several("--cores", self.cores) if self.cores is not None else (),
            device=self.device,
            targets=several("--target", self.target),
            provider_options=options("--provider-option", self.provider_option or []),
            within=share("--within", self.within or WITHIN),
            until_decided=self.within is None,
            max_time_s=None if self.max_time is None else seconds("--max-time", self.max_time),
            rounds=self.processes,
            passes=PASSES if self.passes is None else self.passes,
            more_passes=self.passes is None,
            seed=self.seed,
            stall_s=seconds("--stall", self.stall),
            settle_s=seconds("--settle", self.settle),
            cold=self.cold,
            sustained_s=seconds("--sustained", self.sustained) if self.sustained else 0.0,
            strict=self.strict,
            profile=self.profile,
            force=self.force,
            anchor=located(self.anchor) if self.anchor is not None else None,
            memory_limit_bytes=memory("--memory-limit", self.memory_limit)
            if self.memory_limit is not None
            else None,
        )

    def meter_log(self) -> MeterLog | None:
        """The log of an external meter to join. Raises `UserError` for a zone or an offset that is none."""
        return meter_log(self.power_log, self.power_zone, self.power_offset)

    def of_the_plan(self) -> dict[str, object]:
        """What was typed of the plan of a run, by flag; None or False where nothing was."""
        return {
            "--workload": self.workload,
            "-p": self.prompt,
            "-n": self.output_tokens,
            "--engine": self.engine,
            "--threads": self.threads,
            "--kv": self.kv,
            "--context": self.context,
            "--flash": self.flash,
            "--set": self.setting,
            "--provider-option": self.provider_option,
            "--within": self.within,
            "--max-time": self.max_time,
            "--processes": self.processes,
            "--passes": self.passes,
            "--cold": self.cold,
            "--sustained": self.sustained,
            "--memory-limit": self.memory_limit,
            "--strict": self.strict,
            "--profile": self.profile,
            "--limits": self.limits,
            "--quant": self.quant,
            "--layers": self.layers,
            "--experts": self.experts,
        }

    def _settings(self) -> dict[str, list[str]]:
        lists = {"threads": self.threads, "kv": self.kv, "context": self.context, "flash": self.flash}
        named = {name: several(f"--{name}", text) for name, text in lists.items() if text is not None}
        return named | assignments("--set", self.setting or [])
