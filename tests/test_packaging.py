"""The package as others install it: the wheel outside the checkout, and the extras on an ARM board."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from importlib.metadata import requires
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
OF_X86 = "plugins"
"""Providers that tests run on a machine without their devices: their wheels for ARM want a newer C library."""

COMPILED_ON_THE_BOARD = "llama-cpp-python"
LARGEST_DATA_FILE = 64 * 1024
SHORT = ("-p", "16", "-n", "4", "--processes", "1", "--passes", "1", "--settle", "0s")


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An sdist, and the wheel built from it: releases are made this way."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--installer", "pip", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def wheel(distributions: Path) -> Path:
    return next(distributions.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new virtual environment with the wheel and what it requires, and llama-cpp-python lent to it."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    its_own = [need for need in requires(COMPILED_ON_THE_BOARD) or [] if "extra ==" not in need]
    command: list[str | Path] = [python, "-m", "pip", "install", "--quiet", wheel, *its_own]
    subprocess.run(command, check=True, capture_output=True)
    found = importlib.util.find_spec("llama_cpp")
    assert found is not None
    assert found.submodule_search_locations
    site = next((folder / "lib").glob("python*/site-packages"))
    (site / "llama_cpp").symlink_to(found.submodule_search_locations[0])
    return folder / "bin" / "edgeprof"


def run(command: Path, *words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "COLUMNS": "100"}
    return subprocess.run(
        [command, *words], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_the_wheel_holds_the_package_and_small_data_files_only(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        files = [info for info in archive.infolist() if ".dist-info/" not in info.filename]
        assert all(info.filename.startswith("profiler/") for info in files)
        data = [info for info in files if not info.filename.endswith(".py")]
        assert any(info.filename.startswith("profiler/_data/device_profiles/") for info in data)
        assert any(info.filename.endswith("chat@1.txt") for info in data)
        for info in data:
            assert info.file_size < LARGEST_DATA_FILE, info.filename
            archive.read(info).decode("utf-8")


def test_the_sdist_holds_no_weights(distributions: Path) -> None:
    with tarfile.open(next(distributions.glob("*.tar.gz"))) as archive:
        assert not [name for name in archive.getnames() if name.endswith((".gguf", ".onnx"))]


@pytest.mark.parametrize(("command", "listed"), [("devices", "raspberry-pi-5"), ("models", "llama-3.1-8b")])
def test_the_installed_wheel_lists_devices_and_models(
    installed: Path, tmp_path: Path, command: str, listed: str
) -> None:
    result = run(installed, command, "-f", "json", folder=tmp_path)
    assert result.returncode == 0, result.stderr
    assert listed in result.stdout


def test_the_installed_wheel_profiles_a_real_model(installed: Path, tmp_path: Path, smollm2: Path) -> None:
    words = [
        "run",
        str(smollm2),
        *["-p", "16", "-n", "4", "--processes", "1", "--passes", "1", "--settle", "0s", "-f", "json"],
    ]
    result = run(installed, *words, folder=tmp_path)
    assert result.returncode == 0, result.stderr
    row = json.loads(result.stdout)["rows"][0]
    assert row["metrics"]["decode_tps"]["value"] > 0
    assert list((tmp_path / ".local/share/edgeprof/runs").glob("*.jsonl"))


@pytest.mark.parametrize("extra", ["", *(name for name in EXTRAS if name != OF_X86)])
def test_an_extra_resolves_to_wheels_for_aarch64(extra: str, tmp_path: Path) -> None:
    required = [*PROJECT["dependencies"], *_requirements(extra)]
    wanted = [name for name in required if not name.startswith(COMPILED_ON_THE_BOARD)]
    tags = [f"manylinux_2_{minor}_aarch64" for minor in range(28, 16, -1)] + ["manylinux2014_aarch64"]
    platform = [word for tag in tags for word in ("--platform", tag)] + ["--python-version", "3.11"]
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet"]
    command += ["--only-binary", ":all:", "--target", str(tmp_path), *platform, *wanted]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def _requirements(extra: str) -> list[str]:
    """What an extra asks for, with our own extras inside it unfolded."""
    found: list[str] = []
    for requirement in EXTRAS.get(extra, []):
        if requirement.startswith("edgeprof["):
            for inner in requirement[len("edgeprof[") : -1].split(","):
                found += _requirements(inner)
        else:
            found.append(requirement)
    return found
