"""`docs/researchers.md`, block by block, on a delivered series, as a researcher would paste it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.uid import generate_uid

from tests.support.phantoms import bundled
from tests.support.site import Site

PAGE = Path(__file__).parents[2] / "docs" / "researchers.md"
BLOCKS = re.findall(r"^```(sh|python)\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
HEAVY = "monai"
HEAVY_PYTHON = os.environ.get("HEAVY_PYTHON", "")
"""A Python that has MONAI; `make docs-heavy` makes one."""
SLICES = 6


def mr_series(folder: Path) -> None:
    """Six slices of one acquisition, 5 mm apart."""
    folder.mkdir(parents=True)
    series, frame = generate_uid(), generate_uid()
    for number in range(SLICES):
        image = dcmread(bundled("MR_small.dcm"))
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        image.SeriesInstanceUID, image.FrameOfReferenceUID = series, frame
        image.InstanceNumber = number + 1
        image.PatientID, image.AccessionNumber = "4711", "A1"
        image.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        image.ImagePositionPatient = [0, 0, 5 * number]
        image.SliceLocation = 5 * number
        image.save_as(folder / f"{number}.dcm")


def shell(block: str, folder: Path) -> str:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = os.environ | {"SENDIT_VAR": str(folder), "PATH": path}
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_every_block_runs(site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    mr_series(site.data / "A1")
    site.process()
    (batch,) = site.deliver()
    assert batch.state == "DONE", batch.errors
    monkeypatch.chdir(site.var)
    names: dict[str, Any] = {}
    for language, block in BLOCKS:
        if language == "sh":
            shell(block, site.var)
        elif HEAVY not in block:
            exec(compile(block, PAGE.name, "exec"), names)
    assert len(names["instances"]) == SLICES == len(names["thin"])
    assert names["series"].rows() == [(names["header"].SeriesInstanceUID, SLICES, "MR")]
    assert names["dataset"].Rows == 64 and names["volume"].GetSize() == (64, 64, SLICES)
    assert names["volume"].GetSpacing()[2] == pytest.approx(5)
    assert len(list((site.var / "images").rglob("*.dcm"))) == SLICES
    assert len(list((site.var / "nifti").glob("*.nii"))) == 1
    assert "MR" in capsys.readouterr().out


@pytest.mark.skipif(not HEAVY_PYTHON, reason="MONAI brings torch: `make docs-heavy` runs this one")
def test_the_block_that_brings_torch_runs(tmp_path: Path) -> None:
    mr_series(tmp_path / "images" / "p" / "s" / "1")
    (block,) = (block for _, block in BLOCKS if HEAVY in block)
    ran = subprocess.run(
        [HEAVY_PYTHON, "-c", f"folder = 'images/p/s/1'\n{block}"], cwd=tmp_path, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    assert f"(64, 64, {SLICES})" in ran.stdout or f"[64, 64, {SLICES}]" in ran.stdout
