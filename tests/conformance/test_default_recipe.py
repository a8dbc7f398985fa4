"""The shipped recipes: what the page says stays stays."""

from __future__ import annotations

import io
from pathlib import Path

from pydicom import dcmread

from sendit.deid import Deidentifier, Pseudonyms, load_recipe
from tests.support.phantoms import FILES

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
