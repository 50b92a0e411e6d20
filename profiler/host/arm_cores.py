"""Arm cores by what /proc/cpuinfo says of them: `CPU implementer` and `CPU part`."""

from __future__ import annotations

_CORES = {
    "0x41": {
        "0xd03": "Cortex-A53",
        "0xd04": "Cortex-A35",
        "0xd05": "Cortex-A55",
        "0xd07": "Cortex-A57",
        "0xd08": "Cortex-A72",
        "0xd09": "Cortex-A73",
        "0xd0a": "Cortex-A75",
        "0xd0b": "Cortex-A76",
        "0xd0c": "Neoverse-N1",
        "0xd0d": "Cortex-A77",
        "0xd0e": "Cortex-A76AE",
        "0xd40": "Neoverse-V1",
        "0xd41": "Cortex-A78",
        "0xd42": "Cortex-A78AE",
        "0xd44": "Cortex-X1",
        "0xd46": "Cortex-A510",
        "0xd47": "Cortex-A710",
        "0xd48": "Cortex-X2",
        "0xd49": "Neoverse-N2",
        "0xd4b": "Cortex-A78C",
        "0xd4c": "Cortex-X1C",
        "0xd4d": "Cortex-A715",
        "0xd4e": "Cortex-X3",
        "0xd4f": "Neoverse-V2",
        "0xd80": "Cortex-A520",
        "0xd81": "Cortex-A720",
        "0xd82": "Cortex-X4",
        "0xd84": "Neoverse-V3",
        "0xd85": "Cortex-X925",
        "0xd87": "Cortex-A725",
        "0xd8e": "Neoverse-N3",
    },
    "0x48": {"0xd01": "Kunpeng-920"},
    "0x4e": {"0x004": "Carmel"},
    "0x51": {
        "0x001": "Oryon",
        "0x800": "Kryo 2xx Gold",
        "0x801": "Kryo 2xx Silver",
        "0x802": "Kryo 3xx Gold",
        "0x803": "Kryo 3xx Silver",
        "0x804": "Kryo 4xx Gold",
        "0x805": "Kryo 4xx Silver",
    },
    "0x61": {
        "0x022": "Icestorm-M1",
        "0x023": "Firestorm-M1",
        "0x024": "Icestorm-M1-Pro",
        "0x025": "Firestorm-M1-Pro",
        "0x028": "Icestorm-M1-Max",
        "0x029": "Firestorm-M1-Max",
        "0x032": "Blizzard-M2",
        "0x033": "Avalanche-M2",
        "0x034": "Blizzard-M2-Pro",
        "0x035": "Avalanche-M2-Pro",
        "0x038": "Blizzard-M2-Max",
        "0x039": "Avalanche-M2-Max",
    },
    "0xc0": {"0xac3": "AmpereOne"},
}
"""Implementer and part to core, from hrw/arm-socs-table, data/cpu_cores.yml; 0xd85, which that table spells
otherwise, from VirtualBox, ARM_Cortex_X925_A725.h; Oryon from its cpuinfo-data."""

LITTLE_CORES = frozenset(
    {
        *("Cortex-A35", "Cortex-A53", "Cortex-A55", "Cortex-A510", "Cortex-A520"),
        *("Kryo 2xx Silver", "Kryo 3xx Silver", "Kryo 4xx Silver"),
        *(name for name in _CORES["0x61"].values() if name.startswith(("Icestorm", "Blizzard"))),
    }
)
"""The cores that are made to stand beside faster ones. Some boards have nothing else."""


def core_name(implementer: str | None, part: str | None) -> str | None:
    """The name of a core, as in `Cortex-A76` for 0x41 and 0xd0b; None for one that is not in the table."""
    return _CORES.get(implementer or "", {}).get(part or "")
