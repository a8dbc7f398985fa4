"""What identifies by its form, and what only looks so."""

from __future__ import annotations

import pytest

from sendit.deid.identifiers.identifying_forms import identifying_forms, is_measurement


def taken(text: str) -> str:
    """What is left of a text."""
    left = list(text)
    for start, end in identifying_forms(text):
        left[start:end] = "\0" * (end - start)
    return "".join(left).replace("\0", "").strip()


@pytest.mark.parametrize(
    "text",
    [
        *("jane.doe@example.org", "https://example.org/x?y=1", "www.example.org", "pacs.hospital.edu"),
        *(r"\\server\share\x", r"C:\x"),
        *("192.168.0.1", "1.2.840.113619.2.1.1", "6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
        *("078-05-1120", "+41 44 123 45 67"),
        *( "(555) 867-5309", "555-867-5309", "555.867.5309", "1-555-867-5309", "867-5309"),
        *("Tel. 12 34 56", "Fax: 555 1234", "044 123 45 67", "943 476 5919"),
        *("MRN 123", "MRN: AB-77", "Patient ID: 4711"),
        *( "Acc# 9988", "accession no. A-77-1", "case no 1234", "pid=77123"),
        *("12345678", "A1234567", "S20-12345", "0012345", "12347", "#123456", "CT114545"),
        *("12 Elmwood Street", "221B Baker St.", "1600 Zqcanary Ave"),
        *( "Seestrasse 14", "Hauptstr. 3a", "PO Box 77", "IL 62704-1234"),
        *("12, rue de la Paix", "Via Roma 12", "calle Mayor 3"),
    ],
)  # fmt: skip
def test_what_identifies_is_found_whole(text: str) -> None:
    assert taken(text) == ""


@pytest.mark.parametrize(
    "text",
    [
        "CT Chest 1.25mm 120kV 200mAs",
        "b50-400-800",
        "TR 2000 TE 30 TI 2500",
        "10000 ms",
        "L4/L5 C5-C6",
        "3.0T 1.5T",
        "512 x 512 matrix",
        "1x450ms",
        "OSEM20s2i10mm",
        "I-123 F-18 Tc-99m",
        "ISPY2_MRI_T0",
        "5 MM NECK ST",
        "3 PLANE CT",
        "128 SLICE",
        "2 VIEWS DR",
        "10:1",
        "12 lead",
        "CHEST/ABD/PEL",
        "visit 2 of 4",
        "day 100-1200",
        "W/O & W",
        "IDEAL IQ",
        "ID map",
        "#3",
        "120/80",
        "acc 50%",
        "rue",
        "64 dir",
    ],
)
def test_what_does_not_identify_stays(text: str) -> None:
    assert taken(text) == text


@pytest.mark.parametrize(
    ("word", "measures"),
    [("120kV50mAs", True), ("40min", True), ("1x450ms", True), ("123456", False), ("A1234567", False), ("mm", False)],
)
def test_a_measurement_is_numbers_with_units(word: str, measures: bool) -> None:
    assert is_measurement(word) is measures
