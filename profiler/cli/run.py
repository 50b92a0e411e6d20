"""`edgeprof run`: profile builds on this machine, interleaved, into one run file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_RUN, _VARIANTS, _EFFORT = "What to run", "Variants (comma lists; every combination is a case)", "How long"


def run(
    builds: Annotated[
        list[str], typer.Argument(metavar="BUILD...", help="Model files (GGUF).", show_default=False)
    ],
    workload: Annotated[
        list[str] | None,
        typer.Option(
            "-w",
            "--workload",
            help="chat, code, rag, pp512, tg128, tg128@d512; repeatable.",
            show_default="chat",
        ),
    ] = None,
    prompt: Annotated[
        int | None, typer.Option("-p", help="Prompt tokens, instead of the workload's.")
    ] = None,
    output_tokens: Annotated[
        int | None, typer.Option("-n", help="Generated tokens, instead of the workload's.")
    ] = None,
    engine: Annotated[str | None, typer.Option(help="Engines, such as llama-cpp.")] = None,
    threads: Annotated[str | None, typer.Option("-t", "--threads", help="Such as 2,4.")] = None,
    kv: Annotated[str | None, typer.Option(help="Types of the KV cache, such as f16,q8_0.")] = None,
    context: Annotated[str | None, typer.Option(help="Context lengths in tokens.")] = None,
    flash: Annotated[str | None, typer.Option("--flash", help="Flash attention: auto, on, off.")] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "-s", "--set", metavar="KEY=VALUE", help="Any other engine setting, such as ubatch=256."
        ),
    ] = None,
    device: Annotated[
        str, typer.Option(help="Device profile to label the run with; `this` describes this machine itself.")
    ] = "this",
    target: Annotated[str, typer.Option(help="What to run on: cpu.")] = "cpu",
    within: Annotated[str, typer.Option(help="Half-width of the headline intervals to reach.")] = "2%",
    max_time: Annotated[str, typer.Option(help="Start no new round after this long.")] = "5m",
    processes: Annotated[
        int | None, typer.Option(help="Exactly this many rounds, looked at once.", show_default="3 to 30")
    ] = None,
    passes: Annotated[int, typer.Option(help="Counted passes of each worker.")] = 3,
    seed: Annotated[int, typer.Option(help="Seed of the order of rounds and of random token ids.")] = 1,
    stall: Annotated[str, typer.Option(help="Stop a worker that makes no progress for this long.")] = "5m",
    settle: Annotated[
        str, typer.Option(help="Wait at most this long before each worker for other programs to go quiet.")
    ] = "10s",
    force: Annotated[bool, typer.Option("--force", help="Run what does not fit into memory.")] = False,
    resume: Annotated[
        Path | None, typer.Option(help="Go on with this run file: same builds, its own plan.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show plan, memory and duration only.")] = False,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="The run file to write.")] = None,
    output_format: Annotated[
        str | None,
        typer.Option("-f", "--format", help="terminal, markdown, csv or json.", show_default="terminal"),
    ] = None,
) -> None:
    """Profile builds on this machine: first token, tokens per second, memory, with intervals.

    Example: edgeprof run a-Q4_0.gguf a-Q8_0.gguf --threads 2,4 --max-time 2m
    """  # fmt: skip
    from profiler.cli.values import assignments, seconds, several, share
    from profiler.measure.start import Request

    lists = {"threads": threads, "kv": kv, "context": context, "flash": flash}
    wanted = {name: several(f"--{name}", text) for name, text in lists.items() if text is not None}
    request = Request(
        builds=builds,
        workloads=workload or ["chat"],
        prompt=prompt,
        output_tokens=output_tokens,
        engines=several("--engine", engine) if engine else [],
        settings=wanted | assignments("--set", setting or []),
        device=device,
        target=target,
        within=share("--within", within),
        max_time_s=seconds("--max-time", max_time),
        rounds=processes,
        passes=passes,
        seed=seed,
        stall_s=seconds("--stall", stall),
        settle_s=seconds("--settle", settle),
        force=force,
    )
    from profiler.cli.running import dry, fresh, resumed

    if dry_run:
        dry(request)
    elif resume is not None:
        resumed(request, resume, output_format)
    else:
        fresh(request, output, output_format)
