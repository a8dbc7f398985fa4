"""The scripts that rebuild the tables of the Standard's facts: what they make, and what they refuse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sendit.deid.standard.attribute_types import read_types
from sendit.deid.standard.profile_table import read_rows
from standard import attribute_types, profile_table

ROW = {"name": "Study Date", "tag": "(0008,0020)", "stdCompIOD": "Y", "basicProfile": "Z", "id": "00080020"}
PRIVATE = {
    "name": "Private Attributes",
    "tag": profile_table.PRIVATE,
    "stdCompIOD": "N",
    "basicProfile": "X",
    "id": "p",
}
OVERLAY = {"name": "Overlay Data", "tag": "(60XX,3000)", "stdCompIOD": "Y", "basicProfile": "X", "id": "60xx3000"}


def test_rows_are_written_in_the_order_of_their_tags_and_read_back() -> None:
    rows = profile_table.rows_of([PRIVATE, OVERLAY, ROW | {"rtnLongFullDatesOpt": "K", "cleanDescOpt": "C"}])
    assert [row.tag for row in rows] == ["00080020", "60xx3000", "private"]
    table = read_rows(profile_table.text_of(rows, "some day"))
    assert (table.edition, table.rows) == ("some day", tuple(rows))
    assert table.rows[0].codes == {
        "Retain Longitudinal Temporal Information with Full Dates": "K",
        "Clean Descriptors": "C",
    }


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"basicProfile": "Q"}, "not a code of the Standard"),
        ({"cleanDescOpt": "X"}, "not a code of the Standard"),
        ({"cleanFacesOpt": "C"}, "columns that are not known"),
        ({"tag": "(0008,00ZZ)"}, "is no tag"),
        ({"name": "Series Date"}, "the dictionary knows no Series Date there"),
        ({"tag": "(0008,0F20)"}, "the dictionary knows no Study Date there"),
    ],
)
def test_a_row_that_the_standard_cannot_have_is_refused(change: dict[str, str], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        profile_table.rows_of([ROW | change])


def test_a_tag_stands_once() -> None:
    with pytest.raises(ValueError, match="stands twice"):
        profile_table.rows_of([ROW, ROW])


def tables(folder: Path) -> Path:
    """PS3.3 in small, in highdicom's form."""

    def attribute(keyword: str, type_: str, *path: str) -> dict[str, Any]:
        return {"keyword": keyword, "type": type_, "path": list(path)}

    modules = {
        "study": [attribute("StudyDate", "2"), attribute("StudyInstanceUID", "1"), attribute("Rows", "1")],
        "image": [
            attribute("StudyDate", "3"),
            attribute("ContentDate", "2C"),
            attribute("ContentDate", "1C"),
            attribute("InstitutionName", "3", "OperatorIdentificationSequence"),
            attribute(
                "InstitutionName", "1C", "ReferringPhysicianIdentificationSequence", "OperatorIdentificationSequence"
            ),
        ],
        "elsewhere": [attribute("AccessionNumber", "1")],
    }
    iods = {"ct": [{"key": "study"}, {"key": "image"}, {"key": "not told"}], "other": [{"key": "elsewhere"}]}
    classes = {"1.2.3": "ct", "1.2.4": "ct"}
    for name, content in (("module_attribute", modules), ("iod_module", iods), ("sop_class_iod", classes)):
        (folder / f"{name}_map.json").write_text(json.dumps(content))
    return folder


def test_the_types_are_those_of_the_root_and_the_strictest_of_an_item(tmp_path: Path) -> None:
    types = attribute_types.find(tables(tmp_path))
    study_date, content_date, institution = 0x00080020, 0x00080023, 0x00080080
    root = {study_date: "2", content_date: "1C", 0x0020000D: "1", 0x00280010: "1"}
    assert types.roots == dict.fromkeys(("1.2.3", "1.2.4"), root)
    assert types.items == {(0x00081072, institution): "1C"}
    assert read_types(attribute_types.text_of(types, "a test")) == types
