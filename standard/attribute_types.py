"""Writes deid/standard/attribute_types.tsv, the Types (PS3.5 7.4) that decide a conditional code, from PS3.3's tables.

    pip download --no-deps highdicom && unzip highdicom-*.whl && python -m standard.attribute_types highdicom/_standard

highdicom (MIT, PyPI) ships the tables of PS3.3 as JSON. What is taken from them is the Type of each attribute in the
root of each IOD, and its strictest Type in the items of each sequence; Type 3 and attributes that no code needs are
left out. The file is read back after it is written, and compared with what was found.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from pydicom._dicom_dict import DicomDictionary
from pydicom.datadict import tag_for_keyword

from sendit.deid.standard.attribute_types import TYPES, TYPES_FILE, Types, read_types
from sendit.deid.standard.profile_table import table

OPAQUE_KINDS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "UN"})
"""VRs whose values are removed only by rules for the attribute; other values are also removed if they are illegal."""


def needed() -> set[str]:
    """Return the keywords whose Type may matter: those of Table E.1-1 but UIDs, and those that can be illegal."""
    listed = {row.number for row in table().rows if row.is_one_attribute and row.basic != "U"}
    by_vr = {tag for tag, entry in DicomDictionary.items() if entry[0] not in OPAQUE_KINDS}
    return {DicomDictionary[tag][4] for tag in listed | by_vr}


def find(folder: Path) -> Types:
    """Read the Types from highdicom's files."""
    modules = json.loads((folder / "module_attribute_map.json").read_text())
    iods = json.loads((folder / "iod_module_map.json").read_text())
    classes = json.loads((folder / "sop_class_iod_map.json").read_text())
    wanted, used = needed(), set(classes.values())
    rooted = {iod: _root([modules.get(m["key"], []) for m in iods[iod]], wanted) for iod in sorted(used)}
    everywhere = {m["key"] for iod in used for m in iods[iod]}
    return Types(
        {uid: rooted[iod] for uid, iod in sorted(classes.items())},
        _nested([modules.get(key, []) for key in sorted(everywhere)], wanted),
    )


def _root(modules: list[list[dict[str, str]]], wanted: set[str]) -> dict[int, str]:
    found: dict[int, str] = {}
    for row in (row for module in modules for row in module):
        if not row["path"] and row["keyword"] in wanted and row.get("type") in TYPES:
            _note(found, _tag(row["keyword"]), row["type"])
    return dict(sorted(found.items()))


def _nested(modules: list[list[dict[str, str]]], wanted: set[str]) -> dict[tuple[int, int], str]:
    found: dict[tuple[int, int], str] = {}
    for row in (row for module in modules for row in module):
        if row["path"] and row["keyword"] in wanted and row.get("type") in TYPES:
            _note(found, (_tag(row["path"][-1]), _tag(row["keyword"])), row["type"])
    return dict(sorted(found.items()))


def _note(found: dict[Any, str], key: int | tuple[int, int], type_: str) -> None:
    """Keep the strictest Type of each key."""
    if key not in found or TYPES.index(type_) < TYPES.index(found[key]):
        found[key] = type_


def _tag(keyword: str) -> int:
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise ValueError(f"{keyword} is no keyword")
    return tag


def text_of(types: Types, source: str) -> str:
    """Return the text of the file."""
    lines = [f"# Types 1, 1C, 2, 2C of DICOM PS3.3, from {source}; written by python -m standard.attribute_types"]
    alike: defaultdict[tuple[tuple[int, str], ...], list[str]] = defaultdict(list)
    for uid, root in types.roots.items():
        alike[tuple(root.items())].append(uid)
    for root, uids in alike.items():
        lines.append("\t".join((" ".join(uids), " ".join(f"{tag:08X}:{type_}" for tag, type_ in root))))
    by_sequence: defaultdict[int, list[str]] = defaultdict(list)
    for (sequence, tag), type_ in types.items.items():
        by_sequence[sequence].append(f"{tag:08X}:{type_}")
    lines += [f"{sequence:08X}\t{' '.join(attributes)}" for sequence, attributes in by_sequence.items()]
    return "\n".join(lines) + "\n"


def main(folder: Path) -> None:
    """Write the file and read it back."""
    types = find(folder)
    TYPES_FILE.write_text(text_of(types, "highdicom 0.28.2"))
    if read_types(TYPES_FILE.read_text()) != types:
        raise SystemExit("what was written is not what was read")
    print(f"{len(types.roots)} SOP classes, {len(types.items)} places in items")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
