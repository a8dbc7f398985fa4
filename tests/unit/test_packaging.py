"""What is installed is the whole of sendit: its recipes and migrations too, and no test, bench or demo."""

from __future__ import annotations

import email
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


def test_the_wheel_says_what_it_is(wheel: zipfile.ZipFile) -> None:
    (path,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    said = email.message_from_bytes(wheel.read(path))
    assert (said["License-Expression"], said["License-File"]) == ("MIT", "LICENSE")
    assert said["Author"] and {line.split(",")[0] for line in said.get_all("Project-URL", [])} >= {"Homepage", "Issues"}
    assert any("Medical Science" in line for line in said.get_all("Classifier", []))
    assert any(name.endswith("/licenses/LICENSE") for name in wheel.namelist())


@pytest.mark.parametrize("words", [["--version"], ["version"]])
def test_the_command_says_its_own_version(words: list[str]) -> None:
    said = subprocess.run([sys.executable, "-m", "sendit", *words], capture_output=True, text=True, check=True)
    assert said.stdout == f"sendit {sendit.__version__}\n"
