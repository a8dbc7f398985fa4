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
        *("756.9217.0769.85", "111.444.777-35", "16.727.230/0001-97", "85.07.30-033 28", "2341 2341 2346"),
        "ABCPE1234F",
        *("1 85 05 78 006 084 91", "211062-5629", "811218-9876", "710319/2745", "131052-308T", "1EG4-TE5-MK73"),
        *("36 574 261 809", "RCCMNL83S18D969H", "X-2482300-W", "12.531.909-2", "20-05536168-2", "450401-3150"),
        *("4111 1111 1111 1111", "3782-822463-10005", "DE89 3704 0044 0532 0130 00", "GB82 WEST 1234 5698 7654 32"),
        *("ext. 1234", "Durchwahl 123", "passport no. X1234567", "Reisepass C01X00T47"),
        *("room 412", "Zimmer 12B", "room 12 bed 3", "bed: 4", "bed 12A", "chambre 7"),
        *("00:1A:2B:3C:4D:5E", "001a.2b3c.4d5e", "fe80::1a2b:3c4d", "pacs01.local", "ws12.radiology.lan"),
        "DESKTOP-AB12CD3",
        *("host: rad01", "SW1A 1AA", "K1A 0B1", "1012 AB Amsterdam", "CH-8002 Zürich", "00-950 Warszawa"),
        "1000-205 Lisboa",
        *("138 1234 5678", "912 345 678", "(11) 91234-5678", "8 (495) 123-45-67", "2222 3333", "98765 43210"),
        *("1300 123 456", "0171 234567", "03-1234-5678", "26 48 51 37"),
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
        *("bed 1", "BED 2", "station 4", "ext rotation", "ext 2", "rm 3", "room temperature", "lit", "W350 L40"),
        *("20 30 40 50", "12 24 36 48", "TE 10 20 30 40", "0 50 100 200 400 800", "1024 1024", "120-240-360"),
        *(
            "PC-MRA",
            "WIN-PC",
            "E-12",
            "S-2000",
            "10:15:00",
            "2000 MS",
            "1234 5678 mm",
            "DWI 0 500 1000",
            "T1 3D 1.25x1.25",
        ),
        *("4111 1111 1111 1112", "111.444.777-36"),
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
