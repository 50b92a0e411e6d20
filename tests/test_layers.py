"""Imports follow the flow of data: catalogue, host -> measure -> run file -> analyse -> render."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import profiler

ROOT = Path(profiler.__file__).parent

MAY_IMPORT = {
    "errors": set[str](),
    "whole_file": {"errors"},
    "runfile": {"errors"},
    "catalogue": {"errors", "runfile"},
    "host": {"errors", "runfile", "catalogue"},
    "builds": {"errors", "runfile", "catalogue"},
    "engines": set[str](),
    "environments": {"errors"},
    "fetching": {"errors", "catalogue", "builds", "environments"},
    "agreement": {"errors", "runfile", "catalogue", "builds", "engines"},
    "telemetry": {"errors", "runfile", "host"},
    "measure": {"errors", "runfile", "catalogue", "host", "builds", "engines", "telemetry", "environments"},
    "boards": {
        *(
            "errors",
            "runfile",
            "catalogue",
            "host",
            "builds",
            "engines",
            "environments",
            "telemetry",
            "measure",
        ),
    },
    "documents": {"errors", "catalogue"},
    "importing": {"errors", "whole_file", "runfile"},
    "analyse": {"errors", "runfile", "documents"},
    "predicting": {
        *(
            "errors",
            "whole_file",
            "runfile",
            "catalogue",
            "host",
            "builds",
            "engines",
            "measure",
            "documents",
        ),
        "analyse",
    },
    "render": {"errors", "runfile", "documents", "analyse", "predicting"},
    "evidence": {"errors", "whole_file", "documents", "analyse", "render"},
}
"""Each part of the package, and the other parts it may know. `cli` brings all together and is known by none."""

EXCEPTIONS = {("render/live.py", "profiler.measure.stop")}
"""The live view says how many rounds a run may still take."""

PURE = {
    *("__future__", "bisect", "collections", "enum", "functools", "itertools", "math", "operator"),
    *("re", "statistics", "sys", "typing", "msgspec"),
}
"""What the analysis may use: nothing that reads a file, a clock or the network, or prints."""

IMPURE = {"open", "print", "input", "exec", "eval", "compile", "__import__"}


def modules() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def imports(path: Path) -> set[str]:
    """Every module that a file imports, wherever in the file, under its full name."""
    return set(names_in(tree(path)))


def names_in(code: ast.AST) -> Iterator[str]:
    for node in ast.walk(code):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "no import by a relative name"
            yield from _from(node.module or "", [alias.name for alias in node.names])


def _from(module: str, names: list[str]) -> Iterator[str]:
    """`from profiler.render import format` names the module profiler.render.format."""
    for name in names:
        inside = ROOT.joinpath(*module.split(".")[1:], name)
        is_module = module.startswith("profiler") and (inside.is_dir() or inside.with_suffix(".py").exists())
        yield f"{module}.{name}" if is_module else module


def part_of(module: str) -> str:
    """profiler.analyse.metrics is of the part analyse; profiler itself, which is a version, of none."""
    return module.split(".")[1] if "." in module else ""


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_a_part_knows_only_what_comes_before_it(path: Path) -> None:
    part = name_of(path).split("/")[0].removesuffix(".py")
    if part in ("cli", "__main__", "__init__"):
        return
    known = MAY_IMPORT[part] | {part, ""}
    found = {name for name in imports(path) if name.split(".")[0] == "profiler"}
    assert {n for n in found if part_of(n) not in known and (name_of(path), n) not in EXCEPTIONS} == set()


@pytest.mark.parametrize("path", sorted((ROOT / "analyse").glob("*.py")), ids=name_of)
def test_the_analysis_is_pure(path: Path) -> None:
    assert {name.split(".")[0] for name in imports(path)} - {"profiler"} <= PURE
    names = {node.id for node in ast.walk(tree(path)) if isinstance(node, ast.Name)}
    assert not names & IMPURE


@pytest.mark.parametrize("path", sorted((ROOT / "engines").glob("*.py")), ids=name_of)
def test_an_engine_is_known_by_the_standard_library_until_it_is_wanted(path: Path) -> None:
    """It runs in the worker, which may be an older Python without our dependencies."""
    top = ast.Module([node for node in tree(path).body if isinstance(node, ast.Import | ast.ImportFrom)], [])
    outside = {name for name in names_in(top) if name.split(".")[0] not in sys.stdlib_module_names}
    assert {name for name in outside if part_of(name) != "engines"} == set()


def test_every_part_has_its_rule() -> None:
    parts = {
        path.name.removesuffix(".py") for path in ROOT.iterdir() if path.suffix == ".py" or path.is_dir()
    }
    others = {"cli", "__main__", "__init__", "__pycache__", "py", "_data"}
    assert parts - others <= set(MAY_IMPORT)


def test_no_part_needs_another_one_in_a_circle() -> None:
    order: list[str] = []
    while len(order) < len(MAY_IMPORT):
        ready = [part for part in MAY_IMPORT if part not in order and MAY_IMPORT[part] <= set(order)]
        assert ready, f"a circle among {set(MAY_IMPORT) - set(order)}"
        order += ready
