"""What is installed is the whole of sendit: its recipes and migrations too, and no test, bench or demo."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import sendit

pytestmark = pytest.mark.xdist_group("wheel")  # built once
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", out], cwd=ROOT, check=True)
    (path,) = out.glob("*.whl")
    return zipfile.ZipFile(path)


def test_the_wheel_has_every_file_of_the_package(wheel: zipfile.ZipFile) -> None:
    package = {path.relative_to(ROOT).as_posix() for path in (ROOT / "sendit").rglob("*") if path.is_file()}
    wanted = {name for name in package if "__pycache__" not in name}
    assert any(name.endswith(".recipe") for name in wanted)
    assert wanted <= set(wheel.namelist())


def test_the_wheel_has_nothing_beside_the_package(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"sendit"}


def test_the_wheel_brings_the_command(wheel: zipfile.ZipFile) -> None:
    (entry_points,) = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
    assert "sendit = sendit.__main__:main" in wheel.read(entry_points).decode()


@pytest.mark.parametrize("words", [["--version"], ["version"]])
def test_the_command_says_its_own_version(words: list[str]) -> None:
    said = subprocess.run([sys.executable, "-m", "sendit", *words], capture_output=True, text=True, check=True)
    assert said.stdout == f"sendit {sendit.__version__}\n"
