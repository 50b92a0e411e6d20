"""The worker alone: what it may import, what it sends, and that nothing else gets into its pipe."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from profiler.engines.table import ENGINES
from profiler.measure import worker
from profiler.measure.stamps import stamp_buffer
from tests.conftest import Script
from tests.sshd import OLD_PYTHON

PACKAGE = Path(worker.__file__).parents[1]
ON_BOARDS = [
    *PACKAGE.glob("boards/remote/*.py"),
    PACKAGE / "measure/mappers.py",
    PACKAGE / "measure/page_cache.py",
]
FILES = sorted([*PACKAGE.glob("engines/*.py"), *PACKAGE.glob("measure/worker*.py"), *ON_BOARDS])
NEWER_THAN_3_9 = {"tomllib"}
OWN = ("profiler.engines", "profiler.measure.worker", "profiler.measure.page_cache", "profiler.boards.remote")
LIBRARIES = {"onnx", *(library for entry in ENGINES.values() for library in entry.libraries)}
"""Those of the engines, and the one that reads the graph of a profiled build."""

TEXT = {"method": "text", "prompt_tokens": 8, "output_tokens": 4, "depth": 0, "text": "How are you?"}
TG = {"method": "raw", "prompt_tokens": 0, "output_tokens": 3, "depth": 2}
MS = 1_000_000


def is_standard(module: str) -> bool:
    top = module.partition(".")[0]
    return top in sys.stdlib_module_names and top not in NEWER_THAN_3_9


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module
            assert not node.level
            yield from (f"{node.module}.{name.name}" for name in node.names)


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), feature_version=(3, 9))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_worker_is_python_3_9_and_imports_the_standard_library_and_its_engine_alone(path: Path) -> None:
    tree = parsed(path)
    inside_functions = {
        name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        for name in imports(node)
        if name.partition(".")[0] in LIBRARIES
    }
    assert [
        name
        for name in imports(tree)
        if not is_standard(name) and not name.startswith(OWN) and name not in inside_functions
    ] == []


def start(path: Path, workload: dict[str, Any], python: str = sys.executable) -> tuple[list[Any], str]:
    """The worker's events and what it left on standard error. It runs isolated, as with `-P`."""
    order = {
        "mode": "measure",
        "module": "profiler.engines.scripted",
        "path": str(path),
        "settings": {"threads": 1},
        "workload": workload,
        "round": 0,
        "passes": 2,
        "seed": 1,
        "cpus": None,
    }
    with stamp_buffer(workload["output_tokens"]) as stamps:
        done = subprocess.run(
            [python, "-I", worker.__file__],
            check=False,
            input=json.dumps(order | {"stamps": str(stamps)}),
            capture_output=True,
            text=True,
            timeout=30,
        )
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def passes(events: list[Any]) -> list[Any]:
    return [event for event in events if event["event"] == "pass"]


def test_engine_that_generates_whole_texts_is_stamped_as_it_calls_back() -> None:
    """A prompt of 5 ms, then 2 ms for each token: when the prompt was evaluated is not known."""
    now = [1 * MS]

    class WholeTexts:
        def clock(self) -> int:
            return now[0]

        def generate(self, ids: list[int], count: int, stamp: Callable[[int], None]) -> list[int]:
            now[0] += 5 * MS
            for k in range(count):
                now[0] += 2 * MS
                stamp(k)
            return ids[:count]

    stamps = memoryview(bytearray(8 * (worker.FIRST + 3))).cast("q")
    assert worker.text_pass(WholeTexts(), [7, 8, 9], 3, stamps) == [7, 8, 9]  # type: ignore[arg-type]
    assert stamps.tolist()[1:] == [1 * MS, 0, 8 * MS, 10 * MS, 12 * MS]


def test_events_come_in_this_order(script: Script) -> None:
    events, _ = start(script(), TEXT)
    assert [event.get("name", event["event"]) for event in events] == [
        "started", "imported", "conditions", "before_load", "loaded", "loaded", "pass", "after_prefill", "pass", "pass",
        "after_decode", "done",
    ]  # fmt: skip


def test_stamps_of_a_text_are_exact(script: Script) -> None:
    """8 prompt tokens of 0.5 ms, then 4 tokens of 2 ms; the warm-up makes 1 token and 3 that nobody stamps."""
    events, _ = start(script(virtual_clock=True, prefill_ms_per_token=0.5, token_ms=2), TEXT)
    warm_up, first, second = passes(events)
    assert (warm_up["number"], warm_up["evaluated_ns"], warm_up["token_ns"]) == (0, 4 * MS, [6 * MS])
    assert (first["number"], first["evaluated_ns"]) == (1, 4 * MS)
    assert first["token_ns"] == second["token_ns"] == [6 * MS, 8 * MS, 10 * MS, 12 * MS]
    assert first["start_ns"] - warm_up["start_ns"] == (6 + 3 * 2) * MS
    assert second["start_ns"] - first["start_ns"] == 12 * MS


def test_stamps_of_a_depth_are_exact(script: Script) -> None:
    """Each token takes 1 ms for each token before it, at depth 2: 2, 3 and 4 ms in every pass."""
    events, _ = start(script(virtual_clock=True, token_ms=0, growth_ms=1), TG)
    _, first, second = passes(events)
    assert first["token_ns"] == second["token_ns"] == [2 * MS, 5 * MS, 9 * MS]
    assert first["evaluated_ns"] == 0
    assert first["output_sha256"] is None


def test_prompt_is_cut_to_its_tokens_and_the_answer_is_hashed(script: Script) -> None:
    events, _ = start(script(), TEXT)
    _, first, second = passes(events)
    assert first["prompt_bytes"] == 8
    assert first["output_bytes"] == 4
    assert first["output_sha256"] == second["output_sha256"]


def test_short_text_is_repeated_until_the_prompt_is_full(script: Script) -> None:
    events, _ = start(script(), TEXT | {"prompt_tokens": 40})
    assert passes(events)[1]["prompt_bytes"] == 40


@pytest.mark.parametrize("moment", ["load", "token"])
def test_noise_on_standard_output_stays_out_of_the_pipe(script: Script, moment: str) -> None:
    events, errors = start(script(fail={"at": moment, "how": "noise"}), TEXT)
    assert "noise on standard output" in errors
    assert events[-1]["event"] == "done"
    assert len(passes(events)) == 3


def python_3_9() -> str:
    """One that runs: a shim of that name may lead nowhere."""
    for python in (shutil.which("python3.9"), shutil.which(OLD_PYTHON)):
        if python and not subprocess.run([python, "-c", ""], check=False, capture_output=True).returncode:
            return python
    pytest.skip("there is no Python 3.9 here: make old-python")


@pytest.mark.parametrize("path", ON_BOARDS, ids=lambda path: path.stem)
def test_what_a_board_is_given_beside_the_worker_loads_there(path: Path) -> None:
    """As a package without its own __init__, which boards do not have."""
    module = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
    bare = f"import sys, types; p = types.ModuleType('profiler'); p.__path__ = [{str(PACKAGE)!r}]"
    loads = f"{bare}; sys.modules['profiler'] = p; import profiler.{module}"
    assert subprocess.run([python_3_9(), "-c", loads], check=False, capture_output=True).stderr == b""


def test_worker_runs_on_python_3_9(script: Script) -> None:
    python = python_3_9()
    events, errors = start(script(virtual_clock=True, token_ms=2), TEXT, python)
    assert errors == ""
    assert events[1]["python"].startswith("3.9.")
    assert [one["number"] for one in passes(events)] == [0, 1, 2]
