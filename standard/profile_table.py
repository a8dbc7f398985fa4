"""Writes deid/standard/profile_table.tsv, the rows of PS3.15 Table E.1-1, from the table in Innolitics' JSON form.

    python -m standard.profile_table ps3.15_table_E.1-1.json "January 2025"

It checks itself: each row's codes are ones that the Standard has, each tag is the dictionary's attribute of that name,
and what is written is read back as the rows that came in.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from pydicom._dicom_dict import DicomDictionary

from sendit.deid.standard.profile_table import COLUMNS, ROWS_FILE, ProfileRow, read_rows

KEYS = {
    "basicProfile": "basic",
    "rtnSafePrivOpt": "Retain Safe Private",
    "rtnUIDsOpt": "Retain UIDs",
    "rtnDevIdOpt": "Retain Device Identity",
    "rtnInstIdOpt": "Retain Institution Identity",
    "rtnPatCharsOpt": "Retain Patient Characteristics",
    "rtnLongFullDatesOpt": "Retain Longitudinal Temporal Information with Full Dates",
    "rtnLongModifDatesOpt": "Retain Longitudinal Temporal Information with Modified Dates",
    "cleanDescOpt": "Clean Descriptors",
    "cleanStructContOpt": "Clean Structured Content",
    "cleanGraphOpt": "Clean Graphics",
}
"""The JSON's columns, and the Standard's names for them."""

CODES = re.compile(r"[XZDU]|X/Z|X/D|Z/D|X/Z/D|X/Z/U\*")
KNOWN_COLUMNS = {*KEYS, "name", "tag", "id", "stdCompIOD"}
REPEATING = ("(50XX,XXXX)", "(60XX,3000)", "(60XX,4000)")
PRIVATE = "(GGGG,EEEE) WHERE GGGG IS ODD"


def rows_of(table: list[dict[str, str]]) -> list[ProfileRow]:
    """Return the rows in the order of their tags. Raises ValueError if one is not in the Standard's form."""
    rows = sorted((_row(entry) for entry in table), key=lambda row: row.tag)
    if len({row.tag for row in rows}) != len(rows):
        raise ValueError("a tag stands twice")
    return rows


def _row(entry: dict[str, str]) -> ProfileRow:
    if unknown := entry.keys() - KNOWN_COLUMNS:
        raise ValueError(f"{entry['tag']}: columns that are not known: {sorted(unknown)}")
    codes = {KEYS[key]: entry[key] for key in KEYS if key in entry}
    basic = codes.pop("basic")
    if not CODES.fullmatch(basic) or not set(codes.values()) <= {"K", "C"}:
        raise ValueError(f"{entry['tag']}: not a code of the Standard")
    name = " ".join(re.sub(r"\(see Note.*\)", "", entry["name"]).split())
    row = ProfileRow(_tag(entry["tag"]), name, entry["stdCompIOD"] == "Y", basic, codes)
    _check_name(row)
    return row


def _tag(text: str) -> str:
    if text == PRIVATE:
        return "private"
    if text in REPEATING:
        return text.strip("()").replace(",", "").replace("X", "x")
    if not re.fullmatch(r"\([0-9A-F]{4},[0-9A-F]{4}\)", text):
        raise ValueError(f"{text} is no tag")
    return text[1:5] + text[6:10]


def _check_name(row: ProfileRow) -> None:
    """Check that a name differs from the dictionary's only in blanks, if the dictionary has the attribute."""
    if "x" in row.tag or row.tag == "private":
        return
    entry = DicomDictionary.get(int(row.tag, 16))
    if entry is None or entry[2].replace(" ", "").lower() != row.name.replace(" ", "").lower():
        raise ValueError(f"{row.tag}: the dictionary knows no {row.name} there")


def text_of(rows: list[ProfileRow], edition: str) -> str:
    """Return the text of the file."""
    lines = [f"# DICOM PS3.15 Table E.1-1, edition {edition}; written by python -m standard.profile_table"]
    lines.append("\t".join(("tag", "name", "in a standard IOD", *COLUMNS)))
    for row in rows:
        codes = (row.codes.get(column, "") for column in COLUMNS[1:])
        lines.append("\t".join((row.tag, row.name, "Y" if row.in_standard_iod else "N", row.basic, *codes)).rstrip())
    return "\n".join(lines) + "\n"


def main(source: Path, edition: str) -> None:
    """Write the file and read it back."""
    rows = rows_of(json.loads(source.read_text()))
    ROWS_FILE.write_text(text_of(rows, edition))
    table = read_rows(ROWS_FILE.read_text())
    if table.rows != tuple(rows) or table.edition != edition:
        raise SystemExit("what was written is not what was read")
    print(f"{len(rows)} rows, edition {edition}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
