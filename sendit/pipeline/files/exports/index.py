"""An index of series, a row each, with the columns that idc-index has and where the archive is."""

from __future__ import annotations

import csv
from typing import TextIO

from sendit.pipeline.files.exports.studies import Row, series_rows
from sendit.ports import Warehouse

COLUMNS = {
    "PatientID": "CodedPatientID",
    "StudyInstanceUID": "StudyInstanceUID",
    "SeriesInstanceUID": "SeriesInstanceUID",
    "StudyDate": "study_date",
    "StudyDescription": "StudyDescription",
    "PatientAge": "PatientAge",
    "PatientSex": "PatientSex",
    "SeriesDate": "SeriesDate",
    "SeriesDescription": "SeriesDescription",
    "SeriesNumber": "SeriesNumber",
    "BodyPartExamined": "BodyPartExamined",
    "Modality": "Modality",
    "Manufacturer": "Manufacturer",
    "ManufacturerModelName": "ManufacturerModelName",
    "instanceCount": "image_count",
    "series_size_MB": "size_bytes",
}
"""Each column of the index, and the column of the view `series` that it is made of."""
_STUDY = "CodedAccessionNumberID"


def write(warehouse: Warehouse, collection: str, out: TextIO) -> int:
    """Write the index as CSV; returns how many rows it has."""
    table = csv.writer(out, lineterminator="\n")
    table.writerow(["collection_id", *COLUMNS, "accession_pseudonym"])
    count = 0
    for row in series_rows(warehouse, (*dict.fromkeys(COLUMNS.values()), _STUDY)):
        table.writerow([collection, *(_value(name, row) for name in COLUMNS), row[_STUDY]])
        count += 1
    return count


def _value(name: str, row: Row) -> object:
    value = row[COLUMNS[name]]
    return round(int(value or 0) / 1e6, 2) if name == "series_size_MB" else value
