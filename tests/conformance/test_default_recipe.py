"""The default recipe: every row of PS3.15 Table E.1-1 is dealt with, and what comes out is as valid as what went in."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sysconfig
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset, dcmread
from pydicom.datadict import dictionary_VR
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.sequence import Sequence

from sendit.deid import Deidentifier, Pseudonyms, load_recipe
from tests.phantoms import FILES

TABLE = Path(__file__).parents[3] / "shared" / "data" / "ps3.15_table_E.1-1.json"
DCIODVFY = Path(sysconfig.get_path("scripts")) / "dciodvfy"
RESEARCH = load_recipe("research")
PSEUDONYMS = Pseudonyms(b"a key of the conformance test")
VARIABLES = {"entity_id": "E1", "item_id": "I1", "jitter": 5}

KEPT = {"PatientSex", "PatientSize", "PatientWeight"}
"""What docs/recipes.md says stays; times of day (TM) beside it."""

PLANTED: dict[str, Any] = {
    "AE": "ZQCANARY", "AS": "099Y", "CS": "ZQCANARY", "DA": "19330707", "DS": "73.37", "DT": "19330707101112",
    "FD": 73.37, "FL": 73.5, "IS": "7337", "LO": "Zqcanary", "LT": "Zqcanary", "OB": b"Zqcanary", "PN": "Zqcanary^Zq",
    "SH": "Zqcanary", "ST": "Zqcanary", "TM": "101112", "UC": "Zqcanary", "UI": "1.2.826.0.1.7337", "UN": b"Zqcanary",
    "UR": "http://zqcanary", "US": 7337, "UT": "Zqcanary",
}  # fmt: skip


def deidentified(source: bytes | Path) -> bytes:
    return Deidentifier(RESEARCH, PSEUDONYMS, VARIABLES).deidentify(source).tobytes()


def planted(tag: int, dataset: Dataset) -> None:
    """Plant a value of the tag's VR; a sequence gets an item with a name, an id, a code and a UID."""
    vr = dictionary_VR(tag).split(" or ")[0]
    if vr != "SQ":
        dataset.add_new(tag, vr, PLANTED[vr])
        return
    item = Dataset()
    item.PatientName, item.PatientID, item.ReferencedSOPInstanceUID = PLANTED["PN"], PLANTED["LO"], PLANTED["UI"]
    item.PersonTelephoneNumbers, item.InstitutionName = PLANTED["LO"], PLANTED["LO"]
    dataset.add_new(tag, "SQ", Sequence([item]))


def table_tags() -> list[int]:
    """The tags of the table's rows, and some of the repeating groups' (curves, overlays)."""
    named = [re.fullmatch(r"\(([0-9A-F]{4}),([0-9A-F]{4})\)", row["tag"]) for row in json.loads(TABLE.read_text())]
    tags = {int(match[1] + match[2], 16) for match in named if match}
    repeating = {0x50003000, 0x501E3000, 0x60003000, 0x60004000, 0x601E3000, 0x601E4000}
    return sorted({tag for tag in tags if tag >> 16 > 0x0002 and tag != 0xFFFCFFFC} | repeating)


def leaves(dataset: Dataset) -> Iterator[tuple[str, str, str]]:
    """(keyword, VR, value) of every element at any depth that is no sequence."""
    for element in dataset.iterall():
        if element.VR != "SQ":
            value = element.value
            text = value.decode("latin-1") if isinstance(value, bytes) else str(value if value is not None else "")
            yield element.keyword or str(element.tag), str(element.VR), text


@pytest.mark.skipif(not TABLE.exists(), reason="the table's facts are not here")
def test_every_row_of_table_e_1_1_is_dealt_with() -> None:
    ds = FileDataset(None, {}, file_meta=FileMetaDataset(), preamble=b"\0" * 128)
    ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    tags = table_tags()
    assert len(tags) > 600
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for tag in tags:
            planted(tag, ds)
        block = ds.private_block(0x0033, "ZQCANARY", create=True)
        block.add_new(0x10, "LO", PLANTED["LO"])
        stream = io.BytesIO()
        ds.save_as(stream, enforce_file_format=False)
        out = dcmread(io.BytesIO(deidentified(stream.getvalue())))
        left = {
            keyword
            for keyword, vr, value in leaves(out)
            if vr != "TM" and (value == str(PLANTED.get(vr)) or "zqcanary" in value.lower())
        }
    assert left - KEPT == set()
    assert not [element for element in out if element.tag.is_private]


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


VALIDATED = (
    "CT_small.dcm", "MR_small_implicit.dcm", "ExplVR_BigEnd.dcm", "JPEG2000.dcm",
    "rtplan.dcm", "rtdose_1frame.dcm", "rtstruct.dcm", "liver_1frame.dcm", "examples_palette.dcm",
    "examples_overlay.dcm", "SC_rgb_jpeg.dcm", "4950",
)  # fmt: skip


def errors(path: Path) -> set[str]:
    """What dciodvfy calls an error."""
    done = subprocess.run([DCIODVFY, path], capture_output=True, timeout=60, check=False)
    lines = (done.stdout + done.stderr).decode("latin-1").splitlines()
    return {re.sub(r"<[\d.]{10,}>", "<UID>", line) for line in lines if line.startswith("Error")}


@pytest.mark.parametrize("name", VALIDATED)
def test_an_image_is_as_valid_as_it_was(name: str, tmp_path: Path) -> None:
    source = next(FILES.rglob(name))
    out = tmp_path / "out.dcm"
    out.write_bytes(deidentified(source))
    assert errors(out) - errors(source) == set()


def test_dciodvfy_would_find_an_image_that_lost_what_it_needs(tmp_path: Path) -> None:
    ds = dcmread(FILES / "CT_small.dcm")
    del ds.StudyInstanceUID, ds.PatientID
    out = tmp_path / "out.dcm"
    ds.save_as(out)
    found = " ".join(errors(out))
    assert "StudyInstanceUID" in found
    assert "PatientID" in found


def test_every_keyword_of_the_recipe_stands_once_an_action() -> None:
    lines = [str(rule) for rule in RESEARCH.rules]
    assert len(lines) == len(set(lines))
    removed = {rule.field for rule in RESEARCH.rules if rule.action == "REMOVE"}
    blanked = {rule.field for rule in RESEARCH.rules if rule.action == "BLANK"}
    assert not removed & blanked
