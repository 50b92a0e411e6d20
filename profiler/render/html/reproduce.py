"""How to measure the same again, and how to check what is shown: commands without any path."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from profiler.analyse.source import Source
from profiler.render import format as fmt
from profiler.render.html.parts import Block
from profiler.runfile import Header, Plan, Run, Settings, own_cases

FLAGS = ("threads", "kv", "context", "flash", "cores")
"""Settings that have a flag of their own."""

THIS = "this"
LONGEST_LINE = 88
MOST_WORDS = 12
"""A command lists no more builds than this."""


def blocks(source: Source) -> list[Block]:
    """Commands to measure again where stamps are known, and commands that check this report."""
    if source.run is None:
        return [
            Block(
                says="These figures come from another tool, without stamps: they can be shown and not recomputed."
            )
        ]
    report = source.report
    versions = [f"edgeprof {report.edgeprof}", *_versions(source)]
    facts = [
        (
            "Seed",
            f"{source.run.header.plan.seed}: the order of the cases in every round, and random token ids",
        ),
        ("Versions", "; ".join(versions)),
        ("Texts", _texts(source.run.header.plan)),
    ]
    told = [(label, fmt.plain(text)) for label, text in facts if text]
    return [
        Block(heading="Measure it again", commands=[_measure(source.run)], facts=told),
        Block(heading="Check what is shown here", commands=_check(source)),
    ]  # fmt: skip


def _versions(source: Source) -> list[str]:
    told = [(name, version) for parts in source.report.engines.values() for name, version in parts.items()]
    known = {f"{name} {version}": None for name, version in told if name != "system" and version}
    return list(known)


def _texts(plan: Plan) -> str:
    """Which text each workload reads."""
    texts = {case.workload.id: case.workload.text_sha256 for case in plan.cases}
    return "; ".join(f"{name} sha256 {sha256}" for name, sha256 in texts.items() if sha256)


def _check(source: Source) -> list[str]:
    file, row = _word(source.name), next((row for row in source.report.rows if row.metrics), None)
    judged = (
        [] if row is None else [name for name in ("decode_tps", "tg_tps", "pp_tps") if name in row.metrics]
    )
    known = [name for name in judged if row is not None and row.metrics[name].value is not None]
    explained = [f"edgeprof explain {file} {_word(row.id)} {known[0]}"] if row is not None and known else []
    bundled = [f"edgeprof bundle {file} -o evidence.zip", "edgeprof verify evidence.zip"]
    return [*explained, f"edgeprof report {file} -o page.html", *bundled]


def _measure(run: Run) -> str:
    """The command that plans the same cases, from the plan that the run file holds."""
    plan = run.header.plan
    cases = own_cases(plan)
    names = {build.id: build.name for build in plan.builds} | {
        e.full.id: e.model for e in plan.extrapolations
    }
    builds = list(dict.fromkeys(names[case.build] for case in cases))
    shown = [_word(name) for name in builds[:MOST_WORDS]] + (["..."] if len(builds) > MOST_WORDS else [])
    settings = [case.settings for case in cases]
    words = [
        *shown,
        *_workloads(plan),
        f"--engine {_list(case.engine for case in cases)}",
        *_target(case.target for case in cases),
        *_told(plan),
        *_settings(settings),
        *_shapes(plan),
        *_length(plan),
        *_device(run.header),
        *[f"--anchor {_word(names[case.build])}" for case in plan.cases if case.id in plan.anchors][:1],
        f"--seed {plan.seed}",
    ]
    return _folded(["edgeprof run", *words])


def _device(header: Header) -> list[str]:
    """Which machine it was. A board is known by what it says of itself, and is reached as its user knows."""
    device = header.device
    if header.on_board:
        return [f"--on {_word(device.board)}=USER@BOARD" if device.board else "--on USER@BOARD"]
    return [f"--device {_word(device.id)}"] if device.id != THIS else []


def _shapes(plan: Plan) -> list[str]:
    """How models are measured as shapes; what is not the same for all of them is left to be chosen again."""
    if not plan.extrapolations:
        return []
    mixes = {whole.mix for whole in plan.extrapolations}
    counts = {",".join(str(shape.layers) for shape in whole.shapes) for whole in plan.extrapolations}
    experts = {whole.experts for whole in plan.extrapolations} - {None}
    told = {"--quant": mixes, "--layers": counts, "--experts": {str(count) for count in experts}}
    flags = [f"{flag} {_word(next(iter(values)))}" for flag, values in told.items() if len(values) == 1]
    return ["--as-shape", *flags]


def _folded(words: Iterable[str]) -> str:
    """A command in lines of a bearable length, which a shell reads as one."""
    lines = [""]
    for word in words:
        if lines[-1] and len(lines[-1]) + len(word) >= LONGEST_LINE:
            lines.append(" ")
        lines[-1] = f"{lines[-1]} {word}" if lines[-1] else word
    return " \\\n".join(lines)


def _workloads(plan: Plan) -> list[str]:
    asked = list({case.workload.id: case.workload for case in plan.cases}.values())
    lengths = {(one.prompt_tokens, one.output_tokens) for one in asked if one.method == "text"}
    exact = [f"-p {prompt} -n {output}" for prompt, output in lengths] if len(lengths) == 1 else []
    return [*(f"--workload {_word(one.id)}" for one in asked), *(exact if len(asked) == 1 else [])]


def _target(targets: Iterable[str]) -> list[str]:
    named = dict.fromkeys(targets)
    return [] if list(named) == ["cpu"] else [f"--target {_list(named)}"]


def _told(plan: Plan) -> list[str]:
    """What the provider is told, where there is one."""
    routes = [case.route for case in plan.cases if case.route]
    if len({route.provider for route in routes}) > 1:
        return []
    options = {pair: None for route in routes for pair in route.options.items()}
    return [f"--provider-option {_word(f'{name}={value}')}" for name, value in options]


def _settings(settings: Iterable[Settings]) -> list[str]:
    """Every value of every setting; what is left to the engine is not typed."""
    values: dict[str, dict[str, None]] = {}
    for one in settings:
        for name, value in one.items():
            if value is not None:
                values.setdefault(name, {})[fmt.setting(value)] = None
    flags = [f"--{name} {_list(values[name])}" for name in FLAGS if name in values]
    others = [f"{name}={','.join(told)}" for name, told in values.items() if name not in FLAGS]
    return flags + [f"--set {_word(text)}" for text in others]


def _length(plan: Plan) -> list[str]:
    """How long it is measured, and under what."""
    told = {
        f"--sustained {plan.sustained_s:.0f}s": plan.sustained_s > 0,
        f"--processes {plan.rounds}": plan.rounds is not None and not plan.sustained_s,
        f"--max-time {plan.max_time_s:.0f}s": plan.rounds is None,
        f"--within {100 * plan.within:.3g}%": plan.rounds is None and not plan.until_decided,
        f"--passes {plan.passes}": not plan.more_passes,
        "--cold": plan.cold,
        "--strict": plan.strict,
        "--profile": plan.profile,
        f"--memory-limit {plan.memory_limit_bytes}": plan.memory_limit_bytes is not None,
    }
    return [flag for flag, holds in told.items() if holds]


def _list(words: Iterable[str]) -> str:
    return _word(",".join(dict.fromkeys(words)))


def _word(text: str) -> str:
    """Safe to paste into a shell, whatever it holds."""
    return shlex.quote(fmt.plain(text))
