"""What is installed is the whole of sendit: its recipes and migrations too, and no test, bench or demo."""

from __future__ import annotations

import email
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

import sendit
from bom.bill import make_bill

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
    assert {name.rpartition("/")[2] for name in wheel.namelist() if "/licenses/" in name} == {
        "LICENSE",
        "THIRD-PARTY.md",
    }


def test_the_wheel_has_its_bill_of_materials(wheel: zipfile.ZipFile) -> None:
    """Of every package that a lock file names, with its version and its licence, by CycloneDX's own schema."""
    (name,) = [name for name in wheel.namelist() if ".dist-info/sboms/" in name]
    text = wheel.read(name).decode()
    bill = json.loads(text)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert name.endswith(f"/sendit-{sendit.__version__}.cdx.json")
    assert Path(str(wheel.filename)).with_name(Path(name).name).read_text() == text
    named = {(one["name"], one["version"]) for one in bill["components"]}
    lock = (ROOT / "requirements-production.lock").read_text()
    assert set(re.findall(r"^([a-z0-9._-]+)==([^ ]+)", lock, re.M)) <= named
    assert ("htmx.org", "2.0.11") in named
    assert all(one["licenses"][0]["expression"] for one in bill["components"])
    refs = {one["bom-ref"] for one in bill["components"]}
    (own, *others) = bill["dependencies"]
    django = next(one["bom-ref"] for one in bill["components"] if one["name"] == "django")
    assert django in own["dependsOn"] and {one["ref"] for one in others} <= refs
    assert any("asgiref" in ref for one in others if one["ref"] == django for ref in one["dependsOn"])


def test_a_second_wheel_has_the_same_bill(wheel: zipfile.ZipFile) -> None:
    (name,) = [name for name in wheel.namelist() if ".dist-info/sboms/" in name]
    assert make_bill(ROOT, sendit.__version__) == wheel.read(name).decode()


@pytest.mark.parametrize("words", [["--version"], ["version"]])
def test_the_command_says_its_own_version(words: list[str]) -> None:
    said = subprocess.run([sys.executable, "-m", "sendit", *words], capture_output=True, text=True, check=True)
    assert said.stdout == f"sendit {sendit.__version__}\n"
