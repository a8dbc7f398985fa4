"""FHIR R4 `ImagingStudy` resources, one a study, as NDJSON for bulk import (hl7.org/fhir/R4/imagingstudy.html).

The subject is named by the pseudonym alone, in the identifier system that the caller gives.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any, TextIO

from sendit.pipeline.files.exports.studies import Row, studies_with_instances
from sendit.ports import Warehouse

DCM = "http://dicom.nema.org/resources/ontology/DCM"
DICOM_UID = "urn:dicom:uid"
SOP_CLASS = "urn:ietf:rfc:3986"
_OF_SERIES = (
    "CodedPatientID", "StudyInstanceUID", "SeriesInstanceUID", "study_date", "StudyDescription", "Modality",
    "SeriesNumber", "SeriesDescription", "SeriesDate", "BodyPartExamined",
)  # fmt: skip
_OF_INSTANCE = ("SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID", "InstanceNumber")


def write(warehouse: Warehouse, system: str, out: TextIO) -> int:
    """Write a line for each study; returns how many there are.

    Parameters
    ----------
    system : str
        The URI of the identifier system to which the pseudonyms belong.
    """
    count = 0
    for series, instances in studies_with_instances(warehouse, _OF_SERIES, _OF_INSTANCE):
        for resource in _resources(series, instances, system):
            out.write(json.dumps(resource, ensure_ascii=False) + "\n")
            count += 1
    return count


def _resources(series: list[Row], instances: list[Row], system: str) -> Iterator[dict[str, Any]]:
    """Yield the resources of one study by its pseudonym; one for each Study Instance UID."""
    for uid in dict.fromkeys(row["StudyInstanceUID"] for row in series):
        own = [row for row in series if row["StudyInstanceUID"] == uid]
        by_series: dict[str, list[Row]] = {}
        for row in instances:
            by_series.setdefault(row["SeriesInstanceUID"], []).append(row)
        yield _study(uid, own, by_series, system)


def _study(uid: str, series: list[Row], instances: dict[str, list[Row]], system: str) -> dict[str, Any]:
    first = series[0]
    modalities = sorted({row["Modality"] for row in series if row["Modality"]})
    return _without_blanks(
        {
            "resourceType": "ImagingStudy",
            "id": hashlib.sha256(f"{system} {uid}".encode()).hexdigest()[:32],
            "identifier": [
                {"system": DICOM_UID, "value": f"urn:oid:{uid}"},
                {"system": system, "value": first["CodedAccessionNumberID"]},
            ],
            "status": "available",
            "modality": [_modality(one) for one in modalities],
            "subject": {"identifier": {"system": system, "value": first["CodedPatientID"]}},
            "started": _date(first["study_date"]),
            "numberOfSeries": len(series),
            "numberOfInstances": sum(len(instances.get(row["SeriesInstanceUID"], ())) for row in series),
            "description": first["StudyDescription"],
            "series": [_series(row, instances.get(row["SeriesInstanceUID"], [])) for row in series],
        }
    )


def _series(row: Row, instances: list[Row]) -> dict[str, Any]:
    return _without_blanks(
        {
            "uid": row["SeriesInstanceUID"],
            "number": _unsigned(row["SeriesNumber"]),
            "modality": _modality(row["Modality"] or "OT"),
            "description": row["SeriesDescription"],
            "numberOfInstances": len(instances),
            "bodySite": {"display": row["BodyPartExamined"]} if row["BodyPartExamined"] else None,
            "started": _date(row["SeriesDate"]),
            "instance": [_instance(one) for one in instances],
        }
    )


def _instance(row: Row) -> dict[str, Any]:
    return _without_blanks(
        {
            "uid": row["SOPInstanceUID"],
            "sopClass": {"system": SOP_CLASS, "code": f"urn:oid:{row['SOPClassUID']}"},
            "number": _unsigned(row["InstanceNumber"]),
        }
    )


def _modality(code: str) -> dict[str, str]:
    return {"system": DCM, "code": code}


def _date(value: object) -> str | None:
    return str(value)[:10] if value else None


def _unsigned(value: object) -> int | None:
    """A number as FHIR's unsignedInt takes it; DICOM allows negative ones."""
    number = int(str(value)) if value is not None else -1
    return number if 0 <= number <= 0x7FFFFFFF else None


def _without_blanks(resource: dict[str, Any]) -> dict[str, Any]:
    """FHIR has no null, no blank text and no empty list."""
    return {key: value for key, value in resource.items() if value not in (None, "", [])}
