"""The de-identification report of a batch: what was done, by which rules, and what was proven. It identifies nobody.

The same archive has the same report: no time of day is in it, and nothing of this machine. A signed statement of the
digests of both, and of every image, goes with it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import sendit
from sendit.deid.identifiers.identifiers import VERIFIED, Identifier
from sendit.deid.recipe.profile import BASIC, CLEAN_PIXEL_DATA, METHODS
from sendit.deid.recipe.recipe import Recipe
from sendit.deid.rewriting.account import Done
from sendit.durable import disk
from sendit.papers.statement import REPORTED, SUFFIX, Subject, make_statement, sign
from sendit.pipeline.record.ledger import Ledger
from sendit.pipeline.stages.deidentifying import LookedAt, StudyResult
from sendit.pipeline.stages.importing import ImportedStudy
from sendit.pipeline.stages.parts import Part
from sendit.pipeline.stages.report_page import page
from sendit.pipeline.stages.work import Work
from sendit.projects.composition import Ports

JSON, PAGE, STATEMENT = "report.json", "report.html", SUFFIX
CONTENT_TYPES = {JSON: "application/json", PAGE: "text/html; charset=utf-8", STATEMENT: "application/jsonl"}


def write_report(work: Work, made: StudyResult, study: ImportedStudy, part: Part, ports: Ports, outbox: Path) -> None:
    """Write both forms of the report, and the signed statement, into `outbox`."""
    report = make_report(made, ports.recipe, study, work.ledger, part)
    forms = {JSON: _lines(report).encode(), PAGE: page(report).encode()}
    for name, content in forms.items():
        _write(outbox / name, [content])
    stated = make_statement(_subjects(made, work, forms), _predicate(report, work))
    _write(outbox / STATEMENT, sign(stated, ports.signing_key))


def _write(path: Path, pieces: Iterable[bytes]) -> None:
    with disk("report"), path.open("wb") as file:
        file.writelines(pieces)
        file.flush()
        os.fsync(file.fileno())


def _subjects(made: StudyResult, work: Work, forms: Mapping[str, bytes]) -> Iterator[Subject]:
    name = made.object_name.rpartition("/")[2]
    yield Subject(name, made.archive.sha256)
    for form, content in forms.items():
        yield Subject(f"{name.removesuffix('.tar.gz')}.{form}", hashlib.sha256(content).hexdigest())
    for _, member in work.ledger.new_members():
        yield Subject(member.name, member.sha256, member.offset, member.length)


def _predicate(report: Mapping[str, Any], work: Work) -> dict[str, Any]:
    """Who released an image is said by the name that a user has here."""
    members = work.ledger.new_members() if work.released else ()
    released = [
        {"image": member.name, "by": work.released[number]} for number, member in members if number in work.released
    ]
    project = {"sha256": work.recipe["project_sha256"]}
    return {field: report[field] for field in REPORTED} | {"project": project, "released": released}


def make_report(made: StudyResult, recipe: Recipe, study: ImportedStudy, ledger: Ledger, part: Part) -> dict[str, Any]:
    """The report as JSON's values."""
    attributes, errors = made.account.rows(), ledger.errors(only_new=True)
    actions: Counter[str] = Counter()
    for done in attributes:
        actions[done.action] += done.count
    return {
        "archive": {
            "object_name": made.object_name,
            "size_bytes": made.archive.size_bytes,
            "crc32c": made.archive.crc32c,
        },
        "CodedPatientID": made.entity_suid,
        "CodedAccessionNumberID": made.item_suid,
        "blank_patient_id": None if study.stand_in is None else asdict(study.stand_in),
        "part": {
            "number": part.number,
            "generation": part.generation,
            "proven_by_own_identifiers_alone": part.is_proven_alone,
            "known_by_uid_alone": part.known_by_uid,
        },
        "files": ledger.counts_of_archive(),
        "filtered": [{"rule": rule, "count": count} for rule, count in sorted(ledger.rules(only_new=True).items())],
        "errors": errors,
        "recipe": {"name": os.path.basename(recipe.name), "sha256": recipe.sha256},
        "profile": _profile(recipe, looked_at=bool(made.pixels)),
        "actions": dict(sorted(actions.items())),
        "attributes": [{name: getattr(done, name) for name in _ATTRIBUTE} for done in attributes],
        "pixels": [_looked_at(one) for one in made.pixels],
        "verification": {
            "images_proven": made.summary.images,
            "identifiers_searched_for": dict(sorted(Counter(_searched_for(study.identifiers)).items())),
            "images_withheld": sum(e["count"] for e in errors if e["code"] == "ResidualIdentifier"),
        },
        "software": f"sendit {sendit.__version__}",
    }


def _searched_for(identifiers: Iterable[Identifier]) -> Iterable[str]:
    """The kinds of those that the proof looks for; the others only go from texts that are cleaned."""
    return (each.kind for each in identifiers if each.kind in VERIFIED)


_ATTRIBUTE = tuple(field.name for field in fields(Done))


def _lines(report: dict[str, Any]) -> str:
    """JSON, a line for each part and for each attribute: written faster than with an indent, and as readable."""
    attributes = ",\n  ".join(json.dumps(attribute) for attribute in report["attributes"])
    parts = {name: json.dumps(part) for name, part in report.items()} | {"attributes": f"[\n  {attributes}\n ]"}
    return "{\n" + ",\n".join(f' "{name}": {part}' for name, part in parts.items()) + "\n}\n"


def _looked_at(one: LookedAt) -> dict[str, Any]:
    record = one.record
    return {
        "image": one.member,
        "rule": record.rule,
        "coordinates_of": list(record.named),
        "frames": record.frames,
        "rows": record.rows,
        "columns": record.columns,
        "detector": record.detector,
        "blanked": [{"box": list(mask.box), "reason": str(mask.reason)} for mask in record.masks],
    }


def _profile(recipe: Recipe, *, looked_at: bool) -> dict[str, Any] | None:
    """The profile and its options as (0012,0064) names them; None where the recipe has none.

    Clean Pixel Data is among them where an image was looked at; the images that were say so themselves.
    Where lines of the recipe depart from it, it is not claimed: (0012,0064) names no method then.
    """
    profile = recipe.profile
    if profile is None:
        return None
    names = () if recipe.exceptions else (BASIC, *profile.options)
    names = tuple(name for name in names if looked_at or name != CLEAN_PIXEL_DATA)
    return {
        "standard": "DICOM PS3.15 Annex E",
        "name": str(profile),
        "methods": [{"option": name, **asdict(METHODS[name])} for name in names],
        "exceptions": [str(rule) for rule in recipe.exceptions],
    }
