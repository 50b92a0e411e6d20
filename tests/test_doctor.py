"""`edgeprof doctor`: the groups, the width, the JSON, and what a wrong format is told."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from profiler.cli.doctor import as_json, doctor, environments, show
from profiler.environments.environments import VARIABLE
from profiler.errors import UserError
from profiler.host.counters import BusyNow
from profiler.host.environment import Environment
from profiler.host.finding import Finding
from profiler.host.preflight import findings
from tests.host_trees import laptop

BUSY = BusyNow(foreign_share=0.43, busiest=(("builder", 0.8), ("[red]player[/red]", 0.1)))

FOUND = [
    Finding(code="measure.memory", status="ok", seen="by phase and kind"),
    Finding(code="measure.energy", status="missing", seen="no sensor found", why="energy stays empty"),
    Finding(code="disturb.processes", status="warn", seen="others use 43% of the CPU", advice="Close them."),
    Finding(code="disturb.swap", status="ok", seen="swap not in use"),
    Finding(code="engine.onnxruntime-genai", status="missing", seen="not installed", advice="pip install x"),
    Finding(code="note.telemetry", status="info", seen="off"),
]


def shown(found: list[Finding], busy: BusyNow, width: int = 60) -> str:
    out = io.StringIO()
    show(Console(file=out, width=width, highlight=False), found, busy)
    return out.getvalue()


def test_findings_are_grouped_and_names_are_for_the_screen() -> None:
    assert shown(FOUND, BUSY) == (
        "Can measure\n"
        "  memory             by phase and kind\n"
        "\n"
        "Cannot measure\n"
        "  energy             no sensor found\n"
        "                     energy stays empty\n"
        "\n"
        "Would disturb now\n"
        "  processes          others use 43% of the CPU (cores:\n"
        "                     builder 0.8, [red]player[/red] 0.1)\n"
        "    -> Close them.\n"
        "\n"
        "Engines\n"
        "  onnxruntime-genai  not installed\n"
        "    -> pip install x\n"
        "\n"
        "Worth knowing\n"
        "  telemetry          off\n"
        "\n"
    )


def test_a_quiet_machine_is_told_so() -> None:
    calm = [finding for finding in FOUND if finding.status != "warn"]
    assert shown(calm, BusyNow(foreign_share=0.0)).endswith(
        "Nothing seen that would disturb a measurement now.\n"
    )


@pytest.mark.parametrize("width", [60, 80, 120])
def test_only_a_command_may_be_wider_than_the_terminal(tmp_path: Path, width: int) -> None:
    text = shown(findings(laptop(tmp_path), busy=BUSY), BUSY, width)
    assert [line for line in text.splitlines() if len(line) > width and not line.startswith("    -> ")] == []
    assert "echo performance | sudo tee /sys/devices/system/cpu/cpufreq/policy*/scaling_governor\n" in text


def test_without_a_terminal_there_is_no_colour() -> None:
    assert "\x1b" not in shown(FOUND, BUSY)


def test_json_has_a_schema_and_names_no_process() -> None:
    report = msgspec.json.decode(as_json(Environment(), FOUND))
    assert report["schema"] == "edgeprof.doctor/1"
    assert report["findings"][0]["code"] == "measure.memory"
    assert report["environment"]["governors"] is None
    assert "builder" not in str(report)


def test_an_unknown_format_is_one_sentence() -> None:
    with pytest.raises(UserError, match=r"^-f jsn: no such format; did you mean json\?$"):
        doctor("jsn")


def test_the_command_reports_this_machine_and_ends_with_0() -> None:
    app = typer.Typer(rich_markup_mode=None)
    app.command()(doctor)
    result = CliRunner().invoke(app, ["-f", "json"])
    assert result.exit_code == 0
    assert {finding["status"] for finding in msgspec.json.decode(result.output)["findings"]} >= {"ok", "info"}


def test_its_help_costs_no_heavy_import() -> None:
    code = "import sys, profiler.cli.doctor; print({'rich', 'msgspec', 'psutil'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_environments_that_were_not_made_are_told_with_what_to_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    assert [(finding.code, finding.seen, finding.advice) for finding in environments()] == [
        ("engine.setup_optimum", "not made", "edgeprof setup optimum"),
        ("engine.setup_genai", "not made", "edgeprof setup genai"),
        ("engine.setup_openvino", "not made", "edgeprof setup openvino"),
    ]
