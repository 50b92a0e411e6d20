"""`edgeprof devices`: the devices there are profiles of, this machine, and where each figure comes from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from profiler.catalogue.devices import DeviceProfile, Fact, Memory

SCHEMA = "edgeprof.devices/1"


class Output(StrEnum):
    """How the command prints."""

    TERMINAL = "terminal"
    JSON = "json"


def devices(
    device_id: Annotated[
        str | None, typer.Argument(metavar="ID", help="A device; `this` is this machine. None: list all.")
    ] = None,
    output: Annotated[Output, typer.Option("--format", "-f", help="How to print.")] = Output.TERMINAL,
    profiles: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="A folder of your own profiles (*.toml).")
    ] = None,
    targets: Annotated[
        bool,
        typer.Option("--targets", help="What this machine runs builds on, by engine, and what is missing."),
    ] = False,
) -> None:
    """List the devices with a profile, or show one device with the source of every figure.

    Example: edgeprof devices raspberry-pi-5
    """
    from profiler.catalogue.devices import load_devices

    if targets:
        _targets(device_id, output)
        return
    known = load_devices(profiles)
    chosen = _chosen(device_id, known)
    if output is Output.JSON:
        typer.echo(_json(chosen, _alike(known)))
    elif device_id is None:
        _print(
            _list_table(chosen),
            f"\n- : not known; `edgeprof devices ID` shows every figure and its source\n{_likeness(known)}",
        )
    else:
        _print(*_details(chosen[0]))
        if chosen[0].id == "this":
            _print(f"\n{_likeness(known)}")


def _targets(device_id: str | None, output: Output) -> None:
    from profiler.cli.targets import show
    from profiler.errors import UserError
    from profiler.host.machine import this_machine
    from profiler.runfile import THIS

    if device_id not in (None, THIS):
        raise UserError(f"--targets asks the engines of this machine: use `this` in the place of {device_id}")
    show(this_machine(), as_json=output is Output.JSON)


def _chosen(device_id: str | None, known: Mapping[str, DeviceProfile]) -> list[DeviceProfile]:
    from profiler.catalogue.devices import called
    from profiler.host.machine import this_machine
    from profiler.runfile import THIS

    if device_id == THIS:
        return [this_machine()]
    if device_id is not None:
        return [called(device_id, known)]
    return [this_machine(), *known.values()]


def _alike(known: Mapping[str, DeviceProfile]) -> list[str]:
    """The profiles that this machine looks like, the most specific first."""
    from profiler.catalogue.matching import matching
    from profiler.host.identity import identity

    return matching(identity(), known.values())


def _likeness(known: Mapping[str, DeviceProfile]) -> str:
    """The same as a sentence."""
    found = _alike(known)
    return (
        f"This machine looks like {', '.join(found)}." if found else "This machine looks like none of them."
    )


def _json(profiles: list[DeviceProfile], alike: list[str]) -> str:
    """Profiles as they are, the ways to each accelerator that our engines have, and what this machine looks like."""
    import msgspec

    from profiler.engines.accelerators import routes

    shown = [
        msgspec.to_builtins(profile)
        | {"routes": {name: [route._asdict() for route in routes(name)] for name in profile.accelerators}}
        for profile in profiles
    ]
    return msgspec.json.format(
        msgspec.json.encode({"schema": SCHEMA, "looks_like": alike, "devices": shown})
    ).decode()


def _print(*parts: Table | str) -> None:
    from rich.console import Console

    console = Console(markup=False, highlight=False, emoji=False)
    for part in parts:
        console.print(part)


def _table(*headers: str) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for header in headers:
        table.add_column(header, overflow="fold")
    return table


def _list_table(profiles: list[DeviceProfile]) -> Table:
    table = _table("id,\nname", "cores,\naccelerators", "memory,\nbandwidth")
    table.columns[0].min_width = max(len(profile.id) for profile in profiles)
    for profile in profiles:
        units = "\n".join([*_cores(profile), *(_accelerators(profile) or ["-"])])
        table.add_row(f"{profile.id}\n{profile.name}", units, _memory(profile.memory) or _own_memory(profile))
    return table


def _cores(profile: DeviceProfile) -> list[str]:
    clusters = [(cluster.count, cluster.core) for cluster in profile.cpu]
    return [f"{count.value} x {core.value if core else 'unnamed'}" for count, core in clusters if count] or [
        "-"
    ]


def _accelerators(profile: DeviceProfile) -> list[str]:
    """Names, and where no engine of ours comes: who does."""
    from profiler.engines.accelerators import routes

    shown = []
    for name, found in profile.accelerators.items():
        others = ", ".join(fact.value for fact in found.reached_by)
        unreached = f"only {others}" if others else "reached by nothing known"
        shown.append(name if routes(name) else f"{name} ({unreached})")
    return shown


def _own_memory(profile: DeviceProfile) -> str:
    """That of accelerators, where nothing is known of main memory."""
    shown = [
        f"{_value('bytes', found.memory_bytes.value)} of its own\n"
        + (_value("bytes_per_s", found.memory_bytes_per_s.value) if found.memory_bytes_per_s else "-")
        for found in profile.accelerators.values()
        if found.memory_bytes
    ]
    return "\n".join(shown) or "-\n-"


def _memory(memory: Memory) -> str:
    """Size, then bandwidth: the theoretical figure, else the highest measured one, named as such; or nothing."""
    if not (memory.bytes or memory.theoretical_bytes_per_s or memory.measured_bytes_per_s):
        return ""
    size = _value("bytes", memory.bytes.value) if memory.bytes else "-"
    if memory.theoretical_bytes_per_s:
        return f"{size}\n{_value('bytes_per_s', memory.theoretical_bytes_per_s.value)}"
    measured = [fact.value for fact in memory.measured_bytes_per_s]
    return f"{size}\n{_value('bytes_per_s', max(measured))} measured" if measured else f"{size}\n-"


def _details(profile: DeviceProfile) -> Iterable[Table | str]:
    from profiler.catalogue.devices import figures

    known = _table("figure", "value", "source", "how it is known")
    for key, fact in figures(profile):
        if fact is not None:
            known.add_row(key, _value(key, fact.value), f"{fact.source} ({fact.confidence})", _remarks(fact))
    sources = _table("source", "what it is", "read")
    for source in profile.sources:
        sources.add_row(source.id, "\n".join(filter(None, [source.what, source.link])), source.read or "-")
    absent = _table("not known", "why")
    for key, why in profile.absent.items():
        absent.add_row(key, why)
    yield f"{profile.id}: {profile.name} ({profile.kind}; profile version {profile.version})\n"
    yield known
    if profile.accelerators:
        yield ""
        yield _reached(profile)
    yield "\nH read directly, M a copy or one community source, L conflicting or undated, D derived\n"
    yield sources
    if profile.absent:
        yield ""
        yield absent


def _reached(profile: DeviceProfile) -> Table:
    """What runs on each accelerator: engines of ours with the names they use, and programs of others."""
    from profiler.engines.accelerators import routes

    table = _table("accelerator", "reached by", "as", "needs")
    for name, accelerator in profile.accelerators.items():
        for route in routes(name):
            options = ", ".join(f"{key}={value}" for key, value in route.options.items())
            named = f"{route.provider} ({options})" if options else route.provider
            table.add_row(name, f"{route.engine}, unproven", named, route.needs)
        if not routes(name):
            table.add_row(name, "no engine of edgeprof", "-", "-")
        for other in accelerator.reached_by:
            table.add_row(name, other.value, "-", f"outside edgeprof; {other.source} ({other.confidence})")
    return table


def _remarks(fact: Fact[Any]) -> str:
    return "; ".join(filter(None, [fact.how, fact.note]))


def _value(key: str, value: Any) -> str:
    """A figure as people read it; the end of its key says the unit."""
    if isinstance(value, tuple):
        return " ".join(value)
    unit = key.rpartition(".")[2].partition("[")[0]
    if unit.endswith("bytes_per_s"):
        return f"{value / 1e9:.4g} GB/s"
    if unit.endswith("bytes"):
        return f"{value / 2**30:.3g} GiB"
    for ending, name in (("_mhz", "MHz"), ("_gops", "GOPS"), ("watts", "W"), ("_w", "W"), ("_celsius", "C")):
        if unit.endswith(ending):
            return f"{value:g} {name}"
    return str(value)
