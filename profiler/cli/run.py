"""`edgeprof run`: profile builds on this machine, interleaved, into one run file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from profiler.cli.power_options import PowerLogFile, PowerOffset, PowerZone

Words = list[str] | None
Builds = Annotated[
    list[str],
    typer.Argument(
        metavar="BUILD...",
        help="GGUF files, ONNX folders, ids of fetched builds; with --as-shape ids of models.",
        show_default=False,
    ),
]
Workloads = Annotated[
    Words,
    typer.Option(
        "-w", "--workload", help="chat, code, rag, pp512, tg128, tg128@d512; repeatable.", show_default="chat"
    ),
]
Prompt = Annotated[int | None, typer.Option("-p", help="Prompt tokens, instead of the workload's.")]
Output = Annotated[int | None, typer.Option("-n", help="Generated tokens, instead of the workload's.")]
Engines = Annotated[str | None, typer.Option(help="Engines, such as llama-cpp,ort-genai,ort.")]
Threads = Annotated[str | None, typer.Option("-t", "--threads", help="Such as 2,4; every value is a case.")]
Kv = Annotated[str | None, typer.Option(help="Types of the KV cache, such as f16,q8_0.")]
Context = Annotated[str | None, typer.Option(help="Context lengths in tokens, such as 2048,8192.")]
Flash = Annotated[str | None, typer.Option(help="Flash attention, such as auto,off.")]
Settings = Annotated[
    Words,
    typer.Option(
        "-s", "--set", metavar="KEY=VALUE", help="Any other engine setting, such as ubatch=256,512."
    ),
]
Device = Annotated[
    str, typer.Option(help="Device profile to label the run with; `this` describes this machine itself.")
]
Target = Annotated[
    str,
    typer.Option(
        help="What to run on, such as cpu,npu: cpu, npu, gpu, or an accelerator of the device by name. "
        "`devices this --targets` lists what this machine has."
    ),
]
ProviderOption = Annotated[
    Words,
    typer.Option(
        metavar="KEY=VALUE",
        help="An option of the target's provider, such as htp_arch=73; device=NAME chooses one of several.",
    ),
]
Within = Annotated[
    str | None,
    typer.Option(
        help="Half-width of the headline intervals to reach; without it a comparison ends when it is decided.",
        show_default="2%",
    ),
]
MaxTime = Annotated[
    str | None,
    typer.Option(help="Start no new round after this long.", show_default="5m; 10m where cases are compared"),
]
Processes = Annotated[
    int | None, typer.Option(help="Exactly this many rounds, looked at once.", show_default="3 to 30")
]
Passes = Annotated[
    int | None,
    typer.Option(help="Counted passes of each worker.", show_default="3; 5 where starting one is dear"),
]
Seed = Annotated[int, typer.Option(help="Seed of the order of rounds and of random token ids.")]
Stall = Annotated[str, typer.Option(help="Stop a worker that makes no progress for this long.")]
Settle = Annotated[
    str, typer.Option(help="Wait at most this long before each worker for other programs to go quiet.")
]
Cold = Annotated[
    bool, typer.Option("--cold", help="Send each build out of the page cache before its process starts.")
]
Sustained = Annotated[
    str | None,
    typer.Option(
        metavar="TIME", help="One long process of each case, such as 10m: speed, clock and heat over time."
    ),
]
MemoryLimit = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE",
        help="Run each process under a real limit of memory, such as 4G: would it run on that board?",
    ),
]
Strict = Annotated[
    bool, typer.Option("--strict", help="Let a case fail that runs elsewhere, or otherwise, than asked.")
]
Profile = Annotated[
    bool,
    typer.Option(
        "--profile", help="Profile each case after the last round: the time of operations and layers."
    ),
]
Trace = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE.json",
        help="With --profile, write every operation of its last pass for Perfetto or Chrome.",
        show_default=False,
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Run what does not fit into memory.")]
Anchor = Annotated[
    str | None,
    typer.Option(
        metavar="BUILD",
        help="Measure this build in every round too, only to compare this run with other runs later; "
        "inside one run it costs a third of the time and gains nothing.",
        show_default=False,
    ),
]
Limits = Annotated[
    str | None,
    typer.Option(
        metavar="FILE|NAME",
        help="Plan enough rounds and passes for these limits, and judge by them: a TOML file or a ready set, "
        "see `verdict`.",
        show_default=False,
    ),
]
AsShape = Annotated[
    bool,
    typer.Option(
        "--as-shape",
        help="Measure models of the catalogue, named by id, as shapes of few layers with random weights, and "
        "extrapolate to all layers: as if the model fitted in memory.",
    ),
]
Quant = Annotated[
    str | None,
    typer.Option(help="Quantization of shapes, such as Q8_0.", show_default="the model's usual one"),
]
Layers = Annotated[
    str | None,
    typer.Option(help="Layers of the shapes, such as 4,8.", show_default="two or three depths that fit"),
]
Experts = Annotated[
    int | None, typer.Option(help="Fewer experts in shapes than the model has, where they take too much.")
]
Cores = Annotated[
    str | None,
    typer.Option(
        help="Bind workers to cores: big, little, all, or numbers such as 4-7; several make cases: big,little.",
        show_default=False,
    ),
]
On = Annotated[
    list[str] | None,
    typer.Option(
        "--on",
        metavar="[NAME=]USER@BOARD",
        help="Measure on a board that OpenSSH reaches, as ~/.ssh/config has it; several, one after the other, "
        "named apart as NAME=USER@BOARD.",
        show_default=False,
    ),
]
BoardPython = Annotated[
    str, typer.Option(help="Python 3.9 or later on the board, which has the engine.", metavar="COMMAND")
]
Resume = Annotated[Path | None, typer.Option(help="Go on with this run file: same builds, its own plan.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show plan, memory and duration only.")]
RunFile = Annotated[Path | None, typer.Option("-o", "--output", help="The run file to write.")]
Format = Annotated[
    str | None,
    typer.Option("-f", "--format", help="terminal, markdown, csv or json.", show_default="terminal"),
]


def run(
    builds: Builds, workload: Workloads = None, prompt: Prompt = None, output_tokens: Output = None,
    engine: Engines = None, threads: Threads = None, kv: Kv = None, context: Context = None,
    flash: Flash = None, setting: Settings = None, device: Device = "this", target: Target = "cpu",
    provider_option: ProviderOption = None, within: Within = None, max_time: MaxTime = None,
    processes: Processes = None, passes: Passes = None, seed: Seed = 1, stall: Stall = "5m",
    settle: Settle = "10s", cold: Cold = False, sustained: Sustained = None, memory_limit: MemoryLimit = None,
    strict: Strict = False, force: Force = False, anchor: Anchor = None, limits: Limits = None,
    as_shape: AsShape = False, quant: Quant = None, layers: Layers = None, experts: Experts = None,
    resume: Resume = None, dry_run: DryRun = False, output: RunFile = None, output_format: Format = None,
    power_log: PowerLogFile = None, power_zone: PowerZone = None, power_offset: PowerOffset = None,
    profile: Profile = False, trace: Trace = None, on: On = None, board_python: BoardPython = "python3",
    cores: Cores = None,
) -> None:  # fmt: skip
    """Profile builds on this machine: first token, tokens per second, memory, with intervals.

    Example: edgeprof run a-Q4_0.gguf a-Q8_0.gguf --threads 2,4 --max-time 2m
    """
    asked = locals()
    from profiler.cli.asked import Asked
    from profiler.cli.starting import start

    start(Asked(**asked))
