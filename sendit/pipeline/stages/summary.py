"""What a study's de-identified images say together: the row of the table `dicom`, but for where its archive is."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from pydicom.datadict import keyword_for_tag

from sendit.deid.description import Instance


class Summary:
    """Made of the output's own words, one image after the other; never of the input."""

    def __init__(self) -> None:
        self.images = 0
        self._first = Instance()
        self._shared: dict[str, Any] = {}
        self._parts: set[str] = set()
        self._series: dict[str, dict[str, Any]] = {}

    def add(self, instance: Instance) -> None:
        """Count an image in."""
        parts = set(instance.header_parts)
        if not self.images:
            self._first, self._shared = instance, json.loads(instance.header_json)
        else:
            self._keep_shared(self._parts, parts)
        self._parts = parts
        self.images += 1
        self._series.setdefault(instance.series_instance_uid, _series(instance))["images"] += 1

    def _keep_shared(self, before: set[str], parts: set[str]) -> None:
        """Strike what an image says otherwise than the one before; only where the two differ are they looked into."""
        other = _members(parts - before)
        for tag in _members(before - parts):
            if tag in self._shared and other.get(tag) != self._shared[tag]:
                del self._shared[tag]

    def row(self, withheld_series: frozenset[str]) -> dict[str, Any]:
        """The columns that the images decide; `withheld_series` are pseudonymous UIDs."""
        header = {_keyword(tag): _plain(element) for tag, element in self._shared.items() if element.get("Value")}
        header |= {
            "NumberOfSeries": len(self._series),
            "Series": list(self._series.values()),
            "RemovedSeries": sorted(withheld_series - set(self._series)),
            "IMAGE_COUNT": self.images,
        }
        return {
            "PatientSex": self._first.patient_sex,
            "PatientAge": self._first.patient_age,
            "Modality": self._first.modality,
            "StudyDescription": self._first.study_description,
            "DicomHeader": json.dumps(header, separators=(",", ":")),
            "StudyInstanceUID": self._first.study_instance_uid,
            "study_date": iso_date(self._first.study_date),
            "image_count": self.images,
            "series_count": len(self._series),
        }


def _members(parts: Iterable[str]) -> dict[str, Any]:
    members: dict[str, Any] = json.loads("{" + ",".join(parts) + "}")
    return members


def iso_date(text: str) -> str | None:
    """A DA as a warehouse's DATE."""
    return f"{text[:4]}-{text[4:6]}-{text[6:]}" if len(text) == 8 and text.isdigit() else None


def _series(instance: Instance) -> dict[str, Any]:
    return {
        "SeriesInstanceUID": instance.series_instance_uid,
        "SeriesNumber": instance.series_number,
        "Modality": instance.modality,
        "SeriesDescription": instance.series_description,
        "images": 0,
    }


def _keyword(tag: str) -> str:
    return keyword_for_tag(int(tag, 16)) or tag


def _plain(element: dict[str, Any]) -> Any:
    """A DICOM JSON element as a plain value: names as text, one value without its list."""
    values = [one.get("Alphabetic", "") if element["vr"] == "PN" else one for one in element["Value"]]
    return values[0] if len(values) == 1 and element["vr"] != "SQ" else values
