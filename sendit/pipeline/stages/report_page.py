"""The de-identification report as a page to print: one HTML file, with nothing that it would have to fetch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sendit.papers.printed import document, facts, table

WORDS = {
    "REMOVE": "removed",
    "BLANK": "emptied",
    "CLEAN": "cleaned: identifiers taken out of the text, or all of it",
    "JITTER": "dates shifted by the patient's own number of days",
    "REPLACE": "replaced: UIDs by keyed pseudonyms, others by values that say nothing",
    "ADD": "set to a value of the recipe's",
    "KEEP": "kept",
    "FORM": "not what the attribute holds, such as a name in a number: taken away, emptied or repaired",
    "EMPTIED": "emptied, or a dummy: an identifier of the patient or the staff was found in the value at the end",
    "REPAIR": "not readable as it stood: read as it is meant where that leaves no doubt, else emptied or taken away",
    "REPAIR_VR": "no VR, or none that exists: read with the one that the Standard gives the attribute",
    "REPAIR_UNKNOWN": "no VR, and the Standard gives it none or several: taken away",
    "REPAIR_SEQUENCE": "a sequence where none belongs, or the reverse: emptied",
    "REPAIR_ITEMS": "items in another encoding than their sequence says: read as they are meant",
    "REPAIR_CREATOR": "no Private Creator where one belongs: taken away",
    "REPAIR_DELIMITER": "a delimiter with a length: read without it",
    "REPAIR_PADDING": "zeros behind the last element: left out",
    "REPAIR_META": "an element of a command or of the File Meta Information within the dataset: taken away",
    "REPAIR_INSTANCE": "SOP Instance UID only in the File Meta Information: put in from there",
    "REPAIR_CHARSET": "a wrong name of a character set: read as it is meant",
    "PIXELS_COMMENT": "comments within compressed pixels: dropped",
    "PIXELS_APPLICATION": "application segments within compressed pixels, such as Exif: dropped",
    "PIXELS_BOX": "boxes beside a JPEG 2000 codestream, such as XML: dropped",
    "PIXELS_TAIL": "bytes behind the last pixel, or between the parts of a codestream: dropped",
    "PIXELS_FRAGMENT": "fragments of pixel data that belong to no frame: dropped",
    "PIXELS_OFFSETS": "offset tables of pixel data: rewritten, or dropped where they were wrong",
    "PIXELS_RLE_HEADER": "headers of RLE frames: rewritten",
}
"""What a recipe's actions mean to a reader of the page."""

STAND_INS = {
    "folder": "the folder's name, by the setting BLANK_PATIENT_ID: one patient a folder",
    "accession": "the accession number, by the setting BLANK_PATIENT_ID: one patient a folder",
    "other images": "the id of the folder's other images, by the setting BLANK_PATIENT_ID: one patient a folder",
}
"""What stands in for a blank Patient ID."""


def page(report: Mapping[str, Any]) -> str:
    """The report as HTML."""
    sections = [
        ("The archive", facts(_archive(report))),
        ("Files", facts(_files(report["files"]))),
        ("Withheld by the recipe's filters", table(("rule", "files"), _pairs(report["filtered"], "rule"))),
        ("Errors", table(("code", "tag", "stage", "files"), _errors(report["errors"]))),
        ("By which rules", facts(_rules(report))),
        ("Pixels that were looked at", table(("image", "rule", "detector", "blanked"), _pixels(report["pixels"]))),
        ("Proof", facts(_proof(report["verification"]))),
        ("What was done", table(("action", "elements"), _actions(report["actions"]))),
        ("To which attributes", table(("attribute", "tag", "action", "elements"), _attributes(report["attributes"]))),
    ]
    return document("De-identification report", sections, report["software"])


def _archive(report: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    archive = report["archive"]
    yield "object", archive["object_name"]
    yield "size", f"{archive['size_bytes']:,} bytes"
    yield "CRC32C", archive["crc32c"]
    yield "patient (pseudonym)", report["CodedPatientID"]
    yield "study (pseudonym)", report["CodedAccessionNumberID"]
    if (blank := report["blank_patient_id"]) is not None:
        yield "images without a Patient ID", blank["images"]
        yield "what stands in for it", STAND_INS[blank["by"]]


def _files(files: Mapping[str, int]) -> Iterable[tuple[str, Any]]:
    yield "found", files["found"]
    yield "delivered", files["delivered"]
    yield "filtered", files["filtered"]
    if files["in_review"]:
        yield "in review: not in this archive", files["in_review"]
    yield "errors", files["errored"]


def _rules(report: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    yield "recipe", report["recipe"]["name"]
    yield "SHA-256 of its text", report["recipe"]["sha256"]
    profile = report["profile"]
    yield "standard", profile["standard"] if profile else "none: the recipe follows no profile"
    for method in profile["methods"] if profile else ():
        yield f"{method['value']} {method['scheme']}", method["meaning"]
    for line in profile["exceptions"] if profile else ():
        yield f"not claimed as {profile['name']}, for the recipe has the line", line


def _proof(proof: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    yield "images proven free of the identifiers below", proof["images_proven"]
    for kind, count in proof["identifiers_searched_for"].items():
        yield f"identifiers searched for: {kind}", count
    yield "images withheld because one was found", proof["images_withheld"]


def _pixels(images: Iterable[Mapping[str, Any]]) -> Iterable[tuple[Any, ...]]:
    return ((one["image"], one["rule"], one["detector"], len(one["blanked"])) for one in images)


def _actions(actions: Mapping[str, int]) -> Iterable[tuple[str, int]]:
    return ((f"{action}: {WORDS[action]}", count) for action, count in actions.items())


def _attributes(attributes: Iterable[Mapping[str, Any]]) -> Iterable[tuple[Any, ...]]:
    return ((one["keyword"], one["place"], one["action"], one["count"]) for one in attributes)


def _errors(errors: Iterable[Mapping[str, Any]]) -> Iterable[tuple[Any, ...]]:
    return ((one["code"], one["tag"], one["stage"], one["count"]) for one in errors)


def _pairs(rows: Iterable[Mapping[str, Any]], name: str) -> Iterable[tuple[Any, int]]:
    return ((row[name], row["count"]) for row in rows)
