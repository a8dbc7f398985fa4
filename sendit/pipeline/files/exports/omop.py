"""OMOP MI-CDM: the table `image_occurrence`, a row for each series (Park et al., J Am Med Inform Assoc 2024).

The site's own ids of persons, procedures and visits are not known here, and no concept is guessed: those columns hold
0, which OMOP reads as "no matching concept", or are NULL. The site joins its persons by `person_source_value`, which is
the pseudonym.
"""

from __future__ import annotations

import csv
import hashlib
from typing import TextIO

from sendit.pipeline.files.exports.studies import Row, series_rows
from sendit.ports import Warehouse

COLUMNS = (
    "image_occurrence_id", "person_id", "procedure_occurrence_id", "visit_occurrence_id", "anatomic_site_concept_id",
    "wadors_uri", "local_path", "image_occurrence_date", "image_study_uid", "image_series_uid", "modality_concept_id",
    "person_source_value", "anatomic_site_source_value", "modality_source_value",
)  # fmt: skip
"""Those of MI-CDM in its order, and behind them the source values that concepts are mapped from."""
_OF_SERIES = (
    "CodedPatientID", "CodedAccessionNumberID", "StudyInstanceUID", "SeriesInstanceUID", "study_date", "SeriesDate",
    "Modality", "BodyPartExamined",
)  # fmt: skip


def write(warehouse: Warehouse, out: TextIO) -> int:
    """Write the table as CSV; returns how many rows it has."""
    table = csv.writer(out, lineterminator="\n")
    table.writerow(COLUMNS)
    count = 0
    for row in series_rows(warehouse, _OF_SERIES):
        table.writerow(_values(row))
        count += 1
    return count


def _values(row: Row) -> list[object]:
    path = "/".join((row["CodedPatientID"], row["CodedAccessionNumberID"], row["SeriesInstanceUID"]))
    return [
        _key(row["SeriesInstanceUID"]), 0, None, None, 0, None, path, row["SeriesDate"] or row["study_date"],
        row["StudyInstanceUID"], row["SeriesInstanceUID"], 0, row["CodedPatientID"], row["BodyPartExamined"],
        row["Modality"],
    ]  # fmt: skip


def _key(series: str) -> int:
    """Return a key of 63 bits that is the same in every export; two series share one with a chance of 10⁻⁷ at 10⁶."""
    return int.from_bytes(hashlib.sha256(series.encode()).digest()[:8], "big") >> 1
