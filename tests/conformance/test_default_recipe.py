"""The shipped recipes: what comes out is as valid as what went in, and what the page says stays stays."""

from __future__ import annotations

import io
import re
import subprocess
import sysconfig
from functools import cache
from pathlib import Path

import pytest
from pydicom import dcmread

from sendit.deid import Deidentifier, Pseudonyms, load_recipe
from tests.phantoms import FILES

DCIODVFY = Path(sysconfig.get_path("scripts")) / "dciodvfy"
PSEUDONYMS = Pseudonyms(b"a key of the conformance test")
VARIABLES = {"entity_id": "E1", "item_id": "I1", "jitter": 5}
SHIPPED = ("basic", "research", "limited-dataset")


def deidentified(source: bytes | Path, recipe: str = "research") -> bytes:
    return Deidentifier(load_recipe(recipe), PSEUDONYMS, VARIABLES).deidentify(source).tobytes()


def test_what_the_page_says_stays_stays() -> None:
    ds = dcmread(io.BytesIO(deidentified(FILES / "CT_small.dcm")))
    assert (ds.PatientSex, ds.PatientAge, ds.StudyTime, ds.Manufacturer) == (
        "O",
        "000Y",
        "072730",
        "GE MEDICAL SYSTEMS",
    )
    assert (ds.PatientName, ds.PatientID, ds.AccessionNumber, ds.PatientBirthDate) == ("E1", "E1", "I1", "")
    assert (ds.PatientIdentityRemoved, ds.LongitudinalTemporalInformationModified) == ("YES", "MODIFIED")


def test_dates_are_as_each_recipe_says() -> None:
    dates = {name: dcmread(io.BytesIO(deidentified(FILES / "CT_small.dcm", name))).StudyDate for name in SHIPPED}
    assert dates == {"basic": "", "research": "20040124", "limited-dataset": "20040119"}


VALIDATED = (
    "CT_small.dcm", "MR_small_implicit.dcm", "ExplVR_BigEnd.dcm", "JPEG2000.dcm",
    "rtplan.dcm", "rtdose_1frame.dcm", "rtstruct.dcm", "liver_1frame.dcm", "examples_palette.dcm",
    "examples_overlay.dcm", "SC_rgb_jpeg.dcm", "4950", "test-SR.dcm", "reportsi.dcm", "waveform_ecg.dcm",
)  # fmt: skip


def errors(path: Path) -> set[str]:
    """What dciodvfy calls an error."""
    done = subprocess.run([DCIODVFY, path], capture_output=True, timeout=60, check=False)
    lines = (done.stdout + done.stderr).decode("latin-1").splitlines()
    return {re.sub(r"<?\b[012](\.\d+){2,}>?|(?<=UID )\S+$", "UID", line) for line in lines if line.startswith("Error")}


@cache
def errors_before(name: str) -> set[str]:
    return errors(next(FILES.rglob(name)))


@pytest.mark.parametrize("recipe", SHIPPED)
@pytest.mark.parametrize("name", VALIDATED)
def test_an_image_is_as_valid_as_it_was(name: str, recipe: str, tmp_path: Path) -> None:
    out = tmp_path / "out.dcm"
    out.write_bytes(deidentified(next(FILES.rglob(name)), recipe))
    assert errors(out) - errors_before(name) == set()


def test_dciodvfy_would_find_an_image_that_lost_what_it_needs(tmp_path: Path) -> None:
    ds = dcmread(FILES / "CT_small.dcm")
    del ds.StudyInstanceUID, ds.PatientID
    out = tmp_path / "out.dcm"
    ds.save_as(out)
    found = " ".join(errors(out))
    assert "StudyInstanceUID" in found
    assert "PatientID" in found
