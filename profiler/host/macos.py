"""macOS by its sysctl: model, chip, core classes, memory, page size, features. Nothing personal is asked."""

from __future__ import annotations

from profiler.host.programs import Program
from profiler.host.told import ARM64, KINDS, X86_64, CoreClass, Told, table, whole

SYSCTL = Program(
    name="sysctl", command=("sysctl", "hw", "machdep.cpu", "kern.hv_vmm_present"), system="Darwin"
)
"""The trees `hw` and `machdep.cpu`; host name and identifiers are in `kern`, of which one number is asked."""

MOST_LEVELS = 8

_ARM_WORDS = {
    "FEAT_AES": ("aes",),
    "FEAT_BF16": ("bf16",),
    "FEAT_CRC32": ("crc32",),
    "FEAT_DotProd": ("asimddp",),
    "FEAT_FCMA": ("fcma",),
    "FEAT_FHM": ("asimdfhm",),
    "FEAT_FP16": ("fphp", "asimdhp"),
    "FEAT_I8MM": ("i8mm",),
    "FEAT_JSCVT": ("jscvt",),
    "FEAT_LRCPC": ("lrcpc",),
    "FEAT_LSE": ("atomics",),
    "FEAT_PMULL": ("pmull",),
    "FEAT_RDM": ("asimdrdm",),
    "FEAT_SHA1": ("sha1",),
    "FEAT_SHA256": ("sha2",),
    "FEAT_SHA3": ("sha3",),
    "FEAT_SHA512": ("sha512",),
    "FEAT_SME": ("sme",),
    "FEAT_SME2": ("sme2",),
}
"""Arm's names of features and the words Linux has for them (its documentation, arch/arm64/elf_hwcaps)."""

_X86_WORDS = {
    "avx1.0": "avx",
    "em64t": "lm",
    "lahf": "lahf_lm",
    "lzcnt": "abm",
    "sse3": "pni",
    "sse4.1": "sse4_1",
    "sse4.2": "sse4_2",
}
"""The few that Linux spells in another way."""


def told_by(text: str) -> Told:
    """The machine that a text of `key: value` lines, as sysctl prints them, describes."""
    values = table(text)
    arm = values.get("hw.optional.arm64") == "1"
    cpu = values.get("machdep.cpu.brand_string")
    return Told(
        product=values.get("hw.model"),
        mac=values.get("hw.model"),
        cpu=cpu,
        architecture=("arm64" if arm else "x86_64") if cpu else None,
        cores=_cores(values),
        isa=_arm_words(values) if arm else _x86_words(values),
        memory_bytes=whole(values, "hw.memsize"),
        page_bytes=whole(values, "hw.pagesize"),
        virtual={"0": False, "1": True}.get(values.get("kern.hv_vmm_present", "")),
    )


def _cores(values: dict[str, str]) -> tuple[CoreClass, ...]:
    """Performance level 0 is the fastest. Intel Macs have no levels."""
    levels = [level for level in range(MOST_LEVELS) if whole(values, f"hw.perflevel{level}.physicalcpu")]
    found = [_level(values, f"hw.perflevel{level}", level, len(levels) > 1) for level in levels]
    return tuple(found) or tuple(filter(None, [_core_class(values, "hw", None)]))


def _level(values: dict[str, str], prefix: str, level: int, several: bool) -> CoreClass:
    name = values.get(f"{prefix}.name")
    kind = f"{name.lower()} cores" if name else KINDS[min(level, len(KINDS) - 1)]
    found = _core_class(values, prefix, kind if several else None)
    assert found, "only levels with cores are asked for"
    return found


def _core_class(values: dict[str, str], prefix: str, kind: str | None) -> CoreClass | None:
    cores = whole(values, f"{prefix}.physicalcpu")
    if cores is None:
        return None
    return CoreClass(cores=cores, threads=whole(values, f"{prefix}.logicalcpu") or cores, kind=kind)


def _arm_words(values: dict[str, str]) -> tuple[str, ...]:
    present = [words for name, words in _ARM_WORDS.items() if values.get(f"hw.optional.arm.{name}") == "1"]
    return (*ARM64, *(word for words in present for word in words))


def _x86_words(values: dict[str, str]) -> tuple[str, ...]:
    keys = ("features", "leaf7_features", "extfeatures")
    words = " ".join(values.get(f"machdep.cpu.{key}", "") for key in keys).lower().split()
    return tuple(dict.fromkeys((*X86_64, *(_X86_WORDS.get(word, word) for word in words)))) if words else ()
