"""The risk of what a project has delivered, and of the same under another recipe.

Rows are those of the warehouse: de-identified, and the same that recipients have. Nothing is asked of an original.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from sendit.deid.engine import Deidentifier
from sendit.deid.pseudonyms import Pseudonyms
from sendit.deid.recipe.recipe import Recipe
from sendit.errors import DataFault
from sendit.papers.risk import Risk, Values, measure
from sendit.ports import Warehouse

QUASI_IDENTIFIERS = (
    "PatientSex", "PatientAge", "Modality", "BodyPartExamined", "year of StudyDate", "ManufacturerModelName"
)  # fmt: skip
KEYWORDS = ("PatientSex", "PatientAge", "Modality", "BodyPartExamined", "StudyDate", "ManufacturerModelName")
SQL = """
SELECT DISTINCT i.CodedPatientID, i.SOPClassUID, d.PatientSex, d.PatientAge, i.Modality, i.BodyPartExamined,
       EXTRACT(YEAR FROM d.study_date) AS study_year, i.ManufacturerModelName
FROM instance AS i JOIN dicom AS d ON d.load_id = i.load_id
"""
VARIABLES = {
    "entity_id": "patient", "entity_id_source": "", "entity_timestamp": "",
    "item_id": "study", "item_id_source": "", "item_timestamp": "", "jitter": 0,
}  # fmt: skip
"""Of a patient who was de-identified before: dates are shifted already."""
SOME_UID = "2.25.1"


@dataclass(frozen=True, slots=True)
class Delivered:
    """What the images of a patient have in common."""

    patient: str
    sop_class_uid: str
    values: Values


def delivered(warehouse: Warehouse) -> list[Delivered]:
    """Return what was delivered, by patient. Raises Misconfigured, ServiceDown."""
    rows = warehouse.query(SQL).rows
    return [
        Delivered(str(patient), _word(sop_class), tuple(map(_word, values))) for patient, sop_class, *values in rows
    ]


def _word(value: object) -> str:
    return "" if value is None else str(value)


def risk_of(rows: Iterable[Delivered]) -> Risk:
    """Return the risk of what was delivered."""
    return measure((row.patient, row.values) for row in rows)


def risk_under(recipe: Recipe, rows: Iterable[Delivered]) -> Risk:
    """Return the risk if the recipe had made the same, as far as its rules for these attributes go.

    What the recipe in force has removed cannot come back, and no filter is asked.
    """
    deidentifier = Deidentifier(recipe, Pseudonyms(bytes(32)), VARIABLES)
    known: dict[tuple[str, Values], Values | None] = {}
    return measure(_changed(deidentifier, rows, known))


def _changed(
    deidentifier: Deidentifier, rows: Iterable[Delivered], known: dict[tuple[str, Values], Values | None]
) -> Iterator[tuple[str, Values]]:
    for row in rows:
        key = row.sop_class_uid, row.values
        if key not in known:
            known[key] = _deidentified(deidentifier, row)
        if (values := known[key]) is not None:
            yield row.patient, values


def _deidentified(deidentifier: Deidentifier, row: Delivered) -> Values | None:
    """Return what becomes of the values; None where the image would not be delivered."""
    try:
        made = dcmread(io.BytesIO(deidentifier.deidentify(_image(row)).tobytes()))
    except DataFault:
        return None
    return tuple(_text(made, keyword) for keyword in KEYWORDS)


def _text(image: Dataset, keyword: str) -> str:
    text = str(image.get(keyword) or "")
    return text[:4] if keyword == "StudyDate" else text


def _image(row: Delivered) -> bytes:
    """Return an image of nothing but these values."""
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.SOPClassUID, image.SOPInstanceUID = row.sop_class_uid, SOME_UID
    image.StudyInstanceUID = image.SeriesInstanceUID = SOME_UID
    for keyword, value in zip(KEYWORDS, row.values, strict=True):
        setattr(image, keyword, f"{value}0701" if keyword == "StudyDate" and value else value)
    stream = io.BytesIO()
    image.save_as(stream, enforce_file_format=True)
    return stream.getvalue()
